"""One subscription over a real store and a small ring: slow readers, filters that let nothing through, large events.

Time is short here: an interval between heartbeats is a few milliseconds, and nothing depends on how long it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fairlead.v1.execution_service_pb2 import (
    STREAM_ENDING_REASON_DRAINING,
    ExecutionEvent,
    ExecutionFilter,
    SubscribeExecutionsResponse,
)
from fairlead_server.api import framing, requests
from fairlead_server.api.framing import Payloads
from fairlead_server.api.subscription import Subscription, Wanted
from fairlead_server.api.tokens import TokenError, Tokens, filter_id
from fairlead_server.domain.errors import Draining
from fairlead_server.domain.event import EventKind
from fairlead_server.routing.feed import Feed
from fairlead_server.store.batch import Batch, EventRow
from fairlead_server.store.database import Store

from tests.stores import in_memory

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
RING = 8
TOKENS = Tokens(b"secret", 7)


class Log:
    """A store and its feed: what is written is committed, then published."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.feed = Feed(RING)
        self.payloads = Payloads()

    def write(self, count: int, *, account: str = "ACC1", text: str = "") -> None:
        first = self.feed.head + 1
        rows = [_row(sequence, account, text) for sequence in range(first, first + count)]
        self.store.commit(Batch(events=rows))
        self.feed.publish(rows)

    def subscribe(self, criteria: ExecutionFilter | None = None, **changes: Any) -> Reader:
        wanted = replace(_wanted(criteria or ExecutionFilter()), **changes)
        subscription = Subscription(
            wanted, "stream", "server", self.feed, self.store, TOKENS, lambda: NOW, self.payloads
        )
        return Reader(subscription)


class Reader:
    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.messages: AsyncGenerator[bytes, None] = subscription.messages()

    async def next(self) -> SubscribeExecutionsResponse:
        return SubscribeExecutionsResponse.FromString(await anext(self.messages))

    async def until(self, kind: str) -> list[SubscribeExecutionsResponse]:
        found = [await self.next()]
        while found[-1].WhichOneof("payload") != kind:
            found.append(await self.next())
        return found

    async def rest(self) -> list[SubscribeExecutionsResponse]:
        async with aclosing(self.messages):
            return [SubscribeExecutionsResponse.FromString(data) async for data in self.messages]


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    with in_memory() as store:
        yield Log(store)


def _row(sequence: int, account: str, text: str) -> EventRow:
    event = ExecutionEvent(event_id=f"E{sequence}", sequence=sequence, text=text)
    body = event.SerializeToString()
    return EventRow(
        sequence, f"E{sequence}", EventKind.FILLED, "O1", account, "ACME", "", "BROKER", NOW, body
    )


def _wanted(criteria: ExecutionFilter) -> Wanted:
    query = requests.event_query(criteria)
    return Wanted(
        criteria,
        filter_id(criteria),
        query,
        after=0,
        until=None,
        until_caught_up=False,
        heartbeat=60.0,
        batch_size=3,
        batch_delay=0.0,
    )


def sequences(messages: Iterable[SubscribeExecutionsResponse]) -> list[int]:
    return [event.sequence for message in messages for event in message.events.events]


async def test_a_reader_that_falls_behind_the_ring_reads_on_from_the_log(log: Log) -> None:
    log.write(2)
    reader = log.subscribe()
    found = await reader.until("caught_up")

    log.write(5)
    found.append(await reader.next())
    log.write(3 * RING)  # the ring has forgotten where the reader is
    while len(sequences(found)) < log.feed.head:
        found.append(await reader.next())

    assert sequences(found) == list(range(1, log.feed.head + 1))
    assert [message.stream_sequence for message in found] == list(range(1, len(found) + 1))


async def test_readers_of_every_pace_see_the_same_log(log: Log) -> None:
    """Whatever is written between two readings, each reader sees all of it in order."""
    readers = {pace: log.subscribe() for pace in range(1, 6)}
    found: dict[int, list[SubscribeExecutionsResponse]] = {pace: [] for pace in readers}
    for turn in range(60):
        log.write(1 + turn % 4)
        for pace, reader in readers.items():
            if turn % pace == 0:
                found[pace].append(await reader.next())
    for pace, reader in readers.items():
        while len(sequences(found[pace])) < log.feed.head:
            found[pace].append(await reader.next())

    assert all(sequences(seen) == list(range(1, log.feed.head + 1)) for seen in found.values())


async def test_what_is_queued_shares_a_message_up_to_the_batch_size(log: Log) -> None:
    reader = log.subscribe()
    await reader.until("caught_up")

    log.write(7)

    assert [len((await reader.next()).events.events) for _ in range(3)] == [3, 3, 1]


