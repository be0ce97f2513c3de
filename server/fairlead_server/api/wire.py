"""Fields of protobuf messages as bytes, for the messages of which there are too many to be built as objects.

A serialised message is the concatenation of its fields, so it can be put together of what is known and what is new. Each
method of :class:`Fields` looks one field up by its name, once, and returns what renders its values. As everywhere in
proto3, a field that holds its default is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import TypeVar

from google.protobuf.message import Message

from fairlead_server.api.times import timestamp

_E = TypeVar("_E", bound=Enum)
_VARINT, _LENGTH_DELIMITED = 0, 2  # wire types
_SHORT = 128  # what is shorter has its length in one byte


class Fields:
    """Those of one kind of message."""

    def __init__(self, kind: type[Message]) -> None:
        self._numbers = {field.name: field.number for field in kind.DESCRIPTOR.fields}

    def text(self, name: str) -> Callable[[str], bytes]:
        content = self.nested(name)

        def render(value: str) -> bytes:
            return content(value.encode()) if value else b""

        return render

    def nested(self, name: str) -> Callable[[bytes], bytes]:
        """A message, given its own bytes; it is there even if these are empty."""
        tag = self._tag(name, _LENGTH_DELIMITED)
        heads = [tag + varint(size) for size in range(_SHORT)]

        def render(value: bytes) -> bytes:
            size = len(value)
            return heads[size] + value if size < _SHORT else tag + varint(size) + value

        return render

    def number(self, name: str) -> Callable[[int], bytes]:
        tag = self._tag(name, _VARINT)

        def render(value: int) -> bytes:
            return tag + varint(value) if value else b""

        return render

    def flag(self, name: str) -> bytes:
        """When it is set."""
        return self.number(name)(1)

    def word(self, name: str, numbers: Mapping[_E, int]) -> Mapping[_E, bytes]:
        """An enum's members."""
        return {member: self.number(name)(number) for member, number in numbers.items()}

    def time(self, name: str) -> Callable[[datetime], bytes]:
        tag = self._tag(name, _LENGTH_DELIMITED)

        def render(value: datetime) -> bytes:
            return tag + _timestamp(value)

        return render

    def _tag(self, name: str, wire_type: int) -> bytes:
        return varint(self._numbers[name] << 3 | wire_type)


def varint(value: int) -> bytes:
    """An int64; one below zero takes ten bytes."""
    if value < 0:
        value += 1 << 64
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@lru_cache(1024)
def _timestamp(time: datetime) -> bytes:
    """Behind its length. Kept, for one time is told in many fields."""
    stamp = timestamp(time)
    assert stamp is not None  # noqa: S101 - there is a time
    body = stamp.SerializeToString()
    return varint(len(body)) + body
