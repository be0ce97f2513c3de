"""Router and broker as processes that tests start, kill and start again on what they have stored."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

_ROOT = Path(__file__).parents[2]
_CHUNK = 1 << 16
_STARTING = 90.0  # seconds; machines are busy, and QuickFIX reads its dictionaries
_ENDING = 20.0
_REACHING = 60.0  # reconnecting backs off


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """One Python program; what it logs goes to a file, which a failing test can show."""

    def __init__(
        self, module: str, arguments: list[str], log: Path, ready: str, python: str = sys.executable
    ) -> None:
        self._command = [python, "-m", module, *arguments]
        self._ready = ready
        self._running: asyncio.subprocess.Process | None = None
        self.log = log

    async def start(self) -> None:
        """Until it has printed the line that says it is ready."""
        with self.log.open("ab") as log:
            self._running = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._running.stdout is not None
        line = await asyncio.wait_for(self._running.stdout.readline(), _STARTING)
        assert line.decode().startswith(self._ready), f"{line!r}; {self.log.read_text()}"

    async def output(self) -> AsyncIterator[bytes]:
        """What else it prints, piece by piece, until it ends; somebody must read it, or the process would wait."""
        assert self._running is not None
        assert self._running.stdout is not None
        while piece := await self._running.stdout.read(_CHUNK):
            yield piece

    async def kill(self) -> None:
        """As a power cut would: no goodbye, nothing flushed."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """In good order; its exit code."""
        return await self._end(signal.SIGTERM)

    async def ensure_ended(self) -> None:
        if self._running is not None:
            await self.kill()

    async def _end(self, number: signal.Signals) -> int:
        assert self._running is not None
        if self._running.returncode is None:
            self._running.send_signal(number)
        code = await asyncio.wait_for(self._running.wait(), _ENDING)
        self._running = None
        return code


class Broker(Process):
    """QuickFIX, see :mod:`tests.interop.quickfix_broker`."""

    def __init__(self, python: str, folder: Path) -> None:
        folder.mkdir()
        self.port = free_port()
        self.folder = folder
        self.journal = folder / "journal.jsonl"
        super().__init__(
            "tests.interop.quickfix_broker",
            [str(self.port), str(folder)],
            folder / "output.log",
            "ready",
            python,
        )

    def numbers(self, begin_string: str) -> tuple[int, int]:
        """What QuickFIX's own store says: the next number to send, the next to expect."""
        path = self.folder / "store" / f"{begin_string}-QUICKFIX-FAIRLEAD.seqnums"
        sender, _, target = path.read_text().partition(":")
        return int(sender), int(target)

    def events(self) -> list[str]:
        """QuickFIX's own account of its sessions."""
        logs = sorted((self.folder / "log").glob("FIX*.event.current.log"))
        return [line for log in logs for line in log.read_text().splitlines()]


@dataclass(frozen=True, slots=True)
class Stored:
    """A session in the router's database, as any SQLite tool sees it."""

    next_out: int
    next_in: int
    sent: list[int]


class Router(Process):
    def __init__(self, config: Path, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._database = folder / "fairlead.db"
        overrides = [f"server.port={self.port}", f"store.url=sqlite:///{self._database}", *settings]
        arguments = ["serve", "--config", str(config)]
        for override in overrides:
            arguments += ["--set", override]
        super().__init__("fairlead_server", arguments, folder / "router.log", "fairlead: gRPC")

    async def active(self, *sessions: str) -> None:
        """Until these FIX sessions are, by the health service."""
        async with aio.insecure_channel(self.address) as channel, asyncio.timeout(_REACHING):
            for session in sessions:
                await self._reaches(channel, session, health_pb2.HealthCheckResponse.SERVING)

    async def inactive(self, *sessions: str) -> None:
        async with aio.insecure_channel(self.address) as channel, asyncio.timeout(_REACHING):
            for session in sessions:
                await self._reaches(channel, session, health_pb2.HealthCheckResponse.NOT_SERVING)

    async def _reaches(self, channel: aio.Channel, session: str, wanted: int) -> None:
        request = health_pb2.HealthCheckRequest(service=f"session/{session}")
        while True:
            try:
                async for told in health_pb2_grpc.HealthStub(channel).Watch(request, wait_for_ready=True):
                    if told.status == wanted:
                        return
            except aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:  # it may be killed while we watch
                    raise

    def stored(self, session: str) -> Stored:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            epoch, next_out, next_in = database.execute(
                "SELECT epoch, next_out, next_in FROM sessions WHERE session_id = ?", (session,)
            ).fetchone()
            rows = database.execute(
                "SELECT msg_seq_num FROM messages"
                " WHERE session_id = ? AND epoch = ? AND direction = 'OUT' ORDER BY msg_seq_num",
                (session, epoch),
            )
            return Stored(next_out, next_in, [number for (number,) in rows])
