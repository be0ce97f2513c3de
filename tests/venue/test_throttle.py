"""A real session under a throttle: what its broker hears, when, and under which numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from fairlead_server.domain.errors import StoreUnavailable
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.order import Order, OrderState, RouteState
from fairlead_server.domain.reject import RejectReason
from fairlead_server.fix.message import Message
from fairlead_server.store.database import Store
from fairlead_server.venue.settings import Throttle

from tests.venue.link import SECOND, Link

TURN = timedelta(milliseconds=20)
PATIENCE = timedelta(milliseconds=500)
FIFTY = Throttle(50, 3, PATIENCE)


@pytest.fixture
async def link(store: Store) -> AsyncIterator[Link]:
    made = Link(store, throttle=FIFTY)
    made.clock.now += SECOND  # the bucket has filled since the start
    yield made
    made.venue.disconnected("the test is over")
    await made.pipeline.close()


async def pass_time(link: Link, until: datetime) -> list[tuple[timedelta, Message]]:
    """What the broker hears and when, with the session called by its own timer."""
    heard, begin = [], link.clock.now
    while (due := link.venue.deadline()) is not None and due <= until:
        before = len(link.broker.heard)
        link.clock.now = max(due, link.clock.now)
        link.venue.tick()
        await link.exchange()
        heard += [(link.clock.now - begin, message) for message in link.broker.heard[before:]]
    link.clock.now = until
    return heard


def states(link: Link, orders: list[Order]) -> list[OrderState]:
    return [link.now(order).state for order in orders]


async def test_a_burst_goes_out_at_the_rate_of_the_session_and_the_rest_is_refused(link: Link) -> None:
    await link.up()
    orders = [link.submit(number) for number in range(9)]
    await link.exchange()
    assert link.broker.heard_types() == ["D"] * 3
    assert link.venue.view().queued == 6
    assert link.wire.woken == 6

    heard = await pass_time(link, link.clock.now + 4 * TURN)

    assert [(at, message[11]) for at, message in heard] == [
        (number * TURN, link.now(order).cl_ord_id) for number, order in enumerate(orders[3:7], start=1)
    ]
    assert [message.msg_seq_num for message in link.broker.heard] == list(
        range(link.broker.heard[0].msg_seq_num, link.venue.session.numbers.next_out)
    )
    assert [link.now(order).route_state for order in orders] == [RouteState.SENT] * 7 + [RouteState.HELD] * 2
    assert link.venue.view().queued == 2


async def test_a_bucket_begins_empty(store: Store) -> None:
    link = Link(store, throttle=FIFTY)
    await link.up()
    assert link.submit().route_state is RouteState.HELD
    link.cut()
    await link.pipeline.close()


async def test_the_sessions_own_messages_pass_by_the_throttle(link: Link) -> None:
    await link.up()
    for number in range(4):
        link.submit(number)
    await link.exchange()
    link.broker.take(link.broker.session.logout(None, link.clock.now))
    await link.exchange()
    assert link.broker.wire_types[-1].startswith("5 ")


async def test_a_cancel_overtakes_orders_under_the_next_number(link: Link) -> None:
    await link.up()
    first, *waiting = [link.submit(number) for number in range(5)]
    link.cancel(first)
    await link.exchange()
    [(_, cancel), (_, next_order)] = await pass_time(link, link.clock.now + 2 * TURN)
    assert (cancel.msg_type, cancel[41]) == ("F", first.cl_ord_id)
    assert (next_order.msg_type, next_order[11]) == ("D", link.now(waiting[2]).cl_ord_id)
    assert next_order.msg_seq_num == cancel.msg_seq_num + 1


async def test_a_lost_connection_refuses_what_waited_and_keeps_the_cancels(link: Link) -> None:
    await link.up()
    orders = [link.submit(number) for number in range(4)]
    link.cancel(orders[0])
    await link.exchange()
    link.cut()
    held = link.now(orders[3])
    assert held.reject is not None
    assert (held.state, held.reject.reason) == (OrderState.REJECTED, RejectReason.ROUTER_SESSION_LOST)
    assert link.venue.view().queued == 1
    link.clock.now += SECOND
    await link.up()
    assert link.broker.heard_types() == ["D", "D", "D", "F"]
    assert not [text for text in link.broker.wire_types if "again" in text]
    assert link.store.order(held.order_id) == link.now(held)


async def test_an_order_that_waits_while_the_session_logs_out_is_refused_at_its_deadline(link: Link) -> None:
    await link.up()
    orders = [link.submit(number) for number in range(4)]
    await link.exchange()
    link.venue.log_out("the day is over")
    assert not link.venue.available
    due = link.clock.now + PATIENCE
    assert link.venue.deadline() == due
    link.clock.now = due
    link.venue.tick()
    assert states(link, orders) == [OrderState.PENDING_NEW] * 3 + [OrderState.REJECTED]
    assert link.events[-1].kind is EventKind.RISK_REJECTED


async def test_while_a_session_cannot_commit_its_timer_decides_nothing(link: Link) -> None:
    await link.up()
    orders = [link.submit(number) for number in range(4)]
    await link.exchange()
    link.failure = OSError("disk full")
    link.submit(9)
    with pytest.raises(StoreUnavailable):
        await link.pipeline.durable()
    link.clock.now += PATIENCE
    link.venue.tick()
    assert link.now(orders[3]).live


async def test_a_reject_of_ours_may_not_wait_and_is_paid_for_by_those_that_follow(link: Link) -> None:
    await link.up()
    for number in range(3):
        link.submit(number)
    await link.exchange()
    link.venue.received(link.by_hand("n", []))
    await link.exchange()
    waiting = link.submit(4)
    heard = await pass_time(link, link.clock.now + 2 * TURN)
    assert [(at, message.msg_type) for at, message in heard] == [(2 * TURN, "D")]
    assert heard[0][1][11] == link.now(waiting).cl_ord_id


async def test_without_a_throttle_nothing_waits(store: Store) -> None:
    link = Link(store)
    await link.up()
    for number in range(9):
        link.submit(number)
    assert (link.venue.view().queued, link.venue.max_queue) == (0, timedelta())
    assert link.wire.woken == 0
    link.cut()
    await link.pipeline.close()
