"""A day's orders leave no trace in the router's memory but their keys: measured on a real one, under full load."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.load import closed
from tests.benchmarks.rig import running

ROUND = 10_000  # orders


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_two_hundred_thousand_orders_that_are_over_take_less_than_a_hundred_bytes_each(
    tmp_path: Path,
) -> None:
    load = partial(closed, in_flight=256)
    async with running(tmp_path) as rig:
        for _ in range(3):  # as many as are kept, and all that a running router has
            await rig.router_round(load, ROUND, trade=True)
        before = rig.server_memory()
        for _ in range(20):
            await rig.router_round(load, ROUND, trade=True)
        grown = rig.server_memory() - before
        await rig.end()

    print(f"{before:.0f} MiB after {3 * ROUND:,} orders, {grown:.1f} more after {20 * ROUND:,} further ones")
    assert grown * 1024 * 1024 < 20 * ROUND * 100
