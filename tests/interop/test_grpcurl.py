"""Runs ``docs/grpcurl.md`` from top to bottom with the real grpcurl, and compares what the page shows with what comes.

A ``sh`` block is run by a shell. What follows it is its answer: of a ``json`` block every field has to be there, in
``text`` every line; ``…`` fits any value. ``sh follow`` is a command that ends with Ctrl-C.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.processes import Process, Router, free_port

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "grpcurl.md"
_BLOCK = re.compile(r"^```(?P<kind>\S+)(?P<how>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SETTING = "ROUTER=127.0.0.1:50051\n"  # what `make run` listens on; ours is on a free port
_CURSOR = re.compile(r'^  "cursor": "(.+)"', re.MULTILINE)
_ANY = "…"
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Command:
    script: str
    follow: bool
    expected: str
    is_json: bool

    @property
    def fails(self) -> bool:
        return self.expected.startswith("ERROR:")


def commands() -> Iterator[Command]:
    blocks = [match.groupdict() for match in _BLOCK.finditer(_PAGE.read_text(encoding="utf-8"))]
    assert blocks[0] == {"kind": "sh", "how": "", "text": _SETTING}
    pairs = zip(blocks[1::2], blocks[2::2], strict=True)
    for command, answer in pairs:
        assert command["kind"] == "sh", command
        assert answer["kind"] in {"json", "text"}, answer
        yield Command(command["text"], "follow" in command["how"], answer["text"], answer["kind"] == "json")


@pytest.fixture
async def router(tmp_path: Path) -> AsyncIterator[Router]:
    """The router of ``examples/fairlead.toml`` beside a simulator, as `make run` starts them."""
    fix_port = free_port()
    simulator = Process(
        "fix_sim",
        ["serve", "--port", str(fix_port), "--control-port", "0", "--store", str(tmp_path / "fix_sim")],
        tmp_path / "fix_sim.log",
        "fix_sim",
    )
    sessions = [f"sessions.{name}.port={fix_port}" for name in ("SIM42", "SIM44")]
    router = Router(_ROOT / "examples" / "fairlead.toml", tmp_path, *sessions)
    try:
        await simulator.start()
        await router.start()
        await router.active("SIM42", "SIM44")
        yield router
        assert await router.stop() == 0
        assert await simulator.stop() == 0
    finally:
        await router.ensure_ended()
        await simulator.ensure_ended()


async def test_every_command_of_the_page_answers_as_the_page_says(router: Router, tmp_path: Path) -> None:
    grpcurl = os.environ.get("GRPCURL")
    if not grpcurl:
        pytest.skip("no grpcurl here; make interop installs it and says where it cannot")
    environ = {"PATH": f"{Path(grpcurl).parent}:{os.environ['PATH']}", "ROUTER": router.address}

    run = 0
    for command in commands():
        code, output = await _run(command, environ, tmp_path)
        assert (code != 0) is command.fails, f"{command.script}\n{output}"
        missing = [*_missing(command, output)]
        assert missing == [], f"{command.script}\n{output}"
        environ["CURSOR"] = (_CURSOR.findall(output) or [""])[-1]
        run += 1
    assert run >= 20


async def _run(command: Command, environ: dict[str, str], folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-ec",
        f"exec {command.script}" if command.follow else command.script,
        cwd=folder,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_PATIENCE):
            output = ""
            while line := await process.stdout.readline():
                output += line.decode()
                if command.follow and line == b"}\n" and not [*_missing(command, output)]:
                    process.send_signal(signal.SIGINT)
                    await process.wait()
                    return 0, output
            return await process.wait(), output
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _missing(command: Command, output: str) -> Iterator[object]:
    """What the page shows and the answer does not have."""
    if command.is_json:
        answers = [*_documents(output)] if not output.startswith("ERROR") else []
        yield from (e for e in _documents(command.expected) if not any(_fits(e, a) for a in answers))
    else:
        given = [line.strip().rstrip(",") for line in output.splitlines()]
        yield from (line for line in command.expected.splitlines() if line.strip() not in given)


def _documents(text: str) -> Iterator[Any]:
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        yield document
        rest = rest[end:].strip()


def _fits(expected: Any, actual: Any) -> bool:
    """Whether all that is expected is there; of a list, its items in their order, with others between them."""
    match expected:
        case dict():
            return isinstance(actual, dict) and all(
                key in actual and _fits(value, actual[key]) for key, value in expected.items()
            )
        case list():
            items = iter(actual)
            return all(any(_fits(value, item) for item in items) for value in expected)
        case _:
            return expected in (_ANY, actual)
