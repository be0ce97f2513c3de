"""The controls that stand on what is known of an instrument and its market, and on the orders of one's own in it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal

from fairlead_server.domain.exposure import scope_of
from fairlead_server.domain.instrument import Shorting
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.risk.control import Applies, Cap, Finding, Gate, ListGate, Unit
from fairlead_server.domain.risk.gates import unlocated
from fairlead_server.domain.risk.limits import Bound, WordBound
from fairlead_server.domain.risk.proposal import Proposal
from fairlead_server.domain.risk.states import reduces
from fairlead_server.domain.scope import DIMENSIONS
from fairlead_server.domain.terms import NewOrder, OrderType, Side, Terms

_WIDE = Context(prec=50)
_HUNDRED = Decimal(100)

CANCEL_NEWEST, CANCEL_BOTH = "CANCEL_NEWEST", "CANCEL_BOTH"


def _order_type(p: Proposal) -> Finding | None:
    allowed = p.instrument.order_types if p.instrument else frozenset[OrderType]()
    if not allowed or p.new.order_type in allowed:
        return None
    return Finding(f"{p.new.instrument_id} takes no {p.new.order_type.value} orders")


def _time_in_force(p: Proposal) -> Finding | None:
    allowed = p.instrument.times_in_force if p.instrument else frozenset()
    if not allowed or p.terms.time_in_force in allowed:
        return None
    return Finding(f"{p.new.instrument_id} takes no orders that are {p.terms.time_in_force.value}")


def _shorting(p: Proposal) -> Finding | None:
    """A sale that is marked short, and one that is not but would sell more than there is."""
    if p.instrument is None or p.instrument.shorting is Shorting.ALLOWED or p.new.side.sign > 0:
        return None
    short = p.new.side in (Side.SELL_SHORT, Side.SELL_SHORT_EXEMPT) or not reduces(p)
    if not short:
        return None
    if p.instrument.shorting is Shorting.FORBIDDEN:
        return Finding(f"{p.new.instrument_id} may not be sold short")
    return unlocated(p)


def _price_test(p: Proposal) -> Finding | None:
    """While it is restricted a short sale must be above the best bid, unless it is exempt."""
    if p.instrument is None or not p.instrument.short_sale_restricted or p.new.side is not Side.SELL_SHORT:
        return None
    bid = p.instrument.reference.bid if p.instrument.reference else None
    if bid is None:
        return Finding(f"{p.new.instrument_id} is short sale restricted and no best bid is known")
    if p.terms.price is not None and p.terms.price > bid:
        return None
    return Finding(
        f"{p.new.instrument_id} is short sale restricted: the price must be above the best bid", bid
    )


def could_trade(new: NewOrder, terms: Terms, other: NewOrder, asked: Iterable[Terms]) -> bool:
    """Whether it could with another one, with any of the terms that has or has ``asked`` for.

    A stop rests nowhere before it is triggered.
    """
    if new.side.sign == other.side.sign:
        return False
    if new.order_type.needs_stop_price or other.order_type.needs_stop_price:
        return False
    return any(_meet(terms.price, each.price, new.side.sign) for each in asked)


def _meet(price: Decimal | None, other: Decimal | None, sign: int) -> bool:
    return price is None or other is None or (price >= other if sign > 0 else price <= other)


def _self_trade(p: Proposal, bound: WordBound) -> Finding | None:
    for order in p.standing.resting(p.new.instrument_id, -p.new.side.sign):
        request = order.request
        could = could_trade(p.new, p.terms, request, order.asked)
        if could and bound.scope.holds(scope_of(request, order.session_id)):
            return Finding(f"it could trade with order {order.order_id} of the same owner")
    for scope, other in p.standing.assumed_in(p.new.instrument_id):
        if could_trade(p.new, p.terms, other, (other.terms,)) and bound.scope.holds(scope):
            name = other.client_order_id
            return Finding(f"it could trade with order {name} of the same owner and batch")
    return None


def _part_of_volume(p: Proposal, _: Bound) -> Decimal | None:
    volume = p.instrument.average_daily_volume if p.instrument else None
    return _WIDE.divide(p.terms.quantity, volume) * _HUNDRED if volume else None


def _dynamic(p: Proposal, _: Bound) -> Decimal | None:
    """How far the price goes, adversely, beyond the mean of the reference price over the window."""
    price, moving = p.terms.price, p.standing.moving(p.new.instrument_id)
    if price is None or moving is None:
        return None
    mean = moving.mean(p.now)
    return _WIDE.divide(abs(price - mean), mean) * _HUNDRED


R, A, U = RejectReason, Applies, Unit

MARKET_GATES: tuple[Gate | ListGate, ...] = (
    Gate(
        "instrument_order_type",
        R.RISK_ORDER_TYPE_NOT_ALLOWED,
        A.INCREASE,
        "The instrument takes that order type.",
        "Nasdaq PRM",
        _order_type,
    ),
    Gate(
        "instrument_time_in_force",
        R.RISK_TIME_IN_FORCE_NOT_ALLOWED,
        A.INCREASE,
        "The instrument takes that time in force.",
        "Nasdaq PRM",
        _time_in_force,
    ),
    Gate(
        "short_sale",
        R.RISK_SHORT_SALE,
        A.INCREASE,
        "What is sold short may be, and somebody has been found to lend it.",
        "Regulation SHO 203(b)",
        _shorting,
    ),
    Gate(
        "price_test",
        R.RISK_SHORT_SALE,
        A.INCREASE,
        "A short sale of a restricted instrument is above the best bid.",
        "Regulation SHO 201",
        _price_test,
    ),
    ListGate(
        "self_trade",
        R.RISK_SELF_TRADE,
        A.INCREASE,
        "It can trade with no order of the same owner: CANCEL_NEWEST refuses it, CANCEL_BOTH cancels the others as well.",
        "CME SMP, FIA 2024",
        "self_trade",
        "self trade prevention",
        _self_trade,
    ),
)
MARKET_CAPS: tuple[Cap, ...] = (
    Cap(
        "adv",
        R.RISK_ADV,
        A.INCREASE,
        "The part of the average daily volume that one order may be.",
        "FIA 2024",
        "max_adv_percent",
        U.PERCENT,
        DIMENSIONS,
        "the quantity is too large a part of the average daily volume",
        _part_of_volume,
    ),
    Cap(
        "dynamic_collar",
        R.RISK_DYNAMIC_COLLAR,
        A.INCREASE,
        "How far a price may be from the mean of the reference price over the last while.",
        "RTS 6 Art. 15(1)(a)",
        "dynamic_collar_percent",
        U.PERCENT,
        DIMENSIONS,
        "the price is too far from where the reference price was",
        _dynamic,
    ),
)
