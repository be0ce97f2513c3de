"""A broker that lost its books: the session halts instead of looping, says what repairs it, and that repairs it."""

from __future__ import annotations

import json
import shlex
import shutil

from fairlead import AckLevel, NewOrder, OrderState

from tests.system.crowd import order_number
from tests.system.world import World


async def shown(world: World) -> dict[str, str]:
    _, out, _ = await world.cli("--output", "json", "session", "get", "SIM44")
    found: dict[str, str] = json.loads(out)
    return found


async def submit(world: World, key: str) -> OrderState:
    order: NewOrder = {**order_number(0), "ack_level": AckLevel.VENUE, "client_order_id": key}
    async with world.client() as client:
        answer = await client.submit_order(**order)
    return OrderState(answer.order.state)


async def test_numbers_that_are_too_low_are_repaired_by_the_command_that_is_shown(world: World) -> None:
    venue = await world.start_venue()
    router = await world.start_router()
    await world.until_serving()
    for number in range(5):
        assert await submit(world, f"before-{number}") == OrderState.FILLED
    await venue.kill()
    shutil.rmtree(world.journal.parent)

    venue = await world.start_venue()
    while (session := await shown(world))["state"] != "SESSION_STATE_HALTED":
        assert "too low" in session.get("state_reason", "too low") or "connect" in session["state_reason"]
    await router.kill()
    router = await world.start_router()
    assert (await shown(world))["repair"] == session["repair"]  # whoever restarts it has repaired nothing
    repair = shlex.split(session["repair"])
    assert repair[:4] == ["fairlead", "session", "reset", "SIM44"]
    code, _, error = await world.cli(
        *(word.replace("REASON", "broker lost its books") for word in repair[1:])
    )

    assert (code, error) == (0, "")
    await world.until_serving()
    assert await submit(world, "after") == OrderState.FILLED
    assert await router.stop() == 0
    assert await venue.stop() == 0
