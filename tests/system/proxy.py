"""A TCP proxy between two of the processes, which does to a connection what networks do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

Look = Callable[[bytes], bytes | None]
"""What goes on instead of the bytes that came; None cuts the connection, with nothing of them going on."""


class Torn(bytes):
    """The last bytes that go on; then the connection ends, in the middle of a message if need be."""


class _Side(asyncio.Protocol):
    """One end of a connection. What it receives goes to ``other``, as the proxy lets it."""

    def __init__(self, proxy: Proxy, *, from_client: bool) -> None:
        self._proxy = proxy
        self._from_client = from_client
        self._early = bytearray()
        self._transport: asyncio.Transport | None = None
        self._lost = False
        self._other: _Side | None = None

    def join(self, other: _Side) -> None:
        self._other = other
        early, self._early = self._early, bytearray()
        if early:
            self.data_received(bytes(early))
        if self._lost:
            other.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._proxy.sides.add(self)
        if self._from_client:
            self._proxy.accepted(self)

    def data_received(self, data: bytes) -> None:
        if self._other is None:
            self._early += data
            return
        passed = self._proxy.pass_on(data, from_client=self._from_client)
        if passed is None:
            self.abort()
            self._other.abort()
        elif passed:
            self._other.write(passed)
        if isinstance(passed, Torn):
            self._other.close()
            self.abort()

    def connection_lost(self, _: Exception | None) -> None:
        self._lost = True
        self._proxy.sides.discard(self)
        if self._other is not None and not self._proxy.swallowing:
            self._other.close()

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def proceed(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        """What was written still goes out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Proxy:
    """``to_server`` and ``to_client`` look at all bytes; ``connections`` counts those that were opened."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.connections = 0
        self.sides: set[_Side] = set()
        self.to_server: Look = bytes
        self.to_client: Look = bytes
        self.swallowing = False
        self._target_port = target_port
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = asyncio.Condition()

    async def opened(self, connections: int) -> None:
        """Until so many connections have been opened, from the beginning on."""
        async with asyncio.timeout(30), self._opened:
            await self._opened.wait_for(lambda: self.connections >= connections)

    def cut(self) -> None:
        """Reset every connection, with whatever is in it."""
        for side in list(self.sides):
            side.abort()

    def swallow(self) -> None:
        """From now on everything disappears, the end of a connection too: a firewall that has forgotten it."""
        self.swallowing = True

    def heal(self) -> None:
        self.swallowing = False

    def freeze(self) -> None:
        """From now on nothing more is read from those who are connected: a peer that hangs and keeps its socket."""
        for side in self.sides:
            side.pause()

    def thaw(self) -> None:
        for side in self.sides:
            side.proceed()

    def pass_on(self, data: bytes, *, from_client: bool) -> bytes | None:
        if self.swallowing:
            return b""
        return self.to_server(data) if from_client else self.to_client(data)

    def accepted(self, side: _Side) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(side))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, client: _Side) -> None:
        loop = asyncio.get_running_loop()
        server = _Side(self, from_client=False)
        try:
            await loop.create_connection(lambda: server, "127.0.0.1", self._target_port)
        except OSError:
            client.abort()
            return
        client.join(server)
        server.join(client)
        async with self._opened:
            self.connections += 1
            self._opened.notify_all()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.cut()


@asynccontextmanager
async def proxy(target_port: int) -> AsyncIterator[Proxy]:
    between = Proxy(target_port)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Side(between, from_client=True), "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    async with server:
        yield between
        await between.close()
