"""An order's state follows from its facts, by the precedence of FIX 4.4 vol. 4, App. D."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from fairlead_server.domain.execution import Execution, ReportKind
from fairlead_server.domain.order import (
    Flag,
    Order,
    OrderState,
    PendingAction,
    Request,
    RouteState,
    Terminal,
    pending_new,
    refused,
)
from fairlead_server.domain.terms import Side, TimeInForce
from msgspec.structs import replace

from tests.domain.builders import (
    HUNDRED,
    LATER,
    NOW,
    after,
    amending,
    bust,
    canceling,
    correction,
    held_order,
    new_order,
    report,
    sent_order,
    terms,
    trade,
    venue_reject,
    working_order,
)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, OrderState.PENDING_NEW),
        ({"acked": True}, OrderState.WORKING),
        ({"cum_qty": Decimal(1)}, OrderState.PARTIALLY_FILLED),
        ({"cum_qty": Decimal(99)}, OrderState.PARTIALLY_FILLED),
        ({"cum_qty": Decimal(100)}, OrderState.FILLED),
        ({"cum_qty": Decimal(101)}, OrderState.FILLED),
        ({"terms": terms(0)}, OrderState.PENDING_NEW),  # nothing is not filled
        *(({"terminal": end}, OrderState(end.value)) for end in Terminal),
        *(({"terminal": end, "cum_qty": Decimal(1)}, OrderState(end.value)) for end in Terminal),
        *(({"terminal": end, "cum_qty": Decimal(100)}, OrderState.FILLED) for end in Terminal),
        ({"flags": frozenset({Flag.SUSPENDED})}, OrderState.SUSPENDED),
        ({"flags": frozenset({Flag.SUSPENDED}), "cum_qty": Decimal(1)}, OrderState.SUSPENDED),
        ({"flags": frozenset({Flag.SUSPENDED}), "terminal": Terminal.CANCELED}, OrderState.CANCELED),
        ({"flags": frozenset({Flag.SUSPENDED}), "cum_qty": Decimal(100)}, OrderState.FILLED),
        ({"flags": frozenset(Flag) - {Flag.SUSPENDED}, "acked": True}, OrderState.WORKING),
    ],
)
def test_the_state_follows_from_the_facts(facts: dict[str, Any], state: OrderState) -> None:
    order = replace(sent_order(), **facts)

    ended = OrderState.FILLED, *(OrderState(end.value) for end in Terminal)
    assert order.state is state
    assert order.live is (state not in ended)


def test_only_a_live_order_has_leaves() -> None:
    part = after(working_order(), trade("1", 30))

    assert part.leaves_qty == 70
    assert after(part, report(ReportKind.CANCELED)).leaves_qty == 0
    assert after(part, trade("2", 80)).leaves_qty == 0


@pytest.mark.parametrize(
    ("order", "action"),
    [
        (sent_order(), PendingAction.NEW),
        (working_order(), PendingAction.NONE),
        (amending(working_order(), terms(200)), PendingAction.AMEND),
        (canceling(working_order()), PendingAction.CANCEL),
        (canceling(sent_order()), PendingAction.CANCEL),
        (canceling(amending(working_order(), terms(200))), PendingAction.CANCEL),
        (after(sent_order(), report(ReportKind.REJECTED)), PendingAction.NONE),
    ],
)
def test_the_pending_action_is_the_gravest_that_is_unanswered(order: Order, action: PendingAction) -> None:
    assert order.pending_action is action


def test_the_route_goes_from_none_or_held_over_sent_to_acked() -> None:
    created = pending_new("O1", new_order(), "ACME", NOW)

    assert created.route_state is RouteState.NONE
    assert held_order().route_state is RouteState.HELD
    assert held_order().routed("BROKER", "X", LATER).route_state is RouteState.SENT
    assert sent_order().route_state is RouteState.SENT
    assert working_order().route_state is RouteState.ACKED


def test_an_order_refused_by_us_is_over_and_has_no_route() -> None:
    order = refused("O1", new_order(), "ACME", venue_reject(), NOW)

    assert (order.state, order.route_state, order.version) == (OrderState.REJECTED, RouteState.NONE, 1)
    assert (order.terminal_time, order.reject) == (NOW, venue_reject())


def test_only_an_order_that_has_a_route_and_no_message_is_held() -> None:
    external = replace(held_order(), flags=frozenset({Flag.EXTERNAL}))

    assert held_order().held
    assert [
        order.held for order in (pending_new("O1", new_order(), "ACME", NOW), sent_order(), external)
    ] == [False] * 3


def test_what_we_do_to_a_held_order_takes_effect_at_once() -> None:
    amended = held_order().amended(terms(200, 51), LATER)
    withdrawn = amended.withdrawn(LATER)
    refused = held_order().turned_down(venue_reject(), LATER)

    assert (amended.terms, amended.state, amended.version) == (terms(200, 51), OrderState.PENDING_NEW, 2)
    assert (withdrawn.state, withdrawn.live, withdrawn.version) == (OrderState.CANCELED, False, 3)
    assert (refused.state, refused.reject, refused.terminal_time) == (
        OrderState.REJECTED,
        venue_reject(),
        LATER,
    )
    assert {order.route_state for order in (withdrawn, refused)} == {RouteState.HELD}


def test_a_request_waits_until_it_is_sent() -> None:
    waiting = Request("r1", NOW, terms(200))
    order = working_order().requested(waiting, NOW)
    sent = order.sent(waiting, replace(waiting, cl_ord_id="Y", orig_cl_ord_id="X"), LATER)

    assert order.find_waiting("r1") is waiting
    assert (order.find_waiting("r2"), sent.find_waiting("r1")) == (None, None)
    assert [request.is_sent for request in (*order.pending, *sent.pending)] == [False, True]
    assert (order.last_sent_cl_ord_id, sent.last_sent_cl_ord_id) == ("X", "Y")


# Prices of what has traded.


def test_there_is_no_average_before_the_first_fill_and_none_after_the_last_bust() -> None:
    assert working_order().avg_px is None
    assert after(working_order(), trade("1", 30), bust("2", "1")).avg_px is None


@pytest.mark.parametrize(
    ("fills", "average"),
    [
        ([(1, "50.01"), (2, "50.02")], "50.016666666667"),
        ([(1, "0.000000000001"), (1, "0.000000000002")], "0.000000000002"),  # the half goes to the even
        ([(1, "0.000000000003"), (1, "0.000000000002")], "0.000000000002"),
        ([(1, "-37.63"), (1, "-37.64")], "-37.635000000000"),
        ([(1, "999999999999999999")], "999999999999999999.000000000000"),
    ],
)
def test_the_average_is_rounded_half_even_to_twelve_decimals(
    fills: list[tuple[int, str]], average: str
) -> None:
    order = after(working_order(), *(trade(f"f{i}", *fill) for i, fill in enumerate(fills)))

    assert order.avg_px is not None
    assert f"{order.avg_px:f}" == average


def test_the_last_execution_is_the_last_that_stands() -> None:
    order = after(working_order(), trade("1", 10), trade("2", 10), correction("3", "1", 20))

    def last(order: Order) -> str:
        found = order.last_execution
        return found.exec_id if isinstance(found, Execution) else ""

    assert last(order) == "3"
    assert last(after(order, bust("4", "3"))) == "2"
    assert last(after(order, bust("4", "3"), bust("5", "2"))) == ""


# What may come to count.


def test_while_an_amend_is_unanswered_the_larger_quantity_counts() -> None:
    order = working_order()

    assert order.worst_quantity == HUNDRED
    assert amending(order, terms(150)).worst_quantity == Decimal(150)
    assert amending(order, terms(50)).worst_quantity == HUNDRED
    assert canceling(order).worst_quantity == HUNDRED


# Requests.


def test_a_request_is_named_by_the_last_amend_that_the_venue_has_not_refused() -> None:
    order = working_order()
    both = canceling(amending(order, terms(150), "Y"), "Z")

    assert order.last_sent_cl_ord_id == "X"
    assert both.last_sent_cl_ord_id == "Y"  # a cancel gives the order no new name
    assert both.without(both.pending[0], NOW).last_sent_cl_ord_id == "X"
    assert both.cl_ord_ids == ("X", "Y", "Z")


def test_terms_are_asked_for_from_when_they_are_sent_until_they_are_refused() -> None:
    order = amending(working_order(), terms(150), "Y")
    waiting = order.requested(Request("a2", NOW, terms(170)), NOW)

    assert (working_order().asked_terms, order.asked_terms, waiting.asked_terms) == (
        terms(),
        terms(150),
        terms(150),
    )
    assert (order.waiting_amend, waiting.waiting_amend) == (None, waiting.pending[1])
    assert waiting.without(waiting.pending[0], NOW).asked_terms == terms()
    assert canceling(order).asked_terms == terms(150)


def test_the_oldest_message_of_which_the_venue_said_nothing_is_unanswered() -> None:
    unsent = Request("c1", NOW)
    order = working_order()
    amended = amending(order, terms(150), "Y")

    assert sent_order(cl_ord_id="X").unanswered == "X"
    assert amending(sent_order(cl_ord_id="X"), terms(150), "Y").unanswered == "X"
    assert (order.unanswered, held_order().unanswered) == ("", "")
    assert order.requested(unsent, NOW).unanswered == ""
    assert canceling(amended, "Z").unanswered == "Y"
    pending = after(canceling(amended, "Z"), report(ReportKind.PENDING_REPLACE, cl_ord_id="Y"))
    assert pending.unanswered == "Z"  # that the amend is pending is a word, too
    assert after(canceling(order, "Z"), report(ReportKind.CANCELED, cl_ord_id="Z")).unanswered == ""


def test_a_cancel_that_waits_for_the_session_has_no_name_until_it_is_sent() -> None:
    waiting = Request("c1", NOW)
    order = working_order().requested(waiting, NOW)

    sent = order.sent(waiting, replace(waiting, cl_ord_id="Z", orig_cl_ord_id="X"), LATER)

    assert (order.cl_ord_ids, order.pending_action) == (("X",), PendingAction.CANCEL)
    assert order.find_request("") is None
    assert (sent.cl_ord_ids, sent.find_request("Z")) == (("X", "Z"), sent.pending[0])
    assert sent.version == order.version + 1


def test_sending_one_request_leaves_the_others_alone() -> None:
    waiting = Request("c1", NOW)
    order = amending(working_order(), terms(150)).requested(waiting, NOW)

    sent = order.sent(waiting, replace(waiting, cl_ord_id="Z"), NOW)

    assert [r.cl_ord_id for r in sent.pending] == ["Y", "Z"]


# Versions and times.


def test_every_change_counts_the_version_up_and_dates_it() -> None:
    order = working_order()

    doubtful = order.in_doubt(LATER)

    assert doubtful.version == order.version + 1
    assert (doubtful.update_time, doubtful.create_time) == (LATER, NOW)
    assert doubtful.flags == {Flag.IN_DOUBT}


def test_the_end_is_dated_once_and_undated_when_the_order_works_again() -> None:
    filled = after(working_order(), trade("1", 100))
    much_later = LATER + timedelta(days=1)

    assert filled.terminal_time == LATER
    assert filled.next(much_later).terminal_time == LATER
    assert after(filled, bust("2", "1")).terminal_time is None


def test_an_order_keeps_what_its_client_asked_for_whatever_is_amended() -> None:
    new = new_order(side=Side.SELL, terms=terms(time_in_force=TimeInForce.GTC))

    amended = after(amending(working_order(new), terms(150, 51)), report(ReportKind.REPLACED, cl_ord_id="Y"))

    assert amended.request == new
    assert amended.terms == terms(150, 51)
