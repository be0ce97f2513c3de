"""One watcher's stream of positions: all of them, then each again whenever it looks different from what was sent last.

What a slow reader has missed is never caught up with step by step: it is sent how the positions stand when it reads on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from fairlead.v1 import position_service_pb2 as pb

from fairlead_server.api import framing
from fairlead_server.api.positions import Positions, fits
from fairlead_server.api.session_watch import DRAINING, GAP
from fairlead_server.api.times import timestamp
from fairlead_server.domain.errors import Draining
from fairlead_server.domain.position import HoldingKey
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.position_news import PositionNews


class PositionWatch:
    cursor = ""  # a watch begins anew, it does not resume

    def __init__(
        self,
        positions: Positions,
        criteria: pb.PositionFilter,
        heartbeat: float,
        news: PositionNews,
        clock: Clock,
    ) -> None:
        self._positions = positions
        self._criteria = criteria
        self._heartbeat = heartbeat
        self._news = news
        self._clock = clock
        self._stream_sequence = 0
        self._heartbeat_at = 0.0  # by the event loop's clock
        self._seen = 0  # news
        self._sent: dict[HoldingKey, bytes] = {}

    @property
    def lag(self) -> int:
        """Positions that have changed since what was sent last."""
        return sum(fits(self._criteria, key) for key in self._news.since(self._seen))

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Serialised responses without an end; raises Draining when the server goes down."""
        self._seen = self._news.count
        for part, more in self._parts(self._positions.wanted(self._criteria)):
            yield self._message(snapshot=pb.PositionSnapshot(positions=part, more=more))
        while not self._news.closed:
            patience = self._heartbeat_at - asyncio.get_running_loop().time()
            told = await self._news.beyond(self._seen, patience)
            changed = sorted(key for key in self._news.since(self._seen) if fits(self._criteria, key))
            self._seen = self._news.count
            sent = False
            for part, _ in self._parts(changed):
                if part:
                    sent = True
                    yield self._message(changes=pb.PositionChanges(positions=part))
            if sent:
                await asyncio.sleep(GAP)
            elif not self._news.closed and (not told or self._is_late()):
                yield self._message(heartbeat=pb.PositionHeartbeat(server_time=timestamp(self._clock())))
        yield self._message(ending=DRAINING)
        raise Draining

    def _is_late(self) -> bool:
        """News that are none for this watcher must not keep it from a sign of life."""
        return asyncio.get_running_loop().time() >= self._heartbeat_at

    def _parts(self, keys: list[HoldingKey]) -> Iterable[tuple[list[pb.Position], bool]]:
        """What is new of them, in pieces that fit into a message, and whether there is another; at least one piece."""
        fresh = self._fresh(keys)
        while True:
            part = framing.fitting(fresh)
            fresh = fresh[len(part) :]
            yield part, bool(fresh)
            if not fresh:
                return

    def _fresh(self, keys: list[HoldingKey]) -> list[pb.Position]:
        now = self._clock()
        found = []
        for key in keys:
            if self._criteria.non_flat_only and key not in self._sent and self._positions.is_flat(key):
                continue
            position = self._positions.shown(key, now)
            image = position.SerializeToString(deterministic=True)
            if self._sent.get(key) != image:
                self._sent[key] = image
                found.append(position)
            if self._criteria.non_flat_only and self._positions.is_flat(key):
                del self._sent[key]
        return found

    def _message(self, **payload: Any) -> bytes:
        self._stream_sequence += 1
        self._heartbeat_at = asyncio.get_running_loop().time() + self._heartbeat
        message = pb.WatchPositionsResponse(
            stream_sequence=self._stream_sequence, send_time=timestamp(self._clock()), **payload
        )
        return message.SerializeToString()
