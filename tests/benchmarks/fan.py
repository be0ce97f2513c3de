"""How fast the stream of executions goes to 1, 8 and 64 subscribers, beside a bare server that sends the same messages.

Each subscriber has a connection of its own and reads the newest events, out of the router's memory, in messages of up to 512;
where there are fewer than 64 they read again until as many have been delivered. What was read is looked at when the
clock has stopped: each subscriber has to have had every event, once and in order.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import grpc
from fairlead.v1 import execution_service_pb2 as pb

from tests.benchmarks.figures import Comparison, Figures
from tests.benchmarks.load import closed
from tests.benchmarks.processes import Process
from tests.benchmarks.rig import OrdersLost, Rig, Way

METHOD = "/fairlead.v1.ExecutionService/SubscribeExecutions"
MOST = 64
CASES = {f"fan{count}": count for count in (1, 8, MOST)}
DELIVERED = "events/s"

_ORDERS = 1000  # of which come some 4,000 events: half of what the router has in memory
_BATCH = 512

Messages = list[bytes]


class Fan:
    """Built by :meth:`begun`; the events are the same for all cases."""

    def __init__(self, rig: Rig, echo: Process, cursor: str, events: range) -> None:
        self._rig = rig
        self._echo = echo
        self._cursor = cursor
        self._events = events

    @classmethod
    async def begun(cls, stack: AsyncExitStack, rig: Rig, folder: Path, orders: int) -> Fan:
        async with _channel(rig.address) as channel:
            stream = _stream(channel, pb.SubscribeExecutionsRequest(position=pb.START_POSITION_LIVE_ONLY))
            first = pb.SubscribeExecutionsResponse.FromString(await stream.read())
            stream.cancel()
            await rig.router_round(partial(closed, in_flight=256), min(orders, _ORDERS), Way.TRADE)
            messages = await _read(channel, first.cursor)
        begin = first.established.head_sequence + 1
        events = range(begin, begin + len(_sequences(messages)))
        path = folder / "messages.json"
        path.write_text(json.dumps([message.hex() for message in messages]))
        echo = await Process.start("fan-echo", folder, "tests.benchmarks.fan_echo", str(path))
        stack.push_async_callback(echo.kill)
        return cls(rig, echo, first.cursor, events)

    async def run(self, subscribers: int, rounds: int) -> Comparison:
        pairs = []
        port = json.loads(self._echo.ready)["port"]
        for _ in range(rounds):
            reference = await self._round(f"127.0.0.1:{port}", self._echo.cpu_seconds, subscribers)
            before = self._rig.server_memory()
            ours = await self._round(self._rig.address, self._rig.server_cpu, subscribers)
            grown = (self._rig.server_memory() - before) * 1024 / subscribers
            pairs.append(({**ours, "server memory KiB": grown}, reference))
        title = f"SubscribeExecutions, {subscribers} subscribers, {len(self._events):,} events each time"
        return Comparison(title, pairs, ("router", "bare stream"), DELIVERED)

    async def _round(self, address: str, cpu: Callable[[], float], subscribers: int) -> Figures:
        times = MOST // subscribers
        async with AsyncExitStack() as stack:
            channels = [await stack.enter_async_context(_channel(address)) for _ in range(subscribers)]
            await asyncio.gather(*(channel.channel_ready() for channel in channels))
            gc.collect()
            cpu_before, began = cpu(), perf_counter()
            read = await asyncio.gather(*(self._again(channel, times) for channel in channels))
            took, cpu_seconds = perf_counter() - began, cpu() - cpu_before
            self._check(read)
        delivered = len(self._events) * subscribers * times
        return {DELIVERED: delivered / took, "server CPU us": cpu_seconds * 1e6 / delivered}

    async def _again(self, channel: grpc.aio.Channel, times: int) -> list[Messages]:
        return [await _read(channel, self._cursor) for _ in range(times)]

    def _check(self, read: Sequence[Sequence[Messages]]) -> None:
        for messages in (once for subscriber in read for once in subscriber):
            if _sequences(messages) != list(self._events):
                raise OrdersLost(
                    f"a subscriber has not had each of {len(self._events)} events once, in order"
                )


def _channel(address: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),))


def _stream(channel: grpc.aio.Channel, request: pb.SubscribeExecutionsRequest) -> Any:
    """Of messages that nobody has parsed."""
    return channel.unary_stream(METHOD, pb.SubscribeExecutionsRequest.SerializeToString)(request)


async def _read(channel: grpc.aio.Channel, cursor: str) -> Messages:
    request = pb.SubscribeExecutionsRequest(after_cursor=cursor, until_caught_up=True, max_batch_size=_BATCH)
    stream = _stream(channel, request)
    messages = []
    while (message := await stream.read()) is not grpc.aio.EOF:
        messages.append(message)
    return messages


def _sequences(messages: Messages) -> list[int]:
    told = map(pb.SubscribeExecutionsResponse.FromString, messages)
    return [event.sequence for message in told for event in message.events.events]
