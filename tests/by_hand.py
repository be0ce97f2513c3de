"""Positions and daily totals once more, from what is stored of orders, executions and events: lists and fractions.

It shares with the router nothing but the definition of what is rounded: what is left of a cost when a part is taken away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from fairlead_server.domain.order import Order
from fairlead_server.domain.position import DayTotal, HoldingKey, Position, TotalKey
from fairlead_server.domain.trading_day import TradingDay
from fairlead_server.store.database import DayQuery, OrderQuery, Store

_PLACES = 10**24


@dataclass(frozen=True, slots=True)
class Made:
    """A trade that counts. The quantity is signed."""

    place: int
    key: HoldingKey
    day: date
    session_id: str
    quantity: Fraction
    price: Fraction


@dataclass(slots=True)
class Sums:
    fills: int = 0
    bought_quantity: Fraction = Fraction(0)
    bought_value: Fraction = Fraction(0)
    sold_quantity: Fraction = Fraction(0)
    sold_value: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)

    def add(self, made: Made, realised: Fraction) -> None:
        self.fills += 1
        self.realised += realised
        if made.quantity > 0:
            self.bought_quantity += made.quantity
            self.bought_value += made.quantity * made.price
        else:
            self.sold_quantity -= made.quantity
            self.sold_value -= made.quantity * made.price


@dataclass(slots=True)
class Held:
    quantity: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    sums: Sums = field(default_factory=Sums)

    def add(self, made: Made) -> Fraction:
        """Returns what it realises."""
        realised = Fraction(0)
        rest = made.quantity
        if self.quantity * rest < 0:
            closing = min(abs(rest), abs(self.quantity)) * (1 if rest > 0 else -1)
            left = self.quantity + closing
            kept = Fraction(round(self.cost * left / self.quantity * _PLACES), _PLACES)
            realised = -closing * made.price - (self.cost - kept)
            self.quantity, self.cost, rest = left, kept, rest - closing
        self.quantity += rest
        self.cost += rest * made.price
        self.sums.add(made, realised)
        return realised


@dataclass(frozen=True, slots=True)
class Books:
    positions: Mapping[HoldingKey, Held]
    days: Mapping[TotalKey, Sums]


def fold(trades: Iterable[Made]) -> Books:
    """In the order in which they are given."""
    positions: defaultdict[HoldingKey, Held] = defaultdict(Held)
    days: defaultdict[TotalKey, Sums] = defaultdict(Sums)
    for made in trades:
        realised = positions[made.key].add(made)
        days[(made.day, *made.key, made.session_id)].add(made, realised)
    return Books(positions, days)


def standing(order: Order, sequences: Mapping[str, int]) -> dict[int, tuple[Fraction, Fraction]]:
    """Signed quantity and price by place: each execution belongs to what it has become in the end."""
    by_key = {each.key: each for each in order.executions}
    first: dict[str, int] = {}
    for each in order.executions:
        end = each
        while end.superseded_by:
            end = by_key[end.superseded_by]
        if each.execution_id in sequences:
            at = sequences[each.execution_id]
            first[end.key] = min(first.get(end.key, at), at)
    sign = order.request.side.sign
    return {
        first[each.key]: (sign * Fraction(each.quantity), Fraction(each.price))
        for each in order.executions
        if not each.busted and not each.superseded_by
    }


def of_store(store: Store, days: Mapping[str, TradingDay]) -> Books:
    """The day of a trade is that of its event."""
    times = {event.sequence: event.time for event in store.events_after(0, 1_000_000)}
    orders = store.list_orders(OrderQuery())
    found = []
    for order in orders:
        request = order.request
        key = request.account_id, request.instrument_id, request.strategy_id
        calendar = days.get(request.account_id, TradingDay())
        for place, (quantity, price) in standing(order, store.sequences([order.order_id])).items():
            day = calendar.of(times[place])
            found.append(Made(place, key, day, order.session_id, quantity, price))
    return fold(sorted(found, key=lambda each: each.place))


def differences(
    books: Books, positions: Mapping[HoldingKey, Position], totals: Mapping[TotalKey, DayTotal]
) -> list[str]:
    """Each in a line; none where they are the same to the last digit."""
    wrong = []
    for key in books.positions.keys() | positions.keys():
        held, position = books.positions.get(key, Held()), positions.get(key, Position())
        expected = (held.quantity, held.cost, *_amounts(held.sums), held.sums.fills)
        found = (position.quantity, position.cost, *_amounts(position), position.trades)
        if expected != found:
            wrong.append(f"{key} is {found}, and by hand {expected}")
        by_day = sum(Fraction(total.realised) for name, total in totals.items() if name[1:4] == key)
        if by_day != position.realised:
            wrong.append(f"{key} has realised {position.realised}, and its days {by_day}")
    for name in books.days.keys() | totals.keys():
        sums, total = books.days.get(name, Sums()), totals.get(name, DayTotal())
        expected, found = (*_amounts(sums), sums.fills), (*_amounts(total), total.fills)
        if expected != found:
            wrong.append(f"{name} is {found}, and by hand {expected}")
    return wrong


def wrong_in(
    store: Store, positions: Mapping[HoldingKey, Position], days: Mapping[str, TradingDay]
) -> list[str]:
    """What is wrong with ``positions``, which memory has, or with the days that the store has."""
    return differences(of_store(store, days), positions, dict(store.list_day_totals(DayQuery())))


def _amounts(sums: Sums | Position | DayTotal) -> tuple[object, ...]:
    bought = sums.bought_quantity, sums.bought_value
    return *bought, sums.sold_quantity, sums.sold_value, sums.realised
