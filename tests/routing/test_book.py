"""What leaves memory when it has ended, and is found all the same under every name that it had."""

from __future__ import annotations

import pytest
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.errors import ClientOrderIdConflict, OrderTerminal, RequestIdConflict
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Order, OrderState
from fairlead_server.store.database import Store
from msgspec.structs import replace

from tests.domain.builders import bust, new_order, report, terms, trade
from tests.routing.desk import Desk, about


def in_memory(desk: Desk) -> set[str]:
    """Without asking the store."""
    return {order.request.client_order_id for order in desk.book.in_memory()}


async def ended(desk: Desk, name: str) -> Order:
    order = desk.filled(desk.working(new_order(client_order_id=name)), 100, f"E-{name}")
    await desk.pipeline.durable()
    return order


async def test_open_orders_stay_and_the_latest_of_those_that_have_ended(store: Store) -> None:
    desk = Desk(store, keep=2)
    open_ = desk.working(new_order(client_order_id="open"))
    for name in ("first", "second", "third"):
        await ended(desk, name)

    assert in_memory(desk) == {"open", "second", "third"}
    assert [order.order_id for order in desk.book.all_live()] == [open_.order_id]
    await desk.end()


async def test_nothing_leaves_before_it_is_durable(desk: Desk) -> None:
    order = desk.filled(desk.working(), 100)
    assert in_memory(desk) == {"client-1"}

    await desk.pipeline.durable()

    assert in_memory(desk) == set()
    assert desk.now(order) == order


async def test_the_same_order_again_is_answered_out_of_the_store(desk: Desk) -> None:
    order = await ended(desk, "client-1")

    repeated = desk.submit(new_order(client_order_id="client-1"))

    assert repeated.order == order
    assert repeated.duplicate
    with pytest.raises(ClientOrderIdConflict):
        desk.submit(new_order(client_order_id="client-1", terms=terms(7)))


async def test_a_bust_brings_an_order_back_to_life_and_to_memory(desk: Desk) -> None:
    order = await ended(desk, "client-1")
    assert in_memory(desk) == set()

    desk.hear(about(order, bust("E2", "E-client-1")))
    await desk.pipeline.durable()

    assert desk.now(order).state is OrderState.WORKING
    assert in_memory(desk) == {"client-1"}
    assert desk.exposure().position == 0


@pytest.mark.parametrize("names", [{"cl_ord_id": ""}, {"venue_order_id": ""}])
async def test_a_late_fill_finds_its_order_by_either_name(desk: Desk, names: dict[str, str]) -> None:
    order = desk.working()
    desk.hear(about(order, report(ReportKind.CANCELED)))
    await desk.pipeline.durable()

    desk.hear(about(order, trade("late", 30), **names))
    await desk.pipeline.durable()

    assert desk.now(order).cum_qty == 30
    assert desk.exposure().position == 30


async def test_a_fill_that_was_told_before_is_not_booked_again(desk: Desk) -> None:
    order = await ended(desk, "client-1")

    desk.hear(about(order, trade("E-client-1", 100)))
    await desk.pipeline.durable()

    assert desk.now(order) == order
    assert desk.exposure().position == 100


async def test_an_external_order_is_found_by_the_name_that_it_came_with(desk: Desk) -> None:
    desk.hear(replace(trade("E1", 100), cl_ord_id="THEIRS", venue_order_id=""))
    await desk.pipeline.durable()
    assert in_memory(desk) == set()

    desk.hear(replace(bust("E2", "E1"), cl_ord_id="THEIRS", venue_order_id=""))

    assert [event.kind for event in desk.events] == [EventKind.ORPHAN_EXECUTION, EventKind.TRADE_BUSTED]


async def test_amend_and_cancel_of_what_has_ended_are_answered_as_ever(desk: Desk) -> None:
    order = await ended(desk, "client-1")

    assert desk.cancel(order).outcome is RequestOutcome.ALREADY_TERMINAL
    with pytest.raises(OrderTerminal):
        desk.amend(order, 200)


async def test_a_request_is_remembered_when_memory_holds_it_no_more(desk: Desk) -> None:
    order, other = desk.working(), desk.working(new_order(client_order_id="client-2"))
    first = desk.amend(order, 100, request_id="same")
    await desk.pipeline.durable()

    again = desk.amend(order, 100, request_id="same")

    assert (first.outcome, again.outcome) == (RequestOutcome.NO_CHANGE, RequestOutcome.NO_CHANGE)
    assert again.duplicate
    with pytest.raises(RequestIdConflict):
        desk.cancel(other, request_id="same")


async def test_the_answer_to_a_request_is_kept_that_was_asked_for_before_a_restart(desk: Desk) -> None:
    order = desk.working()
    desk.cancel(order, request_id="c1")
    later = await desk.restarted()
    canceled = about(order, report(ReportKind.CANCELED), cl_ord_id=later.now(order).pending[0].cl_ord_id)

    later.hear(canceled)
    await later.pipeline.durable()

    assert later.cancel(order, request_id="c1").outcome is RequestOutcome.DONE
    await later.end()


def meant(desk: Desk, venue_order_id: str) -> str:
    """The client_order_id of the order that a report means which says no other name."""
    order = desk.book.by_report("BROKER", ("", ""), venue_order_id)
    return order.request.client_order_id if order else ""


def acked(desk: Desk, order: Order, venue_order_id: str) -> None:
    kind = ReportKind.NEW if not desk.now(order).acked else ReportKind.RESTATED
    desk.hear(about(order, report(kind), venue_order_id=venue_order_id))


async def test_of_two_orders_with_one_venue_order_id_the_later_is_meant_whenever_it_got_it(
    store: Store,
) -> None:
    desk = Desk(store)
    older, later = (desk.submit(new_order(client_order_id=name)).order for name in ("older", "later"))
    acked(desk, later, "V1")
    again = await desk.restarted()
    acked(again, older, "V1")
    found = meant(again, "V1")
    third = await again.restarted()

    assert (found, meant(third, "V1")) == ("later", "later")
    await third.end()


async def test_a_venue_order_id_that_an_order_has_no_more_means_whoever_has_it(store: Store) -> None:
    desk = Desk(store)
    older, later = (desk.submit(new_order(client_order_id=name)).order for name in ("older", "later"))
    acked(desk, later, "V1")
    acked(desk, later, "V2")
    before = meant(desk, "V1")
    acked(desk, older, "V1")
    found = meant(desk, "V1"), meant(desk, "V2")
    again = await desk.restarted()

    assert (before, *found) == ("later", "older", "later")
    assert (meant(again, "V1"), meant(again, "V2")) == ("older", "later")
    await again.end()


async def test_what_has_left_memory_is_meant_before_an_older_one_that_has_not(store: Store) -> None:
    desk = Desk(store, keep=0)
    older = desk.submit(new_order(client_order_id="older")).order
    acked(desk, older, "V1")
    later = desk.submit(new_order(client_order_id="later")).order
    desk.filled(later, 100, "E1", venue_order_id="V1")
    await desk.pipeline.durable()

    assert "later" not in in_memory(desk)
    assert meant(desk, "V1") == "later"
    await desk.end()
