"""Execution subscriptions, see :mod:`fairlead.streams`.

Iterating yields events; ``updates()`` yields snapshots and the caught-up marker as well.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from typing import TYPE_CHECKING

from fairlead.following import Follower, Update
from fairlead.streams import AsyncStreams, Stream, Streams
from fairlead.v1.execution_service_pb2 import (
    ExecutionEvent,
    SubscribeExecutionsRequest,
    SubscribeExecutionsResponse,
)

if TYPE_CHECKING:
    from grpc import aio

    AsyncStream = aio.UnaryStreamCall[SubscribeExecutionsRequest, SubscribeExecutionsResponse]


class AsyncSubscription(AsyncStreams[SubscribeExecutionsRequest, SubscribeExecutionsResponse, Update]):
    """Follows executions in asyncio. Close it, or use it as a context manager, to end the stream."""

    def __init__(
        self, call: "Callable[[SubscribeExecutionsRequest], AsyncStream]", follower: Follower, silence: float
    ) -> None:
        super().__init__(call, follower, silence)
        self._where = follower

    @property
    def cursor(self) -> str:
        """Where to resume. It passes an event when that event and all that came with it were yielded."""
        return self._where.cursor

    async def __aiter__(self) -> AsyncGenerator[ExecutionEvent, None]:
        async with aclosing(self.updates()) as updates:
            async for update in updates:
                if isinstance(update, ExecutionEvent):
                    yield update


class Subscription(Streams[SubscribeExecutionsRequest, SubscribeExecutionsResponse, Update]):
    """Follows executions in the calling thread. Close it, or use it as a context manager, to end the stream."""

    def __init__(
        self,
        call: Callable[[SubscribeExecutionsRequest], Stream[SubscribeExecutionsResponse]],
        follower: Follower,
        silence: float,
    ) -> None:
        super().__init__(call, follower, silence)
        self._where = follower

    @property
    def cursor(self) -> str:
        """Where to resume. It passes an event when that event and all that came with it were yielded."""
        return self._where.cursor

    def __iter__(self) -> Generator[ExecutionEvent, None, None]:
        for update in self.updates():
            if isinstance(update, ExecutionEvent):
                yield update
