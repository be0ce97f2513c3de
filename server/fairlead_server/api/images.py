"""Orders and their events as the API's bytes, for the log, for every subscriber, and for whoever has asked.

One order is told some five times within moments, and each time only a part of it is new. So they are put together of
fields, see :mod:`~fairlead_server.api.wire`; what the client asked for is rendered once, and an image that is told
again is not rendered again. Nothing here is needed to be right: an image that is not known is made.
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
    fields = [
        _EVENT_ID(value.event_id),
        _EVENT_SEQUENCE(value.sequence),
        _KIND[value.kind],
        _IMAGE(order_bytes(value.order)),
        _CAUSE(_cause(value.cause)),
        _COMMIT_TIME(value.time),
        _TEXT(value.text),
    ]
    if value.execution is not None:
        fill = messages.fill(value.execution, value.ref_exec_id, value.order)
        fields.append(_FILL(fill.SerializeToString()))
    if value.reject is not None:
        fields.append(_EVENT_REJECT(messages.reject(value.reject).SerializeToString()))
    if value.transact_time is not None:
        fields.append(_TRANSACT_TIME(value.transact_time))
    if (heard := value.message) is not None:
        fields += _RECEIVE_TIME(heard.receive_time), _REPORT(_venue_report(value, heard))
        if heard.sending_time is not None:
            fields.append(_VENUE_SEND_TIME(heard.sending_time))
    if value.unsolicited:
        fields.append(_UNSOLICITED)
    if Alarm.LATE_FILL in value.alarms:
        fields.append(_LATE)
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
    fields = [
        _STATE[value.state],
        _PENDING_ACTION[value.pending_action],
        _CUM_QUANTITY(canonical(value.cum_qty)),
        _LEAVES_QUANTITY(canonical(value.leaves_qty)),
        _VERSION(value.version),
        _SEQUENCE(value.sequence),
        _UPDATE_TIME(value.update_time),
    ]
    if value.session_id:
        fields += _ROUTE_STATE[value.route_state], _VENUE(_venue_refs(value))
    if value.last_cause is not None:
        fields.append(_LAST_CAUSE(_cause(value.last_cause)))
    if value.route_time is not None:
        fields.append(_ROUTE_TIME(value.route_time))
    if value.venue_ack_time is not None:
        fields.append(_VENUE_ACK_TIME(value.venue_ack_time))
    if value.terminal_time is not None:
        fields.append(_TERMINAL_TIME(value.terminal_time))
    if (average := value.avg_px) is not None:
        fields.append(_AVERAGE_PRICE(canonical(average)))
    if (last := value.last_execution) is not None:
        fields += _LAST_PRICE(f"{last.price:f}"), _LAST_QUANTITY(f"{last.quantity:f}")
    if value.reject is not None:
        fields.append(_REJECT(messages.reject(value.reject).SerializeToString()))
    fields += [_FLAG[flag] for flag in value.flags]
    return b"".join(fields)


def _venue_refs(value: Order) -> bytes:
    fields = (
        _SESSION_ID(value.session_id),
        _VENUE_ORDER_ID(value.venue_order_id),
        _CL_ORD_ID(value.cl_ord_id),
        *map(_CL_ORD_ID_CHAIN, value.cl_ord_ids),
        _ORD_STATUS(value.ord_status),
    )
    return b"".join(fields)


def _venue_report(value: OrderEvent, heard: VenueMessage) -> bytes:
    fields = (
        _REPORT_SESSION_ID(heard.session_id),
        _EXEC_ID(value.exec_id),
        _EXEC_TYPE(value.exec_type),
        _REPORT_ORD_STATUS(value.order.ord_status),
        _REPORT_CL_ORD_ID(value.order.cl_ord_id),
        _POSS_DUP if heard.poss_dup else b"",
        _POSS_RESEND if heard.poss_resend else b"",
        _MSG_SEQ_NUM(heard.msg_seq_num),
    )
    return b"".join(fields)


@lru_cache(1024)
def _cause(value: Cause) -> bytes:
    return messages.cause(value).SerializeToString()


_EVENT = Fields(execution_service_pb2.ExecutionEvent)
_EVENT_ID = _EVENT.text("event_id")
_EVENT_SEQUENCE = _EVENT.number("sequence")
_KIND = _EVENT.word("kind", enums.KIND.number)
_IMAGE = _EVENT.nested("order")
_FILL = _EVENT.nested("fill")
_EVENT_REJECT = _EVENT.nested("reject")
_CAUSE = _EVENT.nested("cause")
_TRANSACT_TIME = _EVENT.time("transact_time")
_VENUE_SEND_TIME = _EVENT.time("venue_send_time")
_RECEIVE_TIME = _EVENT.time("receive_time")
_COMMIT_TIME = _EVENT.time("commit_time")
_REPORT = _EVENT.nested("venue")
_UNSOLICITED = _EVENT.flag("unsolicited")
_LATE = _EVENT.flag("late")
_TEXT = _EVENT.text("text")

_ORDER = Fields(common_pb2.Order)
_STATE = _ORDER.word("state", enums.ORDER_STATE.number)
_PENDING_ACTION = _ORDER.word("pending_action", enums.PENDING_ACTION.number)
_ROUTE_STATE = _ORDER.word("route_state", enums.ROUTE_STATE)
_FLAG: dict[Flag, bytes] = {
    flag: _ORDER.flag(flag.value.lower()) for flag in Flag if flag is not Flag.SUSPENDED
}
_FLAG[Flag.SUSPENDED] = b""  # it is a state
_CUM_QUANTITY = _ORDER.text("cum_quantity")
_LEAVES_QUANTITY = _ORDER.text("leaves_quantity")
_AVERAGE_PRICE = _ORDER.text("average_price")
_LAST_PRICE = _ORDER.text("last_price")
_LAST_QUANTITY = _ORDER.text("last_quantity")
_VERSION = _ORDER.number("version")
_SEQUENCE = _ORDER.number("sequence")
_REJECT = _ORDER.nested("reject")
_LAST_CAUSE = _ORDER.nested("last_cause")
_ROUTE_TIME = _ORDER.time("route_time")
_VENUE_ACK_TIME = _ORDER.time("venue_ack_time")
_UPDATE_TIME = _ORDER.time("update_time")
_TERMINAL_TIME = _ORDER.time("terminal_time")
_VENUE = _ORDER.nested("venue")

_REFS = Fields(common_pb2.VenueRefs)
_SESSION_ID = _REFS.text("session_id")
_VENUE_ORDER_ID = _REFS.text("venue_order_id")
_CL_ORD_ID = _REFS.text("cl_ord_id")
_CL_ORD_ID_CHAIN = _REFS.text("cl_ord_id_chain")
_ORD_STATUS = _REFS.text("ord_status")

_VENUE_REPORT = Fields(execution_service_pb2.VenueReport)
_REPORT_SESSION_ID = _VENUE_REPORT.text("session_id")
_EXEC_ID = _VENUE_REPORT.text("exec_id")
_EXEC_TYPE = _VENUE_REPORT.text("exec_type")
_REPORT_ORD_STATUS = _VENUE_REPORT.text("ord_status")
_REPORT_CL_ORD_ID = _VENUE_REPORT.text("cl_ord_id")
_POSS_DUP = _VENUE_REPORT.flag("poss_dup")
_POSS_RESEND = _VENUE_REPORT.flag("poss_resend")
_MSG_SEQ_NUM = _VENUE_REPORT.number("msg_seq_num")
