"""The domain's enums and the API's: their names agree but for the prefix, and a missing one fails at import."""

from __future__ import annotations

from enum import Enum
from typing import Any, Generic, TypeVar

from fairlead.v1 import (
    common_pb2,
    execution_service_pb2,
    order_service_pb2,
    reference_service_pb2,
    risk_service_pb2,
    session_service_pb2,
    trading_control_service_pb2,
)

from fairlead_server.domain.cause import Initiator
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.flatten import Stage
from fairlead_server.domain.instrument import Shorting
from fairlead_server.domain.live_gate import LiveState
from fairlead_server.domain.order import OrderState, PendingAction, RouteState
from fairlead_server.domain.reconciliation import Verdict
from fairlead_server.domain.reject import RejectReason, RejectSource
from fairlead_server.domain.risk.events import RiskEventKind
from fairlead_server.domain.risk.limits import Mode
from fairlead_server.domain.terms import ManualIndicator, OrderCapacity, OrderType, Side, TimeInForce
from fairlead_server.domain.trading_state import TradingState
from fairlead_server.domain.venue_rules import ChainMode, ExecIdScope, ReplaceQuantity
from fairlead_server.routing.imports import ImportOutcome
from fairlead_server.routing.trading_states import Left

_Member = TypeVar("_Member", bound=Enum)


class Pair(Generic[_Member]):
    """``number`` of each member of the domain's enum; ``member`` of each number but UNSPECIFIED."""

    def __init__(self, published: Any, kind: type[_Member]) -> None:
        prefix = published.Name(0).removesuffix("UNSPECIFIED")
        self.number: dict[_Member, Any] = {member: published.Value(prefix + member.name) for member in kind}
        self.member: dict[int, _Member] = {number: member for member, number in self.number.items()}


SIDE = Pair(common_pb2.Side, Side)
ORDER_TYPE = Pair(common_pb2.OrderType, OrderType)
TIME_IN_FORCE = Pair(common_pb2.TimeInForce, TimeInForce)
CAPACITY = Pair(common_pb2.OrderCapacity, OrderCapacity)
MANUAL = Pair(common_pb2.ManualIndicator, ManualIndicator)
ORDER_STATE = Pair(common_pb2.OrderState, OrderState)
PENDING_ACTION = Pair(common_pb2.PendingAction, PendingAction)
KIND = Pair(execution_service_pb2.ExecutionKind, EventKind)
REJECT_SOURCE = Pair(common_pb2.RejectSource, RejectSource)
REJECT_REASON = Pair(common_pb2.RejectReason, RejectReason)
VERDICT = Pair(order_service_pb2.ReconcileVerdict, Verdict)
INITIATOR = Pair(common_pb2.Initiator, Initiator)
SHORTING = Pair(reference_service_pb2.Shorting, Shorting)
IMPORT_OUTCOME = Pair(reference_service_pb2.ImportOutcome, ImportOutcome)
CHAIN_MODE = Pair(session_service_pb2.ChainMode, ChainMode)
REPLACE_QUANTITY = Pair(session_service_pb2.ReplaceQuantity, ReplaceQuantity)
EXEC_ID_SCOPE = Pair(session_service_pb2.ExecIdScope, ExecIdScope)
FLATTEN_STAGE = Pair(trading_control_service_pb2.FlattenStage, Stage)
LIVE_STATE = Pair(trading_control_service_pb2.LiveState, LiveState)
TRADING_STATE = Pair(trading_control_service_pb2.TradingState, TradingState)
LEFT_REASON = Pair(trading_control_service_pb2.LeftReason, Left)
LIMIT_MODE = Pair(risk_service_pb2.LimitMode, Mode)
RISK_EVENT_KIND = Pair(risk_service_pb2.RiskEventKind, RiskEventKind)

_SENT_ONLY = {state for state in RouteState if state is not RouteState.NONE}
ROUTE_STATE: dict[RouteState, Any] = {
    state: common_pb2.RouteState.Value(f"ROUTE_STATE_{state.name}") for state in _SENT_ONLY
}
