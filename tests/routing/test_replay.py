"""What is stored is all that there is: replayed, it gives the same book to the byte, whatever happened and wherever it stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from fairlead.v1.execution_service_pb2 import (
    EXECUTION_KIND_TRADE_BUSTED,
    EXECUTION_KIND_TRADE_CORRECTED,
    ExecutionEvent,
)
from fairlead_server.api import images, messages
from fairlead_server.domain.errors import RouterError
from fairlead_server.domain.event import OrderEvent
from fairlead_server.domain.order import ZERO, Order
from fairlead_server.domain.terms import Side
from fairlead_server.domain.venue_rules import ChainMode
from fairlead_server.routing.book import Book
from fairlead_server.store.batch import EventRow
from fairlead_server.store.database import OrderQuery, Store
from fairlead_server.store.tables import ORDER
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.domain.builders import NOW, cancel_reject, new_order, terms, trade
from tests.domain.lives import CL_ORD_IDS, reports
from tests.routing.desk import PATIENT, Desk, about
from tests.stores import empty, in_memory

_WHICH = st.integers(0, 3)
_NAME = st.integers(0, 5)
_TOLD = st.tuples(st.just("told"), _WHICH, _NAME, reports)
_ASKED = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from([20, 60, 100]), st.sampled_from(list(Side))),
    st.tuples(st.just("amend"), _WHICH, st.sampled_from([20, 40, 100, 130])),
    st.tuples(st.just("cancel"), _WHICH),
    st.tuples(st.just("refused"), _WHICH, _NAME, st.booleans()),
    st.tuples(st.just("doubted"), _WHICH, _NAME),
)
_STRANGER = st.tuples(st.just("stranger"), CL_ORD_IDS, reports)
_LIVES = st.lists(st.one_of(_ASKED, _TOLD, _TOLD, _STRANGER), max_size=30)
_Step = tuple[Any, ...]


class _Desk(Desk):
    """Keeps its events as they are kept and published."""

    def _encode(self, event: OrderEvent) -> bytes:
        self.events.append(event)
        return images.event_bytes(event)


class _Scene:
    """Clients and a venue; each amend is sent at once, so that a restart ends nothing that waits."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.orders: list[Order] = []
        self._asked = 0
        self._take(_Desk(store))

    def _take(self, desk: Desk) -> None:
        self.desk = desk
        desk.gateway.rules = replace(PATIENT, chain_mode=ChainMode.CHAINED)

    async def live(self, steps: Sequence[_Step], stops: Iterable[int] = ()) -> None:
        for number, step in enumerate(steps):
            self._do(*step)
            if number in stops:
                self._take(await self.desk.restarted())
        await self.desk.pipeline.durable()

    def _do(self, what: str, which: Any, *rest: Any) -> None:
        self._asked += 1
        order = self.orders[which % len(self.orders)] if self.orders and isinstance(which, int) else None
        match what, rest:
            case "submit", (side,):
                new = new_order(client_order_id=f"c{self._asked}", side=side, terms=terms(which))
                self.orders.append(self.desk.submit(new).order)
            case "stranger", (heard,):
                self.desk.hear(
                    replace(heard, cl_ord_id=which and f"their-{which}", venue_order_id="V-theirs")
                )
            case "amend", (quantity,) if order:
                with suppress(RouterError):
                    self.desk.amend(order, quantity, request_id=f"r{self._asked}")
            case "cancel", () if order:
                with suppress(RouterError):
                    self.desk.cancel(order, request_id=f"r{self._asked}")
            case "told", (name, heard) if order:
                self.desk.hear(about(order, heard, cl_ord_id=self._named(order, name)))
            case "refused", (name, unknown) if order:
                self._refused(order, name, unknown)
            case "doubted", (name,) if order:
                with self.desk.pipeline.deciding():
                    named = self._named(order, name)
                    self.desk.executions.in_doubt(named, self.desk.gateway, "not sent again", NOW)

    def _refused(self, order: Order, name: int, unknown: bool) -> None:
        answer = cancel_reject(self._named(order, name), unknown_order=unknown, orig_cl_ord_id="")
        with self.desk.pipeline.deciding():
            self.desk.executions.cancel_rejected(answer, self.desk.gateway, NOW)

    def _named(self, order: Order, number: int) -> str:
        """One of the names that the order has had; or none, as OrderID(37) does."""
        names = ["", *self.desk.now(order).cl_ord_ids]
        return names[number % len(names)]

    async def end(self) -> None:
        await self.desk.end()


