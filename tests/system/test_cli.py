"""The command line end to end, as a person at a terminal: real router, real venue, what it prints, how it ends."""

from __future__ import annotations

import asyncio
import csv
import io
import json

from tests.system.processes import ROOT
from tests.system.world import World

ORDER = ("AAPL", "buy", "100", "--account", "DEMO")
FORMATS = ("table", "json", "jsonl", "csv")
BASKET = str(ROOT / "examples" / "basket.csv")


async def submit(world: World, key: str, *more: str) -> tuple[int, str, str]:
    return await world.cli("order", "submit", *ORDER, "--client-order-id", key, *more)


async def test_an_order_is_submitted_amended_looked_at_and_cancelled(world: World) -> None:
    await world.start_venue()
    await world.start_router()
    await world.until_serving()

    first = await submit(world, "one", "--price", "150.00", "--ack", "venue")
    again = await submit(world, "one", "--price", "150.00")
    amended = await world.cli("order", "amend", "DEMO/one", "--price", "151.25", "--ack", "venue")
    got = await world.cli("--output", "json", "order", "get", "DEMO/one")
    canceled = await world.cli("order", "cancel", "DEMO/one", "--ack", "venue")
    events = await world.cli("--output", "jsonl", "order", "events", "DEMO/one")

    assert (first[0], first[2]) == (0, "")
    assert "working" in first[1]
    assert (again[0], again[2]) == (0, "fairlead: duplicate: the order existed already\n")
    assert (amended[0], canceled[0]) == (0, 0)
    order = json.loads(got[1])
    assert (order["client_order_id"], order["price"], order["state"]) == (
        "one",
        "151.25",
        "ORDER_STATE_WORKING",
    )
    assert [json.loads(line)["kind"].removeprefix("EXECUTION_KIND_") for line in events[1].splitlines()] == [
        "ACCEPTED",
        "ROUTED",
        "VENUE_ACCEPTED",
        "AMEND_REQUESTED",
        "AMENDED",
        "CANCEL_REQUESTED",
        "CANCELED",
    ]
    code, out, err = await world.cli("-o", "jsonl", "exec", "watch", "--earliest", "--until-caught-up")
    assert (code, out) == (0, events[1])
    assert err.startswith("fairlead: go on with --after ")


async def test_each_way_to_fail_has_its_exit_code_and_one_line(world: World) -> None:
    await world.start_venue()
    await world.start_router()
    await world.until_serving()
    await submit(world, "one", "--price", "150.00", "--ack", "venue")
    await world.cli("order", "cancel", "DEMO/one", "--ack", "venue")

    answers = await asyncio.gather(
        submit(world, "big", "--price", "150.001"),
        world.cli("order", "submit", "AAPL", "buy", "100", "--account", "DEMO"),
        world.cli("order", "submit", "AAPL", "buy", "1e3", "--account", "DEMO", "--price", "1"),
        world.cli("order", "get", "DEMO/none"),
        submit(world, "one", "--price", "149.00"),
        world.cli("order", "amend", "DEMO/one", "--price", "152"),
    )

    assert [code for code, _, _ in answers] == [1, 2, 2, 3, 4, 4]
    for _, _, err in answers:
        (line,) = err.splitlines()
        assert line.startswith("fairlead: ")


async def test_the_basket_the_lists_and_the_formats(world: World) -> None:
    await world.start_venue()
    await world.start_router()
    await world.until_serving("session/SIM42")
    await world.until_serving()

    code, out, err = await world.cli("--output", "csv", "basket", BASKET)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 1  # some are refused
    assert len(rows) == 22
    assert err.startswith("fairlead: 22 orders: ")

    lists = {
        "order_id": ("order", "list"),
        "event_id": ("exec", "list", "--fills"),
        "session_id": ("session", "list"),
        "instrument_id": ("instrument", "list"),
    }
    for key, command in lists.items():
        code, out, err = await world.cli("--output", "json", *command)
        assert (code, err) == (0, "")
        assert all(each[key] for each in json.loads(out))

    answers = await asyncio.gather(*(world.cli("--output", name, "order", "list") for name in FORMATS))
    table, whole, lines, values = (out for _, out, _ in answers)
    found = [each["order_id"] for each in json.loads(whole)]
    assert len(found) == len(rows)
    assert [json.loads(line)["order_id"] for line in lines.splitlines()] == found
    assert [row["order_id"] for row in csv.DictReader(io.StringIO(values))] == found
    assert len(table.splitlines()) == len(found) + 1


