"""Amending and cancelling: one amend at a time, a cancel always, and a request_id is answered alike for ever."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.cause import Initiator
from fairlead_server.domain.errors import (
    ActionPending,
    CapabilityMissing,
    Draining,
    OrderTerminal,
    RequestIdConflict,
    RouterError,
    UnknownOrder,
    VenueUnavailable,
    VersionMismatch,
)
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Flag, Order, OrderState, PendingAction
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.terms import TimeInForce
from fairlead_server.routing.requests import RequestAnswer
from fairlead_server.store.database import Store
from msgspec.structs import replace

from tests.domain.builders import NOW, cancel_reject, new_order, report, terms
from tests.routing.desk import CLIENT, SECOND, Desk, FakeGateway, about, ref

PENDING, DONE, REJECTED = RequestOutcome.PENDING, RequestOutcome.DONE, RequestOutcome.REJECTED


def refuse(desk: Desk, order: Order, cl_ord_id: str) -> None:
    """The venue answers with an OrderCancelReject(9)."""
    answer = cancel_reject(cl_ord_id, venue_order_id=order.venue_order_id, orig_cl_ord_id=order.cl_ord_id)
    with desk.pipeline.deciding():
        desk.executions.cancel_rejected(answer, desk.gateway, NOW)


# Amend.


async def test_an_amend_is_sent_and_takes_effect_with_the_venues_word(desk: Desk) -> None:
    order = desk.working()
    answer = desk.amend(order, 200, "50.05")
    assert (answer.outcome, answer.duplicate) == (PENDING, False)
    [request] = answer.order.pending
    assert desk.gateway.decided[1:] == [f"G {request.cl_ord_id} for {order.cl_ord_id}"]
    assert answer.order.terms == order.terms
    assert answer.order.pending_action is PendingAction.AMEND
    assert desk.exposure().buying == 200  # the worse of both
    desk.hear(about(order, report(ReportKind.REPLACED), cl_ord_id=request.cl_ord_id))
    after = desk.now(order)
    assert (after.terms.quantity, after.terms.price) == (Decimal(200), Decimal("50.05"))
    assert after.cl_ord_id == request.cl_ord_id
    assert desk.kinds(order)[-2:] == [EventKind.AMEND_REQUESTED, EventKind.AMENDED]


async def test_all_that_an_amend_leads_to_is_one_batch(desk: Desk) -> None:
    order = desk.working()
    await desk.pipeline.durable()
    answer = desk.amend(order, 200)
    await desk.pipeline.durable()
    batch = desk.writer.batches[-1]
    [request] = answer.order.pending
    assert batch.new_cl_ord_ids == {("BROKER", request.cl_ord_id): order.order_id}
    assert batch.counters == {"cl_ord_id": 2}
    assert [(d.request_id, d.allowed) for d in batch.decisions] == [("amend-1", True)]
    assert batch.requests["amend-1"].outcome is PENDING
    assert [m.msg_type for m in batch.messages] == ["G"]
    assert batch.sessions["BROKER"].next_out == 3
    assert batch.orders == {order.order_id: answer.order}
    assert [event.kind for event in batch.events] == [EventKind.AMEND_REQUESTED]


async def test_an_amend_that_breaks_a_limit_leaves_the_order_as_it_was(desk: Desk) -> None:
    order = desk.working()
    answer = desk.amend(order, 1010)
    assert answer.outcome is REJECTED
    assert answer.reject is not None
    assert answer.reject.reason is RejectReason.RISK_MAX_QUANTITY
    assert (answer.order.state, answer.order.terms) == (OrderState.WORKING, order.terms)
    assert answer.order.version == order.version + 1
    assert desk.kinds(order)[-1] is EventKind.AMEND_REJECTED
    await desk.pipeline.durable()
    assert [(d.request_id, d.allowed) for d in desk.writer.batches[-1].decisions][-1] == ("amend-1", False)
    assert len(desk.gateway.decided) == 1


async def test_the_orders_own_quantity_makes_room_for_its_amend(desk: Desk) -> None:
    for n in range(4):
        desk.sent(new_order(client_order_id=f"c{n}", terms=terms(1000)))
    order = desk.working(new_order(terms=terms(500)))
    assert desk.amend(order, 1000).outcome is PENDING


async def test_an_amend_that_only_takes_quantity_away_is_spared_the_limits(store: Store) -> None:
    desk = Desk(store)
    order = desk.working()
    await desk.pipeline.durable()
    closed = replace(desk.policy, kill_switch=True)
    await desk.pipeline.close()
    later = Desk(store, policy=closed, ids=desk.new_id)
    assert later.amend(order, 60).outcome is PENDING
    assert later.exposure().buying == 100
    await later.end()


async def test_an_increase_faces_the_kill_switch(store: Store) -> None:
    desk = Desk(store)
    order = desk.working()
    await desk.pipeline.close()
    later = Desk(store, policy=replace(desk.policy, kill_switch=True), ids=desk.new_id)
    assert later.amend(order, 110).outcome is REJECTED
    await later.end()


async def test_an_amend_to_what_is_in_force_is_no_change(desk: Desk) -> None:
    order = desk.working()
    answer = desk.amend(order, "100.0", "50.00")
    assert (answer.outcome, answer.order) == (RequestOutcome.NO_CHANGE, order)
    again = desk.amend(order, "100.0", "50.00")
    assert (again.outcome, again.duplicate) == (RequestOutcome.NO_CHANGE, True)
    assert len(desk.gateway.decided) == 1


async def test_an_amend_of_an_order_that_is_over_comes_too_late(desk: Desk) -> None:
    order = desk.filled(desk.working(), 100)
    with pytest.raises(OrderTerminal) as caught:
        desk.amend(order, 200)
    assert (caught.value.order_id, caught.value.state) == (order.order_id, "FILLED")


async def test_no_amend_follows_a_cancel(desk: Desk) -> None:
    order = desk.working()
    desk.cancel(order)
    with pytest.raises(ActionPending) as caught:
        desk.amend(order, 300)
    assert caught.value.action == "CANCEL"


async def test_an_order_in_doubt_is_not_amended(desk: Desk) -> None:
    order = desk.sent()
    with desk.pipeline.deciding():
        desk.executions.in_doubt(order.cl_ord_id, desk.gateway, "not sent again", NOW)
    with pytest.raises(ActionPending, match="status inquiry"):
        desk.amend(order, 200)


async def test_a_version_that_has_passed_is_a_mismatch(desk: Desk) -> None:
    order = desk.working()
    for request in (desk.amend, desk.cancel):
        with pytest.raises(VersionMismatch) as caught:
            request(order, version=order.version - 1)
        assert (caught.value.expected, caught.value.actual) == (order.version - 1, order.version)
    assert desk.amend(order, 200, version=order.version).outcome is PENDING


async def test_an_amend_that_was_decided_is_answered_again(desk: Desk) -> None:
    order = desk.working()
    desk.amend(order, 200, version=order.version)
    again = desk.amend(order, 200, version=order.version)
    assert (again.outcome, again.duplicate) == (PENDING, True)
    [request] = again.order.pending
    desk.hear(about(order, report(ReportKind.REPLACED), cl_ord_id=request.cl_ord_id))
    done = desk.amend(order, 200)
    assert (done.outcome, done.duplicate, done.order.terms.quantity) == (DONE, True, Decimal(200))
    assert len(desk.gateway.decided) == 2


async def test_a_refused_amend_is_answered_alike_after_a_restart(desk: Desk) -> None:
    order = desk.working()
    pending = desk.amend(order, 200).order.pending[0]
    refuse(desk, order, pending.cl_ord_id)
    assert desk.now(order).pending == ()
    later = await desk.restarted()
    again = later.amend(order, 200)
    assert (again.outcome, again.duplicate) == (REJECTED, True)
    assert again.reject is not None
    assert again.reject.reason is RejectReason.VENUE_CANCEL_TOO_LATE
    await later.end()


async def test_a_request_id_that_meant_something_else_is_a_conflict(desk: Desk) -> None:
    order, other = desk.working(), desk.sent(new_order(client_order_id="client-2"))
    desk.amend(order, 200)
    wrongs: list[Callable[[], RequestAnswer]] = [
        lambda: desk.amend(order, 300),
        lambda: desk.amend(other, 200),
        lambda: desk.cancel(order, request_id="amend-1"),
    ]
    for wrong in wrongs:
        with pytest.raises(RequestIdConflict) as caught:
            wrong()
        assert (caught.value.request_id, caught.value.order_id) == ("amend-1", order.order_id)


async def test_an_amend_ended_by_its_order_is_refused(desk: Desk) -> None:
    order = desk.working()
    desk.amend(order, 200)
    desk.hear(about(order, report(ReportKind.EXPIRED)))
    again = desk.amend(order, 200)
    assert again.outcome is REJECTED
    assert again.reject is not None
    assert again.reject.reason is RejectReason.ROUTER_ORDER_TERMINAL


def _down(desk: Desk) -> None:
    desk.gateway.available = False


def _lacking(desk: Desk) -> None:
    desk.gateway.lacks = "TIME_IN_FORCE_CLS"


def _draining(desk: Desk) -> None:
    desk.entry.draining = True


def _gone(desk: Desk) -> None:
    """The session is no longer configured."""
    del desk.gateways["BROKER"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (_down, VenueUnavailable),
        (_lacking, CapabilityMissing),
        (_draining, Draining),
        (_gone, VenueUnavailable),
    ],
)
async def test_an_amend_that_cannot_be_sent_changes_nothing(
    store: Store, given: Callable[[Desk], None], expected: type[RouterError]
) -> None:
    desk = Desk(store)
    order = desk.working()
    await desk.check()
    given(desk)
    with pytest.raises(expected):
        desk.amend(order, 200)
    assert desk.now(order) == order
    assert not desk.pipeline.broken
    await desk.pipeline.close()


async def test_an_amend_may_say_what_the_version_of_fix_cannot(desk: Desk) -> None:
    desk.gateway.lacks = None
    order = desk.working()
    assert desk.amend(order, time_in_force=TimeInForce.GTC).outcome is PENDING


async def test_no_order_no_request(desk: Desk) -> None:
    ghost = replace(desk.sent(), order_id="ghost")
    for request in (desk.amend, desk.cancel):
        with pytest.raises(UnknownOrder, match="ghost"):
            request(ghost)


# Cancel.


async def test_a_cancel_is_sent_and_ends_with_the_venues_word(desk: Desk) -> None:
    order = desk.filled(desk.working(), 40)
    answer = desk.cancel(order)
    assert answer.outcome is PENDING
    [request] = answer.order.pending
    assert desk.gateway.decided[1:] == [f"F {request.cl_ord_id} for {order.cl_ord_id}"]
    assert (answer.order.state, answer.order.pending_action) == (
        OrderState.PARTIALLY_FILLED,
        PendingAction.CANCEL,
    )
    desk.hear(about(order, report(ReportKind.CANCELED), cl_ord_id=request.cl_ord_id))
    again = desk.cancel(order)
    assert (again.outcome, again.duplicate, again.order.state) == (DONE, True, OrderState.CANCELED)
    assert desk.events[-1].unsolicited is False
    assert desk.exposure() == replace(desk.exposure(), position=Decimal(40), buying=Decimal(0))


async def test_all_that_a_cancel_leads_to_is_one_batch(desk: Desk) -> None:
    order = desk.working()
    await desk.pipeline.durable()
    answer = desk.cancel(order)
    await desk.pipeline.durable()
    batch = desk.writer.batches[-1]
    assert batch.new_cl_ord_ids == {("BROKER", answer.order.pending[0].cl_ord_id): order.order_id}
    assert [m.msg_type for m in batch.messages] == ["F"]
    assert batch.requests["cancel-1"].outcome is PENDING
    assert batch.decisions == []  # never refused by risk


async def test_a_cancel_needs_no_acknowledged_order(desk: Desk) -> None:
    order = desk.sent()
    request = desk.cancel(order).order.pending[0]
    assert request.orig_cl_ord_id == order.cl_ord_id
    desk.hear(about(order, report(ReportKind.NEW)))
    assert desk.now(order).pending == (request,)


async def test_nothing_is_left_to_cancel_of_an_order_that_is_over(desk: Desk) -> None:
    order = desk.filled(desk.working(), 100)
    answer = desk.cancel(order)
    assert (answer.outcome, answer.order) == (RequestOutcome.ALREADY_TERMINAL, order)
    assert desk.cancel(order).duplicate
    later = await desk.restarted()
    assert later.cancel(order, request_id="cancel-2").outcome is RequestOutcome.ALREADY_TERMINAL
    await later.end()


async def test_a_second_cancel_joins_the_first(desk: Desk) -> None:
    order = desk.working()
    first = desk.cancel(order)
    second = desk.cancel(order, request_id="cancel-2")
    assert (second.outcome, second.duplicate, second.order) == (PENDING, False, first.order)
    assert len(desk.gateway.decided) == 2
    desk.hear(about(order, report(ReportKind.CANCELED)))
    assert desk.cancel(order, request_id="cancel-2").outcome is DONE


async def test_a_second_cancel_is_refused_with_the_first(desk: Desk) -> None:
    order = desk.working()
    first = desk.cancel(order)
    desk.cancel(order, request_id="cancel-2")
    refuse(desk, order, first.order.pending[0].cl_ord_id)
    assert desk.cancel(order, request_id="cancel-2").outcome is REJECTED


async def test_a_cancel_that_a_fill_overtook_tells_the_end(desk: Desk) -> None:
    order = desk.working()
    request = desk.cancel(order).order.pending[0]
    desk.cancel(order, request_id="cancel-2")
    filled = desk.filled(order, 100)
    assert filled.state is OrderState.FILLED
    assert filled.pending == (request,)
    refuse(desk, order, request.cl_ord_id)
    again = desk.cancel(order)
    assert (again.outcome, again.duplicate) == (REJECTED, True)
    joined = desk.cancel(order, request_id="cancel-2")
    assert joined.outcome is RequestOutcome.ALREADY_TERMINAL


async def test_a_cancel_goes_out_beside_a_pending_amend(desk: Desk) -> None:
    order = desk.working()
    amend = desk.amend(order, 200).order.pending[0]
    cancel = desk.cancel(order).order.pending[-1]
    assert cancel.orig_cl_ord_id == amend.cl_ord_id
    assert desk.gateway.decided[-1] == f"F {cancel.cl_ord_id} for {amend.cl_ord_id}"
    refuse(desk, order, amend.cl_ord_id)
    assert desk.now(order).pending == (cancel,)


async def test_after_a_refused_amend_a_cancel_names_the_order_as_it_was(desk: Desk) -> None:
    order = desk.working()
    amend = desk.amend(order, 200).order.pending[0]
    refuse(desk, order, amend.cl_ord_id)
    assert desk.cancel(order).order.pending[0].orig_cl_ord_id == order.cl_ord_id


async def test_a_cancel_is_taken_while_draining(desk: Desk) -> None:
    order = desk.working()
    desk.entry.draining = True
    assert desk.cancel(order).outcome is PENDING


async def test_a_cancel_waits_for_its_session_and_goes_out_first(desk: Desk) -> None:
    order, doubtful = desk.working(), desk.sent(new_order(client_order_id="client-2"))
    desk.gateway.available = False
    with desk.pipeline.deciding():
        desk.executions.in_doubt(doubtful.cl_ord_id, desk.gateway, "not sent again", NOW)
    answer = desk.cancel(order)
    assert answer.outcome is PENDING
    assert answer.order.pending_action is PendingAction.CANCEL
    await desk.pipeline.durable()
    sent_before = list(desk.gateway.decided)
    desk.gateway.available = True
    with desk.pipeline.deciding():
        desk.entry.session_up(desk.gateway, NOW + SECOND)
    [request] = desk.now(order).pending
    assert desk.gateway.decided[len(sent_before) :] == [
        f"F {request.cl_ord_id} for {order.cl_ord_id}",
        f"H {doubtful.cl_ord_id}",
    ]
    assert desk.events[-1].cause.initiator is Initiator.SYSTEM
    assert (request.request_id, request.request_time) == ("cancel-1", NOW)
    desk.hear(about(order, report(ReportKind.CANCELED), cl_ord_id=request.cl_ord_id))
    assert desk.cancel(order).outcome is DONE


async def test_a_waiting_cancel_survives_a_restart(desk: Desk) -> None:
    order = desk.working()
    desk.gateway.available = False
    desk.cancel(order)
    later = await desk.restarted()
    with later.pipeline.deciding():
        later.entry.session_up(later.gateway, NOW)
    assert [text[0] for text in later.gateway.decided] == ["F"]
    with later.pipeline.deciding():
        later.entry.session_up(later.gateway, NOW)
    assert len(later.gateway.decided) == 1  # it goes out once
    await later.end()


async def test_a_waiting_cancel_of_an_order_that_fills_first_never_goes_out(desk: Desk) -> None:
    order = desk.working()
    desk.gateway.available = False
    desk.cancel(order)
    desk.gateway.available = True
    desk.filled(order, 100)
    after = desk.now(order)
    assert (after.state, after.pending_action) == (OrderState.FILLED, PendingAction.NONE)
    assert desk.cancel(order).outcome is RequestOutcome.ALREADY_TERMINAL
    with desk.pipeline.deciding():
        desk.entry.session_up(desk.gateway, NOW)
    assert len(desk.gateway.decided) == 1


async def test_session_up_looks_at_its_own_orders_only(store: Store) -> None:
    other = FakeGateway("OTHER")
    desk = Desk(store, gateways={"BROKER": FakeGateway(available=True), "OTHER": other})
    order = desk.working()
    desk.gateway.available = False
    desk.cancel(order)
    with desk.pipeline.deciding():
        desk.entry.session_up(other, NOW)
    assert other.decided == []
    await desk.end()


async def test_a_cancel_of_an_order_whose_session_is_gone_waits(store: Store) -> None:
    desk = Desk(store)
    order = desk.working()
    await desk.check()
    del desk.gateways["BROKER"]
    answer = desk.entry.cancel(ref(order), "cancel-1", CLIENT, NOW)
    assert answer.outcome is PENDING
    assert answer.order.pending[0].cl_ord_id == ""
    assert Flag.IN_DOUBT not in answer.order.flags
    await desk.pipeline.durable()
    await desk.pipeline.close()
