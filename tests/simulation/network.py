"""A network in memory between the router and the venue: bytes arrive late, in pieces, and not at all behind a cut.

Each connection has two ends, which are transports to asyncio. What was written before a process died still arrives,
as an operating system sees to it; what was on its way when a connection is cut may not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from tests.simulation.loop import Loop, Process

_LOGON = b"\x0135=A\x01"
Effect = Callable[[Process, str], None]
"""Told of each effect before and after it is had; may kill the process there."""


class End(asyncio.Transport):
    """One end of a connection. ``peer`` is the other one."""

    def __init__(self, network: Network, process: Process) -> None:
        super().__init__()
        self._network = network
        self._loop = network.loop
        self.process = process
        self.peer: End | None = None
        self.protocol: asyncio.Protocol | None = None
        self._over = self._spoken = False
        self._arrival = 0.0  # of what was written last
        self._paused: list[bytes] | None = None

    # What the process does with it.

    def write(self, data: Any) -> None:
        if self._over:
            return
        if not self._spoken and self.process is self._network.client:
            self._network.begun(bytes(data))
        self._spoken = True
        half = len(data) // 2
        self._network.effect(self.process, "write")
        self._send(bytes(data[:half]))
        self._network.effect(self.process, "write half")
        self._send(bytes(data[half:]))
        self._network.effect(self.process, "written")

    def close(self) -> None:
        """In good order: what was written arrives."""
        if not self._over:
            self._tell_peer(self._later(), None)
            self.lost(None)

    def abort(self) -> None:
        """What was written may be thrown away."""
        if not self._over:
            self._tell_peer(
                self._loop.time() if self._network.chance.random() < 0.5 else self._later(), _RESET
            )
            self.lost(None)

    def is_closing(self) -> bool:
        return self._over

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It takes all that is written."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None:
        self._paused = self._paused or []

    def resume_reading(self) -> None:
        waiting, self._paused = self._paused or [], None
        for data in waiting:
            self._loop.call_soon(self._arrived, data)

    # What the network does with it.

    def lost(self, error: Exception | None) -> None:
        """It is over for this end; its process is told soon."""
        if not self._over:
            self._over = True
            self._network.ends.remove(self)
            assert self.protocol is not None
            self._loop.call_soon(self.protocol.connection_lost, error, context=self.process.context)

    def died(self) -> None:
        """Its process is no more; the system closes for it."""
        self._over = True
        self._tell_peer(self._later(), None)

    def _send(self, data: bytes) -> None:
        chance, peer = self._network.chance, self.peer
        assert peer is not None
        while data:
            size = chance.randint(1, len(data)) if chance.random() < 0.1 else len(data)
            piece, data = data[:size], data[size:]
            self._loop.call_at(self._later(), peer._arrived, piece, context=peer.process.context)

    def _later(self) -> float:
        """Nothing overtakes what was written before."""
        self._arrival = max(self._loop.time() + self._network.delay(), self._arrival)
        return self._arrival

    def _tell_peer(self, when: float, error: Exception | None) -> None:
        assert self.peer is not None
        self._loop.call_at(when, self.peer.lost, error, context=self.peer.process.context)

    def _arrived(self, data: bytes) -> None:
        if self._over:
            return
        if self._paused is not None:
            self._paused.append(data)
            return
        assert self.protocol is not None
        self.protocol.data_received(data)


_RESET = ConnectionResetError("connection reset by peer")


class Network:
    """``accept`` gives the venue's process and the protocol of its end, or nothing where nobody listens."""

    def __init__(self, loop: Loop, chance: Random, slowest: float, effect: Effect) -> None:
        self.loop = loop
        self.chance = chance
        self.effect = effect
        self._slowest = slowest
        self.ends: list[End] = []
        self.accept: Callable[[], tuple[Process, Callable[[], asyncio.Protocol]] | None] = lambda: None
        self.client: Process | None = None
        self.is_open: Callable[[float], bool] = lambda _: True
        self.problems: list[str] = []

    def delay(self) -> float:
        return self.chance.random() * self._slowest

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> tuple[End, asyncio.Protocol]:
        client = self.client
        assert client is not None
        await asyncio.sleep(self.delay())
        found = self.accept()
        if found is None:
            raise ConnectionRefusedError("nobody listens")
        server, serve = found
        ours, theirs = End(self, client), End(self, server)
        ours.peer, theirs.peer = theirs, ours
        self.ends += [ours, theirs]
        self.loop.call_soon(_open, theirs, serve, context=server.context)
        await asyncio.sleep(0)
        _open(ours, factory)
        assert ours.protocol is not None
        return ours, ours.protocol

    def begun(self, data: bytes) -> None:
        """The client has begun to speak on a connection."""
        if _LOGON not in data:
            self.problems.append(f"a connection began with {data!r}")
        if not self.is_open(self.loop.time()):
            self.problems.append(f"a connection began at {self.loop.time():.3f}, out of hours")

    def cut(self) -> None:
        """Both ends of one connection, or of all, lose it, each when it notices, and what is on its way."""
        one = self.chance.choice(self.ends) if self.ends and self.chance.random() < 0.5 else None
        for end in [end for end in self.ends if one is None or end in (one, one.peer)]:
            end.lost(_RESET)

    def died(self, process: Process) -> None:
        for end in [end for end in self.ends if end.process is process]:
            self.ends.remove(end)
            end.died()


def _open(end: End, make: Callable[[], asyncio.Protocol]) -> None:
    end.protocol = make()
    end.protocol.connection_made(end)
