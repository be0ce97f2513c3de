"""The store: one transaction at a time in, what was committed out.

Its writer is whoever calls :meth:`Store.commit`, one thread at a time. Readers may be any threads; each reads from a
connection of its own what was committed last, and neither waits for the writer nor makes it wait.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import URL, Connection, Engine, insert, make_url, select
from sqlalchemy.exc import ArgumentError

from fairlead_server.domain.amendments import RequestRecord
from fairlead_server.domain.order import Order
from fairlead_server.fix.terms import Sent
from fairlead_server.store import events, journal, orders, recovery, schema, sqlite, tables
from fairlead_server.store.batch import Batch, EventRow
from fairlead_server.store.committer import Committer
from fairlead_server.store.errors import StoreError, told_plainly
from fairlead_server.store.events import EventQuery
from fairlead_server.store.orders import OrderQuery
from fairlead_server.store.snapshot import Snapshot, client_key

__all__ = ["EventQuery", "OrderQuery", "Snapshot", "Store", "StoreError", "client_key", "open_store"]


def open_store(url: str, *, busy_timeout: float = sqlite.BUSY_TIMEOUT) -> Store:
    """Open the store, which is made on first use: its folder, its tables and the marks that tell it from others.

    ``sqlite:///var/fairlead.db`` is a file, and no other process can open it meanwhile; ``sqlite://`` is memory.
    """
    parsed = _parse(url)
    with told_plainly(url), ExitStack() as undo:
        path = sqlite.path_of(parsed)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            undo.callback(sqlite.FileLock(path, url).release)
        writer, reader = sqlite.engines(parsed, busy_timeout)
        undo.callback(writer.dispose)
        undo.callback(reader.dispose)
        with writer.begin() as connection:
            schema.migrate(connection, url)
            _mark(connection)
        checkpointer = None
        if path is not None:
            checkpointer = sqlite.Checkpointer(path, busy_timeout)
            undo.callback(checkpointer.close)
        return Store(url, writer, reader, checkpointer, undo.pop_all())


class Store:
    """See :func:`open_store`. Every method may raise :class:`StoreError`."""

    def __init__(
        self,
        url: str,
        writer: Engine,
        reader: Engine,
        checkpointer: sqlite.Checkpointer | None,
        closing: ExitStack,
    ) -> None:
        self._url = url
        self._writer = writer
        self._reader = reader
        self._checkpointer = checkpointer
        self._closing = closing
        self._committer = Committer(writer.dialect)

    def commit(self, batch: Batch) -> None:
        """Make the whole batch durable, or, if this raises, nothing of it."""
        with told_plainly(self._url), self._writer.begin() as connection:
            self._committer.write(connection, batch)
        if self._checkpointer is not None:
            self._checkpointer.written()

    def load(self, now: datetime) -> Snapshot:
        with self._reading() as connection:
            return recovery.snapshot(connection, now)

    def close(self) -> None:
        with told_plainly(self._url):
            self._closing.close()

    # Orders.

    def order(self, order_id: str) -> Order | None:
        with self._reading() as connection:
            return orders.by_order_id(connection, order_id)

    def order_by_client_order_id(self, account_id: str, client_order_id: str) -> Order | None:
        with self._reading() as connection:
            return orders.by_client_order_id(connection, account_id, client_order_id)

    def order_by_cl_ord_id(self, session_id: str, cl_ord_id: str) -> Order | None:
        with self._reading() as connection:
            return orders.by_cl_ord_id(connection, session_id, cl_ord_id)

    def order_by_venue_order_id(self, session_id: str, venue_order_id: str) -> Order | None:
        with self._reading() as connection:
            return orders.by_venue_order_id(connection, session_id, venue_order_id)

    def list_orders(self, query: OrderQuery) -> list[Order]:
        with self._reading() as connection:
            return orders.matching(connection, query)

    def live_orders(self, query: OrderQuery) -> tuple[int, list[Order]]:
        """The live orders among those asked for, and the log's head at the same instant."""
        with self._reading() as connection:
            return events.head(connection), orders.matching(connection, replace(query, live_only=True))

    def request(self, request_id: str) -> RequestRecord | None:
        with self._reading() as connection:
            found = select(tables.requests.c.facts).where(tables.requests.c.request_id == request_id)
            return connection.scalar(found)

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

    # The journal of messages.

    def sent(self, session_id: str, epoch: int, begin: int, end: int) -> list[Sent]:
        """What went out with the numbers from ``begin`` to ``end``, both included, in order."""
        with self._reading() as connection:
            return journal.sent(connection, session_id, epoch, begin, end)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One transaction: all that is read within it is of one instant."""
        with told_plainly(self._url), self._reader.connect() as connection:
            yield connection


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(url, "this is not a URL", _URLS) from error
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(url, f"there is no store for {parsed.get_backend_name()}", _URLS)
    if str(parsed.database).startswith("file:"):
        raise StoreError(url, "the file must be given as a plain path", _URLS)
    return parsed


_URLS = "write it as sqlite:///folder/file.db, or with four slashes for an absolute path"


def _mark(connection: Connection) -> None:
    """Give a new store what tells it from all others."""
    if connection.scalar(select(tables.meta.c.only)) is None:
        values = {"only": 1, "log_epoch": 1 + secrets.randbelow(2**53 - 1), "secret": secrets.token_bytes(32)}
        connection.execute(insert(tables.meta).values(values))
