"""A venue that takes fifty messages a second gets no more, cancels go first, and nothing that waited goes out late."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from fairlead import AckLevel, ExecutionKind, OrderState, OrderType, Side
from fairlead.v1.common_pb2 import (
    REJECT_REASON_ROUTER_SESSION_LOST,
    REJECT_REASON_ROUTER_SESSION_THROTTLED,
    ROUTE_STATE_ACKED,
    ROUTE_STATE_HELD,
    ROUTE_STATE_SENT,
    Order,
)
from fairlead.v1.execution_service_pb2 import ExecutionEvent

from tests.system.books import arrivals, departures, received
from tests.system.crowd import ACCOUNT
from tests.system.world import RESTING, World, at_rest

RATE, BURST = 50, 10
THROTTLE = (f"sessions.SIM44.max_messages_per_second={RATE}", f"sessions.SIM44.burst={BURST}")
MANY = 200
MILLISECOND = timedelta(milliseconds=1)  # the times of messages are cut off there
ON_THE_WAY = timedelta(seconds=1)  # by which messages may come closer together than they were sent

Moments = Sequence[tuple[datetime, str]]


async def submit(world: World, count: int) -> list[Order]:
    """As many at once, none of them waited for."""
    async with world.client() as client:
        calls = [
            client.submit_order(
                account_id=ACCOUNT,
                client_order_id=f"T-{number}",
                instrument_id=RESTING,
                side=Side.BUY,
                quantity=10,
                order_type=OrderType.LIMIT,
                price="150.00",
                ack_level=AckLevel.ACCEPTED,
            )
            for number in range(count)
        ]
        return [response.order for response in await asyncio.gather(*calls)]


async def cancel(world: World, orders: Sequence[Order]) -> None:
    async with world.client() as client:
        await asyncio.gather(*(client.cancel_order(order, request_id=str(uuid.uuid4())) for order in orders))


def at_the_venue(orders: Mapping[str, Order]) -> list[Order]:
    """How many have left at once depends on how long the router has been up: its bucket begins empty."""
    return [order for order in orders.values() if order.route_state in {ROUTE_STATE_SENT, ROUTE_STATE_ACKED}]


def too_many(moments: Moments, tolerance: timedelta) -> list[str]:
    """The intervals that hold more than the burst and the rate allow."""
    times = [time for time, _ in moments]
    return [
        f"{last - first + 1} from {times[first]} to {times[last]}"
        for first in range(len(times))
        for last in range(first, len(times))
        if last - first + 1 > BURST + RATE * (times[last] - times[first] + tolerance).total_seconds()
    ]


def overtaken(log: Sequence[ExecutionEvent]) -> list[str]:
    """The orders that were sent while a cancel waited."""
    waiting: set[str] = set()
    found = []
    for event in log:
        kind, order = ExecutionKind(event.kind), event.order
        if kind == ExecutionKind.CANCEL_REQUESTED:
            asked = order.order_id not in waiting and len(order.venue.cl_ord_id_chain) == 1
            (waiting.add if asked else waiting.discard)(order.order_id)
        elif kind == ExecutionKind.ROUTED and waiting:
            found.append(order.client_order_id)
    return found


async def test_a_burst_is_held_to_the_rate_and_cancels_go_first(world: World) -> None:
    venue = await world.start_venue()
    router = await world.start_router(*THROTTLE)
    await world.until_serving()

    await submit(world, MANY)
    sent = at_the_venue(await world.until(lambda orders: len(at_the_venue(orders)) >= 5))
    await cancel(world, sent[:5])
    await world.until(at_rest)

    orders = await world.orders()
    refused = [order for order in orders if OrderState(order.state) == OrderState.REJECTED]
    canceled = [order for order in orders if OrderState(order.state) == OrderState.CANCELED]
    working = [order for order in orders if OrderState(order.state) == OrderState.WORKING]
    assert len(orders) == MANY == len(refused) + len(canceled) + len(working)
    assert {order.reject.reason for order in refused} == {REJECT_REASON_ROUTER_SESSION_THROTTLED}
    assert {order.route_state for order in refused} == {ROUTE_STATE_HELD}
    assert {order.order_id for order in canceled} == {order.order_id for order in sent[:5]}
    assert refused
    assert len(working) >= BURST
    assert overtaken(await world.log()) == []

    await world.balanced(router, venue)
    assert too_many(departures(world.store), MILLISECOND) == []
    assert too_many(arrivals(world.journal), ON_THE_WAY) == []
    assert len(received(world.journal, "D")) == MANY - len(refused)
    assert len(received(world.journal, "F")) == 5


async def test_after_kill_9_what_waited_is_refused_and_was_never_sent(world: World) -> None:
    venue = await world.start_venue()
    router = await world.start_router(*THROTTLE, "sessions.SIM44.max_queue_ms=60000")
    await world.until_serving()

    orders = await submit(world, MANY)
    await router.kill()
    router = await world.start_router(*THROTTLE, "sessions.SIM44.resend_stale_ms=60000")
    await world.until_serving()
    await world.until(at_rest)

    lost = [order for order in await world.orders() if OrderState(order.state) == OrderState.REJECTED]
    assert {order.reject.reason for order in lost} == {REJECT_REASON_ROUTER_SESSION_LOST}
    assert {order.route_state for order in lost} == {ROUTE_STATE_HELD}
    assert len(orders) == MANY == len(lost) + len(received(world.journal, "D"))
    await world.balanced(router, venue)
    assert too_many(departures(world.store), MILLISECOND) == []
