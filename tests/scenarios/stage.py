"""A router and the simulator as its broker, over a wire in memory and a clock that jumps from one thing due to the next.

The router is the real one from the use cases down to the bytes; so is the simulator. Only sockets and time are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.fix.session import Role, Session, SessionConfig, Validation
from fairlead_server.fix.terms import Numbers
from fairlead_server.store.database import Store
from fix_sim.broker import Broker, Turn, client_name
from fix_sim.config import IN_MEMORY
from fix_sim.engine import Engine, Ids
from fix_sim.journal import open_journal
from fix_sim.network import Latency
from fix_sim.scenario import Scenario

from tests.domain.builders import limits, policy
from tests.fix.versions import SPOKEN
from tests.venue.link import Link, MemoryWire

_MUCH = Decimal(10**9)
_WIDE = policy(
    values=limits(
        max_order_quantity=_MUCH, max_order_notional=_MUCH, max_position=_MUCH, max_open_orders=1000
    )
)
_RECONNECT = timedelta(seconds=1)


class Stage(Link):
    """Nothing moves by itself: :meth:`run` passes bytes and time on."""

    def __init__(
        self,
        store: Store,
        version: str,
        scenarios: Sequence[Scenario],
        latency: Latency | None = None,
        validation: Validation = Validation.STRICT,
        rules: VenueRules | None = None,
    ) -> None:
        """``version`` is the application's, such as FIX.5.0SP2."""
        super().__init__(store, version, policy=_WIDE, rules=rules, validation=validation)
        begin_string, appl_ver_id = SPOKEN[version]
        self._journal = open_journal(IN_MEMORY)
        self._client = client_name(begin_string, "BROKER", "FAIRLEAD")
        theirs = SessionConfig(
            begin_string, "BROKER", "FAIRLEAD", Role.ACCEPTOR, default_appl_ver_id=appl_ver_id
        )
        self.engine = Engine(Ids("S"), {"ACME": Decimal(50)}, (), scenarios)
        sessions = {self._client: Session(theirs, Numbers())}
        self.sim = Broker(self.engine, sessions, {}, self._journal.sent, latency)
        self.turns: list[Turn] = []
        self._to_router: list[bytes] = []
        self._ended = ""
        self.connections = 0

    # The simulator's end.

    def _act(self, turn: Turn) -> None:
        """As its acceptor does: make the turn durable, then write and close."""
        self._journal.write(turn, self.engine.ids)
        self.turns.append(turn)
        part = turn.parts.get(self._client)
        if part is not None and self._connected and not self._ended:
            self._to_router += [piece for piece in part.writes() if piece]
            self._ended = part.close

    # The connection.

    @property
    def _connected(self) -> bool:
        return self.venue._wire is not None

    def connect(self) -> None:
        self.connections += 1
        self._to_router.clear()
        self._ended = ""
        self.wire = MemoryWire(self.trace)
        self.venue.connected(self.wire)
        self._act(self.sim.connected(self._client, self.clock.now))

    def cut(self, reason: str = "cut") -> None:
        self.venue.disconnected(reason)
        self.sim.disconnected(self._client)
        self._to_router.clear()

    async def exchange(self, act: Callable[[], None] = lambda: None) -> None:
        """Until both are silent; ``act`` is called after each piece that reaches the router."""
        while True:
            await self.settle()
            data = self.wire.take()
            if data:
                self._act(self.sim.received(self._client, data, self.clock.now))
            elif self._to_router and self._connected:
                self.venue.received(self._to_router.pop(0))
                await self.settle()
                act()
            elif self._connected and (self._ended or self.wire.closed is not None):
                self.cut(self._ended or self.wire.closed or "")
            else:
                return

    # Time.

    async def run(self, until: datetime, act: Callable[[], datetime | None]) -> None:
        """``act`` does what the client does by now, and says when it next has something to do."""
        while True:
            due = act()
            await self.exchange(lambda: _forget(act()))
            due = act() or due
            await self.settle()
            if self.wire.data:
                continue
            deadlines = [due, self.sim.deadline(), self.venue.deadline(), self._reconnect_at()]
            now = min((at for at in deadlines if at is not None), default=until)
            if now > until:
                return
            self.clock.now = max(self.clock.now, now)
            await self._tick()
            await self.exchange(lambda: _forget(act()))

    async def _tick(self) -> None:
        now = self.clock.now
        self._act(self.sim.tick(now))
        if self._connected:
            self.venue.tick()
        elif (at := self._reconnect_at()) is not None and at <= now:
            self.connect()
        await self.settle()

    def _reconnect_at(self) -> datetime | None:
        if self._connected or self.venue.halted:
            return None
        down_since = self.venue.facts.state_time
        return None if down_since is None else down_since + _RECONNECT

    async def end(self) -> None:
        if self._connected:
            self.cut("the trial is over")
        await self.pipeline.close()
        self._journal.close()


def _forget(_: datetime | None) -> None:
    """An act between two pieces need not say when the next is due."""
