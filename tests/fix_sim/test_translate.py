from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fairlead_server.fix import tags
from fairlead_server.fix.message import Message, decode, encode
from fix_sim.orders import (
    CancelOrder,
    ExecType,
    ExecutionReport,
    OrderCancelReject,
    OrdStatus,
    OrdType,
    ReplaceOrder,
    Side,
    StatusRequest,
    Terms,
    TimeInForce,
)
from fix_sim.translate import Outgoing, read_request, write_report
from msgspec.structs import replace

from tests.fix.versions import SPOKEN, spoken
from tests.fix_sim.desk import CLIENT, START, amend, at, cancel, engine, order, status, terms

NEW = "11=A|21=1|55=AAPL|54=1|60=20260302-14:30:00.000|38=100|40=2|44=230.10|59=0"
LIMIT = Terms(Decimal(100), OrdType.LIMIT, Decimal("230.10"))


def message(msg_type: str, body: str) -> Message:
    fields = [(int(tag), text) for tag, _, text in (field.partition("=") for field in body.split("|"))]
    return decode(encode("FIX.4.4", msg_type, "FAIRLEAD", "SIM", 5, "20260302-14:30:00.000", fields))


def without(body: str, tag: int) -> str:
    return "|".join(field for field in body.split("|") if not field.startswith(f"{tag}="))


def text(outgoing: object) -> str:
    assert isinstance(outgoing, Outgoing)
    return "|".join([f"35={outgoing.msg_type}", *(f"{tag}={value}" for tag, value in outgoing.fields)])


@pytest.mark.parametrize("version", SPOKEN)
def test_the_four_requests(version: str) -> None:
    read = {
        msg_type: read_request(CLIENT, spoken(version), message(msg_type, body))
        for msg_type, body in [
            ("D", f"1=ACC|{NEW}"),
            ("G", NEW.replace("11=A", "41=A|11=B")),
            ("F", "41=A|11=C|55=AAPL|54=1|60=20260302-14:30:00"),
            ("H", "11=A|55=AAPL|54=1|790=Q1"),
        ]
    }

    assert read == {
        "D": order(LIMIT, account="ACC"),
        "G": ReplaceOrder(CLIENT, "B", "A", "AAPL", Side.BUY, LIMIT),
        "F": CancelOrder(CLIENT, "C", "A", "AAPL", Side.BUY),
        "H": StatusRequest(CLIENT, "A", "AAPL", Side.BUY, "Q1"),
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("40=1", Terms(Decimal(100), OrdType.MARKET)),
        ("40=3|99=229.5", Terms(Decimal(100), OrdType.STOP, stop_px=Decimal("229.5"))),
        ("40=4|44=229|99=229.5", Terms(Decimal(100), OrdType.STOP_LIMIT, Decimal(229), Decimal("229.5"))),
        ("40=1|59=3", Terms(Decimal(100), OrdType.MARKET, time_in_force=TimeInForce.IOC)),
        (
            "40=1|59=6|126=20260303-10:00:00",
            Terms(
                Decimal(100),
                OrdType.MARKET,
                time_in_force=TimeInForce.GTD,
                expire_time=datetime(2026, 3, 3, 10, tzinfo=UTC),
            ),
        ),
        (
            "40=1|59=6|432=20260303",
            Terms(
                Decimal(100),
                OrdType.MARKET,
                time_in_force=TimeInForce.GTD,
                expire_time=datetime(2026, 3, 3, 23, 59, 59, tzinfo=UTC),
            ),
        ),
    ],
)
def test_the_terms_of_an_order(body: str, expected: Terms) -> None:
    new = message("D", f"11=A|55=AAPL|54=1|60=20260302-14:30:00|38=100|{body}")

    assert read_request(CLIENT, spoken("FIX.4.4"), new) == order(expected)


def test_a_repeated_order_says_so() -> None:
    assert read_request(CLIENT, spoken("FIX.4.4"), message("D", f"97=Y|{NEW}")) == order(
        LIMIT, poss_resend=True
    )


