"""A session that sends only so many messages a second: who waits, who goes first, and what becomes of the others."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.cause import Initiator
from fairlead_server.domain.errors import (
    CapabilityMissing,
    ClientOrderIdConflict,
    RouterError,
    VenueUnavailable,
)
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Order, OrderState, PendingAction, RouteState
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.reject import RejectReason, RejectSource
from fairlead_server.domain.scope import Scope
from fairlead_server.routing.inquiries import Inquiries
from fairlead_server.routing.ports import Operator
from fairlead_server.routing.requests import RequestAnswer
from fairlead_server.store.database import Store
from msgspec.structs import replace

from tests.domain.builders import NOW, new_order, report, terms
from tests.routing.desk import CLIENT, SECOND, Desk, FakeGateway, about, ref

PENDING, DONE, REJECTED = RequestOutcome.PENDING, RequestOutcome.DONE, RequestOutcome.REJECTED
THROTTLED, EXPIRED = RejectReason.ROUTER_SESSION_THROTTLED, RejectReason.ROUTER_EXPIRED_BEFORE_ROUTE
LOST = RejectReason.ROUTER_SESSION_LOST
TURN = timedelta(milliseconds=100)  # from one token to the next
PATIENCE = timedelta(milliseconds=500)


def throttled(burst: int = 2) -> FakeGateway:
    """Ten messages a second, ``burst`` of them at once from NOW on."""
    return FakeGateway(bucket=TokenBucket(10, burst, NOW - timedelta(minutes=1)), max_queue=PATIENCE)


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    made = Desk(store, gateways={"BROKER": throttled()})
    yield made
    await made.end()


def submit(desk: Desk, count: int, first: int = 1, at: datetime = NOW) -> list[Order]:
    return [desk.sent(new_order(client_order_id=f"c{first + n}"), at=at) for n in range(count)]


def working(desk: Desk, count: int = 2) -> list[Order]:
    """Orders at the venue; the last of the tokens are spent on them."""
    assert count == 2
    orders = submit(desk, count)
    for order in orders:
        desk.hear(about(order, report(ReportKind.NEW)))
    return [desk.now(order) for order in orders]


def dispatch(desk: Desk, at: datetime) -> list[str]:
    """What leaves until ``at``, with the desk called whenever it has asked to be."""
    bucket, before = desk.gateway.bucket, len(desk.gateway.decided)
    assert bucket is not None
    now = bucket._at  # time does not run back
    while (due := desk.entry.deadline(desk.gateway, now)) is not None and due <= at:
        now = due
        desk.entry.dispatch(desk.gateway, now)
    return desk.gateway.decided[before:]


def types(decided: list[str]) -> str:
    return "".join(text[0] for text in decided)


def rejects(desk: Desk, *orders: Order) -> list[RejectReason | None]:
    found = [desk.now(order).reject for order in orders]
    return [reject.reason if reject else None for reject in found]


# New orders.


async def test_while_there_are_tokens_an_order_goes_at_once(desk: Desk) -> None:
    orders = submit(desk, 2)
    assert types(desk.gateway.decided) == "DD"
    assert [desk.kinds(order) for order in orders] == [[EventKind.ACCEPTED, EventKind.ROUTED]] * 2
    assert (desk.entry.queued("BROKER"), desk.entry.deadline(desk.gateway, NOW)) == (0, None)
    await desk.pipeline.durable()
    assert desk.gateway.woken == 0


async def test_without_a_token_an_order_is_durable_and_waits(desk: Desk) -> None:
    submit(desk, 2)
    [order] = submit(desk, 1, first=3)
    stored = await desk.stored(order)
    assert stored == order
    assert (stored.state, stored.route_state) == (OrderState.PENDING_NEW, RouteState.HELD)
    assert (stored.session_id, stored.cl_ord_id, stored.cl_ord_ids) == ("BROKER", "", ())
    assert stored.pending_action is PendingAction.NEW
    assert desk.kinds(order) == [EventKind.ACCEPTED]
    assert desk.exposure().buying == 300
    batch = desk.writer.batches[-1]
    assert batch.counters == {"cl_ord_id": 2}
    assert [row.msg_seq_num for row in batch.messages] == [1, 2]
    assert [(row.order_id, row.allowed) for row in batch.decisions][-1] == (order.order_id, True)
    assert desk.entry.queued("BROKER") == 1
    assert desk.gateway.woken == 1
    assert desk.entry.deadline(desk.gateway, NOW) == NOW + TURN


async def test_when_its_turn_comes_its_message_is_made_in_one_decision(desk: Desk) -> None:
    submit(desk, 2)
    [order] = submit(desk, 1, first=3)
    await desk.pipeline.durable()
    assert dispatch(desk, NOW + TURN) == [f"D {desk.now(order).cl_ord_id}"]
    await desk.pipeline.durable()
    batch = desk.writer.batches[-1]
    sent = desk.now(order)
    assert (sent.route_state, sent.route_time) == (RouteState.SENT, NOW + TURN)
    assert batch.new_cl_ord_ids == {("BROKER", sent.cl_ord_id): order.order_id}
    assert batch.counters == {"cl_ord_id": 3}
    assert batch.sessions["BROKER"].next_out == 4
    assert [event.kind for event in batch.events] == [EventKind.ROUTED]
    assert desk.events[-1].cause.initiator is Initiator.SYSTEM
    assert desk.gateway.wire[-1] == f"D {sent.cl_ord_id}"


async def test_orders_leave_in_the_order_of_their_coming_at_the_rate_of_the_session(desk: Desk) -> None:
    orders = submit(desk, 6)
    assert types(dispatch(desk, NOW + 4 * TURN)) == "DDDD"
    sent = [desk.now(order) for order in orders]
    assert [order.route_time for order in sent] == [NOW, NOW, *(NOW + n * TURN for n in (1, 2, 3, 4))]
    assert [order.cl_ord_id for order in sent] == sorted(order.cl_ord_id for order in sent)


async def test_nobody_overtakes_whoever_waits_though_there_is_a_token(desk: Desk) -> None:
    """The timer is a little late: the token goes to the one that waits."""
    *_, waited = submit(desk, 3)
    [late] = submit(desk, 1, first=4, at=NOW + TURN)
    assert desk.now(waited).route_state is RouteState.SENT
    assert late.route_state is RouteState.HELD


async def test_with_tokens_for_all_the_last_to_come_goes_in_the_same_decision(desk: Desk) -> None:
    *_, waited = submit(desk, 3)
    [late] = submit(desk, 1, first=4, at=NOW + 2 * TURN)
    assert [each.route_state for each in (desk.now(waited), late)] == [RouteState.SENT] * 2
    assert desk.kinds(late) == [EventKind.ACCEPTED, EventKind.ROUTED]


async def test_an_order_that_has_waited_for_too_long_is_refused_and_frees_its_exposure(desk: Desk) -> None:
    orders = submit(desk, 9)
    assert types(dispatch(desk, NOW + PATIENCE)) == "DDDD"  # the fifth turn comes at the deadline itself
    assert rejects(desk, *orders) == [None] * 6 + [THROTTLED] * 3
    refused = desk.now(orders[-1])
    assert refused.reject is not None
    assert refused.reject.source is RejectSource.ROUTER
    assert (refused.state, refused.route_state) == (OrderState.REJECTED, RouteState.HELD)
    assert (refused.cl_ord_ids, refused.terminal_time) == ((), NOW + PATIENCE)
    assert desk.kinds(refused) == [EventKind.ACCEPTED, EventKind.RISK_REJECTED]
    assert desk.exposure().buying == 600
    assert desk.book.exposures.open_orders(Scope("ACC1")) == 6
    assert desk.entry.queued("BROKER") == 0
    assert (await desk.stored(refused)) == refused
    assert desk.cl_ord_ids.last == 6


@pytest.mark.parametrize("bound", ["deadline", "route_before"])
async def test_the_callers_own_bound_holds_while_an_order_waits(desk: Desk, bound: str) -> None:
    submit(desk, 2)
    own = NOW + TURN - timedelta(milliseconds=1)
    bounded = new_order(route_before=own if bound == "route_before" else None)
    order = desk.submit(bounded, deadline=own if bound == "deadline" else NOW + SECOND).order
    assert desk.entry.deadline(desk.gateway, NOW) == own
    assert dispatch(desk, NOW + TURN) == []
    assert rejects(desk, order) == [EXPIRED]


async def test_a_later_bound_of_the_caller_does_not_make_an_order_wait_longer(desk: Desk) -> None:
    submit(desk, 2)
    order = desk.submit(new_order(route_before=NOW + 9 * SECOND), deadline=NOW + 9 * SECOND).order
    desk.entry.dispatch(desk.gateway, NOW + PATIENCE)
    assert rejects(desk, order) == [THROTTLED]


async def test_a_session_where_nothing_may_wait_refuses_at_once(store: Store) -> None:
    desk = Desk(store, gateways={"BROKER": dataclasses.replace(throttled(1), max_queue=timedelta())})
    _, order = submit(desk, 2)
    assert rejects(desk, order) == [THROTTLED]
    assert desk.submit(order.request).order == order
    await desk.end()


async def test_the_same_request_again_finds_the_order_that_waits(desk: Desk) -> None:
    submit(desk, 2)
    [order] = submit(desk, 1, first=3)
    again = desk.submit(order.request)
    assert (again.duplicate, again.order) == (True, order)
    assert desk.entry.queued("BROKER") == 1
    with pytest.raises(ClientOrderIdConflict):
        desk.submit(replace(order.request, terms=terms(50)))
    dispatch(desk, NOW + TURN)
    assert desk.submit(order.request).order == desk.now(order)


async def test_orders_that_wait_count_towards_the_limits(desk: Desk) -> None:
    for number in range(5):
        desk.sent(new_order(client_order_id=f"big{number}", terms=terms(1000)))
    assert rejects(desk, *submit(desk, 1)) == [RejectReason.RISK_POSITION_LIMIT]
    dispatch(desk, NOW + TURN)
    desk.entry.dispatch(desk.gateway, NOW + PATIENCE)
    assert rejects(desk, *submit(desk, 1, first=2)) == [None]


@pytest.mark.parametrize("ending", ["refused", "withdrawn"])
async def test_an_order_that_was_not_sent_is_none_that_another_repeats(store: Store, ending: str) -> None:
    desk = Desk(store, gateways={"BROKER": throttled(1)}, duplicate_window=9 * SECOND)
    desk.sent(new_order(client_order_id="first", terms=terms(20)))
    held = desk.sent(new_order(client_order_id="held"))
    assert rejects(desk, desk.sent(new_order(client_order_id="again"))) == [RejectReason.RISK_DUPLICATE_ORDER]
    if ending == "refused":
        desk.entry.dispatch(desk.gateway, NOW + PATIENCE)
    else:
        desk.cancel(held)
    assert rejects(desk, desk.sent(new_order(client_order_id="once more"), at=NOW + SECOND)) == [None]
    await desk.end()


async def test_a_drained_router_still_sends_what_it_has_accepted(desk: Desk) -> None:
    *_, order = submit(desk, 3)
    desk.entry.draining = True
    dispatch(desk, NOW + TURN)
    assert desk.now(order).route_state is RouteState.SENT


# An order that still waits.


async def test_a_cancel_of_an_order_that_waits_ends_it_and_the_venue_never_hears(desk: Desk) -> None:
    *_, order = submit(desk, 3)
    answer = desk.cancel(order)
    assert (answer.outcome, answer.order.state) == (DONE, OrderState.CANCELED)
    assert desk.kinds(order) == [EventKind.ACCEPTED, EventKind.CANCELED]
    assert (desk.events[-1].cause.initiator, desk.events[-1].unsolicited) == (Initiator.CLIENT, False)
    assert desk.exposure().buying == 200
    assert desk.entry.queued("BROKER") == 0
    assert dispatch(desk, NOW + SECOND) == []
    again = desk.cancel(order)
    assert (again.outcome, again.duplicate) == (DONE, True)
    assert desk.cancel(order, request_id="other").outcome is RequestOutcome.ALREADY_TERMINAL
    assert (await desk.stored(order)).state is OrderState.CANCELED


async def test_an_amend_of_an_order_that_waits_is_in_force_at_once_and_keeps_its_turn(desk: Desk) -> None:
    submit(desk, 2)
    order, behind = submit(desk, 2, first=3)
    answer = desk.amend(order, 300, "50.05")
    assert (answer.outcome, answer.order.pending) == (DONE, ())
    assert (answer.order.terms.quantity, answer.order.terms.price) == (Decimal(300), Decimal("50.05"))
    assert desk.kinds(order) == [EventKind.ACCEPTED, EventKind.AMENDED]
    assert desk.exposure().buying == 600
    assert desk.amend(order, 300, "50.05").duplicate
    dispatch(desk, NOW + TURN)
    assert [desk.now(each).route_state for each in (order, behind)] == [RouteState.SENT, RouteState.HELD]
    assert desk.now(order).terms == answer.order.terms
    await desk.pipeline.durable()
    decisions = [row for batch in desk.writer.batches for row in batch.decisions]
    assert [(row.request_id, row.allowed) for row in decisions][-1] == ("amend-1", True)


async def test_an_amend_of_an_order_that_waits_faces_the_limits(desk: Desk) -> None:
    *_, order = submit(desk, 3)
    answer = desk.amend(order, 1010)
    assert (answer.outcome, answer.order.terms) == (REJECTED, order.terms)
    dispatch(desk, NOW + TURN)
    assert desk.now(order).route_state is RouteState.SENT


def _lacking(desk: Desk) -> None:
    desk.gateway.lacks = "TIME_IN_FORCE_CLS"


def _logging_out(desk: Desk) -> None:
    desk.gateway.available = False


@pytest.mark.parametrize(
    ("given", "expected"), [(_lacking, CapabilityMissing), (_logging_out, VenueUnavailable)]
)
async def test_an_amend_of_an_order_that_waits_asks_only_for_what_can_be_sent(
    desk: Desk, given: Callable[[Desk], None], expected: type[RouterError]
) -> None:
    *_, order = submit(desk, 3)
    given(desk)
    with pytest.raises(expected):
        desk.amend(order, 200)
    assert desk.now(order) == order


# Amends and cancels of orders that were sent.


async def test_what_takes_risk_away_goes_first(desk: Desk) -> None:
    one, two = working(desk)
    third = desk.sent(new_order(client_order_id="c3"))
    desk.amend(one, 200, request_id="more")
    desk.amend(two, 50, request_id="less")
    desk.cancel(two, request_id="cancel")
    assert desk.entry.queued("BROKER") == 3  # the cancel has taken the place of the amend of its order
    left = dispatch(desk, NOW + 3 * TURN)
    assert types(left) == "FGD"
    assert left[0].endswith(f" for {two.cl_ord_id}")
    assert left[1].endswith(f" for {one.cl_ord_id}")
    assert desk.now(third).route_state is RouteState.SENT


async def test_an_amend_that_only_reduces_goes_before_one_that_does_not(desk: Desk) -> None:
    one, two = working(desk)
    wanted: list[Callable[[], RequestAnswer]] = [
        lambda: desk.amend(one, 50, "50.05", request_id="cheaper, and at another price"),
        lambda: desk.amend(two, 50, request_id="less"),
    ]
    for ask in wanted:
        assert ask().outcome is PENDING
    assert [text.split()[-1] for text in dispatch(desk, NOW + 2 * TURN)] == [two.cl_ord_id, one.cl_ord_id]


async def test_an_amend_waits_without_a_name_and_counts_meanwhile(desk: Desk) -> None:
    order, _ = working(desk)
    answer = desk.amend(order, 200)
    [request] = answer.order.pending
    assert (answer.outcome, request.cl_ord_id, request.is_sent) == (PENDING, "", False)
    assert answer.order.pending_action is PendingAction.AMEND
    assert desk.exposure().buying == 300
    assert types(dispatch(desk, NOW + TURN)) == "G"
    [sent] = desk.now(order).pending
    assert (sent.request_id, sent.request_time, sent.terms) == ("amend-1", NOW, request.terms)
    assert sent.orig_cl_ord_id == order.cl_ord_id
    desk.hear(about(order, report(ReportKind.REPLACED), cl_ord_id=sent.cl_ord_id))
    again = desk.amend(order, 200)
    assert (again.outcome, again.duplicate, again.order.terms.quantity) == (DONE, True, Decimal(200))


async def test_an_amend_that_has_waited_for_too_long_is_refused_and_the_order_stands(desk: Desk) -> None:
    order, _ = working(desk)
    desk.amend(order, 200)
    desk.gateway.available = False  # as while a Logout(5) is on its way
    desk.entry.dispatch(desk.gateway, NOW + PATIENCE)
    again = desk.amend(order, 200)
    assert (again.outcome, again.duplicate) == (REJECTED, True)
    assert again.reject is not None
    assert (again.reject.source, again.reject.reason) == (RejectSource.ROUTER, THROTTLED)
    assert (again.order.terms, again.order.pending, again.order.state) == (
        order.terms,
        (),
        OrderState.WORKING,
    )
    assert desk.kinds(order)[-2:] == [EventKind.AMEND_REQUESTED, EventKind.AMEND_REJECTED]
    assert (desk.events[-1].cause.initiator, desk.events[-1].cause.request_id) == (
        Initiator.SYSTEM,
        "amend-1",
    )
    assert desk.exposure().buying == 200


async def test_an_amend_that_may_not_wait_is_answered_at_once(store: Store) -> None:
    desk = Desk(store, gateways={"BROKER": dataclasses.replace(throttled(), max_queue=timedelta())})
    order, _ = working(desk)
    answer = desk.amend(order, 200)
    assert answer.outcome is REJECTED
    assert answer.reject is not None
    assert answer.reject.reason is THROTTLED
    assert desk.amend(order, 200).outcome is REJECTED
    await desk.end()


async def test_a_cancel_waits_for_as_long_as_it_takes(desk: Desk) -> None:
    order, other = working(desk)
    answer = desk.cancel(order)
    desk.cancel(other, request_id="cancel-2")
    assert (answer.outcome, answer.order.pending[0].is_sent) == (PENDING, False)
    assert desk.entry.deadline(desk.gateway, NOW) == NOW + TURN
    desk.gateway.available = False
    assert desk.entry.deadline(desk.gateway, NOW) is None
    desk.entry.dispatch(desk.gateway, NOW + 9 * SECOND)
    assert desk.entry.queued("BROKER") == 2
    desk.gateway.available = True
    assert types(dispatch(desk, NOW + 9 * SECOND)) == "FF"


async def test_cancels_may_have_room_of_their_own_which_nothing_else_takes(store: Store) -> None:
    minute = timedelta(minutes=1)
    gateway = FakeGateway(
        bucket=TokenBucket(10, 2, NOW - minute), cancels=TokenBucket(3, 3, NOW - minute), max_queue=PATIENCE
    )
    desk = Desk(store, gateways={"BROKER": gateway})
    orders = working(desk)
    waiting = submit(desk, 3, first=3)

    for number, order in enumerate(orders):
        desk.cancel(order, request_id=f"cancel-{number}")

    assert [text[0] for text in gateway.decided] == ["D", "D", "F", "F"]
    assert [desk.now(order).held for order in waiting] == [True] * 3
    await desk.end()


async def test_a_cancel_takes_the_place_of_an_amend_that_waits(desk: Desk) -> None:
    order, _ = working(desk)
    desk.amend(order, 200)
    answer = desk.cancel(order)
    assert [request.is_cancel for request in answer.order.pending] == [True]
    amend = desk.amend(order, 200)
    assert amend.outcome is REJECTED
    assert amend.reject is not None
    assert amend.reject.reason is RejectReason.ROUTER_AMEND_SUPERSEDED
    assert desk.kinds(order)[-3:] == [
        EventKind.AMEND_REQUESTED,
        EventKind.AMEND_REJECTED,
        EventKind.CANCEL_REQUESTED,
    ]
    assert types(dispatch(desk, NOW + SECOND)) == "F"
    assert desk.exposure().buying == 200


async def test_what_became_pointless_while_it_waited_costs_no_token(desk: Desk) -> None:
    filled, amended = working(desk)
    desk.cancel(filled)
    desk.amend(amended, 200)
    *_, new = submit(desk, 1, first=3)
    desk.filled(filled, 100)
    desk.filled(amended, 100, "E2")
    desk.hear(about(amended, report(ReportKind.CANCELED)))
    assert types(dispatch(desk, NOW + TURN)) == "D"
    assert desk.now(new).route_state is RouteState.SENT


# Questions about orders in doubt.


def doubt(desk: Desk, order: Order) -> None:
    with desk.pipeline.deciding():
        desk.executions.in_doubt(order.cl_ord_id, desk.gateway, "a report was not understood", NOW)


async def test_questions_have_their_turn_before_new_orders(desk: Desk) -> None:
    one, two = working(desk)
    submit(desk, 1, first=3)
    doubt(desk, one)
    doubt(desk, two)
    doubt(desk, two)
    assert dispatch(desk, NOW + 2 * TURN) == [f"H {one.cl_ord_id}", f"H {two.cl_ord_id}"]
    assert types(dispatch(desk, NOW + 3 * TURN)) == "D"


async def test_a_question_goes_at_once_while_there_is_a_token(desk: Desk) -> None:
    [order] = submit(desk, 1)
    doubt(desk, order)
    assert desk.gateway.decided[-1] == f"H {order.cl_ord_id}"


async def test_a_question_is_put_again_when_the_session_has_been_away(desk: Desk) -> None:
    one, _ = working(desk)
    doubt(desk, one)
    go_down(desk)
    assert desk.entry.queued("BROKER") == 0
    come_up(desk, NOW + SECOND)
    assert desk.gateway.decided[2:] == [f"H {one.cl_ord_id}"]


async def test_a_question_that_was_answered_meanwhile_is_not_asked(desk: Desk) -> None:
    one, _ = working(desk)
    doubt(desk, one)
    desk.hear(about(one, report(ReportKind.NEW)))
    assert dispatch(desk, NOW + SECOND) == []


async def test_what_an_operator_asks_has_the_last_turn_and_is_put_in_any_case(desk: Desk) -> None:
    working(desk)
    [held] = submit(desk, 1, first=3)
    inquiries = Inquiries(desk.book, desk.ledger, desk.pipeline, desk.gateways, desk.entry.find)
    assert inquiries.of_session("BROKER", Operator("op", "the broker was away"), NOW) == 2
    assert types(dispatch(desk, NOW + TURN)) == "D"
    assert types(dispatch(desk, NOW + 3 * TURN)) == "HH"
    assert desk.now(held).route_state is RouteState.SENT


# The session goes and comes.


def go_down(desk: Desk, at: datetime = NOW) -> None:
    desk.gateway.available = False
    desk.entry.session_down(desk.gateway, at)


def come_up(desk: Desk, at: datetime) -> None:
    desk.gateway.available = True
    with desk.pipeline.deciding():
        desk.entry.session_up(desk.gateway, at)


async def test_with_the_session_goes_what_adds_risk_and_waited_for_it(desk: Desk) -> None:
    one, two = working(desk)
    desk.amend(one, 200)
    desk.cancel(two)
    *_, new = submit(desk, 1, first=3)
    go_down(desk)
    assert rejects(desk, new) == [LOST]
    assert desk.entry.queued("BROKER") == 1
    amend = desk.amend(one, 200)
    assert (amend.outcome, amend.reject and amend.reject.reason) == (REJECTED, LOST)
    assert desk.entry.queued("BROKER") == 1
    assert desk.exposure().buying == 200
    come_up(desk, NOW + SECOND)
    assert desk.gateway.decided[2:] == [f"F {desk.now(two).pending[0].cl_ord_id} for {two.cl_ord_id}"]
    assert desk.entry.queued("BROKER") == 0


async def test_a_session_that_comes_up_sends_at_its_pace(store: Store) -> None:
    desk = Desk(store, gateways={"BROKER": throttled(4)})
    orders = submit(desk, 4)
    for order in orders:
        desk.hear(about(order, report(ReportKind.NEW)))
    go_down(desk)
    doubt(desk, orders[0])
    for number, order in enumerate(orders[1:]):
        desk.cancel(order, request_id=f"cancel-{number}")
    assert desk.entry.queued("BROKER") == 3
    come_up(desk, NOW + 2 * TURN)
    assert types(desk.gateway.decided[4:]) == "FF"
    assert types(dispatch(desk, NOW + 3 * TURN)) == "F"
    assert types(dispatch(desk, NOW + 4 * TURN)) == "H"
    await desk.end()


async def test_going_down_with_nothing_to_refuse_decides_nothing(desk: Desk) -> None:
    await desk.pipeline.durable()
    go_down(desk)
    await desk.pipeline.durable()
    assert desk.writer.batches == []


async def test_numbers_that_begin_anew_cast_no_doubt_on_an_order_that_was_not_sent(desk: Desk) -> None:
    one, two, held = submit(desk, 3)
    with desk.pipeline.deciding():
        desk.executions.session_reset(desk.gateway, "reset", NOW)
    assert desk.now(held) == held
    dispatch(desk, NOW + TURN)
    assert [desk.kinds(order)[-1] for order in (one, two)] == [EventKind.IN_DOUBT] * 2


# The process ends, or the store fails.


async def test_what_waited_when_the_process_ended_is_never_sent(desk: Desk) -> None:
    one, two = working(desk)
    desk.amend(one, 200)
    desk.cancel(two)
    *_, new = submit(desk, 1, first=3)
    later = await desk.restarted()
    assert rejects(later, new) == [LOST]
    assert later.kinds(new) == [EventKind.RISK_REJECTED]
    amend = later.amend(one, 200)
    assert (amend.outcome, amend.duplicate) == (REJECTED, True)
    assert (amend.reject and amend.reject.reason, amend.order.pending) == (LOST, ())
    assert later.exposure().buying == 200
    assert later.submit(new.request).order == later.now(new)
    assert later.entry.queued("BROKER") == 1  # the cancel, which comes first when the session is up
    with later.pipeline.deciding():
        later.entry.session_up(later.gateway, NOW)
    assert types(later.gateway.decided) == "F"
    await later.end()
    assert desk.store.load(NOW).counters["cl_ord_id"] == 3


async def test_a_start_with_nothing_to_refuse_writes_nothing(desk: Desk) -> None:
    submit(desk, 2)
    later = await desk.restarted()
    await later.pipeline.durable()
    assert later.writer.batches == []
    await later.end()


async def test_while_the_store_fails_nothing_leaves_and_nothing_is_refused(desk: Desk) -> None:
    *_, held = submit(desk, 3)
    await desk.pipeline.durable()
    desk.writer.failure = OSError("disk full")
    submit(desk, 1, first=4)
    with pytest.raises(RouterError):
        await desk.pipeline.durable()
    desk.entry.dispatch(desk.gateway, NOW + PATIENCE)
    desk.entry.session_down(desk.gateway, NOW)
    assert desk.now(held) == held
    desk.writer.failure = None
    desk.load()
    desk.pipeline.resume()
    desk.entry.recover(NOW + SECOND)
    assert rejects(desk, held) == [LOST]
    assert desk.entry.queued("BROKER") == 0


async def test_a_cancel_of_an_order_whose_session_is_gone_is_counted(store: Store) -> None:
    desk = Desk(store)
    order = desk.working()
    del desk.gateways["BROKER"]
    assert desk.entry.cancel(ref(order), "cancel-1", CLIENT, NOW).outcome is PENDING
    assert desk.entry.queued("BROKER") == 1
    await desk.pipeline.close()
