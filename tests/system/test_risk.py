"""Limits set at a terminal while the router runs: what they refuse, what they say, and that they outlive a crash."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path

from tests.system.processes import Process
from tests.system.world import World

ORDER = ("AAPL", "buy", "100", "--account", "DEMO", "--price", "150.00")
WHY = ("--reason", "as agreed")


async def serving(world: World) -> tuple[Process, Process]:
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    return venue, router


async def submit(world: World, key: str) -> tuple[int, str]:
    code, _, err = await world.cli("order", "submit", *ORDER, "--client-order-id", key, "--ack", "venue")
    return code, err


async def order_id(world: World, key: str) -> str:
    found: str = json.loads((await world.cli("order", "get", f"DEMO/{key}", "-o", "json"))[1])["order_id"]
    return found


async def etag(world: World) -> str:
    found: str = json.loads((await world.cli("risk", "show", "tight", "-o", "json"))[1])["etag"]
    return found


async def test_a_limit_refuses_warns_and_is_gone(world: World) -> None:
    venue, router = await serving(world)

    made = await world.cli("risk", "set", "tight", "max_order_quantity=50", "--account", "DEMO", *WHY)
    refused, checked = (
        await submit(world, "refused"),
        await world.cli("risk", "check", *ORDER, "--failing", "-o", "csv"),
    )
    warned = await world.cli("risk", "set", "tight", "--mode", "warn", *WHY)
    passed, allowed = await submit(world, "warned"), await world.cli("risk", "check", *ORDER)
    state = await world.cli("risk", "state", "--account", "DEMO", "-o", "csv")
    decided = await world.cli("risk", "decisions", await order_id(world, "warned"), "-o", "csv")
    stale = await world.cli("risk", "delete", "tight", "--etag", "0", *WHY)
    deleted = await world.cli("risk", "delete", "tight", "--etag", await etag(world), *WHY)
    again = await submit(world, "again")

    assert [made[0], warned[0], passed[0], deleted[0], again[0]] == [0] * 5
    assert refused == (1, "fairlead: rejected: risk_max_quantity: order quantity is above the limit\n")
    assert (checked[0], allowed[0]) == (1, 0)
    [row] = csv.DictReader(io.StringIO(checked[1]))
    assert (row["control"], row["limit"], row["with_order"], row["limit_id"]) == (
        "max_quantity",
        "50",
        "100",
        "tight",
    )
    assert checked[2] == "fairlead: the largest quantity that would pass is 50\n"
    used = {row["control"]: row["used"] for row in csv.DictReader(io.StringIO(state[1]))}
    assert used == {"open_orders": "1", "position": "100"}
    [decision] = csv.DictReader(io.StringIO(decided[1]))
    assert (decision["allowed"], decision["breaches"], decision["noted"]) == ("yes", "", "max_quantity")
    assert (stale[0], stale[2][:24]) == (4, "fairlead: ETAG_MISMATCH:")
    await world.balanced(router, venue)


async def test_limits_outlive_a_crash_and_a_watch_goes_on_behind_it(world: World) -> None:
    venue, router = await serving(world)
    watch = ("-m", "fairlead", "--server", world.target, "risk", "watch", "--after", "0", "--limit", "4")
    watching = await world.yard.spawn("watch", (*watch, "-o", "jsonl"))

    await world.cli("risk", "set", "tight", "max_order_quantity=50", "--account", "DEMO", *WHY)
    before = [json.loads(await watching.line())]
    await submit(world, "before")
    before.append(json.loads(await watching.line()))
    await router.kill()
    router = await world.start_router()
    await world.until_serving()
    refused = await submit(world, "after")
    await world.cli("--as", "ann", "risk", "delete", "tight", "--reason", "over")
    after = [json.loads(await watching.line()) for _ in range(2)]

    assert refused[0] == 1
    found = [*before, *after]
    assert [each["sequence"] for each in found] == ["1", "2", "3", "4"]
    assert [each["kind"].removeprefix("RISK_EVENT_KIND_") for each in found] == [
        "LIMITS_CHANGED",
        "REFUSED",
        "REFUSED",
        "LIMITS_CHANGED",
    ]
    assert before[1]["breaches"] == after[0]["breaches"]
    assert (after[1]["principal"], after[1]["text"]) == ("ann", "deleted: over")
    assert await watching.ended() == 0
    await world.balanced(router, venue)


async def test_what_one_router_exports_is_imported_whole_or_not_at_all(world: World, tmp_path: Path) -> None:
    venue, router = await serving(world)
    file, wrong = tmp_path / "limits.json", tmp_path / "wrong.json"
    await world.cli("risk", "set", "tight", "max_order_quantity=50", "--account", "DEMO", *WHY)
    await world.cli("risk", "set", "lists", "--list", "allowed_sides=BUY", "--account", "DEMO", *WHY)
    exported = await world.cli("risk", "export", str(file))
    await world.cli("risk", "delete", "tight", *WHY)
    await world.cli("risk", "set", "other", "max_amends=3", *WHY)
    rows = json.loads(file.read_text())
    wrong.write_text(json.dumps([*rows, {"limit_id": "x", "limits": {"max_size": "1"}}]))

    failed = await world.cli("risk", "import", str(wrong), *WHY)
    tried = await world.cli("risk", "import", str(file), "--dry-run", *WHY, "-o", "csv")
    done = await world.cli("risk", "import", str(file), *WHY, "-o", "csv")
    again = await world.cli("risk", "import", str(file), *WHY, "-o", "csv")
    listed = await world.cli("risk", "list", "-o", "csv")

    assert exported == (0, "", "")
    assert (failed[0], failed[2].count("\n")) == (2, 1)
    assert "limit_sets[x].limits[max_size]" in failed[2]
    assert tried[1] == done[1] == "created,changed,deleted,unchanged\ntight,,other,1\n"
    assert again[1].splitlines()[1] == ",,,2"
    names = [row["limit_id"] for row in csv.DictReader(io.StringIO(listed[1]))]
    assert [name for name in names if not name.startswith("file:")] == ["lists", "tight"]
    await world.balanced(router, venue)


async def test_each_way_to_fail_has_its_exit_code_and_one_line(world: World) -> None:
    venue, router = await serving(world)
    commands = {
        ("set", "x", "max_order_quantiy=1", *WHY): 2,
        ("set", "x", "max_position=-1", *WHY): 2,
        ("set", "x", "max_position=1", "--session", "SIM44", *WHY): 2,
        ("set", "x", "message_burst=5", *WHY): 2,
        ("set", "x", "--list", "allowed_sides=UP", *WHY): 2,
        ("set", "a name", "max_amends=1", *WHY): 2,
        ("set", "x", *WHY): 2,
        ("size", *ORDER[:3], "--account", "DEMO", "--price", "150", "--stop", "151", "--risk", "1"): 2,
        ("enable", "file:DEMO", *WHY): 2,
        ("watch", "--after", "7", "-o", "jsonl"): 2,
        ("show", "nobody"): 3,
        ("delete", "nobody", *WHY): 3,
        ("enable", "nobody", *WHY): 3,
        ("decisions", "nobody"): 3,
        ("set", "file:DEMO", "max_amends=1", *WHY): 4,
        ("set", "x", "max_amends=1", "--etag", "0", *WHY): 4,
    }

    found = await asyncio.gather(*(world.cli("risk", *command) for command in commands))

    assert dict(zip(commands, (code for code, _, _ in found), strict=True)) == commands
    for _, out, err in found:
        assert out == ""
        (line,) = err.splitlines()
        assert line.startswith("fairlead: ")
    await world.balanced(router, venue)
