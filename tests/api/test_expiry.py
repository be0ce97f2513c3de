"""Cursors, times and pages of a part of the log that is in the archive: told so, and never a hole."""

from __future__ import annotations

import asyncio
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from fairlead.v1.common_pb2 import OrderRef
from fairlead.v1.execution_service_pb2 import (
    CURSOR_EXPIRED_POLICY_SNAPSHOT,
    START_POSITION_EARLIEST,
    ExecutionEvent,
    ListExecutionsRequest,
)
from fairlead.v1.order_service_pb2 import ListOrderEventsRequest
from fairlead.v1.session_service_pb2 import ListSessionMessagesRequest
from fairlead_server.api.messages import event_line
from fairlead_server.api.times import timestamp
from fairlead_server.app import now
from fairlead_server.config import Retained
from fairlead_server.routing.retention import Ages, Retention
from fairlead_server.store.archive import Folder
from google.protobuf.json_format import Parse
from google.protobuf.timestamp_pb2 import Timestamp

from tests.api import broker as venue
from tests.api.refusals import Refused, refused
from tests.api.router import Router, events_of, kinds_of, running

LONG_AGO = Timestamp(seconds=1_700_000_000)


@pytest.fixture
async def past(router: Router) -> list[ExecutionEvent]:
    """Three orders that are filled, and one that is open."""
    router.broker.answers["D"] = venue.accept_and_fill
    for _ in range(3):
        await router.working()
    router.broker.answers["D"] = venue.accept
    await router.working()  # once this is through, so is the last fill
    return await router.log()


async def archive(router: Router, folder: Path) -> None:
    """All that can be by now."""
    inner = router.app.router
    ages, wanted = Ages(timedelta(), timedelta()), Folder(folder)
    retention = Retention(
        ages, wanted, inner.store, inner.book, inner.pipeline, inner.feed, now, event_line, _at_once
    )
    await retention.once()


async def _at_once(_: float) -> None:
    """There is nobody to wait for."""


def archived(folder: Path) -> list[ExecutionEvent]:
    texts = [gzip.decompress(file.read_bytes()).decode() for file in sorted(folder.glob("events-*"))]
    return [Parse(line, ExecutionEvent()) for text in texts for line in text.splitlines()]


def sequences(messages: Any) -> list[int]:
    return [event.sequence for event in events_of(messages)]


async def test_the_archive_has_the_events_as_they_were_told(
    router: Router, past: list[ExecutionEvent], tmp_path: Path
) -> None:
    await archive(router, tmp_path)

    closed = [event for event in past if event.order.order_id != past[-1].order.order_id]
    assert archived(tmp_path) == closed


async def test_a_cursor_of_what_is_archived_has_expired(
    router: Router, past: list[ExecutionEvent], tmp_path: Path
) -> None:
    cursor = (await router.subscribe(position=START_POSITION_EARLIEST).until("events"))[-1].cursor
    listed = (await router.executions.ListExecutions(ListExecutionsRequest(page_size=2))).cursor
    await archive(router, tmp_path)

    stream = await refused(router.subscribe(after_cursor=listed).call.read())
    unary = await refused(router.executions.ListExecutions(ListExecutionsRequest(after_cursor=listed)))

    assert (stream.code, stream.reason) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")
    assert stream.facts == unary.facts
    assert stream.facts["field"] == "after_cursor"
    assert datetime.fromisoformat(stream.facts["earliest_time"]) == past[-1].commit_time.ToDatetime(UTC)
    assert sequences(await router.subscribe(after_cursor=cursor, until_caught_up=True).rest()) == []
    earliest = stream.facts["earliest_cursor"]
    found = await router.subscribe(after_cursor=earliest, until_caught_up=True).rest()
    assert sequences(found) == [past[-1].sequence]


