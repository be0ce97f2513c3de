"""The limits of the configuration file: those in the tables of accounts, and the limit sets for any scope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from fairlead_server.config.schema import AccountTable, File, LimitSetTable
from fairlead_server.config.tables import ConfigError, must_be_known
from fairlead_server.domain.risk.limits import OF_FILE, LimitSet
from fairlead_server.domain.risk.table import problems
from fairlead_server.domain.scope import EVERYTHING, Scope

_LONGEST_WINDOW = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class LimitReader:
    path: Path
    file: File
    instruments: Iterable[str]

    def sets(self) -> tuple[LimitSet, ...]:
        found = [*self._for_all(), *self._of_accounts(), *self._free()]
        known: set[str] = set()
        for key, one in found:
            if one.limit_id in known:
                raise self._error(key, f"there is another limit set {one.limit_id.removeprefix(OF_FILE)}")
            known.add(one.limit_id)
            for place, problem in problems(one):
                raise self._error(f"{key}.{_as_written(place, of_limits=key.startswith('limits['))}", problem)
        return tuple(one for _, one in found)

    def _for_all(self) -> Iterator[tuple[str, LimitSet]]:
        blocked = self.file.risk.blocked_instruments
        self._known("risk.blocked_instruments", blocked, self.instruments, "instrument")
        if blocked:
            words = {"blocked_instruments": frozenset(blocked)}
            yield "risk", LimitSet(f"{OF_FILE}risk", EVERYTHING, words=words)

    def _of_accounts(self) -> Iterator[tuple[str, LimitSet]]:
        for name, row in self.file.accounts.items():
            key = f"accounts.{name}"
            self._known(f"{key}.instruments", row.instruments, self.instruments, "instrument")
            self._known(f"{key}.blocked_instruments", row.blocked_instruments, self.instruments, "instrument")
            values, blocked = self._account_values(key, row), frozenset(row.blocked_instruments)
            if values or blocked:
                words = {"blocked_instruments": blocked} if blocked else {}
                yield key, LimitSet(f"{OF_FILE}{name}", Scope(name), values, words)
            for instrument, narrower in row.instruments.items():
                if narrower.values():
                    scope = Scope(name, instrument_id=instrument)
                    limit_id = f"{OF_FILE}{name}:{instrument}"
                    yield f"{key}.instruments.{instrument}", LimitSet(limit_id, scope, narrower.values())

    def _account_values(self, key: str, row: AccountTable) -> dict[str, Decimal]:
        values, window = row.values(), row.duplicate_window_seconds
        if not (window.is_finite() and 0 <= window <= _LONGEST_WINDOW):
            raise self._error(f"{key}.duplicate_window_seconds", f"{window} must be 0 to {_LONGEST_WINDOW}")
        if window:
            values |= {"duplicate_window_seconds": window, "max_duplicates": Decimal(row.max_duplicates)}
        return values

    def _free(self) -> Iterator[tuple[str, LimitSet]]:
        for index, row in enumerate(self.file.limits):
            key = f"limits[{index}]"
            self._scoped(key, row)
            words = {name: frozenset(words) for name, words in row.lists.items()}
            scope = Scope(row.account, row.principal, row.instrument, row.strategy, row.session)
            limit_id = f"{OF_FILE}{row.limit_id}"
            yield (
                key,
                LimitSet(limit_id, scope, row.values, words, row.mode, row.override, row.note),
            )

    def _scoped(self, key: str, row: LimitSetTable) -> None:
        for name, among, kind in (
            (row.account, self.file.accounts, "account"),
            (row.instrument, self.instruments, "instrument"),
            (row.session, self.file.sessions, "session"),
        ):
            if name:
                self._known(f"{key}.{kind}", [name], among, kind)

    def _known(self, key: str, names: Iterable[str], among: Iterable[str], kind: str) -> None:
        must_be_known(self.path, key, names, among, kind)

    def _error(self, key: str, problem: str) -> ConfigError:
        return ConfigError(str(self.path), key, problem)


def _as_written(place: str, *, of_limits: bool) -> str:
    """``values.max_position`` for ``limits[max_position]`` in the array of limits, ``max_position`` in the table of an account."""
    kind, _, name = place.removesuffix("]").partition("[")
    if not of_limits:
        return name
    within = "values" if kind == "limits" else "lists"
    return f"{within}.{name}" if name else within
