"""The router ends in good order, and there is never a second one on its store."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import grpc
from fairlead import AckLevel, NewOrder, errors
from fairlead.v1 import execution_service_pb2 as pb
from fairlead.v1.common_pb2 import ORDER_STATE_CANCELED, ORDER_STATE_WORKING
from fairlead.v1.execution_service_pb2_grpc import ExecutionServiceStub

from tests.system.crowd import order_number
from tests.system.world import World, at_rest

PATIENT: NewOrder = {**order_number(1), "ack_level": AckLevel.VENUE}
RESTING: NewOrder = {**order_number(3), "ack_level": AckLevel.VENUE}
FIVE_SECONDS = 5.0

Call: TypeAlias = "grpc.aio.UnaryStreamCall[pb.SubscribeExecutionsRequest, pb.SubscribeExecutionsResponse]"


async def the_end(call: Call) -> tuple[pb.SubscribeExecutionsResponse, errors.CallFailed]:
    """The last message of a stream, and the error that it ends with."""
    last = pb.SubscribeExecutionsResponse()
    while True:
        try:
            message = await call.read()
        except grpc.aio.AioRpcError as ended:
            return last, errors.from_rpc(ended)
        assert isinstance(message, pb.SubscribeExecutionsResponse), "it ended without an error"
        last = message


async def test_a_sigterm_drains(world: World) -> None:
    """Streams are told, venues are told, what was decided is durable; exit code 0, well within five seconds."""
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    async with grpc.aio.insecure_channel(world.target) as channel:
        call = ExecutionServiceStub(channel).SubscribeExecutions(pb.SubscribeExecutionsRequest())
        await call.read()  # it is established
        async with world.client() as client:
            await client.submit_order(**PATIENT)
        async with asyncio.timeout(FIVE_SECONDS):
            assert await router.stop() == 0

        last, error = await the_end(call)
    assert last.ending.reason == pb.STREAM_ENDING_REASON_DRAINING
    assert last.ending.resume_cursor == last.cursor
    assert (error.code.name, error.reason) == ("UNAVAILABLE", "SERVER_DRAINING")
    assert world.yard.left() == [venue.pid]

    logged_out = venue.log.read_text()
    assert logged_out.count("LoggedOut(text='shutting down')") == 2
    router = await world.start_router()
    await world.until_serving()
    await world.until(at_rest)
    await world.balanced(router, venue)


async def test_it_ends_in_time_though_the_venue_and_a_reader_say_nothing(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    async with grpc.aio.insecure_channel(world.target) as channel:
        call = ExecutionServiceStub(channel).SubscribeExecutions(pb.SubscribeExecutionsRequest())
        await call.read()
        venue.pause()
        async with asyncio.timeout(FIVE_SECONDS + 1):
            assert await router.stop() == 0
    venue.proceed()


async def test_a_second_router_on_the_same_store_refuses_to_start(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()

    second = await world.yard.spawn("second", world.router_command("server.port=0"))

    assert await second.ended() == 3
    assert second.log.read_text() == (
        f"fairlead: store sqlite:///{world.store}: process {router.pid} has it open; "
        "stop that process, or give this one a store of its own\n"
    )
    async with world.client() as client:
        order = (await client.submit_order(**PATIENT)).order
        assert order.client_order_id == PATIENT["client_order_id"]
    await world.until(at_rest)
    await world.balanced(router, venue)


async def test_it_ends_with_every_order_cancelled_where_that_is_said(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router("server.on_shutdown=cancel_all")
    await world.until_serving()
    async with world.client() as client:
        order = (await client.submit_order(**RESTING)).order
    assert order.state == ORDER_STATE_WORKING
    assert await router.stop() == 0

    router = await world.start_router()
    await world.until_serving()
    async with world.client() as client:
        assert (await client.get_order(order.order_id)).state == ORDER_STATE_CANCELED
    await world.balanced(router, venue)
