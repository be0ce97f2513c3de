"""From what orders and events are made of to the messages of ``fairlead.v1``; whole ones are in :mod:`~fairlead_server.api.images`.

Decimals keep the caller's digits; computed ones are written without trailing zeros.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from fairlead.v1 import common_pb2, execution_service_pb2
from google.protobuf.json_format import MessageToJson

from fairlead_server.api import enums
from fairlead_server.domain.cause import Cause
from fairlead_server.domain.execution import Execution
from fairlead_server.domain.order import Order
from fairlead_server.domain.reject import Breach, Reject, RejectReason, VenueReject
from fairlead_server.store.batch import EventRow


def event_line(body: bytes) -> str:
    """A stored event as one line of JSON, its fields named as in the proto."""
    stored = execution_service_pb2.ExecutionEvent.FromString(body)
    return MessageToJson(stored, preserving_proto_field_name=True, indent=None)


def events_from(rows: Iterable[EventRow]) -> list[execution_service_pb2.ExecutionEvent]:
    return [execution_service_pb2.ExecutionEvent.FromString(row.body) for row in rows]


def reject(value: Reject) -> common_pb2.Reject:
    first = value.breaches[0] if value.breaches else None
    return common_pb2.Reject(
        source=enums.REJECT_SOURCE.number[value.source],
        reason=enums.REJECT_REASON.number[value.reason],
        rule_id=first.rule_id if first else "",
        text=value.text,
        limit=first.limit if first and first.limit else None,
        observed=first.observed if first and first.observed else None,
        venue=None if value.venue is None else _venue_reject(value.venue),
        retryable=value.reason in _RETRYABLE,
        breaches=[breach(each) for each in value.breaches],
    )


def cause(value: Cause) -> common_pb2.Cause:
    return common_pb2.Cause(
        initiator=enums.INITIATOR.number[value.initiator],
        principal=value.principal,
        request_id=value.request_id,
        mass_cancel_id=value.mass_cancel_id,
        traceparent=value.traceparent,
    )


def canonical(value: Decimal) -> str:
    """Without trailing zeros and without exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def fill(value: Execution, ref_exec_id: str, owner: Order) -> execution_service_pb2.Fill:
    referred = owner.find_execution(ref_exec_id) if ref_exec_id else None
    return execution_service_pb2.Fill(
        execution_id=value.execution_id,
        trade_id=value.trade_id,
        quantity=f"{value.quantity:f}",
        price=f"{value.price:f}",
        liquidity=_LIQUIDITY.get(value.liquidity, execution_service_pb2.LIQUIDITY_UNSPECIFIED),
        last_market=value.last_market,
        ref_execution_id=referred.execution_id if referred else "",
    )


def breach(value: Breach) -> common_pb2.Breach:
    return common_pb2.Breach(
        rule_id=value.rule_id,
        reason=enums.REJECT_REASON.number[value.reason],
        text=value.text,
        limit=value.limit or None,
        observed=value.observed or None,
        limit_id=value.limit_id,
    )


def _venue_reject(value: VenueReject) -> common_pb2.VenueReject:
    return common_pb2.VenueReject(
        msg_type=value.msg_type,
        ord_rej_reason=value.ord_rej_reason,
        cxl_rej_reason=value.cxl_rej_reason,
        text=value.text,
        business_reject_reason=value.business_reject_reason,
        session_reject_reason=value.session_reject_reason,
    )


def digits(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


_RETRYABLE = {RejectReason.ROUTER_SESSION_THROTTLED, RejectReason.ROUTER_SESSION_LOST}
_LIQUIDITY = {  # LastLiquidityInd(851)
    "1": execution_service_pb2.LIQUIDITY_ADDED,
    "2": execution_service_pb2.LIQUIDITY_REMOVED,
    "3": execution_service_pb2.LIQUIDITY_ROUTED_OUT,
    "4": execution_service_pb2.LIQUIDITY_AUCTION,
}
