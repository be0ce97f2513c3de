"""From instruments to the messages of ``fairlead.v1``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from fairlead.v1 import reference_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from fairlead_server.api import enums
from fairlead_server.api.times import duration, timestamp
from fairlead_server.domain.calendar import Calendar, Span
from fairlead_server.domain.instrument import Instrument, ReferencePrice
from fairlead_server.domain.instrument_rows import TERMS, etag_of
from fairlead_server.routing.reference import Reference

# The terms of an instrument by their fields: the column of each, which in most cases has its name.
_OLDEST = timedelta(days=365)
_FIELDS = {
    "calendar": "calendar_id",
    "shortable": "shorting",
    "max_reference_age_seconds": "max_reference_age",
}
COLUMNS: Final = {_FIELDS.get(column, column): column for column in TERMS}


def field_of(column: str) -> str:
    return _FIELDS.get(column, column)


def cells(message: pb.Instrument, names: Iterable[str]) -> dict[str, str]:
    """What a request has in the fields of these names, by column; an empty text is the default."""
    return {COLUMNS[name]: _cell(message, name) for name in names}


def _cell(message: pb.Instrument, name: str) -> str:
    read = _CELLS.get(name)
    text: str = getattr(message, name) if read is None else read(message)
    return text


def _seconds(span: Duration) -> str:
    return str(span.seconds) if not span.nanos else f"{span.seconds}.{span.nanos:09}"  # which is refused


def instrument(value: Instrument, known: Reference, now: datetime) -> pb.Instrument:
    age = value.max_reference_age
    configured = known.configured(value.instrument_id) is not None
    changed = known.changed_columns(value.instrument_id)
    return pb.Instrument(
        instrument_id=value.instrument_id,
        symbol=value.symbol,
        currency=value.currency,
        tick_size=f"{value.tick_size:f}",
        lot_size=f"{value.lot_size:f}",
        min_quantity=f"{value.min_quantity:f}",
        halted=value.halted,
        reference_price=None if value.reference is None else _reference_price(value.reference, now),
        trading_hours=None if value.calendar is None else _trading_hours(value.calendar),
        calendar_id="" if value.calendar is None else value.calendar.calendar_id,
        kind=value.kind,
        multiplier=f"{value.multiplier:f}",
        tick_table=[
            pb.TickBand(begin_price=f"{band.begin:f}", tick_size=f"{band.tick_size:f}")
            for band in value.tick_table
        ],
        shorting=enums.SHORTING.number[value.shorting],
        short_sale_restricted=value.short_sale_restricted,
        average_daily_volume=_digits(value.average_daily_volume) or "",
        order_types=sorted(map(enums.ORDER_TYPE.number.__getitem__, value.order_types)),
        times_in_force=sorted(map(enums.TIME_IN_FORCE.number.__getitem__, value.times_in_force)),
        margin_rate=_digits(value.margin_rate) or "",
        max_reference_age=None if age is None else duration(age),
        etag=etag_of(value),
        origin=ORIGIN[configured, bool(changed)],
        changed_columns=changed if configured else (),
    )


_SHORTABLE = {pb.SHORTING_LOCATE: "locate", pb.SHORTING_FORBIDDEN: "no"}
_CELLS: dict[str, Callable[[pb.Instrument], str]] = {
    "halted": lambda one: "true" if one.halted else "",
    "short_sale_restricted": lambda one: "true" if one.short_sale_restricted else "",
    "tick_table": lambda one: ";".join(f"{band.begin_price}:{band.tick_size}" for band in one.tick_table),
    "shorting": lambda one: _SHORTABLE.get(one.shorting, ""),
    "order_types": lambda one: ";".join(enums.ORDER_TYPE.member[n].value for n in one.order_types),
    "times_in_force": lambda one: ";".join(enums.TIME_IN_FORCE.member[n].value for n in one.times_in_force),
    "max_reference_age": lambda one: (
        _seconds(one.max_reference_age) if one.HasField("max_reference_age") else ""
    ),
}
ORIGIN: Final = {  # whether the file has it, and whether calls have changed it
    (True, False): pb.INSTRUMENT_ORIGIN_FILE,
    (True, True): pb.INSTRUMENT_ORIGIN_CHANGED,
    (False, True): pb.INSTRUMENT_ORIGIN_MADE,
}


def _reference_price(value: ReferencePrice, now: datetime) -> pb.ReferencePrice:
    return pb.ReferencePrice(
        price=f"{value.price:f}",
        price_time=timestamp(value.time),
        source=value.source,
        age=duration(min(max(value.age(now), timedelta()), _OLDEST)),
        bid=_digits(value.bid),
        ask=_digits(value.ask),
        last=_digits(value.last),
    )


def _trading_hours(value: Calendar) -> pb.TradingHours:
    spans = [span(each) for each in value.spans]
    return pb.TradingHours(time_zone=value.zone.key, spans=spans)


def span(value: Span) -> pb.TradingSpan:
    days: list[Any] = [day + 1 for day in sorted(value.weekdays)]  # the API counts from 1, Python from 0
    return pb.TradingSpan(
        days=days, opens=value.start.strftime("%H:%M:%S"), closes=value.end.strftime("%H:%M:%S")
    )


def _digits(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
