"""What becomes of a trade session's orders, seen from where it is decided."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from fairlead_server.domain.errors import Draining, StoreUnavailable, StreamReplaced
from fairlead_server.routing.trade_sessions import TradeSessions
from fairlead_server.store.batch import Batch

from tests.domain.builders import NOW, new_order
from tests.routing.desk import SECOND, Desk
from tests.stores import left

KEY = "123e4567-e89b-12d3-a456-426614174000"


class Client:
    def end(self, why: StreamReplaced | Draining) -> None:
        raise AssertionError(why)


class Times:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += SECOND
        return self.now


async def come_and_go(desk: Desk, sessions: TradeSessions) -> None:
    client = Client()
    sessions.open(KEY, timedelta(0), client)
    await desk.pipeline.durable()
    sessions.closed(KEY, client, keep_orders=False)
    while sessions._timers:  # noqa: ASYNC110 - nothing tells when the grace is over
        await asyncio.sleep(0)
    await desk.pipeline.durable()


async def test_orders_are_cancelled_again_where_only_the_end_of_it_was_lost(desk: Desk) -> None:
    first = desk.working(new_order(client_order_id="first", trade_session=KEY))
    sessions = TradeSessions(desk.ledger, desk.pipeline, desk.mass_cancels, Times())
    desk.pipeline._suspects.failed([], ValueError("whose fault it is nobody knows"))
    begin = desk.pipeline._begin

    def lose_the_end(batch: Batch) -> None:
        if any(not session.armed for session in batch.trade_sessions.values()):
            raise OSError("disk full")
        desk.writer(batch)

    desk.pipeline._begin = left(lose_the_end)
    with pytest.raises(StoreUnavailable):
        await come_and_go(desk, sessions)
    desk.pipeline._begin = begin
    desk.load()
    sessions.load(desk.store.load(NOW).trade_sessions)
    desk.pipeline.resume()
    second = desk.working(new_order(client_order_id="second", trade_session=KEY))

    await come_and_go(desk, sessions)

    assert [bool(desk.now(order).pending) for order in (first, second)] == [True, True]
