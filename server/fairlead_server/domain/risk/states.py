"""The controls of the operations desk: what a state of trading refuses, and what passes in spite of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import wraps

from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.risk.control import Applies, Finding, Gate
from fairlead_server.domain.risk.limits import Bound
from fairlead_server.domain.risk.proposal import Proposal
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_state import TradingState

_Observe = Callable[[Proposal, Bound], Decimal | None]


def reduces(p: Proposal) -> bool:
    """Whether the account's position can neither grow nor turn, with this and all that works on its side filled."""
    exposure = p.standing.exposure(Scope(p.new.account_id), p.new.instrument_id)
    return p.worst(exposure) <= 0


def unless_closing(observe: _Observe) -> _Observe:
    """Lets pass what only reduces. Without a quantity there is no order, and how things stand is told all the same."""

    @wraps(observe)
    def observed(p: Proposal, bound: Bound) -> Decimal | None:
        return None if p.count and reduces(p) else observe(p, bound)

    return observed


def _killed(p: Proposal) -> Finding | None:
    return _holds(p, TradingState.KILLED, "the kill switch is on")


def _paused(p: Proposal) -> Finding | None:
    return _holds(p, TradingState.PAUSED, "trading is paused")


def _reduce_only(p: Proposal) -> Finding | None:
    found = _holds(p, TradingState.REDUCE_ONLY, "only what reduces the position may be sent")
    return None if found is None or reduces(p) else found


def _closed(p: Proposal) -> Finding | None:
    return None if p.closed is None else Finding(f"nobody has approved that {p.closed} trades live")


def _holds(p: Proposal, state: TradingState, text: str) -> Finding | None:
    halt = p.halt
    if halt is None or halt.state is not state:
        return None
    return Finding(f"{text} for {halt.scope}: {halt.reason}")


_RTS6 = "RTS 6"

STATES = (
    Gate(
        "trading_killed",
        RejectReason.RISK_KILL_SWITCH,
        Applies.INCREASE,
        "No kill switch of the operations desk is on for it.",
        f"{_RTS6} Art. 12",
        _killed,
        sudden=True,
    ),
    Gate(
        "trading_paused",
        RejectReason.RISK_TRADING_PAUSED,
        Applies.INCREASE,
        "The operations desk has not paused it.",
        f"{_RTS6} Art. 12",
        _paused,
        sudden=True,
    ),
    Gate(
        "reduce_only",
        RejectReason.RISK_REDUCE_ONLY,
        Applies.INCREASE,
        "The operations desk has not said reduce-only, or the order only reduces.",
        f"{_RTS6} Art. 12",
        _reduce_only,
        sudden=True,
    ),
    Gate(
        "live_gate",
        RejectReason.RISK_LIVE_DISABLED,
        Applies.INCREASE,
        "Its account and its session have no live gate, or two persons have opened it.",
        "FIA 2024",
        _closed,
        sudden=True,
    ),
)
