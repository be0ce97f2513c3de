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
        gone = partial(_Delete, dialect)
        # By the name under which a batch has them, in the order in which rows refer to each other.
        self._statements: dict[str, _Insert | _Delete] = {
            "orders": new(
                tables.orders, rows.ORDER, _of_values(rows.order), key="order_id", update=rows.ORDER_CHANGES
            ),
            "new_cl_ord_ids": new(tables.cl_ord_ids, rows.CL_ORD_ID, _of_items(rows.cl_ord_id)),
            "events": new(tables.events, rows.EVENT, _of_each(rows.event)),
            "executions": new(tables.executions, rows.EXECUTION, _of_each(rows.execution)),
            "decisions": new(tables.decisions, rows.DECISION, _of_each(rows.decision)),
            "requests": new(
                tables.requests,
                rows.REQUEST,
                _of_values(rows.request),
                key="request_id",
                update="outcome facts",
            ),
            "mass_cancels": new(tables.mass_cancels, rows.MASS_CANCEL, _of_each(rows.mass_cancel)),
            "trade_sessions": new(
                tables.trade_sessions,
                rows.TRADE_SESSION,
                _of_values(rows.trade_session),
                key="session_key",
                update="armed time facts",
            ),
            "dead_men": new(
                lever_tables.dead_men,
                rows.DEAD_MAN,
                _of_values(rows.dead_man),
                key="scope",
                update="armed time facts",
            ),
            "live_gates": new(
                lever_tables.live_gates,
                rows.LIVE_GATE,
                _of_values(rows.live_gate),
                key="scope",
                update="state facts",
            ),
            "flattens": new(
                lever_tables.flattens,
                rows.FLATTEN,
                _of_values(rows.flatten),
                key="flatten_id",
                update="done facts",
            ),
            "halts": new(
                lever_tables.trading_states, rows.HALT, _of_values(rows.halt), key="number", update="facts"
            ),
            "positions": new(
                tables.positions,
                rows.POSITION,
                _of_items(rows.position),
                key="account_id instrument_id strategy_id",
                update="quantity facts",
            ),
            "trades": new(
                tables.trades,
                rows.TRADE,
                _of_items(rows.trade),
                key="account_id instrument_id strategy_id place",
                update="quantity price opening",
            ),
            "day_totals": new(
                tables.day_totals,
                rows.DAY_TOTAL,
                _of_items(rows.day_total),
                key="day account_id instrument_id strategy_id session_id",
                update=rows.DAY_TOTAL_CHANGES,
            ),
            "sessions": new(
                tables.sessions, rows.SESSION, _of_items(rows.session), key="session_id", update=rows.NUMBERS
            ),
            "messages": new(tables.messages, rows.MESSAGE, _of_each(rows.message)),
            "counters": new(tables.counters, rows.COUNTER, _items, key="name", update="value"),
            "stopped": new(tables.stops, rows.STOP, _items, key="session_id", update="reason"),
            "audit": new(tables.audit, rows.AUDIT, _of_each(rows.audit)),
            "instruments": kept(reference_tables.instruments, rows.INSTRUMENT, _of_items(rows.instrument)),
            "prices": kept(reference_tables.reference_prices, rows.INSTRUMENT, _of_items(rows.price)),
            "calendars": kept(reference_tables.calendars, rows.CALENDAR, _of_items(rows.calendar)),
            "backups": new(reference_tables.instrument_backups, rows.BACKUP, _of_each(rows.backup)),
            "limit_sets": new(
                tables.limit_sets,
                rows.LIMIT_SET,
                _of_values(rows.limit_set),
                key="limit_id",
                update="deleted facts",
            ),
            "risk_events": new(tables.risk_events, rows.RISK_EVENT, _of_each(rows.risk_event)),
            "gone_events": gone(tables.events, "sequence"),
            "gone_messages": gone(tables.messages, "message_id"),
        }

    def write(self, cursor: Cursor, batch: Batch) -> None:
        """Within the caller's transaction."""
        for name, statement in self._statements.items():
            due = getattr(batch, name)
            if due:
                statement.run(cursor, due)


class _Insert:
    """An INSERT into one table. With ``key``, a row that is there already takes the new values of ``update``."""

    def __init__(
        self, dialect: Dialect, table: Table, columns: str, made: Rows, *, key: str = "", update: str = ""
    ) -> None:
        """``made`` makes rows of what a batch has."""
        # The two dialects' INSERTs differ in nothing that is used here, but share no class.
        insert = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
        if key:
            changes = {name: insert.excluded[name] for name in update.split()}
            insert = insert.on_conflict_do_update(index_elements=key.split(), set_=changes)
        sql = str(insert.compile(dialect=dialect, column_keys=columns.split()))
        self._head, _, rest = sql.partition(" VALUES ")
        row, closing, self._tail = rest.partition(")")
        self._row = row + closing
        self._made = made
        self._texts: dict[int, str] = {}

    def run(self, cursor: Cursor, due: Any) -> None:
        for group in _groups(self._made(due)):
            cursor.execute(self._text(len(group)), tuple(chain.from_iterable(group)))

    def _text(self, size: int) -> str:
        if size not in self._texts:
            values = ", ".join([self._row] * size)
            self._texts[size] = f"{self._head} VALUES {_numbered(values)}{self._tail}"
        return self._texts[size]


def _kept(dialect: Dialect, table: Table, columns: str, made: Rows) -> _Insert:
    key, _, update = columns.partition(" ")
    return _Insert(dialect, table, columns, made, key=key, update=update)


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
