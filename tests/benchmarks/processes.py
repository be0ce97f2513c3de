"""The processes that are measured: started, waited for until they are ready, asked what they cost, stopped."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Self

_READY_SECONDS = 30.0
_END_SECONDS = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")


class ProcessFailed(Exception):
    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        super().__init__(f"{name} has failed: {log.read_text(errors='replace').strip() or 'it says nothing'}")


class Process:
    """One Python module run by itself. ``ready`` is the one line by which it says that it is."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.ready = ""
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, name: str, folder: Path, *command: str, python: str = "") -> Self:
        """What it writes to stderr goes to a file in ``folder``. Raises ProcessFailed if it does not get ready.

        ``python`` is the interpreter, this one unless it is named.
        """
        pipe = asyncio.subprocess.PIPE
        log = folder / f"{name}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                python or sys.executable, "-m", *command, stdin=pipe, stdout=pipe, stderr=stderr
            )
        self = cls(name, process, log)
        self.ready = await self._line()
        if not self.ready:
            await self.stop()
            raise ProcessFailed(name, log)
        return self

    def cpu_seconds(self) -> float:
        """User and system time of all its threads since it began (proc(5), ``stat``), in steps of 10 ms."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _TICKS

    def memory(self) -> int:
        """KiB that are in memory now (proc(5), ``status``)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def check(self) -> None:
        """Raises ProcessFailed if it has ended by itself."""
        if self._process.returncode is not None:
            raise ProcessFailed(self.name, self._log)

    async def ask(self, line: str, patience: float) -> str:
        """Its next line, after it was told this one. Raises ProcessFailed if it ends instead, or says nothing for so many seconds."""
        assert self._process.stdin is not None  # as asked for
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n".encode())
        try:
            answer = await asyncio.wait_for(self._process.stdout.readline(), patience)
        except TimeoutError:
            answer = b""
        if not answer:
            raise ProcessFailed(self.name, self._log)
        return answer.decode()

    async def stop(self) -> str:
        """Ask it to end; returns the last line it said, raises ProcessFailed if it was gone or ends in failure."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            said, _ = await asyncio.wait_for(self._process.communicate(), _END_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise ProcessFailed(self.name, self._log) from None
        if self._process.returncode:
            raise ProcessFailed(self.name, self._log)
        return said.decode().strip().rpartition("\n")[2]

    async def kill(self) -> None:
        """Whatever happened, nothing is left running."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _line(self) -> str:
        assert self._process.stdout is not None  # as asked for
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), _READY_SECONDS)
        except TimeoutError:
            return ""
        return line.decode().strip()
