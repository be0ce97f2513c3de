"""One subscriber's stream: what it is sent, in which order, and where it resumes.

First ``established``; a snapshot if it was asked for; then events from the subscriber's own position, out of the feed's
ring while it keeps up and out of the store's log when it does not; ``caught_up`` once, when the head of the log at the
time of subscribing is reached; a heartbeat whenever nothing else was said for an interval, be it that nothing happens or
that nothing passes the filter.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fairlead.v1 import common_pb2
from fairlead.v1 import execution_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from msgspec.structs import replace

from fairlead_server.api import framing, images
from fairlead_server.api.expiry import expired
from fairlead_server.api.times import timestamp
from fairlead_server.api.tokens import Tokens
from fairlead_server.domain.errors import Draining
from fairlead_server.domain.order import Order
from fairlead_server.routing.feed import Feed
from fairlead_server.routing.ports import Clock
from fairlead_server.store.batch import EventRow
from fairlead_server.store.events import EventQuery
from fairlead_server.store.orders import OrderQuery

_SNAPSHOT_PAGE = 512  # orders: well below the 4 MiB that a client takes in one message
_SCAN = 2000  # sequence numbers that one reading of the log goes through


class LogReader(Protocol):
    """The committed log, and the orders at one instant of it."""

    def head(self) -> int: ...

    def events_after(self, sequence: int, limit: int, query: EventQuery | None = None) -> list[EventRow]: ...

    def live_orders(self, query: OrderQuery) -> tuple[int, list[Order]]: ...

    def sequence_at(self, time: datetime) -> int: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a subscriber asked for, defaults filled in. ``after`` is None where it begins with a snapshot."""

    criteria: pb.ExecutionFilter
    filter_id: int
    query: EventQuery
    after: int | None
    until: int | None
    until_caught_up: bool
    heartbeat: float  # seconds
    batch_size: int
    batch_delay: float  # seconds


