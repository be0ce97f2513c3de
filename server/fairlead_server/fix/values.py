"""Reads and writes the values of FIX fields: int, float (as Decimal) and UTCTimestamp.

Reading is strict, as the data types of FIX 4.4 vol. 1 are: no exponent, no plus sign, no blanks, no NaN, a bounded
number of digits. Prices and quantities are Decimal with the digits as given; times are aware and UTC.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from fairlead_server.fix.errors import BadValue

# Longer than any number of a real message; keeps hostile text from becoming huge integers.
_MAX_DIGITS: Final = 18
_MAX_DECIMAL: Final = 40

_INT: Final = re.compile(rf"-?[0-9]{{1,{_MAX_DIGITS}}}")
_DECIMAL: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_SECOND: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})-([0-9]{2}):([0-9]{2}):([0-9]{2})")
_SECOND_LENGTH: Final = len("20260302-14:30:05")
_FRACTION: Final = re.compile(r"\.(?:[0-9]{3}|[0-9]{6}|[0-9]{9})")
_LEAP_SECOND: Final = 60
_FRACTIONS: Final = {3: 1000, 6: 1}


def read_int(tag: int, text: str) -> int:
    if _INT.fullmatch(text) is None:
        raise BadValue(tag, text, "an int")
    return int(text)


def read_decimal(tag: int, text: str) -> Decimal:
    if len(text) > _MAX_DECIMAL or _DECIMAL.fullmatch(text) is None:
        raise BadValue(tag, text, "a decimal number")
    return Decimal(text)


def read_boolean(tag: int, text: str) -> bool:
    if text not in {"Y", "N"}:
        raise BadValue(tag, text, "Y or N")
    return text == "Y"


def read_utc_timestamp(tag: int, text: str) -> datetime:
    """Whole seconds, milliseconds, microseconds or nanoseconds; the last are cut to microseconds."""
    try:
        return _utc_timestamp(text)
    except (ValueError, OverflowError):
        raise BadValue(tag, text, "a UTCTimestamp") from None


@lru_cache(maxsize=1024)
def _utc_timestamp(text: str) -> datetime:
    """Kept, for a time is read more than once, and those of a busy session are the same, ..."""
    fraction = text[_SECOND_LENGTH:]
    if fraction and _FRACTION.fullmatch(fraction) is None:
        raise ValueError(text)
    whole = _second(text[:_SECOND_LENGTH])
    return whole.replace(microsecond=int(fraction[1:7].ljust(6, "0"))) if fraction else whole


@lru_cache(maxsize=64)
def _second(text: str) -> datetime:
    """... or lie in the same few seconds."""
    match = _SECOND.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = map(int, match.groups())
    # datetime knows no leap second: 23:59:60 is the first second of the next day.
    leap = second == _LEAP_SECOND
    whole = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC)
    return whole + timedelta(seconds=1) if leap else whole


def write_decimal(tag: int, value: Decimal) -> str:
    """Fixed point, the digits as given: ``1E+3`` is written ``1000``, ``1.50`` stays ``1.50``."""
    if not value.is_finite():
        raise BadValue(tag, str(value), "a finite number")
    return format(value, "f")


@lru_cache(maxsize=64)
def write_utc_timestamp(time: datetime, *, digits: int = 3) -> str:
    """``digits`` of a second's fraction: 0, 3 or 6; what is finer is cut, not rounded into the future.

    Kept, for a message says the time of its making more than once.
    """
    if time.utcoffset() is None:
        raise ValueError(f"{time} has no time zone")
    utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    text = f"{utc.year:04}{utc.month:02}{utc.day:02}-{utc.hour:02}:{utc.minute:02}:{utc.second:02}"
    return f"{text}.{utc.microsecond // _FRACTIONS[digits]:0{digits}}" if digits else text
