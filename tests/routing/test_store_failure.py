"""The whole router when a commit fails: it starts again from what is committed, and loses and doubles nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fairlead_server.app import App, now
from fairlead_server.config import Config
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import NotStorable, RouterError, StoreUnavailable
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.order import Order, OrderState
from fairlead_server.domain.routes import Route
from fairlead_server.fix.session import Numbers, Role, SessionConfig
from fairlead_server.routing.suspects import TRIES
from fairlead_server.store.batch import Batch, EventRow
from fairlead_server.store.database import Snapshot, Store
from fairlead_server.store.errors import FAULT_OF_THE_PROGRAM, StoreError
from fairlead_server.venue.settings import Endpoint, VenueSettings

from tests.api.broker import Broker, fill, listening
from tests.domain.builders import instrument, new_order, policy
from tests.stores import left

PATIENT = 30.0  # seconds


@dataclass
class Disk:
    """Between the pipeline and the store; full for as many commits as it is told, and refusing one order for ever."""

    store: Store
    full: int = 0
    refused: str = ""  # its client_order_id

    def commit(self, batch: Batch) -> None:
        if self.full:
            self.full -= 1
            raise StoreError("sqlite://", "database or disk is full", "free some space on the disk")
        if self.refused in {order.request.client_order_id for order in batch.orders.values()}:
            raise StoreError("sqlite://", "UNIQUE constraint failed", FAULT_OF_THE_PROGRAM)
        self.store.commit(batch)


@dataclass
class Follower:
    """Reads the feed as a subscriber does: from memory where it can, else from the log."""

    app: App
    seen: list[EventRow] = field(default_factory=list)

    async def run(self) -> None:
        while not self.app.router.feed.closed:
            after = self.seen[-1].sequence if self.seen else 0
            found = self.app.router.feed.recent(after, 100)
            self.seen += self.app._store.events_after(after, 100) if found is None else found
            await self.app.router.feed.beyond(self.seen[-1].sequence if self.seen else 0, PATIENT)


@dataclass
class Rig:
    app: App
    broker: Broker
    disk: Disk
    follower: Follower

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENT):
            while not true():
                await self.app.router.feed.beyond(self.app.router.feed.head, 0.01)

    async def up(self) -> None:
        await self.until(
            lambda: (
                not self.app.router.pipeline.broken and self.app.router.sessions.gateways["BROKER"].available
            )
        )

    async def submit(self, number: int) -> Order:
        new = new_order(client_order_id=f"client-{number}")
        order = self.app.router.entry.submit(new, Cause(Initiator.CLIENT), None, now()).order
        await self.app.router.pipeline.durable()
        return order

    def stored(self, order: Order) -> Order:
        found = self.app._store.order(order.order_id)
        assert found is not None
        return found


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with listening(Numbers()) as (broker, port):
        session = VenueSettings(
            "BROKER",
            SessionConfig("FIX.4.4", "FAIRLEAD", "BROKER", Role.INITIATOR),
            (Endpoint("127.0.0.1", port),),
            "ACC1",
        )
        app = App(
            Config(
                host="127.0.0.1",
                port=0,
                server_id="test",
                store_url=f"sqlite:///{tmp_path}/fairlead.db",
                router_id="FL",
                shard=0,
                instruments={"ACME": instrument()},
                policy=policy(),
                sessions=(session,),
                routes=(Route("ALL", "BROKER"),),
                log_level="info",
                version="",
            )
        )
        disk = Disk(app._store)
        app.router.pipeline._begin = left(disk.commit)
        await app.start()
        made = Rig(app, broker, disk, Follower(app))
        following = asyncio.create_task(made.follower.run())
        await made.up()
        yield made
        await app.stop()
        await following


async def test_an_order_that_was_not_durable_is_none_and_the_next_one_is(rig: Rig) -> None:
    first = await rig.submit(1)
    rig.disk.full = 1
    with pytest.raises(StoreUnavailable):
        await rig.submit(2)
    with pytest.raises(RouterError):
        await rig.submit(3)
    await rig.up()
    again = await rig.submit(2)
    await rig.broker.until("D", 2)
    assert [message[11] for message in rig.broker.heard] == [first.cl_ord_id, again.cl_ord_id]
    await rig.until(lambda: rig.stored(again).state is OrderState.WORKING)
    assert rig.app._store.order_by_client_order_id("ACC1", "client-3") is None


async def test_an_order_that_never_can_be_durable_is_given_up_and_takes_no_other_with_it(rig: Rig) -> None:
    rig.disk.refused = "client-2"
    for _ in range(1 + TRIES):  # of the first nobody can tell whose fault it was
        lost = await asyncio.gather(rig.submit(2), rig.submit(1), return_exceptions=True)
        assert isinstance(lost[0], StoreUnavailable)
        await rig.up()

    with pytest.raises(NotStorable):
        await rig.submit(2)
    other = await rig.submit(1)

    assert rig.app.router.sessions.gateways["BROKER"].available
    await rig.broker.until("D", 1)
    assert rig.stored(other).cl_ord_id == rig.broker.heard[-1][11]


async def test_a_store_that_could_not_be_read_is_read_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, unreadable = rig.app._store.load, [ValueError("no order")]

    def read(time: datetime, recent: timedelta) -> Snapshot:
        if unreadable:
            raise unreadable.pop()
        return load(time, recent)

    monkeypatch.setattr(rig.app._store, "load", read)
    rig.disk.full = 1
    with pytest.raises(StoreUnavailable):
        await rig.submit(1)

    await rig.up()

    order = await rig.submit(1)
    await rig.until(lambda: rig.stored(order).state is OrderState.WORKING)


async def test_a_fill_that_was_not_durable_is_asked_for_and_booked_once(rig: Rig) -> None:
    order = await rig.submit(1)
    await rig.until(lambda: rig.stored(order).state is OrderState.WORKING)
    rig.disk.full = 1
    rig.broker.say(fill(rig.broker, rig.broker.only()))
    await rig.until(lambda: rig.stored(order).state is OrderState.FILLED)
    await rig.up()
    log = rig.app._store.events_after(0, 1000)
    assert [event.kind for event in log].count(EventKind.FILLED) == 1
    assert rig.app.router.book.exposures.of("ACC1", "ACME").position == 100
    snapshot = rig.app._store.load(now())
    assert snapshot.sessions["BROKER"] == rig.app.router.sessions.gateways["BROKER"].session.numbers
    assert snapshot.counters["recoveries"] == 1


async def test_a_follower_sees_every_event_once(rig: Rig) -> None:
    for number in range(1, 4):
        await rig.submit(number)
    rig.disk.full = 1
    with pytest.raises(StoreUnavailable):
        await rig.submit(4)
    await rig.up()
    last = await rig.submit(5)
    await rig.until(lambda: rig.stored(last).state is OrderState.WORKING)
    head = rig.app._store.head()
    await rig.until(lambda: len(rig.follower.seen) >= head)
    assert [event.sequence for event in rig.follower.seen] == list(range(1, head + 1))
    assert rig.follower.seen == rig.app._store.events_after(0, 1000)


async def test_a_decision_that_dies_is_recovered_from_too(rig: Rig) -> None:
    order = await rig.submit(1)
    await rig.until(lambda: rig.stored(order).state is OrderState.WORKING)
    with pytest.raises(ZeroDivisionError), rig.app.router.pipeline.deciding():
        raise ZeroDivisionError
    await rig.until(lambda: "recoveries" in rig.app._store.load(now()).counters)
    await rig.up()
    assert rig.app.router.book.order(order.order_id) == rig.stored(order)
    after = await rig.submit(2)
    await rig.broker.until("D", 2)
    assert rig.broker.heard[-1][11] == after.cl_ord_id
