"""A trade session: many commands awaited at once, over streams that break."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
import pytest
from fairlead import AsyncClient, CallFailed, NewOrder, OutcomeUnknown, Retry, Side
from fairlead.errors import Aborted, BadValue, InvalidRequest, OrderRejected, StreamLost, Unavailable
from fairlead.v1.common_pb2 import ORDER_STATE_REJECTED, Order, Reject
from fairlead.v1.execution_service_pb2 import STREAM_ENDING_REASON_REPLACED, StreamEnding
from fairlead.v1.order_service_pb2 import (
    AmendOrderResponse,
    CancelOrderResponse,
    SubmitOrderResponse,
    TradeCommand,
    TradeEstablished,
    TradeResult,
    TradeResults,
    TradeSessionRequest,
    TradeSessionResponse,
)
from fairlead.values import OrderType
from google.rpc import status_pb2

from tests.clients.fakes import Fail, FakeRouter

Incoming = Iterator[TradeSessionRequest]
Outgoing = Iterator[TradeSessionResponse | Fail]
QUICK = Retry(initial=0.001, maximum=0.01, settle_attempts=3)
DOWN = Fail(grpc.StatusCode.UNAVAILABLE, "VENUE_SESSION_DOWN")
CUT = Fail(grpc.StatusCode.UNAVAILABLE)


def an_order(number: int = 1) -> NewOrder:
    return NewOrder(
        account_id="demo",
        client_order_id=f"key-{number}",
        instrument_id="AAPL",
        side=Side.BUY,
        quantity=10,
        order_type=OrderType.MARKET,
    )


def done(command: TradeCommand) -> TradeResult:
    number = command.correlation_id
    match command.WhichOneof("command"):
        case "submit":
            order = Order(client_order_id=command.submit.client_order_id)
            return TradeResult(correlation_id=number, submit=SubmitOrderResponse(order=order))
        case "amend":
            return TradeResult(correlation_id=number, amend=AmendOrderResponse())
        case _:
            return TradeResult(correlation_id=number, cancel=CancelOrderResponse())


def failing(fail: Fail) -> Callable[[TradeCommand], TradeResult]:
    status = status_pb2.Status.FromString(fail.details())
    return lambda command: TradeResult(correlation_id=command.correlation_id, error=status)


class Line:
    """The router's end of one stream: its messages, numbered."""

    def __init__(self) -> None:
        self._sequence = 0

    def say(self, **payload: Any) -> TradeSessionResponse:
        self._sequence += 1
        return TradeSessionResponse(stream_sequence=self._sequence, **payload)

    def established(self, window: int = 100, most: int = 50) -> TradeSessionResponse:
        return self.say(established=TradeEstablished(window=window, max_commands=most))

    def results(self, results: Sequence[TradeResult]) -> TradeSessionResponse:
        return self.say(results=TradeResults(results=results))


def answering(answer: Callable[[TradeCommand], TradeResult] = done, **limits: int) -> Any:
    """A stream on which every message is answered by one, until the client closes."""

    def trade(incoming: Incoming) -> Outgoing:
        line = Line()
        next(incoming)
        yield line.established(**limits)
        for message in incoming:
            if message.HasField("commands"):
                yield line.results([answer(command) for command in message.commands.commands])

    return trade


def cut_after(count: int) -> Any:
    """A stream that takes so many messages of commands, and breaks without an answer."""

    def trade(incoming: Incoming) -> Outgoing:
        next(incoming)
        yield Line().established()
        for _ in range(count):
            next(incoming)
        yield CUT

    return trade


def sent(router: FakeRouter) -> list[list[TradeCommand]]:
    """The messages of commands."""
    messages = router.received["TradeSession"]
    return [list(message.commands.commands) for message in messages if message.HasField("commands")]


async def test_commands_of_one_turn_travel_in_one_message(router: FakeRouter, target: str) -> None:
    router.trades = [answering()]

    async with AsyncClient(target) as client, client.trade_session() as session:
        submits = [session.submit(**an_order(number)) for number in range(20)]
        others = asyncio.gather(session.amend("O1", price="5"), session.cancel("O1"))
        answers = await asyncio.gather(*submits)

    assert [type(answer) for answer in await others] == [AmendOrderResponse, CancelOrderResponse]
    assert [answer.order.client_order_id for answer in answers] == [f"key-{number}" for number in range(20)]
    assert [len(commands) for commands in sent(router)] == [22]


async def test_a_message_and_the_window_are_never_overfull(router: FakeRouter, target: str) -> None:
    router.trades = [answering(window=7, most=5)]

    async with AsyncClient(target) as client, client.trade_session() as session:
        await asyncio.gather(*[session.submit(**an_order(number)) for number in range(20)])

    assert sum(len(commands) for commands in sent(router)) == 20
    assert max(len(commands) for commands in sent(router)) == 5
    assert [len(commands) for commands in sent(router)][:2] == [5, 2]


async def test_leaving_waits_for_the_answers_and_says_goodbye(router: FakeRouter, target: str) -> None:
    router.trades = [answering()]

    async with AsyncClient(target) as client, client.trade_session(cancel_on_disconnect=2.5) as session:
        asked = asyncio.ensure_future(session.submit(**an_order()))
        await asyncio.sleep(0)
        await session.close(keep_orders=True)
        assert asked.done()
        with pytest.raises(StreamLost):
            await session.submit(**an_order())

    hello, _, close = router.received["TradeSession"]
    assert hello.hello.session_key == session.session_key
    assert hello.hello.cancel_on_disconnect.grace.ToMilliseconds() == 2500
    assert close.close.keep_orders


