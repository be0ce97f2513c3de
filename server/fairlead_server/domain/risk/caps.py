"""The controls that compare a number with a limit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Context, Decimal

from msgspec import Struct

from fairlead_server.domain.order import ZERO
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.risk.control import UNKNOWN, Applies, Cap, Parameter, Unit
from fairlead_server.domain.risk.limits import Bound
from fairlead_server.domain.risk.proposal import Proposal
from fairlead_server.domain.risk.rates import MESSAGES, SYMBOL_MESSAGES, Rate
from fairlead_server.domain.risk.states import unless_closing
from fairlead_server.domain.scope import DIMENSIONS

_WIDE = Context(prec=50)
_HUNDRED, _BASIS_POINTS = Decimal(100), Decimal(10_000)
HELD = ("account_id", "instrument_id", "strategy_id")  # a position is known by these


def _max_quantity(p: Proposal, _: Bound) -> Decimal:
    return p.terms.quantity


def _worth(p: Proposal, _: Bound) -> Decimal | None:
    return p.worth(p.terms.quantity)


def _from_reference(p: Proposal) -> Decimal | None:
    """How far the worse of its prices is from the reference price, as a part of that."""
    reference = p.reference_price
    prices = [price for price in (p.terms.price, p.terms.stop_price) if price is not None]
    if reference is None or not prices:
        return None
    return _WIDE.divide(max(abs(price - reference) for price in prices), reference)


def _collar(p: Proposal, _: Bound) -> Decimal | None:
    distance = _from_reference(p)
    return None if distance is None else distance * _HUNDRED


def _through(p: Proposal, _: Bound) -> Decimal | None:
    """How far a limit goes through the other side of the market, or through the reference price where that side is not known."""
    reference, price = p.far_side, p.terms.price
    if reference is None or price is None:
        return None
    beyond = (price - reference) * p.new.side.sign
    return _WIDE.divide(beyond, reference) * _BASIS_POINTS if beyond > 0 else ZERO


def _open_orders(p: Proposal, bound: Bound) -> int:
    return p.standing.open_orders(bound.scope) + p.count


def open_value(p: Proposal, bound: Bound) -> Decimal | None:
    """With the order itself. What has no price is worth the reference price; without one nothing is known, and other controls refuse."""
    own = p.worth(p.open_quantity)
    if own is None:
        return None
    total = own
    for instrument_id, exposure in p.standing.exposures(bound.scope, p.new.instrument_id):
        total += p.standing.open_value(instrument_id, exposure)
    return total


def _position(p: Proposal, bound: Bound) -> Decimal:
    return p.worst(p.standing.exposure(bound.scope, p.new.instrument_id))


def _repeats(p: Proposal, bound: Bound) -> int | None:
    window = timedelta(seconds=float(bound.parameter("duplicate_window_seconds", ZERO)))
    return p.standing.repeats(p.new, p.now, window) if window else None


def _messages(rate: Rate) -> Callable[[Proposal, Bound], int]:
    return lambda p, bound: p.standing.taken(rate, bound, p.new.instrument_id, p.now) + p.count


class _Worth(Struct, frozen=True):
    """What one instrument may come to be worth: ``up`` with all purchases filled, ``down``, as a short one, with all sales."""

    instrument_id: str
    up: Decimal
    down: Decimal

    @property
    def worst(self) -> Decimal:
        return max(self.up, self.down)


def exposed(p: Proposal, bound: Bound) -> list[_Worth] | None:
    """Of each instrument of the scope, the proposal counted in its own. None if one that may be held has no reference price.

    In the currencies of the instruments, which are not converted. Its own is worth the reference price at least: a low limit makes
    what is held no cheaper.
    """
    found = []
    for instrument_id, exposure in p.standing.exposures(bound.scope, p.new.instrument_id):
        up, down = exposure.position + exposure.buying, exposure.selling - exposure.position
        own = instrument_id == p.new.instrument_id
        if own and p.new.side.sign > 0:
            up += p.open_quantity
        elif own:
            down += p.open_quantity
        if not (up or down):
            continue
        prices = (p.value_price if own else None, p.standing.price(instrument_id))
        known = [price for price in prices if price is not None]
        if not known:
            return None
        worth = max(known) * p.standing.multiplier(instrument_id)
        found.append(_Worth(instrument_id, up * worth, down * worth))
    return found


@unless_closing
def _gross(p: Proposal, bound: Bound) -> Decimal | None:
    held = exposed(p, bound)
    return UNKNOWN if held is None else sum((each.worst for each in held), ZERO)


@unless_closing
def _net(p: Proposal, bound: Bound) -> Decimal | None:
    """The larger of what it is with all purchases of the scope filled, and with all sales."""
    held = exposed(p, bound)
    if held is None:
        return UNKNOWN
    return max(sum((each.up for each in held), ZERO), sum((each.down for each in held), ZERO))


@unless_closing
def _concentration(p: Proposal, bound: Bound) -> Decimal | None:
    """Of a gross exposure below the parameter ``concentration_from`` nothing is said: the first order is always all of it."""
    held = exposed(p, bound)
    if held is None:
        return UNKNOWN
    gross = sum((each.worst for each in held), ZERO)
    if not gross or gross < bound.parameter("concentration_from", ZERO):
        return None
    own = sum((each.worst for each in held if each.instrument_id == p.new.instrument_id), ZERO)
    return _WIDE.divide(own, gross) * _HUNDRED


def _positions(p: Proposal, bound: Bound) -> int:
    held = p.standing.exposures(bound.scope, p.new.instrument_id)
    others = sum(
        1
        for name, each in held
        if name != p.new.instrument_id and (each.position or each.buying or each.selling)
    )
    return others + p.count


def _amends(p: Proposal, _: Bound) -> int:
    return p.amends + 1


def _in_doubt(p: Proposal, bound: Bound) -> int:
    return p.standing.in_doubt(bound.scope)


R, A, U = RejectReason, Applies, Unit
CAPS: tuple[Cap, ...] = (
    Cap(
        "max_quantity",
        R.RISK_MAX_QUANTITY,
        A.INCREASE,
        "The quantity of one order.",
        "RTS 6 Art. 15(1)(c)",
        "max_order_quantity",
        U.QUANTITY,
        DIMENSIONS,
        "order quantity is above the limit",
        _max_quantity,
    ),
    Cap(
        "max_notional",
        R.RISK_MAX_NOTIONAL,
        A.INCREASE,
        "The value of one order at the dearest price at which it may trade.",
        "RTS 6 Art. 15(1)(b)",
        "max_order_notional",
        U.VALUE,
        DIMENSIONS,
        "order value is above the limit",
        _worth,
    ),
    Cap(
        "min_notional",
        R.RISK_MIN_NOTIONAL,
        A.INCREASE,
        "The least value of one order.",
        "venue rules",
        "min_order_notional",
        U.VALUE,
        DIMENSIONS,
        "order value is below the limit",
        _worth,
        least=True,
    ),
    Cap(
        "price_collar",
        R.RISK_PRICE_COLLAR,
        A.INCREASE,
        "How far a price may be from the reference price, either way.",
        "RTS 6 Art. 15(1)(a)",
        "price_collar_percent",
        U.PERCENT,
        DIMENSIONS,
        "the price is too far from the reference price",
        _collar,
    ),
    Cap(
        "fat_finger",
        R.RISK_FAT_FINGER,
        A.INCREASE,
        "How far a limit may go through the market.",
        "SEC 15c3-5(c)(1)(ii)",
        "fat_finger_bps",
        U.BASIS_POINTS,
        DIMENSIONS,
        "the price goes too far through the market",
        _through,
    ),
    Cap(
        "open_orders",
        R.RISK_OPEN_ORDER_COUNT,
        A.NEW,
        "How many orders are open, this one included.",
        "FIA 2024",
        "max_open_orders",
        U.COUNT,
        DIMENSIONS,
        "too many open orders",
        _open_orders,
        counts=True,
    ),
    Cap(
        "open_notional",
        R.RISK_OPEN_NOTIONAL,
        A.INCREASE,
        "What all open orders are worth, this one included.",
        "SEC 15c3-5(c)(1)(i)",
        "max_open_notional",
        U.VALUE,
        DIMENSIONS,
        "what is open is worth more than the limit",
        open_value,
        counts=True,
    ),
    Cap(
        "position",
        R.RISK_POSITION_LIMIT,
        A.INCREASE,
        "The position in one instrument, long or short, with all working orders filled.",
        "FIA 2024",
        "max_position",
        U.QUANTITY,
        HELD,
        "position with all working orders filled is above the limit",
        _position,
        counts=True,
        each=True,
    ),
    Cap(
        "max_positions",
        R.RISK_MAX_POSITIONS,
        A.INCREASE,
        "In how many instruments there is a position or may come to be one.",
        "FIA 2024",
        "max_positions",
        U.COUNT,
        HELD,
        "too many positions",
        _positions,
        counts=True,
    ),
    Cap(
        "gross_exposure",
        R.RISK_GROSS_EXPOSURE,
        A.INCREASE,
        "The worst value of all positions, long and short added up.",
        "SEC 15c3-5(c)(1)(i)",
        "max_gross_exposure",
        U.VALUE,
        HELD,
        "the gross exposure is above the limit",
        _gross,
        counts=True,
    ),
    Cap(
        "net_exposure",
        R.RISK_NET_EXPOSURE,
        A.INCREASE,
        "The value of all positions, short ones taken from long ones, with all purchases filled or with all sales.",
        "SEC 15c3-5(c)(1)(i)",
        "max_net_exposure",
        U.VALUE,
        HELD,
        "the net exposure is above the limit",
        _net,
        counts=True,
    ),
    Cap(
        "concentration",
        R.RISK_CONCENTRATION,
        A.INCREASE,
        "The part of the gross exposure that is in one instrument.",
        "SEC 15c3-5(c)(1)(i)",
        "max_concentration_percent",
        U.PERCENT,
        HELD,
        "too large a part of the exposure is in one instrument",
        _concentration,
        (Parameter("concentration_from", U.VALUE, "0", "the gross exposure from which on it is asked"),),
    ),
    Cap(
        "duplicate",
        R.RISK_DUPLICATE_ORDER,
        A.NEW,
        "How many like it were sent within a window.",
        "SEC 15c3-5(c)(1)(ii)",
        "max_duplicates",
        U.COUNT,
        DIMENSIONS,
        "the same order was sent within the window",
        _repeats,
        (Parameter("duplicate_window_seconds", U.SECONDS, "0", "the window; 0: repeats are allowed"),),
    ),
    Cap(
        "message_rate",
        R.RISK_ORDER_RATE,
        A.INCREASE,
        "New orders and amends a second (a token bucket).",
        "RTS 6 Art. 15(1)(d)",
        MESSAGES.limit,
        U.PER_SECOND,
        DIMENSIONS,
        "too many messages in too short a time",
        _messages(MESSAGES),
        (Parameter(MESSAGES.parameter, U.COUNT, "one second's worth", "how many may come at once"),),
        most=lambda bound: Decimal(MESSAGES.burst(bound)),
        counts=True,
    ),
    Cap(
        "symbol_rate",
        R.RISK_SYMBOL_RATE,
        A.INCREASE,
        "New orders and amends a second in one instrument (a token bucket).",
        "Nasdaq PRM",
        SYMBOL_MESSAGES.limit,
        U.PER_SECOND,
        DIMENSIONS,
        "too many messages in the instrument in too short a time",
        _messages(SYMBOL_MESSAGES),
        (Parameter(SYMBOL_MESSAGES.parameter, U.COUNT, "one second's worth", "how many may come at once"),),
        most=lambda bound: Decimal(SYMBOL_MESSAGES.burst(bound)),
        counts=True,
        each=True,
    ),
    Cap(
        "amends",
        R.RISK_TOO_MANY_AMENDS,
        A.AMEND,
        "How often one order is amended.",
        "FIA 2024",
        "max_amends",
        U.COUNT,
        DIMENSIONS,
        "the order has been amended too often",
        _amends,
    ),
    Cap(
        "in_doubt",
        R.RISK_RECONCILING,
        A.NEW,
        "How many orders are in doubt.",
        "RTS 6 Art. 16",
        "max_in_doubt",
        U.COUNT,
        ("account_id", "session_id"),
        "too many orders are in doubt",
        _in_doubt,
        counts=True,
    ),
)
