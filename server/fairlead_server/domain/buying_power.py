"""What an account can pay for: its own money, what its positions tie up, and what an order would add to that.

Two kinds of account. One of CASH pays in full and sells only what it holds. One with MARGIN ties up a part of the value of
what it holds or owes, the instrument's own rate or else the account's.

    equity      = cash + realised + unrealised
    requirement = sum over instruments of the worst case |position, all working orders of one side filled| x worth x rate
    free        = equity - requirement

Worth is the reference price of one contract, for working orders, too. An order that is to pay more than that, or to sell
for less, loses the difference as it trades, and needs it beside its margin. So the free money of a cash account without
working orders is, to the last digit, what it has not spent.

Everything is in the account's currency: nothing is converted, and an instrument in another one cannot be paid for.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from fairlead_server.domain.order import ZERO
from fairlead_server.domain.position import EXACT
from fairlead_server.domain.vocabulary import Word

_WHOLE = Decimal(1)


class AccountKind(Word):
    CASH = "CASH"
    MARGIN = "MARGIN"


class MarginModel(Struct, frozen=True):
    """Of one account. ``rate`` is of the value, 0.25 is a quarter; one of CASH has none but the whole."""

    kind: AccountKind
    currency: str
    cash: Decimal
    rate: Decimal = _WHOLE


class Stake(Struct, frozen=True):
    """One account in one instrument: what it holds, signed, and how much of it may still be bought and sold."""

    instrument_id: str
    currency: str
    quantity: Decimal = ZERO
    buying: Decimal = ZERO
    selling: Decimal = ZERO
    worth: Decimal | None = None  # of one: the reference price times the multiplier; None where none is known
    rate: Decimal | None = None  # the instrument's own


class Lack(Word):
    CURRENCY = "CURRENCY"  # the instrument is in another one
    SHORT = "SHORT"  # more would be sold than is held
    PRICE = "PRICE"  # nothing says what it is worth
    FUNDS = "FUNDS"


class Shortfall(Struct, frozen=True):
    """Why an order cannot be paid for: of FUNDS with what it needs and what there is, of SHORT with both quantities."""

    lack: Lack
    needed: Decimal = ZERO
    there: Decimal = ZERO


class BuyingPower(Struct, frozen=True):
    """``unpriced`` names instruments that count for nothing because nobody knows what they are worth."""

    equity: Decimal
    requirement: Decimal
    unpriced: tuple[str, ...] = ()

    @property
    def free(self) -> Decimal:
        """Below zero, the account owes margin."""
        return EXACT.subtract(self.equity, self.requirement)


def buying_power(model: MarginModel, earned: Decimal, stakes: Iterable[Stake]) -> BuyingPower:
    """``earned`` is realised and unrealised together. Stakes in another currency are left out."""
    requirement, unpriced = ZERO, []
    for stake in stakes:
        if stake.currency != model.currency:
            continue
        ties = tied(model, stake)
        if ties is None:
            unpriced.append(stake.instrument_id)
        else:
            requirement = EXACT.add(requirement, ties)
    return BuyingPower(EXACT.add(model.cash, earned), requirement, tuple(unpriced))


def tied(model: MarginModel, stake: Stake) -> Decimal | None:
    """What one stake requires; None where it holds or may hold something, and its worth is not known."""
    longest = EXACT.add(stake.quantity, stake.buying)
    shortest = EXACT.subtract(stake.quantity, stake.selling)
    worst = max(longest, shortest.copy_negate(), ZERO)
    if not worst:
        return ZERO
    if stake.worth is None:
        return None
    return EXACT.multiply(EXACT.multiply(worst, abs(stake.worth)), _rate(model, stake))


def added(model: MarginModel, stake: Stake, quantity: Decimal, price: Decimal | None) -> Decimal | None:
    """What an order takes of the free money: margin, and what it gives away against the reference price.

    ``quantity`` is signed; ``price`` is the dearest at which one of it may trade, times the multiplier, None for whatever
    the market says. ``stake`` leaves the order out. Zero for what only reduces; None where nothing says what it is worth.
    """
    before = tied(model, stake)
    after = tied(model, _with(stake, quantity))
    if before is None or after is None:
        return None
    margin = max(EXACT.subtract(after, before), ZERO)
    if price is None or stake.worth is None or not margin:
        return margin
    given = EXACT.multiply(quantity, EXACT.subtract(price, stake.worth))
    return EXACT.add(margin, max(given, ZERO))


def lacking(
    model: MarginModel, power: BuyingPower, stake: Stake, quantity: Decimal, price: Decimal | None
) -> Shortfall | None:
    """Why the account cannot pay for an order, see :func:`added`; None where it can.

    What adds nothing passes even where money is owed already: an account has to be able to get out.
    """
    if stake.currency != model.currency:
        return Shortfall(Lack.CURRENCY)
    if model.kind is AccountKind.CASH and quantity < 0:
        held = EXACT.subtract(stake.quantity, stake.selling)
        if EXACT.add(held, quantity) < 0:
            return Shortfall(Lack.SHORT, quantity.copy_negate(), max(held, ZERO))
    needed = added(model, stake, quantity, price)
    if needed is None:
        return Shortfall(Lack.PRICE)
    if not needed or needed <= power.free:
        return None
    return Shortfall(Lack.FUNDS, needed, power.free)


def _with(stake: Stake, quantity: Decimal) -> Stake:
    buying, selling = stake.buying, stake.selling
    if quantity > 0:
        buying = EXACT.add(buying, quantity)
    else:
        selling = EXACT.subtract(selling, quantity)
    return Stake(
        stake.instrument_id, stake.currency, stake.quantity, buying, selling, stake.worth, stake.rate
    )


def _rate(model: MarginModel, stake: Stake) -> Decimal:
    if model.kind is AccountKind.CASH:
        return _WHOLE
    return model.rate if stake.rate is None else stake.rate
