"""Reads one row by one of its names, and the few that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import Connection, select

from fairlead_server.domain.amendments import RequestRecord
from fairlead_server.domain.order import Order
from fairlead_server.domain.position import DayTotal, HoldingKey, TotalKey, Trade
from fairlead_server.store import holdings, orders, tables


class Lookups:
    """``reading`` gives a connection for as long as it takes."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._connection = reading

    def order(self, order_id: str) -> Order | None:
        with self._connection() as connection:
            return orders.by_order_id(connection, order_id)

    def order_by_client_order_id(self, account_id: str, client_order_id: str) -> Order | None:
        with self._connection() as connection:
            return orders.by_client_order_id(connection, account_id, client_order_id)

    def order_by_cl_ord_id(self, session_id: str, cl_ord_id: str) -> Order | None:
        with self._connection() as connection:
            return orders.by_cl_ord_id(connection, session_id, cl_ord_id)

    def order_by_venue_order_id(self, session_id: str, venue_order_id: str) -> Order | None:
        with self._connection() as connection:
            return orders.by_venue_order_id(connection, session_id, venue_order_id)

    def request(self, request_id: str) -> RequestRecord | None:
        with self._connection() as connection:
            found = select(tables.requests.c.facts).where(tables.requests.c.request_id == request_id)
            return connection.scalar(found)

    def trades(self, key: HoldingKey, place: int) -> list[Trade]:
        with self._connection() as connection:
            return holdings.trades(connection, key, place)

    def sequences(self, order_ids: Sequence[str]) -> dict[str, int]:
        with self._connection() as connection:
            return holdings.sequences(connection, order_ids)

    def day_total(self, key: TotalKey) -> DayTotal | None:
        with self._connection() as connection:
            return holdings.day_total(connection, key)
