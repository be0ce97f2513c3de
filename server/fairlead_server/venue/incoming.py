"""What a venue's messages mean: execution reports, cancel rejects, mass cancel reports, rejects, in the forms of FIX.4.0 to FIX.5.0SP2.

The forms fold into one table: up to FIX.4.2 ExecTransType(20) takes part in what has happened, and FIX.4.0, which has
no ExecType(150), leaves the rest to OrdStatus(39) and LastShares(32). A message that cannot be understood raises a
:class:`~fairlead_server.fix.errors.FixError`; the caller answers it with a BusinessMessageReject(j). An ExecType(150)
that is not in the table is passed on as UNMAPPED, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from msgspec.structs import replace

from fairlead_server.domain.execution import (
    CancelReject,
    ExecutionReport,
    MassCancelReport,
    MessageReject,
    ReportKind,
    VenueMessage,
)
from fairlead_server.domain.order import ZERO
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource, VenueReject
from fairlead_server.fix import msg_types, tags
from fairlead_server.fix.errors import BadValue
from fairlead_server.fix.message import Message
from fairlead_server.fix.schedule import Schedule
from fairlead_server.fix.values import read_decimal
from fairlead_server.fix.versions import FIX_4_0
from fairlead_server.venue.outgoing import SIDE

_TEXT = 256  # characters of a venue's text that we keep
_ID = 64  # characters of a venue's identifiers
_LARGEST = Decimal(10**18)  # beyond it sums of quantity x price would lose digits
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_EXEC_TYPE = {
    "0": ReportKind.NEW,
    "1": ReportKind.TRADE,  # Partial fill, up to FIX.4.3
    "2": ReportKind.TRADE,  # Fill, up to FIX.4.3
    "3": ReportKind.DONE_FOR_DAY,
    "4": ReportKind.CANCELED,
    "5": ReportKind.REPLACED,
    "6": ReportKind.PENDING_CANCEL,
    "7": ReportKind.STOPPED,
    "8": ReportKind.REJECTED,
    "9": ReportKind.SUSPENDED,
    "A": ReportKind.PENDING_NEW,
    "B": ReportKind.CALCULATED,
    "C": ReportKind.EXPIRED,
    "D": ReportKind.RESTATED,
    "E": ReportKind.PENDING_REPLACE,
    "F": ReportKind.TRADE,
    "G": ReportKind.TRADE_CORRECT,
    "H": ReportKind.TRADE_CANCEL,
    "I": ReportKind.STATUS,
    "L": ReportKind.TRIGGERED,
}
_EXEC_TRANS_TYPE = {  # ExecTransType(20), up to FIX.4.2; "0" is New and says nothing
    "1": ReportKind.TRADE_CANCEL,
    "2": ReportKind.TRADE_CORRECT,
    "3": ReportKind.STATUS,
}
_ORD_REJ_REASON = {
    0: RejectReason.VENUE_BROKER_OPTION,
    1: RejectReason.VENUE_UNKNOWN_SYMBOL,
    2: RejectReason.VENUE_EXCHANGE_CLOSED,
    3: RejectReason.VENUE_EXCEEDS_LIMIT,
    4: RejectReason.VENUE_TOO_LATE_TO_ENTER,
    5: RejectReason.VENUE_UNKNOWN_ORDER,
    6: RejectReason.VENUE_DUPLICATE_ORDER,
    7: RejectReason.VENUE_DUPLICATE_VERBAL_ORDER,
    8: RejectReason.VENUE_STALE_ORDER,
    9: RejectReason.VENUE_TRADE_ALONG_REQUIRED,
    10: RejectReason.VENUE_INVALID_INVESTOR_ID,
    11: RejectReason.VENUE_UNSUPPORTED_CHARACTERISTIC,
    12: RejectReason.VENUE_SURVEILLANCE_OPTION,
    13: RejectReason.VENUE_INCORRECT_QUANTITY,
    14: RejectReason.VENUE_INCORRECT_ALLOCATED_QUANTITY,
    15: RejectReason.VENUE_UNKNOWN_ACCOUNT,
    16: RejectReason.VENUE_PRICE_BAND,
    18: RejectReason.VENUE_INVALID_PRICE_INCREMENT,
}
_TOO_LATE, _UNKNOWN_ORDER = 0, 1
_CXL_REJ_REASON = {
    _TOO_LATE: RejectReason.VENUE_CANCEL_TOO_LATE,
    _UNKNOWN_ORDER: RejectReason.VENUE_CANCEL_UNKNOWN_ORDER,
    2: RejectReason.VENUE_CANCEL_BROKER_OPTION,
    3: RejectReason.VENUE_CANCEL_ALREADY_PENDING,
    4: RejectReason.VENUE_CANCEL_MASS_CANCEL_UNABLE,
    5: RejectReason.VENUE_CANCEL_MOD_TIME_MISMATCH,
    6: RejectReason.VENUE_CANCEL_DUPLICATE_CL_ORD_ID,
    7: RejectReason.VENUE_CANCEL_PRICE_EXCEEDS_CURRENT,
    8: RejectReason.VENUE_CANCEL_PRICE_BAND,
    18: RejectReason.VENUE_CANCEL_INVALID_PRICE_INCREMENT,
}
_SIDE = {char: side for side, char in SIDE.items()}

_REJECTED = "0"  # MassCancelResponse(531)

Heard = ExecutionReport | CancelReject | MassCancelReport | MessageReject


def read(message: Message, session_id: str, now: datetime) -> Heard | None:
    """None for a type that we have no use for."""
    reader = _READERS.get(message.msg_type)
    return None if reader is None else reader(message, _provenance(message, session_id, now))


def execution_report(message: Message, source: VenueMessage) -> ExecutionReport:
    ord_status = _id(message, tags.ORD_STATUS)
    kind = _EXEC_TRANS_TYPE.get(message.get(tags.EXEC_TRANS_TYPE) or "0") or _what_happened(message)
    refuses = kind is ReportKind.REJECTED or (kind is ReportKind.STATUS and ord_status == "8")
    return ExecutionReport(
        kind,
        source,
        _id(message, tags.EXEC_ID),
        _id(message, tags.EXEC_TYPE),
        ord_status,
        _id(message, tags.CL_ORD_ID),
        _id(message, tags.ORIG_CL_ORD_ID),
        _id(message, tags.ORDER_ID),
        _id(message, tags.EXEC_REF_ID),
        _id(message, tags.ACCOUNT),
        _id(message, tags.SYMBOL),
        _SIDE.get(message.get(tags.SIDE) or ""),
        _quantity(message, tags.ORDER_QTY),
        _decimal(message, tags.PRICE),
        _quantity(message, tags.LAST_QTY),
        _decimal(message, tags.LAST_PX),
        _quantity(message, tags.CUM_QTY),
        _quantity(message, tags.LEAVES_QTY),
        _decimal(message, tags.AVG_PX),
        message.utc_timestamp(tags.TRANSACT_TIME)
        if tags.TRANSACT_TIME in message
        else source.sending_time or source.receive_time,
        _text(message),
        _id(message, tags.TRD_MATCH_ID),
        _id(message, tags.LAST_MKT),
        _id(message, tags.LAST_LIQUIDITY_IND),
        _order_refusal(message) if refuses else None,
    )


def of_the_whole(report: ExecutionReport) -> ExecutionReport:
    """The report of a venue whose Replaced tells in OrderQty(38) what is open; ours is always the total."""
    if report.kind is not ReportKind.REPLACED or report.order_qty is None:
        return report
    is_open = report.order_qty if report.leaves_qty is None else report.leaves_qty
    return replace(report, order_qty=(report.cum_qty or ZERO) + is_open)


def tells_its_day(message: Message) -> bool:
    """What is sent again without TransactTime(60) may be of any day: then its ExecID(17) means whoever has it."""
    return tags.TRANSACT_TIME in message or not (message.poss_dup or message.poss_resend)


def of_its_day(report: ExecutionReport, schedule: Schedule) -> ExecutionReport:
    """The report of a venue that uses an ExecID(17) again on another day; the day is that of TransactTime(60)."""
    try:
        day = schedule.day_start(report.transact_time)
    except OverflowError:
        raise BadValue(tags.TRANSACT_TIME, str(report.transact_time), "a time of this world") from None
    return replace(report, exec_day=f"{day:%Y-%m-%dT%H:%MZ}")


def _what_happened(message: Message) -> ReportKind:
    if message.get(tags.BEGIN_STRING) != FIX_4_0:
        return _EXEC_TYPE.get(message[tags.EXEC_TYPE], ReportKind.UNMAPPED)
    if _quantity(message, tags.LAST_QTY):
        return ReportKind.TRADE
    kind = _EXEC_TYPE.get(message[tags.ORD_STATUS], ReportKind.UNMAPPED)
    return (
        ReportKind.STATUS if kind is ReportKind.TRADE else kind
    )  # filled in part or whole, but not just now


def order_cancel_reject(message: Message, source: VenueMessage) -> CancelReject:
    code = _code(message, tags.CXL_REJ_REASON)
    reason = _CXL_REJ_REASON.get(-1 if code is None else code, RejectReason.VENUE_CANCEL_OTHER)
    text = _text(message)
    return CancelReject(
        source,
        _id(message, tags.CL_ORD_ID),
        _id(message, tags.ORIG_CL_ORD_ID),
        _id(message, tags.ORDER_ID),
        _id(message, tags.ORD_STATUS),
        code == _UNKNOWN_ORDER,
        code == _TOO_LATE,
        Reject(
            RejectSource.VENUE, reason, text, venue=VenueReject(message.msg_type, text, cxl_rej_reason=code)
        ),
    )


def order_mass_cancel_report(message: Message, _: VenueMessage) -> MassCancelReport:
    reason, text = _id(message, tags.MASS_CANCEL_REJECT_REASON), _text(message)
    told = ", ".join(filter(None, (f"MassCancelRejectReason(532) {reason}" if reason else "", text)))
    accepted = message[tags.MASS_CANCEL_RESPONSE] != _REJECTED
    return MassCancelReport(_id(message, tags.CL_ORD_ID), accepted, told)


def session_reject(message: Message, source: VenueMessage) -> MessageReject:
    text = _text(message)
    venue = VenueReject(
        message.msg_type, text, session_reject_reason=_code(message, tags.SESSION_REJECT_REASON)
    )
    reject = Reject(RejectSource.VENUE, RejectReason.VENUE_SESSION_REJECT, text, venue=venue)
    ref_msg_type = _id(message, tags.REF_MSG_TYPE)
    return MessageReject(source, message.integer(tags.REF_SEQ_NUM), reject, ref_msg_type)


def business_reject(message: Message, source: VenueMessage) -> MessageReject:
    text = _text(message)
    venue = VenueReject(
        message.msg_type, text, business_reject_reason=_code(message, tags.BUSINESS_REJECT_REASON)
    )
    reject = Reject(RejectSource.VENUE, RejectReason.VENUE_BUSINESS_REJECT, text, venue=venue)
    number = message.integer(tags.REF_SEQ_NUM) if tags.REF_SEQ_NUM in message else 0
    ref_msg_type, ref_id = _id(message, tags.REF_MSG_TYPE), _id(message, tags.BUSINESS_REJECT_REF_ID)
    return MessageReject(source, number, reject, ref_msg_type, ref_id)


def _order_refusal(message: Message) -> Reject:
    code = _code(message, tags.ORD_REJ_REASON)
    reason = _ORD_REJ_REASON.get(-1 if code is None else code, RejectReason.VENUE_OTHER)
    text = _text(message)
    return Reject(
        RejectSource.VENUE, reason, text, venue=VenueReject(message.msg_type, text, ord_rej_reason=code)
    )


def _provenance(message: Message, session_id: str, now: datetime) -> VenueMessage:
    sent = message.utc_timestamp(tags.SENDING_TIME) if tags.SENDING_TIME in message else None
    return VenueMessage(session_id, message.msg_seq_num, sent, now, message.poss_dup, message.poss_resend)


def _id(message: Message, tag: int) -> str:
    text = message.get(tag)
    return _legible(text, _ID) if text else ""


def _text(message: Message) -> str:
    return _legible(message.get(tags.TEXT) or "", _TEXT)


def _legible(text: str, most: int) -> str:
    return text[:most] if text.isprintable() else _UNPRINTABLE.sub(" ", text[:most])


def _decimal(message: Message, tag: int) -> Decimal | None:
    text = message.get(tag)
    return None if text is None else _amount(tag, text)


@lru_cache(maxsize=4096)
def _amount(tag: int, text: str) -> Decimal:
    """Kept, for the quantities and prices of a day are few."""
    value = read_decimal(tag, text)
    if abs(value) >= _LARGEST:
        raise BadValue(tag, text, "an amount of this world")
    return value


def _quantity(message: Message, tag: int) -> Decimal | None:
    value = _decimal(message, tag)
    if value is not None and value < 0:
        raise BadValue(tag, message[tag], "zero or more")
    return value


def _code(message: Message, tag: int) -> int | None:
    return message.integer(tag) if tag in message else None


_READERS: dict[str, Callable[[Message, VenueMessage], Heard]] = {
    msg_types.EXECUTION_REPORT: execution_report,
    msg_types.ORDER_CANCEL_REJECT: order_cancel_reject,
    msg_types.ORDER_MASS_CANCEL_REPORT: order_mass_cancel_report,
    msg_types.REJECT: session_reject,
    msg_types.BUSINESS_MESSAGE_REJECT: business_reject,
}
