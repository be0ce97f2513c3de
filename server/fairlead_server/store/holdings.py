"""Reads positions, what each execution counts in them, and daily totals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import starmap

from msgspec import Struct
from sqlalchemy import Connection, Select, and_, func, literal, select, tuple_

from fairlead_server.domain.position import DayTotal, HoldingKey, Position, TotalKey, Trade
from fairlead_server.store import tables
from fairlead_server.store.columns import DayText
from fairlead_server.store.tables import labelled


class DayQuery(Struct, frozen=True):
    """Which totals, by day and then by their names. An empty tuple and None leave out a condition; the others must all hold."""

    account_ids: tuple[str, ...] = ()
    instrument_ids: tuple[str, ...] = ()
    strategy_ids: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    begin: date | None = None
    end: date | None = None  # itself, too
    after: TotalKey | None = None  # of the last row of the page before
    limit: int | None = None


def positions(connection: Connection) -> list[tuple[HoldingKey, Position]]:
    columns = tables.positions.c
    found = select(columns.account_id, columns.instrument_id, columns.strategy_id, columns.facts)
    return [((row[0], row[1], row[2]), row[3]) for row in connection.execute(found)]


def trades(connection: Connection, key: HoldingKey, place: int) -> list[Trade]:
    """In their order, from the last at or before ``place`` on that has its opening; one statement."""
    columns = tables.trades.c
    same = and_(
        columns.account_id == key[0],
        columns.instrument_id == key[1],
        columns.strategy_id == key[2],
    )
    opening = same, columns.place <= place, columns.opening.is_not(None)
    start = select(func.max(columns.place)).where(*opening).scalar_subquery()
    found = _TRADES.where(same, columns.place >= start).order_by(columns.place)
    return list(starmap(Trade, connection.execute(found)))


def sequences(connection: Connection, order_ids: Sequence[str]) -> dict[str, int]:
    """Of the events that told of the orders' executions, by execution_id."""
    columns = tables.executions.c
    found = select(columns.execution_id, columns.sequence).where(columns.order_id.in_(order_ids))
    return dict(iter(connection.execute(found)))


def day_total(connection: Connection, key: TotalKey) -> DayTotal | None:
    same = [column == value for column, value in zip(_KEY, key, strict=True)]
    row = connection.execute(_TOTALS.where(*same)).one_or_none()
    return None if row is None else DayTotal(*row[len(_KEY) :])


def day_totals(connection: Connection, query: DayQuery) -> list[tuple[TotalKey, DayTotal]]:
    columns = tables.day_totals.c
    conditions = labelled(tables.day_totals, query)
    if query.begin is not None:
        conditions.append(columns.day >= query.begin)
    if query.end is not None:
        conditions.append(columns.day <= query.end)
    if query.after is not None:
        last = tuple_(literal(query.after[0], DayText()), *map(literal, query.after[1:]))
        conditions.append(tuple_(*_KEY) > last)
    found = _TOTALS.where(*conditions).order_by(*_KEY).limit(query.limit)
    return [
        ((row[0], row[1], row[2], row[3], row[4]), DayTotal(*row[5:])) for row in connection.execute(found)
    ]


_TRADES: Select[tuple[int, object]] = select(
    tables.trades.c.place,
    tables.trades.c.quantity,
    tables.trades.c.price,
    tables.trades.c.time,
    tables.trades.c.day,
    tables.trades.c.session_id,
    tables.trades.c.opening,
)
_KEY = (
    tables.day_totals.c.day,
    tables.day_totals.c.account_id,
    tables.day_totals.c.instrument_id,
    tables.day_totals.c.strategy_id,
    tables.day_totals.c.session_id,
)
_TOTALS = select(
    *_KEY,
    tables.day_totals.c.orders,
    tables.day_totals.c.fills,
    tables.day_totals.c.bought_quantity,
    tables.day_totals.c.bought_value,
    tables.day_totals.c.sold_quantity,
    tables.day_totals.c.sold_value,
    tables.day_totals.c.realised,
)
