"""Puts events and results that are serialised already into a stream's messages without taking them apart.

A response is its small fields, serialised anew each time, and then the stored bytes of its events, each behind a tag and
a length; see :mod:`~fairlead_server.api.wire`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeVar

from fairlead.v1 import execution_service_pb2 as pb
from fairlead.v1 import order_service_pb2 as pb_orders
from google.protobuf.message import Message

from fairlead_server.api import wire
from fairlead_server.store.batch import EventRow

_M = TypeVar("_M", bound=Message)
_MOST_PAYLOADS = 8  # that are kept, a few hundred KiB each
MOST_BYTES = 2 << 20  # of one message's contents: half of what a client takes unless it was told otherwise


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


class Payloads:
    """The ExecutionEvents of messages. Most subscribers are at the same place: what one was sent is kept for the next."""

    def __init__(self) -> None:
        self._known: dict[
            tuple[int, int, bool], bytes
        ] = {}  # by the first and the last sequence, none left out

    def of(self, rows: Sequence[EventRow], *, replay: bool) -> bytes:
        first, last = rows[0].sequence, rows[-1].sequence
        if last - first + 1 != len(rows):
            return _payload_of(rows, replay=replay)
        known = self._known.get((first, last, replay))
        if known is None:
            if len(self._known) >= _MOST_PAYLOADS:
                del self._known[next(iter(self._known))]
            known = self._known[first, last, replay] = _payload_of(rows, replay=replay)
        return known


def _payload_of(rows: Sequence[EventRow], *, replay: bool) -> bytes:
    events = b"".join([_event(row.body) for row in rows])
    return _payload(events + pb.ExecutionEvents(replay=replay).SerializeToString())


def with_results(envelope: pb_orders.TradeSessionResponse, bodies: Iterable[bytes]) -> bytes:
    """The serialised ``envelope`` with a TradeResults payload of ``bodies``."""
    return envelope.SerializeToString() + _results(b"".join(map(_result, bodies)))


def taken(bodies: deque[bytes]) -> list[bytes]:
    """As many from its left end as go into one message; at least one."""
    found = [bodies.popleft()]
    size = len(found[0])
    while bodies and (size := size + len(bodies[0])) <= MOST_BYTES:
        found.append(bodies.popleft())
    return found


_payload = wire.Fields(pb.SubscribeExecutionsResponse).nested("events")
_event = wire.Fields(pb.ExecutionEvents).nested("events")
_results = wire.Fields(pb_orders.TradeSessionResponse).nested("results")
_result = wire.Fields(pb_orders.TradeResults).nested("results")
