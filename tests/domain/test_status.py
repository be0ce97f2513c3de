"""The answer to an OrderStatusRequest(H) is compared and ends a doubt; it never books a fill."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fairlead_server.domain.event import Alarm, EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Order, OrderState, RouteState
from fairlead_server.domain.reject import RejectReason, RejectSource
from fairlead_server.domain.transitions import apply

from tests.domain.builders import (
    LATER,
    NOW,
    after,
    canceling,
    change,
    report,
    sent_order,
    status,
    trade,
    venue_reject,
    working_order,
)

UNKNOWN = venue_reject(RejectReason.VENUE_UNKNOWN_ORDER, "unknown order")


def in_doubt(order: Order) -> Order:
    return order.in_doubt(NOW)


def test_a_status_that_agrees_tells_nothing() -> None:
    order = after(working_order(), trade("1", 30))

    assert apply(order, status("1", 30), "", LATER) is None
    assert apply(order, status("1"), "", LATER) is None


def test_a_status_that_agrees_ends_the_doubt() -> None:
    told = change(in_doubt(sent_order()), status("0", 0))

    assert told.kind is EventKind.RECONCILED
    assert told.order.flags == frozenset()
    assert told.order.state is OrderState.WORKING


def test_a_status_of_pending_new_ends_the_doubt_without_an_acknowledgement() -> None:
    told = change(in_doubt(sent_order()), status("A", 0))

    assert (told.kind, told.order.flags) == (EventKind.RECONCILED, frozenset())
    assert told.order.state is OrderState.PENDING_NEW
    assert told.order.route_state is RouteState.ACKED
    assert apply(sent_order(), status("A", 0), "", LATER) is None


def test_a_status_never_books_a_fill_but_raises_the_break() -> None:
    order = in_doubt(after(working_order(), trade("1", 30)))

    told = change(order, status("1", 50))

    assert (told.kind, told.alarms, told.order) == (None, (Alarm.RECON_BREAK,), order)


@pytest.mark.parametrize("exec_id", ["", "0"])
def test_a_fill_without_an_exec_id_is_a_status(exec_id: str) -> None:
    told = change(working_order(), trade(exec_id, 30, cum_qty=Decimal(30)))

    assert (told.kind, told.alarms) == (None, (Alarm.RECON_BREAK,))


@pytest.mark.parametrize(
    ("ord_status", "cum", "state"),
    [
        ("3", 0, OrderState.DONE_FOR_DAY),
        ("4", 0, OrderState.CANCELED),
        ("8", 0, OrderState.REJECTED),
        ("8", 30, OrderState.CANCELED),
        ("C", 30, OrderState.EXPIRED),
    ],
)
def test_a_status_may_tell_of_an_end_that_was_missed(ord_status: str, cum: int, state: OrderState) -> None:
    order = canceling(after(working_order(), *([trade("1", cum)] if cum else [])))

    told = change(order, status(ord_status, cum))

    assert told.kind is EventKind.RECONCILED
    assert (told.order.state, told.order.pending) == (state, ())


@pytest.mark.parametrize("ord_status", ["0", "1", "C"])
def test_a_status_that_contradicts_a_known_end_is_a_break_and_undoes_nothing(ord_status: str) -> None:
    canceled = after(working_order(), report(ReportKind.CANCELED))

    told = change(canceled, status(ord_status, 0))

    assert (told.kind, told.alarms, told.order) == (None, (Alarm.RECON_BREAK,), canceled)


@pytest.mark.parametrize("ord_status", ["4", "6"])
def test_a_status_that_does_not_contradict_a_known_end_tells_nothing(ord_status: str) -> None:
    assert (
        apply(after(working_order(), report(ReportKind.CANCELED)), status(ord_status, 0), "", LATER) is None
    )


def test_an_order_in_doubt_that_the_venue_does_not_know_never_arrived() -> None:
    told = change(in_doubt(sent_order()), status("8", 0, reject=UNKNOWN))

    assert told.kind is EventKind.RECONCILED
    assert told.order.state is OrderState.REJECTED
    assert told.order.reject is not None
    assert told.order.reject.source is RejectSource.ROUTER
    assert told.order.reject.reason is RejectReason.ROUTER_SESSION_LOST
    assert told.order.flags == frozenset()


def test_an_acknowledged_order_that_the_venue_does_not_know_is_a_break() -> None:
    order = in_doubt(working_order())

    told = change(order, status("8", 0, reject=UNKNOWN))

    assert (told.kind, told.alarms, told.order) == (None, (Alarm.RECON_BREAK,), order)


def test_an_unknown_order_that_is_not_in_doubt_tells_nothing() -> None:
    assert apply(sent_order(), status("8", 0, reject=UNKNOWN), "", LATER) is None
