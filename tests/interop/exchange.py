"""The other way round: QuickFIX as the client, the simulator as the broker, and a line between them that can be cut."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop import audit
from tests.interop.line import Line
from tests.interop.processes import Process, free_port
from tests.interop.quickfix_broker.orders import FIX_42, FIX_44, FIXT

Fields = list[tuple[int, str]]

VERSIONS = (FIX_42, FIX_44, FIXT)
_PATIENCE = 120.0  # seconds
_CONFIG = """
peers = ["QUICKFIX"]
validation = "strict"
[[rules]]
symbol = "MSFT"
action = "partial"
slices = 4
interval_ms = 50
[[rules]]
symbol = "INTC"
action = "never_fill"
[[rules]]
symbol = "DIS"
action = "reject"
reason = 2
"""


class Simulator(Process):
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        config = folder / "sim.toml"
        config.write_text(_CONFIG)
        self.port = free_port()
        self._journal = folder / "store" / "journal.jsonl"
        arguments = ["--config", str(config), "--port", str(self.port), "--control-port", "0"]
        super().__init__(
            "fix_sim",
            ["serve", *arguments, "--store", str(self._journal.parent)],
            folder / "output.log",
            "fix_sim",
        )

    def turns(self) -> list[dict[str, Any]]:
        return [*_lines(self._journal)]

    def parts(self, begin_string: str) -> list[dict[str, Any]]:
        """Of its journal, what belongs to the session."""
        name = f"{begin_string}:SIM:QUICKFIX"
        return [turn["sessions"][name] for turn in self.turns() if name in turn.get("sessions", {})]


class Client(Process):
    """QuickFIX, see :mod:`tests.interop.quickfix_client`."""

    def __init__(self, python: str, folder: Path, port: int, settings: Iterable[str]) -> None:
        folder.mkdir()
        self._folder = folder
        self._wanted = folder / "wanted.jsonl"
        self._wanted.touch()
        self._news = asyncio.Condition()
        self._listening: asyncio.Task[None] | None = None
        super().__init__(
            "tests.interop.quickfix_client",
            [str(port), str(folder), *settings],
            folder / "output.log",
            "ready",
            python,
        )

    async def start(self) -> None:
        await super().start()
        self._listening = asyncio.create_task(self._listen())

    def ask(self, begin_string: str, messages: Iterable[tuple[str, Fields]]) -> None:
        """Sent one after another, as soon as the session is logged on; over any crash."""
        with self._wanted.open("a", encoding="utf-8") as file:
            for msg_type, fields in messages:
                wanted = {"begin_string": begin_string, "msg_type": msg_type, "fields": fields}
                file.write(json.dumps(wanted) + "\n")

    def asked(self, begin_string: str) -> Iterator[dict[int, str]]:
        for line in _lines(self._wanted):
            if line["begin_string"] == begin_string:
                yield {35: line["msg_type"], **dict(line["fields"])}

    def noted(self, kind: str, begin_string: str) -> list[dict[str, Any]]:
        lines = _lines(self._folder / "journal.jsonl")
        return [line for line in lines if line["kind"] == kind and line["begin_string"] == begin_string]

    def heard(self, begin_string: str) -> list[dict[int, str]]:
        """The application messages, in order: MsgType(35), PossDupFlag(43) and some of the body."""
        return [
            {
                35: line["msg_type"],
                43: "Y" if line["poss_dup"] else "N",
                **{int(tag): value for tag, value in line["fields"].items()},
            }
            for line in self.noted("heard", begin_string)
        ]

    async def until(self, happened: Callable[[], bool]) -> None:
        """Looked at again whenever something is heard, and when a session goes up or down."""
        async with asyncio.timeout(_PATIENCE), self._news:
            await self._news.wait_for(happened)

    def numbers(self, begin_string: str) -> tuple[int, int]:
        """What QuickFIX's own store says: the next number to send, the next to expect."""
        path = self._folder / "store" / f"{begin_string}-QUICKFIX-SIM.seqnums"
        sender, _, target = path.read_text().partition(":")
        return int(sender), int(target)

    def events(self) -> list[str]:
        """QuickFIX's own account of its sessions."""
        logs = sorted((self._folder / "log").glob("FIX*.event.current.log"))
        return [line for log in logs for line in log.read_text().splitlines()]

    async def _listen(self) -> None:
        """A piece may be many lines, so that what is waited for is not looked at more often than it can be."""
        async for _ in self.output():
            async with self._news:
                self._news.notify_all()


