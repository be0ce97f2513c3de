"""Requests about many orders at once: which orders they reach, and what is answered."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fairlead_server.fix.message import decode, encode
from fix_sim.engine import Engine, Ids
from fix_sim.masses import MassPolicy
from fix_sim.orders import ExecutionReport, MassScope, MassStatus, Side
from fix_sim.scenario_file import parse_scenarios
from fix_sim.translate import Outgoing, read_request

from tests.fix.versions import SPOKEN, spoken
from tests.fix_sim.desk import ANY, CLIENT, PRICES, START, at, cancel, mass_cancel, order, terms, told

RESTING = terms(price="1.00")


def desk(policy: MassPolicy = MassPolicy.ACCEPT, scenarios: str = "") -> Engine:
    """Three orders that rest: A and B buy AAPL, one for each account, C sells EURUSD."""
    played = parse_scenarios(scenarios, "here") if scenarios else ()
    made = Engine(Ids("T"), PRICES, (), played, policy)
    made.handle(order(RESTING, cl_ord_id="A", account="ONE"), START)
    made.handle(order(RESTING, cl_ord_id="B", account="TWO"), START)
    made.handle(order(terms(price="9"), cl_ord_id="C", symbol="EURUSD", side=Side.SELL), START)
    return made


def live(desk: Engine) -> str:
    return "".join(order.cl_ord_id for order in desk.orders.values() if order.live)


# Mass cancels.


def test_all_are_cancelled_each_under_its_own_name_behind_one_report() -> None:
    made = desk()
    assert told(made.handle(mass_cancel(), at(1))) == [
        "M MASS 3",
        "A CANCELED CANCELED 0/100",
        "B CANCELED CANCELED 0/100",
        "C CANCELED CANCELED 0/100",
    ]
    assert live(made) == ""


@pytest.mark.parametrize(
    ("request_type", "scope", "left"),
    [
        ("7", MassScope(side=Side.SELL), "AB"),
        ("1", MassScope("AAPL"), "C"),
        ("1", MassScope("AAPL", Side.SELL), "ABC"),
        ("1", MassScope("EURUSD", Side.SELL), "AB"),
    ],
)
def test_only_what_it_names_is_cancelled(request_type: str, scope: MassScope, left: str) -> None:
    made = desk()
    made.handle(mass_cancel(request_type, scope), at(1))
    assert live(made) == left


def test_what_comes_over_another_session_is_left_alone() -> None:
    made = desk()
    assert told(made.handle(mass_cancel(client="FIX.4.4:SIM->OTHER"), at(1))) == ["M MASS 0"]
    assert live(made) == "ABC"


@pytest.mark.parametrize(
    ("request_type", "scope", "reason"),
    [("1", MassScope("NONE"), 1), ("3", MassScope(), 0), ("9", MassScope(), 0)],
)
def test_what_cannot_be_done_is_refused(request_type: str, scope: MassScope, reason: int) -> None:
    made = desk()
    assert told(made.handle(mass_cancel(request_type, scope), at(1))) == [f"M MASS 0 532={reason}"]
    assert live(made) == "ABC"


@pytest.mark.parametrize(
    ("policy", "lines", "left"),
    [
        (MassPolicy.REJECT, ["M MASS 0 532=0"], "ABC"),
        (MassPolicy.SILENT, [], "ABC"),
        (
            MassPolicy.PARTIAL,
            ["M MASS 2", "A CANCELED CANCELED 0/100", "C CANCELED CANCELED 0/100"],
            "B",
        ),
    ],
)
def test_a_broker_may_be_told_to_do_otherwise(policy: MassPolicy, lines: list[str], left: str) -> None:
    made = desk(policy)
    assert told(made.handle(mass_cancel(), at(1))) == lines
    assert live(made) == left


def test_what_has_ended_is_not_cancelled_again() -> None:
    made = desk()
    made.handle(cancel("X", "A"), at(1))
    assert told(made.handle(mass_cancel(), at(2)))[0] == "M MASS 2"


def test_a_paused_broker_takes_it_in_its_turn() -> None:
    made = desk()
    made.pause()
    assert told(made.handle(mass_cancel(), at(1))) == []
    assert len(told(made.resume(at(2)))) == 4


# Beside scenarios.

AWAITED = """
- name: awaited
  match: {account: ONE}
  steps: [new, await: mass_cancel, mass_cancel_report: {reason: 99, text: no}, trade]
