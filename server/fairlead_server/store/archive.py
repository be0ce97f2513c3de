"""What has become too old for the store, in files: one a day and kind, JSON lines, compressed by gzip.

A file grows by whole gzip members, which ``zcat`` and any gzip library read as one. How far it counts is kept in the store,
in the transaction that deletes what was written: so a member whose rows were not deleted, because somebody died in
between, is cut off and written again.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable
from datetime import datetime
from itertools import starmap
from pathlib import Path

from sqlalchemy import Connection, exists, select

from fairlead_server.store import events, journal
from fairlead_server.store.batch import EventRow, MessageRow
from fairlead_server.store.errors import StoreError
from fairlead_server.store.journal import StoredMessage
from fairlead_server.store.tables import events as log
from fairlead_server.store.tables import messages, orders

EVENTS_FLOOR = "events_floor"  # counter: the last sequence number that is not promised any more
EVENTS_SINCE = "events_since"  # counter: since when events are, in microseconds since 1970
MESSAGES_FLOOR = "messages_floor"  # counter: since when messages are, in microseconds since 1970
_SIZE = "archive/"


def size_counter(name: str) -> str:
    """The counter that says how many bytes of a file count."""
    return f"{_SIZE}{name}"


class Folder:
    """Raises :class:`StoreError` where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, name: str, size: int, lines: Iterable[str]) -> int:
        """Add to a file of which ``size`` bytes count; returns how many do then. All of it is on the disk.

        A file that is gone was moved away, and begins anew.
        """
        member = gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
        try:
            return self._append(self._path / name, size, member)
        except OSError as error:
            cause = f"{error.strerror or error}: {error.filename or name}"
            raise StoreError(
                str(self._path), cause, "check the folder, its permissions and the disk"
            ) from error

    def _append(self, file: Path, size: int, member: bytes) -> int:
        self._path.mkdir(parents=True, exist_ok=True)
        new = not file.exists()
        with file.open("ab") as out:
            found = 0 if new else out.tell()
            if found < size and not new:
                cause = f"{file} has {found} bytes, {size} were written"
                raise StoreError(str(self._path), cause, "restore the file, or move it away")
            start = min(found, size)
            out.truncate(start)
            out.write(member)
            out.flush()
            os.fsync(out.fileno())
        if new:
            self._sync(self._path)
        return start + len(member)

    def _sync(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def day_file(kind: str, time: datetime) -> str:
    return f"{kind}-{time:%Y-%m-%d}.jsonl.gz"


def message_line(stored: StoredMessage) -> str:
    """The frame as text, a character a byte; its fields end with SOH, which JSON writes as ``\\u0001``."""
    row = stored.row
    return json.dumps(
        {
            "message_id": stored.message_id,
            "session_id": row.session_id,
            "epoch": row.epoch,
            "direction": row.direction.value,
            "msg_seq_num": row.msg_seq_num,
            "msg_type": row.msg_type,
            "time": row.time.isoformat(),
            "frame": row.frame.decode("latin-1"),
        }
    )


def old_events(connection: Connection, after: int, until: int, limit: int) -> list[EventRow]:
    """From the oldest on, but for those of orders that are open."""
    is_open = exists(select(orders.c.order_id).where(orders.c.order_id == log.c.order_id, orders.c.live == 1))
    found = select(*events.ROW).where(log.c.sequence > after, log.c.sequence <= until, ~is_open)
    return list(starmap(EventRow, connection.execute(found.order_by(log.c.sequence).limit(limit))))


def old_messages(connection: Connection, before: datetime, limit: int) -> list[StoredMessage]:
    """From the oldest on, up to the first that is not older than ``before``, and never the last of all."""
    number = messages.c.message_id
    found = select(number, *journal.ROW).order_by(number).limit(limit + 1)
    rows = [StoredMessage(number, MessageRow(*row)) for number, *row in connection.execute(found)]
    old = 0
    while old < len(rows) - 1 and rows[old].row.time < before:
        old += 1
    return rows[:old]
