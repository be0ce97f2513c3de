"""The one table of controls, in the order in which they answer, and what a limit set may hold because of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from difflib import get_close_matches

from fairlead_server.domain.risk.caps import CAPS
from fairlead_server.domain.risk.control import Applies, Cap, Control, Gate, ListGate, Unit
from fairlead_server.domain.risk.credit import CREDIT
from fairlead_server.domain.risk.day_caps import DAY_CAPS
from fairlead_server.domain.risk.gates import ENTRY
from fairlead_server.domain.risk.limits import LimitSet
from fairlead_server.domain.risk.market import CANCEL_BOTH, CANCEL_NEWEST, MARKET_CAPS, MARKET_GATES
from fairlead_server.domain.risk.stops import STOP_CAPS
from fairlead_server.domain.scope import DIMENSIONS
from fairlead_server.domain.terms import OrderType, Side, TimeInForce

ALL_CAPS = (*CAPS, *MARKET_CAPS, *STOP_CAPS, *DAY_CAPS)
CONTROLS: tuple[Control, ...] = (*ENTRY, *MARKET_GATES, *CREDIT, *ALL_CAPS)

_OF_NEW = {Applies.ALWAYS, Applies.INCREASE, Applies.NEW}
_OF_AMEND = {Applies.ALWAYS, Applies.INCREASE, Applies.AMEND}


class Chain:
    """The controls that are asked of one kind of proposal, sorted by how they are asked; together in the order of the table."""

    def __init__(self, applies: set[Applies]) -> None:
        asked = [control for control in CONTROLS if control.applies in applies]
        self.gates = tuple(control for control in asked if isinstance(control, Gate))
        self.lists = tuple(control for control in asked if isinstance(control, ListGate))
        self.caps = tuple(control for control in asked if isinstance(control, Cap))


FOR_NEW = Chain(_OF_NEW)
FOR_AMEND = Chain(_OF_AMEND)
FOR_DECREASE = Chain(
    {Applies.ALWAYS}
)  # an amend that only takes quantity away is spared the controls of exposure

FOR_WAITING = tuple(control for control in CONTROLS if isinstance(control, Gate) and control.sudden)

PLACE = {control.rule_id: place for place, control in enumerate(CONTROLS)}
VALUES: dict[str, tuple[Cap, Unit]] = {cap.limit: (cap, cap.unit) for cap in ALL_CAPS}
PARAMETERS: dict[str, tuple[Cap, Unit]] = {
    each.name: (cap, each.unit) for cap in ALL_CAPS for each in cap.parameters
}
LISTS: dict[str, ListGate] = {control.limit: control for control in CONTROLS if isinstance(control, ListGate)}

_WORDS: dict[str, frozenset[str]] = {
    "side": frozenset(each.value for each in Side),
    "order type": frozenset(each.value for each in OrderType),
    "time in force": frozenset(each.value for each in TimeInForce),
    "self trade prevention": frozenset({CANCEL_NEWEST, CANCEL_BOTH}),
}
_WHOLE = {Unit.COUNT, Unit.PER_SECOND}
_LONGEST_WINDOW = 86_400


def problems(wanted: LimitSet) -> Iterator[tuple[str, str]]:
    """What is wrong with a limit set: the field, as ``limits[max_position]``, and what would be right."""
    for name, value in wanted.values.items():
        known = VALUES.get(name) or PARAMETERS.get(name)
        place = f"limits[{name}]"
        if known is None:
            yield place, f"is no limit{_meant(name, [*VALUES, *PARAMETERS])}"
            continue
        cap, unit = known
        yield from ((place, problem) for problem in _amount(value, unit))
        if name in PARAMETERS and cap.limit not in wanted.values:
            yield place, f"needs {cap.limit} beside it"
        yield from ((place, problem) for problem in _narrowed(wanted, cap))
    for name, words in wanted.words.items():
        place = f"lists[{name}]"
        gate = LISTS.get(name)
        if gate is None:
            yield place, f"is no list{_meant(name, LISTS)}"
            continue
        unknown = sorted(words - _WORDS.get(gate.kind, words))
        if unknown:
            yield place, f"{unknown[0]} is no {gate.kind}; there are {', '.join(sorted(_WORDS[gate.kind]))}"
    if not (wanted.values or wanted.words):
        yield "limits", "and lists are both empty: there has to be something that it limits"


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; {close[0]} is one" if close else "; the table of controls names those that there are"


def _amount(value: Decimal, unit: Unit) -> Iterator[str]:
    if not value.is_finite() or value < 0:
        yield f"{value} must not be negative"
    elif unit in _WHOLE and value != value.to_integral_value():
        yield f"{value} must be a whole number"
    elif unit is Unit.PER_SECOND and value < 1:
        yield "must be at least 1; to stop everything there is the kill switch"
    elif unit is Unit.SECONDS and value > _LONGEST_WINDOW:
        yield f"{value} must be 0 to {_LONGEST_WINDOW}"


def _narrowed(wanted: LimitSet, cap: Cap) -> Iterator[str]:
    if cap.dimensions == DIMENSIONS:
        return
    named = [name for name in DIMENSIONS if getattr(wanted.scope, name)]
    for name in named:
        if name not in cap.dimensions:
            yield f"{cap.limit} cannot be set for one {name}; its scope may name {', '.join(cap.dimensions)}"
