"""From the requests of ``fairlead.v1``, which have been validated, to the values of the use cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from fairlead.v1 import (
    common_pb2,
    execution_service_pb2,
    order_service_pb2,
    position_service_pb2,
    risk_service_pb2,
    session_service_pb2,
    trading_control_service_pb2,
)
from msgspec.structs import replace

from fairlead_server.api import enums
from fairlead_server.api.times import time_of
from fairlead_server.api.tokens import filter_id
from fairlead_server.domain.amendments import Amendment, Selection
from fairlead_server.domain.errors import InvalidRequest
from fairlead_server.domain.order import Order
from fairlead_server.domain.reconciliation import Ruling
from fairlead_server.domain.terms import NewOrder, Terms, TimeInForce
from fairlead_server.routing.order_entry import OrderRef
from fairlead_server.store.batch import Direction
from fairlead_server.store.events import EventQuery
from fairlead_server.store.journal import MessageQuery, StoredMessage
from fairlead_server.store.orders import OrderQuery

_DEFAULT_PAGE, _MAX_PAGE = 100, 1000
_HEARTBEAT, _LEAST_HEARTBEAT, _MOST_HEARTBEAT = 5.0, 1.0, 60.0  # seconds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def new_order(request: order_service_pb2.SubmitOrderRequest, principal: str) -> NewOrder:
    terms = Terms(
        Decimal(request.quantity),
        _optional(request, "price"),
        _optional(request, "stop_price"),
        _optional(request, "display_quantity"),
        enums.TIME_IN_FORCE.member.get(request.time_in_force, TimeInForce.DAY),
        _time(request, "expire_time"),
    )
    return NewOrder(
        request.account_id,
        request.client_order_id,
        request.instrument_id,
        enums.SIDE.member[request.side],
        enums.ORDER_TYPE.member[request.order_type],
        terms,
        _optional(request, "min_quantity"),
        request.post_only,
        request.strategy_id,
        request.route_id,
        _time(request, "route_before"),
        enums.CAPACITY.member.get(request.capacity),
        enums.MANUAL.member.get(request.manual_indicator),
        request.self_match_id,
        tuple(sorted(request.tags.items())),
        request.note,
        principal=principal,
    )


def amendment(request: order_service_pb2.AmendOrderRequest) -> Amendment:
    return Amendment(
        _optional(request, "quantity"),
        _optional(request, "price"),
        _optional(request, "stop_price"),
        _optional(request, "display_quantity"),
        enums.TIME_IN_FORCE.member.get(request.time_in_force),
        _time(request, "expire_time"),
    )


def expected_version(
    request: order_service_pb2.AmendOrderRequest
    | order_service_pb2.CancelOrderRequest
    | order_service_pb2.ReconcileOrderRequest,
) -> int | None:
    return request.expected_version if request.HasField("expected_version") else None


def order_ref(ref: common_pb2.OrderRef) -> OrderRef:
    if ref.WhichOneof("ref") == "order_id":
        return OrderRef(ref.order_id)
    return OrderRef("", ref.client_order.account_id, ref.client_order.client_order_id)


def ruling(request: order_service_pb2.ReconcileOrderRequest) -> Ruling:
    return Ruling(enums.VERDICT.member[request.verdict], request.reason, request.ticket, request.force)


def selection(request: order_service_pb2.CancelAllOrdersRequest) -> Selection:
    return Selection(
        request.account_id,
        tuple(sorted(request.instrument_ids)),
        tuple(sorted(request.strategy_ids)),
        tuple(sorted(request.session_ids)),
        enums.SIDE.member.get(request.side),
    )


def order_query(
    criteria: order_service_pb2.OrderFilter, *, descending: bool = False, limit: int | None = None
) -> OrderQuery:
    return OrderQuery(
        tuple(criteria.account_ids),
        tuple(criteria.instrument_ids),
        tuple(criteria.strategy_ids),
        tuple(criteria.session_ids),
        tuple(enums.ORDER_STATE.member[state] for state in criteria.states if state),
        criteria.live_only,
        _time(criteria, "start_time"),
        _time(criteria, "end_time"),
        descending=descending,
        limit=limit,
    )


def page_size(asked: int) -> int:
    """0 is the default, and what is above the most is the most (AIP-158)."""
    return min(asked or _DEFAULT_PAGE, _MAX_PAGE)


def order_key(order: Order) -> tuple[int, str]:
    """What a page token keeps of the last order of its page."""
    return (order.create_time - _EPOCH) // _MICROSECOND, order.order_id


def after_order(query: OrderQuery, micros: int, order_id: str) -> OrderQuery:
    return replace(query, after=(_EPOCH + micros * _MICROSECOND, order_id))


def event_query(criteria: execution_service_pb2.ExecutionFilter) -> EventQuery:
    return EventQuery(
        account_ids=tuple(criteria.account_ids),
        instrument_ids=tuple(criteria.instrument_ids),
        strategy_ids=tuple(criteria.strategy_ids),
        session_ids=tuple(criteria.session_ids),
        kinds=tuple(enums.KIND.member[kind] for kind in criteria.kinds if kind),
    )


def message_query(request: session_service_pb2.ListSessionMessagesRequest, limit: int) -> MessageQuery:
    return MessageQuery(
        request.session_id,
        _DIRECTION.get(request.direction),
        tuple(request.msg_types),
        _time(request, "start_time"),
        _time(request, "end_time"),
        request.min_msg_seq_num,
        request.max_msg_seq_num,
        request.epoch,
        request.order.encode("latin-1"),
        oldest_first=request.order_by == session_service_pb2.MESSAGE_SORTING_TIME_ASC,
        limit=limit,
    )


def same_messages(request: session_service_pb2.ListSessionMessagesRequest) -> int:
    """A digest of what must be the same for each page of a list."""
    same = session_service_pb2.ListSessionMessagesRequest()
    same.CopyFrom(request)
    same.ClearField("page_size")
    same.ClearField("page_token")
    return filter_id(same)


def message_key(stored: StoredMessage) -> tuple[int, int]:
    """What a page token keeps of the last message of its page."""
    return (stored.row.time - _EPOCH) // _MICROSECOND, stored.message_id


def after_message(query: MessageQuery, micros: int, message_id: int) -> MessageQuery:
    return replace(query, after=(_EPOCH + micros * _MICROSECOND, message_id))


def heartbeat(
    request: execution_service_pb2.SubscribeExecutionsRequest
    | session_service_pb2.WatchSessionsRequest
    | position_service_pb2.WatchPositionsRequest
    | trading_control_service_pb2.WatchTradingStatesRequest
    | risk_service_pb2.WatchRiskEventsRequest,
) -> float:
    """In seconds."""
    return seconds(request, "heartbeat_interval", _HEARTBEAT, _LEAST_HEARTBEAT, _MOST_HEARTBEAT)


def seconds(request: Any, name: str, default: float, least: float, most: float, within: str = "") -> float:
    """A Duration of the request; raises InvalidRequest if it is out of bounds. ``within`` is the path to ``name``."""
    if not request.HasField(name):
        return default
    duration = getattr(request, name)
    value: float = duration.seconds + duration.nanos / 1e9
    if not least <= value <= most:
        raise InvalidRequest([(within + name, f"must be between {least:g} s and {most:g} s")])
    return value


def _optional(message: Any, name: str) -> Decimal | None:
    return Decimal(getattr(message, name)) if message.HasField(name) else None


def _time(message: Any, name: str) -> datetime | None:
    return time_of(getattr(message, name)) if message.HasField(name) else None


_DIRECTION = {
    session_service_pb2.MESSAGE_DIRECTION_IN: Direction.IN,
    session_service_pb2.MESSAGE_DIRECTION_OUT: Direction.OUT,
}
