"""The whole router on loopback, with a scripted venue at its edge and the generated stubs at the other.

Two sessions: BROKER is up, DOWN leads to a port where nobody listens. ACME trades over the first, FAR over the second;
HALTED is halted. The account SMALL has limits that nearly everything exceeds.
"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import grpc
from fairlead.v1.common_pb2 import (
    ACK_LEVEL_VENUE,
    ORDER_TYPE_LIMIT,
    SIDE_BUY,
    ClientOrderRef,
    Order,
    OrderRef,
)
from fairlead.v1.execution_service_pb2 import (
    START_POSITION_EARLIEST,
    ExecutionEvent,
    SubscribeExecutionsRequest,
    SubscribeExecutionsResponse,
)
from fairlead.v1.execution_service_pb2_grpc import ExecutionServiceStub
from fairlead.v1.order_service_pb2 import SubmitOrderRequest
from fairlead.v1.order_service_pb2_grpc import OrderServiceStub
from fairlead.v1.position_service_pb2_grpc import PositionServiceStub
from fairlead.v1.reference_service_pb2_grpc import ReferenceServiceStub
from fairlead.v1.session_service_pb2_grpc import SessionServiceStub
from fairlead.v1.system_service_pb2_grpc import SystemServiceStub
from fairlead.v1.trading_control_service_pb2_grpc import TradingControlServiceStub
from fairlead_server.app import App
from fairlead_server.config import Config, Retained
from fairlead_server.domain.calendar import Calendar, Span
from fairlead_server.domain.instrument import Instrument, ReferencePrice
from fairlead_server.domain.risk import AccountPolicy, LimitSet, Policy
from fairlead_server.domain.routes import Route
from fairlead_server.domain.scope import Scope
from fairlead_server.fix.session import Numbers, Role, SessionConfig
from fairlead_server.venue.settings import Endpoint, Throttle, VenueSettings
from grpc_health.v1 import health_pb2, health_pb2_grpc
from msgspec.structs import replace

from tests.api.broker import Broker, Resting, listening

if TYPE_CHECKING:  # the stubs' types exist for the type checker only
    from fairlead.v1.execution_service_pb2_grpc import ExecutionServiceAsyncStub
    from fairlead.v1.order_service_pb2_grpc import OrderServiceAsyncStub
    from fairlead.v1.position_service_pb2_grpc import PositionServiceAsyncStub
    from fairlead.v1.reference_service_pb2_grpc import ReferenceServiceAsyncStub
    from fairlead.v1.session_service_pb2_grpc import SessionServiceAsyncStub
    from fairlead.v1.system_service_pb2_grpc import SystemServiceAsyncStub
    from fairlead.v1.trading_control_service_pb2_grpc import TradingControlServiceAsyncStub

Stream = grpc.aio.UnaryStreamCall[SubscribeExecutionsRequest, SubscribeExecutionsResponse]

IN_MEMORY = "sqlite://"
NEW = Numbers()
_keys = count(1)


@dataclass(frozen=True)
class Router:
    app: App
    broker: Broker
    channel: grpc.aio.Channel
    orders: OrderServiceAsyncStub
    executions: ExecutionServiceAsyncStub
    sessions: SessionServiceAsyncStub
    reference: ReferenceServiceAsyncStub
    positions: PositionServiceAsyncStub
    system: SystemServiceAsyncStub
    control: TradingControlServiceAsyncStub

    async def working(self, **changes: Any) -> Order:
        """An order that the venue has confirmed."""
        request = new_order(ack_level=ACK_LEVEL_VENUE, **changes)
        return (await self.orders.SubmitOrder(request)).order

    def subscribe(self, **changes: Any) -> Subscriber:
        return Subscriber(self.executions.SubscribeExecutions(SubscribeExecutionsRequest(**changes)))

    async def log(self) -> list[ExecutionEvent]:
        """All that has happened."""
        return events_of(await self.subscribe(position=START_POSITION_EARLIEST, until_caught_up=True).rest())

    async def serving(self, service: str, *, wanted: bool = True) -> None:
        """Wait until health says so of ``service``."""
        stub = health_pb2_grpc.HealthStub(self.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=service))
        status = health_pb2.HealthCheckResponse.SERVING
        while ((await watch.read()).status == status) is not wanted:
            pass
        watch.cancel()


class Subscriber:
    """Reads one stream; checks that no message is missing."""

    def __init__(self, call: Stream) -> None:
        self.call = call
        self._sequence = 0

    async def next(self) -> SubscribeExecutionsResponse:
        message = await self.call.read()
        assert isinstance(message, SubscribeExecutionsResponse), "the stream has ended"
        self._check(message)
        return message

    async def until(self, kind: str) -> list[SubscribeExecutionsResponse]:
        """Up to and with the first message of this kind."""
        messages = [await self.next()]
        while messages[-1].WhichOneof("payload") != kind:
            messages.append(await self.next())
        return messages

    async def events(self, count: int) -> list[ExecutionEvent]:
        """So many at least, from whatever messages."""
        found: list[ExecutionEvent] = []
        while len(found) < count:
            found += (await self.next()).events.events
        return found

    async def rest(self) -> list[SubscribeExecutionsResponse]:
        """Up to the end, which must be a good one unless an error is expected."""
        messages = []
        async for message in self.call:
            self._check(message)
            messages.append(message)
        return messages

    def _check(self, message: SubscribeExecutionsResponse) -> None:
        self._sequence += 1
        assert message.stream_sequence == self._sequence


def kinds_of(messages: Iterable[SubscribeExecutionsResponse]) -> list[str | None]:
    return [message.WhichOneof("payload") for message in messages]


def events_of(messages: Iterable[SubscribeExecutionsResponse]) -> list[ExecutionEvent]:
    return [event for message in messages for event in message.events.events]


@asynccontextmanager
async def running(
    store_url: str = IN_MEMORY,
    numbers: Numbers = NEW,
    throttle: Throttle | None = None,
    orders: Mapping[str, Resting] | None = None,
    retention: Retained | None = None,
) -> AsyncIterator[Router]:
    """A router that can route: its session BROKER is active.

    ``numbers`` and ``orders`` are those of a broker that was here before.
    """
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        async with listening(numbers) as (broker, port):
            broker.orders |= orders or {}
            config = _config(store_url, port, taken.getsockname()[1], throttle)
            app = App(dataclasses.replace(config, retention=retention))
            try:
                address = f"127.0.0.1:{await app.start()}"
                async with grpc.aio.insecure_channel(address) as channel:
                    router = _router(app, broker, channel)
                    await router.serving("session/BROKER")
                    yield router
            finally:
                await app.stop()


def _router(app: App, broker: Broker, channel: grpc.aio.Channel) -> Router:
    return Router(
        app,
        broker,
        channel,
        OrderServiceStub(channel),
        ExecutionServiceStub(channel),
        SessionServiceStub(channel),
        ReferenceServiceStub(channel),
        PositionServiceStub(channel),
        SystemServiceStub(channel),
        TradingControlServiceStub(channel),
    )


def new_order(**changes: Any) -> SubmitOrderRequest:
    """Buy 100 ACME at 50, with a key of its own."""
    ordinary = {
        "account_id": "ACC1",
        "client_order_id": f"key-{next(_keys)}",
        "instrument_id": "ACME",
        "side": SIDE_BUY,
        "quantity": "100",
        "order_type": ORDER_TYPE_LIMIT,
        "price": "50.00",
    }
    return SubmitOrderRequest(**{**ordinary, **changes})


def by_id(order: Order) -> OrderRef:
    return OrderRef(order_id=order.order_id)


def by_key(request: SubmitOrderRequest) -> OrderRef:
    ref = ClientOrderRef(account_id=request.account_id, client_order_id=request.client_order_id)
    return OrderRef(client_order=ref)


def _config(store_url: str, port: int, taken: int, throttle: Throttle | None) -> Config:
    most = {"ACC1": 1_000_000, "ACC2": 1_000_000, "SMALL": 1}
    return Config(
        host="127.0.0.1",
        port=0,
        server_id="router-under-test",
        store_url=store_url,
        router_id="FL",
        shard=0,
        instruments={i.instrument_id: i for i in (_instrument("ACME"), _instrument("FAR"), _halted())},
        policy=Policy(
            {name: AccountPolicy(name) for name in most},
            tuple(_limits(name, number) for name, number in most.items()),
            version="policy-1",
        ),
        sessions=(dataclasses.replace(_session("BROKER", port), throttle=throttle), _session("DOWN", taken)),
        routes=(Route("FAR", "DOWN", instruments=frozenset({"FAR"})), Route("NEAR", "BROKER")),
        log_level="info",
        version="config-1",
        calendars={"night": _NIGHT},
    )


def _limits(account_id: str, most: int) -> LimitSet:
    values = {
        "max_order_quantity": Decimal(most),
        "max_order_notional": Decimal(1000 * most),
        "max_position": Decimal(1000 * most),
        "max_open_orders": Decimal(most),
    }
    return LimitSet(f"file:{account_id}", Scope(account_id), values)


def _session(name: str, port: int) -> VenueSettings:
    config = SessionConfig("FIX.4.4", "FAIRLEAD", "BROKER", Role.INITIATOR)
    return VenueSettings(name, config, (Endpoint("127.0.0.1", port),), "ACC1")


def _instrument(name: str) -> Instrument:
    last = ReferencePrice(Decimal(50), datetime.now(UTC), "file")
    return Instrument(name, name, "USD", Decimal("0.05"), Decimal(1), Decimal(1), reference=last)


def _halted() -> Instrument:
    return replace(_instrument("HALTED"), halted=True, calendar=_NIGHT)


# From Sunday to Monday, and from Monday to Tuesday.
_NIGHT = Calendar("night", ZoneInfo("America/Chicago"), (Span(frozenset({6, 0}), time(18), time(17)),))
