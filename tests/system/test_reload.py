"""Sessions come, change and go while the router runs and others trade."""

from __future__ import annotations

import shutil
import signal

from fairlead import AckLevel, NewOrder, OrderState

from tests.system.crowd import order_number
from tests.system.processes import ROOT
from tests.system.world import World

ORDER: NewOrder = {**order_number(0), "ack_level": AckLevel.VENUE}
ANOTHER = """
[sessions.LATE]
begin_string = "FIX.4.3"
sender_comp_id = "FAIRLEAD"
target_comp_id = "SIM"
host = "127.0.0.1"
port = {port}
default_account = "DEMO"
"""


def own_configuration(world: World) -> str:
    """A copy that can be edited; its text."""
    for name in ("fairlead.toml", "instruments.csv"):
        shutil.copy(ROOT / "examples" / name, world.folder / name)
    world.config = world.folder / "fairlead.toml"
    return world.config.read_text()


async def submit(world: World, key: str) -> OrderState:
    order: NewOrder = {**ORDER, "client_order_id": key}
    async with world.client() as client:
        answer = await client.submit_order(**order)
    return OrderState(answer.order.state)


async def test_a_session_and_its_route_are_added_and_taken_away(world: World) -> None:
    text = own_configuration(world)
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    route = '[[routes]]\nroute_id = "FIRST"\nsession_id = "LATE"\n\n[[routes]]'
    world.config.write_text(text.replace("[[routes]]", route, 1) + ANOTHER.format(port=world.fix_port))

    code, out, _ = await world.cli("--output", "json", "session", "reload", "--reason", "a new broker")
    assert (code, '"LATE"' in out) == (0, True)
    await world.until_serving("session/LATE")
    assert await submit(world, "by-LATE") == OrderState.FILLED
    async with world.client() as client:
        sessions = {session.session_id: session async for session in client.list_sessions()}
    assert sessions["SIM44"].connection_number == 1  # nobody else was disturbed

    world.config.write_text(text)
    router.signal(signal.SIGHUP)
    await world.until_serving("session/LATE", serving=False)
    assert await submit(world, "by-SIM44") == OrderState.FILLED
    orders = {order.client_order_id: order.venue.session_id for order in await world.orders()}
    assert orders == {"by-LATE": "LATE", "by-SIM44": "SIM44"}
    await world.balanced(router, venue)


async def test_a_configuration_that_is_wrong_changes_nothing_and_says_what_is_wrong(world: World) -> None:
    text = own_configuration(world)
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    world.config.write_text(text.replace('begin_string = "FIX.4.4"', 'begin_string = "FIX.4.9"'))

    code, _, error = await world.cli("session", "reload", "--reason", "a slip")

    assert code != 0
    assert "sessions.SIM44.begin_string" in error
    assert len(error.splitlines()) == 1
    assert await submit(world, "as-before") == OrderState.FILLED
    await world.balanced(router, venue)


async def test_limits_are_taken_up_and_what_needs_a_restart_is_named(world: World) -> None:
    text = own_configuration(world)
    await world.start_venue()
    router = await world.start_router()
    await world.until_serving()
    assert await submit(world, "before") == OrderState.FILLED
    tighter = text + '\n[[limits]]\nlimit_id = "nothing"\nvalues = { max_order_quantity = 0 }\n'
    world.config.write_text(tighter)

    code, out, _ = await world.cli("--output", "json", "session", "reload", "--reason", "tighter")

    assert (code, "risk and accounts" in out) == (0, False)
    assert await submit(world, "after") == OrderState.REJECTED
    world.config.write_text(tighter.replace("[accounts.DEMO]\n", "[accounts.DEMO]\nkill_switch = true\n"))
    code, out, _ = await world.cli("--output", "json", "session", "reload", "--reason", "stop")
    assert (code, "risk and accounts" in out) == (0, True)
    assert await router.stop() == 0
