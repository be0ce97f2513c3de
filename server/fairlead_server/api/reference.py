"""From instruments and sessions to the messages of ``fairlead.v1``."""

from __future__ import annotations

from typing import Any

from fairlead.v1 import reference_service_pb2, session_service_pb2

from fairlead_server.api.times import timestamp
from fairlead_server.domain.instrument import Calendar, Instrument, ReferencePrice, Span
from fairlead_server.routing.ports import SessionView


def instrument(value: Instrument) -> reference_service_pb2.Instrument:
    return reference_service_pb2.Instrument(
        instrument_id=value.instrument_id,
        symbol=value.symbol,
        currency=value.currency,
        tick_size=str(value.tick_size),
        lot_size=str(value.lot_size),
        min_quantity=str(value.min_quantity),
        halted=value.halted,
        reference_price=None if value.reference is None else _reference_price(value.reference),
        trading_hours=None if value.calendar is None else _trading_hours(value.calendar),
    )


def session(value: SessionView) -> session_service_pb2.Session:
    return session_service_pb2.Session(
        session_id=value.session_id,
        state=session_service_pb2.SessionState.Value(f"SESSION_STATE_{value.state}"),
        state_reason=value.reason,
        begin_string=value.begin_string,
        sender_comp_id=value.sender_comp_id,
        target_comp_id=value.target_comp_id,
        host=value.host,
        port=value.port,
        next_in=value.next_in,
        next_out=value.next_out,
        epoch=value.epoch,
        connection_number=value.connection_number,
        heart_bt_int=value.heart_bt_int,
        state_time=timestamp(value.state_time),
        connect_time=timestamp(value.connect_time),
        active_time=timestamp(value.active_time),
        last_sent_time=timestamp(value.last_sent_time),
        last_received_time=timestamp(value.last_received_time),
    )


def _reference_price(value: ReferencePrice) -> reference_service_pb2.ReferencePrice:
    return reference_service_pb2.ReferencePrice(
        price=str(value.price), price_time=timestamp(value.time), source=value.source
    )


def _trading_hours(value: Calendar) -> reference_service_pb2.TradingHours:
    spans = [_span(span) for span in value.spans]
    return reference_service_pb2.TradingHours(time_zone=value.zone.key, spans=spans)


def _span(value: Span) -> reference_service_pb2.TradingSpan:
    days: list[Any] = [day + 1 for day in sorted(value.weekdays)]  # the API counts from 1, Python from 0
    return reference_service_pb2.TradingSpan(
        days=days, opens=value.start.strftime("%H:%M:%S"), closes=value.end.strftime("%H:%M:%S")
    )
