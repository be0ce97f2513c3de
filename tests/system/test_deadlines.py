"""A client that gives up at once: whatever it was told, no order is at the venue that is not on the stream."""

from __future__ import annotations

from collections import Counter

import grpc
from fairlead import AckLevel, ExecutionKind, StartPosition, errors
from fairlead.requests import submit_order
from fairlead.v1.order_service_pb2_grpc import OrderServiceStub

from tests.system.books import received
from tests.system.crowd import ACCOUNT, order_number
from tests.system.world import World, at_rest

DEADLINES = [milliseconds / 1000 for milliseconds in (1, 2, 3, 4, 6, 10)]
ROUNDS = 60


async def ask(world: World) -> dict[str, errors.CallFailed | None]:
    """What each submit was answered; None is OK."""
    answers: dict[str, errors.CallFailed | None] = {}
    async with grpc.aio.insecure_channel(world.target) as channel:
        stub = OrderServiceStub(channel)
        await channel.channel_ready()
        for number in range(ROUNDS * len(DEADLINES)):
            key, level = f"late-{number}", list(AckLevel)[number % len(AckLevel)]
            request = submit_order({**order_number(0), "client_order_id": key, "ack_level": level})
            try:
                await stub.SubmitOrder(request, timeout=DEADLINES[number % len(DEADLINES)])
                answers[key] = None
            except grpc.aio.AioRpcError as error:
                answers[key] = errors.from_rpc(error)
    return answers


async def test_what_is_routed_is_on_the_stream_however_short_the_deadline(world: World) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    kinds: Counter[tuple[str, int]] = Counter()
    async with world.client() as client:
        subscription = client.subscribe(account_ids=[ACCOUNT], position=StartPosition.EARLIEST)
        answers = await ask(world)
        await world.until(at_rest)
        head = client.list_executions(account_ids=[ACCOUNT])
        logged = [event async for event in head]
        async for event in subscription:
            kinds[event.order.client_order_id, event.kind] += 1
            if event.sequence == logged[-1].sequence:
                break

    by_key = {order.client_order_id: order for order in await world.orders()}
    await world.balanced(router, venue)
    named = {order.venue.cl_ord_id: key for key, order in by_key.items()}
    at_venue = {named[cl_ord_id] for cl_ord_id in received(world.journal, "D")}
    for kind in (ExecutionKind.ACCEPTED, ExecutionKind.ROUTED, ExecutionKind.FILLED):
        assert {key for key, of_kind in kinds if of_kind == kind} == at_venue
    assert set(kinds.values()) == {1}
    assert at_venue == by_key.keys()
    for key, error in answers.items():
        if error is None:
            assert key in by_key
        elif error.definite:  # by the reading rule nothing was created
            assert key not in by_key
    outcomes = Counter("OK" if error is None else error.code.name for error in answers.values())
    assert outcomes.keys() == {"OK", "DEADLINE_EXCEEDED"}
