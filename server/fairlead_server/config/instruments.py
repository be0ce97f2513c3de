"""Reads the universe of instruments from CSV, and says line and column of what is wrong with it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from fairlead_server.domain.instrument import Calendar, Instrument, ReferencePrice

_REQUIRED = ("instrument_id", "symbol", "currency", "tick_size", "lot_size")
_OPTIONAL = ("min_quantity", "reference_price", "reference_time", "calendar", "halted")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,36}")
_SYMBOL = re.compile(r"[\x21-\x7e]{1,32}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,12})?")
_FLAGS = {"": False, "false": False, "true": True}


class InstrumentsError(Exception):
    def __init__(self, line: int, column: str, problem: str) -> None:
        self.line = line
        self.column = column
        self.problem = problem
        super().__init__(": ".join(part for part in (f"line {line}", column, problem) if part))


def read_instruments(text: str, calendars: Mapping[str, Calendar], now: datetime) -> dict[str, Instrument]:
    """By instrument_id. A reference price without a time is taken to be of ``now``."""
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        return _read(reader, calendars, now)
    except csv.Error as error:
        raise InstrumentsError(reader.line_num + 1, "", f"is not CSV: {error}") from None


def _read(
    reader: csv.DictReader[str], calendars: Mapping[str, Calendar], now: datetime
) -> dict[str, Instrument]:
    header = reader.fieldnames or ()
    for column in _REQUIRED:
        if column not in header:
            raise InstrumentsError(1, column, f"the column is missing; needed are {', '.join(_REQUIRED)}")
    for column in header:
        if column not in _REQUIRED + _OPTIONAL:
            raise InstrumentsError(1, column, f"is no column; known are {', '.join(_REQUIRED + _OPTIONAL)}")
        if header.count(column) > 1:
            raise InstrumentsError(1, column, "the column stands here twice")
    instruments: dict[str, Instrument] = {}
    symbols: set[str] = set()
    for cells in reader:
        row = _Row(reader.line_num, cells)
        if None in cells:  # where DictReader puts what has no column, such as the rest of 1,000
            raise row.error(header[-1], "more cells follow than there are columns")
        instrument = row.instrument(calendars, now)
        if instrument.instrument_id in instruments:
            raise row.error("instrument_id", f"{instrument.instrument_id} stands here twice")
        if instrument.symbol in symbols:
            raise row.error("symbol", f"{instrument.symbol} stands here twice")
        instruments[instrument.instrument_id] = instrument
        symbols.add(instrument.symbol)
    return instruments


class _Row:
    def __init__(self, line: int, cells: Mapping[str, str | None]) -> None:
        self._line = line
        self._cells = cells

    def instrument(self, calendars: Mapping[str, Calendar], now: datetime) -> Instrument:
        lot = self._positive("lot_size")
        name = self._get("calendar")
        if name and name not in calendars:
            raise self.error(
                "calendar", f"{name} is not configured; there are {', '.join(calendars) or 'none'}"
            )
        halted = self._get("halted").lower()
        if halted not in _FLAGS:
            raise self.error("halted", f"{halted!r} must be true or false")
        return Instrument(
            self._matching("instrument_id", _ID, "1 to 36 of A-Z a-z 0-9 . _ : -"),
            self._matching("symbol", _SYMBOL, "1 to 32 printable characters without blanks"),
            self._matching("currency", _CURRENCY, "three capital letters"),
            self._positive("tick_size"),
            lot,
            self._positive("min_quantity") if self._get("min_quantity") else lot,
            _FLAGS[halted],
            self._reference(now),
            calendars.get(name),
        )

    def error(self, column: str, problem: str) -> InstrumentsError:
        return InstrumentsError(self._line, column, problem)

    def _reference(self, now: datetime) -> ReferencePrice | None:
        if not self._get("reference_price"):
            return None
        text = self._get("reference_time")
        try:
            time = datetime.fromisoformat(text) if text else now
        except ValueError:
            raise self.error("reference_time", f"{text!r} must be such as 2026-11-20T21:00:00Z") from None
        if time.tzinfo is None:
            raise self.error("reference_time", f"{text!r} has no time zone; write Z for UTC")
        return ReferencePrice(self._positive("reference_price"), time, "instruments file")

    def _positive(self, column: str) -> Decimal:
        text = self._matching(column, _DECIMAL, "a decimal number such as 0.01")
        if not Decimal(text):
            raise self.error(column, "must be above zero")
        return Decimal(text)

    def _matching(self, column: str, pattern: re.Pattern[str], expected: str) -> str:
        text = self._get(column)
        if pattern.fullmatch(text) is None:
            raise self.error(column, f"{text!r} must be {expected}")
        return text

    def _get(self, column: str) -> str:
        return (self._cells.get(column) or "").strip()
