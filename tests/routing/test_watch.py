"""Waiting for an order to become what somebody waits for."""

from __future__ import annotations

import asyncio

from fairlead_server.domain.order import Order
from fairlead_server.routing.watch import Watch

from tests.domain.builders import sent_order, working_order


def acked(order: Order) -> bool:
    return order.acked


def changed(watch: Watch, *orders: Order) -> None:
    watch.changed({order.order_id: order for order in orders})


async def test_the_order_as_wanted_ends_the_wait() -> None:
    watch = Watch()
    waiting = asyncio.create_task(watch.wait(watch.expect("O1", acked), 60))
    changed(watch, sent_order(), working_order(order_id="O2"))
    await asyncio.wait([waiting], timeout=0)
    assert not waiting.done()
    changed(watch, working_order())
    assert await waiting == working_order()


async def test_a_change_between_looking_and_waiting_counts() -> None:
    watch = Watch()
    waiter = watch.expect("O1", acked)
    changed(watch, working_order())
    assert await watch.wait(waiter, 0) == working_order()


async def test_the_first_image_that_fits_is_given() -> None:
    watch = Watch()
    waiter = watch.expect("O1", acked)
    first = working_order()
    changed(watch, first)
    changed(watch, first.in_doubt(first.update_time))
    assert await watch.wait(waiter, 0) is first


async def test_a_wait_ends_after_its_time() -> None:
    watch = Watch()
    assert await watch.wait(watch.expect("O1", acked), 0) is None


async def test_each_waiter_has_its_own_wish() -> None:
    watch = Watch()
    one, other = watch.expect("O1", acked), watch.expect("O1", lambda order: order.version > 9)
    changed(watch, working_order())
    assert await watch.wait(one, 0) is not None
    assert await watch.wait(other, 0) is None


async def test_nothing_is_kept_of_those_who_are_gone() -> None:
    watch = Watch()
    dropped, cancelled = watch.expect("O1", acked), watch.expect("O1", acked)
    watch.drop(dropped)
    waiting = asyncio.create_task(watch.wait(cancelled, 60))
    await asyncio.wait([waiting], timeout=0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not watch._waiters
    changed(watch, working_order())
