"""What is held and what may come to be held, in any scope: positions, working quantities and recent orders.

An order counts from the moment it is decided (RTS 6 Art. 15(2)), with its worst case: while an amend is unanswered
the larger quantity counts. The totals are kept by difference, so one order costs the same whatever is open.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.domain.order import ZERO, Order
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import NewOrder, Terms

PositionKey = tuple[str, str]  # account_id, instrument_id


class Working(Struct, frozen=True):
    """What one order adds to the working totals: quantities, and what they are worth where the order names a price."""

    buying: Decimal = ZERO
    selling: Decimal = ZERO
    open: int = 0
    value: Decimal = ZERO
    unpriced: Decimal = ZERO  # the quantity of an order without a price


NOTHING = Working()


class Exposure(Struct, frozen=True):
    """In one instrument. ``position`` is signed; the working quantities are not."""

    position: Decimal = ZERO
    buying: Decimal = ZERO
    selling: Decimal = ZERO
    open: int = 0
    value: Decimal = ZERO
    unpriced: Decimal = ZERO

    def plus(self, other: Exposure) -> Exposure:
        return Exposure(
            self.position + other.position,
            self.buying + other.buying,
            self.selling + other.selling,
            self.open + other.open,
            self.value + other.value,
            self.unpriced + other.unpriced,
        )

    def without(self, own: Working) -> Exposure:
        return self if own is NOTHING else self.moved(own, NOTHING, ZERO)

    def moved(self, before: Working, after: Working, position: Decimal) -> Exposure:
        return Exposure(
            self.position + position,
            self.buying + after.buying - before.buying,
            self.selling + after.selling - before.selling,
            self.open + after.open - before.open,
            self.value + after.value - before.value,
            self.unpriced + after.unpriced - before.unpriced,
        )


_FLAT = Exposure()


def working(order: Order) -> Working:
    if not order.live:
        return NOTHING
    rest = order.worst_quantity - order.cum_qty
    if not order.pending:
        return asks(order.request, order.terms, rest)
    return max((asks(order.request, terms, rest) for terms in order.asked), key=_dearness)


def asks(new: NewOrder, terms: Terms, rest: Decimal) -> Working:
    """What it counts for with ``rest`` of it open under those terms."""
    price = terms.price if terms.price is not None else terms.stop_price
    value, unpriced = (ZERO, rest) if price is None else (rest * price, ZERO)
    bought, sold = (rest, ZERO) if new.side.sign > 0 else (ZERO, rest)
    return Working(bought, sold, 1, value, unpriced)


def _dearness(each: Working) -> Decimal:
    return each.value


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


def scope_of(new: NewOrder, session_id: str) -> Scope:
    """The one order's own: what it is called in every dimension."""
    return Scope(new.account_id, new.principal, new.instrument_id, new.strategy_id, session_id)


class _Usage:
    """The totals of one scope, by instrument."""

    __slots__ = ("by_instrument", "open")

    def __init__(self) -> None:
        self.by_instrument: dict[str, Exposure] = {}
        self.open = 0

    def move(self, instrument_id: str, before: Working, after: Working, position: Decimal) -> None:
        old = self.by_instrument.get(instrument_id, _FLAT)
        self.by_instrument[instrument_id] = old.moved(before, after, position)
        self.open += after.open - before.open


_EMPTY = _Usage()
_MOST_GROUPS = 10_000
_Group = tuple[str, str, str, str]  # account_id, principal, strategy_id, session_id


