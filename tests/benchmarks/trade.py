"""Orders over one TradeSession with the plain stubs: those of one turn of the event loop go in one message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
from fairlead.v1.order_service_pb2 import (
    SubmitOrderRequest,
    SubmitOrderResponse,
    TradeCommand,
    TradeCommands,
    TradeHello,
    TradeSessionRequest,
    TradeSessionResponse,
)
from fairlead.v1.order_service_pb2_grpc import OrderServiceStub

if TYPE_CHECKING:
    Call = grpc.aio.StreamStreamCall[TradeSessionRequest, TradeSessionResponse]


class Trade:
    """A stream that stays within the window if its callers do."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._numbers = count(1)
        self._due: list[TradeCommand] = []
        self._asked: dict[int, asyncio.Future[SubmitOrderResponse]] = {}
        self._news = asyncio.Event()

    def submit(self, request: SubmitOrderRequest) -> Awaitable[SubmitOrderResponse]:
        number = next(self._numbers)
        self._due.append(TradeCommand(correlation_id=number, submit=request))
        self._asked[number] = asyncio.get_running_loop().create_future()
        self._news.set()
        return self._asked[number]

    async def write(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            due, self._due = self._due, []
            await self._call.write(TradeSessionRequest(commands=TradeCommands(commands=due)))

    async def read(self) -> None:
        while True:
            message = await self._call.read()
            assert isinstance(message, TradeSessionResponse), "the router has ended the stream"
            for result in message.results.results:
                self._asked.pop(result.correlation_id).set_result(result.submit)

    def failed(self, task: asyncio.Task[None]) -> None:
        """Neither ends but by being cancelled, or because the stream has ended."""
        if not task.cancelled() and (error := task.exception()) is not None:
            for asked in self._asked.values():
                asked.set_exception(error)


@asynccontextmanager
async def trading(channel: grpc.aio.Channel) -> AsyncIterator[Trade]:
    call = OrderServiceStub(channel).TradeSession()
    await call.write(TradeSessionRequest(hello=TradeHello(session_key=str(uuid4()))))
    await call.read()
    trade = Trade(call)
    tasks = [asyncio.create_task(trade.write()), asyncio.create_task(trade.read())]
    for task in tasks:
        task.add_done_callback(trade.failed)
    try:
        yield trade
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        call.cancel()
