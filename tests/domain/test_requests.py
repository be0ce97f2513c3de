"""Amends and cancels: what becomes of them, and what crosses them on the way (FIX 4.4 vol. 4, App. D)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Flag, Order, OrderState, PendingAction
from fairlead_server.domain.transitions import apply, refuse_request

from tests.domain.builders import (
    LATER,
    after,
    amending,
    cancel_reject,
    canceling,
    change,
    figures,
    report,
    sent_order,
    terms,
    trade,
    working_order,
)


def test_a_fill_while_a_cancel_is_pending_is_booked_and_the_cancel_stays_pending() -> None:
    order = after(canceling(working_order()), report(ReportKind.PENDING_CANCEL, cl_ord_id="Z"))

    filled = after(order, trade("1", 30, ord_status="6"))
    canceled = after(filled, report(ReportKind.CANCELED, cl_ord_id="Z", cum_qty=Decimal(30)))

    assert (filled.state, filled.pending_action) == (OrderState.PARTIALLY_FILLED, PendingAction.CANCEL)
    assert figures(canceled) == (OrderState.CANCELED, 30, 0)


def test_an_order_filled_before_its_cancel_refuses_it_and_stays_filled() -> None:
    filled = after(canceling(working_order()), trade("1", 100, ord_status="6"))

    told = refuse_request(filled, filled.pending[0], cancel_reject(ord_status="2"), LATER)

    assert (told.kind, told.ask_status) == (EventKind.CANCEL_REJECTED, False)
    assert (told.order.state, told.order.pending, told.order.ord_status) == (OrderState.FILLED, (), "2")


def test_a_cancel_that_waits_to_be_sent_ends_with_its_order() -> None:
    waiting = canceling(working_order(), cl_ord_id="")

    part_filled = after(waiting, trade("1", 30))
    filled = after(waiting, trade("1", 100))

    assert part_filled.pending == waiting.pending
    assert (filled.state, filled.pending) == (OrderState.FILLED, ())


def test_a_refused_cancel_leaves_a_part_filled_order_part_filled() -> None:
    order = canceling(after(working_order(), trade("1", 30)))

    told = refuse_request(order, order.pending[0], cancel_reject(), LATER)

    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 30, 70)
    assert told.order.ord_status == "1"
    assert told.reject == cancel_reject().reject


def test_a_refused_amend_leaves_the_terms_and_the_name_as_they_were() -> None:
    order = after(
        amending(working_order(), terms(200, 51)), report(ReportKind.PENDING_REPLACE, cl_ord_id="Y")
    )

    told = refuse_request(order, order.pending[0], cancel_reject("Y"), LATER)

    assert told.kind is EventKind.AMEND_REJECTED
    assert (told.order.terms, told.order.cl_ord_id, told.order.pending) == (terms(), "X", ())


def test_a_refusal_of_one_request_leaves_the_other_pending() -> None:
    order = canceling(amending(working_order(), terms(200)))

    told = refuse_request(order, order.pending[0], cancel_reject("Y"), LATER)

    assert [r.cl_ord_id for r in told.order.pending] == ["Z"]


def test_a_live_order_that_the_venue_calls_unknown_is_in_doubt_and_asked_about() -> None:
    order = canceling(working_order())

    told = refuse_request(order, order.pending[0], cancel_reject(ord_status="8", unknown_order=True), LATER)

    assert told.ask_status
    assert told.order.flags == frozenset({Flag.IN_DOUBT})
    assert (told.order.state, told.order.ord_status) == (OrderState.WORKING, "0")


def test_an_order_that_only_a_refused_increase_kept_open_is_in_no_doubt() -> None:
    filled = after(amending(working_order(), terms(200)), trade("1", 100))
    assert filled.live

    told = refuse_request(filled, filled.pending[0], cancel_reject("Y", unknown_order=True), LATER)

    assert (told.ask_status, told.order.flags, told.order.live) == (False, frozenset(), False)


def test_a_dead_order_that_the_venue_calls_unknown_is_in_no_doubt() -> None:
    filled = after(canceling(working_order()), trade("1", 100))

    told = refuse_request(filled, filled.pending[0], cancel_reject(unknown_order=True), LATER)

    assert not told.ask_status
    assert told.order.flags == frozenset()


@pytest.mark.parametrize(
    ("order", "cl_ord_id", "told_as"),
    [
        (canceling(working_order()), "Z", EventKind.CANCEL_REJECTED),
        (amending(working_order(), terms(200)), "Y", EventKind.AMEND_REJECTED),
    ],
)
def test_a_rejected_report_that_names_a_request_refuses_the_request_and_not_the_order(
    order: Order, cl_ord_id: str, told_as: EventKind
) -> None:
    rejected = report(ReportKind.REJECTED, cl_ord_id=cl_ord_id)

    told = change(order, rejected)

    assert told.kind is told_as
    assert (told.order.state, told.order.pending) == (OrderState.WORKING, ())
    assert apply(told.order, rejected, "", LATER) is None


# Amends.


def test_an_amend_down_to_more_than_was_filled_leaves_the_difference() -> None:
    order = after(amending(working_order(), terms(80)), trade("1", 50))

    replaced = after(order, report(ReportKind.REPLACED, cl_ord_id="Y", order_qty=Decimal(80), ord_status="1"))

    assert figures(replaced) == (OrderState.PARTIALLY_FILLED, 50, 30)


@pytest.mark.parametrize("asked", [70, 50])
def test_an_amend_down_to_what_was_filled_or_less_fills_the_order(asked: int) -> None:
    order = after(amending(working_order(), terms(asked)), trade("1", 70))

    told = change(order, report(ReportKind.REPLACED, cl_ord_id="Y", order_qty=Decimal(asked), ord_status="2"))

    assert figures(told.order) == (OrderState.FILLED, 70, 0)
    assert told.order.terms.quantity == 70
    assert told.text == ("" if asked == 70 else "quantity amended to what was filled")


def test_an_amend_below_what_was_filled_says_so_though_the_venue_repeats_no_quantity() -> None:
    order = after(amending(working_order(), terms(50)), trade("1", 70))

    told = change(order, report(ReportKind.REPLACED, cl_ord_id="Y", ord_status="2"))

    assert told.text == "quantity amended to what was filled"


def test_an_amend_up_reopens_a_filled_order() -> None:
    order = after(amending(working_order(), terms(150)), trade("1", 100, ord_status="2"))
    assert order.state is OrderState.FILLED

    replaced = after(order, report(ReportKind.REPLACED, cl_ord_id="Y", ord_status="1"))

    assert figures(replaced) == (OrderState.PARTIALLY_FILLED, 100, 50)
    assert replaced.terminal_time is None


def test_a_fill_during_pending_replace_tells_the_old_name_and_quantity_and_is_booked_on_the_order() -> None:
    order = after(amending(working_order(), terms(150)), report(ReportKind.PENDING_REPLACE, cl_ord_id="Y"))
    old: dict[str, Any] = {"cl_ord_id": "X", "order_qty": Decimal(100), "leaves_qty": Decimal(70)}

    told = change(order, trade("1", 30, ord_status="E", **old))
    replaced = after(told.order, report(ReportKind.REPLACED, cl_ord_id="Y", order_qty=Decimal(150)))

    assert (told.kind, told.alarms) == (EventKind.FILLED, ())
    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 30, 70)
    assert (told.order.pending, told.order.cl_ord_id) == (order.pending, "X")
    assert figures(replaced) == (OrderState.PARTIALLY_FILLED, 30, 120)


def test_a_fill_during_pending_replace_may_tell_the_new_name_before_it_is_in_force() -> None:
    order = amending(working_order(), terms(150))

    told = change(order, trade("1", 30, cl_ord_id="Y", order_qty=Decimal(150), ord_status="E"))

    assert figures(told.order) == (OrderState.PARTIALLY_FILLED, 30, 70)
    assert (told.order.pending, told.order.cl_ord_id) == (order.pending, "X")


def test_replaced_told_again_tells_nothing() -> None:
    once = after(amending(working_order(), terms(150)), report(ReportKind.REPLACED, cl_ord_id="Y"))
    twice = after(amending(once, terms(160), "W"), report(ReportKind.REPLACED, cl_ord_id="W"))

    assert apply(once, report(ReportKind.REPLACED, cl_ord_id="Y"), "", LATER) is None
    old = report(ReportKind.REPLACED, cl_ord_id="Y", order_qty=Decimal(150))
    assert apply(twice, old, "", LATER) is None


def test_replaced_after_the_venue_refused_it_is_believed() -> None:
    order = amending(working_order(), terms(150))
    refused = refuse_request(order, order.pending[0], cancel_reject("Y"), LATER).order

    replaced = after(refused, report(ReportKind.REPLACED, cl_ord_id="Y", order_qty=Decimal(150)))

    assert replaced.terms == terms(150)
    assert replaced.cl_ord_id == "Y"


def test_replaced_without_a_request_takes_what_the_venue_says() -> None:
    told = change(working_order(), report(ReportKind.REPLACED, order_qty=Decimal(80), price=Decimal(49)))

    assert told.order.terms == terms(80, 49)
    assert told.order.cl_ord_id == "X"


def test_replaced_is_itself_an_acknowledgement() -> None:
    told = change(sent_order(), report(ReportKind.REPLACED))

    assert told.order.state is OrderState.WORKING


def test_an_answer_without_a_cl_ord_id_is_for_the_oldest_request_of_its_kind() -> None:
    order = canceling(amending(working_order(), terms(150)))

    marked = after(order, report(ReportKind.PENDING_CANCEL, cl_ord_id=""))
    replaced = after(marked, report(ReportKind.REPLACED, cl_ord_id=""))

    assert [(r.cl_ord_id, r.pending_at_venue) for r in marked.pending] == [("Y", False), ("Z", True)]
    assert replaced.terms == terms(150)
    assert replaced.cl_ord_id == "Y"
    assert [r.cl_ord_id for r in replaced.pending] == ["Z"]
    assert after(working_order(), report(ReportKind.REPLACED, cl_ord_id="")).cl_ord_id == "X"
