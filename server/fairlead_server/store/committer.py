"""Writes one batch: a few statements, each with many rows, in the order in which rows refer to each other.

The statements are compiled from the tables once and run on the driver's own cursor, with rows in the driver's own
types: that takes a fifth off the commit of a single order. A statement with many rows is one call into the driver,
which gives the interpreter lock away once and not for each row: beside a busy event loop a commit of a hundred orders
takes half as long as with ``executemany``. The counts of rows are powers of two, so that few statements serve any
number and the driver keeps them prepared.

PostgreSQL takes the same statements. An array a column and ``unnest`` would be one statement for any number of rows,
but the driver takes six times as long to write its arrays as to write single values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, count
from typing import Any, Protocol, TypeVar

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

from fairlead_server.store import lever_tables, reference_tables, rows, tables
from fairlead_server.store.batch import Batch
from fairlead_server.store.rows import Row

T = TypeVar("T")

Rows = Callable[[Any], list[Row]]

_MOST_ROWS = 128
_PLACE = re.compile("%s")


class Cursor(Protocol):
    def execute(self, sql: str, values: Sequence[object], /) -> object: ...


class Committer:
    def __init__(self, dialect: Dialect) -> None:
        new = partial(_Insert, dialect)
        kept = partial(_kept, dialect)
        # In the order in which rows refer to each other: where a batch has them, and how a row is made of each.
        self._plan: tuple[tuple[str, _Insert, Rows], ...] = (
            (
                "orders",
                new(tables.orders, rows.ORDER, key="order_id", update=rows.ORDER_CHANGES),
                _of_values(rows.order),
            ),
            ("new_cl_ord_ids", new(tables.cl_ord_ids, rows.CL_ORD_ID), _of_items(rows.cl_ord_id)),
            ("events", new(tables.events, rows.EVENT), _of_each(rows.event)),
            ("executions", new(tables.executions, rows.EXECUTION), _of_each(rows.execution)),
            ("decisions", new(tables.decisions, rows.DECISION), _of_each(rows.decision)),
            (
                "requests",
                new(tables.requests, rows.REQUEST, key="request_id", update="outcome facts"),
                _of_values(rows.request),
            ),
            ("mass_cancels", new(tables.mass_cancels, rows.MASS_CANCEL), _of_each(rows.mass_cancel)),
            (
                "trade_sessions",
                new(tables.trade_sessions, rows.TRADE_SESSION, key="session_key", update="armed time facts"),
                _of_values(rows.trade_session),
            ),
            (
                "dead_men",
                new(lever_tables.dead_men, rows.DEAD_MAN, key="scope", update="armed time facts"),
                _of_values(rows.dead_man),
            ),
            (
                "live_gates",
                new(lever_tables.live_gates, rows.LIVE_GATE, key="scope", update="state facts"),
                _of_values(rows.live_gate),
            ),
            (
                "flattens",
                new(lever_tables.flattens, rows.FLATTEN, key="flatten_id", update="done facts"),
                _of_values(rows.flatten),
            ),
            (
                "halts",
                new(lever_tables.trading_states, rows.HALT, key="number", update="facts"),
                _of_values(rows.halt),
            ),
            (
                "positions",
                new(
                    tables.positions,
                    rows.POSITION,
                    key="account_id instrument_id strategy_id",
                    update="quantity facts",
                ),
                _of_items(rows.position),
            ),
            (
                "trades",
                new(
                    tables.trades,
                    rows.TRADE,
                    key="account_id instrument_id strategy_id place",
                    update="quantity price opening",
                ),
                _of_items(rows.trade),
            ),
            (
                "day_totals",
                new(
                    tables.day_totals,
                    rows.DAY_TOTAL,
                    key="day account_id instrument_id strategy_id session_id",
                    update=rows.DAY_TOTAL_CHANGES,
                ),
                _of_items(rows.day_total),
            ),
            (
                "sessions",
                new(tables.sessions, rows.SESSION, key="session_id", update=rows.NUMBERS),
                _of_items(rows.session),
            ),
            ("messages", new(tables.messages, rows.MESSAGE), _of_each(rows.message)),
            ("counters", new(tables.counters, rows.COUNTER, key="name", update="value"), _items),
            ("stopped", new(tables.stops, rows.STOP, key="session_id", update="reason"), _items),
            ("audit", new(tables.audit, rows.AUDIT), _of_each(rows.audit)),
            ("instruments", kept(reference_tables.instruments, rows.INSTRUMENT), _of_items(rows.instrument)),
            ("prices", kept(reference_tables.reference_prices, rows.INSTRUMENT), _of_items(rows.price)),
            ("calendars", kept(reference_tables.calendars, rows.CALENDAR), _of_items(rows.calendar)),
            ("backups", new(reference_tables.instrument_backups, rows.BACKUP), _of_each(rows.backup)),
            (
                "limit_sets",
                new(tables.limit_sets, rows.LIMIT_SET, key="limit_id", update="deleted facts"),
                _of_values(rows.limit_set),
            ),
            ("risk_events", new(tables.risk_events, rows.RISK_EVENT), _of_each(rows.risk_event)),
        )
        self._gone = (
            ("gone_events", _Delete(dialect, tables.events, "sequence")),
            ("gone_messages", _Delete(dialect, tables.messages, "message_id")),
        )

    def write(self, cursor: Cursor, batch: Batch) -> None:
        """Within the caller's transaction."""
        for name, insert, made in self._plan:
            due = getattr(batch, name)
            if due:
                insert.run(cursor, made(due))
        for name, delete in self._gone:
            delete.run(cursor, getattr(batch, name))


