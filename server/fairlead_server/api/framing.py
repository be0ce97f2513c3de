"""Puts events and results that are serialised already into a stream's messages without taking them apart.

A protobuf message is the concatenation of its fields, so a response is its small fields, serialised anew each time, and
then the stored bytes of its events, each behind a tag and a length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeVar

from fairlead.v1 import execution_service_pb2 as pb
from fairlead.v1 import order_service_pb2 as pb_orders
from google.protobuf.message import Message

from fairlead_server.store.batch import EventRow

_M = TypeVar("_M", bound=Message)
MOST_BYTES = 2 << 20  # of one message's contents: half of what a client takes unless it was told otherwise
_LENGTH_DELIMITED = 2  # wire type


def that_fit(rows: Sequence[EventRow]) -> Sequence[EventRow]:
    """As many of the first rows as go into one message; at least one."""
    size = 0
    for index, row in enumerate(rows):
        size += len(row.body)
        if index and size > MOST_BYTES:
            return rows[:index]
    return rows


def fitting(messages: Iterable[_M]) -> list[_M]:
    """As many of the first messages as go into one; at least one. Those beyond are not looked at."""
    found: list[_M] = []
    size = 0
    for message in messages:
        size += message.ByteSize()
        if found and size > MOST_BYTES:
            break
        found.append(message)
    return found


def with_events(envelope: pb.SubscribeExecutionsResponse, bodies: Iterable[bytes], *, replay: bool) -> bytes:
    """The serialised ``envelope`` with an ExecutionEvents payload of ``bodies``."""
    events = b"".join(_field(_EVENT_TAG, body) for body in bodies)
    flags = pb.ExecutionEvents(replay=replay).SerializeToString()
    return envelope.SerializeToString() + _field(_PAYLOAD_TAG, events + flags)


def with_results(envelope: pb_orders.TradeSessionResponse, bodies: Iterable[bytes]) -> bytes:
    """The serialised ``envelope`` with a TradeResults payload of ``bodies``."""
    results = b"".join(_field(_RESULT_TAG, body) for body in bodies)
    return envelope.SerializeToString() + _field(_RESULTS_TAG, results)


def taken(bodies: deque[bytes]) -> list[bytes]:
    """As many from its left end as go into one message; at least one."""
    found = [bodies.popleft()]
    size = len(found[0])
    while bodies and (size := size + len(bodies[0])) <= MOST_BYTES:
        found.append(bodies.popleft())
    return found


def _field(tag: bytes, content: bytes) -> bytes:
    return tag + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _tag(number: int) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED)


_PAYLOAD_TAG = _tag(pb.SubscribeExecutionsResponse.EVENTS_FIELD_NUMBER)
_EVENT_TAG = _tag(pb.ExecutionEvents.EVENTS_FIELD_NUMBER)
_RESULTS_TAG = _tag(pb_orders.TradeSessionResponse.RESULTS_FIELD_NUMBER)
_RESULT_TAG = _tag(pb_orders.TradeResults.RESULTS_FIELD_NUMBER)
