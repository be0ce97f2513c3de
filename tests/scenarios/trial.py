"""The client's part of a scenario: what it does, and exactly which events the router then streams.

It stands in the scenario's file under ``trial``::

    trial:
      versions: [FIX.4.2, FIX.4.4]
      client:
        - submit: {qty: 10000}
        - {after: FILLED, cancel: {}}
      expect:
        - ACCEPTED PENDING_NEW 0/10000 10000 NEW

An expected line is the event's kind, the order's state, CumQty(14) of OrderQty(38), LeavesQty(151), then what there is
of: pending action, flags, why it was refused, "unsolicited", and alarms with a ``!``. What the router refuses to do is a
line of its own, ``refused ActionPending``. Beside these: ``versions`` if not all, ``until`` how many seconds it lasts,
how many ``connections`` it takes, ``validation: lenient`` where the router is not to go by the data dictionary, and
``rules`` are those of the venue (``chain_mode``, ``replace_filled``, ``mass_cancel``), and
``known_failure`` with the reason why the router does not do so yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from fairlead_server.domain.amendments import Amendment, Selection
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import RouterError
from fairlead_server.domain.event import OrderEvent
from fairlead_server.domain.order import Flag, PendingAction
from fairlead_server.domain.terms import OrderType, TimeInForce
from fairlead_server.domain.venue_rules import ChainMode, VenueRules
from fairlead_server.fix.session import Validation
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.order_entry import OrderRef
from fix_sim.network import Latency
from fix_sim.scenario import Break, Outcome, Scenario
from fix_sim.scenario_file import SHIPPED, read_scenarios

from tests.domain.builders import new_order, terms
from tests.scenarios.stage import Stage
from tests.stores import in_memory

VERSIONS = ("FIX.4.2", "FIX.4.4", "FIX.5.0SP2")
_UNTIL = timedelta(seconds=25)  # before the first heartbeat, unless a trial says otherwise
_KEYS = {"versions", "client", "expect", "known_failure", "until", "connections", "validation", "rules"}
_CLIENT = Cause(Initiator.CLIENT)


@dataclass(frozen=True)
class Act:
    """``after`` an event of this kind that no earlier act has waited for, and ``wait`` longer."""

    does: str
    said: Mapping[str, str]
    after: str = ""
    wait: timedelta = timedelta()


@dataclass(frozen=True)
class Trial:
    scenario: Scenario
    client: Sequence[Act]
    expect: Sequence[str]
    versions: Sequence[str] = VERSIONS
    known_failure: str = ""
    until: timedelta = _UNTIL
    connections: int = 1
    validation: Validation = Validation.STRICT
    rules: VenueRules = field(default_factory=VenueRules)

    @property
    def breaks_the_session(self) -> bool:
        return self.connections > 1 or any(isinstance(step, Break) for step in self.scenario.steps)


@dataclass
class Result:
    """What came of it: the events as lines, and the play's own judgement."""

    lines: list[str]
    problem: str  # empty when all was as expected

    @property
    def passed(self) -> bool:
        return not self.problem


@dataclass
class _Client:
    stage: Stage
    acts: Sequence[Act]
    lines: list[str] = field(default_factory=list)
    _next: int = 0
    _told: int = 0  # events that are among the lines
    _heard: int = 0  # events before which no act waits
    _due: datetime | None = None
    _order_id: str = ""
    _requests: int = 0

    def __call__(self) -> datetime | None:
        self.listen()
        while self._next < len(self.acts):
            act = self.acts[self._next]
            if self._due is None:
                self._due = self._ready(act)
            if self._due is None or self._due > self.stage.clock.now:
                return self._due
            self._next, self._due = self._next + 1, None
            self._do(act)
            self.listen()
        return None

    def listen(self) -> None:
        events = self.stage.events
        self.lines += [line(event) for event in events[self._told :]]
        self._told = len(events)

    def _ready(self, act: Act) -> datetime | None:
        if not self.stage.venue.available and act.does == "submit":
            return None
        if act.after:
            kinds = [event.kind.value for event in self.stage.events[self._heard :]]
            if act.after not in kinds:
                return None
            self._heard += kinds.index(act.after) + 1
        return self.stage.clock.now + act.wait

    def _do(self, act: Act) -> None:
        try:
            _DOES[act.does](self, act.said)
        except RouterError as error:
            self.lines.append(f"refused {type(error).__name__}")

    def submit(self, said: Mapping[str, str]) -> None:
        wanted = terms(said["qty"], said.get("price", "50"))
        if "tif" in said:
            tif = TimeInForce[said["tif"]]
            wanted = terms(said["qty"], said.get("price", "50"), time_in_force=tif)
        new = new_order(terms=wanted, order_type=OrderType.LIMIT)
        now = self.stage.clock.now
        self._order_id = self.stage.entry.submit(new, _CLIENT, None, now).order.order_id

    def amend(self, said: Mapping[str, str]) -> None:
        amendment = Amendment(
            quantity=Decimal(said["qty"]) if "qty" in said else None,
            price=Decimal(said["price"]) if "price" in said else None,
        )
        ref, now = OrderRef(self._order_id), self.stage.clock.now
        self.stage.entry.amend(ref, self._request_id(), amendment, _CLIENT, now)

    def cancel(self, _: Mapping[str, str]) -> None:
        ref, now = OrderRef(self._order_id), self.stage.clock.now
        self.stage.entry.cancel(ref, self._request_id(), _CLIENT, now)

    def cancel_all(self, said: Mapping[str, str]) -> None:
        self._requests += 1
        stage, request_id = self.stage, str(UUID(int=self._requests))
        cancels = MassCancels(stage.book, stage.ledger, stage.pipeline, stage.entry, lambda _: request_id)
        cancels.cancel(request_id, Selection(said.get("account", "")), _CLIENT, stage.clock.now)

    def _request_id(self) -> str:
        self._requests += 1
        return f"request-{self._requests}"


