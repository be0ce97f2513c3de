"""Orders and their events as the API's bytes, for the log, for every subscriber, and for whoever has asked.

One order is told some five times within moments, and each time only a part of it is new. So they are put together: what
the client asked for, times and causes are rendered once, see :mod:`~fairlead_server.api.wire`, and an image that is told
again is not rendered again. Nothing that is known here has to be: what is not is rendered.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from fairlead.v1 import common_pb2, execution_service_pb2
from msgspec import Struct

from fairlead_server.api import enums, framing, messages
from fairlead_server.api.messages import canonical, digits
from fairlead_server.api.times import timestamp
from fairlead_server.api.wire import Fields
from fairlead_server.domain.cause import Cause
from fairlead_server.domain.event import Alarm, OrderEvent
from fairlead_server.domain.execution import VenueMessage
from fairlead_server.domain.order import Flag, Order

_MOST = 8192  # images that are known; about 8 MiB


def order(value: Order) -> common_pb2.Order:
    return common_pb2.Order.FromString(order_bytes(value))


def orders_that_fit(values: Iterable[Order]) -> list[common_pb2.Order]:
    """As many of the first orders as go into one message; at least one."""
    return framing.fitting(map(order, values))


def event_bytes(value: OrderEvent) -> bytes:
    """The event as it is stored and sent to every subscriber: serialised once."""
    heard, executed = value.message, value.execution
    message = execution_service_pb2.ExecutionEvent(
        event_id=value.event_id,
        sequence=value.sequence,
        kind=enums.KIND.number[value.kind],
        fill=None if executed is None else messages.fill(executed, value.ref_exec_id, value.order),
        reject=None if value.reject is None else messages.reject(value.reject),
        venue=None if heard is None else _venue_report(value, heard),
        unsolicited=value.unsolicited,
        late=Alarm.LATE_FILL in value.alarms,
        text=value.text,
    )
    fields = [
        message.SerializeToString(),
        _IMAGE(order_bytes(value.order)),
        _CAUSE(_cause(value.cause)),
        _COMMIT_TIME(value.time),
    ]
    if value.transact_time is not None:
        fields.append(_TRANSACT_TIME(value.transact_time))
    if heard is not None:
        fields.append(_RECEIVE_TIME(heard.receive_time))
        if heard.sending_time is not None:
            fields.append(_VENUE_SEND_TIME(heard.sending_time))
    return b"".join(fields)


class _Image(Struct, frozen=True):
    order: Order
    asked: bytes  # the part of ``body`` that changes with an amend only
    body: bytes


_known: dict[str, _Image] = {}  # by order_id


def order_bytes(value: Order) -> bytes:
    known = _known.get(value.order_id)
    if known is None:
        asked = _asked(value)
        if len(_known) >= _MOST:
            _known.clear()
    elif known.order is value:
        return known.body
    else:
        same = known.order.request is value.request and known.order.terms is value.terms
        asked = known.asked if same else _asked(value)
    body = asked + _standing(value)
    _known[value.order_id] = _Image(value, asked, body)
    return body


def _asked(value: Order) -> bytes:
    """What the client asks for."""
    new, terms = value.request, value.terms
    message = common_pb2.Order(
        order_id=value.order_id,
        client_order_id=new.client_order_id,
        account_id=new.account_id,
        instrument_id=new.instrument_id,
        side=enums.SIDE.number[new.side],
        quantity=f"{terms.quantity:f}",
        order_type=enums.ORDER_TYPE.number[new.order_type],
        price=digits(terms.price),
        stop_price=digits(terms.stop_price),
        time_in_force=enums.TIME_IN_FORCE.number[terms.time_in_force],
        expire_time=timestamp(terms.expire_time),
        display_quantity=digits(terms.display_quantity),
        min_quantity=digits(new.min_quantity),
        post_only=new.post_only,
        strategy_id=new.strategy_id,
        route_id=new.route_id,
        route_before=timestamp(new.route_before),
        tags=dict(new.tags),
        note=new.note,
        self_match_id=new.self_match_id,
        create_time=timestamp(value.create_time),
    )
    if new.capacity is not None:
        message.capacity = enums.CAPACITY.number[new.capacity]
    if new.manual_indicator is not None:
        message.manual_indicator = enums.MANUAL.number[new.manual_indicator]
    return message.SerializeToString()


def _standing(value: Order) -> bytes:
    """What has become of it so far."""
    average, last = value.avg_px, value.last_execution
    message = common_pb2.Order(
        state=enums.ORDER_STATE.number[value.state],
        pending_action=enums.PENDING_ACTION.number[value.pending_action],
        cum_quantity=canonical(value.cum_qty),
        leaves_quantity=canonical(value.leaves_qty),
        version=value.version,
        sequence=value.sequence,
    )
    if value.session_id:
        message.route_state = enums.ROUTE_STATE[value.route_state]
        message.venue.CopyFrom(_venue_refs(value))
    if average is not None:
        message.average_price = canonical(average)
    if last is not None:
        message.last_price, message.last_quantity = f"{last.price:f}", f"{last.quantity:f}"
    if value.reject is not None:
        message.reject.CopyFrom(messages.reject(value.reject))
    for flag in value.flags:
        if flag is not Flag.SUSPENDED:  # which is a state
            setattr(message, flag.value.lower(), True)
    fields = [message.SerializeToString(), _UPDATE_TIME(value.update_time)]
    if value.last_cause is not None:
        fields.append(_LAST_CAUSE(_cause(value.last_cause)))
    if value.route_time is not None:
        fields.append(_ROUTE_TIME(value.route_time))
    if value.venue_ack_time is not None:
        fields.append(_VENUE_ACK_TIME(value.venue_ack_time))
    if value.terminal_time is not None:
        fields.append(_TERMINAL_TIME(value.terminal_time))
    return b"".join(fields)


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


@lru_cache(1024)
def _cause(value: Cause) -> bytes:
    return messages.cause(value).SerializeToString()


_EVENT = Fields(execution_service_pb2.ExecutionEvent)
_IMAGE = _EVENT.nested("order")
_CAUSE = _EVENT.nested("cause")
_TRANSACT_TIME = _EVENT.time("transact_time")
_VENUE_SEND_TIME = _EVENT.time("venue_send_time")
_RECEIVE_TIME = _EVENT.time("receive_time")
_COMMIT_TIME = _EVENT.time("commit_time")

_ORDER = Fields(common_pb2.Order)
_LAST_CAUSE = _ORDER.nested("last_cause")
_ROUTE_TIME = _ORDER.time("route_time")
_VENUE_ACK_TIME = _ORDER.time("venue_ack_time")
_UPDATE_TIME = _ORDER.time("update_time")
_TERMINAL_TIME = _ORDER.time("terminal_time")
