"""An order that may or may not have reached the venue is asked about, never guessed about, and never sent late."""

from __future__ import annotations

import asyncio

import pytest
from fairlead import AckLevel, ClientOrder, ExecutionKind, NewOrder, OrderState
from fairlead.v1.common_pb2 import REJECT_REASON_ROUTER_SESSION_LOST, REJECT_SOURCE_ROUTER, Order

from tests.system.books import received
from tests.system.crowd import ACCOUNT, order_number
from tests.system.proxy import Proxy, proxy
from tests.system.test_broken_connection import NEW_ORDER, REPORT, nothing, once
from tests.system.world import PATIENCE, World

STALE_AT_ONCE = "sessions.SIM44.resend_stale_ms=0"
RESET = 'sessions.SIM44.reset_on=["logon"]'
MARKET, RESTS = order_number(0), order_number(3)


async def submitted(world: World, key: str, new: NewOrder, level: AckLevel) -> Order:
    async with world.client() as client:
        order: NewOrder = {**new, "client_order_id": key, "ack_level": level}
        return (await client.submit_order(**order)).order


async def history(world: World, key: str) -> list[ExecutionKind]:
    async with world.client() as client:
        events = client.list_order_events(ClientOrder(ACCOUNT, key))
        return [ExecutionKind(event.kind) async for event in events]


async def until(world: World, key: str, state: OrderState) -> None:
    """Until the order is in that state, and not in doubt."""
    await world.event(
        lambda event: (
            event.order.client_order_id == key
            and OrderState(event.order.state) == state
            and not event.order.in_doubt
        )
    )


@pytest.mark.parametrize("setting", [STALE_AT_ONCE, RESET])
async def test_an_order_that_never_arrived_is_asked_about_and_rejected(world: World, setting: str) -> None:
    venue = await world.start_venue()
    async with proxy(world.fix_port) as between:
        world.venue_port = between.port
        router = await world.start_router(setting)
        await world.until_serving()
        once(between, "to_server", NEW_ORDER, nothing)

        told = await submitted(world, "lost", MARKET, AckLevel.ROUTED)
        await until(world, "lost", OrderState.REJECTED)

        async with world.client() as client:
            order = await client.get_order(told)
        assert OrderState(told.state) == OrderState.PENDING_NEW
        assert (OrderState(order.state), order.in_doubt) == (OrderState.REJECTED, False)
        assert order.reject.source == REJECT_SOURCE_ROUTER
        assert order.reject.reason == REJECT_REASON_ROUTER_SESSION_LOST
        assert await history(world, "lost") == [
            ExecutionKind.ACCEPTED,
            ExecutionKind.ROUTED,
            ExecutionKind.IN_DOUBT,
            ExecutionKind.RECONCILED,
        ]
        await world.balanced(router, venue)
    assert received(world.journal, "D") == []


async def test_an_order_that_arrived_and_was_not_answered_is_found_working(world: World) -> None:
    """The answer is gone for good: the session began anew with the next logon."""
    venue = await world.start_venue()
    async with proxy(world.fix_port) as between:
        world.venue_port = between.port
        router = await world.start_router(RESET)
        await world.until_serving()
        once(between, "to_client", REPORT, nothing)

        await submitted(world, "there", RESTS, AckLevel.ROUTED)
        await until(world, "there", OrderState.WORKING)

        assert await history(world, "there") == [
            ExecutionKind.ACCEPTED,
            ExecutionKind.ROUTED,
            ExecutionKind.IN_DOUBT,
            ExecutionKind.RECONCILED,
        ]
        await world.balanced(router, venue)
    assert len(received(world.journal, "D")) == 1


def leave_out(between: Proxy) -> asyncio.Event:
    """Take the next NewOrderSingle(D) out of the stream, and say when."""
    left_out = asyncio.Event()

    def look(data: bytes) -> bytes:
        if NEW_ORDER not in data:
            return data
        between.to_server = bytes
        left_out.set()
        frames = [b"8=FIX" + rest for rest in data.split(b"8=FIX")[1:]]
        return b"".join(frame for frame in frames if NEW_ORDER not in frame)

    between.to_server = look
    return left_out


async def test_of_two_orders_one_arrived_and_each_is_settled_as_it_is(world: World) -> None:
    """The venue holds the second, asks for both, and both are too old: only the first is lost."""
    venue = await world.start_venue()
    async with proxy(world.fix_port) as between:
        world.venue_port = between.port
        router = await world.start_router(STALE_AT_ONCE)
        await world.until_serving()
        left_out = leave_out(between)

        await submitted(world, "lost", MARKET, AckLevel.ROUTED)
        async with asyncio.timeout(PATIENCE):
            await left_out.wait()
        await submitted(world, "held", MARKET, AckLevel.ROUTED)
        await until(world, "lost", OrderState.REJECTED)
        await until(world, "held", OrderState.FILLED)

        assert ExecutionKind.IN_DOUBT in await history(world, "held")
        await world.balanced(router, venue)
    assert len(received(world.journal, "D")) == 1


async def test_a_young_order_is_sent_again_and_trades_once(world: World) -> None:
    venue = await world.start_venue()
    async with proxy(world.fix_port) as between:
        world.venue_port = between.port
        router = await world.start_router("sessions.SIM44.resend_stale_ms=60000")
        await world.until_serving()
        once(between, "to_server", NEW_ORDER, nothing)

        order = await submitted(world, "again", MARKET, AckLevel.VENUE)
        await until(world, "again", OrderState.FILLED)

        assert order.client_order_id == "again"
        assert ExecutionKind.IN_DOUBT not in await history(world, "again")
        await world.balanced(router, venue)
    assert len(received(world.journal, "D")) == 1
