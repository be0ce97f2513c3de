"""The tables of what can be traded: what operators have changed of what the configuration says, and the last prices."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Integer, Table, Text

from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.instrument import ReferencePrice
from fairlead_server.store.codec import Codec
from fairlead_server.store.columns import Facts, Micros
from fairlead_server.store.tables import metadata, owner

CELLS = Codec(dict[str, str])
PRICE: Codec[ReferencePrice | None] = Codec(ReferencePrice | None)  # type: ignore[arg-type] # an alias
CALENDAR: Codec[Calendar | None] = Codec(Calendar | None)  # type: ignore[arg-type] # an alias


def _kept(name: str, key: str, codec: Codec[Any]) -> Table:
    """Where nothing is changed any more an instrument's row is empty, and each of the others null."""
    return Table(
        name,
        metadata,
        Column(key, Text, primary_key=True),
        *owner(),
        Column("facts", Facts(codec), nullable=False),
    )


instruments = _kept("instruments", "instrument_id", CELLS)
reference_prices = _kept("reference_prices", "instrument_id", PRICE)
calendars = _kept("calendars", "calendar_id", CALENDAR)

instrument_backups = Table(
    "instrument_backups",
    metadata,
    Column("backup_id", Text, primary_key=True),
    *owner(),
    Column("time", Micros, nullable=False),
    Column("principal", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("text", Text, nullable=False),
)
