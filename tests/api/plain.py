"""Orders and events as messages, field by field: what their bytes, which are put together otherwise, have to say."""

from __future__ import annotations

from fairlead.v1 import common_pb2, execution_service_pb2
from fairlead_server.api import enums, messages
from fairlead_server.api.times import timestamp
from fairlead_server.domain.event import Alarm, OrderEvent
from fairlead_server.domain.execution import VenueMessage
from fairlead_server.domain.order import Flag, Order


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
        price=messages.digits(terms.price),
        stop_price=messages.digits(terms.stop_price),
        time_in_force=enums.TIME_IN_FORCE.number[terms.time_in_force],
        expire_time=timestamp(terms.expire_time),
        display_quantity=messages.digits(terms.display_quantity),
        min_quantity=messages.digits(new.min_quantity),
        post_only=new.post_only,
        strategy_id=new.strategy_id,
        route_id=new.route_id,
        route_before=timestamp(new.route_before),
        tags=dict(new.tags),
        note=new.note,
        self_match_id=new.self_match_id,
        state=enums.ORDER_STATE.number[value.state],
        pending_action=enums.PENDING_ACTION.number[value.pending_action],
        cum_quantity=messages.canonical(value.cum_qty),
        leaves_quantity=messages.canonical(value.leaves_qty),
        average_price=None if value.avg_px is None else messages.canonical(value.avg_px),
        last_price=messages.digits(last.price if last else None),
        last_quantity=messages.digits(last.quantity if last else None),
        version=value.version,
        sequence=value.sequence,
        reject=None if value.reject is None else messages.reject(value.reject),
        last_cause=None if value.last_cause is None else messages.cause(value.last_cause),
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


def event(value: OrderEvent) -> execution_service_pb2.ExecutionEvent:
    heard = value.message
    return execution_service_pb2.ExecutionEvent(
        event_id=value.event_id,
        sequence=value.sequence,
        kind=enums.KIND.number[value.kind],
        order=order(value.order),
        fill=None
        if value.execution is None
        else messages.fill(value.execution, value.ref_exec_id, value.order),
        reject=None if value.reject is None else messages.reject(value.reject),
        cause=messages.cause(value.cause),
        transact_time=timestamp(value.transact_time),
        venue_send_time=timestamp(heard.sending_time if heard else None),
        receive_time=timestamp(heard.receive_time if heard else None),
        commit_time=timestamp(value.time),
        venue=None if heard is None else _venue_report(value, heard),
        unsolicited=value.unsolicited,
        late=Alarm.LATE_FILL in value.alarms,
        text=value.text,
    )


def _venue_refs(value: Order) -> common_pb2.VenueRefs:
    return common_pb2.VenueRefs(
        session_id=value.session_id,
        venue_order_id=value.venue_order_id,
        cl_ord_id=value.cl_ord_id,
        cl_ord_id_chain=value.cl_ord_ids,
        ord_status=value.ord_status,
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
