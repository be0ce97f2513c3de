"""An order that was over, or seemed to be, comes back: from the day's end, a suspension, a wrong belief of ours."""

from __future__ import annotations

import pytest
from fairlead_server.domain.event import Alarm, EventKind
from fairlead_server.domain.execution import ExecutionReport, ReportKind
from fairlead_server.domain.order import OrderState
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.terms import TimeInForce
from fairlead_server.domain.transitions import apply

from tests.domain.builders import (
    LATER,
    NOW,
    after,
    canceling,
    change,
    figures,
    message,
    new_order,
    report,
    sent_order,
    status,
    terms,
    trade,
    venue_reject,
    working_order,
)

GTC = new_order(terms=terms(time_in_force=TimeInForce.GTC))
UNKNOWN = venue_reject(RejectReason.VENUE_UNKNOWN_ORDER, "unknown order")


@pytest.mark.parametrize("kind", [ReportKind.NEW, ReportKind.RESTATED])
def test_an_order_done_for_the_day_comes_back_on_the_next(kind: ReportKind) -> None:
    done = after(working_order(GTC), trade("1", 20), report(ReportKind.DONE_FOR_DAY))

    told = change(done, report(kind, ord_status="1"))

    assert told.kind in (EventKind.VENUE_ACCEPTED, EventKind.RESTATED)
    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 20, 80)
    assert told.order.terminal_time is None


def test_the_first_that_is_heard_of_the_next_day_may_be_a_fill() -> None:
    done = after(working_order(GTC), trade("1", 20), report(ReportKind.DONE_FOR_DAY))

    told = change(done, trade("2", 10))

    assert told.alarms == ()
    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 30, 70)


@pytest.mark.parametrize("kind", [TimeInForce.GTC, TimeInForce.GTD])
def test_an_order_of_several_days_is_open_overnight(kind: TimeInForce) -> None:
    new = new_order(terms=terms(time_in_force=kind))

    done = after(working_order(new), trade("1", 20), report(ReportKind.DONE_FOR_DAY))

    assert done.live
    assert figures(done) == (OrderState.DONE_FOR_DAY, 20, 80)
    assert done.terminal_time is None


def test_a_day_order_ends_with_the_day() -> None:
    done = after(working_order(), trade("1", 20), report(ReportKind.DONE_FOR_DAY))

    assert not done.live
    assert figures(done) == (OrderState.DONE_FOR_DAY, 20, 0)


def test_a_fill_of_a_day_order_that_is_done_for_the_day_is_late() -> None:
    done = after(working_order(), report(ReportKind.DONE_FOR_DAY))

    told = change(done, trade("1", 10))

    assert told.alarms == (Alarm.LATE_FILL,)
    assert figures(told.order) == (OrderState.DONE_FOR_DAY, 10, 0)


def test_an_old_acknowledgement_sent_again_does_not_begin_a_new_day() -> None:
    done = after(working_order(GTC), report(ReportKind.DONE_FOR_DAY))

    assert apply(done, report(ReportKind.NEW, message=message(poss_resend=True)), "", LATER) is None


def test_done_for_the_day_may_still_be_canceled_or_expire() -> None:
    done = after(working_order(GTC), report(ReportKind.DONE_FOR_DAY))

    assert after(done, report(ReportKind.CANCELED)).state is OrderState.CANCELED
    assert after(done, report(ReportKind.EXPIRED)).state is OrderState.EXPIRED
    assert after(done, status("C", 0)).state is OrderState.EXPIRED


@pytest.mark.parametrize("back", [report(ReportKind.NEW), report(ReportKind.RESTATED), status("0", 0)])
def test_a_suspended_order_works_again_when_the_venue_says_new(back: ExecutionReport) -> None:
    suspended = after(working_order(), report(ReportKind.SUSPENDED))

    told = change(suspended, back)

    assert told.order.state is OrderState.WORKING


def test_a_fill_lifts_a_suspension_and_a_cancel_that_is_pending_does_not() -> None:
    suspended = canceling(after(working_order(), report(ReportKind.SUSPENDED)))

    assert after(suspended, trade("1", 10)).state is OrderState.PARTIALLY_FILLED
    assert after(suspended, report(ReportKind.PENDING_CANCEL, cl_ord_id="Z")).state is OrderState.SUSPENDED


@pytest.mark.parametrize(
    ("heard_of", "state"),
    [
        (report(ReportKind.NEW), OrderState.WORKING),
        (trade("1", 30), OrderState.PARTIALLY_FILLED),
        (status("0", 0), OrderState.WORKING),
        (report(ReportKind.CANCELED), OrderState.CANCELED),
    ],
)
def test_an_order_that_we_believed_never_to_have_arrived_is_what_the_venue_says(
    heard_of: ExecutionReport, state: OrderState
) -> None:
    lost = after(sent_order().in_doubt(NOW), status("8", 0, reject=UNKNOWN))
    assert lost.state is OrderState.REJECTED

    told = change(lost, heard_of)

    assert (told.order.state, told.order.reject) == (state, None)
    assert (Alarm.LATE_FILL in told.alarms) is (told.kind is EventKind.FILLED)


def test_an_order_that_was_suspended_after_its_end_does_not_come_back() -> None:
    ended = after(working_order(), report(ReportKind.CANCELED), report(ReportKind.SUSPENDED))

    assert figures(after(ended, trade("1", 30))) == (OrderState.CANCELED, 30, 0)
