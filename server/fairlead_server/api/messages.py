"""From orders and events to the messages of ``fairlead.v1``.

Decimals keep the caller's digits; computed ones are written without trailing zeros.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from fairlead.v1 import common_pb2, execution_service_pb2
from google.protobuf.json_format import MessageToJson

from fairlead_server.api import enums, framing
from fairlead_server.api.times import timestamp
from fairlead_server.domain.cause import Cause
from fairlead_server.domain.event import Alarm, OrderEvent
from fairlead_server.domain.execution import Execution, VenueMessage
from fairlead_server.domain.order import Flag, Order
from fairlead_server.domain.reject import Breach, Reject, RejectReason, VenueReject
from fairlead_server.store.batch import EventRow


def order(value: Order) -> common_pb2.Order:
    new, terms, last = value.request, value.terms, value.last_execution
    message = common_pb2.Order(
        order_id=value.order_id,
        client_order_id=new.client_order_id,
        account_id=new.account_id,
        instrument_id=new.instrument_id,
        side=enums.SIDE.number[new.side],
        quantity=f"{terms.quantity:f}",
        order_type=enums.ORDER_TYPE.number[new.order_type],
        price=_digits(terms.price),
        stop_price=_digits(terms.stop_price),
        time_in_force=enums.TIME_IN_FORCE.number[terms.time_in_force],
        expire_time=timestamp(terms.expire_time),
        display_quantity=_digits(terms.display_quantity),
        min_quantity=_digits(new.min_quantity),
        post_only=new.post_only,
        strategy_id=new.strategy_id,
        route_id=new.route_id,
        route_before=timestamp(new.route_before),
        tags=dict(new.tags),
        note=new.note,
        self_match_id=new.self_match_id,
        state=enums.ORDER_STATE.number[value.state],
        pending_action=enums.PENDING_ACTION.number[value.pending_action],
        cum_quantity=canonical(value.cum_qty),
        leaves_quantity=canonical(value.leaves_qty),
        average_price=None if value.avg_px is None else canonical(value.avg_px),
        last_price=_digits(last.price if last else None),
        last_quantity=_digits(last.quantity if last else None),
        version=value.version,
        sequence=value.sequence,
        reject=None if value.reject is None else reject(value.reject),
        last_cause=None if value.last_cause is None else cause(value.last_cause),
        create_time=timestamp(value.create_time),
        route_time=timestamp(value.route_time),
        venue_ack_time=timestamp(value.venue_ack_time),
        update_time=timestamp(value.update_time),
        terminal_time=timestamp(value.terminal_time),
    )
    for flag in value.flags - {Flag.SUSPENDED}:  # which is a state
        setattr(message, flag.value.lower(), True)
    if new.capacity is not None:
        message.capacity = enums.CAPACITY.number[new.capacity]
    if new.manual_indicator is not None:
        message.manual_indicator = enums.MANUAL.number[new.manual_indicator]
    if value.session_id:
        message.route_state = enums.ROUTE_STATE[value.route_state]
        message.venue.CopyFrom(_venue_refs(value))
    return message


def orders_that_fit(values: Iterable[Order]) -> list[common_pb2.Order]:
    """As many of the first orders as go into one message; at least one."""
    return framing.fitting(map(order, values))


def event(value: OrderEvent) -> execution_service_pb2.ExecutionEvent:
    heard = value.message
    return execution_service_pb2.ExecutionEvent(
        event_id=value.event_id,
        sequence=value.sequence,
        kind=enums.KIND.number[value.kind],
        order=order(value.order),
        fill=None if value.execution is None else _fill(value.execution, value.ref_exec_id, value.order),
        reject=None if value.reject is None else reject(value.reject),
        cause=cause(value.cause),
        transact_time=timestamp(value.transact_time),
        venue_send_time=timestamp(heard.sending_time if heard else None),
        receive_time=timestamp(heard.receive_time if heard else None),
        commit_time=timestamp(value.time),
        venue=None if heard is None else _venue_report(value, heard),
        unsolicited=value.unsolicited,
        late=Alarm.LATE_FILL in value.alarms,
        text=value.text,
    )


def event_bytes(value: OrderEvent) -> bytes:
    """The event as it is stored and sent to every subscriber: serialised once."""
    return event(value).SerializeToString()


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
        breaches=[_breach(breach) for breach in value.breaches],
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


def _venue_refs(value: Order) -> common_pb2.VenueRefs:
    return common_pb2.VenueRefs(
        session_id=value.session_id,
        venue_order_id=value.venue_order_id,
        cl_ord_id=value.cl_ord_id,
        cl_ord_id_chain=value.cl_ord_ids,
        ord_status=value.ord_status,
    )


def _fill(value: Execution, ref_exec_id: str, owner: Order) -> execution_service_pb2.Fill:
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


def _venue_report(value: OrderEvent, heard: VenueMessage) -> execution_service_pb2.VenueReport:
    return execution_service_pb2.VenueReport(
        session_id=heard.session_id,
        exec_id=value.exec_id,
        exec_type=value.exec_type,
        ord_status=value.order.ord_status,
        cl_ord_id=value.order.cl_ord_id,
        poss_dup=heard.poss_dup,
        poss_resend=heard.poss_resend,
        msg_seq_num=heard.msg_seq_num,
    )


def _breach(value: Breach) -> common_pb2.Breach:
    return common_pb2.Breach(
        rule_id=value.rule_id,
        reason=enums.REJECT_REASON.number[value.reason],
        text=value.text,
        limit=value.limit or None,
        observed=value.observed or None,
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


def _digits(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


_RETRYABLE = {RejectReason.ROUTER_SESSION_THROTTLED, RejectReason.ROUTER_SESSION_LOST}
_LIQUIDITY = {  # LastLiquidityInd(851)
    "1": execution_service_pb2.LIQUIDITY_ADDED,
    "2": execution_service_pb2.LIQUIDITY_REMOVED,
    "3": execution_service_pb2.LIQUIDITY_ROUTED_OUT,
    "4": execution_service_pb2.LIQUIDITY_AUCTION,
}
