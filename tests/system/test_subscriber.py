"""A subscriber that is cut off goes on from its cursor: every event once, in order, as the store has them."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from fairlead import AsyncSubscription, StartPosition
from fairlead.v1.execution_service_pb2 import ExecutionEvent

from tests.system.crowd import Crowd
from tests.system.proxy import Torn, proxy
from tests.system.world import PATIENCE, World, at_rest


def stored(world: World) -> list[ExecutionEvent]:
    with closing(sqlite3.connect(f"file:{world.store}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT body FROM events ORDER BY sequence").fetchall()
    return [ExecutionEvent.FromString(body) for (body,) in rows]


class Reader:
    """Reads a subscription in a task of its own, and keeps what it saw with the cursor after each event."""

    def __init__(self, subscription: AsyncSubscription) -> None:
        self.seen: list[ExecutionEvent] = []
        self.cursors: list[str] = []
        self._subscription = subscription
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self._subscription:
            self.seen.append(event)
            self.cursors.append(self._subscription.cursor)
            async with self._news:
                self._news.notify_all()

    async def reaches(self, events: int) -> None:
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: len(self.seen) >= events)

    async def end(self) -> None:
        self._subscription.close()
        await self._task


async def test_over_cut_connections_and_killed_routers_each_event_is_seen_once(world: World) -> None:
    await world.start_venue()
    router = await world.start_router()
    async with proxy(world.grpc_port) as between, world.client(f"127.0.0.1:{between.port}") as client:
        reader = Reader(client.subscribe(position=StartPosition.EARLIEST, heartbeat=1.0))
        async with Crowd(world) as crowd:
            for kill in (False, True, False, True):
                await crowd.answers(8)
                await reader.reaches(len(reader.seen) + 10)
                if kill:
                    await router.kill()
                    router = await world.start_router()
                else:
                    opened = between.connections
                    between.to_client = lambda data: Torn(data[: len(data) // 2])
                    await between.opened(opened + 1)
                    between.to_client = bytes
                    between.cut()
            await crowd.answers(8)
            await crowd.finish()
        await world.until(at_rest)

        expected = stored(world)
        await reader.reaches(len(expected))
        await reader.end()
    assert [event.sequence for event in reader.seen] == list(range(1, len(expected) + 1))
    assert reader.seen == expected


async def test_a_new_subscriber_goes_on_at_any_cursor_of_an_old_one(world: World) -> None:
    """Also after a restart of the router, and of whoever reads."""
    await world.start_venue()
    router = await world.start_router()
    async with world.client() as client:
        reader = Reader(client.subscribe(position=StartPosition.EARLIEST))
        async with Crowd(world) as crowd:
            await crowd.answers(20)
            await crowd.finish()
        await world.until(at_rest)
        expected = stored(world)
        await reader.reaches(len(expected))
        await reader.end()
    await router.kill()
    await world.start_router()

    async with world.client() as client:
        for after in range(0, len(expected), 7):
            subscription = client.subscribe(after_cursor=reader.cursors[after], until_caught_up=True)
            rest = [event async for event in subscription]
            # A cursor passes an event only when all that came with it were handed over.
            first = rest[0].sequence if rest else len(expected) + 1
            assert first <= after + 2
            assert rest == expected[first - 1 :]
