"""Harm at random instants, to a router and a venue under load, until so many processes have been killed."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from signal import SIGQUIT

from tests import postgres
from tests.soak.shifted import shift
from tests.soak.tally import Tally, counted
from tests.soak.throng import Throng
from tests.system.crowd import ACCOUNT, compare
from tests.system.processes import Process, Yard
from tests.system.proxy import Proxy, proxy
from tests.system.test_broken_connection import NEW_ORDER, REPORT, SOON, nothing, once, torn
from tests.system.world import World, at_rest

_ORDERS = "fairlead.v1.OrderService"
_LONGEST = 1.0  # seconds between one harm and the next, but for what it takes to recover
_FURTHEST = 55.0  # seconds from the right time; two of them are less than what a SendingTime(52) may be off


async def crash_loop(folder: Path, kills: int, random: Random, server: postgres.Server | None) -> Tally:
    """On PostgreSQL if there is a server, which must have an empty database; on SQLite otherwise."""
    yard = Yard(folder)
    world = ClockedWorld(folder, yard)
    if server is not None:
        world.database = server.url
    try:
        async with proxy(world.fix_port) as between:
            world.venue_port = between.port
            return await _Loop(world, between, random, server).run(kills)
    finally:
        await yard.close()


class ClockedWorld(World):
    """Its router's clock can be set."""

    def __init__(self, folder: Path, yard: Yard) -> None:
        super().__init__(folder, yard)
        self._shift = folder / "shift"
        self.set_clock(0.0)

    def set_clock(self, seconds: float) -> None:
        """So far from what it is, from now on and over restarts."""
        shift(self._shift, seconds)

    def router_command(self, *settings: str) -> list[str]:
        module, name, *arguments = super().router_command(*settings)
        assert (module, name) == ("-m", "fairlead_server")
        return ["-m", "tests.soak.shifted", str(self._shift), *arguments]


class _Loop:
    def __init__(
        self, world: ClockedWorld, between: Proxy, random: Random, server: postgres.Server | None
    ) -> None:
        self._world = world
        self._between = between
        self._random = random
        self._server = server
        self._kills = 0
        self._done = Counter[str]()
        self._harms: dict[str, tuple[int, Callable[[], Awaitable[None]]]] = {
            "router killed": (6, self._kill_router),
            "venue killed": (3, self._kill_venue),
            "both killed": (1, self._kill_both),
            "connection cut": (1, self._cut),
            "message torn": (1, self._tear),
            "message lost": (1, self._lose),
            "connection frozen": (1, self._freeze),
            "connection swallowed": (1, self._swallow),
            "clock set": (2, self._set_clock),
            "store away": (1, self._fill_disk if server is None else self._crash_server),
        }  # each so many times, shuffled; then anew
        self._deck = list[str]()
        self._router: Process
        self._venue: Process

    async def run(self, kills: int) -> Tally:
        self._venue = await self._world.start_venue()
        self._router = await self._world.start_router(*SOON)
        async with Throng(self._world) as throng:
            while self._kills < kills:
                await self._harm(throng, left=kills - self._kills)
            await throng.answers(20)
            await throng.finish()
        await self._world.until(at_rest)
        found = {order.client_order_id: order for order in await self._world.orders()}
        codes = [await self._router.stop(), await self._venue.stop()]
        print("  " + ", ".join(f"{name} {times}" for name, times in sorted(self._done.items())), flush=True)

        told = throng.told
        contradictions = [
            *(f"the router and the venue ended with {codes}" for _ in [0] if any(codes)),
            *(line for key in told.keys() & found.keys() for line in compare(told[key], found[key])),
        ]
        store = self._world.database or self._world.store
        ids = {(ACCOUNT, key): response.order.order_id for key, response in told.items()}
        return counted(store, self._world.journal, ids).after(self._kills, *contradictions)

    async def _harm(self, throng: Throng, left: int) -> None:
        """Mostly in the middle of work; now and then while whoever was killed last is still getting up."""
        if not self._deck:
            self._deck = [name for name, (times, _) in self._harms.items() for _ in range(times)]
            self._random.shuffle(self._deck)
        name = self._deck.pop()
        if name == "both killed" and left == 1:
            return
        if self._random.random() < 0.8:
            await throng.answers(1)
        await asyncio.sleep(self._random.uniform(0, _LONGEST))
        await self._harms[name][1]()
        self._done[name] += 1

    async def _kill_router(self) -> None:
        await self._router.kill()
        self._kills += 1
        self._router = await self._world.start_router(*SOON)

    async def _kill_venue(self) -> None:
        await self._venue.kill()
        self._kills += 1
        self._venue = await self._world.start_venue()

    async def _kill_both(self) -> None:
        await asyncio.gather(self._router.kill(), self._venue.kill())
        self._kills += 2
        self._venue = await self._world.start_venue()
        self._router = await self._world.start_router(*SOON)

    async def _cut(self) -> None:
        self._between.cut()

    async def _tear(self) -> None:
        await self._break(torn)

    async def _lose(self) -> None:
        await self._break(nothing)

    async def _break(self, act: Callable[[bytes], bytes | None]) -> None:
        name, holding = self._random.choice([("to_server", NEW_ORDER), ("to_client", REPORT)])
        opened = self._between.connections
        once(self._between, name, holding, act)
        await self._between.opened(opened + 1)

    async def _freeze(self) -> None:
        self._between.freeze()
        await asyncio.sleep(self._random.uniform(0, _LONGEST))
        self._between.thaw()

    async def _swallow(self) -> None:
        await self._world.until_serving()
        self._between.swallow()
        await self._world.until_serving(serving=False)
        self._between.heal()

    async def _set_clock(self) -> None:
        self._world.set_clock(self._random.uniform(-_FURTHEST, _FURTHEST))

    async def _fill_disk(self) -> None:
        """No file of the router's takes another byte, until it has noticed."""
        await self._world.until_serving(_ORDERS)
        soft, hard = resource.prlimit(self._router.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._router.pid, resource.RLIMIT_FSIZE, (0, hard))
        await self._world.until_serving(_ORDERS, serving=False)
        resource.prlimit(self._router.pid, resource.RLIMIT_FSIZE, (soft, hard))
        await self._world.until_serving(_ORDERS)

    async def _crash_server(self) -> None:
        assert self._server is not None
        await self._world.until_serving(_ORDERS)
        await asyncio.to_thread(self._server.stop, SIGQUIT)
        await self._world.until_serving(_ORDERS, serving=False)
        await asyncio.to_thread(self._server.start)
        await self._world.until_serving(_ORDERS)
