"""Whether a scope may trade: what the operations desk has said of it, and which of several sayings holds.

A state is about a :class:`~fairlead_server.domain.scope.Scope`; of all that hold an order the strictest counts. Each change is a
row of its own and is never written over: ``number`` counts them all, so that two of them can be told apart for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from fairlead_server.domain.amendments import Selection
from fairlead_server.domain.exposure import scope_of
from fairlead_server.domain.order import Order
from fairlead_server.domain.scope import DIMENSIONS, Scope
from fairlead_server.domain.vocabulary import Word


class TradingState(Word):
    """From the mildest to the strictest."""

    ACTIVE = "ACTIVE"
    REDUCE_ONLY = "REDUCE_ONLY"  # only what takes from a position
    PAUSED = "PAUSED"  # nothing new
    KILLED = "KILLED"  # nothing new, all that is open is cancelled, and another person has to release it

    @property
    def strictness(self) -> int:
        return _ORDER[self]


_ORDER = {state: place for place, state in enumerate(TradingState)}


class Halt(Struct, frozen=True):
    """What was said of a scope; ACTIVE says that it is over. ``request_id`` is that of who said it."""

    number: int
    scope: Scope
    state: TradingState
    time: datetime
    principal: str
    reason: str
    request_id: str
    before: TradingState = TradingState.ACTIVE  # of the same scope, to which the release of a kill goes back
    matched: int = 0  # orders that were live in the scope when it was killed
    sweeps: int = 0  # how often cancels for all that was live were decided; each has request ids of its own
    complete_time: datetime | None = None  # when none of them was live any more


class Halts:
    """Which scopes are not ACTIVE. Empty it costs an order nothing, and else as much as there are kinds of scopes."""

    def __init__(self, halts: Iterable[Halt] = ()) -> None:
        self._by_scope: dict[Scope, Halt] = {}
        self._shapes: tuple[tuple[bool, ...], ...] = ()
        for halt in halts:
            self.put(halt)

    def __bool__(self) -> bool:
        return bool(self._by_scope)

    def __iter__(self) -> Iterator[Halt]:
        """Those of the wider scopes first."""
        return iter(sorted(self._by_scope.values(), key=lambda halt: (halt.scope.specificity, halt.scope)))

    def put(self, halt: Halt) -> None:
        self._by_scope.pop(halt.scope, None)
        if halt.state is not TradingState.ACTIVE:
            self._by_scope[halt.scope] = halt
        self._shapes = tuple(dict.fromkeys(map(_shape, self._by_scope)))

    def of(self, scope: Scope) -> Halt | None:
        """The one that was set for this very scope."""
        return self._by_scope.get(scope)

    def over(self, named: Scope, spared: Scope | None = None) -> Halt | None:
        """The strictest of those that hold what has these names, but for those within ``spared``; None: it may trade."""
        found: Halt | None = None
        for shape in self._shapes:
            halt = self._by_scope.get(_masked(named, shape))
            if halt is None or (spared is not None and spared.holds(halt.scope)):
                continue
            if found is None or halt.state.strictness > found.state.strictness:
                found = halt
        return found

    def kills(self, order: Order) -> list[Halt]:
        """Those kill switches that are on for the order."""
        if not self._by_scope:
            return []
        named = scope_of(order.request, order.session_id)
        found = (self._by_scope.get(_masked(named, shape)) for shape in self._shapes)
        return [
            halt
            for halt in found
            if halt is not None and halt.state is TradingState.KILLED and not spares(halt, order)
        ]


def spares(halt: Halt, order: Order) -> bool:
    """Whether the order passes it: it is to bring a scope to zero that has it within."""
    flattens = order.request.flattens
    return flattens is not None and flattens.holds(halt.scope)


def selection_of(scope: Scope) -> Selection:
    """The live orders of a scope."""
    return Selection(
        scope.account_id,
        (scope.instrument_id,) if scope.instrument_id else (),
        (scope.strategy_id,) if scope.strategy_id else (),
        (scope.session_id,) if scope.session_id else (),
    )


def _shape(scope: Scope) -> tuple[bool, ...]:
    return tuple(bool(getattr(scope, dimension)) for dimension in DIMENSIONS)


def _masked(named: Scope, shape: tuple[bool, ...]) -> Scope:
    names = (getattr(named, dimension) for dimension in DIMENSIONS)
    return Scope(*(name if kept else "" for name, kept in zip(names, shape, strict=True)))
