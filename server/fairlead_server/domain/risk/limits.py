"""Limits as data: sets of them, each for one scope, and what they come to for one order.

All sets whose scope holds an order bind it, and the tightest of each limit decides. A set that overrides takes the place of
those that are no narrower, for the limits that it names. So a limit can be loosened in one place, and only on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct, field

from fairlead_server.domain.scope import Scope
from fairlead_server.domain.vocabulary import Word


class Mode(Word):
    """What a breach of a limit does."""

    ENFORCE = "ENFORCE"  # refuses
    WARN = "WARN"  # passes, and is told
    SHADOW = "SHADOW"  # passes, and is only recorded: what the limit would do if it were in force


class LimitSet(Struct, frozen=True):
    """``values`` and ``words`` by the names that the table of controls gives; see :data:`~.table.VALUES` and ``LISTS``."""

    limit_id: str
    scope: Scope
    values: Mapping[str, Decimal] = field(default_factory=dict)
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    mode: Mode = Mode.ENFORCE
    override: bool = False
    note: str = ""
    version: int = 0  # counts the changes of a stored one; 0: the configuration file's, changed there alone
    update_time: datetime | None = None
    updated_by: str = ""

    @property
    def stored(self) -> bool:
        return self.version > 0


class Bound(Struct, frozen=True):
    """One limit as it binds an order: ``values`` are those of its set, for what belongs together, such as a window."""

    limit_id: str
    scope: Scope
    mode: Mode
    value: Decimal
    values: Mapping[str, Decimal]

    def parameter(self, name: str, default: Decimal) -> Decimal:
        return self.values.get(name, default)


class WordBound(Struct, frozen=True):
    limit_id: str
    scope: Scope
    mode: Mode
    words: frozenset[str]


class Bounds(Struct, frozen=True):
    """What binds one order, by name. Of each name the enforced ones come first, the tightest before the others."""

    values: Mapping[str, tuple[Bound, ...]] = field(default_factory=dict)
    words: Mapping[str, tuple[WordBound, ...]] = field(default_factory=dict)

    def of(self, name: str) -> tuple[Bound, ...]:
        return self.values.get(name, ())

    def enforced(self, name: str) -> bool:
        return any(bound.mode is Mode.ENFORCE for bound in self.values.get(name, ()))


_ZERO = Decimal(0)
OF_FILE = "file:"  # how the names of those of the configuration file begin
_NOTHING = Bounds()
_MOST_KEPT = 10_000
_STRICTNESS = {Mode.ENFORCE: 0, Mode.WARN: 1, Mode.SHADOW: 2}


class Limits:
    """All limit sets. What binds an order is worked out once for each scope that an order has had."""

    def __init__(self, sets: Iterable[LimitSet] = ()) -> None:
        self._sets = {each.limit_id: each for each in sets}
        self._known: dict[Scope, Bounds] = {}

    def __iter__(self) -> Iterator[LimitSet]:
        return iter(sorted(self._sets.values(), key=lambda each: each.limit_id))

    def get(self, limit_id: str) -> LimitSet | None:
        return self._sets.get(limit_id)

    def put(self, changed: LimitSet) -> None:
        self._sets[changed.limit_id] = changed
        self._known.clear()

    def remove(self, limit_id: str) -> None:
        del self._sets[limit_id]
        self._known.clear()

    def binding(self, order: Scope) -> Bounds:
        found = self._known.get(order)
        if found is None:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            found = self._known[order] = self._work_out(order)
        return found

    def scopes(self) -> frozenset[Scope]:
        return frozenset(each.scope for each in self._sets.values())

    def _work_out(self, order: Scope) -> Bounds:
        matching = [each for each in self._sets.values() if each.scope.holds(order)]
        if not matching:
            return _NOTHING
        values = {
            name: tuple(
                sorted((_bound(each, name) for each in _left(matching, name, "values")), key=_tightest)
            )
            for name in {name for each in matching for name in each.values}
        }
        words = {
            name: tuple(_words(each, name) for each in _left(matching, name, "words"))
            for name in {name for each in matching for name in each.words}
        }
        return Bounds(values, words)


def _left(matching: list[LimitSet], name: str, kind: str) -> list[LimitSet]:
    """Those that count for a limit of that name: an override in force silences the others that are no narrower."""
    naming = [each for each in matching if name in getattr(each, kind)]
    overrides = [each for each in naming if each.override and each.mode is Mode.ENFORCE]
    if not overrides:
        return naming
    narrowest = max(each.scope.specificity for each in overrides)
    return [
        each
        for each in naming
        if each.scope.specificity > narrowest or (each.override and each.scope.specificity == narrowest)
    ]


def _bound(each: LimitSet, name: str) -> Bound:
    return Bound(each.limit_id, each.scope, each.mode, each.values[name], each.values)


def _words(each: LimitSet, name: str) -> WordBound:
    return WordBound(each.limit_id, each.scope, each.mode, each.words[name])


def _tightest(bound: Bound) -> tuple[int, Decimal, str]:
    return _STRICTNESS[bound.mode], bound.value, bound.limit_id


def longest_window(sets: Iterable[LimitSet]) -> timedelta:
    """For how long back an order can be a repetition of another one."""
    seconds = (each.values.get("duplicate_window_seconds", _ZERO) for each in sets)
    return timedelta(seconds=float(max(seconds, default=_ZERO)))
