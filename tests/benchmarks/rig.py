"""Router, venue and echo server as processes of their own, and one client that runs a round against either.

A round counts only when every order of it was answered, as new, and filled exactly once on the subscriber's stream.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum
from pathlib import Path
from time import process_time

import grpc
from fairlead.v1.common_pb2 import ORDER_STATE_REJECTED
from fairlead.v1.order_service_pb2 import SubmitOrderRequest, SubmitOrderResponse
from fairlead.v1.order_service_pb2_grpc import OrderServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.benchmarks import figures, orders
from tests.benchmarks.batches import Batches
from tests.benchmarks.figures import Figures
from tests.benchmarks.fills import Fills
from tests.benchmarks.load import Answer, Submit
from tests.benchmarks.processes import Process
from tests.benchmarks.trade import trading

CONFIG = Path(__file__).with_name("bench.toml")

_DEADLINE = 30.0  # seconds: every call has one, as real clients' calls do
_READY_SECONDS = 30.0
PORT = re.compile(r"gRPC \S+?:(\d+)")

Load = Callable[[Submit, Sequence[SubmitOrderRequest]], Awaitable[list[Answer]]]


class Way(Enum):
    """How orders are entered."""

    CALL = "a call an order"
    BATCH = "a call for many"
    TRADE = "one stream"


class OrdersLost(Exception):
    """What was submitted and what came of it do not agree."""


class Rig:
    """Built by :func:`running`. Sizes are in bytes, of the request and of the response that the echo repeats."""

    def __init__(
        self, router: Process, venue: Process, fills: Fills, ways: Mapping[Way, Submit], run_name: str
    ) -> None:
        self.submitted = 0
        self.request_size = self.response_size = 0
        self.on_postgresql = False
        self._router = router
        self._cpu_before = router.cpu_seconds()
        self._venue = venue
        self._echo: Process | None = None
        self._fills = fills
        self._ways = ways
        self._submit_echo = ways[Way.CALL]
        self._universe = orders.prices()
        self._run_name = run_name
        self._rounds = 0

    async def router_round(self, load: Load, count: int, way: Way = Way.CALL) -> Figures:
        requests = self._prepare(count)
        self._fills.expect(request.client_order_id for request in requests)
        before = self._router.cpu_seconds(), self._venue.cpu_seconds(), process_time()
        answers = await load(self._ways[way], requests)
        missing = await self._fills.all()
        after = self._router.cpu_seconds(), self._venue.cpu_seconds(), process_time()
        self._check(answers, count, missing)
        cpu = [b - a for a, b in zip(before, after, strict=True)]
        return figures.of_round(
            answers, self._fills.times, dict(zip(("server", "venue", "client"), cpu, strict=True))
        )

    async def echo_round(self, load: Load, count: int) -> Figures:
        assert self._echo is not None
        requests = self._prepare(count)
        before = self._echo.cpu_seconds(), process_time()
        answers = await load(self._submit_echo, requests)
        cpu = {"server": self._echo.cpu_seconds() - before[0], "client": process_time() - before[1]}
        return figures.of_round(answers, None, cpu)

    @property
    def address(self) -> str:
        """Of the router."""
        return _address(self._router)

    def server_memory(self) -> float:
        """MiB that the router has in memory."""
        return self._router.memory() / 1024

    def server_cpu(self) -> float:
        """Seconds of CPU that the router has taken since it was ready."""
        return self._router.cpu_seconds() - self._cpu_before

    async def end(self) -> None:
        """The venue has to have seen each order once."""
        said = json.loads(await self._venue_stopped())
        if said["orders"] != self.submitted:
            raise OrdersLost(f"{self.submitted} orders were submitted, the venue saw {said['orders']}")

    async def _venue_stopped(self) -> str:
        await self._router.stop()
        return await self._venue.stop()

    async def sample(self) -> tuple[SubmitOrderRequest, SubmitOrderResponse]:
        """One order by itself, for the echo server to repeat its answer."""
        (request,) = self._prepare(1)
        self._fills.expect([request.client_order_id])
        response = await self._ways[Way.CALL](request)
        if await self._fills.all():
            raise OrdersLost(f"the first order was not filled: {response}")
        self.submitted += 1
        self.request_size, self.response_size = request.ByteSize(), response.ByteSize()
        return request, response

    def compare_with(self, echo: Process, submit: Submit) -> None:
        self._echo, self._submit_echo = echo, submit

    def _prepare(self, count: int) -> list[SubmitOrderRequest]:
        self._rounds += 1
        requests = orders.requests(self._universe, f"{self._run_name}-{self._rounds:04d}", count)
        gc.collect()
        return requests

    def _check(self, answers: Sequence[Answer], count: int, missing: set[str]) -> None:
        self.submitted += count
        refused = [
            a.response
            for a in answers
            if a.response.order.state == ORDER_STATE_REJECTED or a.response.duplicate
        ]
        problems = {
            "not answered": count - len(answers),
            "refused or taken for another": len(refused),
            "not filled": len(missing),
            "filled twice": len(self._fills.repeated),
        }
        if any(problems.values()):
            told = ", ".join(f"{number} {problem}" for problem, number in problems.items() if number)
            raise OrdersLost(f"of {count} orders {told}{f'; such as {refused[0]}' if refused else ''}")


@asynccontextmanager
async def running(
    folder: Path, within: Sequence[str] = (), store_url: str | None = None
) -> AsyncIterator[Rig]:
    """All of it, ready for load; nothing is left running. The logs are in ``folder``, and the store unless it is named.

    The router runs ``within`` another module, such as a profiler, which is given its own arguments and then the router's.
    """
    async with AsyncExitStack() as stack:
        venue = await _started(stack, "venue", folder, "tests.benchmarks.venue")
        settings = (
            "server.port=0",
            f"store.url={store_url or f'sqlite:///{folder}/fairlead.db'}",
            f"sessions.VENUE.port={json.loads(venue.ready)['port']}",
        )
        sets = [word for setting in settings for word in ("--set", setting)]
        router = await _started(
            stack, "router", folder, *within, "fairlead_server", "serve", "--config", str(CONFIG), *sets
        )
        channel = await _channel(stack, _address(router))
        await serving(channel)
        fills = await _subscribed(stack, channel)
        trade = await stack.enter_async_context(trading(channel))
        ways = {Way.CALL: _submit(channel), Way.BATCH: Batches(channel).submit, Way.TRADE: trade.submit}
        rig = Rig(router, venue, fills, ways, folder.name[-6:])
        rig.on_postgresql = store_url is not None
        _, response = await rig.sample()
        echo = await _started(
            stack, "echo", folder, "tests.benchmarks.echo", response.SerializeToString().hex()
        )
        rig.compare_with(echo, _submit(await _channel(stack, f"127.0.0.1:{json.loads(echo.ready)['port']}")))
        try:
            yield rig
        except (OrdersLost, grpc.aio.AioRpcError):
            for process in (venue, router, echo):
                process.check()  # one that has died is the cause, and has said why
            raise


async def _started(stack: AsyncExitStack, name: str, folder: Path, *command: str) -> Process:
    process = await Process.start(name, folder, *command)
    stack.push_async_callback(process.kill)
    return process


async def _channel(stack: AsyncExitStack, address: str) -> grpc.aio.Channel:
    return await stack.enter_async_context(grpc.aio.insecure_channel(address))


def _address(router: Process) -> str:
    found = PORT.search(router.ready)
    assert found is not None, router.ready
    return f"127.0.0.1:{found[1]}"


def _submit(channel: grpc.aio.Channel) -> Submit:
    stub = OrderServiceStub(channel)

    def submit(request: SubmitOrderRequest) -> Awaitable[SubmitOrderResponse]:
        return stub.SubmitOrder(request, timeout=_DEADLINE)

    return submit


async def serving(channel: grpc.aio.Channel) -> None:
    """Wait until an order can be made durable and routed."""
    request = health_pb2.HealthCheckRequest(service="fairlead.v1.OrderService")
    async with asyncio.timeout(_READY_SECONDS):
        async for answer in health_pb2_grpc.HealthStub(channel).Watch(request):
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return


async def _subscribed(stack: AsyncExitStack, channel: grpc.aio.Channel) -> Fills:
    fills, subscribed = Fills(), asyncio.Event()
    task = asyncio.create_task(fills.follow(channel, subscribed))
    stack.callback(task.cancel)
    waiting = asyncio.create_task(subscribed.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
    return fills
