"""Keeps one venue session connected: TCP, timers, reconnecting with backoff."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from fairlead_server.routing.ports import Clock
from fairlead_server.venue.gateway import VenueSession

_log = logging.getLogger(__name__)

Chance = Callable[[], float]  # in [0, 1)


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds, but for ``write_buffer``: bytes that a slow peer may leave unread before it counts as stalled."""

    first_wait: float = 1.0
    longest_wait: float = 60.0
    settled: float = 60.0  # of being active, after which the next wait is short again
    connect_timeout: float = 10.0
    write_buffer: int = 1 << 20
    stalled: float = 30.0


_USUAL = Timing()


class Connection(asyncio.Protocol):
    """One TCP connection of a session. Everything it does is hand bytes on and keep time."""

    def __init__(self, venue: VenueSession, clock: Clock, timing: Timing = _USUAL) -> None:
        self._venue = venue
        self._clock = clock
        self._timing = timing
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._reason = "the connection was lost"
        self.ended: asyncio.Future[None] = self._loop.create_future()

    # From the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other
        self._transport = transport
        transport.set_write_buffer_limits(high=self._timing.write_buffer)
        self._venue.connected(self)
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        self._venue.received(data)
        self._set_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._stalled):
            if timer is not None:
                timer.cancel()
        self._venue.disconnected(f"{self._reason}: {exc}" if exc else self._reason)
        self.ended.set_result(None)

    def pause_writing(self) -> None:
        self._set_stalled("the peer does not read")

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()

    # The wire, for the session.

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            self._set_timer()

    def close(self, reason: str) -> None:
        """What is written already still goes out, unless the peer does not take it in time."""
        self._reason = reason
        if self._transport is not None:
            self._transport.close()
            self._set_stalled(reason)

    def abort(self, reason: str) -> None:
        self._reason = reason
        if self._transport is not None:
            self._transport.abort()

    # Time.

    def _set_stalled(self, reason: str) -> None:
        self.resume_writing()
        self._stalled = self._loop.call_later(self._timing.stalled, self.abort, reason)

    def _set_timer(self) -> None:
        """One timer, set anew only when it would come too late: most messages put the deadline off."""
        deadline = self._venue.deadline()
        if deadline is None or self.ended.done():
            return
        due = self._loop.time() + max((deadline - self._clock()).total_seconds(), 0.0)
        if self._timer is not None and not self._timer.cancelled() and self._timer.when() <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._venue.tick()
        self._set_timer()


class Initiator:
    """Connects, and connects again: full-jitter exponential backoff, short again after a minute of being active."""

    def __init__(self, venue: VenueSession, clock: Clock, chance: Chance, timing: Timing = _USUAL) -> None:
        self._venue = venue
        self._clock = clock
        self._chance = chance
        self._timing = timing
        self._connection: Connection | None = None
        self._allowed = asyncio.Event()
        self._allowed.set()
        self._stopping = False

    async def run(self) -> None:
        """Until :meth:`stop`, or until the session is halted: then an operator has to act."""
        wait = self._timing.first_wait
        while not self._stopping:
            await self._allowed.wait()
            if await self._connect_once():
                wait = self._timing.first_wait
            if self._venue.halted or self._stopping:
                return
            delay = wait * self._chance()
            _log.info("%s: %s; next try in %.1f s", self._venue.session_id, self._venue.facts.reason, delay)
            await asyncio.sleep(delay)
            wait = min(wait * 2, self._timing.longest_wait)

    async def stop(self, text: str, timeout: float) -> None:
        """Log out, wait for the answer, close."""
        self._stopping = True
        connection = self._connection
        if connection is None or connection.ended.done():
            return
        self._venue.log_out(text)
        _, pending = await asyncio.wait([connection.ended], timeout=timeout)
        if pending:
            connection.abort("the peer did not log out in time")
            await connection.ended

    def suspend(self, reason: str) -> None:
        """Drop the connection and make no other until :meth:`resume`."""
        self._allowed.clear()
        if self._connection is not None:
            self._connection.abort(reason)

    def resume(self) -> None:
        self._allowed.set()

    async def _connect_once(self) -> bool:
        """One connection from its beginning to its end; whether the session was active for a while."""
        endpoint = self._venue.settings.endpoint
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timing.connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._venue, self._clock, self._timing), endpoint.host, endpoint.port
                )
        except (OSError, TimeoutError) as error:
            cause = str(error) or "timed out"
            self._venue.disconnected(f"cannot connect to {endpoint.host}:{endpoint.port}: {cause}")
            return False
        self._connection = connection
        if self._stopping or not self._allowed.is_set():
            connection.abort("not wanted any more")
        try:
            await asyncio.shield(connection.ended)
        finally:
            connection.abort("shut down")
        connected, active = self._venue.facts.connect_time, self._venue.facts.active_time
        if connected is None or active is None or active < connected:
            return False
        return (self._clock() - active).total_seconds() >= self._timing.settled