_DOES: dict[str, Callable[[_Client, Mapping[str, str]], None]] = {
    "submit": _Client.submit,
    "amend": _Client.amend,
    "cancel": _Client.cancel,
    "cancel_all": _Client.cancel_all,
}


async def play(trial: Trial, version: str, latency: Latency | None = None) -> Result:
    with in_memory() as store:
        stage = Stage(store, version, [trial.scenario], latency, trial.validation, trial.rules)
        return await _played(trial, stage)


async def _played(trial: Trial, stage: Stage) -> Result:
    client = _Client(stage, trial.client)
    try:
        stage.connect()
        await stage.run(stage.clock.now + trial.until, client)
        client.listen()
        return Result(client.lines, _problem(trial, stage, client))
    finally:
        await stage.end()


def _problem(trial: Trial, stage: Stage, client: _Client) -> str:
    plays = stage.engine.director.plays
    if not plays:
        return "no order has reached the scenario"
    if plays[0].outcome is not Outcome.PASSED:
        return plays[0].failure or f"the scenario waits at step {plays[0].position + 1}"
    if client.lines != list(trial.expect):
        return _difference(trial.expect, client.lines)
    if stage.connections != trial.connections:
        return f"{stage.connections} connections instead of {trial.connections}"
    return ""


def _difference(expect: Sequence[str], lines: Sequence[str]) -> str:
    for number, (wanted, got) in enumerate(zip(expect, lines, strict=False), start=1):
        if wanted != got:
            return f"event {number} is {got!r} instead of {wanted!r}"
    rest = lines[len(expect) :] or expect[len(lines) :]
    return f"{len(lines)} events instead of {len(expect)}: {rest[0]!r}"


def line(event: OrderEvent) -> str:
    order = event.order
    words = [
        event.kind.value,
        order.state.value,
        f"{order.cum_qty.normalize():f}/{order.terms.quantity.normalize():f}",
        f"{order.leaves_qty.normalize():f}",
    ]
    if order.pending_action is not PendingAction.NONE:
        words.append(order.pending_action.value)
    words += sorted(flag.value for flag in order.flags - {Flag.BUSTED})
    if event.reject is not None:
        words.append(event.reject.reason.value)
    words += ["unsolicited"] if event.unsolicited else []
    return " ".join([*words, *(f"!{alarm.value}" for alarm in event.alarms)])


# Reading.


def trials(folder: Path | None = None) -> list[Trial]:
    """Those of the scenarios that come with the simulator, unless another folder is named."""
    found = read_scenarios(folder or SHIPPED)
    return [_trial(scenario, scenario.trial) for scenario in found if scenario.trial is not None]


def _trial(scenario: Scenario, said: Any) -> Trial:
    unknown = set(said) - _KEYS
    assert not unknown, f"{scenario.name}: {unknown} mean nothing in a trial, use {sorted(_KEYS)}"
    return Trial(
        scenario,
        [_act(act) for act in said["client"]],
        said["expect"],
        said.get("versions", VERSIONS),
        said.get("known_failure", ""),
        timedelta(seconds=float(said["until"])) if "until" in said else _UNTIL,
        int(said.get("connections", 1)),
        Validation[said.get("validation", "strict").upper()],
        _rules(said.get("rules", {})),
    )


def _rules(said: dict[str, Any]) -> VenueRules:
    flags = {"replace_filled", "mass_cancel"}
    assert set(said) <= {"chain_mode", *flags}, f"{said} are no rules of a trial"
    mode = ChainMode[said.get("chain_mode", "serial").upper()]
    return VenueRules(chain_mode=mode, **{flag: said[flag] == "true" for flag in flags & set(said)})


def _act(said: dict[str, Any]) -> Act:
    (does,) = set(said) & set(_DOES)
    assert set(said) <= {does, "after", "wait"}, f"{said}: use {sorted(_DOES)} with after and wait"
    wait = timedelta(seconds=float(said.get("wait", 0)))
    return Act(does, said[does] or {}, said.get("after", ""), wait)
