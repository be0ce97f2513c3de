"""One run: a router, a venue, what lies between them and what befalls them, all of it from one seed.

The router is what serves, without its gRPC door; the venue is the simulator, without its sockets. A run is lively at
first, then nothing goes wrong any more, until both are at rest and agree.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import cycle
from random import Random

from fairlead_server.config import Config
from fairlead_server.domain.errors import RouterError
from fairlead_server.domain.ids import Ulids
from fairlead_server.domain.routes import Route
from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.fix.session import Role, SessionConfig
from fairlead_server.router import Router
from fairlead_server.store.database import StoreError
from fairlead_server.venue.settings import Endpoint, VenueSettings

from tests.domain.builders import NOW, account, instrument, limits, policy
from tests.fix.versions import SPOKEN
from tests.simulation.disk import Disk, Disks
from tests.simulation.loop import Killed, Loop, Process
from tests.simulation.network import Network
from tests.simulation.surroundings import Surroundings
from tests.simulation.venue import PRICES, Venue

ACCOUNT = "ACC1"
_MUCH = Decimal(10**9)
_WIDE = limits(max_order_quantity=_MUCH, max_order_notional=_MUCH, max_position=_MUCH, max_open_orders=1000)
_KEEP = 2  # orders in memory that have ended: whatever comes late mostly finds its order in the store alone


class World:
    """What there is. ``trace`` is told of everything that happens, if somebody wants to know."""

    def __init__(self, seed: int, disks: Disks, trace: Callable[[str], None] | None = None) -> None:
        self.chance = Random(seed)
        self.around = Surroundings.drawn(self.chance)
        self.sessions = tuple(self.around.sessions)
        self._trace = trace
        self.loop = Loop(Random(self.chance.random()), self.around.patience)
        self.network = Network(self.loop, Random(self.chance.random()), self.around.slowest, self.effect)
        self.loop.connect = self.network.connect
        self.network.is_open = self._is_open
        self.network.accept = lambda: self.venue.answer() if self.venue is not None else None
        self.disk: Disk = disks.empty(self.effect)
        self._memory = _nameless_file()
        self._fuses: dict[Process, int] = {}
        self._lives = 0
        self.router: Router | None = None
        self.router_process = Process("router")
        self.venue: Venue | None = None
        self.stalled = 0.0  # seconds for which the venue may have read nothing, all in all
        self.begun: list[Callable[[Router], None]] = []  # of each new router, in its process

    def now(self) -> datetime:
        return NOW + timedelta(seconds=round(self.loop.time(), 6))

    def _is_open(self, seconds: float) -> bool:
        """Now, or so shortly before that what was decided then may only have become durable by now."""
        late = NOW + timedelta(seconds=seconds)
        early = late - timedelta(seconds=1 + self.around.slowest + 2 * self.around.patience)
        return any(self.around.schedule.is_open(time) for time in (early, late))

    def tell(self, text: str) -> None:
        if self._trace is not None:
            self._trace(f"{self.loop.time():11.6f}  {text}")

    @property
    def traced(self) -> bool:
        return self._trace is not None

    def run(self, seconds: float) -> None:
        self.loop.run_until(self.loop.time() + seconds)

    def close(self) -> None:
        self.loop.end()
        os.close(self._memory)

    def journal(self) -> list[bytes]:
        """The venue's, a line a turn."""
        return os.pread(self._memory, os.fstat(self._memory).st_size, 0).splitlines()

    # Who does what.

    def in_router(self, act: Callable[[Router], None]) -> None:
        if self.router is not None:
            self.loop.call_soon(self._in_router, act, self.router, context=self.router_process.context)

    def _in_router(self, act: Callable[[Router], None], router: Router) -> None:
        try:
            act(router)
        except RouterError as error:
            self.tell(f"refused: {error}")

    def in_venue(self, act: Callable[[Venue], None]) -> None:
        if self.venue is not None:
            self.loop.call_soon(act, self.venue, context=self.venue.process.context)

    def outside(self, seconds: float, act: Callable[[], None]) -> None:
        """Of neither process."""
        self.loop.call_later(seconds, act, context=_NOBODY.context)

    # Lives and deaths.

    def effect(self, process: Process, what: str) -> None:
        """At each effect that a process has it may die."""
        process.check()
        if process not in self._fuses:
            return
        self._fuses[process] -= 1
        if self._fuses[process] <= 0:
            self._die(process, what)
            raise Killed

    def doom(self, process: Process, effects: int) -> None:
        """It dies at so many effects from now."""
        self._fuses[process] = effects

    def spare(self) -> None:
        """Nobody dies any more, and the disk is sound and quick."""
        self._fuses.clear()
        self.disk.failing = 0
        self.loop.patience = 0.0

    def _die(self, process: Process, what: str) -> None:
        self.tell(f"{process.name} dies at '{what}'")
        process.alive = False
        self._fuses.pop(process, None)
        self.network.died(process)
        begin = self.begin_router if process is self.router_process else self.begin_venue
        if process is self.router_process:
            self.router = None
        else:
            self.venue = None
        self.outside(self.chance.choice([0.01, 0.5, 5]), begin)

    def begin_router(self) -> None:
        process = self.router_process = self.network.client = self.disk.process = Process("router")
        self.tell("router begins")
        self.loop.call_soon(self._make_router, context=process.context)

    def _make_router(self) -> None:
        """It ends at once where the store cannot be read, and is begun again."""
        self._lives += 1
        ulids = Ulids(self._lives)
        chance = Random(self._lives).random
        config = _config(self.around)
        try:
            self.router = Router(config, self.disk, ulids, self.now, chance, _nothing, keep=_KEEP)
        except StoreError as error:
            self._die(self.router_process, f"{error}")
            return
        self.router.recover()
        self.router.sessions.start()
        for each in self.begun:
            each(self.router)

    def begin_venue(self) -> None:
        process = Process("venue")
        self.tell("venue begins")
        self.loop.call_soon(self._make_venue, process, context=process.context)

    def _make_venue(self, process: Process) -> None:
        around = self.around
        self.venue = Venue(process, self._memory, around, self.now, self.effect)


