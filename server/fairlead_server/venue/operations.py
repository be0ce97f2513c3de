"""Whether a venue session is to be connected, and what those who operate it may do.

It stays away outside its hours, when an operator has stopped it, and when it has halted. A reset of the numbers, by the
schedule or by hand, is a decision like any other; it is made while there is no connection, and nothing that was sent
before is deleted: the numbers begin anew in an epoch of their own.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from fairlead_server.domain.errors import SessionConnected, SessionNumbersMoved
from fairlead_server.fix.dialect import dialect
from fairlead_server.fix.schedule import Schedule
from fairlead_server.fix.session import Numbers
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Abilities, Clock, Operator, SessionView
from fairlead_server.store.batch import AuditRow
from fairlead_server.venue import outgoing
from fairlead_server.venue.gateway import VenueSession
from fairlead_server.venue.plan import Plan
from fairlead_server.venue.settings import HALT_MARK, VenueSettings

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TOO_LOW: Final = re.compile(
    r"MsgSeqNum too low, expecting (\d{1,18}) but received (\d{1,18})", re.IGNORECASE
)


class Operations:
    """Implements the Operated port for one session. ``news`` is set when whoever keeps it connected must look again."""

    def __init__(self, venue: VenueSession, pipeline: Pipeline, clock: Clock) -> None:
        self.venue = venue
        self.news = asyncio.Event()
        self._pipeline = pipeline
        self._clock = clock
        self._stopped = ""
        self._next: VenueSettings | None = None  # take their place between two connections
        self._known: Plan | None = None
        self._reset_at: datetime | None = None  # up to when the schedule's resets have been made

    def load(self, stopped: str, counters: dict[str, int]) -> None:
        """From the store. A session that was never reset counts as reset now: its numbers begin as they are."""
        halted = stopped.startswith(HALT_MARK)
        self._stopped = "" if halted else stopped
        self.venue.halted = stopped.removeprefix(HALT_MARK) if halted else ""
        micros = counters.get(self._counter)
        self._reset_at = None if micros is None else _EPOCH + timedelta(microseconds=micros)

    def succeed(self, previous: Operations) -> None:
        """Go on as one that was let go; it has no connection any more."""
        self._stopped, self._reset_at = previous._stopped, previous._reset_at
        self.venue.halted = previous.venue.halted
        self.venue.load(previous.venue.session.numbers)

    # For whoever keeps it connected.

    def hindrance(self) -> str:
        """The state that keeps it from being connected, empty if none does."""
        if self._stopped or not self.venue.settings.enabled:
            return "DISABLED"
        if self.venue.halted:
            return "HALTED"
        return "" if self.schedule().is_open(self._clock()) else "OUT_OF_WINDOW"

    def farewell(self) -> str | None:
        """Why a connection is to be ended in good order, in words for the peer; None while it is not."""
        match self.hindrance():
            case "DISABLED":
                return "stopped by its operator"
            case "OUT_OF_WINDOW":
                return "end of the session's hours"
            case _ if self._next is not None:
                return "its settings have changed"
            case _:
                return "the sequence numbers begin anew" if self._due() is not None else None

    def next_change(self) -> float | None:
        """In how many seconds the schedule next says something else."""
        now = self._clock()
        change = self._plan(now).next_change
        return None if change is None else (change - now).total_seconds()

    def _plan(self, now: datetime) -> Plan:
        if self._known is None or not self._known.holds(self.schedule(), now):
            self._known = Plan.at(self.schedule(), now)
        return self._known

    def renew(self) -> None:
        """Between two connections, and while none is wanted, for that may be what has changed: new settings."""
        if self._next is not None and not self._pipeline.broken:
            self.venue.settings, self._next = self._next, None
            self.venue.load(self.venue.session.numbers)

    def prepare(self) -> None:
        """Before a connection: the schedule's reset, also one that was slept through."""
        if self._pipeline.broken:
            return
        if self._reset_at is None:
            self._reset_done(self._clock())
        elif (due := self._due()) is not None:
            with self._pipeline.deciding():
                numbers = self.venue.session.numbers
                self.venue.renumber(Numbers(epoch=numbers.epoch + 1), f"the reset of {due:%Y-%m-%dT%H:%MZ}")
                self._reset_done(due)

    def _due(self) -> datetime | None:
        reset = self.schedule().last_reset(self._clock())
        return None if reset is None or self._reset_at is None or reset <= self._reset_at else reset

    def _reset_done(self, time: datetime) -> None:
        self._reset_at = time
        self._pipeline.batch.counters[self._counter] = (time - _EPOCH) // timedelta(microseconds=1)

    @property
    def _counter(self) -> str:
        return f"reset/{self.venue.session_id}"

    # For operators.

    @property
    def settings(self) -> VenueSettings:
        return self._next or self.venue.settings

    def change(self, settings: VenueSettings) -> None:
        self._next = settings
        self.news.set()

    def start(self, by: Operator, now: datetime) -> None:
        with self._pipeline.deciding():
            before = self._standing()
            if self.venue.halted:
                self.venue.halted = ""
                self.venue.load(self.venue.session.numbers)
            self._stop_for("", "session.start", by, now, before)

    def stop(self, by: Operator, now: datetime) -> None:
        with self._pipeline.deciding():
            self._stop_for(by.reason, "session.stop", by, now, self._standing())

    def reset(self, expected: Numbers, wanted: Numbers, by: Operator, now: datetime) -> None:
        """Numbers that go back open a new epoch, so that none is used twice. Ends a halt."""
        numbers = self.venue.session.numbers
        if self.venue.is_connected:
            raise SessionConnected(self.venue.session_id)
        if (expected.next_in, expected.next_out) != (numbers.next_in, numbers.next_out):
            raise SessionNumbersMoved(
                self.venue.session_id,
                expected.next_in,
                expected.next_out,
                numbers.next_in,
                numbers.next_out,
            )
        epoch = numbers.epoch + (wanted.next_out < numbers.next_out)
        with self._pipeline.deciding():
            self._audit("session.reset", by, now, _shown(numbers), _shown(replace(wanted, epoch=epoch)))
            self.venue.halted = ""
            self._pipeline.batch.stopped[self.venue.session_id] = self._stopped
            self.venue.renumber(
                replace(wanted, epoch=epoch), f"by {by.principal or 'an operator'}: {by.reason}"
            )
            self._then_look()

    def schedule(self) -> Schedule:
        return self.venue.settings.schedule

    def abilities(self) -> Abilities:
        config = self.venue.settings.config
        spoken = dialect(config.begin_string, config.default_appl_ver_id)
        return outgoing.abilities(self.venue.rules, spoken)

    def view(self) -> SessionView:
        view, plan = self.venue.view(), self._plan(self._clock())
        state = view.state if self.venue.is_connected else self.hindrance() or view.state
        return replace(
            view,
            state=state,
            reason=self._stopped or view.reason,
            stopped=bool(self._stopped),
            repair=self._repair() if state == "HALTED" else "",
            opens=plan.opens,
            closes=plan.closes,
            next_reset=plan.next_reset,
        )

    def _repair(self) -> str:
        """The command that ends the halt; where numbers were too low, with those that the two sides agree on."""
        numbers, session_id = self.venue.session.numbers, self.venue.session_id
        found = _TOO_LOW.search(self.venue.halted)
        if found is None:
            return f"fairlead session start {session_id} --reason REASON"
        ours = not self.venue.halted.startswith("MsgSeqNum")  # else it was the peer's number that was too low
        next_in, next_out = (numbers.next_in, found[1]) if ours else (found[2], numbers.next_out)
        wanted = f"--next-in {next_in} --next-out {next_out}"
        expected = f"--expected-in {numbers.next_in} --expected-out {numbers.next_out}"
        return f"fairlead session reset {session_id} {expected} {wanted} --reason REASON"

    def _standing(self) -> str:
        return "stopped" if self._stopped else self.hindrance() or "running"

    def _stop_for(self, reason: str, action: str, by: Operator, now: datetime, before: str) -> None:
        """Empty: not any more."""
        self._stopped = reason
        self._pipeline.batch.stopped[self.venue.session_id] = reason
        self._audit(action, by, now, before, self._standing())
        self._then_look()

    def _then_look(self) -> None:
        self._pipeline.then(self.news.set)
        self._pipeline.then(self.venue.changed)

    def _audit(self, action: str, by: Operator, now: datetime, before: str, after: str) -> None:
        row = AuditRow(now, by.principal, action, self.venue.session_id, by.reason, before, after)
        self._pipeline.batch.audit.append(row)


def _shown(numbers: Numbers) -> str:
    return f"next_in={numbers.next_in} next_out={numbers.next_out} epoch={numbers.epoch}"
