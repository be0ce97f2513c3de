"""A router and a venue as processes, on stores of their own, at addresses that stay the same over restarts."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import grpc
from fairlead import AsyncClient, OrderState, Retry, StartPosition
from fairlead.v1.common_pb2 import PENDING_ACTION_AMEND, PENDING_ACTION_CANCEL, Order
from fairlead.v1.execution_service_pb2 import CaughtUp, ExecutionEvent, OrderSnapshot
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.system.books import disagreements
from tests.system.processes import ROOT, Process, Yard, free_port

PATIENCE = 40.0  # seconds for whatever must come about
QUICK = Retry(initial=0.02, maximum=0.2, settle_attempts=20)
_CHANNEL = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))

ENDED = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED})
RESTING = "JPM"  # the crowd's orders for it are too far away to trade
# Everything trades as the reference price says, but for TSLA and XAUUSD, whose fills come little by little.
RULES = """
[[rules]]
symbol = "TSLA"
action = "partial"
slices = 6
interval_ms = 150

[[rules]]
symbol = "XAUUSD"
action = "partial"
slices = 4
interval_ms = 100
"""


class World:
    """``venue_port`` is where the router looks for the venue; a proxy's, where there is one between them."""

    def __init__(self, folder: Path, yard: Yard) -> None:
        self.folder = folder
        self.yard = yard
        self.grpc_port = free_port()
        self.fix_port = free_port()
        self.control_port = free_port()
        self.venue_port = self.fix_port
        self.store = folder / "router.db"
        self.database = ""  # the URL of PostgreSQL's, which takes the place of the file
        self.journal = folder / "venue" / "journal.jsonl"
        self.config = ROOT / "examples" / "fairlead.toml"

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    async def start_venue(self, rules: str = RULES) -> Process:
        config = self.folder / "venue.toml"
        config.write_text(rules or "rules = []\n")
        ports = ("--port", str(self.fix_port), "--control-port", str(self.control_port))
        store = ("--config", str(config), "--store", str(self.journal.parent))
        return await self.yard.start("venue", ("-m", "fix_sim", "serve", *ports, *store))

    async def start_router(self, *settings: str) -> Process:
        return await self.yard.start("router", self.router_command(*settings))

    def router_command(self, *settings: str) -> list[str]:
        every = (
            f"server.port={self.grpc_port}",
            f"store.url={self.database or f'sqlite:///{self.store}'}",
            f"sessions.SIM44.port={self.venue_port}",
            f"sessions.SIM42.port={self.venue_port}",
            "sessions.SIM44.reconnect_max_seconds=1",
            "sessions.SIM42.reconnect_max_seconds=1",
            *settings,
        )
        sets = [word for setting in every for word in ("--set", setting)]
        return ["-m", "fairlead_server", "serve", "--config", str(self.config), *sets]

    def client(self, target: str = "") -> AsyncClient:
        return AsyncClient(target or self.target, retry=QUICK)

    async def until_serving(self, service: str = "session/SIM44", *, serving: bool = True) -> None:
        """Until the router says so of a service, or of a FIX session; it need not be up yet."""
        status = health_pb2.HealthCheckResponse
        wanted = status.SERVING if serving else status.NOT_SERVING
        async with asyncio.timeout(PATIENCE), grpc.aio.insecure_channel(self.target, _CHANNEL) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch
            request = health_pb2.HealthCheckRequest(service=service)
            while True:
                try:
                    async for response in watch(request, wait_for_ready=True):
                        if response.status == wanted:
                            return
                except grpc.aio.AioRpcError:
                    continue  # it was killed meanwhile

    async def until(self, wanted: Callable[[Mapping[str, Order]], bool]) -> dict[str, Order]:
        """Until the orders are as wanted, as snapshot and stream tell; the live ones, and those that change."""
        orders: dict[str, Order] = {}
        async with (
            asyncio.timeout(PATIENCE),
            self.client() as client,
            client.subscribe(position=StartPosition.SNAPSHOT_THEN_LIVE) as subscription,
        ):
            async for update in subscription.updates():
                match update:
                    case OrderSnapshot():
                        orders |= {order.order_id: order for order in update.orders}
                    case ExecutionEvent():
                        orders[update.order.order_id] = update.order
                    case CaughtUp():
                        pass
                if wanted(orders):
                    return orders
        raise AssertionError("the stream has ended")

    async def event(self, wanted: Callable[[ExecutionEvent], bool]) -> ExecutionEvent:
        """The first event of the whole log that is as wanted."""
        async with (
            asyncio.timeout(PATIENCE),
            self.client() as client,
            client.subscribe(position=StartPosition.EARLIEST) as subscription,
        ):
            async for event in subscription:
                if wanted(event):
                    return event
        raise AssertionError("the stream has ended")

    async def log(self) -> list[ExecutionEvent]:
        async with self.client() as client:
            return [event async for event in client.list_executions()]

    async def orders(self) -> list[Order]:
        async with self.client() as client:
            return [order async for order in client.list_orders()]

    async def cli(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of `fairlead` with these arguments."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "fairlead",
            "--server",
            self.target,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def balanced(self, router: Process, venue: Process) -> None:
        """End both in good order; then router and venue must agree in everything."""
        assert await router.stop() == 0
        assert await venue.stop() == 0
        assert disagreements(self.database or self.store, self.journal) == []


def at_rest(orders: Mapping[str, Order]) -> bool:
    """Nothing is on its way: every order has ended but those that rest, and those wait for no answer."""
    return all(OrderState(order.state) in ENDED or _rests(order) for order in orders.values())


def _rests(order: Order) -> bool:
    asked = order.in_doubt or order.pending_action in _ASKED
    return order.instrument_id == RESTING and OrderState(order.state) == OrderState.WORKING and not asked


_ASKED = {PENDING_ACTION_AMEND, PENDING_ACTION_CANCEL}
