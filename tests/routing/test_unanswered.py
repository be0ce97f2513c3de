"""What a venue leaves unanswered: asked about, doubted, escalated, and never ended; and what is asked after a reset."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Flag, Order, OrderState, PendingAction
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.store.database import Store
from msgspec.structs import replace

from tests.domain.builders import NOW, cancel_reject, new_order, report, status
from tests.routing.desk import CLIENT, SECOND, Desk, about, ref

USUAL = VenueRules()


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    made = Desk(store)
    made.gateway.rules = USUAL
    yield made
    await made.end()


def pass_time(desk: Desk, until: datetime) -> list[tuple[float, str]]:
    """What is sent and after how many seconds, with the desk called when it has asked to be."""
    sent, now = [], NOW
    while (due := desk.entry.deadline(desk.gateway, now)) is not None and due <= until:
        now, before = max(due, now), len(desk.gateway.decided)
        desk.entry.dispatch(desk.gateway, now)
        sent += [((now - NOW) / SECOND, text) for text in desk.gateway.decided[before:]]
    return sent


def down(desk: Desk) -> None:
    desk.gateway.available = False
    desk.entry.session_down(desk.gateway, NOW)


def up(desk: Desk, at: datetime = NOW) -> None:
    desk.gateway.available = True
    with desk.pipeline.deciding():
        desk.entry.session_up(desk.gateway, at)


def in_doubt(desk: Desk, order: Order) -> bool:
    return Flag.IN_DOUBT in desk.now(order).flags


# Silence.


async def test_an_order_without_an_answer_is_asked_about_then_doubted_and_never_ended(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    order = desk.sent()
    asked = pass_time(desk, NOW + timedelta(hours=8))
    assert {text for _, text in asked} == {f"H {order.cl_ord_id}"}
    assert [at for at, _ in asked][:8] == [5, 30, 60, 120, 240, 480, 960, 1920]
    assert [later - at for (at, _), (later, _) in zip(asked[-3:], asked[-2:], strict=False)] == [3600, 3600]
    assert desk.kinds(order) == [EventKind.ACCEPTED, EventKind.ROUTED, EventKind.IN_DOUBT]
    assert (desk.now(order).state, in_doubt(desk, order)) == (OrderState.PENDING_NEW, True)
    warned, *alarmed = caplog.records
    assert (warned.levelname, {record.levelname for record in alarmed}) == ("WARNING", {"ERROR"})
    assert alarmed[0].getMessage() == (
        f"BROKER: order {order.order_id} is in doubt: the venue has said nothing to {order.cl_ord_id} for 30 s"
    )
    assert len(alarmed) == len(asked) - 1  # and said again as often as the venue is asked again


async def test_an_answer_in_time_leaves_the_venue_in_peace(desk: Desk) -> None:
    order = desk.working()
    assert desk.entry.deadline(desk.gateway, NOW) is None
    assert pass_time(desk, NOW + timedelta(hours=1)) == []
    assert not in_doubt(desk, order)


@pytest.mark.parametrize("act", ["amend", "cancel"])
async def test_a_request_without_an_answer_is_asked_about_and_stays_pending(desk: Desk, act: str) -> None:
    order = desk.working()
    answer = desk.amend(order, 200) if act == "amend" else desk.cancel(order)
    [request] = answer.order.pending
    assert pass_time(desk, NOW + 31 * SECOND) == [(5, f"H {order.cl_ord_id}"), (30, f"H {order.cl_ord_id}")]
    assert in_doubt(desk, order)
    assert desk.now(order).pending == (request,)
    assert desk.events[-1].text == f"the venue has said nothing to {request.cl_ord_id} for 30 s"


async def test_pending_cancel_is_an_answer(desk: Desk) -> None:
    order = desk.working()
    [request] = desk.cancel(order).order.pending
    desk.hear(about(order, report(ReportKind.PENDING_CANCEL), cl_ord_id=request.cl_ord_id))
    assert pass_time(desk, NOW + timedelta(hours=1)) == []
    assert desk.now(order).pending_action is PendingAction.CANCEL


async def test_a_request_sent_after_another_was_answered_has_its_own_time(desk: Desk) -> None:
    order = desk.sent()
    desk.hear(about(order, report(ReportKind.NEW)))
    desk.entry.cancel(ref(order), "cancel-1", CLIENT, NOW + 4 * SECOND)
    assert pass_time(desk, NOW + 33 * SECOND) == [(9, f"H {order.cl_ord_id}")]
    assert not in_doubt(desk, order)


async def test_a_status_ends_the_doubt_and_what_is_still_unanswered_is_pursued(desk: Desk) -> None:
    order = desk.working()
    desk.cancel(order)
    pass_time(desk, NOW + 30 * SECOND)
    desk.hear(about(order, status("0", 0)))
    assert not in_doubt(desk, order)
    assert desk.kinds(order)[-2:] == [EventKind.IN_DOUBT, EventKind.RECONCILED]
    assert desk.now(order).pending_action is PendingAction.CANCEL
    pass_time(desk, NOW + 60 * SECOND)
    assert in_doubt(desk, order)  # the cancel has still no answer


@pytest.mark.parametrize(
    ("rules", "times", "doubted"),
    [
        (VenueRules(timedelta(), timedelta()), [], False),
        (replace(USUAL, inflight_alarm=timedelta()), [5], False),
        (replace(USUAL, inflight_warn=timedelta()), [30, 60], True),
    ],
)
async def test_each_of_the_two_times_may_be_off(
    desk: Desk, rules: VenueRules, times: list[float], *, doubted: bool
) -> None:
    desk.gateway.rules = rules
    order = desk.sent()
    assert [at for at, _ in pass_time(desk, NOW + 61 * SECOND)] == times
    assert in_doubt(desk, order) is doubted


async def test_while_the_session_is_down_no_time_passes_and_after_the_logon_it_begins_anew(
    desk: Desk,
) -> None:
    order = desk.sent()
    down(desk)
    assert pass_time(desk, NOW + 60 * SECOND) == []
    up(desk, NOW + 60 * SECOND)
    assert pass_time(desk, NOW + 90 * SECOND) == [(65, f"H {order.cl_ord_id}"), (90, f"H {order.cl_ord_id}")]


async def test_after_a_restart_what_is_unanswered_is_asked_about(desk: Desk) -> None:
    order = desk.sent()
    amended = desk.working(new_order(client_order_id="client-2"))
    desk.amend(amended, 200)
    later = await desk.restarted()
    later.gateway.rules = USUAL
    up(later)
    asked = pass_time(later, NOW + 5 * SECOND)
    assert asked == [(5, f"H {order.cl_ord_id}"), (5, f"H {amended.cl_ord_id}")]
    await later.end()


async def test_an_order_in_doubt_is_escalated_after_a_restart_too(desk: Desk) -> None:
    order = desk.sent()
    pass_time(desk, NOW + 30 * SECOND)
    later = await desk.restarted()
    later.gateway.rules = USUAL
    up(later)
    assert later.gateway.decided == [f"H {order.cl_ord_id}"]
    assert [at for at, _ in pass_time(later, NOW + 100 * SECOND)] == [30, 90]
    await later.end()


async def test_questions_keep_to_the_pace_of_the_session(desk: Desk) -> None:
    orders = [desk.sent(new_order(client_order_id=f"client-{n}")) for n in range(4)]
    desk.gateway.bucket = TokenBucket(1, 1, NOW)
    desk.hear(about(orders[3], report(ReportKind.NEW)))  # answered before its question had its turn
    asked = pass_time(desk, NOW + 10 * SECOND)
    assert asked == [(5 + n, f"H {order.cl_ord_id}") for n, order in enumerate(orders[:3])]


async def test_a_question_that_an_answer_overtakes_is_not_asked(desk: Desk) -> None:
    orders = [desk.sent(new_order(client_order_id=f"client-{n}")) for n in range(2)]
    desk.gateway.bucket = TokenBucket(1, 1, NOW)
    assert pass_time(desk, NOW + 5 * SECOND) == [(5, f"H {orders[0].cl_ord_id}")]
    desk.hear(about(orders[1], report(ReportKind.NEW)))
    desk.entry.dispatch(desk.gateway, NOW + 9 * SECOND)
    assert len(desk.gateway.decided) == 3
    assert desk.entry.queued("BROKER") == 0


# After a reset.


def begin_anew(desk: Desk) -> None:
    """As with the logon after it: the numbers begin anew, then the session is up."""
    down(desk)
    desk.gateway.numbers = replace(desk.gateway.numbers, epoch=desk.gateway.numbers.epoch + 1)
    with desk.pipeline.deciding():
        desk.executions.session_reset(desk.gateway, "numbers were reset", NOW)
    up(desk)


async def test_after_a_reset_every_live_order_is_asked_about(desk: Desk) -> None:
    working = [desk.working(new_order(client_order_id=f"client-{n}")) for n in range(2)]
    desk.filled(desk.working(new_order(client_order_id="client-9")), 100, "E9")
    sent = len(desk.gateway.decided)
    begin_anew(desk)
    assert desk.gateway.decided[sent:] == [f"H {order.cl_ord_id}" for order in working]
    assert not any(in_doubt(desk, order) for order in working)


async def test_after_a_reset_one_question_does_for_all_where_the_venue_takes_it(desk: Desk) -> None:
    desk.gateway.has_mass_status = True
    working = [desk.working(new_order(client_order_id=f"client-{n}")) for n in range(2)]
    unanswered = desk.sent(new_order(client_order_id="client-9"))
    sent = len(desk.gateway.decided)
    begin_anew(desk)
    assert sorted(desk.gateway.decided[sent:]) == ["AF all", f"H {unanswered.cl_ord_id}"]
    desk.hear(about(working[0], status("0", 0)))
    desk.hear(about(working[1], status("1", 40)))  # a fill that we never had is shown, not booked
    assert [desk.now(order).cum_qty for order in working] == [0, 0]


async def test_an_order_of_which_the_venue_says_nothing_after_a_reset_is_in_doubt(desk: Desk) -> None:
    desk.gateway.has_mass_status = True
    known, forgotten = (desk.working(new_order(client_order_id=f"client-{n}")) for n in range(2))
    begin_anew(desk)
    desk.hear(about(known, status("0", 0)))
    assert pass_time(desk, NOW + 30 * SECOND) == [(30, f"H {forgotten.cl_ord_id}")]
    assert (in_doubt(desk, known), in_doubt(desk, forgotten)) == (False, True)


async def test_a_venue_that_does_not_know_the_question_is_asked_for_each_order(desk: Desk) -> None:
    desk.gateway.has_mass_status = True
    working = [desk.working(new_order(client_order_id=f"client-{n}")) for n in range(2)]
    begin_anew(desk)
    desk.hear(about(working[0], status("0", 0)))
    with desk.pipeline.deciding():
        desk.entry.refused_mass_status(desk.gateway, NOW)
    assert desk.gateway.decided[-2:] == ["AF all", f"H {working[1].cl_ord_id}"]


async def test_what_was_asked_and_answered_is_not_asked_again_at_the_next_logon(desk: Desk) -> None:
    order = desk.working()
    begin_anew(desk)
    desk.hear(about(order, status("0", 0)))
    sent = len(desk.gateway.decided)
    down(desk)
    up(desk)
    assert len(desk.gateway.decided) == sent


@pytest.mark.parametrize("answered", [True, False])
async def test_what_was_asked_and_not_answered_is_asked_again_even_after_a_restart(
    desk: Desk, *, answered: bool
) -> None:
    order = desk.working()
    begin_anew(desk)
    if answered:
        desk.hear(about(order, status("0", 0)))
    later = await desk.restarted()
    up(later)
    assert later.gateway.decided == ([] if answered else [f"H {order.cl_ord_id}"])
    await later.end()


async def test_a_mass_question_waits_for_its_turn_and_goes_with_the_connection(desk: Desk) -> None:
    desk.gateway.has_mass_status = True
    desk.working()
    desk.gateway.bucket = TokenBucket(1, 1, NOW)
    begin_anew(desk)
    assert desk.gateway.decided[-1][0] == "D"
    begin_anew(desk)
    assert pass_time(desk, NOW + SECOND) == [(1, "AF all")]
    assert desk.entry.queued("BROKER") == 0


async def test_a_cancel_reject_tells_that_the_venue_knows_the_order(desk: Desk) -> None:
    order = desk.working()
    begin_anew(desk)
    [request] = desk.cancel(order).order.pending
    with desk.pipeline.deciding():
        desk.executions.cancel_rejected(cancel_reject(request.cl_ord_id), desk.gateway, NOW)
    assert pass_time(desk, NOW + 60 * SECOND) == []
