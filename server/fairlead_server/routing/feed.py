"""The execution feed: committed events, for any number of subscribers, each at its own pace.

The log in the store is the truth; a ring of the newest events in memory spares most subscribers from reading it. A
subscriber pulls from its own position, so a slow one costs nothing, blocks nobody and never gets a hole: when the ring
has moved on it reads the log.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from fairlead_server.store.batch import EventRow

RING = 8192  # events; about 4 MiB of memory


class Feed:
    def __init__(self, ring: int = RING) -> None:
        self._ring: deque[EventRow] = deque(maxlen=ring)
        self._news = asyncio.Event()
        self.head = 0
        self.floor = 0  # what the log has up to here is not promised to be there any more, ...
        self.since: datetime | None = None  # ... nor what was before
        self.closed = False

    def load(self, head: int, floor: int = 0, since: datetime | None = None) -> None:
        """Begin at the head of the log, which may have gone beyond what was published: whoever waits has to look."""
        self._ring.clear()
        self.head, self.floor, self.since = head, floor, since
        self._wake()

    def publish(self, events: Sequence[EventRow]) -> None:
        """Committed events, in order, following on what was published before."""
        if not events:
            return
        self._ring.extend(events)
        self.head = events[-1].sequence
        self._wake()

    def raise_floor(self, floor: int, since: datetime) -> None:
        """Before anything up to there is deleted: whoever has read the log looks at it then."""
        self.floor, self.since = floor, since

    def close(self) -> None:
        """No more will come: whoever waits is woken to say goodbye."""
        self.closed = True
        self._wake()

    def recent(self, after: int, limit: int) -> Sequence[EventRow] | None:
        """Up to ``limit`` events beyond ``after``, or None where they are older than the ring: read the log."""
        if after >= self.head:
            return ()
        if not self._ring or self._ring[0].sequence > after + 1:
            return None
        newer = list(
            islice(reversed(self._ring), self.head - after)
        )  # from the end: most subscribers are near it
        return newer[: -limit - 1 : -1]

    async def beyond(self, sequence: int, timeout: float) -> bool:
        """Wait until the log goes beyond ``sequence``; False after ``timeout`` seconds or when the feed closes."""
        try:
            async with asyncio.timeout(timeout):
                while self.head <= sequence and not self.closed:
                    await self._news.wait()
        except TimeoutError:
            return False
        return self.head > sequence

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
