"""From what is said of scopes, and what has become of it, to the messages of ``fairlead.v1`` and back."""

from __future__ import annotations

from datetime import timedelta

from fairlead.v1 import trading_control_service_pb2 as pb

from fairlead_server.api import enums
from fairlead_server.api.messages import reject
from fairlead_server.api.times import duration, timestamp
from fairlead_server.domain.dead_man import DeadManSwitch
from fairlead_server.domain.flatten import Flatten
from fairlead_server.domain.live_gate import LiveGate
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_state import Halt, TradingState
from fairlead_server.routing.trading_states import LeftOrder, Progress

_MOST_LEFT = 1000  # orders of one message; the proto says so of KillProgress


def scope(value: Scope) -> pb.TradingScope:
    return pb.TradingScope(
        everything=not value.specificity,
        account_id=value.account_id,
        strategy_id=value.strategy_id,
        instrument_id=value.instrument_id,
        session_id=value.session_id,
    )


def scope_of(message: pb.TradingScope) -> Scope:
    """``everything`` is no name: it has been checked."""
    return Scope(message.account_id, "", message.instrument_id, message.strategy_id, message.session_id)


def active(value: Scope) -> pb.ScopeState:
    """Of a scope of which nothing is said."""
    return pb.ScopeState(scope=scope(value), state=pb.TRADING_STATE_ACTIVE)


def state(progress: Progress) -> pb.ScopeState:
    halt = progress.halt
    killed = halt.state is TradingState.KILLED
    return pb.ScopeState(
        scope=scope(halt.scope),
        state=enums.TRADING_STATE.number[halt.state],
        number=halt.number,
        principal=halt.principal,
        reason=halt.reason,
        set_time=timestamp(halt.time),
        state_before=enums.TRADING_STATE.number[halt.before],
        kill=_kill(halt, progress) if killed else None,
    )


def dead_man(value: DeadManSwitch, left: timedelta) -> pb.DeadManSwitch:
    return pb.DeadManSwitch(
        scope=scope(value.scope),
        timeout=duration(value.timeout),
        left=duration(left),
        principal=value.principal,
        reason=value.reason,
        arm_time=timestamp(value.time),
    )


def live_gate(value: LiveGate) -> pb.LiveGate:
    return pb.LiveGate(
        account_id=value.scope.account_id,
        session_id=value.scope.session_id,
        state=enums.LIVE_STATE.number[value.state],
        principal=value.principal,
        reason=value.reason,
        time=None if value.time is None else timestamp(value.time),
        approver=value.approver,
        approve_time=None if value.approve_time is None else timestamp(value.approve_time),
    )


def flatten(value: Flatten, live: int) -> pb.FlattenState:
    return pb.FlattenState(
        flatten_id=value.flatten_id,
        scope=scope(value.scope),
        stage=enums.FLATTEN_STAGE.number[value.stage],
        principal=value.principal,
        reason=value.reason,
        forced=value.force,
        begin_time=timestamp(value.time),
        end_time=timestamp(value.end_time),
        live_count=live,
        orders=[
            pb.FlattenOrder(
                account_id=each.holding.account_id,
                instrument_id=each.holding.instrument_id,
                strategy_id=each.holding.strategy_id,
                quantity=f"{each.quantity:f}",
                order_id=each.order_id,
                problem=each.problem,
            )
            for each in value.closings
        ],
        residuals=[
            pb.FlattenResidual(
                account_id=each.holding.account_id,
                instrument_id=each.holding.instrument_id,
                strategy_id=each.holding.strategy_id,
                quantity=f"{each.quantity:f}",
                problem=each.problem,
            )
            for each in value.residuals
        ],
    )


def _kill(halt: Halt, progress: Progress) -> pb.KillProgress:
    return pb.KillProgress(
        complete=not progress.left,
        complete_time=None if progress.left else timestamp(halt.complete_time),
        matched_count=halt.matched,
        ended_count=progress.ended,
        left_count=len(progress.left),
        left=map(_left, progress.left[:_MOST_LEFT]),
    )


def _left(value: LeftOrder) -> pb.LeftOrder:
    order = value.order
    return pb.LeftOrder(
        order_id=order.order_id,
        account_id=order.request.account_id,
        instrument_id=order.request.instrument_id,
        session_id=order.session_id,
        why=enums.LEFT_REASON.number[value.how],
        reject=None if value.reject is None else reject(value.reject),
    )
