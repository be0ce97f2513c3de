"""``make run``: what a newcomer sees first has to work, to end, and to say in one line why it cannot."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.system.processes import Process, Yard, free_port
from tests.system.world import PATIENCE

LAST_LINE = re.compile(r"Logs are in .*\. Ctrl-C stops everything\.")
SUMMARY = re.compile(r"(\d+) orders in the store: (\d+) filled, (\d+) rejected, (\d+) other")
KNOWN = re.compile(r"FIX sessions are active; (\d+) orders are known from earlier runs")
BASKET = 22  # orders in examples/basket.csv


class Demo:
    def __init__(self, folder: Path, yard: Yard) -> None:
        self.var = folder / "var"
        self.yard = yard
        self.ports = {name: free_port() for name in ("grpc", "fix", "control")}

    async def spawn(self, *more: str) -> Process:
        ports = [word for name, port in self.ports.items() for word in (f"--{name}-port", str(port))]
        return await self.yard.spawn("demo", ["examples/demo.py", *ports, "--var", str(self.var), *more])

    async def up(self) -> tuple[Process, str]:
        """Once it stays up; with all that it has printed."""
        process = await self.spawn()
        printed = await self.until(process, LAST_LINE)
        assert len(self.yard.left()) == 3  # itself, the venue and the router
        return process, printed

    async def until(self, process: Process, wanted: re.Pattern[str]) -> str:
        lines: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while not lines or not wanted.search(lines[-1]):
                lines.append(await process.line())
                assert lines[-1], process.log.read_text()
        return "".join(lines)

    async def refusal(self, *more: str) -> str:
        """The one line of a run that cannot be; nothing of it is left."""
        process = await self.spawn(*more)
        assert await process.ended() == 3
        assert self.yard.left() == []
        (line,) = process.log.read_text().splitlines()
        return line


@pytest.fixture
def demo(tmp_path: Path, yard: Yard) -> Demo:
    return Demo(tmp_path, yard)


@asynccontextmanager
async def taken(port: int) -> AsyncIterator[None]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        yield


def number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    assert found is not None
    return int(found[1])


async def test_it_routes_the_basket_and_ends_on_ctrl_c_and_a_second_run_knows_the_first(demo: Demo) -> None:
    first, printed = await demo.up()
    first.signal(signal.SIGINT)
    assert await first.ended() == 0
    assert demo.yard.left() == []
    assert first.log.read_text() == ""

    second, again = await demo.up()
    second.signal(signal.SIGINT)
    assert await second.ended() == 0
    assert demo.yard.left() == []

    assert (number(KNOWN, printed), number(SUMMARY, printed)) == (0, BASKET)
    assert (number(KNOWN, again), number(SUMMARY, again)) == (BASKET, 2 * BASKET)
    assert re.search(r"filled +AAPL +buy +100 +filled +filled +100  100 at 230\.10", printed)


@pytest.mark.parametrize(
    "sign",
    [
        "fix_sim: FIX",
        pytest.param("fairlead: gRPC", marks=pytest.mark.soak),
        pytest.param("FIX sessions are active", marks=pytest.mark.soak),
        "accepted +AAPL",
    ],
)
async def test_ctrl_c_at_any_moment_leaves_nothing_running(demo: Demo, sign: str) -> None:
    process = await demo.spawn()
    await demo.until(process, re.compile(sign))

    process.signal(signal.SIGINT)

    assert await process.ended() == 0
    assert demo.yard.left() == []
    assert process.log.read_text() == ""


@pytest.mark.parametrize("name", ["grpc", "fix", "control"])
async def test_a_port_in_use_is_one_line(demo: Demo, name: str) -> None:
    async with taken(demo.ports[name]):
        line = await demo.refusal()

    assert f"127.0.0.1:{demo.ports[name]}" in line


async def test_a_folder_that_cannot_be_written_is_one_line(demo: Demo) -> None:
    demo.var.write_text("a file where the folder should be")

    assert await demo.refusal() == (
        f"{demo.var}: cannot be written: File exists; try `make run VAR=some/folder`"
    )


async def test_a_broken_config_is_one_line(demo: Demo, tmp_path: Path) -> None:
    config = tmp_path / "broken.toml"
    config.write_text("instruments_file = 7")

    line = await demo.refusal("--config", str(config))

    assert line.startswith(f"fairlead: {config}: ")


async def test_a_basket_that_is_not_there_is_one_line(demo: Demo, tmp_path: Path) -> None:
    line = await demo.refusal("--basket", str(tmp_path / "none.csv"))

    assert "none.csv: No such file or directory" in line


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def test_when_one_of_its_processes_dies_it_says_so_and_ends(demo: Demo) -> None:
    process, _ = await demo.up()
    (router,) = (pid for pid in demo.yard.left() if "fairlead_server" in command_line(pid))
    os.kill(router, signal.SIGKILL)

    assert await process.ended() == 3
    assert demo.yard.left() == []
    (line,) = process.log.read_text().splitlines()
    assert line.startswith("a process has ended by itself")
