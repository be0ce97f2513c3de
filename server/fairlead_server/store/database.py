"""The store: one transaction at a time in, what was committed out.

Its writer is whoever calls :meth:`Store.begin`, for one batch at a time. Readers may be any threads; each reads from a
connection of its own what was committed last, and neither waits for the writer nor makes it wait.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from msgspec.structs import replace
from sqlalchemy import URL, Connection, insert, make_url, select
from sqlalchemy.exc import ArgumentError

from fairlead_server.domain.order import Order
from fairlead_server.domain.position import DayTotal, TotalKey
from fairlead_server.domain.risk.events import RiskEvent
from fairlead_server.fix.terms import Sent
from fairlead_server.store import (
    archive,
    audit,
    backups,
    events,
    holdings,
    journal,
    orders,
    recovery,
    risk,
    schema,
    sqlite,
    tables,
)
from fairlead_server.store.batch import AuditRow, BackupRow, Batch, DecisionRow, EventRow
from fairlead_server.store.errors import Faults, StoreError, told_plainly
from fairlead_server.store.events import EventQuery
from fairlead_server.store.holdings import DayQuery
from fairlead_server.store.journal import MessageQuery, StoredMessage
from fairlead_server.store.keys import client_key
from fairlead_server.store.lookups import Lookups
from fairlead_server.store.orders import OrderQuery
from fairlead_server.store.snapshot import Snapshot

__all__ = [
    "DayQuery",
    "EventQuery",
    "MessageQuery",
    "OrderQuery",
    "Snapshot",
    "Store",
    "StoreError",
    "StoredMessage",
    "client_key",
    "open_store",
]


class Database(Protocol):
    """What each kind of database does in its own way. The first to open it sets it up."""

    def begin(self, batch: Batch) -> Callable[[], None]: ...

    def reading(self, *, everything: bool = False) -> AbstractContextManager[Connection]:
        """One transaction, which sees what was committed when it began; with ``everything`` it may take long."""

    def reading_in_place(self) -> AbstractContextManager[Connection]:
        """A connection that is kept for one thread's single statements, with no transaction around them."""

    def close(self) -> None: ...


def open_store(url: str, *, busy_timeout: float = sqlite.BUSY_TIMEOUT) -> Store:
    """Open the store, which is made on first use: its folder, its tables and the marks that tell it from others.

    ``sqlite:///var/fairlead.db`` is a file, ``sqlite://`` is memory, ``postgresql+psycopg://user@host/name`` a
    database on a server. No other process can open it meanwhile, for whose end ``busy_timeout`` seconds are waited.
    """
    parsed = _parse(url)
    kind, faults = _kind(parsed, url)

    def set_up(connection: Connection) -> None:
        schema.migrate(connection, url)
        _mark(connection)

    with told_plainly(url, faults):
        return Store(url, kind(parsed, busy_timeout, set_up), faults)


