"""From the requests of ``fairlead.v1``, which have been validated, to the values of the use cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from fairlead.v1 import common_pb2, execution_service_pb2, order_service_pb2

from fairlead_server.api import enums
from fairlead_server.api.times import time_of
from fairlead_server.domain.amendments import Amendment
from fairlead_server.domain.order import Order
from fairlead_server.domain.terms import NewOrder, Terms, TimeInForce
from fairlead_server.routing.order_entry import OrderRef
from fairlead_server.store.events import EventQuery
from fairlead_server.store.orders import OrderQuery

_DEFAULT_PAGE, _MAX_PAGE = 100, 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def new_order(request: order_service_pb2.SubmitOrderRequest) -> NewOrder:
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


def order_ref(ref: common_pb2.OrderRef) -> OrderRef:
    if ref.WhichOneof("ref") == "order_id":
        return OrderRef(ref.order_id)
    return OrderRef("", ref.client_order.account_id, ref.client_order.client_order_id)


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


def _optional(message: Any, name: str) -> Decimal | None:
    return Decimal(getattr(message, name)) if message.HasField(name) else None


def _time(message: Any, name: str) -> datetime | None:
    return time_of(getattr(message, name)) if message.HasField(name) else None
