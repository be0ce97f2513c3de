"""What becomes of orders when the process ends."""

from __future__ import annotations

import asyncio

from fairlead_server.domain.cause import Initiator
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import OrderState
from fairlead_server.routing.ending import Ending, OnShutdown

from tests.domain.builders import NOW, report
from tests.routing.desk import Desk, about
from tests.routing.test_trading_states import canceled, key

LONG = 3600.0


def ending(desk: Desk) -> Ending:
    return Ending(desk.book, desk.pipeline, desk.mass_cancels)


async def test_orders_are_left_where_nothing_else_is_said(desk: Desk) -> None:
    order = desk.working()
    await ending(desk).settle(OnShutdown.LEAVE, LONG, key(), NOW)
    assert not desk.now(order).pending


async def test_everything_is_cancelled_and_the_venue_has_its_time_to_answer(desk: Desk) -> None:
    order, end = desk.working(), ending(desk)
    settling = asyncio.create_task(end.settle(OnShutdown.CANCEL_ALL, LONG, key(), NOW))
    await asyncio.sleep(0)
    assert desk.now(order).pending
    assert desk.events[-1].cause.initiator is Initiator.SYSTEM
    assert not settling.done()
    canceled(desk, order.order_id)
    end.committed()
    await settling
    assert desk.now(order).state is OrderState.CANCELED


async def test_a_venue_that_says_nothing_is_not_waited_for_for_ever(desk: Desk) -> None:
    order = desk.working()
    await ending(desk).settle(OnShutdown.CANCEL_ALL, 0, key(), NOW)
    assert desk.now(order).pending


async def test_a_drain_waits_for_answers_and_not_for_what_rests(desk: Desk) -> None:
    order, end = desk.sent(), ending(desk)
    settling = asyncio.create_task(end.settle(OnShutdown.DRAIN, LONG, key(), NOW))
    await asyncio.sleep(0)
    assert not settling.done()
    desk.hear(about(order, report(ReportKind.NEW)))
    end.committed()
    await settling
    assert desk.now(order).live
