"""A person says how an order in doubt stands: the doubt ends, and nothing is invented."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fairlead_server.domain import transitions
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Flag, Order, OrderState
from fairlead_server.domain.reconciliation import Ruling, Verdict, reconciled
from fairlead_server.domain.reject import RejectReason, RejectSource
from msgspec.structs import replace

from tests.domain.builders import LATER, after, canceling, report, sent_order, trade, working_order

ENDS = [
    (Verdict.CANCELED, OrderState.CANCELED),
    (Verdict.REJECTED, OrderState.REJECTED),
    (Verdict.EXPIRED, OrderState.EXPIRED),
    (Verdict.DONE_FOR_DAY, OrderState.DONE_FOR_DAY),
]


def doubtful(order: Order) -> Order:
    return order.in_doubt(LATER)


def ruling(verdict: Verdict) -> Ruling:
    return Ruling(verdict, "the broker has it in its books", "OPS-7")


@pytest.mark.parametrize(("verdict", "state"), ENDS)
def test_an_order_ends_as_the_person_says(verdict: Verdict, state: OrderState) -> None:
    change = reconciled(doubtful(canceling(sent_order())), ruling(verdict), LATER)

    assert change.kind is EventKind.RECONCILED
    assert change.text == "the broker has it in its books (OPS-7)"
    assert (change.order.state, change.order.live, change.order.pending) == (state, False, ())
    assert change.order.terminal_time == LATER
    assert Flag.IN_DOUBT not in change.order.flags


def test_an_order_that_stands_keeps_what_it_waits_for() -> None:
    order = doubtful(canceling(working_order()))

    after_it = reconciled(order, ruling(Verdict.STANDS), LATER).order

    assert after_it == replace(order, version=order.version + 1, flags=frozenset(), update_time=LATER)


def test_only_a_rejected_order_carries_a_reject() -> None:
    rejected = reconciled(doubtful(sent_order()), ruling(Verdict.REJECTED), LATER)
    canceled = reconciled(doubtful(sent_order()), ruling(Verdict.CANCELED), LATER)

    assert rejected.reject is not None
    assert rejected.order.reject == rejected.reject
    assert rejected.reject.source is RejectSource.ADMIN
    assert rejected.reject.reason is RejectReason.ADMIN_RECONCILED
    assert canceled.reject is canceled.order.reject is None


def test_what_has_traded_was_not_rejected() -> None:
    order = doubtful(after(working_order(), trade("E1", 40)))

    change = reconciled(order, ruling(Verdict.REJECTED), LATER)

    assert (change.order.state, change.order.cum_qty, change.reject) == (
        OrderState.CANCELED,
        Decimal(40),
        None,
    )


@pytest.mark.parametrize(("verdict", "state"), ENDS)
def test_a_fill_that_comes_all_the_same_is_booked(verdict: Verdict, state: OrderState) -> None:
    order = reconciled(doubtful(sent_order()), ruling(verdict), LATER).order

    change = transitions.apply(order, trade("E1", 40), "X1", LATER)

    assert change is not None
    assert change.order.cum_qty == Decimal(40)


def test_a_venue_that_takes_a_rejected_order_after_all_goes_before_the_person() -> None:
    order = reconciled(doubtful(sent_order()), ruling(Verdict.REJECTED), LATER).order

    taken = after(order, report(ReportKind.NEW))

    assert (taken.state, taken.reject) == (OrderState.WORKING, None)
