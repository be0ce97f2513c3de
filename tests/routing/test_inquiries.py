"""What operators ask of venues: who is asked, when, and what has to wait for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fairlead_server.domain.errors import UnknownOrder, UnknownSession, VenueUnavailable
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Order
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.routing.inquiries import Inquiries
from fairlead_server.routing.order_entry import OrderRef
from fairlead_server.routing.ports import Operator
from fairlead_server.store.batch import AuditRow
from fairlead_server.store.database import Store

from tests.domain.builders import NOW, new_order, report
from tests.routing.desk import SECOND, Desk, FakeGateway, about, ref

OPS = Operator("ops-7", "a client called")


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    made = Desk(store)
    yield made
    await made.end()


@pytest.fixture
async def slow(store: Store) -> AsyncIterator[Desk]:
    """One message a second, four at once at NOW."""
    bucket = TokenBucket(1, 4, NOW - timedelta(minutes=1))
    made = Desk(store, gateways={"BROKER": FakeGateway(bucket=bucket, max_queue=timedelta(minutes=1))})
    yield made
    await made.end()


def inquiries(desk: Desk) -> Inquiries:
    return Inquiries(desk.book, desk.ledger, desk.pipeline, desk.gateways, desk.entry.find)


def working(desk: Desk, key: str) -> Order:
    order = desk.sent(new_order(client_order_id=key))
    desk.hear(about(order, report(ReportKind.NEW)))
    return desk.now(order)


def asked(desk: Desk) -> list[str]:
    return [text.removeprefix("H ") for text in desk.gateway.decided if text.startswith("H ")]


async def test_an_order_is_asked_about_and_that_is_audited(desk: Desk) -> None:
    order = working(desk, "one")

    assert inquiries(desk).of_order(ref(order), OPS, NOW) == 1

    await desk.pipeline.durable()
    assert desk.gateway.wire[-1] == f"H {order.cl_ord_id}"
    assert desk.store.audit(order.order_id, 10) == [
        AuditRow(NOW, "ops-7", "order.status", order.order_id, "a client called", "", "1 asked about")
    ]


async def test_every_live_order_of_a_session_is_asked_about(desk: Desk) -> None:
    first, second, done = (working(desk, key) for key in ("one", "two", "three"))
    desk.filled(done, 100)

    assert inquiries(desk).of_session("BROKER", OPS, NOW) == 2

    assert asked(desk) == [first.cl_ord_id, second.cl_ord_id]


async def test_an_order_that_is_done_can_be_asked_about_as_well(desk: Desk) -> None:
    done = working(desk, "one")
    desk.filled(done, 100)

    assert inquiries(desk).of_order(ref(done), OPS, NOW) == 1


async def test_orders_go_before_questions_where_messages_are_counted(slow: Desk) -> None:
    first, second = working(slow, "one"), working(slow, "two")
    working(slow, "three")

    assert inquiries(slow).of_session("BROKER", OPS, NOW) == 3
    assert asked(slow) == [first.cl_ord_id]  # the last token
    slow.submit(new_order(client_order_id="four"))
    slow.cancel(first)

    for seconds in range(1, 5):
        slow.entry.dispatch(slow.gateway, NOW + seconds * SECOND)
    assert [text[0] for text in slow.gateway.decided[-4:]] == ["F", "D", "H", "H"]
    assert asked(slow)[1] == second.cl_ord_id


async def test_an_order_that_waits_to_be_sent_is_not_asked_about(slow: Desk) -> None:
    for key in ("one", "two", "three", "four"):
        working(slow, key)
    slow.submit(new_order(client_order_id="held"))

    assert inquiries(slow).of_session("BROKER", OPS, NOW) == 4


async def test_questions_that_wait_are_forgotten_with_the_connection(slow: Desk) -> None:
    for key in ("one", "two", "three", "four"):
        working(slow, key)
    inquiries(slow).of_session("BROKER", OPS, NOW)

    slow.entry.session_down(slow.gateway, NOW)

    assert slow.entry.queued("BROKER") == 0
    assert asked(slow) == []


async def test_what_is_not_there_cannot_be_asked(desk: Desk) -> None:
    with pytest.raises(UnknownOrder):
        inquiries(desk).of_order(OrderRef("O1"), OPS, NOW)
    with pytest.raises(UnknownSession):
        inquiries(desk).of_session("NOBODY", OPS, NOW)
    desk.gateway.available = False
    with pytest.raises(VenueUnavailable):
        inquiries(desk).of_session("BROKER", OPS, NOW)
    desk.gateway.available = True
