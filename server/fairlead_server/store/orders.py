"""Reads orders: by each of their names, and in pages."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, literal, select, tuple_

from fairlead_server.domain.order import Order, OrderState
from fairlead_server.store.columns import Micros
from fairlead_server.store.tables import HAS_CLIENT, HAS_VENUE, IS_LIVE, cl_ord_ids, labelled, orders


class OrderQuery(Struct, frozen=True):
    """Which orders, from the oldest on. An empty tuple and None leave out a condition; the others must all hold."""

    account_ids: tuple[str, ...] = ()
    instrument_ids: tuple[str, ...] = ()
    strategy_ids: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    states: tuple[OrderState, ...] = ()
    live_only: bool = False
    created_from: datetime | None = None
    created_to: datetime | None = None  # not itself
    after: tuple[datetime, str] | None = None  # create_time and order_id of the last order of the page before
    descending: bool = False
    limit: int | None = None


def by_order_id(connection: Connection, order_id: str) -> Order | None:
    return connection.scalar(_FACTS.where(orders.c.order_id == order_id))


def by_client_order_id(connection: Connection, account_id: str, client_order_id: str) -> Order | None:
    same = (orders.c.account_id == account_id, orders.c.client_order_id == client_order_id)
    return connection.scalar(_FACTS.where(HAS_CLIENT, *same))


def by_cl_ord_id(connection: Connection, session_id: str, cl_ord_id: str) -> Order | None:
    same = (cl_ord_ids.c.session_id == session_id, cl_ord_ids.c.cl_ord_id == cl_ord_id)
    return connection.scalar(_FACTS.join(cl_ord_ids).where(*same))


def by_venue_order_id(connection: Connection, session_id: str, venue_order_id: str) -> Order | None:
    """The latest of ours, or else of others', should a venue use an OrderID(37) again, as on another day."""
    same = (orders.c.session_id == session_id, orders.c.venue_order_id == venue_order_id)
    ours = orders.c.client_order_id != orders.c.order_id  # one first heard of from a venue has no other
    meant = ours.desc(), orders.c.create_time.desc(), orders.c.order_id.desc()
    return connection.scalar(_FACTS.where(HAS_VENUE, *same).order_by(*meant).limit(1))


def matching(connection: Connection, query: OrderQuery) -> list[Order]:
    created, number = orders.c.create_time, orders.c.order_id
    keys = (created.desc(), number.desc()) if query.descending else (created, number)
    found = _FACTS.where(*_conditions(query)).order_by(*keys).limit(query.limit)
    return list(connection.scalars(found))


def _conditions(query: OrderQuery) -> list[ColumnElement[bool]]:
    columns = orders.c
    conditions = labelled(orders, query)
    if query.states:
        conditions.append(columns.state.in_(query.states))
    if query.live_only:
        conditions.append(IS_LIVE)
    if query.created_from is not None:
        conditions.append(columns.create_time >= query.created_from)
    if query.created_to is not None:
        conditions.append(columns.create_time < query.created_to)
    if query.after is not None:
        time, order_id = query.after
        key = tuple_(columns.create_time, columns.order_id)
        last = tuple_(literal(time, Micros()), literal(order_id))
        conditions.append(key < last if query.descending else key > last)
    return conditions


_FACTS: Select[Order] = select(orders.c.facts)