"""
NOT_AWAITED = "[{name: busy, match: {account: ONE}, steps: [new, await: cancel, canceled]}]"


def test_a_scenario_that_awaits_it_answers_it_and_the_others_are_cancelled() -> None:
    made = desk(scenarios=AWAITED)
    assert told(made.handle(mass_cancel(), at(1))) == [
        "M MASS 0 532=99",
        "A TRADE FILLED 100/100 100@1.00",
        "B CANCELED CANCELED 0/100",
        "C CANCELED CANCELED 0/100",
    ]


def test_an_order_in_a_scenario_that_does_not_await_it_is_left_to_that() -> None:
    made = desk(scenarios=NOT_AWAITED)
    assert told(made.handle(mass_cancel(), at(1)))[0] == "M MASS 2"
    assert live(made) == "A"
    assert told(made.handle(cancel("X", "A"), at(2))) == ["X 41=A CANCELED CANCELED 0/100"]


def test_a_scenario_that_fails_before_leaves_nothing_of_it_to_anybody() -> None:
    made = desk(
        scenarios="[{name: fails, match: {account: ONE}, steps: [new, await: replace, await: mass_cancel]}]"
    )
    assert len(told(made.handle(mass_cancel(), at(1)))) == 2  # of the other two
    assert told(made.handle(cancel("X", "A"), at(2))) == []
    assert live(made) == "A"
    assert "a cancel came instead" in made.director.plays[0].failure


def test_a_report_on_nothing_is_no_step() -> None:
    made = desk(scenarios="[{name: none, match: {account: ONE}, steps: [new, mass_cancel_report]}]")
    assert "no mass cancel has come" in made.director.plays[0].failure


# How all orders stand.


def mass_status(made: Engine, scope: MassScope = ANY) -> list[ExecutionReport]:
    reports = made.handle(MassStatus(CLIENT, "Q1", scope), at(1)).reports
    return [report for report in reports if isinstance(report, ExecutionReport)]


def test_every_live_order_is_told_and_the_last_says_so() -> None:
    reports = mass_status(desk())
    assert [(each.order.cl_ord_id, each.tot_num_reports, each.last_rpt_requested) for each in reports] == [
        ("A", 3, False),
        ("B", 3, False),
        ("C", 3, True),
    ]
    assert {(each.exec_id, each.mass_status_req_id) for each in reports} == {("0", "Q1")}


@pytest.mark.parametrize(
    ("scope", "names"),
    [(MassScope("AAPL"), "AB"), (MassScope(account="TWO"), "B"), (MassScope(side=Side.SELL), "C")],
)
def test_only_what_it_names_is_told(scope: MassScope, names: str) -> None:
    assert "".join(each.order.cl_ord_id for each in mass_status(desk(), scope)) == names


def test_that_there_is_none_is_told_too() -> None:
    [report] = mass_status(desk(), MassScope("NONE"))
    assert (report.order.order_id, report.order.cum_qty, report.ord_rej_reason) == ("NONE", Decimal(0), 5)
    assert (report.tot_num_reports, report.last_rpt_requested) == (0, True)


def test_of_an_order_of_which_nothing_is_said_any_more_it_says_nothing() -> None:
    made = desk(scenarios="[{name: mute, match: {account: ONE}, steps: [new, silence]}]")
    assert [each.order.cl_ord_id for each in mass_status(made)] == ["B", "C"]


# What is not understood.


@pytest.mark.parametrize(
    ("msg_type", "body", "text"),
    [
        ("q", [(11, "M"), (530, "1"), (60, "20260302-14:30:00")], "Required tag missing (55)"),
        ("q", [(11, "M"), (60, "20260302-14:30:00")], "Required tag missing (530)"),
        ("q", [(11, "M"), (530, "7")], "Required tag missing (60)"),
        ("AF", [(584, "Q1"), (585, "8")], "Value is incorrect (out of range) for this tag (585)"),
        ("AF", [(584, "Q1"), (585, "1")], "Required tag missing (55)"),
        ("AF", [(585, "7")], "Required tag missing (584)"),
    ],
)
def test_what_is_missing_is_named(msg_type: str, body: list[tuple[int, str]], text: str) -> None:
    refusal = read(msg_type, body, "FIX.4.4")
    assert isinstance(refusal, Outgoing)
    assert dict(refusal.fields)[58] == text


@pytest.mark.parametrize("version", ["FIX.4.0", "FIX.4.2"])
@pytest.mark.parametrize("msg_type", ["q", "AF"])
def test_a_version_that_has_no_such_message_does_not_take_it(version: str, msg_type: str) -> None:
    refusal = read(msg_type, [(11, "M"), (530, "7"), (584, "Q1"), (585, "7")], version)
    assert isinstance(refusal, Outgoing)
    assert dict(refusal.fields)[58] == "Unsupported Message Type"


def read(msg_type: str, body: list[tuple[int, str]], version: str) -> object:
    frame = encode(SPOKEN[version][0], msg_type, "FAIRLEAD", "SIM", 2, "20260302-14:30:00", body)
    return read_request(CLIENT, spoken(version), decode(frame))
