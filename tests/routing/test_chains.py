"""Amends behind amends: held, sent or replaced by the rules of the venue, and never in the way of a cancel."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.errors import CapabilityMissing, OrderTerminal
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Flag, Order, OrderState, PendingAction, Request
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.venue_rules import Capabilities, ChainMode, ReplaceQuantity, VenueRules
from fairlead_server.store.database import Store
from msgspec.structs import replace

from tests.domain.builders import NOW, cancel_reject, figures, limits, new_order, policy, report, terms
from tests.routing.desk import PATIENT, SECOND, Desk, about

PENDING, REJECTED = RequestOutcome.PENDING, RequestOutcome.REJECTED
SUPERSEDED = RejectReason.ROUTER_AMEND_SUPERSEDED


def outcome(desk: Desk, request_id: str) -> tuple[RequestOutcome, RejectReason | None]:
    record = desk.book.request(request_id)
    assert record is not None
    return record.outcome, record.reject.reason if record.reject else None


def replaced(desk: Desk, order: Order, request: Request) -> None:
    desk.hear(about(order, report(ReportKind.REPLACED), cl_ord_id=request.cl_ord_id))
    desk.entry.dispatch(desk.gateway, NOW)


def refused(desk: Desk, order: Order, request: Request) -> None:
    answer = cancel_reject(request.cl_ord_id, venue_order_id=order.venue_order_id)
    with desk.pipeline.deciding():
        desk.executions.cancel_rejected(answer, desk.gateway, NOW)
    desk.entry.dispatch(desk.gateway, NOW)


def sent(desk: Desk) -> list[str]:
    return [text for text in desk.gateway.decided if text[0] in "GF"]


# One after the other.


async def test_a_second_amend_is_held_until_the_first_is_answered(desk: Desk) -> None:
    order = desk.working()
    first = desk.amend(order, 200, request_id="a1").order.pending[0]
    second = desk.amend(order, price="50.05", request_id="a2")
    assert (second.outcome, second.order.pending[1].is_sent) == (PENDING, False)
    assert sent(desk) == [f"G {first.cl_ord_id} for {order.cl_ord_id}"]
    woken = desk.gateway.woken
    replaced(desk, order, first)
    await desk.pipeline.durable()
    assert desk.gateway.woken == woken + 1
    [request] = desk.now(order).pending
    assert sent(desk)[1:] == [f"G {request.cl_ord_id} for {first.cl_ord_id}"]
    assert request.terms == terms(200, "50.05")  # on top of what the first has changed
    assert desk.kinds(order)[-4:] == [
        EventKind.AMEND_REQUESTED,
        EventKind.AMEND_REQUESTED,
        EventKind.AMENDED,
        EventKind.AMEND_REQUESTED,
    ]
    replaced(desk, order, request)
    assert desk.now(order).terms == terms(200, "50.05")
    assert outcome(desk, "a2") == (RequestOutcome.DONE, None)


async def test_a_held_amend_follows_a_refused_one_with_the_terms_that_it_means_then(desk: Desk) -> None:
    order = desk.working()
    first = desk.amend(order, 200, request_id="a1").order.pending[0]
    desk.amend(order, price="50.05", request_id="a2")
    refused(desk, order, first)
    [request] = desk.now(order).pending
    assert request.terms == terms(100, "50.05")
    assert sent(desk)[1:] == [f"G {request.cl_ord_id} for {order.cl_ord_id}"]


async def test_a_newer_amend_takes_the_place_of_a_held_one(desk: Desk) -> None:
    order = desk.working()
    first = desk.amend(order, 200, request_id="a1").order.pending[0]
    desk.amend(order, 300, request_id="a2")
    third = desk.amend(order, 250, request_id="a3")
    assert outcome(desk, "a2") == (REJECTED, SUPERSEDED)
    assert desk.events[-2].kind is EventKind.AMEND_REJECTED
    assert [request.request_id for request in third.order.pending] == ["a1", "a3"]
    assert desk.exposure().buying == 250
    replaced(desk, order, first)
    assert len(sent(desk)) == 2


async def test_a_newer_amend_back_to_what_was_sent_removes_a_held_one(desk: Desk) -> None:
    order = desk.working()
    first = desk.amend(order, 200, request_id="a1").order.pending[0]
    desk.amend(order, 300, request_id="a2")
    desk.amend(order, 200, request_id="a3")
    assert outcome(desk, "a2") == (REJECTED, SUPERSEDED)
    replaced(desk, order, first)
    assert desk.now(order).terms == terms(200)


@pytest.mark.parametrize(
    ("mode", "named"),
    [(ChainMode.SERIAL, "amend"), (ChainMode.CHAINED, "amend"), (ChainMode.ACCEPTED, "order")],
)
async def test_a_cancel_goes_out_at_once_and_removes_what_is_held(
    desk: Desk, mode: ChainMode, named: str
) -> None:
    desk.gateway.rules = replace(PATIENT, chain_mode=mode)
    order = desk.working()
    first = desk.amend(order, 200, request_id="a1").order.pending[0]
    if mode is ChainMode.SERIAL:
        desk.amend(order, 300, request_id="a2")
    cancel = desk.cancel(order).order.pending[-1]
    orig = first.cl_ord_id if named == "amend" else order.cl_ord_id
    assert sent(desk)[1:] == [f"F {cancel.cl_ord_id} for {orig}"]
    if mode is ChainMode.SERIAL:
        assert outcome(desk, "a2") == (REJECTED, SUPERSEDED)
    assert desk.now(order).pending_action is PendingAction.CANCEL


@pytest.mark.parametrize("mode", [ChainMode.CHAINED, ChainMode.ACCEPTED])
async def test_two_amends_are_in_flight_where_the_venue_takes_that(desk: Desk, mode: ChainMode) -> None:
    desk.gateway.rules = replace(PATIENT, chain_mode=mode)
    order = desk.working()
    first = desk.amend(order, 200, request_id="a1").order.pending[0]
    second = desk.amend(order, price="50.05", request_id="a2").order.pending[1]
    orig = first.cl_ord_id if mode is ChainMode.CHAINED else order.cl_ord_id
    assert sent(desk)[1:] == [f"G {second.cl_ord_id} for {orig}"]
    assert second.terms == terms(200, "50.05")


async def test_of_two_amends_in_flight_the_second_is_refused_and_the_first_stands(desk: Desk) -> None:
    desk.gateway.rules = replace(PATIENT, chain_mode=ChainMode.CHAINED)
    order = desk.working()
    first = desk.amend(order, 200, request_id="a1").order.pending[0]
    second = desk.amend(order, 300, request_id="a2").order.pending[1]
    refused(desk, order, second)
    assert desk.now(order).pending == (first,)
    replaced(desk, order, first)
    assert (desk.now(order).terms, desk.now(order).pending) == (terms(200), ())
    assert desk.exposure().buying == 200


# What ends a held amend.


async def test_increases_that_are_not_sent_again_leave_a_filled_order_filled_and_in_no_doubt(
    desk: Desk,
) -> None:
    desk.gateway.rules = replace(PATIENT, chain_mode=ChainMode.CHAINED)
    order = desk.working()
    desk.amend(order, 130)
    desk.amend(order, 200, request_id="amend-2")
    pending = desk.filled(order, 100).pending
    with desk.pipeline.deciding():
        for request in pending:
            desk.executions.withheld(request.cl_ord_id, desk.gateway, NOW)
    after = desk.now(order)
    assert (after.state, after.pending, after.flags) == (OrderState.FILLED, (), frozenset())


async def test_a_held_amend_ends_with_its_order(desk: Desk) -> None:
    order = desk.working()
    first = desk.amend(order, 200, request_id="a1").order.pending[0]
    desk.amend(order, 90, request_id="a2")
    desk.filled(order, 100)
    refused(desk, order, first)
    assert desk.now(order).state is OrderState.FILLED
    assert outcome(desk, "a2") == (REJECTED, RejectReason.ROUTER_ORDER_TERMINAL)
    assert len(sent(desk)) == 1


async def test_a_held_amend_does_not_outlive_the_connection(desk: Desk) -> None:
    order = desk.working()
    desk.amend(order, 200, request_id="a1")
    desk.amend(order, 300, request_id="a2")
    desk.gateway.available = False
    desk.entry.session_down(desk.gateway, NOW)
    assert outcome(desk, "a1") == (PENDING, None)
    assert outcome(desk, "a2") == (REJECTED, RejectReason.ROUTER_SESSION_LOST)


async def test_a_held_amend_does_not_outlive_the_process(desk: Desk) -> None:
    order = desk.working()
    desk.amend(order, 200, request_id="a1")
    desk.amend(order, 300, request_id="a2")
    later = await desk.restarted()
    assert outcome(later, "a2") == (REJECTED, RejectReason.ROUTER_SESSION_LOST)
    await later.end()


async def test_a_held_amend_is_refused_when_its_order_comes_to_be_in_doubt(desk: Desk) -> None:
    desk.gateway.rules = VenueRules()
    order = desk.working()
    desk.amend(order, 200, request_id="a1")
    desk.amend(order, 300, request_id="a2")
    desk.entry.dispatch(desk.gateway, NOW + 5 * SECOND)
    desk.entry.dispatch(desk.gateway, NOW + 30 * SECOND)
    assert Flag.IN_DOUBT in desk.now(order).flags
    assert outcome(desk, "a1") == (PENDING, None)
    assert outcome(desk, "a2") == (REJECTED, RejectReason.ROUTER_SESSION_LOST)


async def test_a_held_amend_faces_the_limits_again_when_it_means_something_else(store: Store) -> None:
    tight = policy(values=limits(max_order_notional=10_000))
    desk = Desk(store, policy=tight)
    order = desk.working(new_order(terms=terms(150, 60)))
    first = desk.amend(order, 100, request_id="a1").order.pending[0]
    desk.amend(order, price="90", request_id="a2")  # 100 of them would do, 150 will not
    refused(desk, order, first)
    assert outcome(desk, "a2") == (REJECTED, RejectReason.RISK_MAX_NOTIONAL)
    assert len(sent(desk)) == 1
    await desk.end()


async def test_a_held_amend_waits_for_its_turn_no_longer_than_others(desk: Desk) -> None:
    order = desk.working()
    first = desk.amend(order, 200, request_id="a1").order.pending[0]
    desk.amend(order, 300, request_id="a2")
    desk.gateway.bucket = TokenBucket(1, 1, NOW)
    replaced(desk, order, first)
    desk.hear(about(order, report(ReportKind.RESTATED), cl_ord_id=first.cl_ord_id, price=Decimal(49)))
    assert desk.entry.queued("BROKER") == 1
    desk.entry.dispatch(desk.gateway, NOW + timedelta(milliseconds=500))
    assert outcome(desk, "a2") == (REJECTED, RejectReason.ROUTER_SESSION_THROTTLED)


# What venues take.


async def test_a_filled_order_may_be_increased_where_the_venue_takes_that(desk: Desk) -> None:
    desk.gateway.rules = replace(PATIENT, replace_filled=True)
    order = desk.filled(desk.working(), 100)
    assert desk.exposure().buying == 0
    [request] = desk.amend(order, 150).order.pending
    assert desk.exposure().buying == 50
    replaced(desk, order, request)
    after = desk.now(order)
    assert figures(after) == (OrderState.PARTIALLY_FILLED, 100, 50)
    desk.filled(after, 50, "E2", cl_ord_id=request.cl_ord_id)
    assert desk.now(order).state is OrderState.FILLED
    with pytest.raises(OrderTerminal):
        desk.amend(order, 120, request_id="a2")


async def test_a_venue_without_amends_is_asked_for_none(desk: Desk) -> None:
    desk.gateway.rules = replace(PATIENT, capabilities=Capabilities(amend=False))
    order = desk.working()
    with pytest.raises(CapabilityMissing) as caught:
        desk.amend(order, 150)
    assert caught.value.capability == "AMEND"
    assert desk.now(order) == order


async def test_where_the_open_quantity_is_told_an_amend_leaves_some_open(desk: Desk) -> None:
    desk.gateway.rules = replace(PATIENT, replace_quantity=ReplaceQuantity.WORKING)
    order = desk.filled(desk.working(), 40)
    with pytest.raises(CapabilityMissing) as caught:
        desk.amend(order, 40)
    assert caught.value.capability == "AMEND_TO_FILLED_QUANTITY"
    first = desk.amend(order, 90, request_id="a1").order.pending[0]
    desk.amend(order, 60, request_id="a2")
    desk.filled(order, 30, "E2")
    refused(desk, order, first)
    assert outcome(desk, "a2") == (REJECTED, RejectReason.ROUTER_ORDER_TERMINAL)
