"""SQLite as the store's database: one file, one process, one writer, readers that never wait.

The write-ahead log lets readers see the last commit while the next is being written (https://www.sqlite.org/wal.html);
``synchronous=FULL`` has each commit on the disk before it returns. A database in memory, for tests, is one connection
that whoever comes next waits for.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

from sqlalchemy import URL, Connection, Engine, PoolProxiedConnection, QueuePool, create_engine, event

from fairlead_server.store.batch import Batch
from fairlead_server.store.committer import Committer
from fairlead_server.store.errors import (
    FAULT_OF_THE_PROGRAM,
    SEE_THE_LOG,
    VALUE_OF_THE_PROGRAM,
    Faults,
    StoreError,
)

BUSY_TIMEOUT = 5.0  # seconds to wait for a foreign program, such as a backup, that holds the database
_READERS = 8
_MANY_ROWS = 4_000  # which take some 20 ms to write
_LARGEST_WAL = 16_384  # pages, 64 MiB: past it a commit itself writes the rest back
_CHECKPOINT_EVERY = 0.5  # seconds
_PRAGMAS = ("foreign_keys=ON", "synchronous=FULL", "temp_store=MEMORY")
_WRITER = (
    "journal_mode=WAL",
    f"wal_autocheckpoint={_LARGEST_WAL}",
    f"journal_size_limit={_LARGEST_WAL * 4096}",
    "cache_size=-65536",  # KiB
)
_READER = ("query_only=ON",)
_BEGIN_WRITING = "BEGIN IMMEDIATE"


class Database:
    """See :class:`fairlead_server.store.database.Database`."""

    def __init__(self, url: URL, busy_timeout: float, set_up: Callable[[Connection], None]) -> None:
        self.checkpointer: Checkpointer | None = None
        with ExitStack() as undo:
            path = path_of(url)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                undo.callback(FileLock(path, str(url)).release)
            self.writer, self.reader, self._in_place = engines(url, busy_timeout)
            for engine in (self.writer, self.reader, self._in_place):
                undo.callback(engine.dispose)
            with self.writer.begin() as connection:
                set_up(connection)
            if path is not None:
                self.checkpointer = Checkpointer(path, busy_timeout)
                undo.callback(self.checkpointer.close)
            self._closing = undo.pop_all()
        self._committer = Committer(self.writer.dialect)
        self._busy_timeout = busy_timeout

    def begin(self, batch: Batch) -> Callable[[], None]:
        """Rows go into pages in memory, of which a cold one is read first; the disk waits for COMMIT, which is left.

        All of it is left where the rows are many, and while a foreign program holds the database.
        """
        whole = partial(self._commit, batch)
        if self.checkpointer is None or batch.size > _MANY_ROWS:
            return whole
        try:
            return partial(self._finish, self._written(batch, patience=0))
        except sqlite3.OperationalError as error:
            if _name(error).startswith("SQLITE_BUSY"):
                return whole
            raise

    def _commit(self, batch: Batch) -> None:
        self._finish(self._written(batch, self._busy_timeout))

    def _written(self, batch: Batch, patience: float) -> PoolProxiedConnection:
        """In a transaction, which is rolled back if the connection is closed."""
        connection = self.writer.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout = {round(1000 * patience)}")
            cursor.execute(_BEGIN_WRITING)
            self._committer.write(cursor, batch)
        except BaseException:
            connection.close()
            raise
        return connection

    def _finish(self, connection: PoolProxiedConnection) -> None:
        with closing(connection):
            connection.commit()
        if self.checkpointer is not None:
            self.checkpointer.written()

    def reading(self, *, everything: bool = False) -> AbstractContextManager[Connection]:
        del everything  # it takes as long as it takes
        return self.reader.connect()

    def reading_in_place(self) -> AbstractContextManager[Connection]:
        return self._in_place.connect()

    def close(self) -> None:
        self._closing.close()


def remedy(error: BaseException) -> str:
    if isinstance(error, sqlite3.IntegrityError):
        return FAULT_OF_THE_PROGRAM
    if isinstance(error, sqlite3.DataError | sqlite3.InterfaceError):
        return VALUE_OF_THE_PROGRAM
    name = _name(error)
    return next((text for start, text in _REMEDIES if name.startswith(start)), SEE_THE_LOG)


def _name(error: BaseException) -> str:
    """Of its result code, empty where the driver has found the fault itself."""
    return str(getattr(error, "sqlite_errorname", ""))


_REMEDIES = (  # by SQLite's result code, https://www.sqlite.org/rescode.html
    ("SQLITE_FULL", "free some space on the disk"),
    ("SQLITE_BUSY", "close the program that holds the database"),
    ("SQLITE_LOCKED", "close the program that holds the database"),
    ("SQLITE_READONLY", "make the file and its folder writable for this user"),
    ("SQLITE_CANTOPEN", "make the file and its folder readable and writable for this user"),
    ("SQLITE_PERM", "make the file and its folder readable and writable for this user"),
    ("SQLITE_NOTADB", "name a file that Fairlead has made, or none at all"),
    ("SQLITE_CORRUPT", "restore the file from a backup"),
    ("SQLITE_IOERR", "check the disk and the space on it"),
)
FAULTS = Faults(sqlite3.Error, remedy)


def path_of(url: URL) -> Path | None:
    """The file that the URL names; None for a database in memory."""
    return None if url.database in (None, "", ":memory:") else Path(str(url.database))


def engines(url: URL, busy_timeout: float) -> tuple[Engine, Engine, Engine]:
    """One to write with, of a single connection, one to read with, and one for single rows, of a single connection too."""
    if path_of(url) is None:
        only = _engine(url, 1, busy_timeout, "BEGIN", ())
        return only, only, only
    writer = _engine(url, 1, busy_timeout, _BEGIN_WRITING, _WRITER)
    reader = _engine(url, _READERS, busy_timeout, "BEGIN", _READER)
    return writer, reader, _engine(url, 1, busy_timeout, "", _READER)


def _engine(url: URL, connections: int, timeout: float, begin: str, pragmas: tuple[str, ...]) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": timeout, "cached_statements": 512},
    )

    # The driver would begin a transaction only with the first change, and none for reads: we say BEGIN ourselves.
    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in (*_PRAGMAS, *pragmas):
            connection.execute(f"PRAGMA {pragma}")

    if begin:

        @event.listens_for(engine, "begin")
        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

    return engine


class FileLock:
    """Held for as long as the store is open, and let go by the system if the process dies."""

    def __init__(self, path: Path, url: str) -> None:
        file = path.with_name(f"{path.name}.lock")
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 20).decode(errors="replace")
            os.close(self._file)
            cause = f"process {holder} has it open" if holder.isdigit() else "another process has it open"
            raise StoreError(url, cause, "stop that process, or give this one a store of its own") from None
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        os.close(self._file)


class Checkpointer:
    """Writes the log back into the database file beside the commits, so that none of them has to.

    A passive checkpoint waits for nobody and nobody waits for it. What it cannot do under steady load is to catch up
    entirely, after which the log starts over; the writer does so itself, with little left to do, at ``_LARGEST_WAL``.
    """

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self._connection = sqlite3.connect(
            path, timeout=busy_timeout, isolation_level=None, check_same_thread=False
        )
        self._written, self._stop = Event(), Event()
        self._thread = Thread(target=self._run, name="checkpointer", daemon=True)
        self._thread.start()

    def written(self) -> None:
        self._written.set()

    def close(self) -> None:
        """Write back all there is and empty the log."""
        self._stop.set()
        self._written.set()
        self._thread.join()
        try:
            self._checkpoint("TRUNCATE")
        finally:
            self._connection.close()

    def _run(self) -> None:
        while self._written.wait() and not self._stop.wait(_CHECKPOINT_EVERY):
            self._written.clear()
            if self._stop.is_set():  # what was just cleared may have been the call to end
                return
            try:
                self._checkpoint("PASSIVE")
            except sqlite3.Error:
                # Nothing is lost by it: the log keeps what was committed. A broken disk shows at the next commit.
                continue

    def _checkpoint(self, mode: str) -> None:
        self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
