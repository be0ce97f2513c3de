"""The controls that reckon what is lost if protective stops are reached.

The stop of an order is its tag ``protective_stop``: the price at which whoever submits it means to get out. Of what is held the
router knows no stops; a limit says how far, in per cent of the reference price, it is to be taken to fall.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from fairlead_server.domain.order import ZERO
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.risk.caps import HELD, exposed
from fairlead_server.domain.risk.control import UNKNOWN, Applies, Cap, Parameter, Unit
from fairlead_server.domain.risk.limits import Bound
from fairlead_server.domain.risk.proposal import Proposal
from fairlead_server.domain.risk.states import unless_closing
from fairlead_server.domain.scope import DIMENSIONS
from fairlead_server.domain.vocabulary import UNSIGNED

STOP = "protective_stop"
_HUNDRED = Decimal(100)


def _distance(p: Proposal) -> Decimal | None:
    """From its price to its stop; None without a stop, and unknown where that is no price, or not on the losing side."""
    text = p.new.tag(STOP)
    if text is None:
        return None
    price = p.terms.price if p.terms.price is not None else p.reference_price
    if price is None or UNSIGNED.fullmatch(text) is None:
        return UNKNOWN
    distance = (price - Decimal(text)) * p.new.side.sign
    return distance * p.standing.multiplier(p.new.instrument_id) if distance > 0 else UNKNOWN


def _trade_risk(p: Proposal, bound: Bound) -> Decimal | None:
    distance = _distance(p)
    if distance is None:
        return UNKNOWN if bound.parameter("stop_required", ZERO) else None
    return UNKNOWN if distance == UNKNOWN else p.terms.quantity * distance


@unless_closing
def _heat(p: Proposal, bound: Bound) -> Decimal | None:
    """What the order loses at its stop, and what all else that is or may be held loses if it falls as far as the limit says."""
    fall = bound.parameter("heat_percent", _HUNDRED) / _HUNDRED
    held = exposed(replace(p, terms=replace(p.terms, quantity=ZERO)), bound)
    distance, own = _distance(p), p.worth(p.open_quantity)
    if held is None or own is None or distance == UNKNOWN:
        return UNKNOWN
    others = sum((each.worst for each in held), ZERO) * fall
    return others + (own * fall if distance is None else p.open_quantity * distance)


R, A, U = RejectReason, Applies, Unit
STOP_CAPS: tuple[Cap, ...] = (
    Cap(
        "trade_risk",
        R.RISK_TRADE_RISK,
        A.INCREASE,
        "What one order loses if its protective stop, the tag protective_stop, is reached.",
        "FIA 2024",
        "max_trade_risk",
        U.VALUE,
        DIMENSIONS,
        "more would be lost at the protective stop than the limit",
        _trade_risk,
        (Parameter("stop_required", U.COUNT, "0", "1: an order without a stop is refused"),),
    ),
    Cap(
        "portfolio_heat",
        R.RISK_PORTFOLIO_HEAT,
        A.INCREASE,
        "What is lost if the order's stop is reached and all else that is held, or may be, falls by so much.",
        "FIA 2024",
        "max_portfolio_heat",
        U.VALUE,
        HELD,
        "more would be lost at all stops than the limit",
        _heat,
        (Parameter("heat_percent", U.PERCENT, "100", "how far what is held is taken to fall"),),
        counts=True,
    ),
)
