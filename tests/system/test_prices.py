"""A reference price comes in over the command line while the router runs, and is there after a crash."""

from __future__ import annotations

from fairlead import NewOrder, OrderState, OrderType, Side
from fairlead.values import AckLevel

from tests.system.world import World

MARKET: NewOrder = {
    "account_id": "DEMO",
    "instrument_id": "AAPL",
    "side": Side.BUY,
    "quantity": 10,
    "order_type": OrderType.MARKET,
    "ack_level": AckLevel.VENUE,
}


async def submit(world: World, key: str) -> tuple[OrderState, str]:
    order: NewOrder = {**MARKET, "client_order_id": key}
    async with world.client() as client:
        found = (await client.submit_order(**order)).order
    return OrderState(found.state), found.reject.rule_id


async def test_a_market_order_waits_for_a_fresh_price(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    by_hand = ("--reason", "yesterday's close", "--at", "2026-01-02T21:00:00Z")
    assert (await world.cli("price", "set", "AAPL=229.00", *by_hand))[0] == 0
    assert await submit(world, "too-early") == (OrderState.REJECTED, "reference_age")

    code, _, error = await world.cli("price", "set", "AAPL=231.00", "NOBODY=1", "--source", "feed")

    assert code == 3
    assert error == "fairlead: INSTRUMENT_NOT_FOUND: no instrument NOBODY\n"
    assert await submit(world, "in-time") == (OrderState.FILLED, "")
    await router.kill()
    router = await world.start_router()
    await world.until_serving()
    code, out, _ = await world.cli("--output", "csv", "price", "list", "AAPL")
    assert code == 0
    assert out.splitlines()[1].split(",")[:2] == ["AAPL", "231.00"]
    assert await submit(world, "after-the-crash") == (OrderState.FILLED, "")
    await world.balanced(router, venue)
