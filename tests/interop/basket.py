"""Orders whose outcome is known beforehand, by the rules of :mod:`tests.interop.quickfix_broker.desk`.

They are brought to that outcome whatever happens on the way: a call that fails is repeated with its key, as any caller
would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal

from fairlead import (
    AsyncClient,
    ClientOrder,
    OrderState,
    OrderType,
    Side,
    StartPosition,
    TimeInForce,
    new_key,
)
from fairlead.errors import OrderActionPending, OutcomeUnknown, Unavailable
from fairlead.v1.common_pb2 import PENDING_ACTION_NONE, Order
from fairlead.values import Amendment

from tests.interop.processes import Router

SESSIONS = {"A42": "QF42", "A44": "QF44", "A50": "QF50"}  # account -> session
_PATIENCE = 100.0  # seconds
_AT_ONCE = 4
CANCEL: Amendment = {}
_Wanted = Mapping[ClientOrder, Callable[[Order], bool]]

BUY, SELL = Side.BUY, Side.SELL
DAY, GTC, IOC, FOK = TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK


@dataclass(frozen=True, slots=True)
class Outcome:
    state: OrderState
    filled: str = "0"
    price: str | None = None  # where an amend has changed it

    def reached(self, order: Order) -> bool:
        return (
            OrderState(order.state) is self.state
            and Decimal(order.cum_quantity or 0) == Decimal(self.filled)
            and self.price in (None, order.price)
            and not _waits(order)
        )


@dataclass(frozen=True, slots=True)
class Row:
    """``then`` changes or cancels the order, once ``after`` of it is filled."""

    instrument: str
    side: Side
    quantity: str
    price: str | None
    outcome: Outcome
    time_in_force: TimeInForce = DAY
    then: Amendment | None = None
    after: str = "0"


FILLED, CANCELED, REJECTED = OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED
WORKING = OrderState.WORKING

BASKET = [
    Row("AAPL", BUY, "100", None, Outcome(FILLED, "100")),
    Row("AMZN", BUY, "150", "180.00", Outcome(FILLED, "150")),
    Row("UNH", SELL, "30", "500.25", Outcome(FILLED, "30"), GTC),
    Row("MSFT", BUY, "100", "416.50", Outcome(FILLED, "100")),
    Row("NVDA", SELL, "81", None, Outcome(FILLED, "81")),
    Row("GOOGL", BUY, "200", "167.00", Outcome(FILLED, "150"), then={"quantity": "150", "price": "167.50"}),
    Row("GOOGL", SELL, "200", "167.00", Outcome(CANCELED, "100"), then=CANCEL, after="100"),
    Row("INTC", BUY, "500", "23.10", Outcome(CANCELED), then=CANCEL),
    Row("BAC", SELL, "300", "39.90", Outcome(WORKING), GTC),
    Row("BAC", BUY, "300", "39.00", Outcome(WORKING, price="39.05"), then={"price": "39.05"}),
    Row("CSCO", BUY, "100", "54.70", Outcome(FILLED, "100"), then=CANCEL),
    Row("CSCO", SELL, "100", "54.90", Outcome(FILLED, "100"), then={"quantity": "50"}),
    Row("WMT", BUY, "40", "167.00", Outcome(WORKING), then=CANCEL),
    Row("WMT", SELL, "40", "168.00", Outcome(WORKING, price="168.00"), then={"price": "168.50"}),
    Row("DIS", BUY, "10", "96.85", Outcome(REJECTED)),
    Row("JPM", BUY, "100", "195.60", Outcome(CANCELED, "50"), IOC),
    Row("V", SELL, "100", "273.90", Outcome(FILLED, "100"), FOK),
    Row("BAC", BUY, "100", "39.25", Outcome(CANCELED), FOK),
    Row("HD", BUY, "70", "378.905", Outcome(REJECTED)),  # by risk: off the tick
    Row("TSLA", BUY, "600", "242.80", Outcome(REJECTED)),  # by risk: above the limit
]


@dataclass
class Desk:
    """A client of the router that trades baskets and remembers what it was told."""

    client: AsyncClient
    router: Router
    told: dict[ClientOrder, str] = field(default_factory=dict)  # order_id, of every submit that was answered
    _wanted: dict[ClientOrder, Outcome] = field(default_factory=dict)
    _at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def trade(self, rows: Iterable[Row], accounts: Iterable[str] = SESSIONS) -> None:
        """Until all orders, of earlier baskets too, have come to their outcome."""
        async with asyncio.TaskGroup() as tasks:
            for row in rows:
                for account in accounts:
                    tasks.create_task(self._trade(row, self._named(row, account)))
        await self.settled()

    async def enter(self, row: Row, account: str) -> None:
        """Submit it, and leave it to :meth:`settled` to wait for its outcome."""
        await self._submit(row, self._named(row, account))

    def _named(self, row: Row, account: str) -> ClientOrder:
        ref = ClientOrder(account, f"order-{len(self._wanted) + 1}")
        self._wanted[ref] = row.outcome
        return ref

    async def settled(self) -> None:
        await self.until({ref: outcome.reached for ref, outcome in self._wanted.items()})

    async def _trade(self, row: Row, ref: ClientOrder) -> None:
        async with self._at_once:
            await self._submit(row, ref)
            if row.then is None:
                return
            enough = Decimal(row.after)
            await self.until({ref: lambda o: _acked(o) and Decimal(o.cum_quantity) >= enough})
            await self._then(row.then, ref)

    async def _submit(self, row: Row, ref: ClientOrder) -> Order:
        while True:
            try:
                answer = await self.client.submit_order(
                    account_id=ref.account_id,
                    client_order_id=ref.client_order_id,
                    instrument_id=row.instrument,
                    side=row.side,
                    quantity=row.quantity,
                    order_type=OrderType.LIMIT if row.price else OrderType.MARKET,
                    price=row.price,
                    time_in_force=row.time_in_force,
                )
            except (Unavailable, OutcomeUnknown):
                await self.router.active(SESSIONS[ref.account_id])
            else:
                self.told[ref] = answer.order.order_id
                return answer.order

    async def _then(self, change: Amendment, ref: ClientOrder) -> None:
        terms: Amendment = {**change, "request_id": new_key()}
        while True:
            try:
                if change is CANCEL:
                    await self.client.cancel_order(ref, request_id=terms["request_id"])
                else:
                    await self.client.amend_order(ref, **terms)
            except (Unavailable, OutcomeUnknown):
                await self.router.active(SESSIONS[ref.account_id])
            except OrderActionPending:
                await self.until({ref: lambda order: not _waits(order)})
            else:
                return

    async def until(self, wanted: _Wanted) -> None:
        """Follow the executions from their beginning until every order is as wanted."""
        orders: dict[ClientOrder, Order] = {}
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    with suppress(Unavailable):  # a stream that never opened, for the router is down just now
                        await self._follow(wanted, orders)
                        return
        except TimeoutError:
            missing = {ref: orders.get(ref) for ref in wanted if not _is(wanted, ref, orders)}
            raise AssertionError(missing) from None

    async def _follow(self, wanted: _Wanted, orders: dict[ClientOrder, Order]) -> None:
        missing = set(wanted)
        async with self.client.subscribe(position=StartPosition.EARLIEST) as subscription:
            async for event in subscription:
                ref = ClientOrder(event.order.account_id, event.order.client_order_id)
                orders[ref] = event.order
                if ref in wanted:
                    (missing.discard if _is(wanted, ref, orders) else missing.add)(ref)
                if not missing:
                    return


def _is(wanted: _Wanted, ref: ClientOrder, orders: dict[ClientOrder, Order]) -> bool:
    return ref in orders and wanted[ref](orders[ref])


def _waits(order: Order) -> bool:
    return order.in_doubt or order.pending_action != PENDING_ACTION_NONE


def _acked(order: Order) -> bool:
    return order.HasField("venue_ack_time")
