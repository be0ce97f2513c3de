"""What counts against the limits when one order is looked at: what is open, held and was sent, in any scope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from fairlead_server.domain.buying_power import MarginModel, Shortfall
from fairlead_server.domain.exposure import NOTHING, Assumed, Exposure, Exposures, RecentOrders, Working
from fairlead_server.domain.moving_reference import MovingReference
from fairlead_server.domain.order import Order
from fairlead_server.domain.position import DayTotal
from fairlead_server.domain.risk.limits import Bound
from fairlead_server.domain.risk.rates import Rate, Rates
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import NewOrder


class Around(Protocol):
    """What the controls ask about that is kept elsewhere."""

    def price(self, instrument_id: str) -> Decimal | None:
        """The reference price."""

    def multiplier(self, instrument_id: str) -> Decimal:
        """What one of it is worth at a price of 1."""

    def moving(self, instrument_id: str) -> MovingReference | None:
        """Where the reference price was in the last while."""

    def in_doubt(self, scope: Scope) -> int:
        """How many orders are."""

    def resting(self, instrument_id: str, sign: int) -> Iterable[Order]:
        """The live orders in one instrument, of one side and of everybody."""

    def today(self, scope: Scope, now: datetime) -> DayTotal:
        """What was done on the account's day."""

    def profit(self, scope: Scope, now: datetime) -> Decimal:
        """What was earned on the account's day, and on what is open at the reference prices; below zero it is lost."""

    def drawdown(self, scope: Scope, now: datetime) -> Decimal:
        """How far :meth:`profit` is below the most that it was at any time of the day, as far as anybody has looked."""

    def lacking(
        self,
        model: MarginModel,
        account_id: str,
        instrument_id: str,
        quantity: Decimal,
        price: Decimal | None,
        exposures: Iterable[tuple[str, Exposure]],
    ) -> Shortfall | None:
        """Why the account cannot pay for so much, signed, at that price or at whatever the market says.

        ``exposures`` are those of the account in every instrument, without what is asked for.
        """

    def executions(self, limit_id: str) -> int:
        """How many fills a limit of them has counted since a person has looked."""


class Standing:
    """``own`` is what the order that is to be amended counts for already; it makes room for what it is to become."""

    def __init__(
        self,
        exposures: Exposures,
        recent: RecentOrders,
        rates: Rates,
        around: Around,
        own: Working = NOTHING,
        assumed: Assumed | None = None,
    ) -> None:
        self.multiplier = around.multiplier
        self.price, self.moving = around.price, around.moving
        self.in_doubt, self.resting = around.in_doubt, around.resting
        self.today, self.profit, self.drawdown = around.today, around.profit, around.drawdown
        self.executions, self._around = around.executions, around
        self._exposures = exposures
        self._recent = recent
        self._rates = rates
        self._own = own
        self._assumed = assumed

    def exposure(self, scope: Scope, instrument_id: str) -> Exposure:
        """Of the proposal's own instrument, in a scope to which it belongs."""
        found = self._exposures.within(scope, instrument_id)
        if self._assumed is not None:
            found = found.plus(self._assumed.within(scope, instrument_id))
        return found.without(self._own)

    def exposures(self, scope: Scope, instrument_id: str) -> Iterator[tuple[str, Exposure]]:
        """Of every instrument of the scope, the proposal's own included even if nothing is there yet."""
        if scope.instrument_id:
            yield instrument_id, self.exposure(scope, instrument_id)
            return
        names = dict.fromkeys((instrument_id, *self._exposures.instruments(scope)))
        if self._assumed is not None:
            names |= dict.fromkeys(self._assumed.instruments(scope))
        for name in names:
            if name == instrument_id:
                yield name, self.exposure(scope, name)
                continue
            found = self._exposures.within(scope, name)
            yield name, found if self._assumed is None else found.plus(self._assumed.within(scope, name))

    def lacking(
        self,
        model: MarginModel,
        account_id: str,
        instrument_id: str,
        quantity: Decimal,
        price: Decimal | None,
    ) -> Shortfall | None:
        """Why the account cannot pay for so much of the proposal's own instrument."""
        exposures = self.exposures(Scope(account_id), instrument_id)
        return self._around.lacking(model, account_id, instrument_id, quantity, price, exposures)

    def assumed_in(self, instrument_id: str) -> Iterable[tuple[Scope, NewOrder]]:
        """The orders in one instrument that are looked at as if they were accepted, each with its own scope."""
        return () if self._assumed is None else self._assumed.asked(instrument_id)

    def open_value(self, instrument_id: str, exposure: Exposure) -> Decimal:
        """What works is worth; without a price of its own, at the reference price, or nothing where none is known."""
        price = self.price(instrument_id) if exposure.unpriced else None
        value = exposure.value if price is None else exposure.value + exposure.unpriced * price
        return value * self.multiplier(instrument_id)

    def open_orders(self, scope: Scope) -> int:
        own = self._own.open
        assumed = self._assumed.open_orders(scope) if self._assumed is not None else 0
        return self._exposures.open_orders(scope) + assumed - own

    def repeats(self, new: NewOrder, now: datetime, window: timedelta) -> int:
        """How many like it were sent less than ``window`` ago."""
        assumed = self._assumed.like(new) if self._assumed is not None else 0
        return self._recent.count(new, now, window) + assumed

    def taken(self, rate: Rate, bound: Bound, instrument_id: str, now: datetime) -> int:
        """How many of those that a rate limit lets come at once are used up at the moment."""
        taken = self._rates.taken(rate, bound, instrument_id, now)
        if self._assumed is None:
            return taken
        return taken + self._assumed.open_orders(rate.scope(bound, instrument_id))