@pytest.fixture(scope="module")
def stores() -> Iterator[list[Store]]:
    """Two, which each life finds empty."""
    with in_memory() as first, in_memory() as second:
        yield [first, second]


def _emptied(store: Store) -> Store:
    empty(store)
    return store


def _images(store: Store) -> dict[str, str]:
    return {order.order_id: ORDER.encode(order) for order in store.list_orders(OrderQuery())}


def _told(rows: Iterable[EventRow]) -> dict[str, bytes]:
    """Each order as its last event tells it."""
    return {
        event.order.order_id: event.order.SerializeToString(deterministic=True)
        for event in messages.events_from(rows)
    }


@settings(max_examples=60, deadline=None)
@given(_LIVES)
def test_memory_rebuilt_from_the_store_is_the_same_to_the_byte(
    stores: list[Store], life: list[_Step]
) -> None:
    async def play() -> None:
        scene = _Scene(_emptied(stores[0]))
        await scene.live(life)

        again = Book(scene.store)
        again.load(scene.store.load(NOW))

        live = {o.order_id: ORDER.encode(o) for o in scene.desk.book.all_live()}
        assert {o.order_id: ORDER.encode(o) for o in again.all_live()} == live
        for order_id, image in _images(scene.store).items():
            here, there = scene.desk.book.order(order_id), again.order(order_id)
            assert (here and ORDER.encode(here)) == (there and ORDER.encode(there)) == image
        await scene.end()

    asyncio.run(play())


@settings(max_examples=60, deadline=None)
@given(_LIVES)
def test_the_log_alone_gives_each_order_and_each_position(stores: list[Store], life: list[_Step]) -> None:
    async def play() -> None:
        scene = _Scene(_emptied(stores[0]))
        await scene.live(life)
        log = scene.store.events_after(0, 1_000_000)

        stored = scene.store.list_orders(OrderQuery())
        shown = {o.order_id: images.order(o).SerializeToString(deterministic=True) for o in stored}
        assert _told(log) == shown
        _replay(messages.events_from(log))
        await scene.end()

    asyncio.run(play())


def _replay(log: Sequence[ExecutionEvent]) -> None:
    """Fill by fill: what each event says of its order is what the events up to there add up to."""
    standing: dict[str, dict[str, Decimal]] = {}
    versions: dict[str, int] = {}
    for number, event in enumerate(log, start=1):
        order, fill = event.order, event.fill
        fills = standing.setdefault(order.order_id, {})
        if event.kind in (EXECUTION_KIND_TRADE_CORRECTED, EXECUTION_KIND_TRADE_BUSTED):
            fills.pop(fill.ref_execution_id, None)
        if event.HasField("fill") and event.kind != EXECUTION_KIND_TRADE_BUSTED:
            fills[fill.execution_id] = Decimal(fill.quantity)
        versions[order.order_id] = versions.get(order.order_id, 0) + 1
        cum, leaves = Decimal(order.cum_quantity), Decimal(order.leaves_quantity)

        assert (event.sequence, order.version) == (number, versions[order.order_id])
        assert cum == sum(fills.values(), ZERO)
        assert leaves in (0, Decimal(order.quantity) - cum)


# One OrderID(37), of a stranger and then of an order of ours; neither is live.
_SHARED: list[_Step] = [
    ("submit", 20, Side.BUY),
    ("told", 0, 0, trade("1", Decimal(10))),
    ("told", 0, 1, trade("1", Decimal(40))),
    ("told", 0, 0, trade("1", Decimal(10))),
]


@settings(max_examples=60, deadline=None)
@given(_LIVES, st.sets(st.integers(0, 29), min_size=1))
@example(_SHARED, {2})
def test_a_life_with_restarts_in_it_is_the_same_life(
    stores: list[Store], life: list[_Step], stops: set[int]
) -> None:
    async def play() -> None:
        unbroken, broken = (_Scene(_emptied(store)) for store in stores)
        await unbroken.live(life)
        await broken.live(life, stops)

        assert _images(broken.store) == _images(unbroken.store)
        assert broken.store.events_after(0, 1_000_000) == unbroken.store.events_after(0, 1_000_000)
        await unbroken.end()
        await broken.end()

    asyncio.run(play())
