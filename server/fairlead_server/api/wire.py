"""Single fields of protobuf messages as bytes.

A serialised message is the concatenation of its fields, so it can be put together of what is known and what is new. Each
method of :class:`Fields` looks one field up by its name, once, and returns what renders its values.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from google.protobuf.message import Message

from fairlead_server.api.times import timestamp

_VARINT, _LENGTH_DELIMITED = 0, 2  # wire types
_BYTES = [bytes((value,)) for value in range(256)]


class Fields:
    """Those of one kind of message."""

    def __init__(self, kind: type[Message]) -> None:
        self._numbers = {field.name: field.number for field in kind.DESCRIPTOR.fields}

    def nested(self, name: str) -> Callable[[bytes], bytes]:
        """A message, given its own bytes; it is there even if these are empty."""
        tag = self._tag(name, _LENGTH_DELIMITED)
        return lambda value: tag + varint(len(value)) + value

    def number(self, name: str) -> Callable[[int], bytes]:
        tag = self._tag(name, _VARINT)
        return lambda value: tag + varint(value) if value else b""

    def time(self, name: str) -> Callable[[datetime], bytes]:
        tag = self._tag(name, _LENGTH_DELIMITED)
        return lambda value: tag + _timestamp(value)

    def _tag(self, name: str, wire_type: int) -> bytes:
        return varint(self._numbers[name] << 3 | wire_type)


def varint(value: int) -> bytes:
    """An int64; one below zero takes ten bytes."""
    if value < 0:
        value += 1 << 64
    out = b""
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out += _BYTES[value & 0x7F | 0x80]
        value >>= 7
    return out + _BYTES[value]


@lru_cache(1024)
def _timestamp(time: datetime) -> bytes:
    """Behind its length. Kept, for one time is told in many fields."""
    stamp = timestamp(time)
    assert stamp is not None  # noqa: S101 - there is a time
    body = stamp.SerializeToString()
    return varint(len(body)) + body
