"""FIX messages into the simulator's values and back, in FIX.4.2 and FIX.4.4.

Reading gives a Request, or the BusinessMessageReject(j) that answers a message which makes none: of a type that we
do not take, with a field missing, or with a value that is none (FIX 4.4 vol. 3, "Business Message Reject").
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import NamedTuple, TypeVar

from fairlead_server.fix import msg_types, tags
from fairlead_server.fix.errors import BadValue
from fairlead_server.fix.message import Fields, Message, sendable
from fairlead_server.fix.values import read_decimal, read_utc_timestamp, write_decimal, write_utc_timestamp

from fix_sim.orders import (
    NO_ORDER_ID,
    CancelOrder,
    CxlRejReason,
    ExecType,
    ExecutionReport,
    NewOrder,
    OrderCancelReject,
    OrdStatus,
    OrdType,
    ReplaceOrder,
    Report,
    Request,
    Side,
    StatusRequest,
    Terms,
    TimeInForce,
)

FIX_4_2 = "FIX.4.2"
_MAX_TEXT = 64
_LIMIT = Decimal(10**12)  # quantities and prices; their products and averages then stay exact
_DECIMALS = 9

_Value = TypeVar("_Value", bound=Enum)


class Outgoing(NamedTuple):
    """A message for ``Session.send``."""

    msg_type: str
    fields: Fields


class _Reason(IntEnum):
    """BusinessRejectReason(380)."""

    OTHER = 0
    UNSUPPORTED_MESSAGE_TYPE = 3
    CONDITIONALLY_REQUIRED_FIELD_MISSING = 5


class _RefusedError(Exception):
    def __init__(self, reason: _Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


def read_request(client: str, begin_string: str, message: Message) -> Request | Outgoing:
    """What the client asks, or what to answer because it asks nothing that we understand."""
    reader = _READERS.get(message.msg_type)
    if reader is None:
        return _business_reject(message, _Reason.UNSUPPORTED_MESSAGE_TYPE, "Unsupported Message Type")
    try:
        for tag in _required(begin_string, message.msg_type):
            _text(message, tag)
        return reader(client, message)
    except _RefusedError as refused:
        return _business_reject(message, refused.reason, refused.text)
    except BadValue as bad:
        return _business_reject(message, _Reason.OTHER, f"Incorrect data format for value ({bad.tag})")


def write_report(begin_string: str, report: Report) -> Outgoing:
    if isinstance(report, OrderCancelReject):
        return Outgoing(msg_types.ORDER_CANCEL_REJECT, _cancel_reject(begin_string, report))
    return Outgoing(msg_types.EXECUTION_REPORT, _execution_report(begin_string, report))


# Reading.


def _new_order(client: str, message: Message) -> Request:
    return NewOrder(
        client=client,
        cl_ord_id=_text(message, tags.CL_ORD_ID),
        symbol=_text(message, tags.SYMBOL),
        side=_enumerated(message, tags.SIDE, Side),
        terms=_terms(message),
        account=_optional_text(message, tags.ACCOUNT),
        poss_resend=message.poss_resend,
    )


def _replace_order(client: str, message: Message) -> Request:
    return ReplaceOrder(
        client=client,
        cl_ord_id=_text(message, tags.CL_ORD_ID),
        orig_cl_ord_id=_text(message, tags.ORIG_CL_ORD_ID),
        symbol=_text(message, tags.SYMBOL),
        side=_enumerated(message, tags.SIDE, Side),
        terms=_terms(message),
    )


def _cancel_order(client: str, message: Message) -> Request:
    return CancelOrder(
        client=client,
        cl_ord_id=_text(message, tags.CL_ORD_ID),
        orig_cl_ord_id=_text(message, tags.ORIG_CL_ORD_ID),
        symbol=_text(message, tags.SYMBOL),
        side=_enumerated(message, tags.SIDE, Side),
    )


def _status_request(client: str, message: Message) -> Request:
    return StatusRequest(
        client=client,
        cl_ord_id=_text(message, tags.CL_ORD_ID),
        symbol=_text(message, tags.SYMBOL),
        side=_enumerated(message, tags.SIDE, Side),
        ord_status_req_id=_optional_text(message, tags.ORD_STATUS_REQ_ID),
    )


_READERS: dict[str, Callable[[str, Message], Request]] = {
    msg_types.NEW_ORDER_SINGLE: _new_order,
    msg_types.ORDER_CANCEL_REPLACE_REQUEST: _replace_order,
    msg_types.ORDER_CANCEL_REQUEST: _cancel_order,
    msg_types.ORDER_STATUS_REQUEST: _status_request,
}


def _required(begin_string: str, msg_type: str) -> tuple[int, ...]:
    """What the specification requires and no reader asks for."""
    if msg_type == msg_types.ORDER_STATUS_REQUEST:
        return ()
    if begin_string == FIX_4_2 and msg_type != msg_types.ORDER_CANCEL_REQUEST:
        return (tags.HANDL_INST, tags.TRANSACT_TIME)
    return (tags.TRANSACT_TIME,)


def _terms(message: Message) -> Terms:
    ord_type = _enumerated(message, tags.ORD_TYPE, OrdType)
    in_force = tags.TIME_IN_FORCE in message
    time_in_force = _enumerated(message, tags.TIME_IN_FORCE, TimeInForce) if in_force else TimeInForce.DAY
    return Terms(
        order_qty=_number(message, tags.ORDER_QTY),
        ord_type=ord_type,
        price=_number(message, tags.PRICE) if ord_type.has_price else None,
        stop_px=_number(message, tags.STOP_PX) if ord_type.has_stop_px else None,
        time_in_force=time_in_force,
        expire_time=_expire_time(message) if time_in_force is TimeInForce.GTD else None,
    )


def _expire_time(message: Message) -> datetime:
    if tags.EXPIRE_DATE in message:  # a day in the broker's zone, which is UTC
        return read_utc_timestamp(tags.EXPIRE_DATE, f"{_text(message, tags.EXPIRE_DATE)}-23:59:59")
    return read_utc_timestamp(tags.EXPIRE_TIME, _text(message, tags.EXPIRE_TIME))


def _text(message: Message, tag: int) -> str:
    text = message.get(tag)
    if not text:
        raise _RefusedError(_Reason.CONDITIONALLY_REQUIRED_FIELD_MISSING, f"Required tag missing ({tag})")
    if len(text) > _MAX_TEXT or not sendable(text):
        raise _out_of_range(tag)
    return text


def _optional_text(message: Message, tag: int) -> str:
    return _text(message, tag) if tag in message else ""


def _enumerated(message: Message, tag: int, values: type[_Value]) -> _Value:
    text = _text(message, tag)
    try:
        return values(text)
    except ValueError:
        raise _out_of_range(tag) from None


def _number(message: Message, tag: int) -> Decimal:
    number = read_decimal(tag, _text(message, tag))
    if abs(number) >= _LIMIT or number != round(number, _DECIMALS):
        raise _out_of_range(tag)
    return number


def _out_of_range(tag: int) -> _RefusedError:
    return _RefusedError(_Reason.OTHER, f"Value is incorrect (out of range) for this tag ({tag})")


def _business_reject(message: Message, reason: _Reason, text: str) -> Outgoing:
    echoes = [
        (tags.REF_MSG_TYPE, message.msg_type),
        (tags.BUSINESS_REJECT_REF_ID, message.get(tags.CL_ORD_ID) or ""),
    ]
    fields = [
        (tags.REF_SEQ_NUM, str(message.msg_seq_num)),
        *((tag, echo) for tag, echo in echoes if len(echo) <= _MAX_TEXT and sendable(echo)),
        (tags.BUSINESS_REJECT_REASON, str(reason.value)),
        (tags.TEXT, text),
    ]
    return Outgoing(msg_types.BUSINESS_MESSAGE_REJECT, fields)


# Writing.

_MAX_ORD_REJ_REASON_4_2 = 8
_TRADES_4_2 = {OrdStatus.PARTIALLY_FILLED: "1", OrdStatus.FILLED: "2"}
_STATUS_4_2 = (
    ExecType.ORDER_STATUS,
    ExecType.TRIGGERED,
)  # FIX.4.2 knows no L, and nothing else that has happened


def _execution_report(begin_string: str, report: ExecutionReport) -> Fields:
    fields = [
        (tags.ORDER_ID, report.order.order_id),
        (tags.CL_ORD_ID, report.order.cl_ord_id),
        (tags.EXEC_ID, report.exec_id),
        *_what_happened(begin_string, report),
        (tags.ORD_STATUS, report.order.ord_status.value),
        *_order(report),
    ]
    if report.last_qty:
        fields.append(_decimal(tags.LAST_QTY, report.last_qty))
        fields.append(_decimal(tags.LAST_PX, report.last_px))
    fields += [
        _decimal(tags.LEAVES_QTY, report.order.leaves_qty),
        _decimal(tags.CUM_QTY, report.order.cum_qty),
        _decimal(tags.AVG_PX, report.order.avg_px),
        _time(tags.TRANSACT_TIME, report.transact_time),
    ]
    optional = [
        (tags.ORIG_CL_ORD_ID, report.orig_cl_ord_id),
        (tags.ORD_STATUS_REQ_ID, report.ord_status_req_id),
        (tags.TEXT, report.text),
    ]
    return fields + [field for field in optional if field[1]]


def _what_happened(begin_string: str, report: ExecutionReport) -> list[tuple[int, str]]:
    """ExecType(150), with ExecTransType(20) before FIX.4.3, and OrdRejReason(103)."""
    reason = report.ord_rej_reason
    exec_type = report.exec_type.value
    fields = []
    if begin_string == FIX_4_2:
        stands = report.exec_type in _STATUS_4_2
        fields.append((tags.EXEC_TRANS_TYPE, "3" if stands else "0"))
        if stands:
            exec_type = report.order.ord_status.value
        elif report.exec_type is ExecType.TRADE:
            exec_type = _TRADES_4_2[report.order.ord_status]
        if reason is not None and reason > _MAX_ORD_REJ_REASON_4_2:
            reason = 0
    fields.append((tags.EXEC_TYPE, exec_type))
    if reason is not None:
        fields.append((tags.ORD_REJ_REASON, str(int(reason))))
    return fields


def _order(report: ExecutionReport) -> list[tuple[int, str]]:
    order, terms = report.order, report.order.terms
    fields = [(tags.ACCOUNT, order.account)] if order.account else []
    fields += [(tags.SYMBOL, order.symbol), (tags.SIDE, order.side.value)]
    if order.order_id == NO_ORDER_ID and not terms.order_qty:
        return fields  # a status was asked of an order that we do not have
    fields.append(_decimal(tags.ORDER_QTY, terms.order_qty))
    fields.append((tags.ORD_TYPE, terms.ord_type.value))
    if terms.price is not None:
        fields.append(_decimal(tags.PRICE, terms.price))
    if terms.stop_px is not None:
        fields.append(_decimal(tags.STOP_PX, terms.stop_px))
    fields.append((tags.TIME_IN_FORCE, terms.time_in_force.value))
    if terms.expire_time is not None:
        fields.append(_time(tags.EXPIRE_TIME, terms.expire_time))
    return fields


def _cancel_reject(begin_string: str, report: OrderCancelReject) -> Fields:
    order, reason = report.order, report.reason
    if begin_string == FIX_4_2 and reason is CxlRejReason.DUPLICATE_CL_ORD_ID:
        reason = CxlRejReason.BROKER_OPTION
    return [
        (tags.ORDER_ID, order.order_id if order else NO_ORDER_ID),
        (tags.CL_ORD_ID, report.cl_ord_id),
        (tags.ORIG_CL_ORD_ID, report.orig_cl_ord_id),
        (tags.ORD_STATUS, (order.ord_status if order else OrdStatus.REJECTED).value),
        (tags.CXL_REJ_RESPONSE_TO, report.response_to.value),
        (tags.CXL_REJ_REASON, str(int(reason))),
        _time(tags.TRANSACT_TIME, report.transact_time),
        (tags.TEXT, report.text),
    ]


def _decimal(tag: int, value: Decimal) -> tuple[int, str]:
    return tag, write_decimal(tag, value)


def _time(tag: int, time: datetime) -> tuple[int, str]:
    return tag, write_utc_timestamp(time)