class Exposures:
    """The running totals: of each account, and of the other scopes that some limit is for. One owner: the book.

    A position is known by account, instrument and strategy; in a scope of a principal or a session there are only
    working orders.
    """

    def __init__(
        self, positions: Iterable[tuple[Scope, Decimal]] = (), tracked: Iterable[Scope] = ()
    ) -> None:
        self._usages: dict[Scope, _Usage] = {_wide(scope): _Usage() for scope in tracked}
        self._of_group: dict[_Group, tuple[_Usage, ...]] = {}
        self._positions: dict[Scope, Decimal] = dict(positions)
        for scope, position in self._positions.items():
            for usage in self._all_of(scope.account_id, "", scope.strategy_id, ""):
                usage.move(scope.instrument_id, NOTHING, NOTHING, position)

    def tracking(self, scopes: Iterable[Scope], live: Iterable[Order]) -> Exposures:
        """The same with totals of other scopes; ``live`` are all orders that count."""
        other = Exposures(self._positions.items(), scopes)
        for order in live:
            other.add_working(order)
        return other

    @property
    def tracked(self) -> frozenset[Scope]:
        return frozenset(self._usages)

    def of(self, account_id: str, instrument_id: str) -> Exposure:
        return self.within(Scope(account_id), instrument_id)

    def within(self, scope: Scope, instrument_id: str) -> Exposure:
        return self._usage(scope).by_instrument.get(instrument_id, _FLAT)

    def instruments(self, scope: Scope) -> Iterable[str]:
        return (scope.instrument_id,) if scope.instrument_id else self._usage(scope).by_instrument

    def held_instruments(self) -> set[str]:
        """Those of which anybody holds any."""
        return {scope.instrument_id for scope, position in self._positions.items() if position}

    def open_orders(self, scope: Scope) -> int:
        usage = self._usage(scope)
        if scope.instrument_id:
            return usage.by_instrument.get(scope.instrument_id, _FLAT).open
        return usage.open

    def add_working(self, order: Order) -> None:
        """An order read back at start: its fills are in the stored position already."""
        self.add(scope_of(order.request, order.session_id), working(order))

    def add(self, order: Scope, more: Working) -> None:
        for usage in self._all_of(order.account_id, order.principal, order.strategy_id, order.session_id):
            usage.move(order.instrument_id, NOTHING, more, ZERO)

    def change(self, before: Order | None, after: Order) -> None:
        """Replace what ``before`` counted by what ``after`` counts."""
        request = after.request
        if before is None and not (after.live or after.cum_qty):  # refused: its names may be anything
            return
        names = request.account_id, request.principal, request.strategy_id
        usages = self._all_of(*names, after.session_id)
        if before is None:
            moved = held(after)
            self._move(usages, request.instrument_id, NOTHING, working(after), moved)
        else:
            left = (
                usages if before.session_id == after.session_id else self._all_of(*names, before.session_id)
            )
            if left == usages and _counts_alike(before, after):
                return
            moved = held(after) - held(before)
            if left == usages:
                self._move(usages, request.instrument_id, working(before), working(after), moved)
            else:  # it has got its route, and counts in the session, too
                self._move(left, request.instrument_id, working(before), NOTHING, -held(before))
                self._move(usages, request.instrument_id, NOTHING, working(after), held(after))
        if moved:
            key = Scope(request.account_id, "", request.instrument_id, request.strategy_id)
            self._positions[key] = self._positions.get(key, ZERO) + moved

    @staticmethod
    def _move(
        usages: tuple[_Usage, ...], instrument_id: str, was: Working, now: Working, position: Decimal
    ) -> None:
        for usage in usages:
            usage.move(instrument_id, was, now, position)

    def _usage(self, scope: Scope) -> _Usage:
        return self._usages.get(_wide(scope), _EMPTY)

    def _all_of(
        self, account_id: str, principal: str, strategy_id: str, session_id: str
    ) -> tuple[_Usage, ...]:
        group = account_id, principal, strategy_id, session_id
        found = self._of_group.get(group)
        if found is None:
            self._usages.setdefault(Scope(account_id), _Usage())
            order = Scope(account_id, principal, "", strategy_id, session_id)
            found = tuple(usage for scope, usage in self._usages.items() if scope.holds(order))
            if len(self._of_group) >= _MOST_GROUPS:  # a client may name ever new strategies
                self._of_group.clear()
            self._of_group[group] = found
        return found


def _wide(scope: Scope) -> Scope:
    """Its totals are found in those without the instrument."""
    return replace(scope, instrument_id="") if scope.instrument_id else scope


class Assumed:
    """Some more orders, as if they were accepted; those that are there stay as they are."""

    def __init__(self, tracked: Iterable[Scope]) -> None:
        self._more = Exposures(tracked=tracked)
        self._like: Counter[RecentKey] = Counter()
        self._asked: defaultdict[str, list[tuple[Scope, NewOrder]]] = defaultdict(list)

    def add(self, new: NewOrder, session_id: str) -> None:
        self._asked[new.instrument_id].append((scope_of(new, session_id), new))
        self._more.add(scope_of(new, session_id), asks(new, new.terms, new.terms.quantity))
        self._like[_likeness(new)] += 1

    def within(self, scope: Scope, instrument_id: str) -> Exposure:
        return self._more.within(scope, instrument_id)

    def instruments(self, scope: Scope) -> Iterable[str]:
        return self._more.instruments(scope)

    def open_orders(self, scope: Scope) -> int:
        return self._more.open_orders(scope)

    def asked(self, instrument_id: str) -> list[tuple[Scope, NewOrder]]:
        """Those in one instrument, each with its own scope."""
        return self._asked.get(instrument_id, [])

    def like(self, new: NewOrder) -> int:
        """How many of the assumed orders are like ``new``."""
        return self._like[_likeness(new)]


RecentKey = tuple[object, ...]


class RecentOrders:
    """How often the same order was sent within a window: a stuck program sends one order again and again."""

    def __init__(self, keep: timedelta) -> None:
        self._keep = keep
        self._seen: deque[tuple[datetime, RecentKey]] = deque()

    def keep_for(self, window: timedelta) -> None:
        """From now on; what is older than it was kept until now is gone."""
        self._keep = window

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