@pytest.mark.parametrize(
    ("msg_type", "version", "missing"),
    [
        *[("D", "FIX.4.4", tag) for tag in (55, 54, 60, 38, 40, 44)],
        ("D", "FIX.4.2", 21),
        *[("G", "FIX.4.4", tag) for tag in (41, 55, 54, 60, 38, 40)],
        *[("F", "FIX.4.2", tag) for tag in (41, 55, 54, 60)],
        *[("H", "FIX.4.4", tag) for tag in (55, 54)],
    ],
)
def test_a_field_that_is_missing_is_named(msg_type: str, version: str, missing: int) -> None:
    incomplete = message(msg_type, without(f"41=O|{NEW}", missing))

    answer = read_request(CLIENT, spoken(version), incomplete)

    assert text(answer) == f"35=j|45=5|372={msg_type}|379=A|380=5|58=Required tag missing ({missing})"


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("54=Z", "Value is incorrect (out of range) for this tag (54)"),
        ("40=P", "Value is incorrect (out of range) for this tag (40)"),
        ("59=2", "Value is incorrect (out of range) for this tag (59)"),
        ("38=1E3", "Incorrect data format for value (38)"),
        ("38=NaN", "Incorrect data format for value (38)"),
        ("38=1000000000000", "Value is incorrect (out of range) for this tag (38)"),
        ("44=0.0000000001", "Value is incorrect (out of range) for this tag (44)"),
        (f"55={'A' * 65}", "Value is incorrect (out of range) for this tag (55)"),
        ("59=6", "Required tag missing (126)"),
        ("59=6|126=tomorrow", "Incorrect data format for value (126)"),
        ("59=6|432=20260230", "Incorrect data format for value (432)"),
    ],
)
def test_a_value_that_is_none_is_named(field: str, reason: str) -> None:
    tag = int(field.partition("=")[0])

    answer = read_request(CLIENT, spoken("FIX.4.4"), message("D", f"{without(NEW, tag)}|{field}"))

    assert text(answer).endswith(f"58={reason}")


def test_a_part_of_an_order_is_taken_away_by_a_replace_alone() -> None:
    answer = read_request(CLIENT, spoken("FIX.4.0"), message("F", "41=A|11=C|125=P|55=AAPL|54=1|38=40"))

    assert text(answer).endswith("58=Value is incorrect (out of range) for this tag (125)")


def test_a_cl_ord_id_that_cannot_be_repeated_is_not() -> None:
    answer = read_request(CLIENT, spoken("FIX.4.4"), message("D", NEW.replace("11=A", f"11={'A' * 65}")))

    assert text(answer) == "35=j|45=5|372=D|380=0|58=Value is incorrect (out of range) for this tag (11)"


@pytest.mark.parametrize("raw", [b"\n", b"\r", b"\x00"])
def test_no_control_character_comes_back(raw: bytes) -> None:
    frame = message("D", NEW).raw
    crooked = decode(frame.replace(b"11=A", b"11=A" + raw))

    assert text(read_request(CLIENT, spoken("FIX.4.4"), crooked)) == (
        "35=j|45=5|372=D|380=0|58=Value is incorrect (out of range) for this tag (11)"
    )


def test_another_message_is_not_for_us() -> None:
    answer = read_request(CLIENT, spoken("FIX.4.4"), message("V", "262=1"))

    assert text(answer) == "35=j|45=5|372=V|380=3|58=Unsupported Message Type"


def test_a_fill_in_both_versions() -> None:
    _, fill = engine().handle(order(LIMIT, account="ACC"), START).reports
    head = "35=8|37=T-O1|11=A|17=T-E2"
    tail = (
        "39=2|1=ACC|55=AAPL|54=1|38=100|40=2|44=230.10|59=0|32=100|31=230.10|151=0|14=100|6=230.1"
        "|60=20260302-14:30:00.000"
    )

    assert text(write_report(spoken("FIX.4.4"), fill)) == f"{head}|150=F|{tail}"
    assert text(write_report(spoken("FIX.4.2"), fill)) == f"{head}|20=0|150=2|{tail}"


@pytest.mark.parametrize(
    ("exec_type", "cum_qty", "done", "form_4_4", "form_4_2"),
    [
        (ExecType.NEW, 0, None, "150=0", "20=0|150=0"),
        (ExecType.TRADE, 40, None, "150=F", "20=0|150=1"),
        (ExecType.TRADE, 100, None, "150=F", "20=0|150=2"),
        (ExecType.CANCELED, 40, OrdStatus.CANCELED, "150=4", "20=0|150=4"),
        (ExecType.REPLACED, 40, None, "150=5", "20=0|150=5"),
        (ExecType.EXPIRED, 0, OrdStatus.EXPIRED, "150=C", "20=0|150=C"),
        (ExecType.ORDER_STATUS, 40, None, "150=I", "20=3|150=1"),
        (ExecType.TRIGGERED, 0, None, "150=I", "20=3|150=0"),
    ],
)
def test_what_happened_in_the_words_of_each_version(
    exec_type: ExecType, cum_qty: int, done: OrdStatus | None, form_4_4: str, form_4_2: str
) -> None:
    desk = engine()
    desk.handle(order(terms(price="1")), START)
    stands = replace(desk.orders["T-O1"], cum_qty=Decimal(cum_qty), done=done)
    report = ExecutionReport(stands, exec_type, at(1), "E9")

    assert f"|17=E9|{form_4_4}|39=" in text(write_report(spoken("FIX.4.4"), report))
    assert f"|17=E9|{form_4_2}|39=" in text(write_report(spoken("FIX.4.2"), report))