class _Insert:
    """An INSERT into one table. With ``key``, a row that is there already takes the new values of ``update``."""

    def __init__(
        self, dialect: Dialect, table: Table, columns: str, *, key: str = "", update: str = ""
    ) -> None:
        # The two dialects' INSERTs differ in nothing that is used here, but share no class.
        insert = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
        if key:
            changes = {name: insert.excluded[name] for name in update.split()}
            insert = insert.on_conflict_do_update(index_elements=key.split(), set_=changes)
        sql = str(insert.compile(dialect=dialect, column_keys=columns.split()))
        self._head, _, rest = sql.partition(" VALUES ")
        row, closing, self._tail = rest.partition(")")
        self._row = row + closing
        self._texts: dict[int, str] = {}

    def run(self, cursor: Cursor, due: Sequence[Row]) -> None:
        for group in _groups(due):
            cursor.execute(self._text(len(group)), tuple(chain.from_iterable(group)))

    def _text(self, size: int) -> str:
        if size not in self._texts:
            values = ", ".join([self._row] * size)
            self._texts[size] = f"{self._head} VALUES {_numbered(values)}{self._tail}"
        return self._texts[size]


def _kept(dialect: Dialect, table: Table, columns: str) -> _Insert:
    key, _, update = columns.partition(" ")
    return _Insert(dialect, table, columns, key=key, update=update)


class _Delete:
    """A DELETE from one table, by a number that each row has to itself."""

    def __init__(self, dialect: Dialect, table: Table, column: str) -> None:
        self._head = f"DELETE FROM {table.name} WHERE {column} IN"  # noqa: S608 - both are ours
        self._place = "%s" if dialect.name == "postgresql" else "?"

    def run(self, cursor: Cursor, numbers: Sequence[int]) -> None:
        for group in _groups(numbers):
            places = _numbered(", ".join([self._place] * len(group)))
            cursor.execute(f"{self._head} ({places})", tuple(group))


# How rows are made of what a batch has of one kind.


def _of_each(row: Callable[[Any], Row]) -> Rows:
    return lambda due: [row(one) for one in due]


def _of_values(row: Callable[[Any], Row]) -> Rows:
    return lambda due: [row(one) for one in due.values()]


def _of_items(row: Callable[[Any, Any], Row]) -> Rows:
    return lambda due: [row(*item) for item in due.items()]


def _items(due: Any) -> list[Row]:
    return list(due.items())


def _groups(due: Sequence[T]) -> Iterator[Sequence[T]]:
    start = 0
    while left := len(due) - start:
        size = min(1 << (left.bit_length() - 1), _MOST_ROWS)
        yield due[start : start + size]
        start += size


def _numbered(values: str) -> str:
    """``$1, $2`` for ``%s, %s``: PostgreSQL's own form, in which the driver has nothing to look for."""
    numbers = count(1)
    return _PLACE.sub(lambda _: f"${next(numbers)}", values)
