"""One test a row of the table, then the races, each told as the venue tells it (FIX 4.4 vol. 4, App. D)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fairlead_server.domain.event import Alarm, EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Flag, Order, OrderState, PendingAction, RouteState, Terminal
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.transitions import apply, refuse_new

from tests.domain.builders import (
    LATER,
    NOW,
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
    sent_order,
    terms,
    trade,
    venue_reject,
    working_order,
)


def in_doubt(order: Order) -> Order:
    return order.in_doubt(NOW)


def test_every_kind_of_report_is_in_the_table() -> None:
    for kind in ReportKind:
        apply(working_order(), report(kind), "ours", LATER)


# The rows of ExecType(150).


def test_pending_new_shows_that_the_venue_has_it_and_no_more() -> None:
    told = change(sent_order(), report(ReportKind.PENDING_NEW))

    assert told.kind is EventKind.VENUE_PENDING
    assert told.order.state is OrderState.PENDING_NEW
    assert told.order.pending_action is PendingAction.NEW
    assert (told.order.route_state, told.order.venue_order_id) == (RouteState.ACKED, "V1")
    assert told.order.venue_ack_time == LATER


def test_new_makes_it_work() -> None:
    told = change(sent_order(), report(ReportKind.NEW))

    assert told.kind is EventKind.VENUE_ACCEPTED
    assert figures(told.order) == (OrderState.WORKING, 0, 100)
    assert told.order.ord_status == "0"


def test_new_after_pending_new_keeps_the_time_at_which_the_venue_was_first_heard() -> None:
    pending = after(sent_order(), report(ReportKind.PENDING_NEW))

    told = change(pending, report(ReportKind.NEW), LATER.replace(hour=23))

    assert told.order.venue_ack_time == LATER


def test_pending_new_after_new_tells_nothing() -> None:
    assert apply(working_order(), report(ReportKind.PENDING_NEW), "", LATER) is None


def test_a_trade_adds_an_execution_and_everything_is_computed_from_them() -> None:
    order = after(working_order(), trade("1", 30, 50))

    told = change(order, trade("2", 20, 51, trade_id="T", last_market="XNYS", liquidity="1"))

    assert told.kind is EventKind.FILLED
    assert told.alarms == ()
    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 50, 50)
    assert told.order.avg_px == Decimal("50.4")
    assert told.execution is not None
    assert told.execution == told.order.last_execution
    assert (told.execution.execution_id, told.execution.exec_id) == ("ours-2", "2")
    assert (told.execution.trade_id, told.execution.last_market, told.execution.liquidity) == (
        "T",
        "XNYS",
        "1",
    )


def test_the_last_trade_fills_it() -> None:
    told = change(after(working_order(), trade("1", 60)), trade("2", 40, ord_status="2"))

    assert figures(told.order) == (OrderState.FILLED, 100, 0)
    assert told.order.terminal_time == LATER


def test_a_correction_takes_the_place_of_the_execution_that_it_names() -> None:
    order = after(working_order(), trade("1", 30, 50), trade("2", 20, 50))

    told = change(order, correction("3", "1", 10, 60))

    assert told.kind is EventKind.TRADE_CORRECTED
    assert told.ref_exec_id == "1"
    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 30, 70)
    assert told.order.traded_value == Decimal(1600)
    assert [e.superseded_by for e in told.order.executions] == ["3", "", ""]


def test_a_bust_takes_an_execution_back() -> None:
    order = after(working_order(), trade("1", 30), trade("2", 20))

    told = change(order, bust("3", "1"))

    assert told.kind is EventKind.TRADE_BUSTED
    assert told.ref_exec_id == "1"
    assert told.execution is not None
    assert told.execution.busted
    assert Flag.BUSTED in told.order.flags
    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 20, 80)


def test_canceled_on_request_ends_it() -> None:
    told = change(canceling(working_order()), report(ReportKind.CANCELED, cl_ord_id="Z", text="done"))

    assert (told.kind, told.unsolicited, told.text) == (EventKind.CANCELED, False, "done")
    assert figures(told.order) == (OrderState.CANCELED, 0, 0)
    assert told.order.pending == ()
    assert told.order.terminal_time == LATER


def test_canceled_without_a_request_is_unsolicited_and_ends_a_pending_amend_too() -> None:
    told = change(amending(working_order(), terms(200)), report(ReportKind.CANCELED))

    assert (told.kind, told.unsolicited) == (EventKind.CANCELED, True)
    assert told.order.pending == ()


def test_replaced_puts_the_requested_terms_in_force_under_the_new_name() -> None:
    order = amending(after(working_order(), trade("1", 30)), terms(200, 51))

    told = change(order, report(ReportKind.REPLACED, cl_ord_id="Y", ord_status="1"))

    assert told.kind is EventKind.AMENDED
    assert told.order.terms == terms(200, 51)
    assert told.order.cl_ord_id == "Y"
    assert told.order.pending == ()
    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 30, 170)


def test_replaced_gives_what_the_venue_confirms_where_that_differs_from_the_request() -> None:
    order = amending(working_order(), terms(200, 51))

    told = change(
        order, report(ReportKind.REPLACED, cl_ord_id="Y", order_qty=Decimal(150), price=Decimal("50.5"))
    )

    assert told.order.terms == terms(150, "50.5")


def test_a_price_of_zero_that_a_venue_repeats_on_a_market_order_is_no_price() -> None:
    market = working_order(new_order(terms=terms(price=None)))

    replaced = after(
        amending(market, terms(200, None)), report(ReportKind.REPLACED, cl_ord_id="Y", price=Decimal(0))
    )
    restated = after(market, report(ReportKind.RESTATED, order_qty=Decimal(90), price=Decimal(0)))

    assert replaced.terms == terms(200, None)
    assert restated.terms == terms(90, None)


@pytest.mark.parametrize(
    ("order", "kind", "told_as", "cl_ord_id"),
    [
        (canceling(working_order()), ReportKind.PENDING_CANCEL, EventKind.CANCEL_PENDING, "Z"),
        (amending(working_order(), terms(200)), ReportKind.PENDING_REPLACE, EventKind.AMEND_PENDING, "Y"),
    ],
)
def test_a_pending_request_is_marked_and_nothing_else_changes(
    order: Order, kind: ReportKind, told_as: EventKind, cl_ord_id: str
) -> None:
    told = change(order, report(kind, cl_ord_id=cl_ord_id))

    assert told.kind is told_as
    assert [r.pending_at_venue for r in told.order.pending] == [True]
    assert figures(told.order) == figures(order)
    assert told.order.pending_action is order.pending_action


def test_only_the_request_that_is_named_is_marked_and_answered() -> None:
    both = canceling(amending(working_order(), terms(200)))

    marked = after(both, report(ReportKind.PENDING_CANCEL, cl_ord_id="Z"))
    replaced = after(marked, report(ReportKind.REPLACED, cl_ord_id="Y"))

    assert [(r.cl_ord_id, r.pending_at_venue) for r in marked.pending] == [("Y", False), ("Z", True)]
    assert [r.cl_ord_id for r in replaced.pending] == ["Z"]


def test_a_pending_report_for_no_request_of_ours_tells_nothing() -> None:
    assert apply(working_order(), report(ReportKind.PENDING_CANCEL, cl_ord_id="Q"), "", LATER) is None


def test_rejected_ends_an_order_and_keeps_the_reason() -> None:
    reject = venue_reject(RejectReason.VENUE_UNKNOWN_SYMBOL, "no such symbol")

    told = change(sent_order(), report(ReportKind.REJECTED, reject=reject))

    assert (told.kind, told.reject, told.alarms) == (EventKind.VENUE_REJECTED, reject, ())
    assert told.order.state is OrderState.REJECTED
    assert told.order.reject == reject
    assert (told.order.ord_status, told.order.venue_order_id) == ("8", "V1")


def test_rejected_without_a_reason_is_told_by_its_text() -> None:
    told = change(sent_order(), report(ReportKind.REJECTED, text="not today"))

    assert told.reject == venue_reject(RejectReason.VENUE_OTHER, "not today")


@pytest.mark.parametrize(
    ("kind", "told_as", "state"),
    [
        (ReportKind.EXPIRED, EventKind.EXPIRED, OrderState.EXPIRED),
        (ReportKind.DONE_FOR_DAY, EventKind.DONE_FOR_DAY, OrderState.DONE_FOR_DAY),
    ],
)
def test_the_end_of_its_time_ends_an_order(kind: ReportKind, told_as: EventKind, state: OrderState) -> None:
    order = canceling(after(working_order(), trade("1", 30)))

    told = change(order, report(kind))

    assert (told.kind, told.unsolicited) == (told_as, False)
    assert figures(told.order) == (state, 30, 0)
    assert told.order.pending == ()


@pytest.mark.parametrize(
    ("kind", "flag", "told_as", "state"),
    [
        (ReportKind.STOPPED, Flag.STOPPED, EventKind.RESTATED, OrderState.WORKING),
        (ReportKind.SUSPENDED, Flag.SUSPENDED, EventKind.SUSPENDED, OrderState.SUSPENDED),
        (ReportKind.CALCULATED, Flag.CALCULATED, EventKind.RESTATED, OrderState.WORKING),
        (ReportKind.TRIGGERED, Flag.TRIGGERED, EventKind.RESTATED, OrderState.WORKING),
    ],
)
def test_a_condition_is_a_flag_that_moves_no_quantity_and_implies_the_acknowledgement(
    kind: ReportKind, flag: Flag, told_as: EventKind, state: OrderState
) -> None:
    told = change(sent_order(), report(kind))

    assert told.kind is told_as
    assert flag in told.order.flags
    assert figures(told.order) == (state, 0, 100)
    assert apply(told.order, report(kind), "", LATER) is None


def test_restated_applies_the_venues_quantity_and_price() -> None:
    told = change(
        working_order(),
        report(ReportKind.RESTATED, order_qty=Decimal(80), price=Decimal("49.5"), text="repriced"),
    )

    assert (told.kind, told.text) == (EventKind.RESTATED, "repriced")
    assert told.order.terms == terms(80, "49.5")


def test_restated_to_what_is_known_tells_nothing() -> None:
    order = working_order()

    assert apply(order, report(ReportKind.RESTATED, order_qty=Decimal(100)), "", LATER) is None


def test_an_unknown_exec_type_is_kept_and_shown_and_moves_nothing() -> None:
    order = working_order()

    told = change(order, report(ReportKind.UNMAPPED, exec_type="?", ord_status="0"))

    assert (told.kind, told.alarms) == (EventKind.RESTATED, (Alarm.UNMAPPED_EXEC,))
    assert told.text == "ExecType(150) '?' is not known"
    assert figures(told.order) == figures(order)


# Acknowledgements that cross.


def test_an_acknowledgement_after_a_fill_tells_nothing() -> None:
    order = after(sent_order(), trade("1", 30))

    assert order.acked
    assert apply(order, report(ReportKind.NEW), "", LATER) is None
    assert figures(order) == (OrderState.PARTIALLY_FILLED, 30, 70)


def test_an_acknowledgement_that_crosses_a_cancel_leaves_it_pending() -> None:
    order = canceling(sent_order())

    acked = after(order, report(ReportKind.PENDING_CANCEL, cl_ord_id="Z"), report(ReportKind.NEW))

    assert (acked.state, acked.pending_action) == (OrderState.WORKING, PendingAction.CANCEL)


def test_an_acknowledgement_ends_the_doubt_of_an_acknowledged_order() -> None:
    told = change(in_doubt(working_order()), report(ReportKind.NEW))

    assert (told.kind, told.order.flags) == (EventKind.VENUE_ACCEPTED, frozenset())


def test_an_acknowledgement_after_the_end_undoes_nothing() -> None:
    expired = after(sent_order(), report(ReportKind.EXPIRED))
    rejected = after(sent_order(), report(ReportKind.REJECTED))

    assert apply(expired, report(ReportKind.NEW), "", LATER) is None
    assert after(rejected, report(ReportKind.NEW)).state is OrderState.REJECTED


# Ends.


@pytest.mark.parametrize("first", [ReportKind.CANCELED, ReportKind.EXPIRED, ReportKind.REJECTED])
@pytest.mark.parametrize("second", [ReportKind.CANCELED, ReportKind.EXPIRED, ReportKind.REJECTED])
def test_the_first_end_holds_and_another_one_is_shown_to_a_person(
    first: ReportKind, second: ReportKind
) -> None:
    ended = after(sent_order(), report(first))

    told = apply(ended, report(second), "", LATER)

    if first is second:
        assert told is None
    else:
        assert told is not None
        assert (told.kind, told.order, len(told.alarms)) == (None, ended, 1)


def test_done_for_the_day_after_the_end_tells_nothing() -> None:
    canceled = after(working_order(), report(ReportKind.CANCELED))

    assert apply(canceled, report(ReportKind.DONE_FOR_DAY), "", LATER) is None


def test_a_filled_order_that_is_canceled_stays_filled() -> None:
    filled = after(canceling(working_order()), trade("1", 100, ord_status="6"))

    told = change(filled, report(ReportKind.CANCELED, cl_ord_id="Z"))

    assert (told.order.state, told.order.terminal) == (OrderState.FILLED, Terminal.CANCELED)


@pytest.mark.parametrize("end", [ReportKind.CANCELED, ReportKind.EXPIRED, ReportKind.REJECTED])
def test_a_late_fill_is_always_booked_and_shown_to_a_person(end: ReportKind) -> None:
    ended = after(sent_order(), report(end))

    told = change(ended, trade("1", 30))

    assert (told.kind, told.alarms) == (EventKind.FILLED, (Alarm.LATE_FILL,))
    state = OrderState.EXPIRED if end is ReportKind.EXPIRED else OrderState.CANCELED
    assert figures(told.order) == (state, 30, 0)
    assert figures(after(told.order, trade("2", 70))) == (OrderState.FILLED, 100, 0)


# Refusals of the order.


def test_a_refusal_after_a_fill_cancels_what_is_left() -> None:
    told = change(after(working_order(), trade("1", 30)), report(ReportKind.REJECTED))

    assert (told.kind, told.alarms) == (EventKind.VENUE_REJECTED, (Alarm.REJECT_AFTER_ACK,))
    assert figures(told.order) == (OrderState.CANCELED, 30, 0)


def test_a_refusal_after_the_acknowledgement_is_shown_to_a_person() -> None:
    told = change(working_order(), report(ReportKind.REJECTED))

    assert (told.order.state, told.alarms) == (OrderState.REJECTED, (Alarm.REJECT_AFTER_ACK,))


def test_a_refused_copy_leaves_the_order_alone() -> None:
    order = working_order()
    duplicate = venue_reject(RejectReason.VENUE_DUPLICATE_ORDER)

    told = change(order, report(ReportKind.REJECTED, reject=duplicate))

    assert (told.kind, told.order, told.alarms) == (None, order, (Alarm.REJECT_AFTER_ACK,))
    assert told.reject == duplicate


def test_a_refusal_by_session_or_business_reject_ends_the_order_once_and_its_doubt() -> None:
    reject = venue_reject(RejectReason.VENUE_BUSINESS_REJECT)

    told = refuse_new(in_doubt(sent_order()), reject, LATER)

    assert told is not None
    assert (told.kind, told.order.state, told.order.flags) == (
        EventKind.VENUE_REJECTED,
        OrderState.REJECTED,
        frozenset(),
    )
    assert refuse_new(told.order, reject, LATER) is None


# What the venue claims beside the executions.


def test_a_cum_qty_that_differs_from_our_sum_is_a_break_and_ours_stands() -> None:
    told = change(working_order(), trade("2", 30, cum_qty=Decimal(50)))

    assert told.alarms == (Alarm.RECON_BREAK,)
    assert told.order.cum_qty == 30


def test_a_leaves_qty_that_differs_from_what_we_know_to_be_left_is_a_break() -> None:
    told = change(working_order(), trade("2", 30, leaves_qty=Decimal(60)))

    assert told.alarms == (Alarm.RECON_BREAK,)
    assert told.order.leaves_qty == 70


def test_what_is_left_of_an_order_that_does_not_work_now_is_not_compared() -> None:
    for kind in (ReportKind.SUSPENDED, ReportKind.DONE_FOR_DAY):
        assert change(working_order(), report(kind, leaves_qty=Decimal(7))).alarms == ()


def test_while_amends_are_pending_a_venue_may_count_what_is_left_by_any_of_them() -> None:
    order = after(amending(amending(working_order(), terms(80)), terms(70), "Z"), trade("1", 10))

    def told(leaves: int) -> tuple[Alarm, ...]:
        pending = report(ReportKind.PENDING_REPLACE, cl_ord_id="Z", leaves_qty=Decimal(leaves))
        return change(order, pending).alarms

    assert told(90) == told(70) == told(60) == ()
    assert told(80) == (Alarm.RECON_BREAK,)


def test_no_break_where_the_claim_agrees_is_missing_or_is_an_old_one_sent_again() -> None:
    for fill in (
        trade("1", 30, cum_qty=Decimal(30), leaves_qty=Decimal(70)),
        trade("1", 30),
        trade("1", 30, cum_qty=Decimal(50), message=message(poss_dup=True)),
    ):
        assert change(working_order(), fill).alarms == ()


def test_a_rejected_order_is_not_compared() -> None:
    assert change(sent_order(), report(ReportKind.REJECTED, cum_qty=Decimal(5))).alarms == ()


@pytest.mark.parametrize("venue_order_id", ["", "NONE"])
def test_a_report_without_an_order_id_leaves_the_one_that_is_known(venue_order_id: str) -> None:
    assert after(working_order(), trade("1", 30, venue_order_id=venue_order_id)).venue_order_id == "V1"


def test_the_order_id_may_change_on_a_replace() -> None:
    order = amending(working_order(), terms(150))

    assert (
        after(order, report(ReportKind.REPLACED, cl_ord_id="Y", venue_order_id="V2")).venue_order_id == "V2"
    )
