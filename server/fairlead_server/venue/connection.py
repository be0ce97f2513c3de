"""One TCP or TLS connection of a venue session: hands bytes on, keeps time, and bounds what waits on either side.

A peer that does not read makes what we write pile up: after a while no more orders are given to it, later it is cut off.
A peer that sends faster than can be made durable is not read until what it has sent is.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass

from fairlead_server.routing.ports import Clock
from fairlead_server.venue.gateway import VenueSession


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds, but for ``write_buffer``, the bytes that a slow peer may leave unread, and ``unsaved``, the messages
    from it that may wait to be made durable.
    """

    first_wait: float = 1.0
    settled: float = 60.0  # of being active, after which the next wait is short again
    connect_timeout: float = 10.0
    write_buffer: int = 1 << 20
    congested: float = 5.0  # of not reading, after which a peer gets no more orders
    stalled: float = 30.0  # after which it is cut off
    unsaved: int = 4_096


USUAL = Timing()


class Connection(asyncio.Protocol):
    def __init__(self, venue: VenueSession, clock: Clock, timing: Timing = USUAL) -> None:
        self._venue = venue
        self._clock = clock
        self._timing = timing
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._congested: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._reason = "the connection was lost"
        self.ended: asyncio.Future[None] = self._loop.create_future()

    # From the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other
        self._transport = transport
        transport.set_write_buffer_limits(high=self._timing.write_buffer)
        if not self._trusted(transport):
            self.abort("the peer's certificate is none of those that are pinned")
            return
        self._venue.connected(self)
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        self._venue.received(data)
        self._set_timer()
        if self._venue.unsaved > self._timing.unsaved and self._transport is not None:
            self._transport.pause_reading()
            self._venue.once_durable(self._read_on)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._congested, self._stalled):
            if timer is not None:
                timer.cancel()
        try:
            self._venue.disconnected(f"{self._reason}: {exc}" if exc else self._reason, self)
        finally:
            self.ended.set_result(None)  # whatever dies there: who waits for the end must not wait for ever

    def pause_writing(self) -> None:
        self._congested = self._loop.call_later(self._timing.congested, self._venue.congest)
        self._set_stalled("the peer does not read")

    def resume_writing(self) -> None:
        if self._congested is not None:
            self._congested.cancel()
        if self._transport is not None and self._transport.is_closing():
            return  # some of the last words have been taken; the others have no more time for that
        if self._stalled is not None:
            self._stalled.cancel()
        self._venue.relieve()

    def _trusted(self, transport: asyncio.Transport) -> bool:
        """Asked before the first byte is sent: our Logon(A) may hold a password."""
        tls = self._venue.settings.tls
        if tls is None or not tls.pins:
            return True
        connection = transport.get_extra_info("ssl_object")
        certificate = connection.getpeercert(binary_form=True) if connection is not None else None
        return certificate is not None and hashlib.sha256(certificate).digest() in tls.pins

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # The wire, for the session.

    @property
    def unsent(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            self._set_timer()

    def wake(self) -> None:
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
        if self._stalled is not None:
            self._stalled.cancel()
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
