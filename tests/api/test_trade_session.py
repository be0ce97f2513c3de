"""TradeSession as a client sees it: one result a command, each as the unary call would have answered."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import ACK_LEVEL_ACCEPTED, ACK_LEVEL_VENUE
from fairlead.v1.execution_service_pb2 import STREAM_ENDING_REASON_DRAINING, STREAM_ENDING_REASON_REPLACED
from fairlead.v1.order_service_pb2 import (
    AMEND_OUTCOME_REPLACED,
    CANCEL_OUTCOME_CANCELED,
    CANCEL_OUTCOME_PENDING,
    TradeClose,
    TradeCommand,
    TradeCommands,
    TradeHello,
    TradeSessionRequest,
)
from fairlead_server.api.trade_stream import WINDOW

from tests.api import broker as venue
from tests.api.refusals import refused
from tests.api.router import Router, new_order
from tests.api.test_batches import info
from tests.api.trader import Trader, amend, cancel, hello
from tests.routing.test_store_failure import Disk
from tests.stores import left

# Commands.


async def test_each_command_is_answered_as_it_would_have_been_alone(router: Router) -> None:
    async with Trader(router) as trader:
        (entered,) = await trader.ask(new_order(ack_level=ACK_LEVEL_VENUE))
        order = entered.submit.order
        (amended,) = await trader.ask(amend(order, quantity="70", ack_level=ACK_LEVEL_VENUE))
        (canceled,) = await trader.ask(cancel(order, ack_level=ACK_LEVEL_VENUE))

    assert order.state == common_pb2.ORDER_STATE_WORKING
    assert entered.submit.ack_level_reached == ACK_LEVEL_VENUE
    assert (amended.amend.outcome, amended.amend.order.quantity) == (AMEND_OUTCOME_REPLACED, "70")
    assert canceled.cancel.outcome == CANCEL_OUTCOME_CANCELED
    assert canceled.cancel.cursor


async def test_the_commands_of_a_message_are_decided_in_their_order(router: Router) -> None:
    orders = [new_order() for _ in range(50)]

    async with Trader(router) as trader:
        results = await trader.ask(*orders)

    assert [r.submit.order.client_order_id for r in results] == [order.client_order_id for order in orders]
    await router.broker.until("D", 50)
    assert [message[11] for message in router.broker.heard] == [
        result.submit.order.venue.cl_ord_id for result in results
    ]


async def test_what_one_commit_makes_durable_comes_in_one_message(router: Router) -> None:
    async with Trader(router) as trader:
        await trader.ask(*[new_order() for _ in range(200)])

        assert trader.messages == 2  # established, and all results


async def test_a_command_that_is_wrong_spoils_only_itself(router: Router) -> None:
    wrong, down, ours = new_order(price="1e3"), new_order(instrument_id="FAR"), new_order()
    alone = [await refused(router.orders.SubmitOrder(each)) for each in (wrong, down)]

    async with Trader(router) as trader:
        malformed, unroutable, good, risky = await trader.ask(
            wrong, down, ours, new_order(account_id="SMALL")
        )
        await trader.say(commands=TradeCommands(commands=[TradeCommand(correlation_id=-9)]))
        (empty,) = await trader.results(1)

    assert [malformed.error, unroutable.error] == [each.status for each in alone]
    assert good.submit.order.client_order_id == ours.client_order_id
    assert risky.submit.order.state == common_pb2.ORDER_STATE_REJECTED
    assert (empty.correlation_id, info(empty.error).reason) == (-9, "REQUEST_INVALID")


async def test_a_key_is_answered_again_over_streams_and_calls(router: Router) -> None:
    request = new_order(ack_level=ACK_LEVEL_VENUE)
    async with Trader(router) as trader:
        (first, second) = await trader.ask(request, request)
    async with Trader(router) as trader:
        (third,) = await trader.ask(request)
    fourth = await router.orders.SubmitOrder(request)

    answers = [first.submit, second.submit, third.submit, fourth]
    assert {answer.order.order_id for answer in answers} == {first.submit.order.order_id}
    assert [answer.duplicate for answer in answers] == [False, True, True, True]
    assert router.broker.count("D") == 1


async def test_a_command_waits_for_the_venue_only_if_it_wants_to(router: Router) -> None:
    router.broker.answers["D"] = venue.ignore
    async with Trader(router) as trader:
        slow, quick = await trader.send(new_order(ack_level=ACK_LEVEL_VENUE), new_order())
        (first,) = await trader.results(1)
        router.broker.say(
            *[
                message
                for order in router.broker.orders.values()
                for message in [venue.report(router.broker, order, "0", "0")]
            ]
        )
        (last,) = await trader.results(1)

    assert (first.correlation_id, last.correlation_id) == (quick, slow)
    assert last.submit.ack_level_reached == ACK_LEVEL_VENUE


async def test_a_cancel_that_the_venue_does_not_answer_is_pending(router: Router) -> None:
    router.broker.answers["F"] = venue.ignore
    order = await router.working()

    async with Trader(router) as trader:
        (result,) = await trader.ask(cancel(order))

    assert result.cancel.outcome == CANCEL_OUTCOME_PENDING


# Flow control.


async def test_beyond_the_window_the_server_reads_no_further(router: Router) -> None:
    router.broker.answers["D"] = venue.ignore
    async with Trader(router) as trader:
        assert trader.established.window == WINDOW
        waiting = [new_order(ack_level=ACK_LEVEL_VENUE, quantity="1") for _ in range(WINDOW)]
        for start in range(0, WINDOW, 512):
            await trader.send(*waiting[start : start + 512])
        (beyond,) = await trader.send(new_order(ack_level=ACK_LEVEL_ACCEPTED))
        await router.broker.until("D", WINDOW)
        assert router.broker.count("D") == WINDOW

        router.broker.say(venue.report(router.broker, next(iter(router.broker.orders.values())), "0", "0"))
        first, second = await trader.results(1), await trader.results(1)

    assert first[0].correlation_id == 1
    assert second[0].correlation_id == beyond


# What is not as it should be.


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"commands": TradeCommands(commands=[TradeCommand(correlation_id=1, submit=new_order())])},
        {"hello": TradeHello()},
        {"hello": TradeHello(session_key="mine")},
        {"hello": hello(grace=3601.0)},
    ],
)
async def test_a_stream_begins_with_a_hello_that_is_well_formed(
    router: Router, payload: dict[str, object]
) -> None:
    trader = Trader(router)
    await trader.say(**payload)

    ended = await trader.refused()

    assert (ended.code, ended.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    assert router.broker.heard == []


async def test_a_client_that_says_nothing_at_all_is_told_so(router: Router) -> None:
    trader = Trader(router)
    await trader.call.done_writing()

    assert (await trader.refused()).fields == ["payload"]


@pytest.mark.parametrize(
    "request_",
    [
        TradeSessionRequest(hello=hello()),
        TradeSessionRequest(),
        TradeSessionRequest(commands=TradeCommands()),
        TradeSessionRequest(commands=TradeCommands(commands=[TradeCommand()] * 1001)),
    ],
)
async def test_a_message_that_is_wrong_ends_the_stream_when_all_is_answered(
    router: Router, request_: TradeSessionRequest
) -> None:
    async with Trader(router) as trader:
        await trader.send(new_order())
        await trader.call.write(request_)
        (answered,) = await trader.results(1)

        ended = await trader.refused()

    assert answered.HasField("submit")
    assert (ended.code, ended.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")


async def test_nothing_may_follow_the_close(router: Router) -> None:
    async with Trader(router) as trader:
        await trader.say(close=TradeClose())
        await trader.send(new_order())

        ended = await trader.refused()

    assert (ended.reason, ended.fields) == ("REQUEST_INVALID", ["payload"])
    assert router.broker.heard == []


async def test_what_is_no_message_at_all_ends_the_stream(router: Router) -> None:
    stream: Any = router.channel.stream_stream("/fairlead.v1.OrderService/TradeSession")
    call = stream()
    await call.write(b"\xff")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


# The end.


async def test_a_close_is_answered_when_all_commands_are(router: Router) -> None:
    async with Trader(router) as trader:
        numbers = await trader.send(*[new_order() for _ in range(20)])
        await trader.say(close=TradeClose())
        await trader.call.done_writing()
        results = await trader.results(20)

        assert await trader.call.read() is grpc.aio.EOF
        assert await trader.call.code() == grpc.StatusCode.OK

    assert [result.correlation_id for result in results] == numbers


async def test_a_server_that_shuts_down_answers_and_says_so(router: Router) -> None:
    router.broker.answers["D"] = venue.ignore
    async with Trader(router) as trader:
        await trader.send(new_order(ack_level=ACK_LEVEL_VENUE))
        await router.broker.until("D")
        stopping = asyncio.create_task(router.app.stop())

        (answered,) = await trader.results(1)
        ending = (await trader.next()).ending
        ended = await trader.refused()
        await stopping

    assert answered.submit.order.state == common_pb2.ORDER_STATE_PENDING_NEW
    assert ending.reason == STREAM_ENDING_REASON_DRAINING
    assert (ended.code, ended.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")


async def test_a_second_stream_of_a_session_takes_over(router: Router) -> None:
    async with Trader(router) as first, Trader(router, first.hello) as second:
        ending = (await first.next()).ending
        ended = await first.refused()
        (result,) = await second.ask(new_order())

    assert ending.reason == STREAM_ENDING_REASON_REPLACED
    assert (ended.code, ended.reason) == (grpc.StatusCode.ABORTED, "STREAM_REPLACED")
    assert ended.facts == {"session_key": first.hello.session_key}
    assert result.HasField("submit")


# When the store fails.


def failing_disk(router: Router) -> Disk:
    disk = Disk(router.app._store)
    router.app.router.pipeline._begin = left(disk.commit)
    return disk


async def test_what_a_failed_commit_held_is_refused_and_the_stream_goes_on(router: Router) -> None:
    disk = failing_disk(router)
    requests = [new_order(ack_level=level) for level in (ACK_LEVEL_VENUE, ACK_LEVEL_ACCEPTED)]
    async with Trader(router) as trader:
        disk.full = 1
        lost = await trader.ask(*requests)
        await router.serving("session/BROKER", wanted=False)
        await router.serving("session/BROKER")
        again = await trader.ask(*requests)

    assert [info(result.error).reason for result in lost] == ["STORE_UNAVAILABLE"] * 2
    assert [result.submit.duplicate for result in again] == [False, False]
    await router.broker.until("D", 2)


async def test_orders_die_with_their_client_also_when_the_store_fails_just_then(router: Router) -> None:
    disk = failing_disk(router)
    async with Trader(router, hello(grace=0)) as trader:
        (entered,) = await trader.ask(new_order(ack_level=ACK_LEVEL_VENUE))
        disk.full = 1

    await router.broker.until("F")
    assert disk.full == 0
    assert router.broker.heard[-1][41] == entered.submit.order.venue.cl_ord_id
