"""From instruments to the messages of ``fairlead.v1``."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from fairlead.v1 import reference_service_pb2

from fairlead_server.api.times import duration, timestamp
from fairlead_server.domain.instrument import Calendar, Instrument, ReferencePrice, Span


def instrument(value: Instrument, now: datetime) -> reference_service_pb2.Instrument:
    return reference_service_pb2.Instrument(
        instrument_id=value.instrument_id,
        symbol=value.symbol,
        currency=value.currency,
        tick_size=f"{value.tick_size:f}",
        lot_size=f"{value.lot_size:f}",
        min_quantity=f"{value.min_quantity:f}",
        halted=value.halted,
        reference_price=None if value.reference is None else _reference_price(value.reference, now),
        trading_hours=None if value.calendar is None else _trading_hours(value.calendar),
    )


def _reference_price(value: ReferencePrice, now: datetime) -> reference_service_pb2.ReferencePrice:
    return reference_service_pb2.ReferencePrice(
        price=f"{value.price:f}",
        price_time=timestamp(value.time),
        source=value.source,
        age=duration(max(value.age(now), timedelta())),
        bid=_digits(value.bid),
        ask=_digits(value.ask),
        last=_digits(value.last),
    )


def _trading_hours(value: Calendar) -> reference_service_pb2.TradingHours:
    spans = [_span(span) for span in value.spans]
    return reference_service_pb2.TradingHours(time_zone=value.zone.key, spans=spans)


def _span(value: Span) -> reference_service_pb2.TradingSpan:
    days: list[Any] = [day + 1 for day in sorted(value.weekdays)]  # the API counts from 1, Python from 0
    return reference_service_pb2.TradingSpan(
        days=days, opens=value.start.strftime("%H:%M:%S"), closes=value.end.strftime("%H:%M:%S")
    )


def _digits(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
