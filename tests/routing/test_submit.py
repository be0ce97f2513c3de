"""Submitting: one key is one order, a refusal is an order too, and an error means that there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from fairlead_server.domain.cause import Initiator
from fairlead_server.domain.errors import (
    CapabilityMissing,
    ClientOrderIdConflict,
    Draining,
    NotRoutedInTime,
    RouterError,
    StoreUnavailable,
    UnknownOrder,
    VenueUnavailable,
)
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import OrderState, RouteState
from fairlead_server.domain.position import DayTotal
from fairlead_server.domain.reject import RejectReason, RejectSource
from fairlead_server.domain.routes import Route
from fairlead_server.fix.session import Numbers
from fairlead_server.routing.order_entry import OrderRef
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import OrderQuery, Store
from msgspec.structs import replace

from tests.domain.builders import NOW, new_order, report, terms, trade
from tests.routing.desk import SECOND, Desk, FakeGateway, about, ref


async def test_an_order_is_durable_before_it_is_written(desk: Desk) -> None:
    order = desk.sent()
    assert desk.gateway.decided == [f"D {order.cl_ord_id}"]
    assert desk.gateway.wire == []
    stored = await desk.stored(order)
    assert desk.gateway.wire == [f"D {order.cl_ord_id}"]
    assert stored == order
    assert (stored.state, stored.route_state) == (OrderState.PENDING_NEW, RouteState.SENT)
    assert desk.kinds(order) == [EventKind.ACCEPTED, EventKind.ROUTED]


async def test_all_that_a_decision_leads_to_is_one_batch(desk: Desk) -> None:
    order = desk.sent()
    await desk.pipeline.durable()
    [batch] = desk.writer.batches
    assert list(batch.orders) == [order.order_id]
    assert batch.new_cl_ord_ids == {("BROKER", order.cl_ord_id): order.order_id}
    assert [(e.sequence, e.kind) for e in batch.events] == [(1, EventKind.ACCEPTED), (2, EventKind.ROUTED)]
    [decision] = batch.decisions
    assert (decision.order_id, decision.allowed, decision.policy_version) == (order.order_id, True, "v1")
    assert [(m.msg_type, m.msg_seq_num) for m in batch.messages] == [("D", 1)]
    assert batch.sessions == {"BROKER": Numbers(1, 2)}
    assert batch.counters == {"cl_ord_id": 1}
    assert not batch.positions
    assert batch.day_totals == {(NOW.date(), "ACC1", "ACME", "", "BROKER"): DayTotal(orders=1)}


async def test_the_events_say_who_brought_them_about(desk: Desk) -> None:
    desk.sent()
    assert [(e.cause.initiator, e.cause.principal) for e in desk.events] == [
        (Initiator.CLIENT, "desk"),
        (Initiator.SYSTEM, ""),
    ]


# One key, one order.


async def test_the_same_request_again_gets_the_same_order(desk: Desk) -> None:
    first = desk.submit()
    await desk.pipeline.durable()
    again = desk.submit(at=NOW + SECOND)
    assert not first.duplicate
    assert again.duplicate
    assert again.order == first.order
    assert desk.gateway.decided == [f"D {first.order.cl_ord_id}"]


async def test_the_same_request_before_the_first_is_durable_waits_for_it(desk: Desk) -> None:
    first, again = desk.submit(), desk.submit()
    assert again.duplicate
    assert desk.writer.batches == []
    await asyncio.gather(desk.pipeline.durable(), desk.pipeline.durable())
    assert len(desk.writer.batches) == 1
    assert desk.store.list_orders(OrderQuery()) == [first.order]


async def test_the_same_request_after_a_restart_gets_the_same_order(desk: Desk) -> None:
    first = desk.submit()
    later = await desk.restarted()
    again = later.submit()
    assert (again.duplicate, again.order) == (True, first.order)
    assert later.gateway.decided == []
    await later.end()


async def test_the_key_of_an_order_that_has_ended_is_found_in_the_archive(desk: Desk) -> None:
    order = desk.filled(desk.working(), 100)
    later = await desk.restarted()
    assert later.store.load(NOW).orders == []
    again = later.submit()
    assert again.duplicate
    assert again.order.state is OrderState.FILLED
    assert later.entry.find(OrderRef("", "ACC1", "client-1")) == desk.now(order)
    await later.end()


async def test_another_request_under_the_key_is_a_conflict_that_names_the_fields(desk: Desk) -> None:
    order = desk.sent()
    other = new_order(terms=terms(200, 51), strategy_id="S2", note="a note is no difference")
    with pytest.raises(ClientOrderIdConflict) as caught:
        desk.submit(other)
    assert caught.value.order_id == order.order_id
    assert caught.value.differing_fields == ("strategy_id", "quantity", "price")
    assert len(desk.kinds(order)) == 2


async def test_amounts_with_other_digits_are_no_other_request(desk: Desk) -> None:
    first = desk.submit(new_order(terms=terms("100", "50")))
    again = desk.submit(new_order(terms=terms("100.0", "50.00")))
    assert (again.duplicate, again.order) == (True, first.order)


async def test_two_accounts_may_use_one_key(desk: Desk) -> None:
    desk.sent()
    refused = desk.submit(new_order(account_id="ACC2"))
    assert not refused.duplicate
    assert refused.order.state is OrderState.REJECTED  # it has no limits


async def test_a_refused_order_keeps_its_key(desk: Desk) -> None:
    refused = desk.submit(new_order(terms=terms(5)))
    again = desk.submit(new_order(terms=terms(5)))
    assert (again.duplicate, again.order) == (True, refused.order)


async def test_a_key_is_answered_although_nothing_new_would_be_taken(desk: Desk) -> None:
    first = desk.submit()
    desk.entry.draining = True
    desk.gateway.available = False
    again = desk.submit(deadline=NOW - SECOND)
    assert (again.duplicate, again.order) == (True, first.order)


# Refusals are orders.


async def test_a_refusal_by_risk_is_a_stored_order_with_every_breach(desk: Desk) -> None:
    order = desk.sent(new_order(terms=terms(2005, "50.01")))
    stored = await desk.stored(order)
    assert stored.state is OrderState.REJECTED
    assert stored.route_state is RouteState.NONE
    assert stored.reject is not None
    assert stored.reject.source is RejectSource.RISK
    assert [breach.reason for breach in stored.reject.breaches] == [
        RejectReason.RISK_LOT_SIZE,
        RejectReason.RISK_TICK_SIZE,
        RejectReason.RISK_MAX_QUANTITY,
        RejectReason.RISK_MAX_NOTIONAL,
    ]
    [batch] = desk.writer.batches
    assert [event.kind for event in batch.events] == [EventKind.RISK_REJECTED]
    assert desk.events[0].cause.initiator is Initiator.RISK
    assert [(d.allowed, len(d.breaches)) for d in batch.decisions] == [(False, 4)]
    assert (batch.messages, batch.sessions, batch.new_cl_ord_ids) == ([], {}, {})
    assert desk.gateway.decided == []


async def test_an_instrument_that_is_not_known_is_refused_and_stored(desk: Desk) -> None:
    order = desk.sent(new_order(instrument_id="NOWHERE"))
    assert order.reject is not None
    assert order.reject.reason is RejectReason.RISK_UNKNOWN_INSTRUMENT
    assert (await desk.stored(order)).symbol == ""


async def test_no_route_is_a_refusal_by_the_router(store: Store) -> None:
    desk = Desk(store, routes=[Route("OTHER", "BROKER", instruments=frozenset({"ELSEWHERE"}))])
    order = desk.sent()
    assert order.reject is not None
    assert (order.reject.source, order.reject.reason) == (RejectSource.ROUTER, RejectReason.ROUTER_NO_ROUTE)
    await desk.end()


async def test_like_orders_within_the_window_are_refused(store: Store) -> None:
    desk = Desk(store, duplicate_window=timedelta(seconds=10))
    states = [desk.sent(new_order(client_order_id=f"c{n}"), at=NOW + n * 6 * SECOND).state for n in range(3)]
    assert states == [OrderState.PENDING_NEW, OrderState.REJECTED, OrderState.PENDING_NEW]
    await desk.end()


async def test_like_orders_from_before_a_restart_count(store: Store) -> None:
    desk = Desk(store, duplicate_window=timedelta(seconds=10))
    for name, at in (("old", NOW - 11 * SECOND), ("sent", NOW - SECOND), ("refused", NOW)):
        desk.sent(new_order(client_order_id=name), at=at)

    later = await desk.restarted()
    states = [later.sent(new_order(client_order_id=f"c{n}"), at=NOW + n * SECOND).state for n in (8, 9)]

    assert states == [OrderState.REJECTED, OrderState.PENDING_NEW]
    await later.end()


async def test_working_orders_count_towards_the_next(desk: Desk) -> None:
    for n in range(5):
        assert desk.sent(new_order(client_order_id=f"c{n}", terms=terms(1000))).reject is None
    refused = desk.sent(new_order(client_order_id="c5", terms=terms(1000)))
    assert refused.reject is not None
    assert refused.reject.reason is RejectReason.RISK_POSITION_LIMIT
    assert desk.exposure().buying == 5000


# An error means that there is no order.

_Change = Callable[[Desk], object]


def _close_session(desk: Desk) -> None:
    desk.gateway.available = False
    desk.gateway.down_since = NOW - SECOND


def _lack(desk: Desk) -> None:
    desk.gateway.lacks = "SELF_MATCH_ID"


def _drain(desk: Desk) -> None:
    desk.entry.draining = True


@pytest.mark.parametrize(
    ("given", "expected"),
    [(_close_session, VenueUnavailable), (_lack, CapabilityMissing), (_drain, Draining)],
)
async def test_nothing_is_stored_nor_sent(desk: Desk, given: _Change, expected: type[RouterError]) -> None:
    given(desk)
    with pytest.raises(expected):
        desk.submit()
    await desk.pipeline.durable()
    assert (desk.writer.batches, desk.events, desk.gateway.decided) == ([], [], [])
    with pytest.raises(UnknownOrder, match="ACC1/client-1"):
        desk.entry.find(OrderRef("", "ACC1", "client-1"))
    assert desk.exposure().buying == 0


async def test_a_session_that_is_down_says_since_when(desk: Desk) -> None:
    _close_session(desk)
    with pytest.raises(VenueUnavailable) as caught:
        desk.submit()
    assert (caught.value.session_id, caught.value.down_since) == ("BROKER", NOW - SECOND)


@pytest.mark.parametrize(
    ("deadline", "route_before"),
    [(NOW, None), (NOW - SECOND, None), (None, NOW), (NOW + SECOND, NOW - SECOND)],
)
async def test_an_order_that_comes_too_late_is_none(
    desk: Desk, deadline: datetime | None, route_before: datetime | None
) -> None:
    with pytest.raises(NotRoutedInTime):
        desk.submit(new_order(route_before=route_before), deadline=deadline)
    await desk.pipeline.durable()
    assert desk.writer.batches == []


async def test_the_key_of_an_order_that_was_not_created_can_be_used(desk: Desk) -> None:
    _close_session(desk)
    with pytest.raises(VenueUnavailable):
        desk.submit()
    desk.gateway.available = True
    assert not desk.submit().duplicate


async def test_a_route_may_be_asked_for_by_name(store: Store) -> None:
    other = FakeGateway("OTHER")
    desk = Desk(
        store,
        routes=[Route("ALL", "BROKER"), Route("SPECIAL", "OTHER")],
        gateways={"BROKER": FakeGateway(), "OTHER": other},
    )
    order = desk.sent(new_order(route_id="SPECIAL"))
    assert (order.session_id, other.decided) == ("OTHER", [f"D {order.cl_ord_id}"])
    await desk.end()


async def test_cl_ord_ids_go_on_after_a_restart(desk: Desk) -> None:
    first = desk.sent()
    later = await desk.restarted()
    second = later.sent(new_order(client_order_id="client-2"))
    assert second.cl_ord_id > first.cl_ord_id
    assert later.ledger.head == 4
    assert later.gateway.numbers == Numbers(1, 3)
    await later.end()


# When the store fails.


async def test_an_order_that_cannot_be_made_durable_is_not_written(desk: Desk) -> None:
    desk.writer.failure = OSError("disk full")
    desk.sent()
    with pytest.raises(StoreUnavailable):
        await desk.pipeline.durable()
    assert desk.gateway.wire == []
    with pytest.raises(StoreUnavailable):
        desk.submit(new_order(client_order_id="client-2"))


async def test_after_a_failure_memory_is_what_is_committed(desk: Desk) -> None:
    kept = desk.filled(desk.working(), 40)
    await desk.pipeline.durable()
    desk.writer.failure = OSError("disk full")
    lost = desk.sent(new_order(client_order_id="client-2"))
    desk.filled(kept, 60, "E2")
    with pytest.raises(StoreUnavailable):
        await desk.pipeline.durable()
    desk.writer.failure = None
    desk.load()
    desk.pipeline.resume()
    assert desk.now(kept) == kept
    with pytest.raises(UnknownOrder):
        desk.entry.find(ref(lost))
    assert desk.exposure() == replace(desk.exposure(), position=Decimal(40), buying=Decimal(60))
    again = desk.submit(new_order(client_order_id="client-2"))
    assert not again.duplicate
    assert again.order.cl_ord_id == lost.cl_ord_id  # nobody has seen it under that number
    assert desk.filled(kept, 60, "E2").state is OrderState.FILLED


async def test_what_two_decisions_did_to_one_order_is_one_row(desk: Desk) -> None:
    order = desk.sent()
    desk.hear(about(order, report(ReportKind.NEW)))
    desk.hear(about(order, trade("E1", 30)))
    desk.hear(about(order, trade("E2", 30)))
    await desk.pipeline.durable()
    [batch] = desk.writer.batches
    assert isinstance(batch, Batch)
    assert batch.orders == {order.order_id: desk.now(order)}
    assert [row.exec_id for row in batch.executions] == ["E1", "E2"]
    assert [position.quantity for position in batch.positions.values()] == [Decimal(60)]
    assert [event.sequence for event in batch.events] == [1, 2, 3, 4, 5]
