"""Real processes, and the certainty that none outlives its test: all carry a mark that their children inherit.

Whoever starts one waits for the line that says it is ready. What it logs goes to a file, which a failed test shows.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
READY = 30.0  # seconds; a busy machine takes its time
END = 15.0
_MARK = "FAIRLEAD_TEST_YARD"


class DidNotStart(Exception):
    def __init__(self, name: str, log: str) -> None:
        self.log = log
        super().__init__(f"{name} did not start: {log}")


class Process:
    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def pause(self) -> None:
        """It holds its connections and does nothing, until it may proceed."""
        self.signal(signal.SIGSTOP)

    def proceed(self) -> None:
        self.signal(signal.SIGCONT)

    async def line(self) -> str:
        """The next line of its standard output, with its end; empty when there are no more."""
        assert self._process.stdout is not None
        async with asyncio.timeout(READY):
            return (await self._process.stdout.readline()).decode()

    async def kill(self) -> None:
        """``kill -9``."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        async with asyncio.timeout(END):
            await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode

    def resident(self) -> int:
        """Bytes of memory that it holds now (VmRSS in proc(5))."""
        return self._memory("VmRSS")

    def most_resident(self) -> int:
        """The most that it ever held (VmHWM)."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(name)


class Yard:
    """Where processes are started, and from where none gets away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark = f"{_MARK}={uuid.uuid4().hex}".encode()
        self._processes: list[Process] = []

    async def spawn(self, name: str, arguments: Sequence[str]) -> Process:
        """``python -m`` or a script, with the arguments; does not wait for anything."""
        log = self._folder / f"{name}-{len(self._processes)}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                cwd=ROOT,
                env={**os.environ, _MARK: self._mark.decode().partition("=")[2]},
                start_new_session=True,
            )
        self._processes.append(Process(name, process, log))
        return self._processes[-1]

    async def start(self, name: str, arguments: Sequence[str]) -> Process:
        """Wait for its first line, which says that it is ready."""
        process = await self.spawn(name, arguments)
        if not await process.line():
            await process.ended()
            raise DidNotStart(name, process.log.read_text())
        return process

    def left(self) -> list[int]:
        """What runs still, of all that was started here, and of what that has started."""
        found = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [pid for pid in found if self._is_ours(pid)]

    async def close(self) -> None:
        for pid in self.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._processes:
            await process.ended()

    def _is_ours(self, pid: int) -> bool:
        with suppress(OSError):
            return self._mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return False  # it has just ended


def free_port() -> int:
    """Below the ports that connections are given, so that none has it while whoever listens there is away."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
