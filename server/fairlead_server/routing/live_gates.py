"""The gates between paper and live: one person asks, another approves, and anybody may revoke.

What is said is in force in the decision in which it is said, and durable with it. What is at a venue stays there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from fairlead_server.domain.errors import AnotherPersonNeeded, LiveNotRequested
from fairlead_server.domain.live_gate import LiveGate, LiveState
from fairlead_server.domain.risk.proposal import AccountPolicy
from fairlead_server.domain.scope import Scope
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Gateway, Operator
from fairlead_server.store.batch import AuditRow

_log = logging.getLogger(__name__)


class LiveSwitches:
    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        pipeline: Pipeline,
        accounts: Mapping[str, AccountPolicy],
        gateways: Mapping[str, Gateway],
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._accounts = accounts
        self._gateways = gateways

    def of(self, scope: Scope) -> LiveGate:
        return self._book.live_gates.of(scope)

    def all(self) -> list[LiveGate]:
        """Those that the configuration has, and others that are asked for or live."""
        gates = self._book.live_gates
        scopes = {gate.scope for gate in gates if gate.state is not LiveState.CLOSED}
        scopes |= {Scope(name) for name, account in self._accounts.items() if account.live_gate}
        scopes |= {Scope(session_id=name) for name, each in self._gateways.items() if each.rules.live_gate}
        return [gates.of(scope) for scope in sorted(scopes)]

    def request(self, scope: Scope, by: Operator, now: datetime) -> LiveGate:
        """Asked again it is who asks last that another has to approve; what is live stays so."""
        known = self.of(scope)
        if known.state is LiveState.LIVE:
            return known
        gate = LiveGate(scope, LiveState.REQUESTED, by.principal, by.reason, now)
        return self._say("request", gate, by, now)

    def approve(self, scope: Scope, by: Operator, now: datetime) -> LiveGate:
        known = self.of(scope)
        if known.state is LiveState.LIVE:
            return known
        if known.state is LiveState.CLOSED:
            raise LiveNotRequested(str(scope))
        if not known.principal or by.principal in ("", known.principal):
            raise AnotherPersonNeeded("approve", known.principal)
        gate = replace(known, state=LiveState.LIVE, approver=by.principal, approve_time=now)
        return self._say("approve", gate, by, now)

    def revoke(self, scope: Scope, by: Operator, now: datetime) -> LiveGate:
        """Also what was only asked for."""
        known = self.of(scope)
        if known.state is LiveState.CLOSED:
            return known
        gate = LiveGate(scope, LiveState.CLOSED, by.principal, by.reason, now)
        return self._say("revoke", gate, by, now)

    def _say(self, action: str, gate: LiveGate, by: Operator, now: datetime) -> LiveGate:
        before = self.of(gate.scope).state
        with self._pipeline.deciding():
            self._ledger.remember_live_gate(gate)
            words = f"live.{action}", str(gate.scope), by.reason, before.value, gate.state.value
            self._ledger.audit(AuditRow(now, by.principal, *words))
        who = by.principal or "nobody named"
        _log.warning("the live gate of %s is %s: %s (%s)", gate.scope, gate.state.value, by.reason, who)
        return gate
