"""Turns what is known of instruments into requests, for both clients."""

from collections.abc import Callable
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from fairlead.decimals import to_text
from fairlead.errors import BadValue
from fairlead.v1 import common_pb2
from fairlead.v1 import reference_service_pb2 as pb
from fairlead.values import InstrumentTerms


def create_instrument(instrument_id: str, terms: InstrumentTerms, reason: str) -> pb.CreateInstrumentRequest:
    instrument = _instrument(terms)
    instrument.instrument_id = instrument_id
    return pb.CreateInstrumentRequest(instrument=instrument, reason=reason)


def update_instrument(
    instrument_id: str, terms: InstrumentTerms, reason: str, etag: str | None
) -> pb.UpdateInstrumentRequest:
    """What is given is changed; None is the default."""
    instrument = _instrument(terms)
    instrument.instrument_id = instrument_id
    instrument.etag = etag or ""
    return pb.UpdateInstrumentRequest(
        instrument=instrument, update_mask=FieldMask(paths=terms.keys()), reason=reason
    )


def import_instruments(
    csv: str | None, backup_id: str | None, reason: str, *, delete_missing: bool, validate_only: bool
) -> pb.ImportInstrumentsRequest:
    if (csv is None) == (backup_id is None):
        raise BadValue("give one of csv, backup_id")
    request = pb.ImportInstrumentsRequest(
        reason=reason, delete_missing=delete_missing, validate_only=validate_only
    )
    if csv is not None:
        request.csv = csv
    if backup_id is not None:
        request.backup_id = backup_id
    return request


def _instrument(terms: InstrumentTerms) -> pb.Instrument:
    given = {name: value for name, value in terms.items() if value is not None}
    return pb.Instrument(**{name: _FORMS.get(name, _same)(value) for name, value in given.items()})


def _same(value: Any) -> Any:
    return value


def _age(value: Any) -> Duration:
    duration = Duration()
    duration.FromTimedelta(value)
    return duration


_DECIMALS = ("tick_size", "lot_size", "min_quantity", "multiplier", "average_daily_volume", "margin_rate")
_FORMS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_DECIMALS, to_text),
    "tick_table": lambda bands: [
        pb.TickBand(begin_price=to_text(begin), tick_size=to_text(tick)) for begin, tick in bands
    ],
    "shorting": pb.Shorting.ValueType,
    "order_types": lambda types: [common_pb2.OrderType.ValueType(each) for each in types],
    "times_in_force": lambda times: [common_pb2.TimeInForce.ValueType(each) for each in times],
    "max_reference_age": _age,
}