class Store(Lookups):
    """See :func:`open_store`. Every method may raise :class:`StoreError`.

    ``in_place`` is for whoever may not wait for others to have read: it has a connection to itself, and takes one row.
    """

    def __init__(self, url: str, database: Database, faults: Faults) -> None:
        super().__init__(self._reading)
        self.in_place = Lookups(self._reading_in_place)
        self._url = url
        self._database = database
        self._faults = faults

    def begin(self, batch: Batch) -> Callable[[], None]:
        """Do what takes no waiting to make the whole batch durable, and return what is left, for any thread to do next.

        See :class:`StoreError` for what is true if either raises.
        """
        with told_plainly(self._url, self._faults):
            return partial(self._finish, self._database.begin(batch))

    def _finish(self, rest: Callable[[], None]) -> None:
        with told_plainly(self._url, self._faults):
            rest()

    def commit(self, batch: Batch) -> None:
        """Both at once."""
        self.begin(batch)()

    def load(self, now: datetime, recent: timedelta = timedelta()) -> Snapshot:
        """``recent`` is for how long back orders are wanted that may have ended."""
        with self._reading(everything=True) as connection:
            return recovery.snapshot(connection, now, recent)

    def close(self) -> None:
        with told_plainly(self._url, self._faults):
            self._database.close()

    # Orders.

    def list_orders(self, query: OrderQuery) -> list[Order]:
        with self._reading() as connection:
            return orders.matching(connection, query)

    def live_orders(self, query: OrderQuery) -> tuple[int, list[Order]]:
        """The live orders among those asked for, and the log's head at the same instant."""
        with self._reading() as connection:
            return events.head(connection), orders.matching(connection, replace(query, live_only=True))

    # The log of events.

    def head(self) -> int:
        """The last sequence number given out, 0 before the first."""
        with self._reading() as connection:
            return events.head(connection)

    def events_after(self, sequence: int, limit: int, query: EventQuery | None = None) -> list[EventRow]:
        with self._reading() as connection:
            return events.after(connection, sequence, limit, query or events.ALL)

    def sequence_at(self, time: datetime) -> int:
        """Of the latest event before ``time``, 0 if there is none."""
        with self._reading() as connection:
            return events.sequence_at(connection, time)

    # What risk has said.

    def risk_decisions(self, order_id: str) -> list[DecisionRow]:
        """On an order and on each of its amends, oldest first."""
        with self._reading() as connection:
            return risk.decided(connection, order_id)

    def risk_events_after(
        self, sequence: int, limit: int, account_ids: Collection[str] = ()
    ) -> list[RiskEvent]:
        with self._reading() as connection:
            return risk.events_after(connection, sequence, limit, account_ids)

    # The journal of messages.

    def sent(self, session_id: str, epoch: int, begin: int, end: int) -> list[Sent]:
        """What went out with the numbers from ``begin`` to ``end``, both included, in order."""
        with self._reading() as connection:
            return journal.sent(connection, session_id, epoch, begin, end)

    def messages(self, query: MessageQuery) -> list[StoredMessage]:
        with self._reading() as connection:
            return journal.matching(connection, query)

    # What has become old.

    def old_events(self, after: int, until: int, limit: int) -> list[EventRow]:
        """Those beyond ``after`` up to ``until`` whose orders have ended, from the oldest on."""
        with self._reading() as connection:
            return archive.old_events(connection, after, until, limit)

    def old_messages(self, before: datetime, limit: int) -> list[StoredMessage]:
        """From the oldest on, never the last of all."""
        with self._reading() as connection:
            return archive.old_messages(connection, before, limit)

    def counters(self, names: Iterable[str]) -> dict[str, int]:
        """Those of them that there are."""
        columns = tables.counters.c
        found = select(columns.name, columns.value).where(columns.name.in_(list(names)))
        with self._reading() as connection:
            return dict(iter(connection.execute(found)))

    # What was done on which day.

    def list_day_totals(self, query: DayQuery) -> list[tuple[TotalKey, DayTotal]]:
        with self._reading() as connection:
            return holdings.day_totals(connection, query)

    # What operators did.

    def audit(self, subject: str, limit: int) -> list[AuditRow]:
        """Newest first; an empty ``subject`` is any."""
        with self._reading() as connection:
            return audit.newest(connection, subject, limit)

    def backups(self, before: str, limit: int) -> list[BackupRow]:
        """Of the instruments, newest first and without their texts, from beyond the one named ``before``, if any."""
        with self._reading() as connection:
            return backups.newest(connection, before, limit)

    def backup(self, backup_id: str) -> BackupRow | None:
        with self._reading() as connection:
            return backups.one(connection, backup_id)

    @contextmanager
    def _reading(self, *, everything: bool = False) -> Iterator[Connection]:
        """One transaction: all that is read within it is of one instant."""
        with (
            told_plainly(self._url, self._faults),
            self._database.reading(everything=everything) as connection,
        ):
            yield connection

    @contextmanager
    def _reading_in_place(self) -> Iterator[Connection]:
        with told_plainly(self._url, self._faults), self._database.reading_in_place() as connection:
            yield connection


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(url, "this is not a URL", _URLS) from error
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername=_POSTGRESQL)
    if parsed.drivername not in {"sqlite", _POSTGRESQL}:
        raise StoreError(url, f"there is no store for {parsed.drivername}", _URLS)
    if parsed.drivername == "sqlite" and str(parsed.database).startswith("file:"):
        raise StoreError(url, "the file must be given as a plain path", _URLS)
    return parsed


_POSTGRESQL = "postgresql+psycopg"
_URLS = (
    "write it as sqlite:///folder/file.db, with four slashes for an absolute path,"
    f" or as {_POSTGRESQL}://user@host/name"
)


def _kind(
    url: URL, text: str
) -> tuple[Callable[[URL, float, Callable[[Connection], None]], Database], Faults]:
    if url.drivername == "sqlite":
        return sqlite.Database, sqlite.FAULTS
    try:
        from fairlead_server.store import postgres  # noqa: PLC0415 - its driver is an extra
    except ImportError as error:
        remedy = "install it: pip install 'fairlead-server[postgresql]'"
        raise StoreError(text, f"PostgreSQL's driver cannot be loaded: {error}", remedy) from error
    return postgres.Database, postgres.FAULTS


def _mark(connection: Connection) -> None:
    """Give a new store what tells it from all others."""
    if connection.scalar(select(tables.meta.c.only)) is None:
        values = {"only": 1, "log_epoch": 1 + secrets.randbelow(2**53 - 1), "secret": secrets.token_bytes(32)}
        connection.execute(insert(tables.meta).values(values))
