"""Follows the execution log over as many streams as it takes, without I/O.

The rules are those of ``SubscribeExecutions`` (``proto/fairlead/v1/execution_service.proto``): resume from
the cursor of the last message that was applied as a whole, take a hole in `stream_sequence` for a lost
message, and hand over each event once, whatever is repeated.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import grpc

from fairlead.errors import CallFailed, FairleadError, StreamLost
from fairlead.retry import Retry
from fairlead.v1 import common_pb2, execution_service_pb2
from fairlead.v1.execution_service_pb2 import (
    CaughtUp,
    ExecutionEvent,
    OrderSnapshot,
    SubscribeExecutionsRequest,
    SubscribeExecutionsResponse,
)

Update: TypeAlias = ExecutionEvent | OrderSnapshot | CaughtUp

SILENCE = 3  # heartbeat intervals without any message, after which the connection is dead

_FIRST_ATTEMPTS = 4  # for a stream that has never opened
_RESUMABLE = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
    }
)
_FINAL = frozenset(
    {
        execution_service_pb2.STREAM_ENDING_REASON_CREDENTIAL_REVOKED,
        execution_service_pb2.STREAM_ENDING_REASON_REPLACED,
    }
)


class Resumption:
    """How the streams of one subscriber went so far, and when the next is to be tried."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._received = 0  # messages of the present stream
        self._ending: execution_service_pb2.StreamEnding | None = None
        self._opened = False
        self._failures = 0  # since something last came through

    @property
    def told_to_end(self) -> bool:
        return self._ending is not None

    def begin(self) -> None:
        """Another stream."""
        self._received = 0
        self._ending = None

    def count(self, stream_sequence: int) -> None:
        """A message came; raises StreamLost if one before it did not."""
        self._received += 1
        if stream_sequence != self._received:
            raise StreamLost(f"message {self._received} is missing, {stream_sequence} came instead")

    def opened(self) -> None:
        self._opened = True

    def came_through(self) -> None:
        self._failures = 0

    def ending(self, ending: execution_service_pb2.StreamEnding) -> None:
        self._ending = ending

    def failed(self, error: FairleadError) -> float:
        """How many seconds to wait before the next stream; raises if there is to be none."""
        if isinstance(error, CallFailed) and error.code not in _RESUMABLE:
            raise error
        if self._ending is not None and self._ending.reason in _FINAL:
            raise error
        self._failures += 1
        if not self._opened and self._failures >= _FIRST_ATTEMPTS:
            raise error
        return max(self._retry.delay(self._failures), self._retry_after())

    def _retry_after(self) -> float:
        return self._ending.retry_after.ToTimedelta().total_seconds() if self._ending is not None else 0.0


class Follower:
    """Where one subscriber stands. Owned by one subscription."""

    def __init__(self, request: SubscribeExecutionsRequest, retry: Retry) -> None:
        self.cursor = ""  # after the last message whose updates were all handed over
        self.finished = False
        self._request = request
        self._streams = Resumption(retry)
        self._epoch = 0
        self._sequence = 0  # of the last event or snapshot
        self._snapshot: list[common_pb2.Order] = []

    def opening(self) -> SubscribeExecutionsRequest:
        """The request for the next stream."""
        self._streams.begin()
        self._snapshot = []
        request = SubscribeExecutionsRequest()
        request.CopyFrom(self._request)
        if self.cursor:
            request.after_cursor = self.cursor
        return request

    def deliver(self, message: SubscribeExecutionsResponse) -> Iterator[Update]:
        """What the message brings. The cursor moves with the last of it: until then, it is not applied."""
        updates = self._read(message)
        yield from updates[:-1]
        self.cursor = message.cursor or self.cursor
        yield from updates[-1:]

    def ended(self) -> None:
        """The stream has ended with OK: as was asked for, or to be resumed like a failed one."""
        if self._request.WhichOneof("end") is None or self._streams.told_to_end:
            raise StreamLost("the server ended the stream")
        self.finished = True

    def failed(self, error: FairleadError) -> float:
        """How many seconds to wait before the next stream; raises if there is to be none."""
        return self._streams.failed(error)

    def _read(self, message: SubscribeExecutionsResponse) -> Sequence[Update]:
        self._streams.count(message.stream_sequence)
        kind = message.WhichOneof("payload")
        if kind != "established":
            self._streams.came_through()
        match kind:
            case "established":
                return self._established(message.established)
            case "snapshot":
                return self._page(message.snapshot)
            case "events":
                return self._events(message.events.events)
            case "caught_up":
                return [message.caught_up]
            case "ending":
                self._streams.ending(message.ending)
                return []
            case _:  # a heartbeat, or what a newer server adds
                return []

    def _established(self, established: execution_service_pb2.Established) -> Sequence[Update]:
        if established.epoch != self._epoch:
            self._epoch, self._sequence = established.epoch, 0
        self._streams.opened()
        return []

    def _page(self, page: OrderSnapshot) -> Sequence[Update]:
        self._snapshot.extend(page.orders)
        if not page.last_page:
            return []
        self._sequence = max(self._sequence, page.as_of_sequence)
        orders, self._snapshot = self._snapshot, []
        return [OrderSnapshot(orders=orders, as_of_sequence=page.as_of_sequence, last_page=True)]

    def _events(self, events: Sequence[ExecutionEvent]) -> Sequence[Update]:
        fresh = []
        for event in events:
            if event.sequence > self._sequence:
                self._sequence = event.sequence
                fresh.append(event)
        return fresh