async def test_what_was_said_about_an_order_is_read_in_words(world: World) -> None:
    await world.start_venue()
    await world.start_router()
    await world.until_serving()
    await submit(world, "one", "--price", "150.00", "--ack", "venue")
    order = json.loads((await world.cli("order", "get", "DEMO/one", "--output", "json"))[1])

    asked = await world.cli("session", "status", "DEMO/one", "--output", "jsonl")
    said = await world.cli(
        "session", "messages", "SIM44", "--order", order["venue"]["cl_ord_id"], "-o", "csv"
    )
    session = await world.cli("session", "get", "SIM44", "-o", "json")

    assert (asked[0], json.loads(asked[1])) == (0, {"asked": 1})
    new, accepted, inquiry, *_ = csv.DictReader(io.StringIO(said[1]))
    assert (new["way"], new["type"]) == ("out", "NewOrderSingle")
    assert "Side=1(Buy)" in new["fields"]
    assert (accepted["way"], accepted["type"]) == ("in", "ExecutionReport")
    assert "OrdStatus=0(New)" in accepted["fields"]
    assert (inquiry["way"], inquiry["type"]) == ("out", "OrderStatusRequest")
    assert json.loads(session[1])["state"] == "SESSION_STATE_ACTIVE"


async def test_a_session_that_is_stopped_stays_so_over_a_restart_until_it_is_started(world: World) -> None:
    await world.start_venue()
    router = await world.start_router()
    await world.until_serving()

    stopped = await world.cli("session", "stop", "SIM44", "--reason", "end of day")
    await world.until_serving(serving=False)
    assert await router.stop() == 0
    await world.start_router()
    refused = await submit(world, "one", "--price", "150.00")
    found = json.loads((await world.cli("session", "get", "SIM44", "-o", "json"))[1])
    numbers = ("--expected-in", found["next_in"], "--expected-out", found["next_out"])
    moved = await world.cli(
        "session", "reset", "SIM44", "--expected-in", "9", *numbers[2:], "--reason", "test"
    )
    started = await world.cli("session", "start", "SIM44", "--reason", "a new day")
    await world.until_serving()
    connected = await world.cli("session", "reset", "SIM44", *numbers, "--reason", "test")
    sent = await submit(world, "two", "--price", "150.00", "--ack", "venue")

    assert (stopped[0], refused[0]) == (0, 5)
    assert (found["stopped"], found["state"], found["state_reason"]) == (
        True,
        "SESSION_STATE_DISABLED",
        "end of day",
    )
    assert (moved[0], moved[2][:32]) == (4, "fairlead: SESSION_NUMBERS_MOVED:")
    assert (connected[0], connected[2][:28]) == (4, "fairlead: SESSION_CONNECTED:")
    assert (started[0], sent[0]) == (0, 0)


async def test_without_a_router_everything_ends_with_5_and_one_line(world: World) -> None:
    commands = (
        ("order", "submit", *ORDER, "--price", "150.00"),
        ("order", "cancel", "DEMO/one"),
        ("order", "list"),
        ("exec", "list"),
        ("session", "list"),
        ("session", "stop", "SIM44", "--reason", "nobody is there"),
        ("--output", "jsonl", "exec", "watch", "--until-caught-up"),
    )
    for code, out, err in await asyncio.gather(*(world.cli(*command) for command in commands)):
        assert (code, out) == (5, "")
        (line,) = err.splitlines()
        assert line.startswith("fairlead: ")
        assert world.target in line
