"""The simulator's memory: an append-only file in which one line of JSON is one turn. Also its log, for any reader.

When ``write`` returns, the operating system has the line, so `kill -9` loses nothing that was told; with ``fsync``
the disk has it too. A last line without its end is the trace of a crash before anything of it was told, and is cut
off at the start. What a line holds: docs/fix-sim.md.
"""

import fcntl
import json
import os
import tempfile
from pathlib import Path

from fairlead_server.fix.events import ResendWanted
from fairlead_server.fix.terms import Numbers, Sent

from fix_sim.broker import Turn
from fix_sim.config import IN_MEMORY
from fix_sim.engine import Ids
from fix_sim.errors import JournalFailed, StartError
from fix_sim.records import Memory, Record, read_sent, write_turn

FILE_NAME = "journal.jsonl"
_BLOCK = 1 << 16


class Journal:
    """Owns an open file, locks it against other simulators, and keeps where in it each sent message is."""

    def __init__(self, fd: int, name: str, *, fsync: bool = False) -> None:
        self._fd = fd
        self._name = name
        self._fsync = fsync
        self._end = 0
        self._numbers: dict[str, Numbers] = {}
        self._offsets: dict[
            tuple[str, int], dict[int, int]
        ] = {}  # by client and epoch, then by MsgSeqNum(34)

    def replay(self) -> Memory:
        """Call once, before anything else."""
        memory = Memory()
        with open(self._fd, "rb", closefd=False) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    record = json.loads(line)
                    memory.apply(record)
                    self._index(record)
                except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError) as error:
                    raise StartError(
                        f"{self._name} line {number}",
                        f"is damaged ({type(error).__name__}: {error})",
                        "restore the file, or move it away to begin anew",
                    ) from None
                self._end += len(line)
        os.ftruncate(self._fd, self._end)
        return memory

    def write(self, turn: Turn, ids: Ids) -> None:
        """Make a turn durable. If this raises, nothing of the turn may be acted on, nor anything after it."""
        record = write_turn(turn, ids, self._numbers)
        if record is None:
            return
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        try:
            self._append(line)
        except OSError as error:
            raise JournalFailed(self._name, error) from error
        self._index(record)
        self._end += len(line)

    def sent(self, client: str, wanted: ResendWanted) -> list[Sent]:
        """What was sent to a client under the numbers that it wants again, in order."""
        numbers = range(wanted.begin, wanted.end + 1)
        offsets = self._offsets.get((client, wanted.epoch), {})
        return [
            sent
            for offset in sorted({offsets[number] for number in numbers if number in offsets})
            for sent in read_sent(self._read(offset), client)
            if sent.epoch == wanted.epoch and sent.msg_seq_num in numbers
        ]

    def close(self) -> None:
        os.close(self._fd)

    def _append(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            left = left[os.write(self._fd, left) :]
        if self._fsync:
            os.fsync(self._fd)

    def _index(self, record: Record) -> None:
        for client, part in record.get("sessions", {}).items():
            self._numbers[client] = Numbers(*part["numbers"])
            for sent in part["sent"]:
                self._offsets.setdefault((client, sent["epoch"]), {})[sent["seq"]] = self._end

    def _read(self, offset: int) -> Record:
        blocks: list[bytes] = []
        while not blocks or b"\n" not in blocks[-1]:
            blocks.append(os.pread(self._fd, _BLOCK, offset + sum(map(len, blocks))))
        record: Record = json.loads(b"".join(blocks).partition(b"\n")[0])
        return record


def open_journal(store: str, *, fsync: bool = False) -> Journal:
    """The journal of a folder, made if it is not there; ``:memory:`` is a file without a name that nobody finds again."""
    if store == IN_MEMORY:
        with tempfile.TemporaryFile() as file:
            return Journal(os.dup(file.fileno()), store)
    path = Path(store) / FILE_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        right = "name a folder that can be written to with --store"
        raise StartError(f"store {store}", f"cannot be used ({error.strerror})", right) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise StartError(
            f"store {store}", "another simulator uses it", "stop that one or name another folder"
        ) from None
    return Journal(fd, str(path), fsync=fsync)
