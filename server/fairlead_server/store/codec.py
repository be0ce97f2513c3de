"""Whole values as JSON text, for the columns that keep facts rather than something to search by.

Decimals are written as text with every digit that they have, times in RFC 3339 with their microseconds, enums by value,
time zones by name.
A field that a later version adds needs a default, by which older rows are read; a field that it drops is passed over.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

import msgspec

T = TypeVar("T")


def _zone_name(value: Any) -> str:
    if isinstance(value, ZoneInfo):
        return value.key
    raise NotImplementedError(f"{type(value)} has no form in JSON")


def _zone(kind: type, value: Any) -> Any:
    if kind is ZoneInfo:
        return ZoneInfo(value)
    raise NotImplementedError(f"{kind} has no form in JSON")


# The same value is the same text in every process.
_ENCODER = msgspec.json.Encoder(order="deterministic", enc_hook=_zone_name)


class Codec(Generic[T]):
    """Text for values of one type, and back. ``kind`` is a type or an alias such as ``tuple[Breach, ...]``."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind, dec_hook=_zone)

    def encode(self, value: T) -> str:
        return _ENCODER.encode(value).decode()

    def decode(self, text: str) -> T:
        return self._decoder.decode(text)
