"""The subscriber: reads every event of the log as it comes, and waits until all orders of a round are filled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import perf_counter

import grpc
from fairlead.v1 import execution_service_pb2 as pb
from fairlead.v1.execution_service_pb2_grpc import ExecutionServiceStub

_QUIET_SECONDS = 10.0  # without a fill: what has not come by then is lost


class Fills:
    """``times`` holds when each order's fill was read, by its client_order_id, in seconds of perf_counter."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}
        self.repeated: list[str] = []
        self._expected: set[str] = set()
        self._news = asyncio.Event()

    async def follow(self, channel: grpc.aio.Channel, subscribed: asyncio.Event) -> None:
        """Until cancelled."""
        request = pb.SubscribeExecutionsRequest(position=pb.START_POSITION_LIVE_ONLY)
        async for response in ExecutionServiceStub(channel).SubscribeExecutions(request):
            subscribed.set()
            for event in response.events.events:
                if event.kind == pb.EXECUTION_KIND_FILLED:
                    self._filled(event.order.client_order_id)

    def expect(self, client_order_ids: Iterable[str]) -> None:
        self.times.clear()
        self.repeated.clear()
        self._expected = set(client_order_ids)

    async def all(self) -> set[str]:
        """Wait for all that is expected; returns what has not come when nothing has come for a while."""
        while self._expected:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), _QUIET_SECONDS)
            except TimeoutError:
                break
        return self._expected

    def _filled(self, client_order_id: str) -> None:
        if client_order_id not in self._expected:
            self.repeated.append(client_order_id)
            return
        self._expected.remove(client_order_id)
        self.times[client_order_id] = perf_counter()
        self._news.set()
