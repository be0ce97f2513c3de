"""Waiting for an order to become what somebody waits for; only committed images count."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fairlead_server.domain.order import Order

Wanted = Callable[[Order], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    order_id: str
    wanted: Wanted
    found: asyncio.Future[Order]


class Watch:
    def __init__(self) -> None:
        self._waiters: defaultdict[str, list[Waiter]] = defaultdict(list)

    def expect(self, order_id: str, wanted: Wanted) -> Waiter:
        """Begin to look; changes that commit from now on count. End with :meth:`wait` or :meth:`drop`."""
        waiter = Waiter(order_id, wanted, asyncio.get_running_loop().create_future())
        self._waiters[order_id].append(waiter)
        return waiter

    async def wait(self, waiter: Waiter, timeout: float) -> Order | None:
        """The order as wanted, or None after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                return await waiter.found
        except TimeoutError:
            return None
        finally:
            self.drop(waiter)

    def tell(self, waiter: Waiter, timeout: float, tell: Callable[[Order | None], None]) -> None:
        """As :meth:`wait`, but for many at once: ``tell`` is called, and no task has to wait.

        Whoever cannot wait any longer cancels ``waiter.found``: that is the end of the time, too.
        """
        timer = asyncio.get_running_loop().call_later(timeout, waiter.found.cancel)

        def over(found: asyncio.Future[Order]) -> None:
            timer.cancel()
            self.drop(waiter)
            tell(None if found.cancelled() else found.result())

        waiter.found.add_done_callback(over)

    def changed(self, orders: Mapping[str, Order]) -> None:
        """These images have been committed."""
        if not self._waiters:
            return
        for order_id in orders.keys() & self._waiters.keys():
            for waiter in self._waiters[order_id]:
                if not waiter.found.done() and waiter.wanted(orders[order_id]):
                    waiter.found.set_result(orders[order_id])

    def drop(self, waiter: Waiter) -> None:
        waiters = self._waiters[waiter.order_id]
        waiters.remove(waiter)
        if not waiters:
            del self._waiters[waiter.order_id]
