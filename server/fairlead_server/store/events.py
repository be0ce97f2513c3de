"""Reads the log of events, whose sequence numbers have no gaps."""

from __future__ import annotations

from datetime import datetime
from itertools import starmap

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, func, select

from fairlead_server.domain.event import EventKind
from fairlead_server.store.batch import EventRow
from fairlead_server.store.tables import events, labelled


class EventQuery(Struct, frozen=True):
    """Which events. An empty tuple and None leave out a condition; the others must all hold.

    ``until_sequence`` also bounds how far a rare event is searched for: fewer rows than the limit mean that all up
    to it have been looked at.
    """

    account_ids: tuple[str, ...] = ()
    instrument_ids: tuple[str, ...] = ()
    strategy_ids: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    kinds: tuple[EventKind, ...] = ()
    order_id: str = ""
    until_sequence: int | None = None
    from_time: datetime | None = None


ALL = EventQuery()


def head(connection: Connection) -> int:
    return connection.scalar(select(func.max(events.c.sequence))) or 0


def after(connection: Connection, sequence: int, limit: int, query: EventQuery) -> list[EventRow]:
    found = select(*ROW).where(events.c.sequence > sequence, *_conditions(query))
    rows = connection.execute(found.order_by(events.c.sequence).limit(limit))
    return list(starmap(EventRow, rows))


def sequence_at(connection: Connection, time: datetime) -> int:
    """Of the last event before ``time``: found by halving, for times rise with the numbers and need no index."""
    before, at = 0, head(connection) + 1
    while at - before > 1:
        middle = (before + at) // 2
        happened = connection.scalar(_TIME.where(events.c.sequence <= middle).limit(1))
        if happened is None or happened < time:
            before = middle
        else:
            at = middle
    return before


def _conditions(query: EventQuery) -> list[ColumnElement[bool]]:
    columns = events.c
    conditions = labelled(events, query)
    if query.kinds:
        conditions.append(columns.kind.in_(query.kinds))
    if query.order_id:
        conditions.append(columns.order_id == query.order_id)
    if query.until_sequence is not None:
        conditions.append(columns.sequence <= query.until_sequence)
    if query.from_time is not None:
        conditions.append(columns.time >= query.from_time)
    return conditions


ROW = (
    events.c.sequence,
    events.c.event_id,
    events.c.kind,
    events.c.order_id,
    events.c.account_id,
    events.c.instrument_id,
    events.c.strategy_id,
    events.c.session_id,
    events.c.time,
    events.c.body,
)
_TIME = select(events.c.time).order_by(events.c.sequence.desc())
