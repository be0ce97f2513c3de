"""FIX messages into the simulator's values and back, in FIX.4.0 to FIX.5.0SP2.

Reading gives a Request, or the BusinessMessageReject(j) that answers a message which makes none: of a type that we
do not take, with a field missing, or with a value that is none (FIX 4.4 vol. 3, "Business Message Reject"). What a
version has no word for is told in one that it has, or left out: a report that the peer must reject helps nobody.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import NamedTuple, TypeVar

from fairlead_server.fix import msg_types, tags
from fairlead_server.fix.dialect import Dialect
from fairlead_server.fix.errors import BadValue
from fairlead_server.fix.message import Fields, Message, sendable
from fairlead_server.fix.values import read_decimal, read_utc_timestamp, write_decimal

from fix_sim.orders import (
    NO_ORDER_ID,
    CancelOrder,
    CxlRejReason,
    ExecType,
    ExecutionReport,
    MassCancel,
    MassCancelReport,
    MassScope,
    MassStatus,
    NewOrder,
    Order,
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

_MAX_TEXT = 64
_LIMIT = Decimal(10**12)  # quantities and prices; their products and averages then stay exact
_DECIMALS = 9
_OF_A_SECURITY, _ALL = "1", "7"  # MassCancelRequestType(530), MassStatusReqType(585)
_PARTIAL = "P"  # CxlType(125) of FIX.4.0: takes a part away, which is a replace

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


def read_request(client: str, dialect: Dialect, message: Message) -> Request | Outgoing:
    """What the client asks, or what to answer because it asks nothing that we understand."""
    reader = _READERS.get(message.msg_type)
    if reader is None or not dialect.has_message(message.msg_type):
        return _business_reject(message, _Reason.UNSUPPORTED_MESSAGE_TYPE, "Unsupported Message Type")
    try:
        for tag in _REQUIRED:
            if dialect.requires(message.msg_type, tag):
                _text(message, tag)
        return reader(client, message)
    except _RefusedError as refused:
        return _business_reject(message, refused.reason, refused.text)
    except BadValue as bad:
        return _business_reject(message, _Reason.OTHER, f"Incorrect data format for value ({bad.tag})")


def write_report(dialect: Dialect, report: Report) -> Outgoing:
    if isinstance(report, OrderCancelReject):
        return Outgoing(msg_types.ORDER_CANCEL_REJECT, _cancel_reject(dialect, report))
    if isinstance(report, MassCancelReport):
        return Outgoing(msg_types.ORDER_MASS_CANCEL_REPORT, _mass_cancel_report(dialect, report))
    return Outgoing(msg_types.EXECUTION_REPORT, _execution_report(dialect, report))


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
    if message.get(tags.CXL_TYPE) == _PARTIAL:
        raise _out_of_range(tags.CXL_TYPE)
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


def _mass_cancel(client: str, message: Message) -> Request:
    request_type = _text(message, tags.MASS_CANCEL_REQUEST_TYPE)
    if request_type == _OF_A_SECURITY:
        _text(message, tags.SYMBOL)
    return MassCancel(client, _text(message, tags.CL_ORD_ID), request_type, _scope(message))


def _mass_status(client: str, message: Message) -> Request:
    name, request_type = _text(message, tags.MASS_STATUS_REQ_ID), _text(message, tags.MASS_STATUS_REQ_TYPE)
    if request_type not in (_OF_A_SECURITY, _ALL):
        raise _out_of_range(tags.MASS_STATUS_REQ_TYPE)
    if request_type == _OF_A_SECURITY:
        _text(message, tags.SYMBOL)
    return MassStatus(client, name, _scope(message))


def _scope(message: Message) -> MassScope:
    side = _enumerated(message, tags.SIDE, Side) if tags.SIDE in message else None
    return MassScope(_optional_text(message, tags.SYMBOL), side, _optional_text(message, tags.ACCOUNT))


_READERS: dict[str, Callable[[str, Message], Request]] = {
    msg_types.NEW_ORDER_SINGLE: _new_order,
    msg_types.ORDER_CANCEL_REPLACE_REQUEST: _replace_order,
    msg_types.ORDER_CANCEL_REQUEST: _cancel_order,
    msg_types.ORDER_STATUS_REQUEST: _status_request,
    msg_types.ORDER_MASS_CANCEL_REQUEST: _mass_cancel,
    msg_types.ORDER_MASS_STATUS_REQUEST: _mass_status,
}


_REQUIRED = (tags.HANDL_INST, tags.TRANSACT_TIME)
"""What no reader asks for, and the specification requires of some messages in some versions."""


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

_REPORT, _CANCEL_REJECT = msg_types.EXECUTION_REPORT, msg_types.ORDER_CANCEL_REJECT
_TRADES = (ExecType.TRADE, ExecType.TRADE_CORRECT, ExecType.TRADE_CANCEL)
_TRANS_TYPES = {ExecType.TRADE_CANCEL: "1", ExecType.TRADE_CORRECT: "2", ExecType.ORDER_STATUS: "3"}
_REPLACED = "5"  # OrdStatus(39)
_BROKER_OPTION = "0"  # OrdRejReason(103)
_UNDISCLOSED = "7"  # Side(54)
_NOT_SUPPORTED = "0"  # MassCancelRejectReason(532)
_REFUSED = "0"  # MassCancelResponse(531)


def _execution_report(dialect: Dialect, report: ExecutionReport) -> Fields:
    order = report.order
    return [
        (tags.ORDER_ID, order.order_id),
        *_present(dialect, tags.CL_ORD_ID, order.cl_ord_id),
        (tags.EXEC_ID, _exec_id(dialect, report.exec_id)),
        *_what_happened(dialect, report),
        *_order(dialect, report),
        *_fill(dialect, report),
        *dialect.optional(_REPORT, _decimal(tags.LEAVES_QTY, order.leaves_qty)),
        _decimal(tags.CUM_QTY, order.cum_qty),
        _decimal(tags.AVG_PX, order.avg_px),
        dialect.time(tags.TRANSACT_TIME, report.transact_time),
        *_present(dialect, tags.ORIG_CL_ORD_ID, report.orig_cl_ord_id),
        *_present(dialect, tags.EXEC_REF_ID, _exec_id(dialect, report.exec_ref_id)),
        *_present(dialect, tags.ORD_STATUS_REQ_ID, report.ord_status_req_id),
        *_mass_status_answer(dialect, report),
        *_present(dialect, tags.TEXT, report.text),
    ]


def _mass_status_answer(dialect: Dialect, report: ExecutionReport) -> Fields:
    if not report.mass_status_req_id:
        return []
    return dialect.optional(
        _REPORT,
        (tags.MASS_STATUS_REQ_ID, report.mass_status_req_id),
        (tags.TOT_NUM_REPORTS, str(report.tot_num_reports)),
        (tags.LAST_RPT_REQUESTED, "Y" if report.last_rpt_requested else "N"),
    )


def _exec_id(dialect: Dialect, exec_id: str) -> str:
    """In FIX.4.0 it is a number: ten digits of the seed, read as hexadecimal, then eight of the count."""
    seed, _, count = exec_id.partition("-E")
    return f"{int(seed, 16) % 10**10}{count:0>8}" if count and dialect.is_number(tags.EXEC_ID) else exec_id


def _present(dialect: Dialect, tag: int, text: str) -> Fields:
    return dialect.optional(_REPORT, (tag, text)) if text else []


def _what_happened(dialect: Dialect, report: ExecutionReport) -> Fields:
    """ExecType(150), before FIX.4.3 with ExecTransType(20); OrdRejReason(103); OrdStatus(39)."""
    what = report.exec_type
    if what is ExecType.TRIGGERED and not dialect.knows(tags.EXEC_TYPE, what.value):
        what = ExecType.ORDER_STATUS  # nothing else has happened
    trans_type = _TRANS_TYPES.get(what, "0")
    fields = dialect.optional(
        _REPORT, (tags.EXEC_TRANS_TYPE, trans_type), (tags.EXEC_TYPE, _exec_type(dialect, what, report.order))
    )
    if report.ord_rej_reason is not None:
        reason = str(int(report.ord_rej_reason))
        known = dialect.knows(tags.ORD_REJ_REASON, reason)
        fields.append((tags.ORD_REJ_REASON, reason if known else _BROKER_OPTION))
    without_exec_type = not dialect.has(_REPORT, tags.EXEC_TYPE)
    replaced = without_exec_type and what is ExecType.REPLACED
    return [*fields, (tags.ORD_STATUS, _REPLACED if replaced else report.order.ord_status.value)]


def _exec_type(dialect: Dialect, what: ExecType, order: Order) -> str:
    if dialect.knows(tags.EXEC_TYPE, what.value):
        return what.value
    if what not in _TRADES:
        return order.ord_status.value
    return "2" if order.cum_qty >= order.terms.order_qty else "1"


def _fill(dialect: Dialect, report: ExecutionReport) -> Fields:
    if not report.last_qty and not dialect.requires(_REPORT, tags.LAST_QTY):
        return []
    return [_decimal(tags.LAST_QTY, report.last_qty), _decimal(tags.LAST_PX, report.last_px)]


def _order(dialect: Dialect, report: ExecutionReport) -> Fields:
    order, terms = report.order, report.order.terms
    fields = [(tags.ACCOUNT, order.account)] if order.account else []
    side = order.side.value if order.cl_ord_id else _UNDISCLOSED  # that no order matches has no side
    fields += [(tags.SYMBOL, order.symbol), (tags.SIDE, side)]
    if (
        order.order_id == NO_ORDER_ID and not terms.order_qty
    ):  # a status was asked of an order that we do not have
        required = dialect.requires(_REPORT, tags.ORDER_QTY)
        return [*fields, _decimal(tags.ORDER_QTY, terms.order_qty)] if required else fields
    fields.append(_decimal(tags.ORDER_QTY, terms.order_qty))
    fields.append((tags.ORD_TYPE, terms.ord_type.value))
    if terms.price is not None:
        fields.append(_decimal(tags.PRICE, terms.price))
    if terms.stop_px is not None:
        fields.append(_decimal(tags.STOP_PX, terms.stop_px))
    fields.append((tags.TIME_IN_FORCE, terms.time_in_force.value))
    if terms.expire_time is not None:
        fields.append(dialect.time(tags.EXPIRE_TIME, terms.expire_time))
    return fields


def _cancel_reject(dialect: Dialect, report: OrderCancelReject) -> Fields:
    order, transact_time = report.order, dialect.time(tags.TRANSACT_TIME, report.transact_time)
    fields = [
        (tags.ORDER_ID, order.order_id if order else NO_ORDER_ID),
        (tags.CL_ORD_ID, report.cl_ord_id),
        (tags.ORIG_CL_ORD_ID, report.orig_cl_ord_id),
        (tags.ORD_STATUS, (order.ord_status if order else OrdStatus.REJECTED).value),
        (tags.CXL_REJ_RESPONSE_TO, report.response_to.value),
        *_cxl_rej_reason(dialect, report.reason),
        transact_time,
        (tags.TEXT, report.text),
    ]
    return dialect.optional(_CANCEL_REJECT, *fields)


def _mass_cancel_report(dialect: Dialect, report: MassCancelReport) -> Fields:
    """Its OrderID(37) is made of its ClOrdID(11): each is unique for its client."""
    request, refused = report.request, report.reason is not None
    reason = str(report.reason)
    reason = reason if dialect.knows(tags.MASS_CANCEL_REJECT_REASON, reason) else _NOT_SUPPORTED
    name, scope = f"MASS-{request.cl_ord_id}", request.scope
    fields = [
        (tags.CL_ORD_ID, request.cl_ord_id),
        (tags.ORDER_ID, name),
        (tags.MASS_ACTION_REPORT_ID, name),
        (tags.MASS_CANCEL_REQUEST_TYPE, request.request_type),
        (tags.MASS_CANCEL_RESPONSE, _REFUSED if refused else request.request_type),
        *([(tags.MASS_CANCEL_REJECT_REASON, reason)] if refused else []),
        (tags.TOTAL_AFFECTED_ORDERS, str(report.total_affected)),
        *([(tags.SYMBOL, scope.symbol)] if scope.symbol else []),
        *([(tags.SIDE, scope.side.value)] if scope.side else []),
        dialect.time(tags.TRANSACT_TIME, report.transact_time),
        *([(tags.TEXT, report.text)] if report.text else []),
    ]
    return dialect.optional(msg_types.ORDER_MASS_CANCEL_REPORT, *fields)


def _cxl_rej_reason(dialect: Dialect, wanted: CxlRejReason) -> Fields:
    """Itself, or the nearest; FIX.4.0 and FIX.4.1 have none but too late and unknown order."""
    known = (
        reason
        for reason in (wanted, CxlRejReason.BROKER_OPTION)
        if dialect.knows(tags.CXL_REJ_REASON, str(int(reason)))
    )
    return [(tags.CXL_REJ_REASON, str(int(reason))) for reason in list(known)[:1]]


def _decimal(tag: int, value: Decimal) -> tuple[int, str]:
    return tag, write_decimal(tag, value)