def test_a_stop_is_triggered_since_5_0() -> None:
    desk = engine()
    desk.handle(order(terms(price="1")), START)
    report = ExecutionReport(desk.orders["T-O1"], ExecType.TRIGGERED, at(1), "E9")

    assert "|17=E9|150=L|39=0|" in text(write_report(spoken("FIX.5.0"), report))


@pytest.mark.parametrize(
    ("exec_type", "cum_qty", "expected"),
    [
        (ExecType.NEW, 0, "20=0|39=0"),
        (ExecType.TRADE, 40, "20=0|39=1"),
        (ExecType.REPLACED, 0, "20=0|39=5"),
        (ExecType.ORDER_STATUS, 40, "20=3|39=1"),
    ],
)
def test_without_an_exec_type_the_status_tells_what_happened(
    exec_type: ExecType, cum_qty: int, expected: str
) -> None:
    desk = engine()
    desk.handle(order(terms(price="1")), START)
    stands = replace(desk.orders["T-O1"], cum_qty=Decimal(cum_qty))
    report = ExecutionReport(stands, exec_type, at(1), "6a0b-E9")

    assert f"|17=2714700000009|{expected}|55=" in text(write_report(spoken("FIX.4.0"), report))


@pytest.mark.parametrize(("reason", "in_4_2"), [(1, 1), (5, 5), (6, 6), (13, 0), (99, 0)])
def test_a_rejection_keeps_its_reason_where_the_version_knows_it(reason: int, in_4_2: int) -> None:
    desk = engine()
    desk.handle(order(), START)
    report = ExecutionReport(
        desk.orders["T-O1"], ExecType.REJECTED, START, "E9", ord_rej_reason=reason, text="no"
    )

    assert (103, str(reason)) in write_report(spoken("FIX.4.4"), report).fields
    assert (103, str(in_4_2)) in write_report(spoken("FIX.4.2"), report).fields
    assert (58, "no") in write_report(spoken("FIX.4.4"), report).fields


def test_the_status_of_an_order_that_we_do_not_have() -> None:
    (report,) = engine().handle(status("X"), START).reports

    assert text(write_report(spoken("FIX.4.4"), report)) == (
        "35=8|37=NONE|11=X|17=0|150=I|103=5|39=8|55=AAPL|54=1|151=0|14=0|6=0|60=20260302-14:30:00.000"
        "|58=no order goes by ClOrdID(11)"
    )
    assert "|20=3|150=8|103=5|39=8|" in text(write_report(spoken("FIX.4.2"), report))


def test_a_refused_cancel() -> None:
    desk = engine()
    desk.handle(order(), START)
    (late,) = desk.handle(cancel(), at(1)).reports
    (unknown,) = desk.handle(cancel(orig="X"), at(1)).reports

    assert text(write_report(spoken("FIX.4.2"), late)) == (
        "35=9|37=T-O1|11=C|41=A|39=2|434=1|102=0|60=20260302-14:30:00.001|58=too late: FILLED"
    )
    assert "|37=NONE|11=C|41=X|39=8|434=1|102=1|" in text(write_report(spoken("FIX.4.4"), unknown))


def test_a_duplicate_request_has_a_reason_of_its_own_only_since_4_4() -> None:
    desk = engine()
    desk.handle(order(terms(price="1")), START)
    (report,) = desk.handle(amend(terms(), "A"), at(1)).reports

    assert isinstance(report, OrderCancelReject)
    assert (tags.CXL_REJ_REASON, "6") in write_report(spoken("FIX.4.4"), report).fields
    assert (tags.CXL_REJ_REASON, "2") in write_report(spoken("FIX.4.2"), report).fields


def test_a_replaced_order_names_the_one_before_and_all_its_terms() -> None:
    desk = engine()
    desk.handle(order(terms(price="1")), START)
    wanted = terms("50", "300", stop="299", tif=TimeInForce.GTD, expires=at(1000))
    (report,) = desk.handle(amend(wanted), at(1)).reports

    written = text(write_report(spoken("FIX.4.4"), report))
    assert "|11=B|" in written
    assert "|38=50|40=4|44=300|99=299|59=6|126=20260302-14:30:01.000|" in written
    assert written.endswith("|41=A")