async def test_what_has_no_result_is_sent_again_under_the_same_key(router: FakeRouter, target: str) -> None:
    router.trades = [cut_after(1), cut_after(1), answering()]

    async with AsyncClient(target, retry=QUICK) as client, client.trade_session() as session:
        answers = await asyncio.gather(*[session.submit(**an_order(number)) for number in range(3)])

    assert [answer.order.client_order_id for answer in answers] == ["key-0", "key-1", "key-2"]
    assert len(sent(router)) == 3
    assert sent(router)[0] == sent(router)[1] == sent(router)[2]
    hellos = [message.hello for message in router.received["TradeSession"] if message.HasField("hello")]
    assert hellos == [hellos[0]] * 3


async def test_an_outcome_that_stays_unknown_is_told_as_such(router: FakeRouter, target: str) -> None:
    router.trades = [cut_after(1)]

    async with AsyncClient(target, retry=QUICK) as client:
        with pytest.raises(OutcomeUnknown) as caught:
            async with client.trade_session() as session:
                await session.submit(**an_order())

    assert caught.value.client_order_id == "key-1"
    assert len(sent(router)) == QUICK.settle_attempts


async def test_a_failed_command_raises_what_the_call_would_have(router: FakeRouter, target: str) -> None:
    router.trades = [answering(failing(Fail(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")))]

    async with AsyncClient(target) as client, client.trade_session() as session:
        with pytest.raises(InvalidRequest):
            await session.submit(**an_order())

    assert len(sent(router)) == 1


async def test_a_router_that_cannot_take_it_is_asked_again(router: FakeRouter, target: str) -> None:
    answers = [failing(DOWN), done]

    def in_turn(command: TradeCommand) -> TradeResult:
        return answers.pop(0)(command)

    router.trades = [answering(in_turn)]

    async with AsyncClient(target, retry=QUICK) as client, client.trade_session() as session:
        answer = await session.submit(**an_order())

    assert answer.order.client_order_id == "key-1"
    assert [len(commands) for commands in sent(router)] == [1, 1]


async def test_a_router_that_still_cannot_take_it_says_so(router: FakeRouter, target: str) -> None:
    router.trades = [answering(failing(DOWN))]

    async with AsyncClient(target, retry=QUICK) as client, client.trade_session() as session:
        with pytest.raises(Unavailable):
            await session.submit(**an_order())


async def test_a_refusal_is_an_exception_for_those_who_want_one(router: FakeRouter, target: str) -> None:
    order = Order(state=ORDER_STATE_REJECTED, reject=Reject(text="too many"))
    response = SubmitOrderResponse(order=order)
    router.trades = [
        answering(lambda command: TradeResult(correlation_id=command.correlation_id, submit=response))
    ]

    async with (
        AsyncClient(target, raise_on_reject=True) as client,
        client.trade_session() as session,
    ):
        with pytest.raises(OrderRejected):
            await session.submit(**an_order())


async def test_a_session_that_another_has_taken_over_is_over(router: FakeRouter, target: str) -> None:
    def replaced(incoming: Incoming) -> Outgoing:
        line = Line()
        next(incoming)
        yield line.established()
        next(incoming)
        yield line.say(ending=StreamEnding(reason=STREAM_ENDING_REASON_REPLACED))
        yield Fail(grpc.StatusCode.ABORTED, "STREAM_REPLACED")

    router.trades = [replaced]
    async with AsyncClient(target, retry=QUICK) as client:
        session = await client.trade_session().__aenter__()
        with pytest.raises(OutcomeUnknown):
            await session.submit(**an_order())
        with pytest.raises(Aborted):
            await session.submit(**an_order())
        with pytest.raises(Aborted):
            await session.close()

    assert len([message for message in router.received["TradeSession"] if message.HasField("hello")]) == 1


async def test_a_session_that_is_refused_does_not_begin(router: FakeRouter, target: str) -> None:
    def refusing(incoming: Incoming) -> Outgoing:
        next(incoming)
        yield Fail(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")

    router.trades = [refusing]

    async with AsyncClient(target) as client:
        with pytest.raises(CallFailed):
            await client.trade_session().__aenter__()


async def test_an_exception_breaks_the_session_off(router: FakeRouter, target: str) -> None:
    router.trades = [cut_after(2)]  # which never come

    async with AsyncClient(target) as client:
        session = await client.trade_session().__aenter__()
        asked = asyncio.ensure_future(session.submit(**an_order()))
        await asyncio.sleep(0)
        error = ZeroDivisionError()
        await session.__aexit__(ZeroDivisionError, error, None)
        with pytest.raises((StreamLost, OutcomeUnknown)):
            await asked

    assert not any(message.HasField("close") for message in router.received["TradeSession"])


async def test_accounts_are_named_only_for_cancel_on_disconnect() -> None:
    async with AsyncClient() as client:
        with pytest.raises(BadValue, match="account_ids"):
            client.trade_session(account_ids=["demo"])
