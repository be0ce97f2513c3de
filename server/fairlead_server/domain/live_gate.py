"""Whether an account or a session may trade live: closed until one person has asked for it and another has approved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from fairlead_server.domain.scope import Scope
from fairlead_server.domain.vocabulary import Word


class LiveState(Word):
    CLOSED = "CLOSED"
    REQUESTED = "REQUESTED"  # closed, until another person has approved
    LIVE = "LIVE"


class LiveGate(Struct, frozen=True):
    """``scope`` names an account or a session; ``principal``, ``reason`` and ``time`` are of what was said last, but for an
    approval: then they are of who has asked.
    """

    scope: Scope
    state: LiveState = LiveState.CLOSED
    principal: str = ""
    reason: str = ""
    time: datetime | None = None
    approver: str = ""
    approve_time: datetime | None = None


class LiveGates:
    """What was said of each; that a gate is there at all is for the configuration to say."""

    def __init__(self, gates: Iterable[LiveGate] = ()) -> None:
        self._by_scope = {gate.scope: gate for gate in gates}

    def __iter__(self) -> Iterator[LiveGate]:
        return iter(self._by_scope.values())

    def put(self, gate: LiveGate) -> None:
        self._by_scope[gate.scope] = gate

    def of(self, scope: Scope) -> LiveGate:
        return self._by_scope.get(scope) or LiveGate(scope)

    def live(self, scope: Scope) -> bool:
        return self.of(scope).state is LiveState.LIVE
