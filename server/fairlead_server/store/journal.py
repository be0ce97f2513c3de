"""Reads the journal of messages: what was sent, to answer ResendRequest(2) from, and all of it for people to look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import eq, ge, le, lt
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, LargeBinary, literal, or_, select, tuple_

from fairlead_server.fix.terms import Sent
from fairlead_server.store.batch import Direction, MessageRow
from fairlead_server.store.columns import Micros, Position
from fairlead_server.store.tables import IS_OUT, messages

_NAMES_OF_ORDERS = (11, 37, 41)  # ClOrdID, OrderID, OrigClOrdID


class MessageQuery(Struct, frozen=True):
    """Which messages. An empty text or tuple, 0 and None leave out a condition; the others must all hold.

    ``order`` is found as ClOrdID(11), OrderID(37) or OrigClOrdID(41), by looking at each message that all else lets
    pass. ``after`` is the time and the ``message_id`` of the last one seen.
    """

    session_id: str
    direction: Direction | None = None
    msg_types: tuple[str, ...] = ()
    from_time: datetime | None = None
    to_time: datetime | None = None  # exclusive
    from_number: int = 0
    to_number: int = 0  # inclusive
    epoch: int = 0
    order: bytes = b""
    after: tuple[datetime, int] | None = None
    oldest_first: bool = False
    limit: int = 100


class StoredMessage(Struct, frozen=True):
    message_id: int
    row: MessageRow


def sent(connection: Connection, session_id: str, epoch: int, begin: int, end: int) -> list[Sent]:
    """The numbers from ``begin`` to ``end``, both included, in order; those that were never used are missing."""
    columns = messages.c
    found = select(columns.msg_seq_num, columns.msg_type, columns.time, columns.frame, columns.epoch).where(
        IS_OUT,
        columns.session_id == session_id,
        columns.epoch == epoch,
        columns.msg_seq_num.between(begin, end),
    )
    return [Sent(*row) for row in connection.execute(found.order_by(columns.msg_seq_num))]


def matching(connection: Connection, query: MessageQuery) -> list[StoredMessage]:
    time, number = messages.c.time, messages.c.message_id
    order = (time, number) if query.oldest_first else (time.desc(), number.desc())
    found = select(number, *ROW).where(*_conditions(query)).order_by(*order).limit(query.limit)
    return [StoredMessage(number, MessageRow(*row)) for number, *row in connection.execute(found)]


def _conditions(query: MessageQuery) -> list[ColumnElement[bool]]:
    columns = messages.c
    wanted: tuple[tuple[ColumnElement[Any], Callable[..., ColumnElement[bool]], object], ...] = (
        (columns.session_id, eq, query.session_id),
        (columns.direction, eq, query.direction),
        (columns.time, ge, query.from_time),
        (columns.time, lt, query.to_time),
        (columns.msg_seq_num, ge, query.from_number),
        (columns.msg_seq_num, le, query.to_number),
        (columns.epoch, eq, query.epoch),
    )
    conditions = [compare(column, value) for column, compare, value in wanted if value]
    if query.msg_types:
        conditions.append(columns.msg_type.in_(query.msg_types))
    if query.order:
        conditions.append(_names(query.order))
    if query.after is not None:
        time, number = query.after
        key = tuple_(columns.time, columns.message_id)
        last = tuple_(literal(time, Micros()), literal(number))
        conditions.append(key > last if query.oldest_first else key < last)
    return conditions


def _names(order: bytes) -> ColumnElement[bool]:
    fields = (b"\x01%d=%s\x01" % (tag, order) for tag in _NAMES_OF_ORDERS)
    return or_(*(Position(messages.c.frame, literal(field, LargeBinary())) > 0 for field in fields))


ROW = (
    messages.c.session_id,
    messages.c.epoch,
    messages.c.direction,
    messages.c.msg_seq_num,
    messages.c.msg_type,
    messages.c.time,
    messages.c.frame,
)
