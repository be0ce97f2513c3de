"""The broker's orders in memory: by OrderID(37), by ClOrdID(11), by symbol while they work, by what they wait for."""

import heapq
from collections.abc import Iterator
from datetime import datetime

from fix_sim.orders import Order


class Book:
    """Whoever changes an order keeps the new one here. One owner: the engine."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self._order_ids: dict[tuple[str, str], str] = {}
        self._working: dict[str, dict[str, None]] = {}
        self._alarms: list[
            tuple[datetime, str]
        ] = []  # a heap; an alarm that has gone stale wakes to no effect

    def keep(self, order: Order) -> None:
        before = self.orders.get(order.order_id)
        self.orders[order.order_id] = order
        if before is None or before.cl_ord_ids != order.cl_ord_ids:
            self._order_ids.update(
                ((order.client, cl_ord_id), order.order_id) for cl_ord_id in order.cl_ord_ids
            )
        working = self._working.setdefault(order.symbol, {})
        if not order.live:
            working.pop(order.order_id, None)
            return
        working[order.order_id] = None
        for alarm in _alarms(order) - (_alarms(before) if before else set()):
            heapq.heappush(self._alarms, (alarm, order.order_id))

    def find(self, client: str, cl_ord_id: str) -> Order | None:
        order_id = self._order_ids.get((client, cl_ord_id))
        return self.orders[order_id] if order_id else None

    def working(self, symbol: str) -> list[Order]:
        """The live orders of a symbol in the order of their arrival."""
        return [self.orders[order_id] for order_id in self._working.get(symbol, ())]

    def next_alarm(self) -> datetime | None:
        return self._alarms[0][0] if self._alarms else None

    def due(self, now: datetime) -> Iterator[Order]:
        """Live orders whose alarm has gone off; each alarm goes off once."""
        while self._alarms and self._alarms[0][0] <= now:
            order = self.orders[heapq.heappop(self._alarms)[1]]
            if order.live:
                yield order


def _alarms(order: Order) -> set[datetime]:
    return {at for at in (order.next_slice_at, order.terms.expire_time) if at is not None}
