"""Clients that go on submitting, amending and cancelling through whatever happens, and remember what they were told.

Each has a key for everything it asks, and asks again with that key until somebody answers.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Self, TypeVar

from fairlead import AckLevel, AsyncClient, ClientOrder, NewOrder, OrderState, OrderType, Side, errors
from fairlead.v1.common_pb2 import Order
from fairlead.v1.order_service_pb2 import SubmitOrderResponse

from tests.system.world import ENDED, PATIENCE, RESTING, World

T = TypeVar("T")

ACCOUNT = "DESK"
_CLIENTS = 6
# Nobody there, too late, or nobody knows: ask again. Anything else is an answer.
_AGAIN = (errors.Unavailable, errors.DeadlineExceeded, errors.Cancelled, errors.OutcomeUnknown)


def order_number(number: int) -> NewOrder:
    """Orders of all kinds, the same for the same number: filled at once, in slices, in part, resting, over a limit."""
    market: NewOrder = {
        "account_id": ACCOUNT,
        "client_order_id": f"C-{number}",
        "instrument_id": "AAPL",
        "side": Side.BUY if number % 3 else Side.SELL,
        "quantity": 10 + number,
        "order_type": OrderType.MARKET,
        "ack_level": AckLevel.VENUE if number % 2 else AckLevel.ROUTED,
    }
    match number % 6:
        case 0:
            return market
        case 1:
            return {**market, "instrument_id": "TSLA", "quantity": 600}
        case 2:
            return {**market, "instrument_id": "XAUUSD", "quantity": 40}
        case 3 | 4:
            rests: NewOrder = {**market, "instrument_id": RESTING, "side": Side.BUY}
            return {**rests, "order_type": OrderType.LIMIT, "price": "150.00"}
        case _:
            return {**market, "quantity": 1_000_000}


class Crowd:
    """``told`` is what every submit was answered, by client_order_id; ``requests`` counts amends and cancels."""

    def __init__(self, world: World) -> None:
        self.told: dict[str, SubmitOrderResponse] = {}
        self.requests = 0
        self._world = world
        self._numbers = count()
        self._news = asyncio.Condition()
        self._enough = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._submit_on()) for _ in range(_CLIENTS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def answers(self, more: int) -> None:
        """Until so many more orders have been answered."""
        goal = len(self.told) + more
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: len(self.told) >= goal or self._failed())
        if self._failed():
            await self.finish()

    async def finish(self) -> None:
        """Ask for nothing new, and wait until everything asked for has been answered."""
        self._enough = True
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self._tasks)

    def _failed(self) -> bool:
        return any(task.done() and task.exception() is not None for task in self._tasks)

    async def _submit_on(self) -> None:
        try:
            async with self._world.client() as client:
                while not self._enough:
                    await self._trade(client, next(self._numbers))
        finally:
            async with self._news:
                self._news.notify_all()

    async def _trade(self, client: AsyncClient, number: int) -> None:
        new = order_number(number)
        key = f"C-{number}"
        response = await self._insist(lambda: client.submit_order(**new))
        await self._note({key: response})
        if OrderState(response.order.state) != OrderState.REJECTED:
            await self._follow(client, number, ClientOrder(ACCOUNT, key))

    async def _follow(self, client: AsyncClient, number: int, order: ClientOrder) -> None:
        """Cancel or amend what rests; where the order has ended or is in doubt meanwhile, that is an answer too."""
        request_id = str(uuid.UUID(int=number))
        with suppress(errors.PreconditionFailed):
            if number % 6 == 3:
                await self._insist(lambda: client.cancel_order(order, request_id=request_id))
                self.requests += 1
            elif number % 6 == 4:
                more = 100 + number
                await self._insist(lambda: client.amend_order(order, quantity=more, request_id=request_id))
                self.requests += 1

    async def _note(self, told: dict[str, SubmitOrderResponse]) -> None:
        self.told |= told
        async with self._news:
            self._news.notify_all()

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask()
            except _AGAIN:
                await self._world.until_serving("fairlead.v1.OrderService")


def compare(told: SubmitOrderResponse, found: Order) -> list[str]:
    """What the order as it is now contradicts of what its client was told."""
    order = told.order
    same = ("order_id", "client_order_id", "account_id", "instrument_id", "side", "order_type")
    differing = [name for name in same if getattr(order, name) != getattr(found, name)]
    if found.version < order.version:
        differing.append("version")
    if OrderState(order.state) in ENDED and found.state != order.state:
        differing.append("state")
    return [f"{order.client_order_id}: {name}" for name in differing]
