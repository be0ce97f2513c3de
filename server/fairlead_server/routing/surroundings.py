"""What the risk controls ask about beside the order: prices, orders, positions and what they have earned."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from fairlead_server.domain.order import ZERO, Order
from fairlead_server.domain.position import EXACT, DayTotal
from fairlead_server.domain.scope import Scope
from fairlead_server.routing.book import Book
from fairlead_server.routing.funds import Funds
from fairlead_server.routing.limits import RiskLimits
from fairlead_server.routing.reference import Reference


class Surroundings:
    """The best moment of a day is that of those at which somebody has looked; after a restart it is that of the restart."""

    def __init__(self, book: Book, reference: Reference, limits: RiskLimits) -> None:
        self._book = book
        self._limits = limits
        self.price, self.multiplier, self.moving = reference.price, reference.multiplier, reference.moving
        self.lacking = Funds(book, reference).lacking
        self._peaks: dict[Scope, tuple[date, Decimal]] = {}

    def in_doubt(self, scope: Scope) -> int:
        return self._book.in_doubt(scope)

    def resting(self, instrument_id: str, sign: int) -> Iterable[Order]:
        return self._book.resting(instrument_id, sign)

    def today(self, scope: Scope, now: datetime) -> DayTotal:
        return self._book.holdings.today(scope, now)

    def profit(self, scope: Scope, now: datetime) -> Decimal:
        """A position without a reference price has earned nothing that is known."""
        realised = self._book.holdings.today(scope, now).realised
        return EXACT.add(realised, self._book.holdings.unrealised(scope, self.price))

    def drawdown(self, scope: Scope, now: datetime) -> Decimal:
        day = self._book.holdings.day_of(scope.account_id, now)
        known, profit = self._peaks.get(scope), self.profit(scope, now)
        best = max(known[1], profit) if known is not None and known[0] == day else max(profit, ZERO)
        self._peaks[scope] = day, best
        return best - profit

    def executions(self, limit_id: str) -> int:
        return self._limits.executions(limit_id)