class Subscription:
    def __init__(
        self,
        wanted: Wanted,
        stream_id: str,
        server_id: str,
        feed: Feed,
        reader: LogReader,
        tokens: Tokens,
        clock: Clock,
        payloads: framing.Payloads,
    ) -> None:
        self._wanted = wanted
        self._everything = not _filters(wanted.query)
        self._stream_id = stream_id
        self._server_id = server_id
        self._feed = feed
        self._reader = reader
        self._tokens = tokens
        self._clock = clock
        self._payloads = payloads
        self._stream_sequence = 0
        self._position = 0  # all up to here has been delivered or filtered out
        self._heartbeat_at = 0.0  # by the event loop's clock

    @property
    def cursor(self) -> str:
        """Where to resume after what has been sent."""
        return self._tokens.cursor(self._position, self._wanted.filter_id)

    @property
    def lag(self) -> int:
        """Events of the log that have not been looked at."""
        return max(self._feed.head - self._position, 0)

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Serialised responses until the asked-for end; raises Draining when the server goes down."""
        head = self._feed.head
        self._position = head if self._wanted.after is None else self._wanted.after
        yield self._established(head)
        if self._wanted.after is None:
            async for page in self._snapshot():
                yield page
        async for message in self._follow(head):
            yield message

    def _established(self, head: int) -> bytes:
        response = self._envelope("" if self._wanted.after is None else self.cursor)
        response.established.CopyFrom(
            pb.Established(
                stream_id=self._stream_id,
                server_id=self._server_id,
                epoch=self._tokens.epoch,
                head_cursor=self._tokens.cursor(head, self._wanted.filter_id),
                head_sequence=head,
                filter=self._wanted.criteria,
                heartbeat_interval=_duration(self._wanted.heartbeat),
            )
        )
        return response.SerializeToString()

    async def _snapshot(self) -> AsyncIterator[bytes]:
        """The live orders at one instant; a snapshot that is cut off cannot be resumed, so only its end has a cursor."""
        query = self._wanted.query
        wanted = OrderQuery(query.account_ids, query.instrument_ids, query.strategy_ids, query.session_ids)
        as_of, orders = await asyncio.to_thread(self._reader.live_orders, wanted)
        self._position = as_of
        for start in range(0, max(len(orders), 1), _SNAPSHOT_PAGE):
            last = start + _SNAPSHOT_PAGE >= len(orders)
            page = await asyncio.to_thread(_orders, orders[start : start + _SNAPSHOT_PAGE])
            response = self._envelope(self.cursor if last else "")
            response.snapshot.CopyFrom(pb.OrderSnapshot(orders=page, as_of_sequence=as_of, last_page=last))
            yield response.SerializeToString()

    async def _follow(self, head: int) -> AsyncIterator[bytes]:
        caught_up = False
        while True:
            if not caught_up and self._position >= head:
                caught_up = True
                yield self._caught_up()
                if self._wanted.until_caught_up:
                    return
            if self._wanted.until is not None and self._position >= self._wanted.until:
                return
            before = self._position
            rows = await self._next()
            if rows:
                yield self._events(rows, replay=rows[-1].sequence <= head)
            elif self._feed.closed:
                yield self._ending()
                raise Draining
            elif (patience := self._heartbeat_at - asyncio.get_running_loop().time()) <= 0:
                yield await self._heartbeat()
            elif self._position == before:
                await self._more(patience)

    async def _more(self, patience: float) -> None:
        """Wait until there is more to look at, but not longer than ``patience`` seconds."""
        if await self._feed.beyond(self._position, patience) and self._wanted.batch_delay:
            await asyncio.sleep(self._wanted.batch_delay)

    async def _next(self) -> Sequence[EventRow]:
        """The next events that pass the filter; the position moves over those that do not."""
        found = self._feed.recent(self._position, self._wanted.batch_size)
        if found is None:
            return await self._next_from_log()
        end = found[-1].sequence if found else self._position
        rows = found if self._everything else [row for row in found if self._passes(row)]
        return self._bounded(rows, end)

    async def _next_from_log(self) -> Sequence[EventRow]:
        end = min(self._position + _SCAN, self._feed.head)
        query = replace(self._wanted.query, until_sequence=end)
        size = self._wanted.batch_size
        rows = await asyncio.to_thread(self._reader.events_after, self._position, size, query)
        if self._position < self._feed.floor:  # some may have been missing: it was too slow by days
            floor, digest = self._feed.floor, self._wanted.filter_id
            raise await expired(self._reader, self._tokens, floor, "after_cursor", digest)
        return self._bounded(rows, rows[-1].sequence if len(rows) == size else end)

    def _bounded(self, rows: Sequence[EventRow], end: int) -> Sequence[EventRow]:
        until = self._wanted.until
        if until is not None and end > until:
            rows, end = [row for row in rows if row.sequence <= until], until
        fitting = framing.that_fit(rows)
        if len(fitting) < len(rows):
            end = fitting[-1].sequence
        self._position = max(end, self._position)
        return fitting

    def _passes(self, row: EventRow) -> bool:
        query = self._wanted.query
        return (
            (not query.account_ids or row.account_id in query.account_ids)
            and (not query.instrument_ids or row.instrument_id in query.instrument_ids)
            and (not query.strategy_ids or row.strategy_id in query.strategy_ids)
            and (not query.session_ids or row.session_id in query.session_ids)
            and (not query.kinds or row.kind in query.kinds)
        )

    def _events(self, rows: Sequence[EventRow], *, replay: bool) -> bytes:
        return self._envelope(self.cursor).SerializeToString() + self._payloads.of(rows, replay=replay)

    def _caught_up(self) -> bytes:
        response = self._envelope(self.cursor)
        response.caught_up.sequence = self._position
        return response.SerializeToString()

    async def _heartbeat(self) -> bytes:
        lag = await self._age_of_next()
        response = self._envelope(self.cursor)
        response.heartbeat.CopyFrom(
            pb.Heartbeat(
                server_time=timestamp(self._clock()),
                head_sequence=self._feed.head,
                delivered_sequence=self._position,
                lag=_duration(lag),
            )
        )
        return response.SerializeToString()

    async def _age_of_next(self) -> float:
        """Seconds since the oldest event that has not been looked at; 0 at the head."""
        if self._position >= self._feed.head:
            return 0.0
        (row,) = await asyncio.to_thread(self._reader.events_after, self._position, 1)
        return max((self._clock() - row.time).total_seconds(), 0.0)

    def _ending(self) -> bytes:
        response = self._envelope(self.cursor)
        response.ending.CopyFrom(
            pb.StreamEnding(
                reason=pb.STREAM_ENDING_REASON_DRAINING, resume_cursor=self.cursor, retry_after=_duration(1.0)
            )
        )
        return response.SerializeToString()

    def _envelope(self, cursor: str) -> pb.SubscribeExecutionsResponse:
        self._stream_sequence += 1
        self._heartbeat_at = asyncio.get_running_loop().time() + self._wanted.heartbeat
        return pb.SubscribeExecutionsResponse(
            stream_sequence=self._stream_sequence, cursor=cursor, send_time=timestamp(self._clock())
        )


def _orders(orders: Sequence[Order]) -> list[common_pb2.Order]:
    return [images.order(order) for order in orders]


def _filters(query: EventQuery) -> bool:
    return bool(
        query.account_ids or query.instrument_ids or query.strategy_ids or query.session_ids or query.kinds
    )


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMicroseconds(round(seconds * 1e6))
    return duration
