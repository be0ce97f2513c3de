"""One OrderMassCancelRequest(q) for many cancels: when it is sent, what answers it, and what takes its place."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from fairlead_server.domain.amendments import RequestOutcome, Selection
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import CancelReject, MassCancelReport, ReportKind
from fairlead_server.domain.order import Order, OrderState
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.terms import Side
from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.routing.suspects import TRIES

from tests.domain.builders import NOW, cancel_reject, new_order, report, trade
from tests.routing.desk import SECOND, Desk, about
from tests.routing.test_mass_cancel import ALL, KEY, OTHER, cancel_all, numbered
from tests.routing.test_unanswered import down, pass_time, up

RULES = VenueRules(mass_cancel=True)  # five seconds of patience


@pytest.fixture(autouse=True)
def _able(desk: Desk) -> None:
    make_able(desk)


def make_able(desk: Desk) -> Desk:
    desk.gateway.has_mass_cancel, desk.gateway.rules = True, RULES
    return desk


def answer(desk: Desk, *, accepted: bool = True, name: str = "", at: datetime = NOW) -> None:
    named = name or next(text.split()[1] for text in reversed(desk.gateway.decided) if text[0] == "q")
    with desk.pipeline.deciding():
        desk.entry.mass_cancel_answered(MassCancelReport(named, accepted, "why"), desk.gateway, at)


def refuse_one(desk: Desk, order: Order, reason: RejectReason, named: str) -> None:
    heard = cancel_reject(named)
    reject = Reject(RejectSource.VENUE, reason, "")
    refused = CancelReject(heard.message, named, "", f"V-{order.order_id}", "0", False, False, reject)
    with desk.pipeline.deciding():
        desk.executions.cancel_rejected(refused, desk.gateway, NOW)


def after(desk: Desk, sent: int) -> list[str]:
    """What has gone out since, without the names that were made for it."""
    return [text.split()[0] for text in desk.gateway.decided[sent:]]


def two(desk: Desk) -> tuple[list[Order], int]:
    orders = [desk.working(new_order(client_order_id=f"key-{n}")) for n in range(2)]
    return orders, len(desk.gateway.decided)


# What is sent.


async def test_one_message_asks_for_all_and_each_order_has_its_cancel(desk: Desk) -> None:
    orders, sent = two(desk)
    await desk.pipeline.durable()
    before = len(desk.writer.batches)

    done = cancel_all(desk)
    await desk.pipeline.durable()

    [text] = desk.gateway.wire[sent:]
    name = text.split()[1]
    assert text == f"q {name} all"
    assert (done.matched, done.requested) == (2, 2)
    for order in orders:
        [request] = desk.now(order).pending
        assert (request.is_cancel, request.cl_ord_id, request.mass_cl_ord_id) == (True, "", name)
        assert name not in desk.now(order).cl_ord_ids
        assert desk.kinds(order)[-1] is EventKind.CANCEL_REQUESTED
    assert desk.events[-1].cause.mass_cancel_id == done.mass_cancel_id
    assert len(desk.writer.batches) == before + 1
    assert desk.writer.batches[-1].counters["cl_ord_id"] == desk.cl_ord_ids.last


@pytest.mark.parametrize(
    ("selection", "types"),
    [
        (ALL, ["q"]),
        (Selection(side=Side.BUY), ["q"]),
        (Selection(instrument_ids=("ACME",)), ["q"]),
        (Selection(session_ids=("BROKER",)), ["q"]),
        (Selection("ACC1"), ["F", "F"]),
        (Selection(trade_session="T1"), []),
    ],
)
async def test_only_what_it_can_say_exactly_goes_in_one_message(
    desk: Desk, selection: Selection, types: list[str]
) -> None:
    _, sent = two(desk)
    cancel_all(desk, selection)
    assert after(desk, sent) == types


async def test_what_it_would_take_with_it_makes_it_single_cancels(desk: Desk) -> None:
    selling = desk.working(new_order(client_order_id="sell", side=Side.SELL))
    desk.working(new_order(client_order_id="short", side=Side.SELL_SHORT))
    sent = len(desk.gateway.decided)
    cancel_all(desk, Selection(side=Side.SELL))
    assert after(desk, sent) == ["F"]
    assert desk.now(selling).pending[0].is_sent


async def test_a_venue_without_it_gets_single_cancels(desk: Desk) -> None:
    desk.gateway.has_mass_cancel = False
    _, sent = two(desk)
    cancel_all(desk)
    assert after(desk, sent) == ["F", "F"]


async def test_an_amend_that_waits_is_superseded_by_it_too(desk: Desk) -> None:
    order = desk.working()
    desk.amend(order, 200)
    desk.amend(order, 300, request_id="amend-2")
    cancel_all(desk)
    assert desk.kinds(order)[-2:] == [EventKind.AMEND_REJECTED, EventKind.CANCEL_REQUESTED]
    record = desk.book.request("amend-2")
    assert record is not None
    assert record.reject is not None
    assert record.reject.reason is RejectReason.ROUTER_AMEND_SUPERSEDED


async def test_it_goes_before_everything_that_waits(desk: Desk) -> None:
    orders, sent = two(desk)
    desk.gateway.bucket = TokenBucket(1, 1, NOW)
    other = desk.sent(new_order(client_order_id="later"))
    desk.cancel(orders[0])
    done = cancel_all(desk)
    assert (done.requested, done.pending, done.canceled) == (1, 1, 1)
    assert desk.now(other).state is OrderState.CANCELED
    assert after(desk, sent) == []

    desk.entry.dispatch(desk.gateway, NOW + SECOND)
    desk.entry.dispatch(desk.gateway, NOW + 2 * SECOND)

    assert after(desk, sent) == ["q", "F"]
    assert desk.now(orders[1]).pending[0].mass_cl_ord_id


async def test_what_became_too_much_while_it_waited_goes_singly(desk: Desk) -> None:
    orders, sent = two(desk)
    desk.gateway.available = False
    cancel_all(desk)
    external = about(orders[0], report(ReportKind.NEW), cl_ord_id="THEIRS", venue_order_id="V-THEIRS")
    desk.hear(external)  # the venue tells of another, of somebody else
    up(desk)
    assert after(desk, sent) == ["F", "F"]


async def test_what_can_go_together_after_all_does_not_go_singly_too(desk: Desk) -> None:
    orders, sent = two(desk)
    desk.gateway.bucket = TokenBucket(1, 1, NOW)
    cancel_all(desk)
    theirs = about(orders[0], report(ReportKind.NEW), cl_ord_id="THEIRS", venue_order_id="V-THEIRS")
    desk.hear(theirs)
    desk.entry.dispatch(desk.gateway, NOW + SECOND)  # too much by now: the first goes singly
    assert after(desk, sent) == ["F"]
    gone = about(
        orders[0], report(ReportKind.CANCELED), cl_ord_id="THEIRS", venue_order_id="V-THEIRS", exec_id="X9"
    )
    desk.hear(gone)
    down(desk)
    up(desk, NOW + 2 * SECOND)
    told = pass_time(desk, NOW + 4 * SECOND)
    assert after(desk, sent) == ["F", "q"]
    assert told == []
    assert desk.entry.queued("BROKER") == 0


async def test_while_nothing_can_be_sent_its_time_does_not_run_out(desk: Desk) -> None:
    """The peer does not read: what waits for its turn is refused in time, what was asked for stays asked for."""
    _, sent = two(desk)
    cancel_all(desk)
    desk.gateway.bucket = TokenBucket(1, 1, NOW)
    desk.gateway.max_queue = 9 * SECOND
    late = desk.sent(new_order(client_order_id="late"))
    desk.gateway.available = False
    desk.entry.dispatch(desk.gateway, NOW + 9 * SECOND)
    assert desk.now(late).state is OrderState.REJECTED
    assert desk.entry.queued("BROKER") == 0
    up(desk, NOW + 10 * SECOND)
    assert after(desk, sent) == ["q"]


async def test_with_the_session_down_it_goes_out_first_when_it_is_up(desk: Desk) -> None:
    orders, sent = two(desk)
    desk.gateway.available = False
    done = cancel_all(desk)
    assert not any(desk.now(order).pending[0].mass_cl_ord_id for order in orders)
    up(desk)
    assert after(desk, sent) == ["q"]
    assert {event.cause.mass_cancel_id for event in desk.events[-2:]} == {done.mass_cancel_id}


async def test_what_waits_is_one_message_after_a_restart_too(desk: Desk) -> None:
    two(desk)
    desk.gateway.available = False
    cancel_all(desk)

    again = make_able(await desk.restarted())
    up(again)

    assert after(again, 0) == ["q"]
    await again.end()


async def test_of_several_instruments_each_has_a_message_in_its_turn(desk: Desk) -> None:
    mine, sent = two(desk)
    desk.hear(about(mine[0], report(ReportKind.NEW), cl_ord_id="X1", venue_order_id="V-X1", symbol="OTHER"))
    desk.gateway.bucket = TokenBucket(1, 1, NOW)
    cancel_all(desk, Selection(instrument_ids=("ACME", "OTHER")))
    assert pass_time(desk, NOW + 2 * SECOND) == [
        (1, desk.gateway.decided[sent]),
        (2, desk.gateway.decided[-1]),
    ]
    assert [text.split()[2] for text in desk.gateway.decided[sent:]] == ["ACME", "OTHER"]


# What the venue says of it.


async def test_each_order_ends_by_its_own_report_under_its_own_name(desk: Desk) -> None:
    (first, second), _ = two(desk)
    done = cancel_all(desk)
    answer(desk)
    desk.hear(about(first, report(ReportKind.CANCELED)))

    assert desk.now(first).state is OrderState.CANCELED
    assert desk.events[-1].cause.mass_cancel_id == done.mass_cancel_id
    assert not desk.events[-1].unsolicited
    assert desk.now(second).pending
    outcomes = [each.outcome for each in desk.book._requests.values()]
    assert outcomes == [RequestOutcome.DONE, RequestOutcome.PENDING]


async def test_a_report_under_the_name_of_the_message_is_known_by_the_order_it_names(desk: Desk) -> None:
    (order, _), _ = two(desk)
    cancel_all(desk)
    name = desk.now(order).pending[0].mass_cl_ord_id
    heard = about(order, report(ReportKind.PENDING_CANCEL), cl_ord_id=name, orig_cl_ord_id=order.cl_ord_id)
    desk.hear(heard)
    assert desk.now(order).pending[0].pending_at_venue
    assert desk.kinds(order)[-1] is EventKind.CANCEL_PENDING


@pytest.mark.parametrize("named", [True, False])
async def test_pending_cancel_is_told_of_the_order_itself(desk: Desk, *, named: bool) -> None:
    (order, _), _ = two(desk)
    cancel_all(desk)
    desk.hear(about(order, report(ReportKind.PENDING_CANCEL), cl_ord_id=order.cl_ord_id if named else ""))
    assert desk.kinds(order)[-1] is EventKind.CANCEL_PENDING


async def test_a_fill_that_crosses_it_ends_the_cancel_which_nobody_will_answer(desk: Desk) -> None:
    (order, other), _ = two(desk)
    cancel_all(desk)
    desk.hear(about(order, trade("E1", 40)))
    assert desk.now(order).pending
    desk.hear(about(order, trade("E2", 60)))

    assert (desk.now(order).state, desk.now(order).pending) == (OrderState.FILLED, ())
    assert desk.now(other).pending
    outcomes = [each.outcome for each in desk.book._requests.values()]
    assert outcomes == [RequestOutcome.ALREADY_TERMINAL, RequestOutcome.PENDING]


async def test_if_it_is_refused_each_order_is_cancelled_by_itself(desk: Desk) -> None:
    orders, sent = two(desk)
    done = cancel_all(desk)
    answer(desk, accepted=False)

    assert after(desk, sent) == ["q", "F", "F"]
    for order in orders:
        [request] = desk.now(order).pending
        assert (request.is_sent, request.mass_cl_ord_id) == (True, "")
        assert request.orig_cl_ord_id == order.cl_ord_id
    assert {event.cause.mass_cancel_id for event in desk.events[-2:]} == {done.mass_cancel_id}
    assert len(list(desk.book._requests.values())) == 2


async def test_one_order_that_it_cannot_do_is_cancelled_by_itself(desk: Desk) -> None:
    (order, _), sent = two(desk)
    cancel_all(desk)
    refuse_one(desk, order, RejectReason.VENUE_CANCEL_MASS_CANCEL_UNABLE, order.cl_ord_id)
    desk.entry.dispatch(desk.gateway, NOW)
    assert after(desk, sent) == ["q", "F"]
    assert desk.gateway.decided[-1].endswith(order.cl_ord_id)


@pytest.mark.parametrize("by_order", [True, False])
async def test_one_order_that_is_not_to_be_cancelled_is_told_as_any_other(
    desk: Desk, *, by_order: bool
) -> None:
    (order, other), sent = two(desk)
    cancel_all(desk)
    name = order.cl_ord_id if by_order else desk.now(order).pending[0].mass_cl_ord_id
    refuse_one(desk, order, RejectReason.VENUE_CANCEL_TOO_LATE, name)
    assert desk.kinds(order)[-1] is EventKind.CANCEL_REJECTED
    assert (desk.now(order).pending, len(desk.now(other).pending)) == ((), 1)
    assert after(desk, sent) == ["q"]


async def test_a_refusal_under_a_name_of_something_else_is_none_of_it(desk: Desk) -> None:
    (order, _), _ = two(desk)
    cancel_all(desk)
    refuse_one(desk, order, RejectReason.VENUE_CANCEL_TOO_LATE, "ANOTHER")
    assert desk.now(order).pending


# When nothing comes.


async def test_silence_makes_it_single_cancels(desk: Desk) -> None:
    _, sent = two(desk)
    cancel_all(desk)
    assert pass_time(desk, NOW + timedelta(seconds=4.9)) == []
    told = pass_time(desk, NOW + 5 * SECOND)
    assert [(at, text.split()[0]) for at, text in told] == [(5, "F"), (5, "F")]
    assert after(desk, sent) == ["q", "F", "F"]


async def test_what_is_left_so_long_after_it_was_accepted_is_cancelled_singly(desk: Desk) -> None:
    (first, second), _ = two(desk)
    cancel_all(desk)
    answer(desk, at=NOW + 4 * SECOND)
    desk.hear(about(first, report(ReportKind.CANCELED)))
    desk.hear(about(second, report(ReportKind.PENDING_CANCEL)))  # is a word, and not the last
    told = pass_time(desk, NOW + 9 * SECOND)
    assert [(at, text.split()[0], text.split()[-1]) for at, text in told] == [(9, "F", second.cl_ord_id)]


async def test_single_cancels_wait_for_their_turn_where_messages_are_paced(desk: Desk) -> None:
    two(desk)
    desk.gateway.bucket = TokenBucket(1, 1, NOW - SECOND)
    cancel_all(desk)
    answer(desk, accepted=False)
    assert desk.entry.queued("BROKER") == 2
    told = pass_time(desk, NOW + 3 * SECOND)
    assert [(at, text.split()[0]) for at, text in told] == [(1, "F"), (2, "F")]


@pytest.mark.parametrize("name", ["", "NOT-OURS"])
async def test_an_answer_to_nothing_of_ours_changes_nothing(desk: Desk, name: str) -> None:
    _, sent = two(desk)
    cancel_all(desk)
    with desk.pipeline.deciding():
        desk.entry.mass_cancel_answered(MassCancelReport(name, accepted=False), desk.gateway, NOW)
    assert after(desk, sent) == ["q"]


async def test_an_answer_that_comes_when_it_was_given_up_changes_nothing(desk: Desk) -> None:
    _, sent = two(desk)
    cancel_all(desk)
    name = desk.gateway.decided[-1].split()[1]
    answer(desk, accepted=False)
    answer(desk, accepted=False, name=name)
    answer(desk, name=name)
    assert after(desk, sent) == ["q", "F", "F"]


async def test_a_connection_that_is_lost_begins_its_time_anew(desk: Desk) -> None:
    _, sent = two(desk)
    cancel_all(desk)
    down(desk)
    assert pass_time(desk, NOW + 60 * SECOND) == []
    with desk.pipeline.deciding():
        desk.gateway.available = True
        desk.entry.session_up(desk.gateway, NOW + 60 * SECOND)
    assert after(desk, sent) == ["q"]
    told = pass_time(desk, NOW + 70 * SECOND)
    assert [(at, text.split()[0]) for at, text in told if text[0] == "F"] == [(65, "F"), (65, "F")]


async def test_a_restart_forgets_none_of_them(desk: Desk) -> None:
    two(desk)
    cancel_all(desk)

    again = make_able(await desk.restarted())
    assert again.entry.queued("BROKER") == 0
    up(again)

    assert after(again, 0) == []
    told = pass_time(again, NOW + 6 * SECOND)
    assert [(at, text.split()[0]) for at, text in told] == [(5, "F"), (5, "F")]
    await again.end()


async def test_a_refusal_that_a_crash_left_behind_is_made_up_for(desk: Desk) -> None:
    """Refused, the single cancels wait for their turn, and then the process is gone."""
    two(desk)
    desk.gateway.bucket = TokenBucket(1, 1, NOW - SECOND)
    cancel_all(desk)
    answer(desk, accepted=False)

    again = make_able(await desk.restarted())
    up(again)

    assert [text.split()[0] for _, text in pass_time(again, NOW + 6 * SECOND)] == ["F", "F"]
    await again.end()


async def test_a_reset_of_the_numbers_has_it_sent_anew(desk: Desk) -> None:
    orders, sent = two(desk)
    cancel_all(desk)
    with desk.pipeline.deciding():
        desk.executions.session_reset(desk.gateway, "numbers were reset", NOW)
    assert all(desk.now(order).pending[0].waits for order in orders)
    desk.entry.dispatch(desk.gateway, NOW)
    assert [each for each in after(desk, sent) if each != "H"] == ["q", "q"]
    assert len({desk.now(order).pending[0].mass_cl_ord_id for order in orders}) == 1


async def test_a_single_cancel_of_such_an_order_is_under_way_already(desk: Desk) -> None:
    (order, _), sent = two(desk)
    cancel_all(desk)
    assert desk.cancel(order).outcome is RequestOutcome.PENDING
    again = cancel_all(desk, key=OTHER)
    assert (again.matched, again.pending, again.requested) == (2, 2, 0)
    assert after(desk, sent) == ["q"]


async def test_an_order_of_which_nothing_was_heard_is_in_it_as_well(desk: Desk) -> None:
    order = desk.sent()
    cancel_all(desk)
    answer(desk)
    desk.hear(about(order, report(ReportKind.NEW)))
    desk.hear(about(order, report(ReportKind.CANCELED)))
    assert desk.now(order).state is OrderState.CANCELED


async def test_two_hundred_of_them_leave_in_one_message(desk: Desk) -> None:
    numbered(desk, 200)
    sent = len(desk.gateway.decided)
    assert cancel_all(desk).requested == 200
    assert after(desk, sent) == ["q"]


async def test_cancels_that_cannot_be_durable_together_are_asked_for_one_by_one(desk: Desk) -> None:
    orders, sent = two(desk)
    for _ in range(TRIES):
        desk.pipeline._suspects.failed([f"request {KEY} on BROKER"], ValueError("it does not fit"))

    cancel_all(desk)

    assert after(desk, sent) == ["F", "F"]
    assert all(desk.now(order).pending for order in orders)
