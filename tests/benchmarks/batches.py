"""Orders by BatchSubmitOrders with the plain stubs: those of one turn of the event loop go in one call, up to 64."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

import grpc
from fairlead.v1.order_service_pb2 import BatchSubmitOrdersRequest, SubmitOrderRequest, SubmitOrderResponse
from fairlead.v1.order_service_pb2_grpc import OrderServiceStub

_MOST = 64
_DEADLINE = 30.0  # seconds

_Asked = tuple[SubmitOrderRequest, asyncio.Future[SubmitOrderResponse]]


class Batches:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = OrderServiceStub(channel)
        self._due: list[_Asked] = []
        self._calls: set[asyncio.Task[None]] = set()

    def submit(self, request: SubmitOrderRequest) -> Awaitable[SubmitOrderResponse]:
        loop = asyncio.get_running_loop()
        if not self._due:
            loop.call_soon(self._send)
        answer: asyncio.Future[SubmitOrderResponse] = loop.create_future()
        self._due.append((request, answer))
        return answer

    def _send(self) -> None:
        due, self._due = self._due, []
        for start in range(0, len(due), _MOST):
            call = asyncio.create_task(self._call(due[start : start + _MOST]))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(self, asked: Sequence[_Asked]) -> None:
        message = BatchSubmitOrdersRequest(orders=[request for request, _ in asked])
        try:
            response = await self._stub.BatchSubmitOrders(message, timeout=_DEADLINE)
        except grpc.aio.AioRpcError as error:
            for _, answer in asked:
                answer.set_exception(error)
            return
        for (_, answer), result in zip(asked, response.results, strict=True):
            answer.set_result(result.ok)
