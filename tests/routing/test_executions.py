"""What venues say: every report finds its order, is recorded once, and is booked whatever it says."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.cause import Initiator
from fairlead_server.domain.event import Alarm, EventKind
from fairlead_server.domain.execution import ExecutionReport, MessageReject, ReportKind
from fairlead_server.domain.order import Flag, Order, OrderState
from fairlead_server.domain.reject import RejectReason, RejectSource
from fairlead_server.domain.terms import OrderType, Side
from fairlead_server.store.batch import ExecutionRow
from fairlead_server.store.database import OrderQuery
from msgspec.structs import replace

from tests.domain.builders import (
    LATER,
    NOW,
    bust,
    cancel_reject,
    correction,
    message,
    new_order,
    report,
    status,
    terms,
    trade,
    venue_reject,
)
from tests.routing.desk import PATIENT, Desk, about


def doubt(desk: Desk, order: Order, cl_ord_id: str = "") -> Order:
    with desk.pipeline.deciding():
        desk.executions.in_doubt(cl_ord_id or order.cl_ord_id, desk.gateway, "not sent again", NOW)
    return desk.now(order)


def reset(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.executions.session_reset(desk.gateway, "numbers were reset", NOW)


def up(desk: Desk) -> None:
    desk.gateway.available = True
    with desk.pipeline.deciding():
        desk.entry.session_up(desk.gateway, NOW)


async def rows(desk: Desk) -> list[ExecutionRow]:
    await desk.pipeline.durable()
    return [row for batch in desk.writer.batches for row in batch.executions]


# Reports of our orders.


async def test_a_fill_is_stored_with_its_order_its_event_and_the_position(desk: Desk) -> None:
    order = desk.working()
    await desk.pipeline.durable()
    after = desk.filled(order, 40)
    await desk.pipeline.durable()
    batch = desk.writer.batches[-1]
    assert batch.orders == {order.order_id: after}
    [event], [row] = batch.events, batch.executions
    assert (event.kind, event.sequence) == (EventKind.FILLED, after.sequence)
    assert (row.exec_id, row.quantity, row.price, row.sequence) == (
        "E1",
        Decimal(40),
        Decimal(50),
        event.sequence,
    )
    assert (row.side, row.kind, row.account_id) == ("BUY", EventKind.FILLED, "ACC1")
    assert batch.positions == {("ACC1", "ACME", ""): desk.book.holdings.of(("ACC1", "ACME", ""))}
    assert [(key, trade.quantity) for key, trade in batch.trades.items()] == [
        (("ACC1", "ACME", "", event.sequence), Decimal(40))
    ]
    assert desk.exposure() == replace(desk.exposure(), position=Decimal(40), buying=Decimal(60))
    told = desk.events[-1]
    assert (told.exec_id, told.cause.initiator, told.transact_time) == ("E1", Initiator.VENUE, NOW)


async def test_a_sale_takes_away_from_the_position(desk: Desk) -> None:
    desk.filled(desk.working(new_order(side=Side.SELL)), 40)
    assert desk.exposure() == replace(desk.exposure(), position=Decimal(-40), selling=Decimal(60))


async def test_a_report_that_is_told_again_changes_nothing(desk: Desk) -> None:
    order = desk.working()
    once = desk.filled(order, 40)
    assert desk.filled(order, 40) == once
    assert [row.exec_id for row in await rows(desk)] == ["E1"]


async def test_a_fill_told_again_after_a_restart_is_booked_once(desk: Desk) -> None:
    order = desk.filled(desk.working(), 40)
    later = await desk.restarted()
    assert later.filled(order, 40) == order
    assert later.filled(order, 60, "E2").state is OrderState.FILLED
    await later.end()


@pytest.mark.parametrize(
    "names",
    [
        {"cl_ord_id": ""},
        {"cl_ord_id": "unheard-of"},
    ],
)
async def test_a_report_finds_its_order_by_the_venues_number(desk: Desk, names: dict[str, str]) -> None:
    order = desk.working()
    assert desk.filled(order, 100, **names).state is OrderState.FILLED


async def test_a_report_finds_its_order_by_orig_cl_ord_id(desk: Desk) -> None:
    order = desk.sent()
    after = desk.filled(order, 100, cl_ord_id="theirs", orig_cl_ord_id=order.cl_ord_id, venue_order_id="")
    assert after.state is OrderState.FILLED


async def test_an_order_that_the_venue_renamed_is_found_under_its_new_name(desk: Desk) -> None:
    order = desk.working()
    renamed = report(ReportKind.REPLACED, order_qty=Decimal(120))
    desk.hear(about(order, renamed, cl_ord_id="DESK-1", orig_cl_ord_id=order.cl_ord_id))
    assert desk.now(order).terms.quantity == 120
    after = desk.filled(order, 20, cl_ord_id="DESK-1", venue_order_id="")
    assert after.cum_qty == 20
    later = await desk.restarted()
    assert later.filled(order, 20, "E2", cl_ord_id="DESK-1", venue_order_id="").cum_qty == 40
    await later.end()


async def test_two_sessions_may_use_one_name(desk: Desk) -> None:
    order = desk.working()
    other = dataclasses.replace(desk.gateway, session_id="ELSEWHERE")
    desk.executions._default_accounts = {"ELSEWHERE": "ACC1", "BROKER": "ACC1"}
    with desk.pipeline.deciding():
        desk.executions.apply(about(order, trade("E1", 40)), other, NOW)
    assert desk.now(order) == order
    assert Flag.EXTERNAL in desk.events[-1].order.flags


async def test_a_late_fill_of_an_archived_order_is_booked(desk: Desk) -> None:
    order = desk.working()
    desk.hear(about(order, report(ReportKind.CANCELED)))
    later = await desk.restarted()
    assert list(later.book.live("BROKER")) == []
    after = later.filled(order, 40)
    assert (after.state, after.cum_qty) == (OrderState.CANCELED, Decimal(40))
    assert later.events[-1].alarms == (Alarm.LATE_FILL,)
    assert later.exposure().position == 40
    await later.end()


async def test_an_archived_order_is_found_by_each_of_its_names(desk: Desk) -> None:
    order = desk.filled(desk.working(), 100)
    later = await desk.restarted()
    for n, names in enumerate([{"venue_order_id": ""}, {"cl_ord_id": ""}]):
        later.hear(about(order, bust(f"B{n}", "E1"), **names))
    assert later.now(order).cum_qty == 0
    assert Flag.BUSTED in later.now(order).flags
    assert later.exposure() == replace(later.exposure(), position=Decimal(0), buying=Decimal(100))
    await later.end()


async def test_a_bust_and_a_correction_are_rows_beside_the_fill(desk: Desk) -> None:
    order = desk.working()
    desk.filled(order, 40)
    desk.filled(order, 30, "E2")
    desk.hear(about(order, correction("C1", "E2", 20, 51)))
    desk.hear(about(order, bust("B1", "E1")))
    found = [(row.kind, row.exec_id, row.ref_exec_id, row.quantity) for row in await rows(desk)]
    assert found == [
        (EventKind.FILLED, "E1", "", Decimal(40)),
        (EventKind.FILLED, "E2", "", Decimal(30)),
        (EventKind.TRADE_CORRECTED, "C1", "E2", Decimal(20)),
        (EventKind.TRADE_BUSTED, "B1", "E1", Decimal(40)),
    ]
    assert desk.exposure().position == 20


async def test_a_bust_and_a_correction_days_later_are_booked_on_the_order_in_the_archive(desk: Desk) -> None:
    order = desk.filled(desk.working(), 60)
    desk.filled(order, 40, "E2")
    later = await desk.restarted()
    assert later.book.in_memory() == []
    later.hear(about(order, correction("C1", "E1", 50, 51)))
    later.hear(about(order, bust("B1", "E2")))
    after = later.now(order)
    assert (after.state, after.cum_qty, after.avg_px) == (
        OrderState.PARTIALLY_FILLED,
        Decimal(50),
        Decimal(51),
    )
    assert later.exposure().position == 50
    await later.end()


async def test_a_bust_that_comes_before_its_trade_keeps_the_position_right(desk: Desk) -> None:
    order = desk.working()
    desk.hear(about(order, bust("B1", "E1")))
    await desk.stored(order)
    desk.filled(order, 40)
    desk.filled(order, 30, "E2")
    assert desk.now(order).cum_qty == 30
    assert desk.exposure().position == 30
    assert [row.quantity for row in await rows(desk)] == [30]


async def test_a_trade_without_its_quantity_makes_us_ask(desk: Desk) -> None:
    order = desk.working()
    desk.hear(about(order, report(ReportKind.TRADE, exec_id="E1")))
    assert desk.gateway.decided[-1] == f"H {order.cl_ord_id}"
    desk.gateway.available = False
    desk.hear(about(order, report(ReportKind.TRADE, exec_id="E2")))
    assert len(desk.gateway.decided) == 2


# Orders that nobody submitted here.


async def test_a_fill_of_an_unknown_order_is_an_external_order_with_its_exposure(desk: Desk) -> None:
    desk.hear(replace(trade("E1", 40), cl_ord_id="theirs", order_qty=Decimal(100), price=Decimal(51)))
    event = desk.events[-1]
    order = event.order
    assert event.kind is EventKind.ORPHAN_EXECUTION
    assert order.flags == {Flag.EXTERNAL}
    assert (order.version, order.cum_qty) == (1, Decimal(40))
    assert (order.terms.quantity, order.terms.price) == (Decimal(100), Decimal(51))
    assert (order.request.account_id, order.request.instrument_id) == ("ACC1", "ACME")
    assert desk.exposure() == replace(desk.exposure(), position=Decimal(40), buying=Decimal(60))
    assert [row.quantity for row in await rows(desk)] == [40]
    assert desk.filled(order, 60, "E2", venue_order_id="V1").state is OrderState.FILLED


async def test_each_fill_of_an_unknown_order_is_denied_once_where_the_venue_wants_that(desk: Desk) -> None:
    desk.gateway.rules = replace(PATIENT, dont_know_trade=True)
    theirs: dict[str, Any] = {"cl_ord_id": "theirs", "venue_order_id": "V9", "order_qty": Decimal(100)}
    desk.hear(report(ReportKind.NEW, **theirs))
    desk.hear(trade("E1", 40, **theirs))
    desk.hear(trade("E1", 40, **theirs))
    desk.hear(correction("E2", "E1", 50, **theirs))
    desk.hear(bust("E3", "E2", **theirs))
    desk.hear(trade("E4", 10, cl_ord_id="others", venue_order_id="V10"))
    assert (desk.gateway.decided, desk.gateway.wire) == (["Q E1", "Q E2", "Q E4"], [])
    await desk.pipeline.durable()
    assert desk.gateway.wire == desk.gateway.decided

    ours = desk.filled(desk.working(), 40, "E5")
    assert desk.gateway.decided[3:] == [f"D {ours.cl_ord_id}"]


async def test_by_itself_a_trade_that_is_not_known_is_booked_and_denied_to_nobody(desk: Desk) -> None:
    desk.hear(replace(trade("E1", 40), cl_ord_id="theirs"))

    assert desk.events[-1].kind is EventKind.ORPHAN_EXECUTION
    assert desk.gateway.decided == []


async def test_an_external_order_is_known_after_a_restart(desk: Desk) -> None:
    desk.hear(replace(trade("E1", 100), cl_ord_id="theirs"))
    order = desk.events[-1].order
    assert order.state is OrderState.FILLED
    later = await desk.restarted()
    later.hear(replace(bust("B1", "E1"), cl_ord_id="theirs"))
    assert later.now(order).cum_qty == 0
    assert len(later.store.list_orders(OrderQuery())) == 1
    await later.end()


async def test_a_name_that_the_venue_knows_already_is_given_to_no_other_order(desk: Desk) -> None:
    """As after the store was put back to an earlier day: what was sent since then the venue still has."""
    desk.hear(replace(trade("E1", 40), cl_ord_id="FL1XV00000001", venue_order_id="V1"))
    forgotten = desk.events[-1].order
    first = desk.working(new_order(client_order_id="a"))
    later = await desk.restarted()
    later.hear(replace(trade("E2", 60), cl_ord_id="FL1XV00000003", venue_order_id="V3"))
    again = await later.restarted()
    second = again.working(new_order(client_order_id="b"))
    await again.pipeline.durable()

    assert (forgotten.cl_ord_id, first.cl_ord_id, second.cl_ord_id) == (
        "FL1XV00000001",
        "FL1XV00000002",
        "FL1XV00000004",
    )
    assert len(again.store.list_orders(OrderQuery())) == 4
    await again.end()


@pytest.mark.parametrize(
    "told",
    [
        report(ReportKind.REPLACED, cl_ord_id="FL1XV00000002", orig_cl_ord_id="FL1XV00000001"),
        trade("E1", 40, cl_ord_id="FL1XV00000002", venue_order_id="V1"),
        report(ReportKind.CANCELED, cl_ord_id="FL1XV00000002", orig_cl_ord_id="FL1XV00000001"),
        report(ReportKind.PENDING_CANCEL, cl_ord_id="FL1XV00000002", orig_cl_ord_id="FL1XV00000001"),
        report(ReportKind.STATUS, cl_ord_id="FL1XV00000002", venue_order_id="V9"),
        report(ReportKind.REJECTED, cl_ord_id="FL1XV00000002", venue_order_id="V9"),
        report(ReportKind.TRADE, cl_ord_id="theirs", orig_cl_ord_id="FL1XV00000002", venue_order_id="V9"),
    ],
    ids=lambda told: told.kind.name,
)
async def test_whatever_a_report_says_of_a_name_it_is_given_to_no_order(
    desk: Desk, told: ExecutionReport
) -> None:
    desk.working()
    desk.hear(told)

    assert desk.working(new_order(client_order_id="b")).cl_ord_id == "FL1XV00000003"


async def test_a_name_of_a_cancel_that_the_venue_refuses_is_given_to_no_order(desk: Desk) -> None:
    order = desk.working()
    with desk.pipeline.deciding():
        refused = cancel_reject("FL1XV00000002", orig_cl_ord_id=order.cl_ord_id)
        desk.executions.cancel_rejected(refused, desk.gateway, NOW)

    assert desk.working(new_order(client_order_id="b")).cl_ord_id == "FL1XV00000003"


@pytest.mark.parametrize(
    ("quantities", "expected"),
    [
        ({"order_qty": Decimal(100)}, 100),
        ({"cum_qty": Decimal(40), "leaves_qty": Decimal(30)}, 70),
        ({}, 40),
    ],
)
async def test_the_quantity_of_an_external_order_is_the_best_that_is_told(
    desk: Desk, quantities: dict[str, Decimal], expected: int
) -> None:
    desk.hear(replace(trade("E1", 40), cl_ord_id="theirs", **quantities))
    order = desk.events[-1].order
    assert order.terms.quantity == expected
    assert order.request.order_type is OrderType.MARKET


async def test_an_external_order_may_name_its_account_and_an_instrument_that_we_do_not_know(
    desk: Desk,
) -> None:
    desk.hear(replace(trade("E1", 40), cl_ord_id="", account="THEIRS", symbol="ZZZ"))
    assert desk.exposure("THEIRS", "ZZZ").position == 40
    order = desk.events[-1].order
    assert (order.cl_ord_ids, order.venue_order_id) == ((), "V1")


@pytest.mark.parametrize(
    "heard",
    [
        status("0"),
        report(ReportKind.REJECTED, reject=venue_reject()),
        replace(trade("E1", 40), side=None),
    ],
)
async def test_what_tells_of_no_exposure_makes_no_order(desk: Desk, heard: ExecutionReport) -> None:
    desk.hear(replace(heard, cl_ord_id="theirs"))
    assert desk.events == []


async def test_a_report_that_changes_nothing_yet_still_makes_the_external_order_known(desk: Desk) -> None:
    desk.hear(report(ReportKind.PENDING_CANCEL, cl_ord_id="theirs", order_qty=Decimal(100)))
    order = desk.events[-1].order
    assert (order.state, order.cl_ord_id) == (OrderState.PENDING_NEW, "theirs")
    assert desk.exposure().buying == 100


# Cancel rejects.


async def test_a_refused_cancel_leaves_the_order_as_its_fills_say(desk: Desk) -> None:
    order = desk.filled(desk.working(), 40)
    request = desk.cancel(order).order.pending[0]
    with desk.pipeline.deciding():
        desk.executions.cancel_rejected(cancel_reject(request.cl_ord_id), desk.gateway, NOW)
    after = desk.now(order)
    assert (after.state, after.pending) == (OrderState.PARTIALLY_FILLED, ())
    assert desk.events[-1].kind is EventKind.CANCEL_REJECTED
    assert desk.events[-1].message == message()
    assert desk.cancel(order).outcome is RequestOutcome.REJECTED
    assert desk.cancel(order, request_id="cancel-2").outcome is RequestOutcome.PENDING


async def test_an_order_unknown_to_the_venue_is_asked_about(desk: Desk) -> None:
    order = desk.working()
    request = desk.cancel(order).order.pending[0]
    answer = cancel_reject(request.cl_ord_id, unknown_order=True, too_late=False)
    with desk.pipeline.deciding():
        desk.executions.cancel_rejected(answer, desk.gateway, NOW)
    assert Flag.IN_DOUBT in desk.now(order).flags
    assert desk.gateway.decided[-1] == f"H {order.cl_ord_id}"


@pytest.mark.parametrize("cl_ord_id", ["theirs", "", "again"])
async def test_a_cancel_reject_that_answers_nothing_is_left_alone(desk: Desk, cl_ord_id: str) -> None:
    order = desk.working()
    before = len(desk.events)
    answer = cancel_reject(cl_ord_id, orig_cl_ord_id=order.cl_ord_id if cl_ord_id == "again" else "")
    with desk.pipeline.deciding():
        desk.executions.cancel_rejected(replace(answer, venue_order_id=""), desk.gateway, NOW)
    assert len(desk.events) == before


# Messages that the peer could not take.


def not_taken(desk: Desk, cl_ord_id: str) -> None:
    reject = venue_reject(RejectReason.VENUE_SESSION_REJECT, "Required tag missing")
    with desk.pipeline.deciding():
        desk.executions.message_rejected(MessageReject(message(), 2, reject), cl_ord_id, desk.gateway, NOW)


async def test_an_order_that_the_peer_could_not_take_is_rejected(desk: Desk) -> None:
    order = desk.sent()
    not_taken(desk, order.cl_ord_id)
    after = desk.now(order)
    assert after.state is OrderState.REJECTED
    assert after.reject is not None
    assert (after.reject.source, after.reject.text) == (RejectSource.VENUE, "Required tag missing")
    assert desk.exposure().buying == 0
    not_taken(desk, order.cl_ord_id)
    assert desk.kinds(order).count(EventKind.VENUE_REJECTED) == 1


async def test_an_amend_that_the_peer_could_not_take_is_refused(desk: Desk) -> None:
    order = desk.working()
    request = desk.amend(order, 200).order.pending[0]
    not_taken(desk, request.cl_ord_id)
    assert desk.now(order).pending == ()
    assert desk.events[-1].kind is EventKind.AMEND_REJECTED
    assert desk.exposure().buying == 100
    assert desk.amend(order, 200).outcome is RequestOutcome.REJECTED


async def test_a_cancel_that_the_peer_could_not_take_is_refused(desk: Desk) -> None:
    order = desk.working()
    not_taken(desk, desk.cancel(order).order.pending[0].cl_ord_id)
    assert desk.events[-1].kind is EventKind.CANCEL_REJECTED
    assert desk.now(order).state is OrderState.WORKING


async def test_a_refusal_of_something_else_leaves_the_order_alone(desk: Desk) -> None:
    order = desk.working()
    before = len(desk.events)
    not_taken(desk, order.cl_ord_id)  # the order is acknowledged: it was a status request
    not_taken(desk, "theirs")
    assert len(desk.events) == before


# Doubt.


async def test_an_order_that_will_not_arrive_is_in_doubt_and_asked_about(desk: Desk) -> None:
    order = doubt(desk, desk.sent())
    assert Flag.IN_DOUBT in order.flags
    assert desk.gateway.decided[-1] == f"H {order.cl_ord_id}"
    assert desk.events[-1].kind is EventKind.IN_DOUBT
    assert desk.events[-1].cause.initiator is Initiator.SYSTEM
    unknown = venue_reject(RejectReason.VENUE_UNKNOWN_ORDER)
    desk.hear(about(order, status("8", reject=unknown), venue_order_id="NONE"))
    after = desk.now(order)
    assert after.state is OrderState.REJECTED
    assert after.reject is not None
    assert after.reject.reason is RejectReason.ROUTER_SESSION_LOST
    assert desk.exposure().buying == 0


async def test_an_amend_that_will_not_arrive_is_refused(desk: Desk) -> None:
    order = desk.working()
    request = desk.amend(order, 200).order.pending[0]
    after = doubt(desk, order, request.cl_ord_id)
    assert after.pending == ()
    answer = desk.amend(order, 200)
    assert answer.outcome is RequestOutcome.REJECTED
    assert answer.reject is not None
    assert answer.reject.reason is RejectReason.ROUTER_SESSION_LOST
    desk.hear(about(order, status("0")))
    assert Flag.IN_DOUBT not in desk.now(order).flags
    assert desk.amend(order, 200, request_id="amend-2").outcome is RequestOutcome.PENDING


async def test_an_increase_that_alone_keeps_a_doubted_order_open_is_not_given_up(desk: Desk) -> None:
    order = desk.working()
    request = desk.amend(order, 200).order.pending[0]
    desk.filled(order, 100)
    after = doubt(desk, order, request.cl_ord_id)
    assert (after.state, after.pending, after.live) == (OrderState.FILLED, (request,), True)
    assert desk.gateway.decided[-1] == f"H {order.cl_ord_id}"


async def test_what_is_over_or_unknown_is_not_doubted(desk: Desk) -> None:
    order = desk.filled(desk.working(), 100)
    before = len(desk.events)
    doubt(desk, order)
    doubt(desk, order, "theirs")
    assert len(desk.events) == before


async def test_while_the_session_is_down_the_question_waits(desk: Desk) -> None:
    order = desk.sent()
    desk.gateway.available = False
    doubt(desk, order)
    assert len(desk.gateway.decided) == 1
    up(desk)
    assert desk.gateway.decided[1:] == [f"H {order.cl_ord_id}"]


# Numbers that begin anew.


async def test_after_a_reset_what_was_unanswered_is_in_doubt(desk: Desk) -> None:
    acked, unanswered = desk.working(), desk.sent(new_order(client_order_id="client-2"))
    amending = desk.working(new_order(client_order_id="client-3"))
    desk.amend(amending, 200)
    desk.gateway.available = False
    reset(desk)
    doubted = [o.order_id for o in (acked, unanswered, amending) if Flag.IN_DOUBT in desk.now(o).flags]
    assert doubted == [unanswered.order_id, amending.order_id]
    events = len(desk.events)
    reset(desk)  # a session that resets with each logon must not tell it each time
    assert len(desk.events) == events
    up(desk)
    assert [text[0] for text in desk.gateway.decided[-2:]] == ["H", "H"]


async def test_a_reset_while_active_asks_at_once(desk: Desk) -> None:
    order = desk.sent()
    reset(desk)
    assert desk.gateway.decided[-1] == f"H {order.cl_ord_id}"


async def test_a_cancel_of_the_old_epoch_is_sent_anew(desk: Desk) -> None:
    order = desk.working()
    lost = desk.cancel(order).order.pending[0]
    desk.gateway.available = False
    reset(desk)
    up(desk)
    [request] = desk.now(order).pending
    assert request.request_id == lost.request_id
    assert request.cl_ord_id != lost.cl_ord_id
    assert desk.gateway.decided[-2:] == [
        f"F {request.cl_ord_id} for {order.cl_ord_id}",
        f"H {order.cl_ord_id}",
    ]
    desk.hear(about(order, report(ReportKind.CANCELED), cl_ord_id=lost.cl_ord_id))  # it had arrived after all
    assert desk.cancel(order).outcome is RequestOutcome.DONE


async def test_orders_of_other_sessions_are_not_doubted(desk: Desk) -> None:
    order = desk.sent()
    with desk.pipeline.deciding():
        desk.executions.session_reset(dataclasses.replace(desk.gateway, session_id="OTHER"), "reset", LATER)
    assert desk.now(order) == order


async def test_a_fill_beyond_the_quantity_is_booked_in_full(desk: Desk) -> None:
    order = desk.working(new_order(terms=terms(100)))
    after = desk.filled(order, 150)
    assert Flag.OVERFILLED in after.flags
    assert desk.exposure().position == 150
    assert Alarm.OVERFILL in desk.events[-1].alarms


async def test_two_busts_under_one_exec_id_are_both_kept(desk: Desk) -> None:
    order = desk.working()
    desk.filled(order, 40)
    desk.filled(order, 30, "E2")
    desk.hear(about(order, bust("B1", "E1")))
    desk.hear(about(order, bust("B1", "E2")))
    await desk.pipeline.durable()
    assert desk.now(order).cum_qty == 0