async def test_a_message_stays_below_what_a_client_takes(log: Log) -> None:
    log.write(6, text="x" * (framing.MOST_BYTES // 2))  # two of them are a little more than fits

    found = await log.subscribe(batch_size=512, until_caught_up=True).rest()

    assert [len(message.events.events) for message in found[1:-1]] == [1] * 6
    assert sequences(found) == [1, 2, 3, 4, 5, 6]


async def test_an_event_that_is_too_large_comes_alone(log: Log) -> None:
    log.write(2, text="x" * (framing.MOST_BYTES + 1))

    found = await log.subscribe(until_caught_up=True).rest()

    assert sequences(found) == [1, 2]


async def test_the_cursor_of_an_idle_filtered_stream_moves_on(log: Log) -> None:
    reader = log.subscribe(ExecutionFilter(account_ids=["ACC2"]), heartbeat=0.01)
    await reader.until("caught_up")
    log.write(5, account="ACC1")

    beats = [(await reader.until("heartbeat"))[-1] for _ in range(2)]

    beat = beats[-1]
    assert (beat.heartbeat.head_sequence, beat.heartbeat.delivered_sequence) == (5, 5)
    digest = filter_id(ExecutionFilter(account_ids=["ACC2"]))
    assert TOKENS.open_cursor("after_cursor", beat.cursor, digest, 5).sequence == 5


async def test_a_filtered_stream_beats_while_others_trade(log: Log) -> None:
    """Or its client would take it for dead: nothing that passes is as silent as nothing that happens."""
    reader = log.subscribe(ExecutionFilter(account_ids=["ACC2"]), heartbeat=0.05)
    await reader.until("caught_up")
    trading = asyncio.create_task(_trade(log))

    beat = await reader.next()

    trading.cancel()
    assert beat.WhichOneof("payload") == "heartbeat"


async def _trade(log: Log) -> None:
    """More often than the reader's heartbeats."""
    while True:
        log.write(1, account="ACC1")
        await asyncio.sleep(0)


async def test_a_long_search_beats_and_says_how_far_behind_it_is(log: Log) -> None:
    log.write(4001, account="ACC1")
    log.write(1, account="ACC2")
    reader = log.subscribe(ExecutionFilter(account_ids=["ACC2"]), heartbeat=0.0)
    await reader.next()

    beat = await reader.next()

    assert beat.WhichOneof("payload") == "heartbeat"
    assert 0 < beat.heartbeat.delivered_sequence < beat.heartbeat.head_sequence
    assert reader.subscription.lag == 4002 - beat.heartbeat.delivered_sequence
    found = await reader.until("events")
    assert sequences(found) == [4002]


async def test_a_stream_that_is_closed_says_so_after_what_was_written_before(log: Log) -> None:
    reader = log.subscribe()
    await reader.until("caught_up")
    log.write(5)
    log.feed.close()

    found = await reader.until("ending")

    assert sequences(found) == [1, 2, 3, 4, 5]
    assert found[-1].ending.reason == STREAM_ENDING_REASON_DRAINING
    assert found[-1].ending.resume_cursor == found[-1].cursor
    with pytest.raises(Draining):
        await reader.next()


async def test_a_stream_ends_at_its_cursor_in_the_middle_of_a_batch(log: Log) -> None:
    log.write(10)

    found = await log.subscribe(until=4).rest()

    assert sequences(found) == [1, 2, 3, 4]


async def test_a_cursor_ahead_of_what_was_published_is_waited_for(log: Log) -> None:
    """A list may have read a commit that the feed hears of a moment later."""
    rows = [_row(sequence, "ACC1", "") for sequence in (1, 2, 3)]
    log.store.commit(Batch(events=rows))
    reader = log.subscribe(after=2)
    await reader.until("caught_up")

    log.feed.publish(rows)

    assert sequences([await reader.next()]) == [3]


async def test_a_reader_that_the_archive_has_overtaken_is_told_so_and_gets_no_hole(log: Log) -> None:
    log.write(2)
    reader = log.subscribe()
    await reader.until("caught_up")
    log.write(3 * RING)
    log.feed.raise_floor(10, NOW)

    with pytest.raises(TokenError) as told:
        await reader.next()

    assert told.value.reason == "CURSOR_EXPIRED"
    earliest = TOKENS.open_cursor(
        "after_cursor", told.value.facts["earliest_cursor"], filter_id(ExecutionFilter()), log.feed.head
    )
    assert earliest.sequence == 10
