"""Moves what is older than it has to be kept from the store into the archive, beside the work and behind it.

First the floor is raised, durably: from then on nobody is promised what lies below. Then piece by piece: what was read is
written to the archive, forced to the disk, and deleted by the next transaction of the pipeline, which also says how far
the archive's files count. So a death at any instant leaves each row in one of the two and in one only. The pieces are
small and far apart: the writer and the event loop notice little of them.

Never moved: events of orders that are open, messages since the oldest of those of which the venue has not said enough, and
the last event and message of all, by which the numbers go on. An order's events follow when it has ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from operator import itemgetter
from time import monotonic
from typing import Protocol, TypeVar

from fairlead_server.domain.errors import StoreUnavailable
from fairlead_server.domain.order import Flag
from fairlead_server.routing.book import Book
from fairlead_server.routing.feed import Feed
from fairlead_server.routing.pipeline import Act, Pipeline
from fairlead_server.routing.ports import Clock
from fairlead_server.store.archive import (
    EVENTS_FLOOR,
    EVENTS_SINCE,
    MESSAGES_FLOOR,
    Folder,
    day_file,
    message_line,
    size_counter,
)
from fairlead_server.store.batch import Batch, EventRow
from fairlead_server.store.columns import micros
from fairlead_server.store.database import StoredMessage, StoreError

T = TypeVar("T")

_log = logging.getLogger(__name__)

PIECE = 100  # rows
_EVERY = 3600.0  # seconds
_REST = 4.0  # for so many times as long as a piece took there is none
_SHORTEST_REST = 0.05  # seconds
_FILE = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Ages:
    """How old something has to be to be moved; None: it never is."""

    events: timedelta | None = None
    messages: timedelta | None = None


class OldRows(Protocol):
    """What the store has that is old."""

    def sequence_at(self, time: datetime) -> int: ...

    def old_events(self, after: int, until: int, limit: int) -> list[EventRow]: ...

    def old_messages(self, before: datetime, limit: int) -> list[StoredMessage]: ...

    def counters(self, names: Iterable[str]) -> dict[str, int]: ...


class Retention:
    """``event_line`` is an event as the archive shows it, given its stored bytes."""

    def __init__(
        self,
        ages: Ages,
        folder: Folder,
        store: OldRows,
        book: Book,
        pipeline: Pipeline,
        feed: Feed,
        clock: Clock,
        event_line: Callable[[bytes], str],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ages = ages
        self._folder = folder
        self._store = store
        self._book = book
        self._pipeline = pipeline
        self._feed = feed
        self._clock = clock
        self._event_line = event_line
        self._pause = pause

    async def run(self) -> None:
        """For as long as the router runs. What goes wrong is logged, and tried again the next time."""
        while True:
            try:
                await self.once()
            except (StoreError, StoreUnavailable) as error:
                _log.error("nothing more is archived for now: %s", error)
            except Exception:  # noqa: BLE001 - and logged: nothing is lost by it
                _log.exception("archiving has failed")
            await self._pause(_EVERY)

    async def once(self) -> None:
        """All that is old by now."""
        if self._ages.events is not None:
            await self._events(self._clock() - self._ages.events)
        if self._ages.messages is not None:
            await self._messages(self._clock() - self._ages.messages)

    async def _events(self, before: datetime) -> None:
        until = min(await asyncio.to_thread(self._store.sequence_at, before), self._feed.head - 1)
        if until > self._feed.floor:
            counters = {EVENTS_FLOOR: until, EVENTS_SINCE: micros(before)}
            await self._raise(counters, partial(self._feed.raise_floor, until, before))
        after, moved = 0, 0
        while True:
            began = monotonic()
            rows = await asyncio.to_thread(self._store.old_events, after, self._feed.floor, PIECE)
            if not rows:
                break
            parts = [(day_file("events", row.time), row.body) for row in rows]
            sizes = await asyncio.to_thread(self._write, parts, self._event_line)
            await self._delete(Batch(counters=sizes, gone_events=[row.sequence for row in rows]), began)
            after, moved = rows[-1].sequence, moved + len(rows)
        if moved:
            _log.info("%d events archived; the log begins after %d", moved, self._feed.floor)

    async def _messages(self, before: datetime) -> None:
        before = min([before, *self._needed()])
        moved = 0
        while True:
            began = monotonic()
            rows = await asyncio.to_thread(self._store.old_messages, before, PIECE)
            if not rows:
                break
            if not moved:
                await self._raise({MESSAGES_FLOOR: micros(before)})
            parts = [(day_file("messages", stored.row.time), stored) for stored in rows]
            sizes = await asyncio.to_thread(self._write, parts, message_line)
            gone = [stored.message_id for stored in rows]
            await self._delete(Batch(counters=sizes, gone_messages=gone), began)
            moved += len(rows)
        if moved:
            _log.info("%d messages archived, those from before %s", moved, before)

    def _needed(self) -> Iterator[datetime]:
        """Since when there are messages of which something may still have to be said."""
        for order in self._book.all_live():
            if order.pending or not order.acked or Flag.IN_DOUBT in order.flags:
                yield order.create_time

    async def _raise(self, floors: dict[str, int], then: Act | None = None) -> None:
        with self._pipeline.deciding():
            self._pipeline.batch.counters |= floors
            if then is not None:
                self._pipeline.then(then)
        await self._pipeline.durable()

    def _write(self, parts: Sequence[tuple[str, T]], line: Callable[[T], str]) -> dict[str, int]:
        """To the disk; returns the counters that have it count."""
        by_file = {
            name: [line(part) for _, part in group]
            for name, group in groupby(sorted(parts, key=_FILE), key=_FILE)
        }
        known = self._store.counters(map(size_counter, by_file))
        return {
            size_counter(name): self._folder.append(name, known.get(size_counter(name), 0), lines)
            for name, lines in by_file.items()
        }

    async def _delete(self, piece: Batch, began: float) -> None:
        with self._pipeline.deciding():
            batch = self._pipeline.batch
            batch.counters |= piece.counters
            batch.gone_events += piece.gone_events
            batch.gone_messages += piece.gone_messages
        await self._pipeline.durable()
        await self._pause(max((monotonic() - began) * _REST, _SHORTEST_REST))
