"""Calls on a session that takes only so many messages a second: each is answered when it has come as far as asked for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import Order
from fairlead.v1.order_service_pb2 import (
    AMEND_OUTCOME_REJECTED,
    AMEND_OUTCOME_REPLACED,
    CANCEL_OUTCOME_CANCELED,
    CANCEL_OUTCOME_PENDING,
    AmendOrderRequest,
    CancelOrderRequest,
    GetOrderRequest,
)
from fairlead_server.venue.settings import Throttle

from tests.api.router import Router, by_id, by_key, new_order, running

ACCEPTED, ROUTED = common_pb2.ACK_LEVEL_ACCEPTED, common_pb2.ACK_LEVEL_ROUTED
RATE = 100
SLOW = Throttle(2, 1, timedelta(seconds=30))
LONG = Throttle(RATE, 1, timedelta(seconds=30))
SHORT = Throttle(RATE, 1, timedelta(milliseconds=1))


@dataclass(frozen=True)
class Scene:
    router: Router
    sent: Order  # what was sent before it came to this


@pytest.fixture
async def slow() -> AsyncIterator[Router]:
    """There are two tokens a second."""
    async with running(throttle=SLOW) as up:
        await sent(up)
        yield up


@pytest.fixture
async def blocked() -> AsyncIterator[Scene]:
    """There will be no token for a minute, and all wait that long."""
    async with running(throttle=LONG) as up:
        yield await exhausted(up)


@pytest.fixture
async def strict() -> AsyncIterator[Scene]:
    """There will be no token for a minute, and nobody waits that long."""
    async with running(throttle=SHORT) as up:
        yield await exhausted(up)


async def sent(router: Router) -> Order:
    while True:  # a bucket begins empty
        answer = await router.orders.SubmitOrder(new_order(ack_level=common_pb2.ACK_LEVEL_VENUE))
        if answer.order.state != common_pb2.ORDER_STATE_REJECTED:
            return answer.order


async def exhausted(router: Router) -> Scene:
    order, pace = await sent(router), router.app.router.sessions.gateways["BROKER"]._pace
    assert pace is not None
    for _ in range(60 * RATE):
        pace.take(datetime.now(UTC), cancel=False)
    return Scene(router, order)


async def test_an_order_that_waits_is_answered_when_it_was_sent(slow: Router) -> None:
    answer = await slow.orders.SubmitOrder(new_order())

    assert answer.ack_level_reached == ROUTED
    assert answer.order.route_state == common_pb2.ROUTE_STATE_SENT
    assert answer.order.version == 2


async def test_whoever_does_not_wait_is_told_that_it_is_held(blocked: Scene) -> None:
    request, orders = new_order(ack_level=ACCEPTED), blocked.router.orders
    answer = await orders.SubmitOrder(request)

    assert answer.ack_level_reached == ACCEPTED
    assert (answer.order.state, answer.order.route_state) == (
        common_pb2.ORDER_STATE_PENDING_NEW,
        common_pb2.ROUTE_STATE_HELD,
    )
    assert (answer.order.venue.session_id, answer.order.venue.cl_ord_id) == ("BROKER", "")
    found = await orders.GetOrder(GetOrderRequest(order=by_key(request)))
    assert found.order == answer.order


async def test_one_that_waits_keeps_nobody_else_waiting(blocked: Scene) -> None:
    orders = blocked.router.orders
    waiting = asyncio.ensure_future(orders.SubmitOrder(new_order(), timeout=30))
    refused = await orders.SubmitOrder(new_order(account_id="SMALL"))
    accepted = await orders.SubmitOrder(new_order(ack_level=ACCEPTED))

    assert refused.order.state == common_pb2.ORDER_STATE_REJECTED
    assert accepted.order.route_state == common_pb2.ROUTE_STATE_HELD
    assert not waiting.done()
    waiting.cancel()


async def test_a_turn_that_does_not_come_before_the_deadline_of_the_call_is_no_error(blocked: Scene) -> None:
    request = new_order()
    answer = await blocked.router.orders.SubmitOrder(request, timeout=0.5)
    assert answer.ack_level_reached == ACCEPTED

    found = GetOrderRequest(order=by_key(request), wait_for_version=1)
    over = (await blocked.router.orders.GetOrder(found, timeout=30)).order
    assert over.reject.reason == common_pb2.REJECT_REASON_ROUTER_EXPIRED_BEFORE_ROUTE


async def test_the_same_request_again_waits_with_the_first(slow: Router) -> None:
    request = new_order()
    first, again = await asyncio.gather(*(slow.orders.SubmitOrder(request) for _ in range(2)))

    assert {first.duplicate, again.duplicate} == {False, True}
    assert first.order.order_id == again.order.order_id
    assert {first.ack_level_reached, again.ack_level_reached} <= {ROUTED, common_pb2.ACK_LEVEL_VENUE}
    assert slow.broker.count("D") == 2


async def test_an_order_whose_turn_does_not_come_in_time_is_an_answer_and_no_error(strict: Scene) -> None:
    answer = await strict.router.orders.SubmitOrder(new_order())

    assert answer.ack_level_reached == ACCEPTED
    assert answer.order.state == common_pb2.ORDER_STATE_REJECTED
    reject = answer.order.reject
    assert reject.source == common_pb2.REJECT_SOURCE_ROUTER
    assert reject.reason == common_pb2.REJECT_REASON_ROUTER_SESSION_THROTTLED
    assert (reject.retryable, reject.text) == (
        True,
        "its turn on the session did not come in time; it was not sent",
    )


def cancel(order: Order) -> CancelOrderRequest:
    return CancelOrderRequest(order=by_id(order), request_id=str(uuid.uuid4()))


def amend(order: Order) -> AmendOrderRequest:
    return AmendOrderRequest(order=by_id(order), request_id=str(uuid.uuid4()), quantity="70")


async def test_a_cancel_of_an_order_that_waits_is_done_at_once(blocked: Scene) -> None:
    orders = blocked.router.orders
    held = (await orders.SubmitOrder(new_order(ack_level=ACCEPTED))).order
    answer = await orders.CancelOrder(cancel(held))

    assert answer.outcome == CANCEL_OUTCOME_CANCELED
    assert answer.order.state == common_pb2.ORDER_STATE_CANCELED
    assert blocked.router.broker.count("F") == 0


async def test_an_amend_of_an_order_that_waits_is_done_at_once(blocked: Scene) -> None:
    orders = blocked.router.orders
    held = (await orders.SubmitOrder(new_order(ack_level=ACCEPTED))).order
    answer = await orders.AmendOrder(amend(held))

    assert (answer.outcome, answer.order.quantity) == (AMEND_OUTCOME_REPLACED, "70")
    assert answer.order.route_state == common_pb2.ROUTE_STATE_HELD


async def test_a_cancel_that_waits_is_answered_when_it_is_committed(blocked: Scene) -> None:
    answer = await blocked.router.orders.CancelOrder(cancel(blocked.sent))

    assert answer.outcome == CANCEL_OUTCOME_PENDING
    assert answer.order.pending_action == common_pb2.PENDING_ACTION_CANCEL
    assert blocked.router.broker.count("F") == 0


async def test_an_amend_that_waits_is_answered_when_it_was_sent(slow: Router) -> None:
    order = await sent(slow)
    answer = await slow.orders.AmendOrder(amend(order))

    assert len(answer.order.venue.cl_ord_id_chain) == 2


async def test_an_amend_whose_turn_does_not_come_in_time_is_refused(strict: Scene) -> None:
    answer = await strict.router.orders.AmendOrder(amend(strict.sent))

    assert answer.outcome == AMEND_OUTCOME_REJECTED
    assert answer.reject.reason == common_pb2.REJECT_REASON_ROUTER_SESSION_THROTTLED
    assert answer.order.quantity == "100"
