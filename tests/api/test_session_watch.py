"""WatchSessions: what a watcher is told, when, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import grpc
import pytest
from fairlead.v1 import session_service_pb2 as pb
from fairlead.v1.execution_service_pb2 import STREAM_ENDING_REASON_DRAINING
from fairlead_server.api.session_watch import SessionWatch
from fairlead_server.domain.errors import Draining
from fairlead_server.routing.news import News
from fairlead_server.routing.ports import SessionView, Viewed
from google.protobuf.duration_pb2 import Duration
from msgspec.structs import replace

from tests.api.refusals import refused
from tests.api.router import Router
from tests.api.test_session_service import view

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
PATIENT, AT_ONCE = 60.0, 0.0  # seconds between heartbeats


class Seen:
    """A session that looks as the test says."""

    def __init__(self, seen: SessionView) -> None:
        self.seen = seen

    def view(self) -> SessionView:
        return self.seen


class Watcher:
    """Reads one watch of two sessions, A and B; checks that no message is missing."""

    def __init__(self, *wanted: str, heartbeat: float = PATIENT) -> None:
        self.a, self.b = Seen(view("A")), Seen(view("B"))
        self.configured: dict[str, Viewed] = {"B": self.b, "A": self.a}
        self.news = News()
        self.watch = SessionWatch(self.configured, frozenset(wanted), heartbeat, self.news, lambda: NOW)
        self.messages: AsyncGenerator[bytes, None] = self.watch.messages()
        self._count = 0

    async def next(self) -> pb.WatchSessionsResponse:
        message = pb.WatchSessionsResponse.FromString(await anext(self.messages))
        self._count += 1
        assert message.stream_sequence == self._count
        return message


def names(sessions: object) -> list[str]:
    return [session.session_id for session in sessions]  # type: ignore[attr-defined]


async def test_a_watch_begins_with_all_sessions() -> None:
    watcher = Watcher()

    message = await watcher.next()

    assert names(message.snapshot.sessions) == ["A", "B"]
    assert message.send_time.ToDatetime(UTC) == NOW


async def test_only_what_has_changed_is_told() -> None:
    watcher = Watcher()
    await watcher.next()
    watcher.b.seen = replace(watcher.b.seen, state="ACTIVE")
    watcher.news.tell()

    changes = (await watcher.next()).changes

    assert names(changes.sessions) == ["B"]
    assert changes.sessions[0].state == pb.SESSION_STATE_ACTIVE


async def test_a_slow_reader_is_told_how_things_stand_and_not_each_step() -> None:
    watcher = Watcher()
    await watcher.next()
    for number in range(100):
        watcher.a.seen = replace(watcher.a.seen, next_in=number)
        watcher.news.tell()
    assert watcher.watch.lag == 1

    changes = (await watcher.next()).changes

    assert [session.next_in for session in changes.sessions] == [99]


async def test_sessions_that_come_and_go_are_told() -> None:
    watcher = Watcher()
    await watcher.next()
    del watcher.configured["A"]
    watcher.configured["C"] = Seen(view("C"))
    watcher.news.tell()

    changes = (await watcher.next()).changes

    assert names(changes.sessions) == ["C"]
    assert list(changes.removed_session_ids) == ["A"]


async def test_a_watch_of_one_session_is_told_of_no_other() -> None:
    watcher = Watcher("A")
    assert names((await watcher.next()).snapshot.sessions) == ["A"]
    watcher.b.seen = replace(watcher.b.seen, state="ACTIVE")
    watcher.news.tell()
    following = asyncio.ensure_future(watcher.next())
    await asyncio.sleep(0)
    watcher.a.seen = replace(watcher.a.seen, state="HALTED")
    watcher.news.tell()

    assert names((await following).changes.sessions) == ["A"]


async def test_a_heartbeat_comes_when_nothing_has_changed() -> None:
    watcher = Watcher(heartbeat=AT_ONCE)
    await watcher.next()

    assert (await watcher.next()).heartbeat.server_time.ToDatetime(UTC) == NOW
    assert (await watcher.next()).WhichOneof("payload") == "heartbeat"


async def test_numbers_that_moved_without_news_are_told_instead_of_a_heartbeat() -> None:
    watcher = Watcher(heartbeat=AT_ONCE)
    await watcher.next()
    watcher.a.seen = replace(watcher.a.seen, next_out=41)

    assert names((await watcher.next()).changes.sessions) == ["A"]
    assert (await watcher.next()).WhichOneof("payload") == "heartbeat"


async def test_the_end_of_the_server_is_told() -> None:
    watcher = Watcher()
    await watcher.next()
    watcher.news.close()

    message = await watcher.next()

    assert message.ending.reason == STREAM_ENDING_REASON_DRAINING
    assert message.ending.retry_after.seconds == 1
    with pytest.raises(Draining):
        await anext(watcher.messages)


# Over a connection.


async def test_a_session_that_goes_down_is_seen_from_afar(router: Router) -> None:
    call = router.sessions.WatchSessions(pb.WatchSessionsRequest(session_ids=["BROKER"]))
    first = await call.read()
    assert isinstance(first, pb.WatchSessionsResponse)
    (session,) = first.snapshot.sessions
    assert session.state == pb.SESSION_STATE_ACTIVE

    router.broker.hang_up()

    while session.state == pb.SESSION_STATE_ACTIVE:
        message = await call.read()
        assert isinstance(message, pb.WatchSessionsResponse)
        session = message.changes.sessions[0]
    assert session.state == pb.SESSION_STATE_BACKOFF
    call.cancel()


async def test_a_watch_of_an_unknown_session_is_refused(router: Router) -> None:
    call = router.sessions.WatchSessions(pb.WatchSessionsRequest(session_ids=["BROKER", "NOBODY"]))

    wrong = await refused(call.read())

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")


@pytest.mark.parametrize("seconds", [0, 61])
async def test_heartbeats_are_between_a_second_and_a_minute_apart(router: Router, seconds: int) -> None:
    request = pb.WatchSessionsRequest(heartbeat_interval=Duration(seconds=seconds))

    wrong = await refused(router.sessions.WatchSessions(request).read())

    assert (wrong.code, wrong.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["heartbeat_interval"])


async def test_a_server_that_shuts_down_ends_its_watches(router: Router) -> None:
    call = router.sessions.WatchSessions(pb.WatchSessionsRequest())
    await call.read()

    router.app._session_news.close()

    ending = await call.read()
    assert isinstance(ending, pb.WatchSessionsResponse)
    assert ending.ending.reason == STREAM_ENDING_REASON_DRAINING
    assert (await refused(call.read())).reason == "SERVER_DRAINING"
