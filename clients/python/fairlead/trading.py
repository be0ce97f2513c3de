"""A trade session in asyncio: the stream around :mod:`fairlead.commands`, opened again when it breaks.

Commands that are given in one turn of the event loop travel in one message.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import grpc

from fairlead import errors, outcomes, requests
from fairlead.commands import Commands, Request
from fairlead.errors import FairleadError, StreamLost
from fairlead.following import Resumption
from fairlead.retry import Retry
from fairlead.v1.order_service_pb2 import (
    AmendOrderResponse,
    CancelOrderResponse,
    SubmitOrderResponse,
    TradeClose,
    TradeHello,
    TradeResult,
    TradeSessionRequest,
    TradeSessionResponse,
)
from fairlead.values import Amendment, AnyOrder, Cancellation, NewOrder

if TYPE_CHECKING:
    from grpc import aio

    Call = aio.StreamStreamCall[TradeSessionRequest, TradeSessionResponse]


class AsyncTradeSession:
    """Use it as a context manager: entering opens the stream, leaving answers what is unanswered and closes it.

    What leaves the block as an exception breaks the stream off, and commands with it. Any number of commands may be
    awaited at once; a caller that gives up on one leaves its outcome open.
    """

    def __init__(
        self, call: "Callable[[], Call]", hello: TradeHello, retry: Retry, *, raise_on_reject: bool
    ) -> None:
        self._call = call
        self._hello = hello
        self._streams = Resumption(retry)
        self._raise_on_reject = raise_on_reject
        self._news = asyncio.Event()  # there may be something to send
        self._commands = Commands(retry, self._later, self._news.set)
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._runner: asyncio.Task[None] | None = None
        self._closing: TradeClose | None = None
        self._ended: FairleadError | None = None

    @property
    def session_key(self) -> str:
        """Whoever knows it takes the session over by opening another one under it."""
        return self._hello.session_key

    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._run())
        try:
            await self._opened
        except BaseException:
            await self._break_off()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
        else:
            await self._break_off()

    async def close(self, *, keep_orders: bool = False) -> None:
        """Wait for what is unanswered, then take leave; with `keep_orders`, orders stay whatever was asked for."""
        if self._runner is None or self._closing is not None:
            return
        self._closing = TradeClose(keep_orders=keep_orders)
        self._news.set()
        await asyncio.shield(self._runner)
        if self._ended is not None:
            raise self._ended

    async def submit(self, **order: Unpack[NewOrder]) -> SubmitOrderResponse:
        """As :meth:`fairlead.AsyncClient.submit_order`."""
        response = (await self._answer(requests.submit_order(order))).submit
        return outcomes.submitted(response) if self._raise_on_reject else response

    async def amend(self, order: AnyOrder, **terms: Unpack[Amendment]) -> AmendOrderResponse:
        """As :meth:`fairlead.AsyncClient.amend_order`."""
        response = (await self._answer(requests.amend_order(order, terms))).amend
        return outcomes.amended(response) if self._raise_on_reject else response

    async def cancel(self, order: AnyOrder, **how: Unpack[Cancellation]) -> CancelOrderResponse:
        """As :meth:`fairlead.AsyncClient.cancel_order`."""
        response = (await self._answer(requests.cancel_order(order, how))).cancel
        return outcomes.canceled(response) if self._raise_on_reject else response

    def _answer(self, request: Request) -> "asyncio.Future[TradeResult]":
        if self._ended is not None:
            raise self._ended
        if self._runner is None or self._closing is not None:
            raise StreamLost("the session is not open")
        future: asyncio.Future[TradeResult] = asyncio.get_running_loop().create_future()

        def answered(answer: TradeResult | FairleadError) -> None:
            if future.done():
                return  # its caller has gone
            if isinstance(answer, TradeResult):
                future.set_result(answer)
            else:
                future.set_exception(answer)

        self._commands.add(request, answered, lambda: not future.done())
        return future

    # The streams, one after the other.

    async def _run(self) -> None:
        try:
            while await self._broken():
                pass
        except FairleadError as error:
            self._ended = error
            self._commands.give_up(error)
            if not self._opened.done():
                self._opened.set_exception(error)

    async def _broken(self) -> bool:
        """Whether another stream is to follow this one; raises if there must not be one."""
        try:
            await self._stream()
        except FairleadError as error:
            delay = self._streams.failed(error)
            self._commands.broken(error)
            await asyncio.sleep(delay)
            return True
        return False

    async def _stream(self) -> None:
        """Until it has been closed in good order; raises when it ends otherwise."""
        self._streams.begin()
        call = self._call()
        writing: asyncio.Task[None] | None = None
        try:
            await _write(call, TradeSessionRequest(hello=self._hello))
            while (message := await _read(call)) is not None:
                if self._take(message):
                    writing = asyncio.create_task(self._send(call))
        finally:
            call.cancel()
            if writing is not None:
                writing.cancel()
                await asyncio.wait([writing])
        if self._closing is None or not self._commands.all_answered:
            raise StreamLost("the server ended the stream")

    def _take(self, message: TradeSessionResponse) -> bool:
        """Whether this has opened the stream."""
        self._streams.count(message.stream_sequence)
        match message.WhichOneof("payload"):
            case "established":
                self._streams.opened()
                self._commands.opened(message.established)
                if not self._opened.done():
                    self._opened.set_result(None)
                return True
            case "results":
                self._streams.came_through()
                for result in message.results.results:
                    self._commands.take(result)
            case "ending":
                self._streams.ending(message.ending)
            case _:  # what a newer server adds
                pass
        return False

    async def _send(self, call: "Call") -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while (message := self._commands.next_message()) is not None:
                await _write(call, message)
            if self._closing is not None and self._commands.all_answered:
                await _write(call, TradeSessionRequest(close=self._closing))
                with suppress(grpc.RpcError, asyncio.InvalidStateError):
                    await call.done_writing()
                return

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay, call)

    async def _break_off(self) -> None:
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        self._ended = self._ended or StreamLost("the session was broken off")
        self._commands.give_up(self._ended)


async def _write(call: "Call", message: TradeSessionRequest) -> None:
    """A stream that has ended takes nothing; whoever reads it is told why."""
    with suppress(grpc.RpcError, asyncio.InvalidStateError):
        await call.write(message)


async def _read(call: "Call") -> TradeSessionResponse | None:
    try:
        message = await call.read()
    except grpc.RpcError as error:
        raise errors.from_rpc(error) from error
    return message if isinstance(message, TradeSessionResponse) else None
