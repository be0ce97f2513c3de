"""What a running router's memory does not grow with: orders that are over, readers that do not read. Under full load."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from fairlead.v1.execution_service_pb2 import START_POSITION_LIVE_ONLY, SubscribeExecutionsRequest
from fairlead.v1.execution_service_pb2_grpc import ExecutionServiceStub

from tests.benchmarks.load import closed
from tests.benchmarks.rig import Way, running

ROUND = 10_000  # orders
DEAF = 32


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_two_hundred_thousand_orders_that_are_over_take_less_than_a_hundred_bytes_each(
    tmp_path: Path,
) -> None:
    load = partial(closed, in_flight=256)
    async with running(tmp_path) as rig:
        for _ in range(3):  # as many as are kept, and all that a running router has
            await rig.router_round(load, ROUND, Way.TRADE)
        before = rig.server_memory()
        for _ in range(20):
            await rig.router_round(load, ROUND, Way.TRADE)
        grown = rig.server_memory() - before
        await rig.end()

    print(f"{before:.0f} MiB after {3 * ROUND:,} orders, {grown:.1f} more after {20 * ROUND:,} further ones")
    assert grown * 1024 * 1024 < 20 * ROUND * 100


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_a_subscriber_that_does_not_read_takes_less_than_a_mebibyte(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(running(tmp_path))
        load = partial(closed, in_flight=256)
        for _ in range(3):
            await rig.router_round(load, ROUND, Way.TRADE)
        before = rig.server_memory()
        streams = [await _deaf(stack, rig.address) for _ in range(DEAF)]
        for _ in range(2):  # 80,000 events: 25 MiB for each who reads
            await rig.router_round(load, ROUND, Way.TRADE)
        grown = rig.server_memory() - before
        for stream in streams:
            stream.cancel()
        await rig.end()

    print(f"{before:.0f} MiB, {grown:.1f} more with {DEAF} subscribers that do not read")
    assert grown < DEAF


async def _deaf(stack: AsyncExitStack, address: str) -> Any:
    """A subscriber on a connection of its own that has read one message, and is there."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, options=options))
    request = SubscribeExecutionsRequest(position=START_POSITION_LIVE_ONLY)
    stream = ExecutionServiceStub(channel).SubscribeExecutions(request)
    await stream.read()
    return stream
