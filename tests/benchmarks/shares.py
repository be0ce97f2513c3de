"""Where the router's CPU goes on an order, part by part; see :mod:`tests.benchmarks.clocked`. No case to compare with others by."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path

from tests.benchmarks.figures import Comparison, Figures
from tests.benchmarks.load import closed
from tests.benchmarks.rig import Way, running

NAME = "parts"
WAYS = {"unary64": (Way.CALL, 64), "trade256": (Way.TRADE, 256)}
REST = "gRPC, loop, the rest"

_WARM_UP = 0.1


async def measure(way: str, folder: Path, rounds: int, orders: int) -> Comparison:
    """A router of its own for each round; the reference is all that it takes, so that a ratio is a share."""
    pairs = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="parts-", dir=folder) as own:
            pairs.append(await _round(way, Path(own), orders))
    title = f"CPU of the router by its parts, us an order, {way}"
    return Comparison(title, pairs, ("part", "whole"), headline="")


async def _round(name: str, folder: Path, orders: int) -> tuple[Figures, Figures]:
    way, in_flight = WAYS[name]
    out = folder / "clocked.json"
    load = partial(closed, in_flight=in_flight)
    async with running(folder, ("tests.benchmarks.clocked", str(out))) as rig:
        await rig.router_round(load, max(int(orders * _WARM_UP), 1), way)
        await rig.router_round(load, orders, way)
        whole = rig.server_cpu()
        await rig.end()
    parts = json.loads(out.read_text())
    parts[REST] = whole - sum(parts.values())
    each = {part: seconds * 1e6 / rig.submitted for part, seconds in parts.items()}
    return each, dict.fromkeys(each, whole * 1e6 / rig.submitted)
