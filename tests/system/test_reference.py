"""What operators have said of instruments and calendars outlives a crash, and nothing that was answered is forgotten."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from fairlead import AsyncClient
from fairlead.errors import FairleadError, Unavailable
from fairlead.v1.reference_service_pb2 import Instrument

from tests.system.processes import ROOT
from tests.system.world import World

CALENDAR = """
zone = "UTC"
spans = [{ days = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"], start = 00:00:00, end = 00:00:00 }]
"""


async def test_everything_that_was_said_is_there_after_a_crash(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    calendar = world.folder / "always.toml"
    calendar.write_text(CALENDAR)
    why = ("--reason", "a new market")
    assert (await world.cli("calendar", "put", "ALWAYS", str(calendar), *why))[0] == 0
    assert (await world.cli("instrument", "import", str(ROOT / "examples" / "fx_metals.csv"), *why))[0] == 0
    assert (await world.cli("instrument", "update", "XAGUSD", "calendar_id=ALWAYS", *why))[0] == 0
    assert (await world.cli("instrument", "halt", "AAPL", *why))[0] == 0
    assert (await world.cli("price", "set", "MSFT=417.25", *why))[0] == 0
    before = await exported(world)

    await router.kill()
    router = await world.start_router()
    await world.until_serving()

    assert await exported(world) == before
    async with world.client() as client:
        silver = await client.get_instrument("XAGUSD")
        assert (silver.calendar_id, silver.trading_hours.time_zone, silver.kind) == ("ALWAYS", "UTC", "metal")
        assert (await client.get_instrument("AAPL")).halted
        backups = [backup async for backup in client.list_instrument_backups()]
        assert [backup.count for backup in backups] == [22]
    code, out, _ = await world.cli(
        "instrument", "import", "--backup", backups[0].backup_id, "--reason", "back"
    )
    assert code == 0
    assert "deleted" in out
    await world.balanced(router, venue)


async def exported(world: World) -> str:
    """But for when the file was read, which is the time of its prices."""
    code, out, _ = await world.cli("instrument", "export")
    assert code == 0
    return re.sub(r"[^,]*,instruments file", "instruments file", out)


async def test_what_was_answered_before_a_crash_is_there(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    told: dict[str, int] = {}

    async def trouble(name: str) -> None:
        with suppress(FairleadError):  # until the router is gone
            async with world.client() as client:
                for number in range(1, 10_000):
                    volume = {"average_daily_volume": number}
                    await client.update_instrument(name, reason="again and again", **volume)  # type: ignore[arg-type] # one of its terms
                    told[name] = number
                    if number == 20:
                        enough.set()

    enough = asyncio.Event()
    tasks = [asyncio.create_task(trouble(name)) for name in ("AAPL", "MSFT", "TSLA")]
    async with asyncio.timeout(60):
        await enough.wait()
    await router.kill()
    await asyncio.gather(*tasks)
    router = await world.start_router()
    await world.until_serving()

    async with asyncio.timeout(60), world.client() as client:
        for name, number in told.items():
            volume = (await _instrument(client, name)).average_daily_volume
            assert int(volume) in (number, number + 1)  # the next may be durable, and not answered
    await world.balanced(router, venue)


async def _instrument(client: AsyncClient, name: str) -> Instrument:
    """gRPC tries an address at which nobody was again after a while only."""
    while True:
        with suppress(Unavailable):
            return await client.get_instrument(name)
        await asyncio.sleep(0.05)
