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


async def test_without_a_router_everything_ends_with_5_and_one_line(world: World) -> None:
    commands = (
        ("order", "submit", *ORDER, "--price", "150.00"),
        ("order", "cancel", "DEMO/one"),
        ("order", "list"),
        ("exec", "list"),
        ("session", "list"),
        ("--output", "jsonl", "exec", "watch", "--until-caught-up"),
    )
    for code, out, err in await asyncio.gather(*(world.cli(*command) for command in commands)):
        assert (code, out) == (5, "")
        (line,) = err.splitlines()
        assert line.startswith("fairlead: ")
        assert world.target in line
