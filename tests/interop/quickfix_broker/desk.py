"""What the broker does with orders: a few dull rules by symbol and TimeInForce(59), so that tests know the outcome.

========================  ==========================================================================================
default                   New, then filled at once at Price(44), a market order at 100
MSFT, NVDA                New, then filled in four parts, one every 50 ms
GOOGL                     New, half of it filled; the rest rests, and is filled when the order has been replaced
INTC, BAC                 New, rests until it is cancelled
CSCO                      New, rests; a cancel or replace comes too late: filled first, then OrderCancelReject(9)
WMT                       New, rests; any cancel or replace is refused by "broker option"
DIS                       rejected: exchange closed
those of :mod:`races`     as the race is told there, step by step
Immediate or Cancel       half filled, the rest cancelled
Fill or Kill              filled; of INTC and BAC nothing is to be had, so cancelled
========================  ==========================================================================================

Every change is one :class:`Entry`, which holds the order as it then stands. A journal of entries is the whole memory:
after a crash the last entry of each order is where it goes on. Standard library only, and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from tests.interop.quickfix_broker import races
from tests.interop.quickfix_broker.orders import (
    Entry,
    Fields,
    Fill,
    Order,
    Report,
    Request,
    cancel_reject,
    report,
)

SLICES: Final = 4
SLICE_SECONDS: Final = 0.05
_MARKET_PRICE: Final = Decimal(100)
_SLICED: Final = frozenset({"MSFT", "NVDA"})
_HALVED: Final = frozenset({"GOOGL"})
_RESTING: Final = frozenset({"INTC", "BAC"})
_TOO_LATE: Final = frozenset({"CSCO"})
_STUBBORN: Final = frozenset({"WMT"})
_CLOSED: Final = frozenset({"DIS"})
_IOC, _FOK = "3", "4"


class Desk:
    def __init__(self, seed: str) -> None:
        self.orders: dict[str, Order] = {}
        self._by_cl_ord_id: dict[tuple[str, str], str] = {}
        self._seed = seed
        self._reports = 0

    def load(self, orders: Iterable[tuple[str, Order]], reports: int) -> None:
        """What the journal holds: each order under each of its ClOrdIDs, oldest first."""
        for cl_ord_id, order in orders:
            self._keep(order, cl_ord_id)
        self._reports = reports

    def knows(self, begin_string: str, cl_ord_id: str) -> bool:
        return (begin_string, cl_ord_id) in self._by_cl_ord_id

    def keep(self, entry: Entry, cl_ord_id: str = "") -> None:
        """Take over what has been journalled."""
        if entry.order is not None:
            self._keep(entry.order, cl_ord_id or entry.order.cl_ord_id)

    def _keep(self, order: Order, cl_ord_id: str) -> None:
        self.orders[order.order_id] = order
        self._by_cl_ord_id[order.begin_string, cl_ord_id] = order.order_id

    # What the peer asks for.

    def new_order(self, order: Order) -> Entry:
        order = replace(order, order_id=f"{self._seed}-O{len(self.orders) + 1}")
        if self.knows(order.begin_string, order.cl_ord_id):
            refused = replace(order, status="8")
            return Entry(None, [self._report(refused, "8", [(103, "6"), (58, "ClOrdID used twice")])])
        if order.symbol in _CLOSED:
            refused = replace(order, status="8")
            return Entry(
                refused, [self._report(refused, "8", [(103, "2"), (58, f"{order.symbol} is closed")])]
            )
        if order.symbol in races.RACES:
            return self._raced(order)
        return Entry(order, [self._report(order, "0")])

    def _raced(self, order: Order, request: Request | None = None) -> Entry:
        if request is not None:
            order = replace(order, requests=(*order.requests, request))
        return races.play(order, lambda: self._key("E"))

    def cancel(self, begin_string: str, cl_ord_id: str, orig: str) -> Entry:
        order = self._find(begin_string, orig)
        if order is not None and order.symbol in races.RACES:
            return self._raced(order, Request(cl_ord_id, orig))
        if order is None or not order.live:
            return self._refuse(order, begin_string, cl_ord_id, orig, "1")
        if order.symbol in _TOO_LATE:
            return self._too_late(order, cl_ord_id, orig, "1")
        if order.symbol in _STUBBORN:
            return Entry(order, [self._cancel_reject(order, begin_string, cl_ord_id, orig, "1", "2")])
        asked: Fields = [(41, orig)]
        canceled = replace(order, cl_ord_id=cl_ord_id, status="4")
        return Entry(
            canceled,
            [
                self._report(replace(order, cl_ord_id=cl_ord_id), "6", asked, ord_status="6"),
                self._report(canceled, "4", asked),
            ],
        )

    def replace(
        self, begin_string: str, cl_ord_id: str, orig: str, quantity: Decimal, price: Decimal | None
    ) -> Entry:
        order = self._find(begin_string, orig)
        if order is not None and order.symbol in races.RACES:
            return self._raced(order, Request(cl_ord_id, orig, quantity, price))
        if order is None or not order.live:
            return self._refuse(order, begin_string, cl_ord_id, orig, "2")
        if order.symbol in _TOO_LATE:
            return self._too_late(order, cl_ord_id, orig, "2")
        if order.symbol in _STUBBORN:
            return Entry(order, [self._cancel_reject(order, begin_string, cl_ord_id, orig, "2", "2")])
        asked: Fields = [(41, orig)]
        total = max(quantity, order.filled)
        status = "2" if total == order.filled else order.status
        changed = replace(
            order, cl_ord_id=cl_ord_id, quantity=total, price=price, status=status, replaced=True
        )
        return Entry(
            changed,
            [
                self._report(replace(order, cl_ord_id=cl_ord_id), "E", asked, ord_status="E"),
                self._report(changed, "5", asked),
            ],
        )

    def status(self, begin_string: str, cl_ord_id: str, symbol: str, side: str) -> Entry:
        """As it stands; of an order that we have never seen, that it is unknown."""
        order = self._find(begin_string, cl_ord_id)
        if order is not None:
            return Entry(order, [self._report(order, "I")])
        unknown = Order(
            "NONE", begin_string, cl_ord_id, "", symbol, side, "", "", Decimal(0), None, status="8"
        )
        return Entry(None, [self._report(unknown, "I", [(103, "5"), (58, "unknown order")])])

    # What the market does.

    def due(self, order: Order) -> Entry | None:
        """The next thing to happen to an order by itself, if there is one."""
        if order.symbol == races.BY_PHONE:
            return self._phoned(order)
        if not order.live or order.symbol in races.RACES:
            return None
        if order.time_in_force == _IOC and order.filled:
            return self._dropped(order)
        if order.time_in_force == _FOK and order.symbol in _RESTING:
            return self._dropped(order)
        quantity = self._available(order)
        return self._filled(order, quantity) if quantity else None

    def _phoned(self, order: Order) -> Entry | None:
        """Another order like it, which nobody sent over this session, has been filled."""
        name = f"PHONE-{order.order_id}"
        if order.cl_ord_id.startswith("PHONE") or self.knows(order.begin_string, name):
            return None
        other = replace(order, order_id=f"{self._seed}-O{len(self.orders) + 1}", cl_ord_id=name)
        return self._filled(other, other.quantity)

    def _available(self, order: Order) -> Decimal:
        half = max(order.quantity // 2, Decimal(1))
        if order.time_in_force == _IOC:
            return half
        if order.symbol in _RESTING | _TOO_LATE | _STUBBORN:
            return Decimal(0)
        if order.symbol in _HALVED and not order.replaced:
            return half if not order.filled else Decimal(0)
        if order.symbol in _SLICED:
            return min(max(order.quantity // SLICES, Decimal(1)), order.leaves)
        return order.leaves

    def _dropped(self, order: Order) -> Entry:
        canceled = replace(order, status="4")
        return Entry(canceled, [self._report(canceled, "4")])

    def _filled(self, order: Order, quantity: Decimal) -> Entry:
        key = self._key("E")
        fill = Fill(key, quantity, order.price or _MARKET_PRICE)
        filled = replace(order, fills=(*order.fills, fill))
        filled = replace(filled, status="2" if filled.filled == order.quantity else "1")
        told = report(key, filled, "F", [(32, f"{quantity:f}"), (31, f"{fill.price:f}")])
        return Entry(filled, [told])

    def _too_late(self, order: Order, cl_ord_id: str, orig: str, response_to: str) -> Entry:
        last = self._filled(order, order.leaves)
        refusal = self._cancel_reject(last.order, order.begin_string, cl_ord_id, orig, response_to, "0")
        return Entry(last.order, [*last.reports, refusal])

    def _refuse(
        self, order: Order | None, begin_string: str, cl_ord_id: str, orig: str, response_to: str
    ) -> Entry:
        reason = "1" if order is None else "0"
        return Entry(order, [self._cancel_reject(order, begin_string, cl_ord_id, orig, response_to, reason)])

    def _find(self, begin_string: str, cl_ord_id: str) -> Order | None:
        order_id = self._by_cl_ord_id.get((begin_string, cl_ord_id))
        return None if order_id is None else self.orders[order_id]

    # How it is told.

    def _report(
        self, order: Order, exec_type: str, more: Fields | None = None, ord_status: str = ""
    ) -> Report:
        return report(self._key("E"), order, exec_type, more, ord_status)

    def _cancel_reject(
        self, order: Order | None, begin_string: str, cl_ord_id: str, orig: str, to: str, reason: str
    ) -> Report:
        return cancel_reject(self._key("R"), order, begin_string, Request(cl_ord_id, orig), to, reason)

    def _key(self, kind: str) -> str:
        self._reports += 1
        return f"{self._seed}-{kind}{self._reports}"
