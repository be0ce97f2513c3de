"""What operators do to instruments: make, change and forget them, one by one; many at once is an import's.

Each is one decision, in force when it is durable, with a row of the audit log. What an order or a position is counted in
stays as it is for as long as there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.errors import (
    ConfigInvalid,
    EtagMismatch,
    InstrumentConfigured,
    InstrumentExists,
    InstrumentInUse,
    UnknownInstrument,
)
from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.instrument_rows import Cells, cells_of, etag_of, read_instrument
from fairlead_server.routing.book import Book
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Operator
from fairlead_server.routing.reference import Reference
from fairlead_server.store.batch import AuditRow

FIXED_IN_USE: Final = ("symbol", "currency", "multiplier")


class Instruments:
    """Raises :class:`~fairlead_server.domain.instrument_rows.CellError` for what a column cannot hold."""

    def __init__(self, reference: Reference, book: Book, pipeline: Pipeline) -> None:
        self._reference = reference
        self._book = book
        self._pipeline = pipeline

    def create(self, cells: Cells, by: Operator, now: datetime) -> Instrument:
        """One that is there already, just so, is the answer to one who asks again."""
        wanted = read_instrument(cells, self._reference.calendars())
        known = self._reference.get(wanted.instrument_id)
        if known is not None and cells_of(known) == cells_of(wanted):
            return known
        if known is not None:
            raise InstrumentExists(wanted.instrument_id, known.instrument_id, known.symbol)
        self._check_symbol(wanted)
        self._put(None, wanted, "instrument.create", by, now)
        return self._found(wanted.instrument_id)

    def update(
        self, instrument_id: str, changes: Cells, etag: str, by: Operator, now: datetime
    ) -> Instrument:
        """An empty ``etag`` is any."""
        known = self._found(instrument_id)
        _expect(known, etag)
        wanted = read_instrument({**cells_of(known), **changes}, self._reference.calendars(), known.reference)
        differing = differing_columns(known, wanted)
        if not differing:
            return known
        self._check_symbol(wanted)
        if any(column in differing for column in FIXED_IN_USE):
            self._check_unused(instrument_id)
        self._put(known, wanted, "instrument.update", by, now)
        return self._found(instrument_id)

    def delete(self, instrument_id: str, etag: str, by: Operator, now: datetime) -> Instrument | None:
        """Forget what was changed; None where nothing is left, for the file does not have it."""
        known = self._found(instrument_id)
        _expect(known, etag)
        base = self._reference.configured(instrument_id)
        if base is None:
            self._check_unused(instrument_id)
        elif not self._reference.changed(instrument_id):
            raise InstrumentConfigured(instrument_id)
        elif any(column in differing_columns(known, base) for column in FIXED_IN_USE):
            self._check_unused(instrument_id)
        with self._pipeline.deciding():
            self._reference.forget(instrument_id)
            self._audit(known, self._reference.get(instrument_id), "instrument.delete", by, now)
        return self._reference.get(instrument_id)

    # The file, read anew.

    def check(
        self, instruments: Mapping[str, Instrument], calendars: Mapping[str, Calendar]
    ) -> tuple[int, int]:
        """How many instruments and calendars would be other with this file; raises ConfigInvalid where it cannot be taken."""
        known, later = self._reference, self._reference.rebased(instruments, calendars)
        for instrument_id, problem in later.misfits.items():
            text = f"what was changed of {instrument_id} does not fit any more: {problem}"
            raise ConfigInvalid("", "instruments_file", text)
        symbols: dict[str, str] = {}
        for each in later.instruments():
            if symbols.setdefault(each.symbol, each.instrument_id) != each.instrument_id:
                text = f"{each.instrument_id} has the symbol {each.symbol} of {symbols[each.symbol]}"
                raise ConfigInvalid("", "instruments_file", text)
        names = {*known, *later}
        for name in sorted(names & self.used()):
            before, after = known.get(name), later.get(name)
            if after is None or (before is not None and _counted_otherwise(before, after)):
                what = "is gone" if after is None else f"has other {' or '.join(FIXED_IN_USE)}"
                text = f"{name} {what}, and has live orders, or a position in it is open"
                raise ConfigInvalid("", "instruments_file", text)
        changed = sum(_other(known.get(name), later.get(name)) for name in names)
        old, new = known.calendars(), later.calendars()
        return changed, sum(old.get(name) != new.get(name) for name in {**old, **new})

    def used(self) -> frozenset[str]:
        """Those that an order is live in, or that somebody holds."""
        live = {order.request.instrument_id for order in self._book.all_live()}
        return frozenset(live | self._book.exposures.held_instruments())

    def _check_unused(self, instrument_id: str) -> None:
        if instrument_id in self.used():
            raise InstrumentInUse(instrument_id)

    def _check_symbol(self, wanted: Instrument) -> None:
        owner = self._reference.owner_of(wanted.symbol)
        if owner not in (None, wanted.instrument_id):
            raise InstrumentExists(wanted.instrument_id, str(owner), wanted.symbol)

    def _found(self, instrument_id: str) -> Instrument:
        found = self._reference.get(instrument_id)
        if found is None:
            raise UnknownInstrument(instrument_id)
        return found

    def _put(
        self, known: Instrument | None, wanted: Instrument, action: str, by: Operator, now: datetime
    ) -> None:
        with self._pipeline.deciding():
            self._reference.put(wanted)
            self._audit(known, wanted, action, by, now)

    def _audit(
        self, before: Instrument | None, after: Instrument | None, action: str, by: Operator, now: datetime
    ) -> None:
        subject = after or before
        assert subject is not None  # noqa: S101 - one of them there is
        row = AuditRow(
            now,
            by.principal,
            action,
            subject.instrument_id,
            by.reason,
            _shown(before, after),
            _shown(after, before),
        )
        self._pipeline.batch.audit.append(row)


def differing_columns(one: Instrument, other: Instrument) -> tuple[str, ...]:
    """Of their terms, as they are written."""
    found, wanted = cells_of(one), cells_of(other)
    return tuple(name for name in {**found, **wanted} if found.get(name) != wanted.get(name))


def _counted_otherwise(one: Instrument, other: Instrument) -> bool:
    return any(column in FIXED_IN_USE for column in differing_columns(one, other))


def _other(one: Instrument | None, other: Instrument | None) -> bool:
    """But for the time of its price, which without one is that of reading the file."""
    if one is None or other is None:
        return True
    prices = [each.reference and each.reference.price for each in (one, other)]
    return prices[0] != prices[1] or replace(one, reference=None) != replace(other, reference=None)


def _expect(known: Instrument, etag: str) -> None:
    actual = etag_of(known)
    if etag not in ("", actual):
        raise EtagMismatch("instrument", known.instrument_id, etag, actual)


def _shown(one: Instrument | None, other: Instrument | None) -> str:
    """What differs of it."""
    if one is None:
        return ""
    cells = cells_of(one)
    columns = cells if other is None else differing_columns(one, other)
    return " ".join(f"{column}={cells.get(column, '')}" for column in columns)
