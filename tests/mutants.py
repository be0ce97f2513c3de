"""Breaks the FIX session in one place at a time; the tests of the session must notice each: ``python -m tests.mutants``.

A mutant is one change to the text of one module. It is planted in a copy of the package, never in the checkout, and
the copy is what the tests then import. Who survives is named, and makes the exit code 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "fairlead_server"
TESTS = (
    "tests/fix/test_session_scenarios.py",
    "tests/fix/test_session_transcripts.py",
    "tests/fix/test_session.py",
)


@dataclass(frozen=True)
class Mutant:
    """``whole`` occurs exactly once in the module ``fix/module.py``."""

    name: str
    module: str
    whole: str
    broken: str


MUTANTS = (
    Mutant(
        "a ResendRequest over a gap is not answered",
        "inbound",
        "elif (act := _WHATEVER_ITS_NUMBER.get(message.msg_type)) is not None:",
        "elif (act := _WHATEVER_ITS_NUMBER.get(message.msg_type)) is not None"
        " and message.msg_seq_num <= talk.inbox.next_in:",
    ),
    Mutant(
        "a gap is asked for with each message",
        "conversation",
        "if missing is None or self.inbox.request is not None:",
        "if missing is None:",
    ),
    Mutant("the last gap fill is left out", "resend", "if due <= end:", "if due <= begin:"),
    Mutant("EndSeqNo 0 is a number", "inbound", "frozenset({0, 999_999})", "frozenset({999_999})"),
    Mutant(
        "a repeat need not say when it was first sent",
        "inbound",
        "problem = None if gap_fill else checks.repeated(message)",
        "problem = None",
    ),
    Mutant("no Heartbeat is sent", "timers", "talk.put(msg_types.HEARTBEAT)", "pass"),
    Mutant(
        "what came early is lost",
        "inbox",
        "self._early[number] = message",
        "self._early[number] = None",
    ),
    Mutant("a rejected message keeps its number", "inbound", "talk.inbox.next_in += 1", "pass"),
    Mutant(
        "a GapFill may lead to itself",
        "inbound",
        "if new_seq_no <= message.msg_seq_num:",
        "if new_seq_no < message.msg_seq_num:",
    ),
    Mutant(
        "a GapFill may lead anywhere",
        "inbound",
        "elif new_seq_no - message.msg_seq_num > _MAX_JUMP:",
        "elif new_seq_no < 0:",
    ),
    Mutant(
        "a reset keeps the numbers",
        "conversation",
        "numbers = Numbers(epoch=self.epoch)",
        "numbers = self.numbers",
    ),
    Mutant("a reset begins no epoch", "conversation", "self.epoch += 1", "pass"),
    Mutant(
        "what is sent again does not say so",
        "resend",
        '            *header,\n            (tags.POSS_DUP_FLAG, "Y"),',
        "            *header,",
    ),
    Mutant(
        "what is sent again says that it is new",
        "resend",
        "(tags.ORIG_SENDING_TIME, message[tags.SENDING_TIME])",
        "(tags.ORIG_SENDING_TIME, time)",
    ),
    Mutant(
        "what is live overtakes an answer",
        "outbox",
        "        if self._asked:\n",
        "        if not self._config:\n",
    ),
    Mutant("what waited behind an answer is lost", "outbox", "ready.wire += self._held", "pass"),
    Mutant(
        "the fence is not waited for",
        "conversation",
        "self.state is State.SYNCING and self.fence is None and",
        "self.state is State.SYNCING and",
    ),
    Mutant(
        "a storm is answered for ever",
        "conversation",
        "for _, asked in times) >= MAX_ASKED",
        "for _, asked in times) < 0",
    ),
    Mutant("too low is never too often", "strikes", "self._too_low >= _MAX_TOO_LOW", "self._too_low < 0"),
    Mutant("a bad connection ends the row of bad ones", "strikes", "if self._well:", "if True:"),
    Mutant("refused is never too often", "strikes", "self._refused >= MAX_REFUSED", "self._refused < 0"),
    Mutant("a gap is asked for once and never again", "timers", "talk.send_request(request)", "pass"),
    Mutant("a silent peer is waited for", "timers", 'talk.close("the peer is silent")', "pass"),
    Mutant(
        "what is over a gap is no sign of life",
        "inbound",
        "    talk.received_at = talk.now\n",
        "    talk.received_at = talk.now if message.msg_seq_num <= talk.inbox.next_in else talk.received_at\n",
    ),
    Mutant(
        "a Logout over a gap is answered at once",
        "inbound",
        "gap = message.msg_seq_num > talk.inbox.next_in",
        "gap = False",
    ),
    Mutant("any clock will do", "checks", "abs(now - sending_time) > accuracy", "accuracy < abs(accuracy)"),
    Mutant(
        "a chunk is one too long",
        "conversation",
        "request.begin + self.config.resend_chunk - 1)",
        "request.begin + self.config.resend_chunk)",
    ),
    Mutant(
        "789 is read as one too many", "conversation", "if next_expected <= last:", "if next_expected < last:"
    ),
    Mutant(
        "369 is the next number", "conversation", "str(self.inbox.next_in - 1)", "str(self.inbox.next_in)"
    ),
    Mutant(
        "reset at Logout is forgotten",
        "conversation",
        "if ResetOn.LOGOUT in self.config.reset_on:",
        "if not self.config:",
    ),
    Mutant(
        "the acceptor may reset within the connection",
        "inbound",
        "reset = talk.config.role is Role.ACCEPTOR and logon.resets(message)",
        "reset = logon.resets(message)",
    ),
    Mutant(
        "a peer is trusted with numbers that were used",
        "handshake",
        "next_out < expected <=",
        "0 < expected <=",
    ),
)


def survivors(mutants: Sequence[Mutant] = MUTANTS) -> Iterator[str]:
    """The names of those that no test notices, each as soon as it is known."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder) / PACKAGE
        shutil.copytree(ROOT / "server" / PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        imported = _run(folder, "-c", f"import {PACKAGE}.fix as fix; print(fix.__file__)").stdout
        if not imported.startswith(folder):
            raise RuntimeError(f"the tests would import {imported.strip()}, not the copy")
        if not _green(folder):
            raise RuntimeError("the tests are red before anything is broken")
        for mutant in mutants:
            path = copy / "fix" / f"{mutant.module}.py"
            text = path.read_text()
            if text.count(mutant.whole) != 1:
                raise RuntimeError(f"{mutant.name}: {mutant.whole!r} is not there exactly once")
            path.write_text(text.replace(mutant.whole, mutant.broken))
            if _green(folder):
                yield mutant.name
            path.write_text(text)


def _green(folder: str) -> bool:
    return (
        _run(folder, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0", *TESTS).returncode == 0
    )


def _run(folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without bytecode: two texts of one length, written within a second, would pass for the same.
    env = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def main() -> int:
    alive = 0
    for name in survivors():
        alive += 1
        print(f"survived: {name}", flush=True)
    print(f"{len(MUTANTS) - alive} of {len(MUTANTS)} mutants were noticed")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
