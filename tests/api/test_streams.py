"""SubscribeExecutions over a connection: where it begins, what it says, where it ends, and that nothing is missed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grpc
import pytest
from fairlead.v1.common_pb2 import ACK_LEVEL_VENUE, Order
from fairlead.v1.execution_service_pb2 import (
    EXECUTION_KIND_FILLED,
    EXECUTION_KIND_RISK_REJECTED,
    EXECUTION_KIND_VENUE_ACCEPTED,
    START_POSITION_EARLIEST,
    START_POSITION_LIVE_ONLY,
    STREAM_ENDING_REASON_DRAINING,
    ExecutionEvent,
    ExecutionFilter,
)
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from tests.api import broker as venue
from tests.api.refusals import Refused, refused
from tests.api.router import Router, events_of, kinds_of, new_order, running

SECOND = Duration(seconds=1)


@pytest.fixture
async def past(router: Router) -> list[ExecutionEvent]:
    """What had happened before anybody subscribed: of ten orders every other one is filled, one is refused."""
    for n in range(10):
        router.broker.answers["D"] = venue.accept_and_fill if n % 2 else venue.accept
        await router.working(account_id=f"ACC{n % 2 + 1}", strategy_id=f"s{n % 3}")
    await router.orders.SubmitOrder(new_order(account_id="SMALL"))
    router.broker.answers["D"] = venue.accept
    await router.working()  # once this is through, so is the last fill
    return await router.log()


def latest(events: Iterable[ExecutionEvent]) -> dict[str, Order]:
    """Each order as its last event has it, oldest order first."""
    return {event.order.order_id: event.order for event in events}


def sequences(events: list[ExecutionEvent]) -> list[int]:
    return [event.sequence for event in events]


# Beginnings.


async def test_a_stream_says_first_what_it_is(router: Router, past: list[ExecutionEvent]) -> None:
    criteria = ExecutionFilter(account_ids=["ACC1"])
    stream = router.subscribe(filter=criteria, position=START_POSITION_LIVE_ONLY)

    message = await stream.next()

    head = message.established
    assert head.head_sequence == past[-1].sequence
    assert head.server_id == "router-under-test"
    assert head.filter == criteria
    assert head.heartbeat_interval.seconds == 5
    assert head.stream_id
    assert head.epoch
    metadata = dict(await stream.call.initial_metadata())
    assert metadata["x-server-id"] == "router-under-test"
    assert metadata["x-request-id"]


async def test_a_snapshot_holds_the_live_orders_and_then_only_what_comes(
    router: Router, past: list[ExecutionEvent]
) -> None:
    stream = router.subscribe()
    established, snapshot, caught_up = [await stream.next() for _ in range(3)]
    one = snapshot.snapshot.orders[0].venue.cl_ord_id
    router.broker.say(venue.fill(router.broker, router.broker.orders[one]))

    (event,) = await stream.events(1)

    live = [order for order in latest(past).values() if order.leaves_quantity != "0"]
    assert list(snapshot.snapshot.orders) == live
    assert snapshot.snapshot.last_page
    assert snapshot.snapshot.as_of_sequence == past[-1].sequence
    assert established.cursor == ""
    assert snapshot.cursor
    assert caught_up.caught_up.sequence == past[-1].sequence
    assert event.sequence == past[-1].sequence + 1


async def test_a_snapshot_of_nothing_is_one_empty_page(router: Router) -> None:
    messages = await router.subscribe(until_caught_up=True).rest()

    assert kinds_of(messages) == ["established", "snapshot", "caught_up"]
    assert messages[1].snapshot.last_page
    assert not messages[1].snapshot.orders


async def test_a_snapshot_keeps_to_the_filter(router: Router, past: list[ExecutionEvent]) -> None:
    criteria = ExecutionFilter(account_ids=["ACC1"], strategy_ids=["s0"])

    messages = await router.subscribe(filter=criteria, until_caught_up=True).rest()

    orders = messages[1].snapshot.orders
    assert len(orders) == 2
    assert {(order.account_id, order.strategy_id) for order in orders} == {("ACC1", "s0")}


async def test_a_large_snapshot_comes_in_pages_and_only_the_last_can_be_resumed(router: Router) -> None:
    router.broker.answers["D"] = venue.ignore
    await asyncio.gather(*(router.orders.SubmitOrder(new_order()) for _ in range(1030)))

    messages = await router.subscribe(until_caught_up=True).rest()

    pages = [message.snapshot for message in messages if message.WhichOneof("payload") == "snapshot"]
    assert [len(page.orders) for page in pages] == [512, 512, 6]
    assert [page.last_page for page in pages] == [False, False, True]
    assert [bool(message.cursor) for message in messages] == [False, False, False, True, True]
    assert len({order.order_id for page in pages for order in page.orders}) == 1030


async def test_the_earliest_start_replays_the_whole_log(router: Router, past: list[ExecutionEvent]) -> None:
    stream = router.subscribe(position=START_POSITION_EARLIEST)

    messages = await stream.until("caught_up")
    await router.working()
    live = (await stream.next()).events

    replayed = [message.events for message in messages if message.WhichOneof("payload") == "events"]
    assert sequences(events_of(messages)) == list(range(1, past[-1].sequence + 1))
    assert all(batch.replay for batch in replayed)
    assert not live.replay
    assert live.events[0].sequence == past[-1].sequence + 1


async def test_a_live_stream_leaves_out_the_past(router: Router, past: list[ExecutionEvent]) -> None:
    stream = router.subscribe(position=START_POSITION_LIVE_ONLY)
    messages = await stream.until("caught_up")
    await router.working()

    assert kinds_of(messages) == ["established", "caught_up"]
    assert (await stream.events(1))[0].sequence == past[-1].sequence + 1


async def test_a_stream_begins_after_a_moment(router: Router, past: list[ExecutionEvent]) -> None:
    moment = past[7].commit_time
    stream = router.subscribe(after_time=moment, until_caught_up=True)

    found = events_of(await stream.rest())

    wanted = [
        e for e in past if (e.commit_time.seconds, e.commit_time.nanos) >= (moment.seconds, moment.nanos)
    ]
    assert found == wanted


# Resuming.


@pytest.mark.parametrize(
    "criteria", [ExecutionFilter(), ExecutionFilter(account_ids=["ACC2"])], ids=["all", "one"]
)
async def test_cut_off_after_any_message_and_resumed_every_event_comes_once(
    router: Router, past: list[ExecutionEvent], criteria: ExecutionFilter
) -> None:
    """A client that keeps the cursor with what it has applied sees each event once, wherever it is cut off."""
    whole = router.subscribe(
        filter=criteria, position=START_POSITION_EARLIEST, max_batch_size=3, until_caught_up=True
    )
    messages = await whole.rest()
    everything = events_of(messages)

    for cut in range(1, len(messages) + 1):
        seen = messages[:cut]
        rest = router.subscribe(filter=criteria, after_cursor=seen[-1].cursor, until_caught_up=True)
        assert events_of(seen) + events_of(await rest.rest()) == everything

    assert len(everything) > 10


async def test_cut_off_again_and_again_while_orders_trade_every_event_comes_once(router: Router) -> None:
    router.broker.answers["D"] = venue.accept_and_fill
    trading = asyncio.gather(*(router.orders.SubmitOrder(new_order()) for _ in range(150)))
    seen: list[ExecutionEvent] = []
    cursor, cut = "", 0
    while len(seen) < 600:
        start: dict[str, Any] = {"after_cursor": cursor} if cursor else {"position": START_POSITION_EARLIEST}
        stream = router.subscribe(max_batch_size=1 + cut % 7, **start)
        for _ in range(1 + cut % 5):
            message = await stream.next()
            seen += message.events.events
            cursor = message.cursor
        stream.call.cancel()
        cut += 1
    await trading

    assert sequences(seen) == list(range(1, 601))
    assert seen == await router.log()
    assert router.broker.count("D") == 150


async def test_a_snapshot_and_what_follows_it_is_the_state_of_every_order(router: Router) -> None:
    """Subscribed in the middle of trading: what the snapshot lacks, the events bring, and nothing comes twice."""
    router.broker.answers["D"] = venue.accept
    trading = asyncio.gather(*(router.orders.SubmitOrder(new_order()) for _ in range(100)))
    await router.broker.until("D", 30)
    stream = router.subscribe()
    messages = await stream.until("snapshot")
    snapshot = messages[-1].snapshot
    following = await stream.events(300 - snapshot.as_of_sequence)
    await trading

    assert sequences(following) == list(range(snapshot.as_of_sequence + 1, 301))
    known = {order.order_id: order for order in snapshot.orders}
    known |= latest(following)
    assert known == latest(await router.log())


async def test_a_cursor_of_a_submit_fits_any_filter(router: Router, past: list[ExecutionEvent]) -> None:
    answer = await router.orders.SubmitOrder(new_order(ack_level=ACK_LEVEL_VENUE))

    criteria = ExecutionFilter(kinds=[EXECUTION_KIND_FILLED])
    stream = router.subscribe(filter=criteria, after_cursor=answer.cursor)
    await stream.until("caught_up")
    resting = router.broker.orders[answer.order.venue.cl_ord_id]
    router.broker.say(venue.fill(router.broker, resting))

    (event,) = await stream.events(1)
    assert event.order.order_id == answer.order.order_id


# Cursors that do not fit.


async def test_a_cursor_of_another_filter_is_refused(router: Router, past: list[ExecutionEvent]) -> None:
    message = await router.subscribe(
        filter=ExecutionFilter(account_ids=["ACC1"]), position=START_POSITION_EARLIEST
    ).next()

    wrong = await cursor_refused(router, after_cursor=message.cursor)

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_FILTER_MISMATCH")
    assert wrong.facts == {"field": "after_cursor"}


async def test_a_filter_is_the_same_in_whatever_order_it_is_written(
    router: Router, past: list[ExecutionEvent]
) -> None:
    message = (
        await router.subscribe(filter=ExecutionFilter(account_ids=["ACC1", "ACC2"])).until("snapshot")
    )[-1]

    turned = router.subscribe(
        filter=ExecutionFilter(account_ids=["ACC2", "ACC1"]),
        after_cursor=message.cursor,
        until_caught_up=True,
    )

    assert kinds_of(await turned.rest()) == ["established", "caught_up"]


@pytest.mark.parametrize("cursor", ["A", "AAAA", "=", "A" * 1024], ids=["one", "short", "empty", "long"])
async def test_a_cursor_that_nobody_gave_out_is_refused(router: Router, cursor: str) -> None:
    wrong = await cursor_refused(router, after_cursor=cursor)

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_INVALID")


async def test_a_cursor_in_which_one_letter_was_changed_is_refused(
    router: Router, past: list[ExecutionEvent]
) -> None:
    good = (await router.subscribe(position=START_POSITION_EARLIEST).next()).cursor

    for n, letter in enumerate(good[:-1]):
        forged = good[:n] + ("A" if letter != "A" else "B") + good[n + 1 :]
        assert (await cursor_refused(router, after_cursor=forged)).reason == "CURSOR_INVALID"


async def test_a_cursor_beyond_the_head_is_of_a_log_that_is_lost(tmp_path: Path) -> None:
    backup, store = tmp_path / "backup.db", tmp_path / "store.db"
    async with running(f"sqlite:///{store}") as router:
        pass
    numbers = router.broker.session.numbers
    shutil.copy(store, backup)
    async with running(f"sqlite:///{store}", numbers) as router:
        answer = await router.orders.SubmitOrder(new_order())

    async with running(f"sqlite:///{backup}", numbers) as restored:
        wrong = await cursor_refused(restored, after_cursor=answer.cursor)

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CURSOR_EPOCH_MISMATCH")
    assert wrong.facts["epoch"] == wrong.facts["cursor_epoch"]


async def cursor_refused(router: Router, **start: Any) -> Refused:
    return await refused(router.subscribe(**start).call.read())


# Ends.


async def test_a_bounded_replay_ends_well(router: Router, past: list[ExecutionEvent]) -> None:
    everything = await router.subscribe(
        position=START_POSITION_EARLIEST, max_batch_size=1, until_caught_up=True
    ).rest()
    until = everything[9]

    stream = router.subscribe(position=START_POSITION_EARLIEST, until_cursor=until.cursor)
    found = events_of(await stream.rest())

    assert found == past[:9]
    assert await stream.call.code() == grpc.StatusCode.OK


async def test_a_replay_to_a_place_behind_its_start_is_empty(
    router: Router, past: list[ExecutionEvent]
) -> None:
    first = await router.subscribe(position=START_POSITION_EARLIEST).next()

    stream = router.subscribe(position=START_POSITION_LIVE_ONLY, until_cursor=first.cursor)

    assert events_of(await stream.rest()) == []


async def test_a_server_that_goes_down_says_where_to_resume(
    router: Router, past: list[ExecutionEvent]
) -> None:
    streams = [router.subscribe(position=START_POSITION_EARLIEST) for _ in range(3)]
    for stream in streams:
        await stream.until("caught_up")

    stopping = asyncio.create_task(router.app.stop())

    for stream in streams:
        ending = await stream.next()
        assert ending.ending.reason == STREAM_ENDING_REASON_DRAINING
        assert ending.ending.resume_cursor == ending.cursor
        assert ending.ending.retry_after.seconds == 1
        gone = await refused(stream.call.read())
        assert (gone.code, gone.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
        assert gone.detail(error_details_pb2.RetryInfo).retry_delay.seconds == 1
    await stopping


async def test_a_stream_that_is_left_leaves_nothing_behind(router: Router) -> None:
    before = asyncio.all_tasks()
    stream = router.subscribe()
    await stream.until("caught_up")
    serving = asyncio.all_tasks() - before

    stream.call.cancel()
    await router.working()  # which also ends the task that waited for a next call

    done, pending = await asyncio.wait(serving)
    assert done
    assert not pending


# What passes, and how it is packed.


@pytest.mark.parametrize(
    ("criteria", "passes"),
    [
        (ExecutionFilter(account_ids=["ACC2", "SMALL"]), lambda e: e.order.account_id in ("ACC2", "SMALL")),
        (ExecutionFilter(kinds=[EXECUTION_KIND_FILLED]), lambda e: e.kind == EXECUTION_KIND_FILLED),
        (
            ExecutionFilter(
                strategy_ids=["s1"], kinds=[EXECUTION_KIND_FILLED, EXECUTION_KIND_VENUE_ACCEPTED]
            ),
            lambda e: (
                e.order.strategy_id == "s1"
                and e.kind in (EXECUTION_KIND_FILLED, EXECUTION_KIND_VENUE_ACCEPTED)
            ),
        ),
        (ExecutionFilter(session_ids=["BROKER"]), lambda e: e.order.venue.session_id == "BROKER"),
        (ExecutionFilter(instrument_ids=["FAR"]), lambda e: False),
        (ExecutionFilter(kinds=[EXECUTION_KIND_RISK_REJECTED]), lambda e: e.order.account_id == "SMALL"),
    ],
    ids=["accounts", "fills", "fills of one strategy", "session", "nothing", "refusals"],
)
async def test_a_filter_lets_through_what_it_says(
    router: Router, past: list[ExecutionEvent], criteria: ExecutionFilter, passes: Any
) -> None:
    stream = router.subscribe(filter=criteria, position=START_POSITION_EARLIEST, until_caught_up=True)

    assert events_of(await stream.rest()) == [event for event in past if passes(event)]


@pytest.mark.parametrize("size", [1, 2, 5, 512])
async def test_a_message_holds_no_more_events_than_asked_for(
    router: Router, past: list[ExecutionEvent], size: int
) -> None:
    stream = router.subscribe(position=START_POSITION_EARLIEST, max_batch_size=size, until_caught_up=True)

    messages = await stream.rest()

    sizes = [len(m.events.events) for m in messages if m.WhichOneof("payload") == "events"]
    assert sum(sizes) == len(past)
    assert all(found == size for found in sizes[:-1])
    assert sizes[-1] <= size


async def test_an_event_may_wait_for_others(router: Router) -> None:
    stream = router.subscribe(position=START_POSITION_LIVE_ONLY, max_batch_delay=Duration(nanos=500_000_000))
    await stream.until("caught_up")

    await router.working()

    assert len((await stream.next()).events.events) == 3


async def test_an_idle_stream_beats(router: Router) -> None:
    stream = router.subscribe(heartbeat_interval=SECOND)
    await stream.until("caught_up")

    message = await stream.next()

    beat = message.heartbeat
    assert message.cursor
    assert beat.HasField("server_time")
    assert (beat.head_sequence, beat.delivered_sequence) == (0, 0)
    assert beat.lag.ToMilliseconds() == 0


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("heartbeat_interval", Duration(nanos=999_999_999)),
        ("heartbeat_interval", Duration(seconds=60, nanos=1)),
        ("max_batch_delay", Duration(seconds=1, nanos=1)),
        ("max_batch_size", 0),
        ("max_batch_size", 513),
    ],
    ids=str,
)
async def test_what_a_stream_cannot_do_is_invalid(router: Router, field: str, wrong: Any) -> None:
    invalid = await refused(router.subscribe(**{field: wrong}).call.read())

    assert (invalid.reason, invalid.fields) == ("REQUEST_INVALID", [field])
