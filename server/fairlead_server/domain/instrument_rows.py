"""Instruments as rows of named texts: in CSV, in the store, and what an operator asks for; there and back.

One set of rules says what each column may hold, wherever a row comes from. An empty text is the same as none: the default.
What is wrong with CSV is said with its line and column.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.instrument import Instrument, ReferencePrice, Shorting, TickBand
from fairlead_server.domain.terms import OrderType, TimeInForce
from fairlead_server.domain.vocabulary import UNSIGNED, Word

Cells = Mapping[str, str]  # texts by column

REQUIRED: Final = ("instrument_id", "symbol", "currency", "tick_size", "lot_size")
TERMS: Final = (
    *REQUIRED,
    "min_quantity",
    "calendar",
    "halted",
    "kind",
    "multiplier",
    "tick_table",
    "shortable",
    "short_sale_restricted",
    "average_daily_volume",
    "order_types",
    "times_in_force",
    "margin_rate",
    "max_reference_age_seconds",
)
PRICE: Final = ("reference_price", "reference_time", "reference_source")
FILE: Final = "instruments file"  # where a price comes from that does not say so

_ID = re.compile(r"[A-Za-z0-9._:-]{1,36}")
_SYMBOL = re.compile(r"[\x21-\x7e]{1,32}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_SOURCE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,36}")
_FLAGS = {"": False, "false": False, "true": True}
_SHORTING = {
    "": Shorting.ALLOWED,
    "yes": Shorting.ALLOWED,
    "locate": Shorting.LOCATE,
    "no": Shorting.FORBIDDEN,
}
_LONGEST_AGE = 31_536_000  # seconds
_MOST_BANDS = 32

_Word = TypeVar("_Word", bound=Word)


class CellError(Exception):
    def __init__(self, column: str, problem: str) -> None:
        self.column = column
        self.problem = problem
        super().__init__(f"{column}: {problem}")


class InstrumentsError(Exception):
    def __init__(self, line: int, column: str, problem: str) -> None:
        self.line = line
        self.column = column
        self.problem = problem
        super().__init__(": ".join(part for part in (f"line {line}", column, problem) if part))


class Row(NamedTuple):
    """One line of CSV."""

    line: int
    cells: Cells

    def error(self, column: str, problem: str) -> InstrumentsError:
        return InstrumentsError(self.line, column, problem)


# From rows.


def read_instruments(text: str, calendars: Mapping[str, Calendar], now: datetime) -> dict[str, Instrument]:
    """By instrument_id. A reference price without a time is taken to be of ``now``."""
    instruments: dict[str, Instrument] = {}
    symbols: set[str] = set()
    for row in read_rows(text):
        try:
            instrument = read_instrument(row.cells, calendars, read_price(row.cells, now))
        except CellError as error:
            raise row.error(error.column, error.problem) from None
        if instrument.instrument_id in instruments:
            raise row.error("instrument_id", f"{instrument.instrument_id} stands here twice")
        if instrument.symbol in symbols:
            raise row.error("symbol", f"{instrument.symbol} stands here twice")
        instruments[instrument.instrument_id] = instrument
        symbols.add(instrument.symbol)
    return instruments


def read_rows(text: str) -> Iterator[Row]:
    """Each row as it is written, its columns those of the heading; what the cells hold is not looked at."""
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        header = reader.fieldnames or ()
        _check_header(header)
        for cells in reader:
            if None in cells:  # where DictReader puts what has no column, such as the rest of 1,000
                raise InstrumentsError(
                    reader.line_num, header[-1], "more cells follow than there are columns"
                )
            yield Row(reader.line_num, {name: (cell or "").strip() for name, cell in cells.items()})
    except csv.Error as error:
        raise InstrumentsError(reader.line_num + 1, "", f"is not CSV: {error}") from None


def _check_header(header: Iterable[str]) -> None:
    known, seen = (*TERMS, *PRICE), set[str]()
    names = tuple(header)
    for column in REQUIRED:
        if column not in names:
            raise InstrumentsError(1, column, f"the column is missing; needed are {', '.join(REQUIRED)}")
    for column in names:
        if column not in known:
            raise InstrumentsError(1, column, f"is no column; known are {', '.join(known)}")
        if column in seen:
            raise InstrumentsError(1, column, "the column stands here twice")
        seen.add(column)


def read_instrument(
    cells: Cells, calendars: Mapping[str, Calendar], reference: ReferencePrice | None = None
) -> Instrument:
    """Raises :class:`CellError`."""
    cell = _Reader(cells)
    name = cell.text("calendar")
    if name and name not in calendars:
        raise CellError("calendar", f"{name} is not known; there are {', '.join(calendars) or 'none'}")
    lot = cell.positive("lot_size")
    return Instrument(
        cell.matching("instrument_id", _ID, "1 to 36 of A-Z a-z 0-9 . _ : -"),
        cell.matching("symbol", _SYMBOL, "1 to 32 printable characters without blanks"),
        cell.matching("currency", _CURRENCY, "three capital letters"),
        cell.positive("tick_size"),
        lot,
        cell.optional("min_quantity") or lot,
        cell.flag("halted"),
        reference,
        calendars.get(name),
        cell.matching("kind", _ID, "1 to 36 of A-Z a-z 0-9 . _ : -") if cell.text("kind") else "",
        cell.optional("multiplier") or Decimal(1),
        cell.ticks("tick_table"),
        cell.choice("shortable", _SHORTING),
        cell.flag("short_sale_restricted"),
        cell.optional("average_daily_volume"),
        cell.words("order_types", OrderType),
        cell.words("times_in_force", TimeInForce),
        cell.optional("margin_rate"),
        cell.age("max_reference_age_seconds"),
    )


def read_price(cells: Cells, now: datetime, source: str = FILE) -> ReferencePrice | None:
    """A price without a time is taken to be of ``now``, one without a source to come from ``source``."""
    cell = _Reader(cells)
    if not cell.text("reference_price"):
        return None
    named = cell.text("reference_source")
    if named:
        source = cell.matching("reference_source", _SOURCE, "1 to 36 characters, none of them a control one")
    return ReferencePrice(cell.positive("reference_price"), cell.time("reference_time") or now, source)


class _Reader:
    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def text(self, column: str) -> str:
        return self._cells.get(column, "")

    def matching(self, column: str, pattern: re.Pattern[str], expected: str) -> str:
        text = self.text(column)
        if pattern.fullmatch(text) is None:
            raise CellError(column, f"{text!r} must be {expected}")
        return text

    def positive(self, column: str) -> Decimal:
        number = Decimal(self.matching(column, UNSIGNED, "a decimal number such as 0.01"))
        if not number:
            raise CellError(column, "must be above zero")
        return number

    def optional(self, column: str) -> Decimal | None:
        return self.positive(column) if self.text(column) else None

    def flag(self, column: str) -> bool:
        text = self.text(column).lower()
        if text not in _FLAGS:
            raise CellError(column, f"{text!r} must be true or false")
        return _FLAGS[text]

    def choice(self, column: str, among: Mapping[str, Shorting]) -> Shorting:
        text = self.text(column).lower()
        if text not in among:
            raise CellError(column, f"{text!r} must be one of {', '.join(filter(None, among))}")
        return among[text]

    def words(self, column: str, kind: type[_Word]) -> frozenset[_Word]:
        names = [name.strip().upper() for name in self.text(column).split(";")] if self.text(column) else []
        known = {str(word.value): word for word in kind}
        for name in names:
            if name not in known:
                raise CellError(
                    column, f"{name!r} is none of {', '.join(known)}; several are written with ; between them"
                )
        return frozenset(known[name] for name in names)

    def ticks(self, column: str) -> tuple[TickBand, ...]:
        text = self.text(column)
        bands = [self._band(column, part.strip()) for part in text.split(";")] if text else []
        begins = [band.begin for band in bands]
        if len(bands) > _MOST_BANDS or any(a >= b for a, b in pairwise(begins)):
            raise CellError(column, f"must be at most {_MOST_BANDS} bands, their prices ascending")
        return tuple(bands)

    def _band(self, column: str, text: str) -> TickBand:
        begin, _, tick = text.partition(":")
        if not (UNSIGNED.fullmatch(begin) and UNSIGNED.fullmatch(tick) and Decimal(tick)):
            raise CellError(column, f"{text!r} must be PRICE:TICK, such as 1:0.01, with ; between the bands")
        return TickBand(Decimal(begin), Decimal(tick))

    def age(self, column: str) -> timedelta | None:
        text = self.text(column)
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LONGEST_AGE))):
            raise CellError(column, f"{text!r} must be a whole number of seconds")
        if not 0 < int(text) <= _LONGEST_AGE:
            raise CellError(column, f"{text} must be between 1 and {_LONGEST_AGE}")
        return timedelta(seconds=int(text))

    def time(self, column: str) -> datetime | None:
        text = self.text(column)
        if not text:
            return None
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise CellError(column, f"{text!r} must be such as 2026-11-20T21:00:00Z") from None
        if time.tzinfo is None:
            raise CellError(column, f"{text!r} has no time zone; write Z for UTC")
        return time.astimezone(UTC)


# To rows.


def cells_of(instrument: Instrument) -> dict[str, str]:
    """Its terms, without its price; what is at its default is left out."""
    age = instrument.max_reference_age
    same = instrument.min_quantity == instrument.lot_size
    found = {
        "instrument_id": instrument.instrument_id,
        "symbol": instrument.symbol,
        "currency": instrument.currency,
        "tick_size": _digits(instrument.tick_size),
        "lot_size": _digits(instrument.lot_size),
        "min_quantity": "" if same else _digits(instrument.min_quantity),
        "calendar": instrument.calendar.calendar_id if instrument.calendar else "",
        "halted": "true" if instrument.halted else "",
        "kind": instrument.kind,
        "multiplier": "" if instrument.multiplier == 1 else _digits(instrument.multiplier),
        "tick_table": ";".join(f"{b.begin:f}:{b.tick_size:f}" for b in instrument.tick_table),
        "shortable": _SHORTABLE[instrument.shorting],
        "short_sale_restricted": "true" if instrument.short_sale_restricted else "",
        "average_daily_volume": _digits(instrument.average_daily_volume),
        "order_types": ";".join(word.value for word in sorted(instrument.order_types)),
        "times_in_force": ";".join(word.value for word in sorted(instrument.times_in_force)),
        "margin_rate": _digits(instrument.margin_rate),
        "max_reference_age_seconds": str(age // timedelta(seconds=1)) if age else "",
    }
    return {column: text for column, text in found.items() if text}


def etag_of(instrument: Instrument) -> str:
    """A digest of its terms: other ones have another. Its price moves too often to be part of it."""
    text = "\n".join(f"{column}={cell}" for column, cell in sorted(cells_of(instrument).items()))
    return blake2b(text.encode(), digest_size=8).hexdigest()


def price_cells_of(reference: ReferencePrice) -> dict[str, str]:
    time = reference.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return dict(zip(PRICE, (f"{reference.price:f}", time, reference.source), strict=True))


def write_instruments(instruments: Iterable[Instrument]) -> str:
    """CSV that :func:`read_instruments` reads the same instruments from, ordered as they are given."""
    text = io.StringIO()
    writer = csv.DictWriter(text, (*TERMS, *PRICE), restval="", lineterminator="\n")
    writer.writeheader()
    for each in instruments:
        writer.writerow(cells_of(each) | (price_cells_of(each.reference) if each.reference else {}))
    return text.getvalue()


def _digits(number: Decimal | None) -> str:
    return "" if number is None else f"{number:f}"


_SHORTABLE = {Shorting.ALLOWED: "", Shorting.LOCATE: "locate", Shorting.FORBIDDEN: "no"}