async def test_a_snapshot_takes_its_place_where_that_is_wanted(
    router: Router, past: list[ExecutionEvent], tmp_path: Path
) -> None:
    cursor = (await router.executions.ListExecutions(ListExecutionsRequest(page_size=2))).cursor
    await archive(router, tmp_path)

    messages = await router.subscribe(
        after_cursor=cursor, cursor_expired_policy=CURSOR_EXPIRED_POLICY_SNAPSHOT, until_caught_up=True
    ).rest()

    assert kinds_of(messages) == ["established", "snapshot", "caught_up"]
    assert [order.order_id for order in messages[1].snapshot.orders] == [past[-1].order.order_id]


async def test_a_time_before_the_log_begins_has_expired(
    router: Router, past: list[ExecutionEvent], tmp_path: Path
) -> None:
    assert len(events_of(await router.subscribe(after_time=LONG_AGO, until_caught_up=True).rest())) == 15
    await archive(router, tmp_path)

    wrong = await refused(router.subscribe(after_time=LONG_AGO).call.read())

    assert (wrong.reason, wrong.facts["field"]) == ("CURSOR_EXPIRED", "after_time")


async def test_a_time_at_which_nothing_had_happened_yet_that_is_archived_has_not_expired(
    router: Router, past: list[ExecutionEvent], tmp_path: Path
) -> None:
    await archive(router, tmp_path)
    since = router.app.router.feed.since
    assert since is not None

    found = await router.subscribe(after_time=timestamp(since), until_caught_up=True).rest()

    assert sequences(found) == []


async def test_the_earliest_is_the_first_that_is_kept(
    router: Router, past: list[ExecutionEvent], tmp_path: Path
) -> None:
    await archive(router, tmp_path)

    assert [event.sequence for event in await router.log()] == [past[-1].sequence]
    listed = await router.executions.ListExecutions(ListExecutionsRequest())
    assert [event.sequence for event in listed.events] == [past[-1].sequence]


async def test_pages_of_what_is_archived_have_expired(
    router: Router, past: list[ExecutionEvent], tmp_path: Path
) -> None:
    order = OrderRef(order_id=past[0].order.order_id)
    lists: list[tuple[Any, Any]] = [
        (router.executions.ListExecutions, ListExecutionsRequest(page_size=2)),
        (router.orders.ListOrderEvents, ListOrderEventsRequest(order=order, page_size=2)),
        (router.sessions.ListSessionMessages, ListSessionMessagesRequest(session_id="BROKER", page_size=2)),
    ]
    tokens = [(await call(request)).next_page_token for call, request in lists]
    await archive(router, tmp_path)

    found: list[Refused] = []
    for (call, request), token in zip(lists, tokens, strict=True):
        request.page_token = token
        found.append(await refused(call(request)))

    assert {wrong.reason for wrong in found} == {"CURSOR_EXPIRED"}
    assert {wrong.facts["field"] for wrong in found} == {"page_token"}
    assert all("earliest_time" in wrong.facts for wrong in found)


async def test_an_open_order_keeps_its_events_and_their_pages(
    router: Router, past: list[ExecutionEvent], tmp_path: Path
) -> None:
    request = ListOrderEventsRequest(order=OrderRef(order_id=past[-1].order.order_id), page_size=2)
    first = await router.orders.ListOrderEvents(request)
    await archive(router, tmp_path)

    request.page_token = first.next_page_token
    second = await router.orders.ListOrderEvents(request)

    assert [*first.events, *second.events] == past[-3:]


async def test_a_router_archives_when_it_starts(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path}/store.db", tmp_path / "archive"
    async with running(url) as router:
        router.broker.answers["D"] = venue.accept_and_fill
        first = await router.working()
        await router.working()
        numbers = router.broker.session.numbers

    kept = Retained(Ages(events=timedelta()), folder)
    async with running(url, numbers, retention=kept) as later:
        store = later.app.router.store
        while store.events_after(0, 1)[0].sequence == 1:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.01)
        wrong = await refused(later.subscribe(after_time=LONG_AGO).call.read())

    assert archived(folder)[0].order.order_id == first.order_id
    assert wrong.reason == "CURSOR_EXPIRED"
