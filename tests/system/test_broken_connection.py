"""The venue dies, the network breaks: the router comes back by itself, and nothing is missing on either side."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fairlead import ClientOrder, NewOrder, errors

from tests.system.crowd import ACCOUNT, Crowd, order_number
from tests.system.proxy import Look, Proxy, Torn, proxy
from tests.system.world import World, at_rest

SOON = ("sessions.SIM44.heart_bt_int=1", "sessions.SIM42.heart_bt_int=1")
TOO_EARLY: NewOrder = {**order_number(0), "client_order_id": "too-early"}
NEW_ORDER, REPORT = b"\x0135=D\x01", b"\x0135=8\x01"


async def test_while_the_venue_is_away_orders_are_refused_with_the_reason(world: World) -> None:
    venue, _ = await world.start_venue(), await world.start_router()
    await world.until_serving()
    await venue.kill()
    await world.until_serving(serving=False)

    async with world.client() as client:
        with pytest.raises(errors.VenueSessionDown) as refused:
            await client.submit_order(**TOO_EARLY)
        with pytest.raises(errors.NotFound):
            await client.get_order(ClientOrder(ACCOUNT, "too-early"))
    assert refused.value.code.name == "UNAVAILABLE"
    assert refused.value.metadata["session_id"] == "SIM44"
    assert refused.value.message.startswith("session SIM44 is down since ")
    assert await world.orders() == []


async def test_kill_9_of_the_venue_again_and_again(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    async with Crowd(world) as crowd:
        for _ in range(3):
            await crowd.answers(15)
            await venue.kill()
            await world.until_serving(serving=False)
            venue = await world.start_venue()
        await crowd.answers(15)
        await crowd.finish()

    await world.until(at_rest)
    await world.balanced(router, venue)


def once(between: Proxy, name: str, holding: bytes, act: Callable[[bytes], bytes | None]) -> None:
    """Do this to the next bytes in which there is ``holding``, and nothing to any others."""

    def look(data: bytes) -> bytes | None:
        if holding not in data:
            return data
        setattr(between, name, bytes)
        return act(data)

    passing: Look = look
    setattr(between, name, passing)


def torn(data: bytes) -> bytes:
    return Torn(data[: len(data) // 2])


def nothing(_: bytes) -> None:
    return None


async def test_connections_that_break_in_every_way(world: World) -> None:
    """Between messages, in the middle of one, before one is through, in both directions."""
    venue = await world.start_venue()
    async with proxy(world.fix_port) as between:
        world.venue_port = between.port
        router = await world.start_router()
        async with Crowd(world) as crowd:
            for name, holding, act in (
                ("to_server", NEW_ORDER, torn),
                ("to_client", REPORT, torn),
                ("to_server", NEW_ORDER, nothing),
                ("to_client", REPORT, nothing),
            ):
                await crowd.answers(10)
                opened = between.connections
                once(between, name, holding, act)
                await between.opened(opened + 1)
            await crowd.answers(10)
            opened = between.connections
            between.cut()
            await between.opened(opened + 2)
            await crowd.answers(10)
            await crowd.finish()

        await world.until(at_rest)
        await world.balanced(router, venue)


async def test_a_connection_in_which_everything_disappears(world: World) -> None:
    """Neither side is told. Both find out by themselves, and orders sent meanwhile are settled afterwards."""
    venue = await world.start_venue()
    async with proxy(world.fix_port) as between:
        world.venue_port = between.port
        router = await world.start_router(*SOON)
        async with Crowd(world) as crowd:
            await crowd.answers(10)
            between.swallow()
            await world.until_serving(serving=False)
            between.heal()
            await world.until_serving()
            await crowd.answers(10)
            await crowd.finish()

        await world.until(at_rest)
        await world.balanced(router, venue)
