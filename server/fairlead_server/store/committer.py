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
from collections.abc import Iterator, Sequence
from itertools import chain, count
from typing import Protocol, TypeVar

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

from fairlead_server.store import lever_tables, reference_tables, rows, tables
from fairlead_server.store.batch import Batch
from fairlead_server.store.rows import Row

T = TypeVar("T")

_MOST_ROWS = 128
_PLACE = re.compile("%s")


class Cursor(Protocol):
    def execute(self, sql: str, values: Sequence[object], /) -> object: ...


class Committer:
    def __init__(self, dialect: Dialect) -> None:
        self._orders = _Insert(dialect, tables.orders, rows.ORDER, key="order_id", update=rows.ORDER_CHANGES)
        self._cl_ord_ids = _Insert(dialect, tables.cl_ord_ids, rows.CL_ORD_ID)
        self._events = _Insert(dialect, tables.events, rows.EVENT)
        self._executions = _Insert(dialect, tables.executions, rows.EXECUTION)
        self._decisions = _Insert(dialect, tables.decisions, rows.DECISION)
        self._requests = _Insert(
            dialect, tables.requests, rows.REQUEST, key="request_id", update="outcome facts"
        )
        self._mass_cancels = _Insert(dialect, tables.mass_cancels, rows.MASS_CANCEL)
        self._trade_sessions = _Insert(
            dialect,
            tables.trade_sessions,
            rows.TRADE_SESSION,
            key="session_key",
            update="armed time facts",
        )
        self._dead_men = _Insert(
            dialect, lever_tables.dead_men, rows.DEAD_MAN, key="scope", update="armed time facts"
        )
        self._live_gates = _Insert(
            dialect, lever_tables.live_gates, rows.LIVE_GATE, key="scope", update="state facts"
        )
        self._flattens = _Insert(
            dialect, lever_tables.flattens, rows.FLATTEN, key="flatten_id", update="done facts"
        )
        self._halts = _Insert(dialect, lever_tables.trading_states, rows.HALT, key="number", update="facts")
        self._positions = _Insert(
            dialect,
            tables.positions,
            rows.POSITION,
            key="account_id instrument_id strategy_id",
            update="quantity facts",
        )
        self._trades = _Insert(
            dialect,
            tables.trades,
            rows.TRADE,
            key="account_id instrument_id strategy_id place",
            update="quantity price opening",
        )
        self._day_totals = _Insert(
            dialect,
            tables.day_totals,
            rows.DAY_TOTAL,
            key="day account_id instrument_id strategy_id session_id",
            update=rows.DAY_TOTAL_CHANGES,
        )
        self._sessions = _Insert(
            dialect, tables.sessions, rows.SESSION, key="session_id", update=rows.NUMBERS
        )
        self._messages = _Insert(dialect, tables.messages, rows.MESSAGE)
        self._counters = _Insert(dialect, tables.counters, rows.COUNTER, key="name", update="value")
        self._stops = _Insert(dialect, tables.stops, rows.STOP, key="session_id", update="reason")
        self._audit = _Insert(dialect, tables.audit, rows.AUDIT)
        self._instruments = _kept(dialect, reference_tables.instruments, rows.INSTRUMENT)
        self._prices = _kept(dialect, reference_tables.reference_prices, rows.INSTRUMENT)
        self._calendars = _kept(dialect, reference_tables.calendars, rows.CALENDAR)
        self._backups = _Insert(dialect, reference_tables.instrument_backups, rows.BACKUP)
        self._limit_sets = _Insert(
            dialect, tables.limit_sets, rows.LIMIT_SET, key="limit_id", update="deleted facts"
        )
        self._risk_events = _Insert(dialect, tables.risk_events, rows.RISK_EVENT)
        self._gone_events = _Delete(dialect, tables.events, "sequence")
        self._gone_messages = _Delete(dialect, tables.messages, "message_id")

    def write(self, cursor: Cursor, batch: Batch) -> None:
        """Within the caller's transaction."""
        for insert, due in self._due(batch):
            insert.run(cursor, due)
        self._gone_events.run(cursor, batch.gone_events)
        self._gone_messages.run(cursor, batch.gone_messages)

    def _due(self, batch: Batch) -> Iterator[tuple[_Insert, list[Row]]]:
        yield self._orders, [rows.order(order) for order in batch.orders.values()]
        yield self._cl_ord_ids, [(*key, order_id) for key, order_id in batch.new_cl_ord_ids.items()]
        yield self._events, [rows.event(row) for row in batch.events]
        yield self._executions, [rows.execution(row) for row in batch.executions]
        yield self._decisions, [rows.decision(row) for row in batch.decisions]
        yield self._requests, [rows.request(record) for record in batch.requests.values()]
        yield self._mass_cancels, [rows.mass_cancel(done) for done in batch.mass_cancels]
        yield self._trade_sessions, [rows.trade_session(one) for one in batch.trade_sessions.values()]
        yield self._dead_men, [rows.dead_man(each) for each in batch.dead_men.values()]
        yield self._live_gates, [rows.live_gate(each) for each in batch.live_gates.values()]
        yield self._flattens, [rows.flatten(each) for each in batch.flattens.values()]
        yield self._halts, [rows.halt(halt) for halt in batch.halts.values()]
        yield self._positions, [rows.position(*item) for item in batch.positions.items()]
        yield self._trades, [rows.trade(*item) for item in batch.trades.items()]
        yield self._day_totals, [rows.day_total(*item) for item in batch.day_totals.items()]
        yield self._sessions, [(key, n.epoch, n.next_in, n.next_out) for key, n in batch.sessions.items()]
        yield self._messages, [rows.message(row) for row in batch.messages]
        yield self._counters, list(batch.counters.items())
        yield self._stops, list(batch.stopped.items())
        yield self._audit, [rows.audit(row) for row in batch.audit]
        yield (
            self._instruments,
            [(key, reference_tables.CELLS.encode(dict(cells))) for key, cells in batch.instruments.items()],
        )
        yield (
            self._prices,
            [(key, reference_tables.PRICE.encode(price)) for key, price in batch.prices.items()],
        )
        yield (
            self._calendars,
            [(key, reference_tables.CALENDAR.encode(one)) for key, one in batch.calendars.items()],
        )
        yield self._backups, [rows.backup(row) for row in batch.backups]
        changed = batch.limit_sets.values()
        yield self._limit_sets, [rows.limit_set(one, deleted=deleted) for one, deleted in changed]
        yield self._risk_events, [rows.risk_event(event) for event in batch.risk_events]


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
