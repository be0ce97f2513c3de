"""Whatever happens to a throttled session: each order is sent once or certainly never, and every cancel gets there."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta

from fairlead_server.domain.errors import RouterError, VenueUnavailable
from fairlead_server.domain.order import Order
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.terms import Side
from fairlead_server.store.database import OrderQuery, Store
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.builders import NOW, new_order, terms
from tests.routing.desk import CLIENT, SECOND, Desk, ref
from tests.stores import in_memory

RATE, BURST = 20, 3
PATIENCE = timedelta(milliseconds=300)

_WHICH = st.integers(0, 30)
_STEPS = st.one_of(
    st.tuples(st.just("submit"), st.integers(1, 400)),  # route_before, in milliseconds from then
    st.tuples(st.just("cancel"), _WHICH),
    st.tuples(st.just("amend"), _WHICH),
    st.tuples(st.just("pass"), st.integers(1, 200)),  # milliseconds
    st.tuples(st.sampled_from(["down", "up", "restart"]), st.just(0)),
)


class Scene:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now = NOW
        self.bucket = TokenBucket(RATE, BURST, NOW)
        self.sent_at: list[datetime] = []
        self.decided: list[str] = []  # by all processes so far
        self.orders: list[Order] = []
        self.asked: set[str] = set()  # the orders that were to be cancelled while the venue had them
        self._count = 0
        self._throttle(desk)

    def _throttle(self, desk: Desk) -> None:
        self.desk, self.bucket = desk, TokenBucket(RATE, BURST, self.now)
        desk.gateway.bucket, desk.gateway.max_queue = self.bucket, PATIENCE

    async def step(self, name: str, number: int) -> None:
        match name:
            case "submit":
                self._submit(number)
            case "cancel" if self.orders:
                self._cancel(self.orders[number % len(self.orders)])
            case "amend" if self.orders:
                self._amend(self.orders[number % len(self.orders)], number)
            case "pass":
                self.until(self.now + timedelta(milliseconds=number))
            case "down":
                self.down()
            case "up":
                self.up()
            case "restart":
                await self._restart()
            case _:
                pass
        self._look()

    def until(self, then: datetime) -> None:
        """The desk is called when it has asked to be."""
        while (due := self.desk.entry.deadline(self.desk.gateway, self.now)) is not None and due <= then:
            self.now = max(due, self.now)
            self.desk.entry.dispatch(self.desk.gateway, self.now)
            self._look()
        self.now = then

    def up(self) -> None:
        if not self.desk.gateway.available:
            self.desk.gateway.available = True
            with self.desk.pipeline.deciding():
                self.desk.entry.session_up(self.desk.gateway, self.now)

    def down(self) -> None:
        self.desk.gateway.available = False
        self.desk.entry.session_down(self.desk.gateway, self.now)
        assert not any(order.held and order.live for order in map(self.desk.now, self.orders))

    def _submit(self, number: int) -> None:
        self._count += 1
        new = new_order(
            client_order_id=f"c{self._count}",
            side=Side.BUY if self._count % 2 else Side.SELL,
            terms=terms(20),
            route_before=self.now + timedelta(milliseconds=number),
        )
        try:
            self.orders.append(self.desk.entry.submit(new, CLIENT, None, self.now).order)
        except VenueUnavailable:
            assert not self.desk.gateway.available

    def _cancel(self, order: Order) -> None:
        self._count += 1
        before = self.desk.now(order)
        if before.live and not before.held:
            self.asked.add(order.order_id)
        self.desk.entry.cancel(ref(order), f"r{self._count}", CLIENT, self.now)

    def _amend(self, order: Order, number: int) -> None:
        self._count += 1
        with suppress(RouterError):  # over, pending, or the session is down: nothing has changed
            self.desk.amend(order, 20 + number // 10 * 10, request_id=f"r{self._count}", at=self.now)

    async def _restart(self) -> None:
        self._look()
        self.decided += self.desk.gateway.decided
        self.now += SECOND
        self._throttle(await self.desk.restarted())
        self.sent_at.clear()
        self.desk.gateway.available = False
        self.desk.entry.session_down(self.desk.gateway, self.now)

    def _look(self) -> None:
        """No more than the session takes, and nobody waits for too long."""
        fresh = len(self.desk.gateway.decided) - len(self.sent_at)
        self.sent_at += [self.now] * fresh
        for first, begin in enumerate(self.sent_at):
            passed = (self.sent_at[-1] - begin) / SECOND
            assert len(self.sent_at) - first <= BURST + RATE * passed + 1e-9
        for order in map(self.desk.now, self.orders):
            assert not (order.held and order.live and self.now > order.create_time + PATIENCE)
            assert order.held == (order.cl_ord_ids == ())


async def _live(store: Store, steps: list[tuple[str, int]]) -> None:
    scene = Scene(Desk(store))
    for name, number in steps:
        await scene.step(name, number)
    scene.up()
    scene.until(scene.now + 60 * SECOND)
    desk = scene.desk
    every = Counter(
        text.split()[0] + " " + text.split()[1] for text in [*scene.decided, *desk.gateway.decided]
    )
    assert set(every.values()) <= {1}
    assert desk.entry.queued("BROKER") == 0
    await desk.pipeline.durable()
    orders = store.list_orders(OrderQuery())
    first_names = [order.cl_ord_ids[0] for order in orders if order.cl_ord_ids]
    assert first_names == sorted(first_names)
    for order in orders:
        sent = [f"D {cl_ord_id}" for cl_ord_id in order.cl_ord_ids[:1]]
        assert [text for text in sent if every[text] != 1] == []
        assert all(request.is_sent for request in order.pending if request.is_cancel)
        assert (
            order.waiting_amend is None or order.last_sent_amend is not None
        )  # behind one that has no answer
        assert order.live is not order.held
        if order.order_id in scene.asked:
            last = order.pending[-1]
            assert (last.is_cancel, last.cl_ord_id) == (True, order.cl_ord_ids[-1])
    await desk.end()


@settings(max_examples=60)
@given(st.lists(_STEPS, max_size=60))
def test_each_order_is_sent_once_or_never_and_cancels_get_there(steps: list[tuple[str, int]]) -> None:
    with in_memory() as store:
        asyncio.run(_live(store, steps))
