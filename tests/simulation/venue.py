"""The simulator as a process of the simulation: its desk and its door as they are, over the network in memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

from fairlead_server.fix.session import Role, Session, SessionConfig
from fairlead_server.fix.terms import Numbers
from fix_sim.acceptor import Connection, Desk
from fix_sim.broker import Broker, Turn, client_name
from fix_sim.engine import Engine, Ids
from fix_sim.journal import Journal
from fix_sim.masses import MassPolicy
from fix_sim.network import Latency
from fix_sim.rules import Action, Rule

from tests.fix.versions import SPOKEN
from tests.simulation.loop import Process
from tests.simulation.network import Effect
from tests.simulation.surroundings import Surroundings

PRICES = {name: Decimal(50) for name in ("ACME", "SLOW", "HAND", "REST", "SHUT")}
RULES = (
    Rule(Action.PARTIAL, symbol="SLOW", slices=4),
    Rule(Action.MANUAL, symbol="HAND"),
    Rule(Action.NEVER_FILL, symbol="REST"),
    Rule(Action.REJECT, symbol="SHUT"),
)


class Venue:
    """One life of the simulator. ``memory`` is the file of its journal, which outlives it."""

    def __init__(
        self,
        process: Process,
        memory: int,
        around: Surroundings,
        clock: Callable[[], datetime],
        effect: Effect,
    ) -> None:
        begin_string, appl_ver_id = SPOKEN[around.version]
        self.clients = {name: client_name(begin_string, "BROKER", us) for name, us in around.sessions.items()}
        os.lseek(memory, 0, os.SEEK_SET)  # as of a file that was just opened
        journal = Journal(os.dup(memory), "the venue's journal")
        found = journal.replay()
        policy = around.mass_cancel or MassPolicy.ACCEPT
        self.engine = Engine(found.ids or Ids("5"), PRICES, RULES, mass_policy=policy)
        self.engine.restore(found.orders.values(), found.prices)
        sessions: dict[str, Session] = {}
        for name, us in around.sessions.items():
            config = SessionConfig(
                begin_string,
                "BROKER",
                us,
                Role.ACCEPTOR,
                default_appl_ver_id=appl_ver_id,
                next_expected=around.next_expected,
            )
            client = self.clients[name]
            sessions[client] = Session(config, found.numbers.get(client, Numbers()))
        latency = Latency(around.thinking) if around.thinking else None
        broker = Broker(self.engine, sessions, found.queues, journal.sent, latency)
        self.process = process
        self.desk = _Desk(broker, journal, [*sessions], clock, partial(effect, process))
        self.clock = clock

    def answer(self) -> tuple[Process, Callable[[], asyncio.Protocol]]:
        """As its listener does."""
        return self.process, partial(Connection, self.desk)

    def numbers(self, session_id: str) -> Numbers:
        return self.broker._sessions[self.clients[session_id]].numbers

    @property
    def broker(self) -> Broker:
        return self.desk.broker


class _Desk(Desk):
    """Dies at its journal, too."""

    def __init__(
        self,
        broker: Broker,
        journal: Journal,
        clients: Sequence[str],
        clock: Callable[[], datetime],
        effect: Callable[[str], None],
    ) -> None:
        self._effect = effect
        super().__init__(broker, journal, clients, clock)

    def _record(self, turn: Turn) -> None:
        self._effect("journal")
        super()._record(turn)
        self._effect("journalled")
