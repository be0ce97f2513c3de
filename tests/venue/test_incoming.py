"""What comes in: each form of each message, in both versions; what cannot be understood is an error, never a guess."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fairlead_server.domain.execution import (
    CancelReject,
    ExecutionReport,
    MessageReject,
    ReportKind,
    VenueMessage,
)
from fairlead_server.domain.reject import RejectReason, RejectSource, VenueReject
from fairlead_server.domain.terms import Side
from fairlead_server.fix.errors import BadValue, FixError, MissingTag
from fairlead_server.fix.message import Message, decode, encode
from fairlead_server.venue import incoming
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.builders import NOW

SENT = "20261120-14:59:59.500"


def message(text: str, begin_string: str = "FIX.4.4") -> Message:
    """``35=8|17=E1|...`` with the header put in; a value may be empty."""
    pairs = [part.partition("=") for part in text.split("|")]
    (_, _, msg_type), *body = pairs
    fields = [(int(tag), value or "\x02") for tag, _, value in body]
    frame = encode(begin_string, msg_type, "BROKER", "FAIRLEAD", 7, SENT, fields)
    return decode(frame.replace(b"=\x02\x01", b"=\x01"))


def read(text: str, begin_string: str = "FIX.4.4") -> incoming.Heard | None:
    return incoming.read(message(text, begin_string), "BROKER", NOW)


def report(text: str, begin_string: str = "FIX.4.4") -> ExecutionReport:
    found = read(text, begin_string)
    assert isinstance(found, ExecutionReport)
    return found


# ExecutionReport(8).


@pytest.mark.parametrize(
    ("exec_type", "kind"),
    [
        ("0", ReportKind.NEW),
        ("3", ReportKind.DONE_FOR_DAY),
        ("4", ReportKind.CANCELED),
        ("5", ReportKind.REPLACED),
        ("6", ReportKind.PENDING_CANCEL),
        ("7", ReportKind.STOPPED),
        ("8", ReportKind.REJECTED),
        ("9", ReportKind.SUSPENDED),
        ("A", ReportKind.PENDING_NEW),
        ("B", ReportKind.CALCULATED),
        ("C", ReportKind.EXPIRED),
        ("D", ReportKind.RESTATED),
        ("E", ReportKind.PENDING_REPLACE),
        ("F", ReportKind.TRADE),
        ("G", ReportKind.TRADE_CORRECT),
        ("H", ReportKind.TRADE_CANCEL),
        ("I", ReportKind.STATUS),
        ("L", ReportKind.TRIGGERED),
        ("Z", ReportKind.UNMAPPED),
        ("", ReportKind.UNMAPPED),
    ],
)
def test_exec_types_of_44(exec_type: str, kind: ReportKind) -> None:
    found = report(f"35=8|17=E1|150={exec_type}|39=0")
    assert (found.kind, found.exec_type) == (kind, exec_type)


@pytest.mark.parametrize(
    ("trans_type", "exec_type", "kind"),
    [
        ("0", "0", ReportKind.NEW),
        ("0", "1", ReportKind.TRADE),
        ("0", "2", ReportKind.TRADE),
        ("0", "4", ReportKind.CANCELED),
        ("0", "D", ReportKind.RESTATED),
        ("1", "1", ReportKind.TRADE_CANCEL),
        ("2", "2", ReportKind.TRADE_CORRECT),
        ("3", "0", ReportKind.STATUS),
        ("3", "2", ReportKind.STATUS),
        ("", "2", ReportKind.TRADE),
    ],
)
def test_exec_types_of_42(trans_type: str, exec_type: str, kind: ReportKind) -> None:
    found = report(f"35=8|17=E1|20={trans_type}|150={exec_type}|39=0", "FIX.4.2")
    assert found.kind is kind


@pytest.mark.parametrize(
    ("trans_type", "status", "last", "kind"),
    [
        ("0", "0", "0", ReportKind.NEW),
        ("0", "1", "40", ReportKind.TRADE),
        ("0", "2", "40", ReportKind.TRADE),
        ("0", "6", "40", ReportKind.TRADE),  # a fill that crosses our cancel
        ("0", "1", "0", ReportKind.STATUS),
        ("0", "4", "0", ReportKind.CANCELED),
        ("0", "5", "0", ReportKind.REPLACED),
        ("0", "8", "0", ReportKind.REJECTED),
        ("0", "C", "0", ReportKind.EXPIRED),
        ("1", "0", "40", ReportKind.TRADE_CANCEL),
        ("2", "1", "40", ReportKind.TRADE_CORRECT),
        ("3", "2", "0", ReportKind.STATUS),
        ("0", "Z", "0", ReportKind.UNMAPPED),
    ],
)
def test_without_an_exec_type_the_status_and_the_quantity_tell(
    trans_type: str, status: str, last: str, kind: ReportKind
) -> None:
    found = report(f"35=8|17=E1|20={trans_type}|39={status}|32={last}", "FIX.4.0")
    assert (found.kind, found.exec_type, found.leaves_qty) == (kind, "", None)


def test_a_fill_with_all_that_it_says() -> None:
    found = report(
        "35=8|37=V1|11=X|41=W|17=E1|19=E0|150=F|39=1|1=ACC1|55=ACME|54=2|38=100|44=50.10|32=40|31=50.05"
        "|14=40|151=60|6=50.050|60=20261120-14:59:58.123456|58=thanks|880=T1|30=XNYS|851=2"
    )
    assert found == ExecutionReport(
        kind=ReportKind.TRADE,
        message=VenueMessage("BROKER", 7, datetime(2026, 11, 20, 14, 59, 59, 500_000, tzinfo=UTC), NOW),
        exec_id="E1",
        exec_type="F",
        ord_status="1",
        cl_ord_id="X",
        orig_cl_ord_id="W",
        venue_order_id="V1",
        exec_ref_id="E0",
        account="ACC1",
        symbol="ACME",
        side=Side.SELL,
        order_qty=Decimal(100),
        price=Decimal("50.10"),
        last_qty=Decimal(40),
        last_px=Decimal("50.05"),
        cum_qty=Decimal(40),
        leaves_qty=Decimal(60),
        avg_px=Decimal("50.050"),
        transact_time=datetime(2026, 11, 20, 14, 59, 58, 123_456, tzinfo=UTC),
        text="thanks",
        trade_id="T1",
        last_market="XNYS",
        liquidity="2",
    )


def test_what_a_report_leaves_out_is_empty() -> None:
    found = report("35=8|150=0")
    assert (found.exec_id, found.cl_ord_id, found.side, found.last_qty) == ("", "", None, None)
    assert found.transact_time == datetime(2026, 11, 20, 14, 59, 59, 500_000, tzinfo=UTC)
    assert found.reject is None


def test_poss_dup_and_poss_resend_are_kept() -> None:
    found = report("35=8|43=Y|97=Y|150=0")
    assert (found.message.poss_dup, found.message.poss_resend) == (True, True)


@pytest.mark.parametrize(("char", "side"), [("1", Side.BUY), ("5", Side.SELL_SHORT), ("8", None), ("", None)])
def test_sides(char: str, side: Side | None) -> None:
    assert report(f"35=8|150=0|54={char}").side is side


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("0", RejectReason.VENUE_BROKER_OPTION),
        ("1", RejectReason.VENUE_UNKNOWN_SYMBOL),
        ("6", RejectReason.VENUE_DUPLICATE_ORDER),
        ("18", RejectReason.VENUE_INVALID_PRICE_INCREMENT),
        ("99", RejectReason.VENUE_OTHER),
        ("4711", RejectReason.VENUE_OTHER),
    ],
)
def test_a_refused_order_says_why(code: str, reason: RejectReason) -> None:
    reject = report(f"35=8|150=8|39=8|103={code}|58=no").reject
    assert reject is not None
    assert (reject.source, reject.reason, reject.text) == (RejectSource.VENUE, reason, "no")
    assert reject.venue == VenueReject("8", "no", ord_rej_reason=int(code))


def test_a_refusal_without_a_reason() -> None:
    reject = report("35=8|150=8|39=8").reject
    assert reject is not None
    assert (reject.reason, reject.text) == (RejectReason.VENUE_OTHER, "")
    assert reject.venue == VenueReject("8")


@pytest.mark.parametrize(
    ("text", "begin_string"),
    [("35=8|17=0|150=I|39=8|103=5", "FIX.4.4"), ("35=8|17=0|20=3|150=8|39=8|103=5", "FIX.4.2")],
)
def test_a_status_may_say_that_the_order_is_unknown(text: str, begin_string: str) -> None:
    found = report(text, begin_string)
    assert found.kind is ReportKind.STATUS
    assert found.reject is not None
    assert found.reject.reason is RejectReason.VENUE_UNKNOWN_ORDER


# OrderCancelReject(9), Reject(3), BusinessMessageReject(j).


@pytest.mark.parametrize(
    ("code", "reason", "too_late", "unknown"),
    [
        ("0", RejectReason.VENUE_CANCEL_TOO_LATE, True, False),
        ("1", RejectReason.VENUE_CANCEL_UNKNOWN_ORDER, False, True),
        ("3", RejectReason.VENUE_CANCEL_ALREADY_PENDING, False, False),
        ("99", RejectReason.VENUE_CANCEL_OTHER, False, False),
    ],
)
@pytest.mark.parametrize("begin_string", ["FIX.4.2", "FIX.4.4", "FIXT.1.1"])
def test_a_cancel_reject(
    begin_string: str, code: str, reason: RejectReason, *, too_late: bool, unknown: bool
) -> None:
    found = read(f"35=9|37=V1|11=Z|41=X|39=2|434=1|102={code}|58=no", begin_string)
    assert isinstance(found, CancelReject)
    names = found.cl_ord_id, found.orig_cl_ord_id, found.venue_order_id, found.ord_status
    assert names == ("Z", "X", "V1", "2")
    assert (found.too_late, found.unknown_order, found.reject.reason) == (too_late, unknown, reason)
    assert found.reject.venue == VenueReject("9", "no", cxl_rej_reason=int(code))


def test_a_cancel_reject_without_a_reason() -> None:
    found = read("35=9|37=V1|11=Z|41=X|39=2")
    assert isinstance(found, CancelReject)
    assert (found.too_late, found.unknown_order) == (False, False)
    assert found.reject.reason is RejectReason.VENUE_CANCEL_OTHER


def test_a_session_reject() -> None:
    found = read("35=3|45=12|371=44|372=D|373=5|58=Value is incorrect")
    assert isinstance(found, MessageReject)
    assert found.ref_msg_seq_num == 12
    assert found.reject.reason is RejectReason.VENUE_SESSION_REJECT
    assert found.reject.venue == VenueReject("3", "Value is incorrect", session_reject_reason=5)


def test_a_business_reject() -> None:
    found = read("35=j|45=12|372=D|379=X|380=3|58=Unsupported")
    assert isinstance(found, MessageReject)
    assert (found.ref_msg_seq_num, found.ref_msg_type, found.ref_id) == (12, "D", "X")
    assert found.reject.reason is RejectReason.VENUE_BUSINESS_REJECT
    assert found.reject.venue == VenueReject("j", "Unsupported", business_reject_reason=3)


def test_a_business_reject_need_not_give_a_number() -> None:
    found = read("35=j|372=D|379=X|380=0")
    assert isinstance(found, MessageReject)
    assert (found.ref_msg_seq_num, found.ref_id) == (0, "X")


@pytest.mark.parametrize("msg_type", ["AE", "Q", "D", "6", "ZZ"])
def test_other_types_are_none_of_our_business(msg_type: str) -> None:
    assert read(f"35={msg_type}") is None


# What cannot be understood.


@pytest.mark.parametrize(
    ("text", "tag"),
    [("35=8|17=E1|39=0", 150), ("35=3|58=no", 45)],
)
def test_a_field_that_must_be_there(text: str, tag: int) -> None:
    with pytest.raises(MissingTag) as caught:
        read(text)
    assert caught.value.tag == tag


@pytest.mark.parametrize(
    ("field", "tag"),
    [
        ("32=", 32),
        ("32=ten", 32),
        ("32=1e3", 32),
        ("32=NaN", 32),
        ("32=Infinity", 32),
        ("32=+1", 32),
        ("32=1,000", 32),
        ("32=-1", 32),
        ("38=-1", 38),
        ("14=-1", 14),
        ("151=-0.5", 151),
        ("32=1000000000000000000", 32),
        (f"31={'9' * 40}", 31),
        (f"31=-{'9' * 39}", 31),
        (f"31={'9' * 4000}", 31),
        ("31=", 31),
        ("60=yesterday", 60),
        ("60=20261120-24:00:00", 60),
        ("60=20261120-15:00:00.1", 60),
    ],
)
def test_a_value_that_is_none(field: str, tag: int) -> None:
    with pytest.raises(BadValue) as caught:
        read(f"35=8|17=E1|150=F|39=1|{field}")
    assert caught.value.tag == tag


@pytest.mark.parametrize("text", ["35=9|102=x", "35=3|45=x", "35=3|45=1|373=", "35=j|45=x", "35=j|380=x"])
def test_a_code_that_is_none(text: str) -> None:
    with pytest.raises(BadValue):
        read(text)


def test_a_price_may_be_below_zero() -> None:
    assert report("35=8|17=E1|150=F|32=1|31=-0.05").last_px == Decimal("-0.05")


def test_what_the_venue_writes_is_bounded_and_printable() -> None:
    found = report(f"35=8|17={'E' * 500}|150={'F' * 500}|55=A\x02B\x7f\x9fC|58={'t' * 5000}\x1b[31m")
    assert found.exec_id == "E" * 64
    assert found.exec_type == "F" * 64
    assert found.symbol == "A B  C"
    assert found.text == "t" * 256
    assert report("35=8|150=0|58=\x1b[31mred").text == " [31mred"


_VALUES = st.text(
    st.characters(max_codepoint=255, exclude_characters="\x00\x01\r\n"), min_size=1, max_size=80
)
_TAGS = st.sampled_from([1, 6, 11, 14, 17, 19, 20, 31, 32, 37, 38, 39, 41, 44, 45, 54, 55, 58, 60])
_MORE = st.sampled_from([102, 103, 150, 151, 372, 373, 379, 380, 851, 880])


@given(st.sampled_from(["8", "9", "3", "j", "D", "x"]), st.dictionaries(_TAGS | _MORE, _VALUES))
def test_whatever_comes_is_heard_or_a_fix_error(msg_type: str, fields: dict[int, str]) -> None:
    frame = encode("FIX.4.4", msg_type, "BROKER", "FAIRLEAD", 7, SENT, list(fields.items()))
    with suppress(FixError):
        incoming.read(decode(frame), "BROKER", NOW)
