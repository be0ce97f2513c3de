"""Bringing a scope to zero: what is to be closed, by which orders, and what was left over.

The steps have a fixed order: nothing new, cancel what is live, wait until it has ended, close what is held by then, look
again. A closing order is named after its flatten and what it closes, so that it is one order however often it is submitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from msgspec import Struct

from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.order import ZERO
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import NewOrder, OrderType, Side, Terms
from fairlead_server.domain.vocabulary import Word

ROUNDS = 3  # of closing orders, where one does not bring it to zero
_COLLAR = Decimal("0.02")  # beyond the reference price, where a venue takes no market orders


class Stage(Word):
    CANCELING = "CANCELING"  # what was live has not ended yet
    CLOSING = "CLOSING"  # closing orders are on their way
    FLAT = "FLAT"
    RESIDUAL = "RESIDUAL"  # something is left, and nothing more is done about it

    @property
    def over(self) -> bool:
        return self in (Stage.FLAT, Stage.RESIDUAL)


class Closing(Struct, frozen=True):
    """One order that takes ``quantity``, which is signed as the position is, back to zero."""

    holding: Scope  # account, instrument and strategy
    quantity: Decimal
    client_order_id: str
    round: int
    order_id: str = ""  # empty until it has been submitted
    problem: str = ""  # why it was not, or was refused


class Residual(Struct, frozen=True):
    holding: Scope
    quantity: Decimal
    problem: str = ""


class Flatten(Struct, frozen=True):
    """``flatten_id`` is the request_id of who has asked for it."""

    flatten_id: str
    scope: Scope
    time: datetime
    principal: str
    reason: str
    force: bool = False  # close without waiting for the end of what was live
    stage: Stage = Stage.CANCELING
    round: int = 0
    closings: tuple[Closing, ...] = ()  # of all rounds
    residuals: tuple[Residual, ...] = ()
    end_time: datetime | None = None

    @property
    def latest(self) -> list[Closing]:
        """Those of the present round."""
        return [closing for closing in self.closings if closing.round == self.round]

    def wanted(
        self, held: Iterable[tuple[Scope, Decimal]], key: Callable[[str, str], str]
    ) -> Iterator[Closing]:
        """What closes that much, in the round that comes next; ``key`` makes the same of the same two texts."""
        for holding, quantity in held:
            name = f"{self.round + 1} {holding}"
            yield Closing(holding, quantity, key(self.flatten_id, name), self.round + 1)


def closing_order(
    flatten: Flatten, closing: Closing, order_type: OrderType, instrument: Instrument | None
) -> NewOrder | None:
    """None where it would need a price and there is no reference."""
    side = Side.SELL if closing.quantity > 0 else Side.BUY
    price = None
    if order_type is OrderType.LIMIT:
        if instrument is None or instrument.reference is None:
            return None
        price = _collared(instrument.reference.price, side, instrument.tick_size)
    holding = closing.holding
    return NewOrder(
        holding.account_id,
        closing.client_order_id,
        holding.instrument_id,
        side,
        order_type,
        Terms(abs(closing.quantity), price),
        strategy_id=holding.strategy_id,
        note=f"flatten {flatten.flatten_id}",
        principal=flatten.principal,
        flattens=flatten.scope,
    )


def within(scope: Scope, held: Iterable[tuple[Scope, Decimal]]) -> list[tuple[Scope, Decimal]]:
    """The positions of a scope that are not flat."""
    return sorted(
        (holding, quantity) for holding, quantity in held if quantity != ZERO and scope.holds(holding)
    )


def _collared(reference: Decimal, side: Side, tick: Decimal) -> Decimal:
    """As far beyond the reference as it may trade, to the tick within that."""
    if side is Side.BUY:
        ticks = (reference * (1 + _COLLAR) / tick).to_integral_value(ROUND_FLOOR)
    else:
        ticks = (reference * (1 - _COLLAR) / tick).to_integral_value(ROUND_CEILING)
    return max(ticks, Decimal(1)) * tick
