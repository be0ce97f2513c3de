"""FIX round trips, 64 orders in flight, each answered with New and Trade: ours, the router's and QuickFIX's in turn.

Each has a venue to itself (:mod:`tests.benchmarks.venue`). QuickFIX does nothing but the trips, :mod:`~tests.benchmarks.fix_leg`
does them with our session, journal and store, the router with all that an order is to it, entered over one TradeSession.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from tests.benchmarks import fix_leg, load
from tests.benchmarks.figures import RATE, Comparison, Figures
from tests.benchmarks.parts import quickfix_python
from tests.benchmarks.processes import Process
from tests.benchmarks.rig import OrdersLost, Rig, Way, running

NAME = "fix"
CPU = "CPU us"
SIDES = {
    "leg": "FIX leg, every message durable and validated, 64 in flight",
    "router": "Whole router, TradeSession, 64 in flight",
}

_QUICKFIX = "QuickFIX"
_PATIENCE, _SLOWEST = 30.0, 500  # seconds, and orders a second
Round = Callable[[int], Awaitable[Figures]]


async def measure(folder: Path, rounds: int, orders: int) -> Mapping[str, Comparison] | None:
    """By the side that is compared with QuickFIX; None where there is no QuickFIX."""
    python = quickfix_python()
    if python is None:
        return None
    async with AsyncExitStack() as stack:
        for name in (_QUICKFIX, *SIDES):
            await asyncio.to_thread((folder / name).mkdir)
        theirs = await _Leg.begun(
            stack, folder / _QUICKFIX, "tests.benchmarks.quickfix_leg", python=str(python)
        )
        ours = await _Leg.begun(stack, folder / "leg", "tests.benchmarks.fix_leg")
        rig = await stack.enter_async_context(running(folder / "router"))
        measured: dict[str, Round] = {"leg": ours.round, "router": partial(_router_round, rig)}
        warm_up = max(orders // 10, 1)
        for each in (theirs.round, *measured.values()):
            await each(warm_up)
        pairs: dict[str, list[tuple[Figures, Figures]]] = {name: [] for name in measured}
        for _ in range(rounds):
            reference = await theirs.round(orders)
            for name, each in measured.items():
                pairs[name].append((await each(orders), reference))
        for leg in (theirs, ours):
            await leg.end()
        await rig.end()
    return {name: Comparison(SIDES[name], pairs[name], (name, _QUICKFIX)) for name in SIDES}


async def _router_round(rig: Rig, orders: int) -> Figures:
    load_ = partial(load.closed, in_flight=fix_leg.WINDOW)
    figures = await rig.router_round(load_, orders, Way.TRADE)
    return {RATE: figures[RATE], CPU: figures["server CPU us"]}


class _Leg:
    """A process that is told how many orders to send, and its venue."""

    def __init__(self, process: Process, venue: Process) -> None:
        self._process = process
        self._venue = venue
        self._sent = 0

    @classmethod
    async def begun(cls, stack: AsyncExitStack, folder: Path, module: str, python: str = "") -> _Leg:
        venue = await Process.start("venue", folder, "tests.benchmarks.venue")
        stack.push_async_callback(venue.kill)
        port = json.loads(venue.ready)["port"]
        process = await Process.start(folder.name, folder, module, str(port), str(folder), python=python)
        stack.push_async_callback(process.kill)
        return cls(process, venue)

    async def round(self, orders: int) -> Figures:
        before = self._process.cpu_seconds()
        said = json.loads(await self._process.ask(str(orders), _PATIENCE + orders / _SLOWEST))
        self._sent += orders
        return {RATE: said[RATE], CPU: (self._process.cpu_seconds() - before) * 1e6 / orders}

    async def end(self) -> None:
        """The venue has to have seen each order once."""
        await self._process.kill()
        seen = json.loads(await self._venue.stop())["orders"]
        if seen != self._sent:
            raise OrdersLost(f"{self._sent} orders were sent, the venue saw {seen}")
