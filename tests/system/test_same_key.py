"""One key, one order: however often it is asked for, by however many at once, before and after a crash."""

from __future__ import annotations

import asyncio

import pytest
from fairlead import AckLevel, AsyncClient, NewOrder, OrderType, Side, errors

from tests.system.books import received
from tests.system.world import World

ORDER: NewOrder = {
    "account_id": "DESK",
    "client_order_id": "the-one",
    "instrument_id": "AAPL",
    "side": Side.BUY,
    "quantity": 100,
    "order_type": OrderType.LIMIT,
    "price": "150.00",
}
OTHER: NewOrder = {**ORDER, "quantity": 200, "price": "151.00"}


async def test_many_at_once_make_one_order(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()

    async def submit(level: AckLevel) -> tuple[str, bool]:
        async with world.client() as client:
            asked: NewOrder = {**ORDER, "ack_level": level}
            responses = await asyncio.gather(*(client.submit_order(**asked) for _ in range(10)))
        assert len({response.order.order_id for response in responses}) == 1
        return responses[0].order.order_id, all(response.duplicate for response in responses)

    found = await asyncio.gather(*map(submit, list(AckLevel) * 3))
    assert len({order_id for order_id, _ in found}) == 1
    assert [duplicate for _, duplicate in found].count(False) == 1
    assert len(await world.orders()) == 1
    await world.balanced(router, venue)
    assert len(received(world.journal, "D")) == 1


async def conflicts(client: AsyncClient, order_id: str) -> None:
    with pytest.raises(errors.KeyConflict) as conflict:
        await client.submit_order(**OTHER)
    assert conflict.value.code.name == "ALREADY_EXISTS"
    assert conflict.value.reason == "CLIENT_ORDER_ID_CONFLICT"
    assert conflict.value.metadata["order_id"] == order_id
    assert set(conflict.value.metadata["differing_fields"].split(",")) == {"quantity", "price"}


async def test_a_key_means_the_same_before_and_after_a_crash(world: World) -> None:
    """The same body is a duplicate, another one a conflict that names the fields."""
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    async with world.client() as client:
        first = await client.submit_order(**ORDER)
        await conflicts(client, first.order.order_id)
        await router.kill()
        router = await world.start_router()
        again = await client.submit_order(**ORDER)
        await conflicts(client, first.order.order_id)

    assert (first.duplicate, again.duplicate) == (False, True)
    assert again.order.order_id == first.order.order_id
    assert len(await world.orders()) == 1
    await world.until_serving()
    await world.balanced(router, venue)
    assert len(received(world.journal, "D")) == 1


async def test_of_two_bodies_at_once_one_makes_the_order_and_the_other_a_conflict(world: World) -> None:
    await world.start_venue()
    await world.start_router()
    await world.until_serving()
    async with world.client() as client:
        asked = [client.submit_order(**order) for order in (ORDER, OTHER) * 10]
        answers = await asyncio.gather(*asked, return_exceptions=True)

    conflicts = [answer for answer in answers if isinstance(answer, errors.KeyConflict)]
    orders = [answer.order for answer in answers if not isinstance(answer, BaseException)]
    assert (len(conflicts), len(orders)) == (10, 10)
    assert len({order.order_id for order in orders}) == 1
