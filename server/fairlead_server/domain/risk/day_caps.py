"""The controls that count what was done today, and what it has earned. What only closes a position passes a stop of losses."""

from __future__ import annotations

from decimal import Context, Decimal

from fairlead_server.domain.order import ZERO
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.risk.caps import HELD, open_value
from fairlead_server.domain.risk.control import Applies, Cap, Parameter, Unit
from fairlead_server.domain.risk.limits import Bound
from fairlead_server.domain.risk.proposal import Proposal
from fairlead_server.domain.risk.states import unless_closing

_WIDE = Context(prec=50)
TRADED = ("account_id", "instrument_id", "strategy_id", "session_id")  # a day's totals are known by these


def _volume(p: Proposal, bound: Bound) -> Decimal:
    """What was traded, what is open and may yet be, and the order itself."""
    today = p.standing.today(bound.scope, p.now)
    open_now = sum(
        (each.buying + each.selling for _, each in p.standing.exposures(bound.scope, p.new.instrument_id)),
        ZERO,
    )
    return today.bought_quantity + today.sold_quantity + open_now + p.open_quantity


def _value(p: Proposal, bound: Bound) -> Decimal | None:
    open_now = open_value(p, bound)
    if open_now is None:
        return None
    today = p.standing.today(bound.scope, p.now)
    return today.bought_value + today.sold_value + open_now


def _ratio(p: Proposal, bound: Bound) -> Decimal | None:
    """Orders and amends for each fill; of fewer than the parameter ``ratio_from`` nothing is said."""
    today = p.standing.today(bound.scope, p.now)
    orders = today.orders + p.count
    if orders < bound.parameter("ratio_from", Decimal(100)):
        return None
    return _WIDE.divide(Decimal(orders), Decimal(max(today.fills, 1)))


@unless_closing
def _loss(p: Proposal, bound: Bound) -> Decimal | None:
    return max(-p.standing.profit(bound.scope, p.now), ZERO)


@unless_closing
def _drawdown(p: Proposal, bound: Bound) -> Decimal | None:
    return p.standing.drawdown(bound.scope, p.now)


def _executions(p: Proposal, bound: Bound) -> int:
    return p.standing.executions(bound.limit_id)


R, A, U = RejectReason, Applies, Unit
DAY_CAPS: tuple[Cap, ...] = (
    Cap(
        "daily_volume",
        R.RISK_DAILY_VOLUME,
        A.INCREASE,
        "The quantity traded on the account's day, with all that is open filled.",
        "Nasdaq PRM",
        "max_daily_quantity",
        U.QUANTITY,
        TRADED,
        "more would be traded today than the limit",
        _volume,
        counts=True,
    ),
    Cap(
        "daily_value",
        R.RISK_DAILY_VALUE,
        A.INCREASE,
        "The value traded on the account's day, with all that is open filled.",
        "Nasdaq PRM",
        "max_daily_value",
        U.VALUE,
        TRADED,
        "more value would be traded today than the limit",
        _value,
        counts=True,
    ),
    Cap(
        "order_trade_ratio",
        R.RISK_ORDER_TRADE_RATIO,
        A.INCREASE,
        "Orders and amends sent on the account's day for each fill.",
        "RTS 6 Art. 15(1)(d), RTS 9",
        "max_order_trade_ratio",
        U.RATIO,
        TRADED,
        "too many orders for what has traded",
        _ratio,
        (Parameter("ratio_from", U.COUNT, "100", "from how many orders on it is asked"),),
        counts=True,
    ),
    Cap(
        "daily_loss",
        R.RISK_DAILY_LOSS,
        A.INCREASE,
        "What was lost on the account's day: realised, and on what is open at the reference prices.",
        "FIA 2024",
        "max_daily_loss",
        U.VALUE,
        HELD,
        "the day's loss has reached its limit",
        _loss,
        counts=True,
        reached=True,
    ),
    Cap(
        "drawdown",
        R.RISK_DRAWDOWN,
        A.INCREASE,
        "What was lost since the day's best moment.",
        "FIA 2024",
        "max_drawdown",
        U.VALUE,
        HELD,
        "the loss since the day's best moment has reached its limit",
        _drawdown,
        counts=True,
        reached=True,
    ),
    Cap(
        "repeated_executions",
        R.RISK_REPEATED_EXECUTIONS,
        A.INCREASE,
        "How often there was a fill since a person has looked, and enabled it again.",
        "RTS 6 Art. 15(3)",
        "max_executions",
        U.COUNT,
        TRADED,
        "it has traded so often that a person has to look and enable it again",
        _executions,
        counts=True,
        reached=True,
    ),
)
