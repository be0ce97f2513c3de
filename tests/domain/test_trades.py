"""Fills, corrections and busts: a set keyed by ExecID(17), from which the sums follow."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from fairlead_server.domain.event import Alarm, EventKind
from fairlead_server.domain.execution import ExecutionReport, ReportKind
from fairlead_server.domain.order import Flag, OrderState
from fairlead_server.domain.transitions import apply
from msgspec.structs import replace

from tests.domain.builders import (
    LATER,
    after,
    amending,
    bust,
    canceling,
    change,
    correction,
    figures,
    message,
    new_order,
    report,
    status,
    terms,
    trade,
    working_order,
)


def test_an_execution_told_twice_counts_once() -> None:
    order = after(working_order(), trade("1", 30))

    assert apply(order, trade("1", 30), "", LATER) is None
    assert apply(order, trade("1", 30, message=message(poss_dup=True)), "", LATER) is None


@pytest.mark.parametrize("sent_again", [{"poss_dup": True}, {"poss_resend": True}])
def test_a_fill_sent_again_that_was_never_seen_counts_once(sent_again: dict[str, bool]) -> None:
    order = after(working_order(), trade("1", 30))
    again = trade("2", 40, cum_qty=Decimal(70), leaves_qty=Decimal(30), message=message(**sent_again))

    told = change(order, again)

    assert (told.kind, told.alarms) == (EventKind.FILLED, ())
    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 70, 30)
    assert apply(told.order, again, "", LATER) is None


def test_of_two_fills_the_second_may_come_first() -> None:
    first, second = trade("1", 30, 50), trade("2", 40, 51)

    in_order, reversed_ = after(working_order(), first, second), after(working_order(), second, first)

    assert figures(reversed_) == figures(in_order) == (OrderState.PARTIALLY_FILLED, 70, 30)
    assert reversed_.avg_px == in_order.avg_px


def test_a_fill_sent_again_under_another_exec_id_is_booked_and_its_cum_qty_tells_a_person() -> None:
    """It may be a fill that we have, but nothing says so: real exposure is never left out."""
    order = after(working_order(), trade("1", 30, cum_qty=Decimal(30)))

    told = change(order, trade("other", 30, cum_qty=Decimal(30), message=message(poss_resend=True)))

    assert (told.kind, told.alarms) == (EventKind.FILLED, (Alarm.RECON_BREAK,))
    assert told.order.cum_qty == 60


@pytest.mark.parametrize("other", [trade("1", 31), trade("1", 30, 51), correction("1", "", 31)])
def test_of_two_contents_under_one_exec_id_the_first_is_kept(other: ExecutionReport) -> None:
    order = after(working_order(), trade("1", 30))

    told = change(order, other)

    assert (told.kind, told.order, told.alarms) == (None, order, (Alarm.EXEC_CONFLICT,))


@pytest.mark.parametrize("kind", [ReportKind.TRADE, ReportKind.TRADE_CORRECT])
@pytest.mark.parametrize("missing", ["last_qty", "last_px"])
def test_a_fill_without_quantity_or_price_is_asked_about(kind: ReportKind, missing: str) -> None:
    order = working_order()

    bare: dict[str, Any] = {missing: None}
    told = change(order, replace(trade("1", 30, kind=kind), **bare))

    assert (told.kind, told.order, told.alarms) == (None, order, (Alarm.RECON_BREAK,))
    assert told.ask_status


def test_an_overfill_is_booked_and_shown_to_a_person() -> None:
    told = change(after(working_order(), trade("1", 60)), trade("2", 50))

    assert (told.kind, told.alarms) == (EventKind.FILLED, (Alarm.OVERFILL,))
    assert Flag.OVERFILLED in told.order.flags
    assert figures(told.order) == (OrderState.FILLED, 110, 0)


def test_a_correction_may_overfill_and_a_bust_may_end_that() -> None:
    told = change(after(working_order(), trade("1", 60), trade("2", 40)), correction("3", "1", 70))

    assert told.alarms == (Alarm.OVERFILL,)
    assert Flag.OVERFILLED not in after(told.order, bust("4", "2")).flags


def test_an_overfill_goes_on_showing_when_the_venue_restates_the_quantity_and_ends_when_it_raises_it() -> (
    None
):
    over = after(working_order(), trade("1", 110))

    restated = after(over, report(ReportKind.RESTATED, order_qty=Decimal(100), ord_status="2"))
    raised = after(amending(over, terms(150)), report(ReportKind.REPLACED, cl_ord_id="Y"))

    assert restated.terms.quantity == 100
    assert Flag.OVERFILLED in restated.flags
    assert (figures(raised), raised.flags) == ((OrderState.PARTIALLY_FILLED, 110, 40), frozenset())


def test_a_correction_of_a_correction_and_its_bust_name_the_last_one() -> None:
    order = after(working_order(), trade("1", 30), correction("2", "1", 20), correction("3", "2", 10))
    assert order.cum_qty == 10

    assert after(order, bust("4", "3")).cum_qty == 0


def test_a_correction_or_bust_that_names_a_corrected_execution_means_what_took_its_place() -> None:
    order = after(working_order(), trade("1", 30), correction("2", "1", 20))

    told = change(order, correction("3", "1", 10))

    assert told.ref_exec_id == "2"
    assert told.order.cum_qty == 10
    assert after(told.order, bust("4", "1")).cum_qty == 0


def test_a_correction_of_what_we_never_had_is_booked_and_shown_to_a_person() -> None:
    told = change(working_order(), correction("2", "1", 20))

    assert (told.kind, told.alarms, told.ref_exec_id) == (
        EventKind.TRADE_CORRECTED,
        (Alarm.UNKNOWN_EXEC_REF,),
        "1",
    )
    assert told.order.cum_qty == 20


def test_a_bust_of_what_we_never_had_is_remembered_and_shown_to_a_person() -> None:
    told = change(working_order(), bust("2", "1"))

    assert (told.kind, told.alarms) == (EventKind.RESTATED, (Alarm.UNKNOWN_EXEC_REF,))
    assert told.order.busts_ahead == ("1",)
    assert (told.order.executions, told.order.flags) == ((), frozenset())
    assert apply(told.order, bust("2", "1"), "", LATER) is None


def test_a_trade_that_was_busted_before_it_is_told_does_not_count() -> None:
    told = change(after(working_order(), bust("2", "1")), trade("1", 30))

    assert (told.kind, told.execution) == (EventKind.RESTATED, None)
    assert told.text == "execution 1 was busted before it was told"
    assert told.order.cum_qty == 0
    assert told.order.flags == {Flag.BUSTED}
    assert apply(told.order, trade("1", 30), "", LATER) is None


def test_a_trade_that_was_corrected_before_it_is_told_does_not_count_beside_its_correction() -> None:
    ahead = after(working_order(), correction("2", "1", 20))

    told = change(ahead, trade("1", 30))

    assert (told.kind, told.text) == (EventKind.RESTATED, "execution 1 was corrected before it was told")
    assert told.order.cum_qty == 20
    assert told.order.last_execution == ahead.executions[0]


def test_a_bust_and_a_second_correction_of_a_trade_not_told_mean_its_correction() -> None:
    ahead = after(working_order(), correction("2", "1", 20))

    assert after(ahead, bust("3", "1")).cum_qty == 0
    assert after(ahead, correction("3", "1", 25), trade("1", 30)).cum_qty == 25


@pytest.mark.parametrize("last", [correction("C3", "C1", 5), correction("C3", "C2", 5), bust("B1", "C1")])
def test_corrections_that_correct_each_other_come_to_an_end(last: ExecutionReport) -> None:
    order = working_order()
    for told in (correction("C1", "C2", 10), correction("C2", "C1", 20), last):
        changed = apply(order, told, told.exec_id, LATER)
        order = order if changed is None else changed.order

    assert order.cum_qty == sum(e.quantity for e in order.executions if e.stands)


@pytest.mark.parametrize("ref", ["1", "2"])
def test_of_two_corrections_that_correct_each_other_the_first_counts(ref: str) -> None:
    order = after(working_order(), correction("2", "1", 10))

    told = change(order, correction("1", ref, 30))

    assert (told.kind, told.order.cum_qty) == (EventKind.RESTATED, Decimal(10))
    assert after(told.order, bust("3", "1")).cum_qty == 0


def test_a_correction_of_a_correction_that_comes_first_is_the_one_that_counts() -> None:
    last, middle, first = correction("3", "2", 10), correction("2", "1", 20), trade("1", 30)

    assert after(working_order(), last, middle, first).cum_qty == 10
    assert after(working_order(), first, last, middle).cum_qty == 10
    assert after(working_order(), bust("4", "3"), last, middle, first).cum_qty == 0


def test_a_bust_told_twice_counts_once() -> None:
    order = after(working_order(), trade("1", 30), bust("2", "1"))

    assert apply(order, bust("2", "1"), "", LATER) is None


def test_a_bust_reopens_a_filled_order() -> None:
    filled = after(working_order(), trade("1", 60), trade("2", 40))

    told = change(filled, bust("3", "1", ord_status="1"))

    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 40, 60)
    assert told.order.terminal_time is None
    assert (told.alarms, told.ask_status) == ((), False)


def test_a_bust_of_a_filled_order_that_the_venue_holds_to_be_over_is_asked_about() -> None:
    filled = after(working_order(), trade("1", 60), trade("2", 40))

    told = change(filled, bust("3", "1", ord_status="4"))
    answered = after(told.order, status("4", 40))

    assert (told.alarms, told.ask_status) == ((Alarm.RECON_BREAK,), True)
    assert answered.state is OrderState.CANCELED


def test_a_bust_after_a_cancel_leaves_it_canceled_and_so_does_a_fill_after_that() -> None:
    canceled = after(canceling(working_order()), trade("B", 50), report(ReportKind.CANCELED, cl_ord_id="Z"))

    busted = after(canceled, bust("E", "B", ord_status="4"))
    told = change(busted, trade("F", 40, 51, ord_status="4"))

    assert figures(busted) == (OrderState.CANCELED, 0, 0)
    assert figures(told.order) == (OrderState.CANCELED, 40, 0)


def test_the_appendix_example_of_corrections_and_busts_comes_out_to_the_penny() -> None:
    order = working_order(new_order(terms=terms(10_000, 120)))
    story = [
        (trade("C", 1000, 100), (1000, 9000, 100)),
        (trade("D", 9000, 110), (10000, 0, 109)),
        (bust("E", "C"), (9000, 1000, 110)),
        (correction("F", "D", 9000, 100), (9000, 1000, 100)),
        (trade("G", 1000, 120), (10000, 0, 102)),
        (correction("H", "F", 9000, 120), (10000, 0, 120)),
    ]
    for heard_of, expected in story:
        order = after(order, heard_of)
        assert order.avg_px is not None
        assert (int(order.cum_qty), int(order.leaves_qty), int(order.avg_px)) == expected

    order = after(amending(order, terms(12_000, 120)), report(ReportKind.REPLACED, cl_ord_id="Y"))
    order = after(order, correction("K", "H", 9500, 120))

    assert figures(order) == (OrderState.PARTIALLY_FILLED, 10500, 1500)


def test_an_exec_id_of_another_day_is_another_execution_where_the_venue_says_so() -> None:
    order = after(working_order(), trade("1", 30, exec_day="Mon"))

    told = change(order, trade("1", 30, exec_day="Tue"))

    assert (told.kind, told.alarms, int(told.order.cum_qty)) == (EventKind.FILLED, (), 60)
    assert apply(told.order, trade("1", 30, exec_day="Mon"), "", LATER) is None
    assert apply(told.order, trade("1", 30, exec_day="Tue"), "", LATER) is None
    assert change(told.order, trade("1", 31, exec_day="Tue")).alarms == (Alarm.EXEC_CONFLICT,)


def test_what_was_booked_without_a_day_is_known_on_every_day() -> None:
    """The setting may have changed while the order was open, either way."""
    booked, dated = after(working_order(), trade("1", 30)), trade("1", 30, exec_day="Tue")

    assert apply(booked, dated, "", LATER) is None
    assert apply(after(working_order(), dated), trade("1", 30), "", LATER) is None


@pytest.mark.parametrize(("day", "left"), [("Tue", 30), ("Wed", 30)])
def test_a_bust_means_the_trade_of_its_day_or_else_the_latest(day: str, left: int) -> None:
    order = after(working_order(), trade("1", 30, exec_day="Mon"), trade("1", 20, exec_day="Tue"))

    told = change(order, bust("9", "1", exec_day=day))

    assert (told.kind, int(told.order.cum_qty)) == (EventKind.TRADE_BUSTED, left)


def test_a_correction_under_an_exec_id_of_an_earlier_day_takes_the_place_of_what_it_corrects() -> None:
    order = after(
        working_order(),
        trade("1", 30, exec_day="Mon"),
        trade("2", 20, exec_day="Mon"),
        correction("2", "1", 35, exec_day="Tue"),
        trade("2", 10, exec_day="Wed"),
    )

    told = change(order, bust("9", "1", exec_day="Wed"))

    assert order.cum_qty == 20 + 35 + 10
    assert (told.kind, int(told.order.cum_qty)) == (EventKind.TRADE_BUSTED, 20 + 10)


def test_a_bust_that_comes_first_is_of_its_day() -> None:
    order = after(working_order(), bust("9", "1", exec_day="Mon"))

    assert after(order, trade("1", 30, exec_day="Mon")).cum_qty == 0
    assert after(order, trade("1", 30, exec_day="Tue")).cum_qty == 30
