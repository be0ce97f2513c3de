"""Which trade sessions have a client, and what becomes of the orders of one that has lost its own.

A session with ``cancel_on_disconnect`` is armed: that is stored when its stream opens, and its orders bear its key. When
the stream ends the grace begins, unless the client has said that its orders stay; if nobody comes back in time, one mass
cancel by SYSTEM takes them all, in the same commit that says that it is over, or in those before it. After a restart, and when
the store has failed, memory begins anew from the store: every armed session without a client gets its whole grace again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol
from uuid import UUID, uuid5

from msgspec.structs import replace

from fairlead_server.domain.amendments import CancelOnDisconnect, Selection
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import Draining, StreamReplaced
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock


class Stream(Protocol):
    def end(self, why: StreamReplaced | Draining) -> None:
        """Take no more commands, answer those that were taken, tell the client why, and go."""


class TradeSessions:
    """Belongs to one event loop."""

    def __init__(self, ledger: Ledger, pipeline: Pipeline, mass_cancels: MassCancels, clock: Clock) -> None:
        self._ledger = ledger
        self._pipeline = pipeline
        self._mass_cancels = mass_cancels
        self._clock = clock
        self._streams: dict[str, Stream] = {}  # by session_key
        self._armed: dict[str, CancelOnDisconnect] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._draining = False

    def load(self, armed: Iterable[CancelOnDisconnect]) -> None:
        """Begin again from what is committed."""
        self._stop_timers()
        self._armed = {session.session_key: session for session in armed}
        for key in self._armed.keys() - self._streams.keys():
            self._count_down(key)

    def open(self, session_key: str, grace: timedelta | None, stream: Stream) -> None:
        """A client has come, or come back, and takes over; ``grace`` is None if its orders are to stay.

        In force once durable. Whoever calls this calls :meth:`closed` in the end.
        """
        if self._draining:
            raise Draining
        with self._pipeline.deciding():
            self._arm(session_key, grace)
        before = self._streams.get(session_key)
        self._streams[session_key] = stream
        self._stop_timer(session_key)
        if before is not None:
            before.end(StreamReplaced(session_key))

    def closed(self, session_key: str, stream: Stream, *, keep_orders: bool) -> None:
        """Its stream has ended; nothing happens if another one has taken over."""
        if self._streams.get(session_key) is not stream:
            return
        del self._streams[session_key]
        if session_key not in self._armed or self._draining:
            return
        if keep_orders and not self._pipeline.broken:
            with self._pipeline.deciding():
                self._disarm(session_key)
        else:
            self._count_down(session_key)

    def drain(self) -> None:
        """The process ends: so do the streams, and who comes back in time after the next start has lost nothing."""
        self._draining = True
        self._stop_timers()
        for stream in self._streams.values():
            stream.end(Draining())

    def _arm(self, session_key: str, grace: timedelta | None) -> None:
        known = self._armed.get(session_key)
        if grace is None:
            if known is not None:
                self._disarm(session_key)
        elif known is None or known.grace != grace:
            armed = CancelOnDisconnect(session_key, grace, armed=True, time=self._clock())
            self._armed[session_key] = armed
            self._ledger.remember_trade_session(armed)

    def _disarm(self, session_key: str) -> None:
        over = replace(self._armed.pop(session_key), armed=False, time=self._clock())
        self._ledger.remember_trade_session(over)

    def _count_down(self, session_key: str) -> None:
        if self._draining:
            return
        seconds = self._armed[session_key].grace.total_seconds()
        loop = asyncio.get_running_loop()
        self._timers[session_key] = loop.call_later(seconds, self._cancel, session_key)

    def _cancel(self, session_key: str) -> None:
        """With a store that takes no writes nothing is done: when it is back, the grace begins anew."""
        del self._timers[session_key]
        if self._pipeline.broken:
            return
        armed, selection = self._armed[session_key], Selection(trade_session=session_key)
        if self._mass_cancels.matching(selection):
            request_id = str(
                uuid5(UUID(session_key), armed.time.isoformat())
            )  # one for each time it is armed
            self._mass_cancels.cancel(request_id, selection, Cause(Initiator.SYSTEM), self._clock())
        with self._pipeline.deciding():
            self._disarm(session_key)

    def _stop_timer(self, session_key: str) -> None:
        timer = self._timers.pop(session_key, None)
        if timer is not None:
            timer.cancel()

    def _stop_timers(self) -> None:
        for session_key in list(self._timers):
            self._stop_timer(session_key)
