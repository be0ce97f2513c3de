"""``kill -9`` of the router: nothing that a client was told is lost, nothing reaches the venue twice."""

from __future__ import annotations

import pytest

from tests.system.crowd import Crowd, compare
from tests.system.world import World, at_rest


async def kill_again_and_again(world: World, times: int, answers: int) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    async with Crowd(world) as crowd:
        for _ in range(times):
            await crowd.answers(answers)
            await router.kill()
            router = await world.start_router()
        await crowd.answers(answers)
        await crowd.finish()

    await world.until(at_rest)
    orders = {order.client_order_id: order for order in await world.orders()}
    assert orders.keys() == crowd.told.keys()
    assert [line for key, told in crowd.told.items() for line in compare(told, orders[key])] == []
    assert crowd.requests
    await world.balanced(router, venue)


async def test_ten_kills_in_the_middle_of_a_basket_lose_and_double_nothing(world: World) -> None:
    await kill_again_and_again(world, times=10, answers=12)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("answers", [1, 3, 40, 150])
async def test_kills_early_and_late_lose_and_double_nothing(world: World, answers: int) -> None:
    await kill_again_and_again(world, times=30, answers=answers)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_both_may_die_at_any_time_one_after_the_other_and_together(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    async with Crowd(world) as crowd:
        for number in range(18):
            await crowd.answers(15)
            if number % 3 != 0:
                await venue.kill()
            if number % 3 != 1:
                await router.kill()
                router = await world.start_router()
            if number % 3 != 0:
                venue = await world.start_venue()
        await crowd.answers(15)
        await crowd.finish()

    await world.until(at_rest)
    orders = {order.client_order_id: order for order in await world.orders()}
    assert [line for key, told in crowd.told.items() for line in compare(told, orders[key])] == []
    await world.balanced(router, venue)
