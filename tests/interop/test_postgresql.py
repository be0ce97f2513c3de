"""The whole router on a real PostgreSQL: both of them die, and the line between them is cut, while a crowd trades."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from signal import SIGINT, SIGQUIT, Signals

import grpc
import pytest
from fairlead.v1.common_pb2 import ORDER_TYPE_MARKET, SIDE_BUY
from fairlead.v1.order_service_pb2 import SubmitOrderRequest
from fairlead.v1.order_service_pb2_grpc import OrderServiceStub

from tests import postgres
from tests.system.crowd import ACCOUNT, Crowd, compare
from tests.system.processes import Process, Yard
from tests.system.proxy import Proxy, proxy
from tests.system.test_killed_router import kill_again_and_again
from tests.system.world import World, at_rest

ORDERS = "fairlead.v1.OrderService"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.started() as server:
        yield server


@pytest.fixture
def world(tmp_path: Path, yard: Yard, server: postgres.Server) -> Iterator[World]:
    world = World(tmp_path, yard)
    with postgres.schema(server.url) as world.database:
        yield world
        server.start()  # where a test that failed has left it down


async def test_ten_kills_of_the_router_lose_and_double_nothing(world: World) -> None:
    await kill_again_and_again(world, times=10, answers=12)


@pytest.mark.parametrize("how", [SIGINT, SIGQUIT], ids=["shut down", "killed"])
async def test_a_server_that_is_stopped_under_load_is_waited_for(
    world: World, server: postgres.Server, how: Signals
) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    async with Crowd(world) as crowd:
        for _ in range(3):
            await crowd.answers(12)
            server.stop(how)
            await world.until_serving(ORDERS, serving=False)
            await refused(world)
            server.start()
            await world.until_serving(ORDERS)
        await crowd.answers(12)
        await crowd.finish()

    await agreed(world, crowd, router, venue)


async def refused(world: World) -> None:
    request = SubmitOrderRequest(
        account_id=ACCOUNT,
        client_order_id="meanwhile",
        instrument_id="AAPL",
        side=SIDE_BUY,
        quantity="10",
        order_type=ORDER_TYPE_MARKET,
    )
    async with grpc.aio.insecure_channel(world.target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await OrderServiceStub(channel).SubmitOrder(request, timeout=10)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "STORE_UNAVAILABLE" in str(raised.value.trailing_metadata())


async def test_commits_whose_answers_are_lost_are_neither_lost_nor_doubled(
    world: World, server: postgres.Server
) -> None:
    """Every few commits the line is cut: behind the COMMIT, which is then durable, or before it."""
    async with proxy(server.port) as between:
        venue, router = await world.start_venue(), await world.start_router(way(between, world, server))
        async with Crowd(world) as crowd:
            for number in range(10):
                await crowd.answers(8)
                if number % 2:
                    between.to_client = lambda data: None if b"COMMIT" in data else data
                else:
                    between.to_server = lambda data: None if b"COMMIT" in data else data
                await world.until_serving(ORDERS, serving=False)
                between.to_client = between.to_server = bytes
                await world.until_serving(ORDERS)
            await crowd.finish()

        await agreed(world, crowd, router, venue)


async def test_a_server_that_has_fallen_silent_is_noticed(world: World, server: postgres.Server) -> None:
    async with proxy(server.port) as between:
        url = f"{way(between, world, server)}&tcp_user_timeout=1000&connect_timeout=2"
        venue, router = await world.start_venue(), await world.start_router(url)
        async with Crowd(world) as crowd:
            await crowd.answers(12)
            between.swallow()
            await world.until_serving(ORDERS, serving=False)
            between.heal()
            between.cut()
            await world.until_serving(ORDERS)
            await crowd.answers(12)
            await crowd.finish()

        await agreed(world, crowd, router, venue)


async def test_a_second_router_on_the_same_database_is_refused_with_one_line(world: World) -> None:
    router = await world.start_router()
    second = await world.yard.spawn("second", world.router_command("server.port=0"))

    assert await second.ended() == 3

    (line,) = second.log.read_text().splitlines()
    assert f"process {router.pid} on " in line
    assert "has it open; stop that process, or give this one a database of its own" in line
    assert await router.stop() == 0


def way(between: Proxy, world: World, server: postgres.Server) -> str:
    """The router's to the server. Whoever reads the books goes straight."""
    return "store.url=" + world.database.replace(f":{server.port}/", f":{between.port}/")


async def agreed(world: World, crowd: Crowd, router: Process, venue: Process) -> None:
    await world.until(at_rest)
    orders = {order.client_order_id: order for order in await world.orders()}
    assert orders.keys() == crowd.told.keys()
    assert [line for key, told in crowd.told.items() for line in compare(told, orders[key])] == []
    await world.balanced(router, venue)
