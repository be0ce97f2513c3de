"""What an account holds and what it may come to hold: positions, working quantities and recent orders.

An order counts from the moment it is decided (RTS 6 Art. 15(2)), with its worst case: while an amend is unanswered
the larger quantity counts. The totals are kept by difference, so one order costs the same whatever is open.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from fairlead_server.domain.order import ZERO, Order
from fairlead_server.domain.terms import NewOrder

PositionKey = tuple[str, str]  # account_id, instrument_id


class Exposure(Struct, frozen=True):
    """One account in one instrument. ``position`` is signed; the working quantities are not."""

    position: Decimal = ZERO
    buying: Decimal = ZERO
    selling: Decimal = ZERO


class Working(Struct, frozen=True):
    """What one order adds to its account's working totals."""

    buying: Decimal = ZERO
    selling: Decimal = ZERO
    open: int = 0


def working(order: Order) -> Working:
    if not order.live:
        return Working()
    rest = order.worst_quantity - order.cum_qty
    return Working(rest, ZERO, 1) if order.request.side.sign > 0 else Working(ZERO, rest, 1)


def held(order: Order) -> Decimal:
    """The signed quantity that the order's fills have added to the position."""
    return order.cum_qty * order.request.side.sign


def _counts_alike(before: Order, after: Order) -> bool:
    """Whether nothing has been touched that either of the two is made of, as by most events; else it may have changed."""
    return (
        after.terms is before.terms
        and after.pending is before.pending
        and after.cum_qty is before.cum_qty
        and after.terminal is before.terminal
    )


class Exposures:
    """The running totals of all accounts. One owner: the book."""

    def __init__(self, positions: Iterable[tuple[PositionKey, Decimal]] = ()) -> None:
        self._by_key = {key: Exposure(position) for key, position in positions}
        self._open: Counter[str] = Counter()

    def of(self, account_id: str, instrument_id: str) -> Exposure:
        return self._by_key.get((account_id, instrument_id)) or Exposure()

    def open_orders(self, account_id: str) -> int:
        return self._open[account_id]

    def add_working(self, order: Order) -> None:
        """An order read back at start: its fills are in the stored position already."""
        self._move(order, Working(), working(order), ZERO)

    def change(self, before: Order | None, after: Order) -> Decimal:
        """Replace what ``before`` counted by what ``after`` counts; returns the new position."""
        if before is not None and _counts_alike(before, after):
            return self.of(after.request.account_id, after.request.instrument_id).position
        moved = held(after) - (held(before) if before else ZERO)
        return self._move(after, working(before) if before else Working(), working(after), moved)

    def _move(self, order: Order, before: Working, after: Working, position: Decimal) -> Decimal:
        request = order.request
        key = (request.account_id, request.instrument_id)
        old = self._by_key.get(key) or Exposure()
        new = Exposure(
            old.position + position,
            old.buying + after.buying - before.buying,
            old.selling + after.selling - before.selling,
        )
        self._by_key[key] = new
        self._open[request.account_id] += after.open - before.open
        return new.position


class Assumed:
    """The exposures as they would be with some more orders accepted; those that are there stay as they are."""

    def __init__(self, exposures: Exposures) -> None:
        self._exposures = exposures
        self._more: dict[PositionKey, Working] = {}
        self._open: Counter[str] = Counter()
        self._like: Counter[RecentKey] = Counter()

    def add(self, new: NewOrder) -> None:
        key = (new.account_id, new.instrument_id)
        more, quantity = self._more.get(key) or Working(), new.terms.quantity
        bought, sold = (quantity, ZERO) if new.side.sign > 0 else (ZERO, quantity)
        self._more[key] = Working(more.buying + bought, more.selling + sold)
        self._open[new.account_id] += 1
        self._like[_likeness(new)] += 1

    def of(self, account_id: str, instrument_id: str) -> Exposure:
        exposure = self._exposures.of(account_id, instrument_id)
        more = self._more.get((account_id, instrument_id)) or Working()
        return Exposure(exposure.position, exposure.buying + more.buying, exposure.selling + more.selling)

    def open_orders(self, account_id: str) -> int:
        return self._exposures.open_orders(account_id) + self._open[account_id]

    def like(self, new: NewOrder) -> int:
        """How many of the assumed orders are like ``new``."""
        return self._like[_likeness(new)]


RecentKey = tuple[object, ...]


class RecentOrders:
    """How often the same order was sent within a window: a stuck program sends one order again and again."""

    def __init__(self, keep: timedelta) -> None:
        self._keep = keep
        self._seen: deque[tuple[datetime, RecentKey]] = deque()

    def load(self, orders: Iterable[Order]) -> None:
        """Begin again with those of ``orders`` that were sent, or wait for their turn; the oldest comes first."""
        self._seen.clear()
        for order in orders:
            if order.route_time is not None or (order.held and order.live):
                self.add(order.request, order.create_time)

    def add(self, new: NewOrder, now: datetime) -> None:
        while self._seen and now - self._seen[0][0] > self._keep:
            self._seen.popleft()
        if self._keep:
            self._seen.append((now, _likeness(new)))

    def remove(self, new: NewOrder, now: datetime) -> None:
        """The one that was added at ``now`` was not sent after all; it may be too long ago to count anyway."""
        with suppress(ValueError):
            self._seen.remove((now, _likeness(new)))

    def count(self, new: NewOrder, now: datetime, window: timedelta) -> int:
        """How many like ``new`` were sent less than ``window`` ago."""
        key, found = _likeness(new), 0
        for time, other in reversed(self._seen):
            if now - time >= window:
                break
            found += other == key
        return found


def _likeness(new: NewOrder) -> RecentKey:
    terms = new.terms
    return (
        new.account_id,
        new.instrument_id,
        new.side,
        new.order_type,
        terms.quantity,
        terms.price,
        terms.stop_price,
    )
