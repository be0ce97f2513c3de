"""A hundred sessions in one router: peers that hang, vanish or never come delay nobody but themselves."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from fairlead import AsyncClient, ClientOrder, OrderState, OrderType, Side

from tests.system.crossroads import Crossroads, has_been_lost, is_active
from tests.system.processes import Yard, free_port
from tests.system.proxy import proxy
from tests.system.world import World, at_rest

_NAMES = [f"S{number:03}" for number in range(100)]
VANISHED, HANGING, DEAD = _NAMES[0], _NAMES[1], _NAMES[2]
_WELL = _NAMES[3:]
_TROUBLED_ORDERS = 50
_HEART_BT_INT = 3  # seconds; what is lost is noticed after two and a half of these
_SETTINGS = f'begin_string = "FIX.4.4"\nheart_bt_int = {_HEART_BT_INT}'


@pytest.fixture
def world(tmp_path: Path, yard: Yard) -> Crossroads:
    return Crossroads(tmp_path, yard)


async def test_of_a_hundred_sessions_each_has_its_own_troubles_only(world: Crossroads) -> None:
    venue = await world.start_venue(world.rules(_NAMES))
    async with proxy(world.fix_port) as vanishing, proxy(world.fix_port) as hanging:
        world.write_config(
            dict.fromkeys(_NAMES, _SETTINGS),
            {VANISHED: vanishing.port, HANGING: hanging.port, DEAD: free_port()},
        )
        router = await world.start_router()
        async with world.client() as client:
            await world.until_sessions([VANISHED, HANGING, *_WELL], is_active)
            await world.reach(client, await buy(client, [VANISHED, HANGING, *_WELL], "before"))

            vanishing.swallow()
            hanging.freeze()
            for number in range(_TROUBLED_ORDERS):
                await buy(client, [VANISHED, HANGING], f"into-nothing-{number}")
            await world.reach(client, await buy(client, _WELL, "meanwhile"))
            await world.until_sessions([VANISHED, HANGING, DEAD], has_been_lost)
            await world.reach(client, await buy(client, _WELL, "afterwards"))

            found = {session.session_id: session async for session in client.list_sessions()}
            assert {name for name in found if is_active(found[name])} >= set(_WELL)
            assert {name: found[name].connection_number for name in _WELL} == dict.fromkeys(_WELL, 1)
            assert [who.issuperset(_WELL) for who in heartbeats(world)] == [True, True]

            vanishing.heal()
            hanging.thaw()
            await world.until_sessions([VANISHED, HANGING], is_active)
            await world.reach(client, await buy(client, [VANISHED, HANGING, *_WELL], "in-the-end"))

        await world.until(at_rest)
        await world.balanced(router, venue)


async def buy(client: AsyncClient, names: Iterable[str], key: str) -> dict[ClientOrder, OrderState]:
    """One order in each account, which is to be filled; returns when all have been given to their sessions."""
    orders = [ClientOrder(name, key) for name in names]
    await asyncio.gather(*(_buy(client, order) for order in orders))
    return dict.fromkeys(orders, OrderState.FILLED)


async def _buy(client: AsyncClient, order: ClientOrder) -> None:
    await client.submit_order(
        account_id=order.account_id,
        client_order_id=order.client_order_id,
        instrument_id="AAPL",
        side=Side.BUY,
        quantity=10,
        order_type=OrderType.MARKET,
    )


def heartbeats(world: World) -> tuple[set[str], set[str]]:
    """The sessions on which the router, and the venue, have sent a Heartbeat(0)."""
    with closing(sqlite3.connect(f"file:{world.store}?mode=ro", uri=True)) as store:
        query = "SELECT DISTINCT session_id FROM messages WHERE direction = 'OUT' AND msg_type = '0'"
        ours = {name for (name,) in store.execute(query)}
    theirs = {
        client.rpartition(":")[2]
        for line in world.journal.read_text().splitlines()
        for client, part in json.loads(line).get("sessions", {}).items()
        if any(sent["type"] == "0" for sent in part["sent"])
    }
    return ours, theirs
