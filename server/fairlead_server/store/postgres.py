"""PostgreSQL as the store's database: one writer, who alone may write, and a pool of readers.

A group is sent as one pipeline, from the fence to COMMIT, and takes one round trip however many statements it has.

The writer is one connection. It holds an advisory lock for as long as it lives, so there is no second writer beside
it; and it has an epoch in the table ``lease``, raised with each connection, which every group checks first, in its own
transaction. The lock keeps a second router out. The epoch stops one that does not know yet that it is the second.

A connection that fails in a commit is never used again. The next one waits for the lock, which the server lets go of
only when the transaction of the old one has ended one way or the other: so whoever then reads the store reads the
truth about a commit whose answer was lost.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, cast

import psycopg
from psycopg import errors
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine
from sqlalchemy.exc import DBAPIError

from fairlead_server.store.batch import Batch
from fairlead_server.store.committer import Committer
from fairlead_server.store.deadlines import Deadlines
from fairlead_server.store.errors import (
    FAULT_OF_THE_PROGRAM,
    SEE_THE_LOG,
    VALUE_OF_THE_PROGRAM,
    Faults,
    StoreError,
)

_READERS = 8
_OLDEST = 15
_LOADING = 600.0  # seconds: memory is rebuilt from one long read
_STATEMENTS = 1000  # kept prepared: more than there are

# libpq's settings, https://www.postgresql.org/docs/current/libpq-connect.html; the URL may say otherwise.
_DEFAULTS = {
    "connect_timeout": "5",  # seconds
    "tcp_user_timeout": "10000",  # milliseconds; so long we wait for any answer, see Deadlines
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "target_session_attrs": "primary",  # of several hosts the one that takes writes
}
# The server's, https://www.postgresql.org/docs/current/runtime-config-client.html. A router that has disappeared is
# noticed within seconds, or nobody could take its place.
_SESSION = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "idle_in_transaction_session_timeout": "10000",
}
_WRITER = {"plan_cache_mode": "force_generic_plan"}
_READER = {"default_transaction_read_only": "on", "default_transaction_isolation": "repeatable\\ read"}

_KEY = "(1178683730::bigint << 32) | current_schema()::regnamespace::oid::bigint"  # "FAIR", and whose tables
_LOCK = f"SELECT pg_advisory_lock({_KEY})"
_HOLDER = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'"
    " AND l.granted AND l.objsubid = 1 AND l.classid = 1178683730"
    " AND l.objid = current_schema()::regnamespace::oid AND l.database = a.datid AND a.datname = current_database()"
)
_TAKE = (
    "INSERT INTO lease (shard, epoch) VALUES (0, 1)"
    " ON CONFLICT (shard) DO UPDATE SET epoch = lease.epoch + 1 RETURNING epoch"
)
# Divides by zero, and so ends the transaction, where the lease is another's. The share lock has whoever takes it
# wait for the end of the group.
_FENCE = "SELECT 1 / count(*) FROM (SELECT FROM lease WHERE shard = 0 AND epoch = $1 FOR SHARE) AS held"
_TAKEN = "another router has taken it over", "stop one of the two"
_FACTS = (
    "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),"
    " current_setting('fsync'), current_setting('synchronous_commit'), current_schema()"
)


class Database:
    """See :class:`fairlead_server.store.database.Database`.

    ``busy_timeout`` is how many seconds to wait for another router to end. ``set_up`` is called once, on the writer's
    connection, in a transaction, before anything else.
    """

    def __init__(self, url: URL, busy_timeout: float, set_up: Callable[[Connection], None]) -> None:
        self._url = url
        self._busy_timeout = busy_timeout
        self._answer_timeout = float(str(_connect_args(url, {})["tcp_user_timeout"])) / 1000
        self._writing: Connection | None = None
        self._epoch = 0
        with ExitStack() as undo:
            self._deadlines = Deadlines()
            undo.callback(self._deadlines.close)
            self.writer = _engine(url, _WRITER, poolclass=NullPool, paramstyle="format")
            self._committer = Committer(self.writer.dialect)
            self.reader = _engine(url, _READER, poolclass=QueuePool, pool_size=_READERS, max_overflow=0)
            undo.callback(self.reader.dispose)
            self._in_place = _engine(
                url, _READER, poolclass=QueuePool, pool_size=1, max_overflow=0, isolation_level="AUTOCOMMIT"
            )
            undo.callback(self._in_place.dispose)
            undo.callback(self._leave)
            self._writing = self._locked()
            with self._writing.begin():
                set_up(self._writing)
            self._take(self._writing)
            self._closing = undo.pop_all()

    def begin(self, batch: Batch) -> Callable[[], None]:
        """All of it is left: the server has to be asked."""
        return partial(self._commit, batch)

    def _commit(self, batch: Batch) -> None:
        try:
            self._send(batch, _driver(self._writing or self._returned()))
        except errors.DivisionByZero:
            self._leave()
            raise StoreError(str(self._url), *_TAKEN) from None
        except BaseException:
            self._leave()
            raise

    def _send(self, batch: Batch, connection: psycopg.Connection[Any]) -> None:
        cursor = psycopg.RawCursor(connection)
        with self._deadlines.within(self._answer_timeout, connection.fileno()), connection.pipeline():
            cursor.execute(_FENCE, (self._epoch,))
            self._committer.write(cursor, batch)
            connection.commit()

    @contextmanager
    def reading(self, *, everything: bool = False) -> Iterator[Connection]:
        limit = _LOADING if everything else self._answer_timeout
        connection = self.reader.connect()
        # Giving it back asks the server as well, so that the deadline is around it.
        with self._answering(connection, limit), connection:
            yield connection

    @contextmanager
    def reading_in_place(self) -> Iterator[Connection]:
        connection = self._in_place.connect()
        with self._answering(connection, self._answer_timeout), connection:
            yield connection

    def _answering(self, connection: Connection, seconds: float) -> AbstractContextManager[None]:
        return self._deadlines.within(seconds, _driver(connection).fileno())

    def close(self) -> None:
        self._closing.close()

    # The writer comes and goes.

    def _returned(self) -> Connection:
        """Connect again. What the pool holds is likely to be as dead as the connection that was lost."""
        self.reader.dispose()
        self._in_place.dispose()
        self._writing = self._locked()
        self._take(self._writing)
        return self._writing

    def _locked(self) -> Connection:
        connection = self.writer.connect()
        try:
            with self._answering(connection, self._answer_timeout + self._busy_timeout):
                self._check(connection)
                self._lock(connection)
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        _keep_prepared(_driver(connection))
        return connection

    def _lock(self, connection: Connection) -> None:
        try:
            with connection.begin():
                connection.exec_driver_sql(
                    f"SET LOCAL lock_timeout = {max(1, int(self._busy_timeout * 1000))}"
                )
                connection.exec_driver_sql(_LOCK)
        except DBAPIError as error:
            if not isinstance(error.orig, errors.LockNotAvailable):
                raise
            holder = connection.exec_driver_sql(_HOLDER).scalar() or "another process"
            remedy = "stop that process, or give this one a database of its own"
            raise StoreError(str(self._url), f"{holder} has it open", remedy) from None

    def _take(self, connection: Connection) -> None:
        with self._answering(connection, self._answer_timeout), connection.begin():
            self._epoch = int(connection.exec_driver_sql(_TAKE).scalar_one())

    def _leave(self) -> None:
        if self._writing is not None:
            self._writing.invalidate()  # closed at once, with no word to a server that may not listen
            self._writing.close()
            self._writing = None

    def _check(self, connection: Connection) -> None:
        """Whether the server can keep what a store promises."""
        with connection.begin():
            version, encoding, fsync, synchronous, schema = connection.exec_driver_sql(_FACTS).one()
        if version < _OLDEST:
            self._refuse(f"the server is PostgreSQL {version}", f"use PostgreSQL {_OLDEST} or newer")
        if encoding != "UTF8":
            self._refuse(f"the database's encoding is {encoding}", "make the database with ENCODING 'UTF8'")
        if fsync != "on":
            self._refuse("the server runs with fsync=off and may lose what it has confirmed", "set fsync=on")
        if schema is None:
            self._refuse(
                "there is no schema on the search_path", "create it, and let the role create tables there"
            )
        if synchronous == "off":
            with connection.begin():
                connection.exec_driver_sql("SET SESSION synchronous_commit = on")

    def _refuse(self, cause: str, remedy: str) -> None:
        raise StoreError(str(self._url), cause, remedy)


def _engine(url: URL, session: Mapping[str, str], **pool: Any) -> Engine:
    return create_engine(
        URL.create("postgresql+psycopg"),
        creator=lambda: psycopg.connect(**_connect_args(url, session)),
        use_native_hstore=False,
        **pool,
    )


def _connect_args(url: URL, session: Mapping[str, str]) -> dict[str, Any]:
    """What the URL says comes before our defaults; of the session's settings ours come last."""
    _, given = url.get_dialect()().create_connect_args(url)
    ours = " ".join(f"-c {name}={value}" for name, value in {**_SESSION, **session}.items())
    options = f"{given.get('options', '')} {ours}".strip()
    name = f"process {os.getpid()} on {socket.gethostname()}"[:63]
    return {**_DEFAULTS, "application_name": name, **given, "options": options}


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def _keep_prepared(connection: psycopg.Connection[Any]) -> None:
    # The driver sends a number in the smallest type that holds it, and a statement is prepared once for each type.
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.prepare_threshold, connection.prepared_max = 0, _STATEMENTS


def remedy(error: BaseException) -> str:
    state = (error.sqlstate or "") if isinstance(error, psycopg.Error) else ""
    if isinstance(error, psycopg.DataError):
        return VALUE_OF_THE_PROGRAM
    if not state and isinstance(error, psycopg.OperationalError):
        return "see that the server runs and can be reached, and that the URL is right"
    return next((text for start, text in _REMEDIES if state.startswith(start)), SEE_THE_LOG)


_REMEDIES = (  # by SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html
    ("23", FAULT_OF_THE_PROGRAM),
    ("25006", "name the primary: this server takes no writes"),
    ("28", "check user and password, and the server's pg_hba.conf"),
    ("3D000", "create the database"),
    ("42501", "let the role create and use tables in its schema"),
    ("53100", "free some space on the server's disk"),
    ("53300", "raise max_connections, or close other clients"),
    ("55P03", "see who holds the locks, in pg_locks"),
    ("57P", "wait until the server is back"),
)
FAULTS = Faults(psycopg.Error, remedy)
