"""What can be traded: instruments, their prices and calendars, as the configuration and the operators have them.

The configured file is the base. What an operator has changed is kept in the store, column by column, and wins over the
file; so is each instrument's last price. Both are laid over the file's row, and taken away they leave it as it was. What
cannot be laid over the file any more, because that has changed, leaves its instrument halted: a change that somebody made on
purpose is not to be forgotten in silence.

Memory is changed by the decision. Whoever answers with what is here waits until it is durable.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.instrument import Instrument, ReferencePrice
from fairlead_server.domain.instrument_rows import CellError, Cells, cells_of, read_instrument
from fairlead_server.domain.moving_reference import MovingReference
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.store.snapshot import Snapshot

_log = logging.getLogger(__name__)

_ONE = Decimal(1)
WINDOW: Final = timedelta(minutes=5)  # over which a reference moves
Listener = Callable[[str, Instrument | None], None]


class Reference:
    """``listeners`` are told of each instrument, or of its end, as part of the decision that changes it or its price."""

    def __init__(
        self,
        pipeline: Pipeline,
        instruments: Mapping[str, Instrument],
        calendars: Mapping[str, Calendar] | None = None,
        window: timedelta = WINDOW,
    ) -> None:
        """As the file has them; ``window`` is that of :meth:`moving`."""
        self._pipeline = pipeline
        self._file = dict(instruments)
        self._file_calendars = dict(calendars or {})
        self._changes: dict[str, Cells] = {}  # by instrument_id: what differs from the file, never empty
        self._prices: dict[str, ReferencePrice] = {}
        self._own_calendars: dict[str, Calendar] = {}
        self._instruments: dict[str, Instrument] = {}
        self._by_symbol: dict[str, str] = {}
        self._window = window
        self.misfits: dict[
            str, str
        ] = {}  # of which instruments the changes do not fit the file any more, and why
        self._moving: dict[str, MovingReference] = {}
        self.listeners: list[Listener] = []
        self._rebuild()

    def load(self, snapshot: Snapshot) -> None:
        """Begin again from what is committed."""
        self._changes = dict(snapshot.instruments)
        self._prices = dict(snapshot.prices)
        self._own_calendars = {calendar.calendar_id: calendar for calendar in snapshot.calendars}
        self._moving.clear()
        self._rebuild()
        self._warn()

    # What there is.

    def get(self, instrument_id: str) -> Instrument | None:
        return self._instruments.get(instrument_id)

    def __contains__(self, instrument_id: object) -> bool:
        return instrument_id in self._instruments

    def __iter__(self) -> Iterator[str]:
        """The instrument_ids, in no order."""
        return iter(self._instruments)

    def instruments(self) -> list[Instrument]:
        """Ordered by their ids."""
        return [instrument for _, instrument in sorted(self._instruments.items())]

    def owner_of(self, symbol: str) -> str | None:
        """The instrument_id of whatever has it."""
        return self._by_symbol.get(symbol)

    def by_symbol(self, symbol: str) -> str:
        """The instrument_id; the symbol itself where no instrument has it."""
        return self._by_symbol.get(symbol, symbol)

    def calendars(self) -> dict[str, Calendar]:
        """By calendar_id: the file's, and over them those that an operator has put."""
        return self._file_calendars | self._own_calendars

    def configured(self, instrument_id: str) -> Instrument | None:
        """As the file has it."""
        return self._file.get(instrument_id)

    def set_price(self, instrument_id: str) -> ReferencePrice | None:
        """The last that was set, whatever the file says."""
        return self._prices.get(instrument_id)

    def price(self, instrument_id: str) -> Decimal | None:
        """The last, or the file's; None also of an instrument that is not known."""
        instrument = self._instruments.get(instrument_id)
        return instrument.reference.price if instrument is not None and instrument.reference else None

    def multiplier(self, instrument_id: str) -> Decimal:
        """1 of an instrument that is not known."""
        instrument = self._instruments.get(instrument_id)
        return _ONE if instrument is None else instrument.multiplier

    def moving(self, instrument_id: str) -> MovingReference | None:
        """What its price was of late, as far as this process has seen it; None where it has no price."""
        known = self._moving.get(instrument_id)
        if known is None and (instrument := self.get(instrument_id)) is not None and instrument.reference:
            reference = instrument.reference
            known = MovingReference(self._window, reference.price, reference.time)
            self._moving[instrument_id] = known
        return known

    def configured_calendar(self, calendar_id: str) -> Calendar | None:
        """As the file has it."""
        return self._file_calendars.get(calendar_id)

    def changed(self, instrument_id: str) -> bool:
        """Whether there is anything to :meth:`forget`."""
        return instrument_id in self._changes or instrument_id in self._prices

    def changed_columns(self, instrument_id: str) -> tuple[str, ...]:
        """What an operator has set and the file has not, or not so."""
        return tuple(self._changes.get(instrument_id, ()))

    # Changes: each is part of a decision.

    def put(self, wanted: Instrument) -> None:
        """Have the terms of an instrument so, whatever the file says; its price is left alone."""
        base = self._file.get(wanted.instrument_id)
        before = cells_of(base) if base is not None else {}
        cells = cells_of(wanted)
        differing = {
            name: cells.get(name, "") for name in cells | before if cells.get(name) != before.get(name)
        }
        price = self._prices.get(wanted.instrument_id) or (base.reference if base is not None else None)
        made = wanted if wanted.reference is price else replace(wanted, reference=price)
        self._keep(wanted.instrument_id, differing, made)

    def forget(self, instrument_id: str) -> None:
        """Have it as the file does, price included; one that the file has not is gone."""
        self._moving.pop(instrument_id, None)
        if self._prices.pop(instrument_id, None) is not None:
            self._pipeline.batch.prices[instrument_id] = None
        self._keep(instrument_id, {}, self._file.get(instrument_id))

    def put_price(self, instrument_id: str, price: ReferencePrice) -> None:
        """Of an instrument that there is."""
        moving = self.moving(instrument_id)
        if moving is not None:
            moving.add(price.price, price.time)
        self._prices[instrument_id] = price
        self._pipeline.batch.prices[instrument_id] = price
        self._set(instrument_id, replace(self._instruments[instrument_id], reference=price))

    def put_calendar(self, calendar_id: str, calendar: Calendar | None) -> None:
        """None: as the file has it, if it does."""
        if calendar is None:
            self._own_calendars.pop(calendar_id, None)
        else:
            self._own_calendars[calendar_id] = calendar
        self._pipeline.batch.calendars[calendar_id] = calendar
        self._rebuild()

    def rebase(self, instruments: Mapping[str, Instrument], calendars: Mapping[str, Calendar]) -> None:
        """The file has changed."""
        self._file, self._file_calendars = dict(instruments), dict(calendars)
        self._rebuild()
        self._warn()

    def rebased(self, instruments: Mapping[str, Instrument], calendars: Mapping[str, Calendar]) -> Reference:
        """What :meth:`rebase` would make of it, to be looked at."""
        other = Reference(self._pipeline, instruments, calendars, self._window)
        other._changes, other._prices, other._own_calendars = self._changes, self._prices, self._own_calendars
        other._rebuild()
        return other

    def _keep(self, instrument_id: str, differing: Cells, made: Instrument | None) -> None:
        if differing:
            self._changes[instrument_id] = differing
        else:
            self._changes.pop(instrument_id, None)
        self._pipeline.batch.instruments[instrument_id] = differing
        self.misfits.pop(instrument_id, None)
        before = self._instruments.get(instrument_id)
        if before is not None and self._by_symbol.get(before.symbol) == instrument_id:
            del self._by_symbol[before.symbol]
        self._set(
            instrument_id, None if made is None else self._placed(made, made.reference, self.calendars())
        )

    # Laying the one over the other.

    def _rebuild(self) -> None:
        calendars = self.calendars()
        self.misfits.clear()
        gone = self._instruments.keys() - self._file.keys() - self._changes.keys()
        self._by_symbol.clear()
        for instrument_id in sorted(gone):
            self._set(instrument_id, None)
        for instrument_id in {**self._file, **self._changes}:
            self._set(instrument_id, self._made(instrument_id, calendars))

    def _made(self, instrument_id: str, calendars: Mapping[str, Calendar]) -> Instrument | None:
        base, changes = self._file.get(instrument_id), self._changes.get(instrument_id)
        price = self._prices.get(instrument_id) or (base.reference if base is not None else None)
        if changes is None:
            return None if base is None else self._placed(base, price, calendars)
        cells = {**cells_of(base), **changes} if base is not None else changes
        try:
            return read_instrument(cells, calendars, price)
        except CellError as error:
            self.misfits[instrument_id] = str(error)
            return None if base is None else replace(self._placed(base, price, calendars), halted=True)

    def _warn(self) -> None:
        for instrument_id, problem in self.misfits.items():
            _log.critical(
                "what was changed of instrument %s does not fit any more: %s", instrument_id, problem
            )

    def _placed(
        self, base: Instrument, price: ReferencePrice | None, calendars: Mapping[str, Calendar]
    ) -> Instrument:
        """With its calendar as that is now; one that only the instrument knows it keeps."""
        calendar = base.calendar and calendars.get(base.calendar.calendar_id, base.calendar)
        if price is base.reference and calendar is base.calendar:
            return base
        return replace(base, reference=price, calendar=calendar)

    def _set(self, instrument_id: str, instrument: Instrument | None) -> None:
        if instrument is None:
            self._instruments.pop(instrument_id, None)
        else:
            self._instruments[instrument_id] = instrument
            self._by_symbol[instrument.symbol] = instrument_id
        self._tell(instrument_id, instrument)

    def _tell(self, instrument_id: str, instrument: Instrument | None) -> None:
        for listener in self.listeners:
            listener(instrument_id, instrument)
