"""The count that a soak ends with: right when all is right, and with what was planted when something was."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.soak.loop import ClockedWorld
from tests.soak.tally import Key, Tally, counted
from tests.system.books import departures
from tests.system.crowd import ACCOUNT, Crowd
from tests.system.processes import ROOT, Yard
from tests.system.world import World, at_rest

FREE = "CREATE TABLE free AS SELECT * FROM {0}; DROP TABLE {0}; ALTER TABLE free RENAME TO {0};"  # of constraints
ONE_ORDER = "(SELECT order_id FROM orders WHERE client_order_id = 'C-0')"
ONE_FILL = "(SELECT max(sequence) FROM executions)"
UNTOLD = "(SELECT order_id FROM orders WHERE client_order_id = 'C-4')"  # it rests, and has no fills
NOTHING_OF_IT = "".join(
    f"DELETE FROM {table} WHERE order_id = {UNTOLD};" for table in ("cl_ord_ids", "orders")
)

PLANTED_IN_STORE = {
    "an acknowledged order is gone": (f"DELETE FROM orders WHERE order_id = {ONE_ORDER}", (1, 0)),
    "a fill is gone": (f"DELETE FROM executions WHERE sequence = {ONE_FILL}", (1, 0)),
    "one key has two orders": (
        FREE.format("orders")
        + "INSERT INTO orders SELECT * FROM orders WHERE client_order_id = 'C-0';"
        + "UPDATE orders SET order_id = 'TWIN' WHERE rowid = (SELECT max(rowid) FROM orders)",
        (1, 1),
    ),
    "a fill was booked twice": (
        FREE.format("executions")
        + f"INSERT INTO executions SELECT * FROM executions WHERE sequence = {ONE_FILL}",
        (0, 1),
    ),
}


async def test_every_lost_and_every_doubled_order_and_fill_is_counted(world: World, tmp_path: Path) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    async with Crowd(world) as crowd:
        await crowd.answers(20)
        await crowd.finish()
    await world.until(at_rest)
    await world.balanced(router, venue)
    told = {(ACCOUNT, key): response.order.order_id for key, response in crowd.told.items()}

    right = counted(world.store, world.journal, told).after(3)
    assert right.good
    assert str(right) == f"kills=3 orders={len(told)} fills={right.fills} lost=0 doubled=0"
    assert right.fills > 0

    doctored = tmp_path / "doctored"
    for name, (script, expected) in PLANTED_IN_STORE.items():
        with_script(world.store, script, doctored)
        assert (name, found(doctored, world.journal, told)) == (name, expected)
    with_script(world.store, NOTHING_OF_IT, doctored)
    untold = {key: order_id for key, order_id in told.items() if key != (ACCOUNT, "C-4")}
    assert found(doctored, world.journal, untold) == (1, 0)
    twice_received(world.journal, doctored)
    assert found(world.store, doctored, told) == (0, 1)
    assert found(world.store, world.journal, told | {(ACCOUNT, "C-none"): "NONE"}) == (1, 0)


def found(store: Path, journal: Path, told: dict[Key, str]) -> tuple[int, int]:
    tally = counted(store, journal, told)
    assert not tally.good
    assert str(tally).endswith(f" lost={len(tally.lost)} doubled={len(tally.doubled)}")
    return len(tally.lost), len(tally.doubled)


def with_script(store: Path, script: str, doctored: Path) -> None:
    shutil.copy(store, doctored)
    with closing(sqlite3.connect(doctored)) as connection, connection:
        connection.executescript(script)


def twice_received(journal: Path, doctored: Path) -> None:
    """The first order, once more, under another number."""
    turns: list[dict[str, Any]] = [json.loads(line) for line in journal.read_text().splitlines()]
    parts = [part for turn in turns for part in turn.get("sessions", {}).values()]
    part, order = next((part, row) for part in parts for row in part["received"] if row["type"] == "D")
    part["received"].append({**order, "seq": order["seq"] + 1000})
    doctored.write_text("\n".join(map(json.dumps, turns)))


def test_tallies_add_up_and_any_disagreement_is_not_good() -> None:
    sum_of_two = Tally(2, 30, 40, lost=("one",)) + Tally(3, 5, 6, doubled=("two", "three"))

    assert str(sum_of_two) == "kills=5 orders=35 fills=46 lost=1 doubled=2"
    assert not sum_of_two.good
    assert not Tally(1, 2, 3).after(1, "told otherwise").good


async def test_the_clock_that_is_set_is_the_one_that_the_router_goes_by(tmp_path: Path, yard: Yard) -> None:
    world = ClockedWorld(tmp_path, yard)
    venue, router = await world.start_venue(), await world.start_router()
    async with Crowd(world) as crowd:
        await crowd.answers(5)
        world.set_clock(100.0)
        await crowd.answers(5)
        world.set_clock(0.0)
        await crowd.finish()
    await world.until(at_rest)
    await world.balanced(router, venue)

    times = [time for time, _ in departures(world.store)]
    assert sum(later - time > timedelta(seconds=50) for time, later in pairwise(times)) == 1


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_short_one_on_sqlite_loses_and_doubles_nothing() -> None:
    run = [sys.executable, "-m", "tests.soak", "--kills", "3", "--store", "sqlite"]
    done = subprocess.run(run, cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("seed=")
    assert last.startswith("kills=3 ")
    assert last.endswith(" lost=0 doubled=0")
