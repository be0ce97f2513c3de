"""Sessions come, change and go while the router runs and others trade."""

from __future__ import annotations

import json
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

CLOSED = """
[calendars.SUNDAYS]
zone = "UTC"
spans = [{ days = ["SUN"], start = 09:00:00, end = 10:00:00 }]
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


async def test_instruments_and_calendars_of_a_changed_file_are_taken_up(world: World) -> None:
    text = own_configuration(world)
    universe = world.folder / "instruments.csv"
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    assert (await world.cli("instrument", "halt", "MSFT", "--reason", "news"))[0] == 0
    rows = universe.read_text().replace("AAPL,AAPL,USD,0.01,1,", "AAPL,AAPL,USD,0.01,7,")
    universe.write_text(rows + "NEW,NEW,USD,0.01,1,10\n")
    world.config.write_text(text + CLOSED)

    code, out, _ = await world.cli("--output", "json", "session", "reload", "--reason", "a new universe")

    assert code == 0
    done = json.loads(out)
    assert (done["changed_instrument_count"], done["changed_calendar_count"]) == (2, 1)
    assert "restart_parts" not in done
    async with world.client() as client:
        found = {each.instrument_id: each async for each in client.list_instruments()}
    assert (found["AAPL"].lot_size, found["NEW"].reference_price.price) == ("7", "10")
    assert found["MSFT"].halted  # what was said meanwhile stays

    universe.write_text(rows.replace("MSFT,MSFT,USD,0.01", "MSFT,MSFT,USD,nothing"))
    code, _, error = await world.cli("session", "reload", "--reason", "a slip")
    assert code != 0
    assert "instruments.csv:3: tick_size" in error
    async with world.client() as client:
        assert (await client.get_instrument("NEW")).symbol == "NEW"
    await world.balanced(router, venue)