@dataclass(frozen=True, slots=True)
class Exchange:
    simulator: Simulator
    line: Line
    client: Client

    async def agrees(self, *, forgets: bool = False) -> None:
        """Stop both in good order and compare their books, their numbers, and what passed between them.

        A client that ``forgets`` its numbers when it leaves has none to compare.
        """
        assert await self.client.stop() == 0
        assert await self.simulator.stop() == 0
        for begin_string in VERSIONS:
            self._nothing_is_lost_or_doubled(begin_string)
            self._orders_agree(begin_string)
            next_in, next_out, _ = self.simulator.parts(begin_string)[-1]["numbers"]
            assert self.client.numbers(begin_string) == ((1, 1) if forgets else (next_in, next_out))
        audit.nobody_objects(self.line, self.client.events())

    def _nothing_is_lost_or_doubled(self, begin_string: str) -> None:
        """What comes again says so."""
        received = [each for part in self.simulator.parts(begin_string) for each in part["received"]]
        arrived = [(each["type"], each["cl_ord_id"]) for each in received if not each["poss_resend"]]
        again = {(each["type"], each["cl_ord_id"]) for each in received if each["poss_resend"]}
        asked = [(each[35], each[11]) for each in self.client.asked(begin_string)]
        assert sorted(arrived) == sorted(set(arrived))
        assert sorted(again.union(arrived)) == sorted(asked)

        told = [each["exec_id"] for each in self._executions(begin_string)]
        heard = [each for each in self.client.heard(begin_string) if each.get(17, "0") != "0"]
        first = [each[17] for each in heard if each[43] == "N"]
        assert sorted(first) == sorted(set(first))
        assert sorted({each[17] for each in heard}) == sorted(told)

    def _executions(self, begin_string: str) -> Iterator[dict[str, Any]]:
        for turn in self.simulator.turns():
            for execution in turn.get("executions", ()):
                if execution["client"] == f"{begin_string}:SIM:QUICKFIX":
                    yield execution

    def _orders_agree(self, begin_string: str) -> None:
        """By the last execution of each; a report that comes again may come after later ones."""
        theirs = {
            each["order_id"]: (each["ord_status"], each["cum_qty"]) for each in self._executions(begin_string)
        }
        last = {each["order_id"]: each["exec_id"] for each in self._executions(begin_string)}
        told = {each[17]: (each[39], each[14]) for each in self.client.heard(begin_string) if 17 in each}
        assert {order_id: told.get(exec_id) for order_id, exec_id in last.items()} == theirs


@pytest.fixture
def client_settings() -> list[str]:
    """Of QuickFIX, beside the usual."""
    return []


@pytest.fixture
async def exchange(tmp_path: Path, client_settings: list[str]) -> AsyncIterator[Exchange]:
    python = os.environ.get("QUICKFIX_PYTHON")
    if not python:
        pytest.skip("no QuickFIX here; make interop installs it and says where it cannot")
    simulator = Simulator(tmp_path / "simulator")
    line = Line(simulator.port)
    client = Client(python, tmp_path / "client", await line.start(), client_settings)
    try:
        await simulator.start()
        await client.start()
        yield Exchange(simulator, line, client)
    finally:
        await client.ensure_ended()
        await simulator.ensure_ended()
        await line.close()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """A last line without its end is being written just now."""
    if path.exists():
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
        yield from map(json.loads, whole.splitlines())
