"""The cases that need no router: what a message costs in codec and session, beside simplefix and QuickFIX."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.benchmarks import codec, sample, sessions
from tests.benchmarks.figures import Comparison, Figures

_CHILD = Path(__file__).with_name("quickfix_codec.py")
_PYTHON = Path(".tools/interop/venv/bin/python")  # where `make interop` puts it


class QuickFixFailed(Exception):
    """What it had to say it has said on stderr."""


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    title: str
    ours: Callable[[range], Figures]
    headline: str
    beside: Mapping[str, str] = field(default_factory=dict)  # the others' figure, if it has another name


PARTS = {
    part.name: part
    for part in (
        Part("codec", "Codec, ExecutionReport(8) of 28 fields", codec.ours, codec.WHOLE),
        Part(
            "session",
            "Session to session, the same message",
            sessions.ours,
            sessions.STRICT,
            {sessions.STRICT: codec.WHOLE, sessions.LENIENT: codec.WHOLE},
        ),
    )
}


class QuickFix:
    """A process of the Python that has it, which measures when it is told to."""

    def __init__(self, process: subprocess.Popen[str], numbers: range) -> None:
        """Raises NotTheSame unless it reads and encodes what we do; it sorts the fields of the body."""
        self._process = process
        bodies = [(sample.header(number), sample.body(number)) for number in numbers]
        frames = [sample.frame(number).decode("latin-1") for number in numbers]
        said = self._ask(json.dumps({"bodies": bodies, "frames": frames, "read": sample.READ}))
        codec.check(said["read"], sample.reading(numbers[0]))
        codec.check(sorted(said["encoded"].split("\x01")[:-2]), sorted(frames[0].split("\x01")[:-2]))

    def measure(self) -> Figures:
        return {name: float(value) for name, value in self._ask("round").items()}

    def _ask(self, line: str) -> dict[str, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise QuickFixFailed("QuickFIX has ended in the middle of a case")
        said: dict[str, str] = json.loads(answer)
        return said


def quickfix_python() -> Path | None:
    """The interpreter that has it, if any does."""
    python = Path(os.environ.get("QUICKFIX_PYTHON") or _PYTHON)
    probe = (python, "-c", "import quickfix")
    if not python.exists() or subprocess.run(probe, capture_output=True, check=False).returncode:
        return None
    return python


@contextmanager
def quickfix(numbers: range) -> Iterator[QuickFix | None]:
    """None where there is none."""
    python = quickfix_python()
    if python is None:
        yield None
        return
    pipe = subprocess.PIPE
    with subprocess.Popen([python, _CHILD], text=True, stdin=pipe, stdout=pipe) as process:
        yield QuickFix(process, numbers)


def compare(part: Part, rounds: int, numbers: range, quickfix: QuickFix | None) -> list[Comparison]:
    """With each of the others, who run in turn with us, round by round."""
    others: dict[str, Callable[[], Figures]] = {"simplefix": partial(codec.simplefix_alone, numbers)}
    if quickfix is not None:
        others["QuickFIX"] = quickfix.measure
    pairs: dict[str, list[tuple[Figures, Figures]]] = {name: [] for name in others}
    for _ in range(rounds):
        theirs = {name: measure() for name, measure in others.items()}
        figures = part.ours(numbers)
        for name, known in theirs.items():
            pairs[name].append((figures, _beside(part, figures, known)))
    return [
        Comparison(f"{part.title}, beside {name}", rows, ("fairlead", name), part.headline)
        for name, rows in pairs.items()
    ]


def _beside(part: Part, ours: Figures, theirs: Figures) -> Figures:
    names = {name: part.beside.get(name, name) for name in ours}
    return {name: theirs[other] for name, other in names.items() if other in theirs}
