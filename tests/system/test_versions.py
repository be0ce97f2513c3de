"""The same orders over every version of FIX at once, both sides strict: they come to the same ends, and the books agree."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fairlead import (
    AckLevel,
    AsyncClient,
    ClientOrder,
    NewOrder,
    OrderCapacity,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
)

from tests.system.crossroads import Crossroads, is_active
from tests.system.processes import Yard
from tests.system.world import at_rest

_FIXT = 'begin_string = "FIXT.1.1"\ndefault_appl_ver_id = "{}"'
_VERSIONS = {
    **{f"FIX.4.{minor}": f'begin_string = "FIX.4.{minor}"' for minor in range(5)},
    **{version: _FIXT.format(version) for version in ("FIX.5.0", "FIX.5.0SP1", "FIX.5.0SP2")},
}
SESSIONS = {version.replace(".", ""): settings for version, settings in _VERSIONS.items()}
FILLED, CANCELED, EXPIRED = OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED


@pytest.fixture
def world(tmp_path: Path, yard: Yard) -> Crossroads:
    return Crossroads(tmp_path, yard)


def plain(account: str, name: str, instrument: str = "AAPL") -> NewOrder:
    return {
        "account_id": account,
        "client_order_id": name,
        "instrument_id": instrument,
        "side": Side.BUY,
        "quantity": 60,
        "order_type": OrderType.MARKET,
        "ack_level": AckLevel.VENUE,
    }


def limit(account: str, name: str, price: str) -> NewOrder:
    return {**plain(account, name, "JPM"), "order_type": OrderType.LIMIT, "price": price}


async def trade(client: AsyncClient, account: str, day: str) -> dict[ClientOrder, OrderState]:
    """Orders of all kinds, and what becomes of them."""
    soon = datetime.now(UTC) + timedelta(seconds=2)
    wordy: NewOrder = {
        **limit(account, f"{day}-wordy", "1"),
        "time_in_force": TimeInForce.GTD,
        "expire_time": soon,
        "display_quantity": 10,
        "min_quantity": 10,
        "post_only": True,
        "capacity": OrderCapacity.AGENCY,
    }
    once: NewOrder = {**limit(account, f"{day}-once", "1"), "time_in_force": TimeInForce.IOC}
    ends = {
        "filled": (plain(account, f"{day}-filled"), FILLED),
        "sliced": (plain(account, f"{day}-sliced", "TSLA"), FILLED),
        "once": (once, CANCELED),
        "wordy": (wordy, EXPIRED),
        "changed": (limit(account, f"{day}-changed", "1"), CANCELED),
    }
    for order, _ in ends.values():
        await client.submit_order(**order)
    changed = ClientOrder(account, f"{day}-changed")
    await client.amend_order(changed, quantity=50, price="1.5", ack_level=AckLevel.VENUE)
    await client.cancel_order(changed, ack_level=AckLevel.VENUE)
    return {ClientOrder(account, f"{day}-{name}"): end for name, (_, end) in ends.items()}


async def test_every_version_brings_the_same_orders_to_the_same_ends(world: Crossroads) -> None:
    venue = await world.start_venue(world.rules(SESSIONS))
    world.write_config(SESSIONS)
    router = await world.start_router()
    await trade_all(world, "first")
    await router.kill()
    router = await world.start_router()
    await trade_all(world, "second")

    await world.until(at_rest)
    await world.balanced(router, venue)


async def trade_all(world: Crossroads, day: str) -> None:
    async with world.client() as client:
        await world.until_sessions(SESSIONS, is_active)
        traded = await asyncio.gather(*(trade(client, account, day) for account in SESSIONS))
        await world.reach(client, {order: end for each in traded for order, end in each.items()})
