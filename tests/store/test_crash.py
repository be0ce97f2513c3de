"""``kill -9`` in the middle of a commit leaves all of it or nothing, in every table alike."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from fairlead_server.fix.terms import Numbers
from fairlead_server.store import lever_tables, tables
from fairlead_server.store.database import Store, open_store
from sqlalchemy import func, select

from tests.domain.builders import NOW
from tests.store.crash_child import SIZE
from tests.store.facts import HOLDING, SESSION, position

ROOT = Path(__file__).parents[2]
CHILD = (sys.executable, "-m", "tests.store.crash_child")


def assert_whole(store: Store) -> int:
    """Every table tells of the same number of orders, which is returned."""
    snapshot = store.load(NOW)
    number = snapshot.head
    once = (
        tables.orders,
        tables.cl_ord_ids,
        tables.executions,
        tables.decisions,
        tables.requests,
        tables.mass_cancels,
        tables.trade_sessions,
        lever_tables.trading_states,
        lever_tables.flattens,
        lever_tables.dead_men,
        lever_tables.live_gates,
    )
    with store._reading() as connection:
        found = [connection.scalar(select(func.count()).select_from(table)) for table in once]
        messages = connection.scalar(select(func.count()).select_from(tables.messages))
        sqlite = connection.dialect.name == "sqlite"
        sound = connection.exec_driver_sql("PRAGMA integrity_check").scalar() if sqlite else "ok"

    assert found == [number] * len(once)
    assert messages == 2 * number
    assert [row.sequence for row in store.events_after(0, number + 1)] == list(range(1, number + 1))
    assert len(snapshot.orders) == number
    if number:
        assert snapshot.sessions == {SESSION: Numbers(next_in=number + 1, next_out=number + 1)}
        assert snapshot.positions == [(HOLDING, position(number))]
        assert snapshot.counters == {"cl_ord_id": number}
    assert number % SIZE == 0
    assert sound == "ok"
    return number


def test_death_before_any_statement_of_a_transaction_leaves_nothing_of_it(tmp_path: Path) -> None:
    subprocess.run([*CHILD, "statements", tmp_path], cwd=ROOT, check=True)

    *killed, last = sorted(tmp_path.glob("*.db"), key=lambda file: int(file.stem))
    assert len(killed) > 10
    for file in killed:
        assert found_in(f"sqlite:///{file}") == SIZE
    assert found_in(f"sqlite:///{last}") == 2 * SIZE


def found_in(url: str) -> int:
    store = open_store(url)
    number = assert_whole(store)
    store.close()
    return number


SOAK = [pytest.param(seed, 20, marks=[pytest.mark.soak, pytest.mark.timeout(600)]) for seed in range(10)]


@pytest.mark.parametrize(("seed", "kills"), [(0, 3), *SOAK])
def test_a_store_that_is_killed_again_and_again_keeps_all_it_confirmed(
    kept_url: str, seed: int, kills: int
) -> None:
    chance = random.Random(seed)
    for _ in range(kills):
        confirmed = kill_after(chance.randint(1, 40), kept_url)

        found = found_in(kept_url)
        assert found in (
            confirmed * SIZE,
            (confirmed + 1) * SIZE,
        )  # the next may be durable, and not yet told


def kill_after(groups: int, url: str) -> int:
    """The last number that the child said, when it was killed while it went on."""
    with subprocess.Popen([*CHILD, "go-on", url], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(groups)]
        child.kill()
        said += child.stdout.readlines()
    return int(said[-1])
