"""Watches of risk events, over as many streams as it takes: each event once, none left out."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from fairlead.errors import FairleadError, StreamLost
from fairlead.following import Resumption
from fairlead.retry import Retry
from fairlead.streams import AsyncStreams, Streams
from fairlead.v1.risk_service_pb2 import RiskEvent, WatchRiskEventsRequest, WatchRiskEventsResponse


class RiskFollower:
    """Where one watcher stands. Owned by one watch."""

    finished = False  # a watch has no end of its own

    def __init__(self, request: WatchRiskEventsRequest, retry: Retry) -> None:
        self.sequence = request.after_sequence if request.HasField("after_sequence") else None
        self._request = request
        self._streams = Resumption(retry)

    def opening(self) -> WatchRiskEventsRequest:
        self._streams.begin()
        request = WatchRiskEventsRequest()
        request.CopyFrom(self._request)
        if self.sequence is not None:
            request.after_sequence = self.sequence
        return request

    def deliver(self, message: WatchRiskEventsResponse) -> Iterator[RiskEvent]:
        self._streams.opened()
        self._streams.came_through()
        if message.HasField("ending"):
            self._streams.ending(message.ending)
        for event in message.events:
            self.sequence = event.sequence
            yield event
        self.sequence = message.sequence

    def ended(self) -> None:
        raise StreamLost("the server ended the stream")

    def failed(self, error: FairleadError) -> float:
        return self._streams.failed(error)


class AsyncRiskWatch(AsyncStreams[WatchRiskEventsRequest, WatchRiskEventsResponse, RiskEvent]):
    """Follows risk events in asyncio."""

    async def __aiter__(self) -> AsyncGenerator[RiskEvent, None]:
        async with aclosing(self.updates()) as updates:
            async for event in updates:
                yield event


class RiskWatch(Streams[WatchRiskEventsRequest, WatchRiskEventsResponse, RiskEvent]):
    """Follows risk events in the calling thread."""

    def __iter__(self) -> Iterator[RiskEvent]:
        yield from self.updates()
