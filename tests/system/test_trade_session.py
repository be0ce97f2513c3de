"""``kill -9`` of the router in the middle of a pipelined stream, and of a client whose orders die with it."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

import pytest
from fairlead import AsyncTradeSession, OrderState, errors
from fairlead.v1.execution_service_pb2 import ExecutionEvent
from fairlead.v1.order_service_pb2 import SubmitOrderResponse

from tests.system.crowd import compare, order_number
from tests.system.processes import ROOT
from tests.system.world import PATIENCE, RESTING, World, at_rest

_IN_FLIGHT = 48
_AGAIN = (errors.Unavailable, errors.OutcomeUnknown)

# A client that enters three orders, says so, and never says anything again.
_MORTAL = """
import asyncio, sys
from fairlead import AckLevel, AsyncClient, OrderType, Side

async def main(target, instrument):
    async with AsyncClient(target) as client, client.trade_session(cancel_on_disconnect=0.2) as session:
        for number in range(3):
            await session.submit(
                account_id="DESK", client_order_id=f"mortal-{number}", instrument_id=instrument, side=Side.BUY,
                quantity=10, order_type=OrderType.LIMIT, price="150.00", ack_level=AckLevel.VENUE,
            )
        print("entered", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


class Basket:
    """Orders of all kinds, so many at once over one session; ``told`` is each one's answer."""

    def __init__(self, world: World, session: AsyncTradeSession, count: int) -> None:
        self.told: dict[str, SubmitOrderResponse] = {}
        self._world = world
        self._session = session
        self._left = iter(range(count))
        self._news = asyncio.Condition()

    async def trade(self) -> None:
        async with asyncio.timeout(2 * PATIENCE), asyncio.TaskGroup() as group:
            for _ in range(_IN_FLIGHT):
                group.create_task(self._submit_on())

    async def until(self, answered: int) -> None:
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: len(self.told) >= answered)

    async def _submit_on(self) -> None:
        for number in self._left:
            response = await self._insist(number)
            assert f"C-{number}" not in self.told
            self.told[f"C-{number}"] = response
            async with self._news:
                self._news.notify_all()

    async def _insist(self, number: int) -> SubmitOrderResponse:
        while True:
            try:
                return await self._session.submit(**order_number(number))
            except _AGAIN:  # the venue is not there yet
                await self._world.until_serving("fairlead.v1.OrderService")


@pytest.mark.timeout(180)
async def test_kills_in_the_middle_of_a_stream_lose_and_double_nothing(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    async with world.client() as client, client.trade_session(cancel_on_disconnect=60) as session:
        basket = Basket(world, session, count=400)
        trading = asyncio.create_task(basket.trade())
        for answered in (60, 150, 260):
            await basket.until(answered)
            await router.kill()
            router = await world.start_router()
        await trading
        await session.close(keep_orders=True)

    await world.until(at_rest)
    orders = await world.orders()
    assert sorted(order.client_order_id for order in orders) == sorted(basket.told)
    assert len(orders) == 400
    found = {order.client_order_id: order for order in orders}
    assert [line for key, told in basket.told.items() for line in compare(told, found[key])] == []
    await world.balanced(router, venue)


@pytest.mark.timeout(120)
async def test_the_orders_of_a_client_that_is_killed_die_over_a_restart_of_the_router(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _MORTAL, world.target, RESTING, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert client.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            assert await client.stdout.readline() == b"entered\n"
    finally:
        client.kill()
        await client.wait()
    await router.kill()
    router = await world.start_router()

    for number in range(3):
        await world.event(partial(_is_dead, f"mortal-{number}"))
    await world.balanced(router, venue)


def _is_dead(client_order_id: str, event: ExecutionEvent) -> bool:
    order = event.order
    named = order.client_order_id == client_order_id and order.last_cause.mass_cancel_id != ""
    return named and OrderState(order.state) == OrderState.CANCELED
