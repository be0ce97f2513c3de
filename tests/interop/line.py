"""The line between router and broker: a TCP proxy that keeps every FIX message that passes, and can be cut.

Messages are passed on whole, so "cut inside the next NewOrderSingle(D)" means just that. What the line does to them is
decided here and nowhere else; neither end knows that it is there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

_FRAME_END = re.compile(rb"\x0110=[0-9]{3}\x01")
_CHUNK = 1 << 16


class To(Enum):
    BROKER = "broker"
    ROUTER = "router"  # or whoever else connects


class Fate(Enum):
    PASS = "pass"
    LOSE = "lose"
    CUT_INSIDE = "cut inside"


@dataclass(frozen=True, slots=True)
class Passing:
    """A message as it was seen on the line, and what became of it."""

    to: To
    connection: int
    raw: bytes
    fate: Fate

    @property
    def fields(self) -> dict[str, str]:
        pairs = (pair.split("=", 1) for pair in self.raw.decode("latin-1").split("\x01") if pair)
        return {pair[0]: pair[1] for pair in pairs}

    def __str__(self) -> str:
        return f"{self.connection} to {self.to.value}: {self.raw.decode('latin-1').replace(chr(1), '|')}"


Judge = Callable[[To, bytes], Fate]


def let_pass(to: To, raw: bytes) -> Fate:
    return Fate.PASS


def lose_all(way: To) -> Judge:
    """The line is dead in one direction, and nobody is told."""
    return lambda to, _: Fate.LOSE if to is way else Fate.PASS


def cut_inside(way: To, *msg_types: str, after: int = 0) -> Judge:
    """Half of the next message of these types arrives, or of a later one, then the connection is gone."""
    marks = [f"\x0135={msg_type}\x01".encode() for msg_type in msg_types]
    left = after

    def judge(to: To, raw: bytes) -> Fate:
        nonlocal left
        if to is not way or not any(mark in raw for mark in marks):
            return Fate.PASS
        left -= 1
        return Fate.CUT_INSIDE if left < 0 else Fate.PASS

    return judge


@dataclass
class Line:
    target_port: int
    passed: list[Passing] = field(default_factory=list)
    judge: Judge = let_pass
    connections: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _pumps: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _cut: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self) -> None:
        """Both ends find the connection reset."""
        for writer in self._writers:
            writer.transport.abort()

    async def was_cut(self, judge: Judge) -> None:
        """Judge by ``judge`` until it has cut the line; then the line is as good as new."""
        self._cut.clear()
        self.judge = judge
        await self._cut.wait()

    async def sees(self, number: int, to: To, *msg_types: str, begin_string: str = "") -> None:
        """Until so many more messages of these types have passed, on all sessions together or on one."""
        begin = len(self.passed)

        def enough() -> bool:
            found = (p.fields for p in self.passed[begin:] if p.to is to)
            wanted = (f for f in found if f["35"] in msg_types and begin_string in ("", f["8"]))
            return sum(1 for _ in wanted) >= number

        async with self._news:
            await self._news.wait_for(enough)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(far_writer)
        self.connections += 1
        pumps = {
            asyncio.create_task(self._pump(To.BROKER, self.connections, reader, far_writer)),
            asyncio.create_task(self._pump(To.ROUTER, self.connections, far_reader, writer)),
        }
        self._pumps |= pumps
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, far_writer):
            end.close()
        await asyncio.gather(*pumps, return_exceptions=True)
        self._writers -= {writer, far_writer}

    async def _pump(
        self, to: To, connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        buffer = b""
        with suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                buffer += chunk
                while end := _FRAME_END.search(buffer):
                    raw, buffer = buffer[: end.end()], buffer[end.end() :]
                    if not self._pass_on(to, connection, raw, writer):
                        return
                await writer.drain()
                async with self._news:
                    self._news.notify_all()

    def _pass_on(self, to: To, connection: int, raw: bytes, writer: asyncio.StreamWriter) -> bool:
        fate = self.judge(to, raw)
        self.passed.append(Passing(to, connection, raw, fate))
        if fate is Fate.LOSE:
            return True
        writer.write(raw if fate is Fate.PASS else raw[: len(raw) // 2])
        if fate is Fate.CUT_INSIDE:
            self.judge = let_pass
            self._cut.set()
            return False  # a clean close, so that the half does arrive
        return True
