"""A client of TradeSession that says what it is told to, and counts the messages that come."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import grpc
from fairlead.v1.common_pb2 import Order, OrderRef
from fairlead.v1.order_service_pb2 import (
    AmendOrderRequest,
    CancelOnDisconnect,
    CancelOrderRequest,
    SubmitOrderRequest,
    TradeClose,
    TradeCommand,
    TradeCommands,
    TradeEstablished,
    TradeHello,
    TradeResult,
    TradeSessionRequest,
    TradeSessionResponse,
)
from google.protobuf.duration_pb2 import Duration

from tests.api.refusals import Refused, told
from tests.api.router import Router

Call = grpc.aio.StreamStreamCall[TradeSessionRequest, TradeSessionResponse]
Request = SubmitOrderRequest | AmendOrderRequest | CancelOrderRequest


def hello(grace: float | None = None, key: str = "", accounts: Iterable[str] = ()) -> TradeHello:
    """``grace`` in seconds; None: its orders outlive the stream."""
    dead = None
    if grace is not None:
        wait = Duration()
        wait.FromMilliseconds(round(grace * 1000))
        dead = CancelOnDisconnect(grace=wait, account_ids=accounts)
    return TradeHello(session_key=key or str(uuid4()), cancel_on_disconnect=dead)


def command(number: int, request: Request) -> TradeCommand:
    match request:
        case SubmitOrderRequest():
            return TradeCommand(correlation_id=number, submit=request)
        case AmendOrderRequest():
            return TradeCommand(correlation_id=number, amend=request)
        case CancelOrderRequest():
            return TradeCommand(correlation_id=number, cancel=request)


def cancel(order: Order, **changes: Any) -> CancelOrderRequest:
    return CancelOrderRequest(order=OrderRef(order_id=order.order_id), request_id=str(uuid4()), **changes)


def amend(order: Order, **changes: Any) -> AmendOrderRequest:
    return AmendOrderRequest(order=OrderRef(order_id=order.order_id), request_id=str(uuid4()), **changes)


class Trader:
    """One stream. ``async with`` says hello and reads the answer; leaving it takes the connection away."""

    def __init__(self, router: Router, greeting: TradeHello | None = None) -> None:
        self.hello = greeting or hello()
        self.call: Call = router.orders.TradeSession()
        self.established = TradeEstablished()
        self.messages = 0
        self._number = 0

    async def __aenter__(self) -> Self:
        await self.say(hello=self.hello)
        self.established = (await self.next()).established
        assert self.established.window
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call.cancel()

    async def say(self, **payload: Any) -> None:
        await self.call.write(TradeSessionRequest(**payload))

    async def send(self, *requests: Request) -> list[int]:
        """In one message; returns the commands' numbers."""
        first, self._number = self._number + 1, self._number + len(requests)
        numbers = list(range(first, self._number + 1))
        commands = [command(*pair) for pair in zip(numbers, requests, strict=True)]
        await self.say(commands=TradeCommands(commands=commands))
        return numbers

    async def ask(self, *requests: Request) -> list[TradeResult]:
        """Send in one message; their results in their order, each of which must come once."""
        numbers = await self.send(*requests)
        found = {result.correlation_id: result for result in await self.results(len(numbers))}
        return [found[number] for number in numbers]

    async def results(self, count: int) -> list[TradeResult]:
        found: list[TradeResult] = []
        while len(found) < count:
            found += (await self.next()).results.results
        assert len(found) == count
        return found

    async def next(self) -> TradeSessionResponse:
        message = await self.call.read()
        assert isinstance(message, TradeSessionResponse), "the stream has ended"
        self.messages += 1
        assert message.stream_sequence == self.messages
        return message

    async def close(self, *, keep_orders: bool) -> None:
        """In good order."""
        await self.say(close=TradeClose(keep_orders=keep_orders))
        await self.call.done_writing()
        assert await self.call.read() is grpc.aio.EOF
        assert await self.call.code() == grpc.StatusCode.OK

    async def refused(self) -> Refused:
        """How the stream ends; there must be no more messages."""
        try:
            assert await self.call.read() is grpc.aio.EOF
        except grpc.aio.AioRpcError as error:
            return told(error)
        raise AssertionError("the stream has ended with OK")
