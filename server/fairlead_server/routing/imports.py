"""Instruments from CSV: what would become of each line, and all of it at once or nothing.

A column that the text does not have stays as it is. A price takes the place of an older one only, so that to bring back what
was exported before turns no price back. What was there before is kept as a backup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from fairlead_server.domain.errors import InstrumentsInvalid
from fairlead_server.domain.instrument import Instrument, ReferencePrice
from fairlead_server.domain.instrument_rows import (
    TERMS,
    CellError,
    InstrumentsError,
    Row,
    cells_of,
    read_instrument,
    read_price,
    read_rows,
    write_instruments,
)
from fairlead_server.domain.vocabulary import Word
from fairlead_server.routing.instruments import FIXED_IN_USE, Instruments, differing_columns
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import NewId, Operator
from fairlead_server.routing.reference import Reference
from fairlead_server.store.batch import AuditRow, BackupRow

SOURCE: Final = "import"  # of prices that do not say where they come from
MOST: Final = 5000  # lines


class ImportOutcome(Word):
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"
    DELETED = "DELETED"


class Imported(Struct, frozen=True):
    """What becomes of one instrument; ``line`` is 0 where the text does not name it."""

    line: int
    instrument: Instrument
    outcome: ImportOutcome
    columns: tuple[str, ...] = ()  # that are other than before
    price: ReferencePrice | None = None  # which takes the place of another


Problem = tuple[int, str, str]  # line, column, what is wrong


class Import(Struct, frozen=True):
    lines: Sequence[Imported]
    problems: Sequence[Problem]
    backup_id: str = ""  # empty where nothing was changed

    def count(self, outcome: ImportOutcome) -> int:
        return sum(line.outcome is outcome for line in self.lines)


class Imports:
    def __init__(
        self, reference: Reference, instruments: Instruments, pipeline: Pipeline, new_id: NewId
    ) -> None:
        self._reference = reference
        self._instruments = instruments
        self._pipeline = pipeline
        self._new_id = new_id

    def plan(self, text: str, now: datetime, *, delete_missing: bool) -> Import:
        """What :meth:`take` would do; changes nothing."""
        return _Plan(self._reference, self._instruments.used(), now).of(text, delete_missing=delete_missing)

    def take(self, text: str, by: Operator, now: datetime, *, delete_missing: bool) -> Import:
        """Raises InstrumentsInvalid with all that is wrong, and has then changed nothing."""
        plan = self.plan(text, now, delete_missing=delete_missing)
        if plan.problems:
            raise InstrumentsInvalid(plan.problems)
        changes = [line for line in plan.lines if line.outcome is not ImportOutcome.UNCHANGED]
        if not changes:
            return plan
        backup_id = self._new_id(now)
        with self._pipeline.deciding():
            self._back_up(backup_id, by, now)
            for line in changes:
                self._apply(line)
            done = ", ".join(f"{plan.count(outcome)} {outcome.value.lower()}" for outcome in ImportOutcome)
            row = AuditRow(now, by.principal, "instruments.import", backup_id, by.reason, after=done)
            self._pipeline.batch.audit.append(row)
        return Import(plan.lines, (), backup_id)

    def _back_up(self, backup_id: str, by: Operator, now: datetime) -> None:
        before = self._reference.instruments()
        text = write_instruments(before)
        row = BackupRow(backup_id, now, by.principal, by.reason, len(before), text)
        self._pipeline.batch.backups.append(row)

    def _apply(self, line: Imported) -> None:
        name = line.instrument.instrument_id
        if line.outcome is ImportOutcome.DELETED:
            self._reference.forget(name)
            return
        self._reference.put(line.instrument)
        if line.price is not None:
            self._reference.put_price(name, line.price)


class _Plan:
    def __init__(self, reference: Reference, used: frozenset[str], now: datetime) -> None:
        self._reference = reference
        self._calendars = reference.calendars()
        self._used = used
        self._now = now
        self._lines: dict[str, Imported] = {}
        self._problems: list[Problem] = []

    def of(self, text: str, *, delete_missing: bool) -> Import:
        try:
            for number, row in enumerate(read_rows(text)):
                if number >= MOST:
                    raise row.error("", f"more than {MOST} instruments; import them in parts")
                self._look(row)
        except InstrumentsError as error:
            self._problems.append((error.line, error.column, error.problem))
        missing = list(self._missing()) if delete_missing and not self._problems else []
        self._check_symbols({each.instrument.instrument_id for each in missing})
        return Import([*self._lines.values(), *missing], self._problems)

    def _look(self, row: Row) -> None:
        name = row.cells.get("instrument_id", "")
        known = self._reference.get(name)
        terms = {column: text for column, text in row.cells.items() if column in TERMS}
        try:
            wanted = read_instrument(
                {**cells_of(known), **terms} if known else terms,
                self._calendars,
                known.reference if known else None,
            )
            price = read_price(row.cells, self._now, SOURCE)
        except CellError as error:
            self._problems.append((row.line, error.column, error.problem))
            return
        if name in self._lines:
            self._problems.append((row.line, "instrument_id", f"{name} stands here twice"))
            return
        self._lines[name] = self._line(row, known, wanted, price)

    def _line(
        self, row: Row, known: Instrument | None, wanted: Instrument, price: ReferencePrice | None
    ) -> Imported:
        if known is None:
            return Imported(row.line, wanted, ImportOutcome.CREATED, tuple(cells_of(wanted)), price)
        columns = differing_columns(known, wanted)
        for column in columns:
            if column in FIXED_IN_USE and known.instrument_id in self._used:
                text = "cannot change while there are live orders in it, or it is held"
                self._problems.append((row.line, column, text))
        if price is not None and not self._is_newer(
            known, price, dated=bool(row.cells.get("reference_time"))
        ):
            price = None
        columns += ("reference_price",) if price is not None else ()
        outcome = ImportOutcome.UPDATED if columns else ImportOutcome.UNCHANGED
        return Imported(row.line, wanted, outcome, columns, price)

    def _is_newer(self, known: Instrument, price: ReferencePrice, *, dated: bool) -> bool:
        if known.reference is not None and known.reference.price == price.price and not dated:
            return False
        last = self._reference.set_price(known.instrument_id)
        return price != known.reference and (last is None or price.time > last.time)

    def _missing(self) -> Iterator[Imported]:
        """Those that only operators have made; the file's stay."""
        for instrument in self._reference.instruments():
            name = instrument.instrument_id
            if name in self._lines or self._reference.configured(name) is not None:
                continue
            if name in self._used:
                text = f"{name} is not in the text, and cannot go: it has live orders, or is held"
                self._problems.append((0, "instrument_id", text))
            yield Imported(0, instrument, ImportOutcome.DELETED)

    def _check_symbols(self, gone: set[str]) -> None:
        """No two may have one in the end."""
        kept: Mapping[str, str] = {
            each.symbol: each.instrument_id
            for each in self._reference.instruments()
            if each.instrument_id not in gone and each.instrument_id not in self._lines
        }
        owners = dict(kept)
        for line in self._lines.values():
            own = line.instrument
            if owners.setdefault(own.symbol, own.instrument_id) != own.instrument_id:
                self._problems.append((line.line, "symbol", f"{own.symbol} is that of {owners[own.symbol]}"))