_NOBODY = Process("nobody")


def _nothing() -> None:
    """Nobody watches health."""


def _nameless_file() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _config(around: Surroundings) -> Config:
    begin_string, appl_ver_id = SPOKEN[around.version]
    sessions = tuple(
        VenueSettings(
            name,
            SessionConfig(
                begin_string,
                us,
                "BROKER",
                Role.INITIATOR,
                around.heart_bt_int,
                default_appl_ver_id=appl_ver_id,
                next_expected=around.next_expected,
                resend_chunk=around.resend_chunk,
            ),
            (Endpoint("broker", 1),),
            ACCOUNT,
            resend_stale=around.resend_stale,
            reconnect_max=timedelta(seconds=2),
            throttle=around.throttle,
            schedule=around.schedule,
            rules=VenueRules(chain_mode=around.chain_mode, mass_cancel=around.mass_cancel is not None),
        )
        for name, us in around.sessions.items()
    )
    shares = zip(cycle(around.sessions), PRICES, strict=False)
    return Config(
        host="",
        port=0,
        server_id="simulated",
        store_url="",
        router_id="FL",
        shard=0,
        instruments={name: instrument(instrument_id=name, symbol=name) for name in PRICES},
        policy=policy(account(account_id=ACCOUNT), values=_WIDE, max_reference_age=timedelta(days=9)),
        sessions=sessions,
        routes=tuple(Route(name, session, instruments=frozenset({name})) for session, name in shares),
        log_level="",
        version="",
    )


class _Listener(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.wrong: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._world.tell(f"{record.name}: {record.getMessage()}")
        if record.exc_info:  # an error that nobody expected: of a decision, an act, a message
            self.wrong.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


@contextmanager
def listening(world: World) -> Iterator[list[str]]:
    """What product code logs goes to the trace; what it logs with a traceback is wrong."""
    listener, level = _Listener(world), logging.INFO if world.traced else logging.ERROR
    loggers = [logging.getLogger(name) for name in ("fairlead_server", "fix_sim")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(listener)
        logger.setLevel(level)
        logger.propagate = False
    try:
        yield listener.wrong
    finally:
        for logger, (old, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(listener)
            logger.setLevel(old)
            logger.propagate = propagate
