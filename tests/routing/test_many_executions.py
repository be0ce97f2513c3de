"""Random executions, busts and corrections by the thousand: positions and days against a recomputation by hand."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain import transitions
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ExecutionReport
from fairlead_server.domain.order import Order
from fairlead_server.domain.position import HoldingKey
from fairlead_server.domain.terms import Side
from fairlead_server.domain.trading_day import TradingDay
from fairlead_server.routing.book import Book
from fairlead_server.store.batch import Batch, ExecutionRow
from fairlead_server.store.database import DayQuery, Store, open_store
from msgspec.structs import replace

from tests import by_hand
from tests.domain.builders import NOW, bust, correction, new_order, sent_order, terms, trade

DAYS = {
    "A": TradingDay(),
    "B": TradingDay(ZoneInfo("America/New_York"), time(17)),
    "C": TradingDay(ZoneInfo("Asia/Kolkata")),
}
_KEYS: list[HoldingKey] = [(a, i, s) for a in "ABC" for i in ("X", "Y", "Z") for s in ("", "S1", "S2")]
_LIVES = 40  # orders that are traded at a time
_PER_ORDER = 20  # executions
_GROUP = 500  # executions a commit
_APART = 20  # executions on average between what is busted or corrected; every fiftieth of those, far behind


@dataclass(frozen=True, slots=True)
class Known:
    """What the test itself knows of an execution that stands."""

    order_id: str
    exec_id: str
    place: int


@dataclass(slots=True)
class World:
    store: Store
    chance: Random
    span: timedelta  # between one execution and the next
    now: datetime = NOW
    sequence: int = 0
    batch: Batch = field(default_factory=Batch)
    orders: dict[str, Order] = field(default_factory=dict)  # that may still be named
    working: list[str] = field(default_factory=list)
    made: dict[int, by_hand.Made] = field(default_factory=dict)  # what counts, by place
    recent: list[Known] = field(default_factory=list)
    far: list[Known] = field(default_factory=list)
    undone: int = 0
    book: Book = field(init=False)

    def __post_init__(self) -> None:
        self.book = self.read()

    def read(self) -> Book:
        book = Book(self.store.in_place, 0, DAYS)
        book.load(self.store.load(self.now))
        return book

    def run(self, executions: int) -> None:
        for number in range(executions):
            self.now += self.span
            if self.recent and not self.chance.randrange(_APART):
                self._undo(number)
            else:
                self._trade(number)
            if number % _GROUP == _GROUP - 1:
                self.commit()
        self.commit()

    def commit(self) -> None:
        batch, self.batch = self.batch, Batch()
        self.store.commit(batch)
        self.book.holdings.committed(batch)

    def _trade(self, number: int) -> None:
        if len(self.working) < _LIVES:
            self._new(number)
        order = self.orders[self.chance.choice(self.working)]
        quantity = Decimal(self.chance.randrange(1, 400)) / self.chance.choice([1, 1, 8])
        price = Decimal(self.chance.randrange(9_000, 11_000)) / 100
        after = self._hear(order, trade(f"E{number}", 1, price, last_qty=quantity), number)
        key = _key(order)
        day = DAYS[key[0]].of(self.now)
        signed = order.request.side.sign * Fraction(quantity)
        self.made[self.sequence] = by_hand.Made(self.sequence, key, day, "BROKER", signed, Fraction(price))
        self.recent.append(Known(order.order_id, f"E{number}", self.sequence))
        if len(self.recent) > 300:
            left = self.recent.pop(0)
            if not self.chance.randrange(500):
                self.far.append(left)
        if len(after.executions) >= _PER_ORDER:
            self.working.remove(order.order_id)
        if not number % 5_000:
            named = {known.order_id for known in (*self.recent, *self.far)} | set(self.working)
            self.orders = {order_id: each for order_id, each in self.orders.items() if order_id in named}

    def _undo(self, number: int) -> None:
        """A bust, or a correction of quantity and price; what was corrected may be so again."""
        self.undone += 1
        known = self.far if self.far and not self.undone % 50 else self.recent
        at = self.chance.randrange(len(known))
        one, order = known[at], self.orders[known[at].order_id]
        if self.chance.random() < 0.5:
            self._hear(order, bust(f"B{number}", one.exec_id), number)
            del self.made[one.place], known[at]
            return
        quantity, price = self.chance.randrange(1, 300), Decimal(self.chance.randrange(9_000, 11_000)) / 100
        self._hear(order, correction(f"C{number}", one.exec_id, quantity, price), number)
        old = self.made[one.place]
        signed = Fraction(order.request.side.sign * quantity)
        self.made[one.place] = by_hand.Made(one.place, old.key, old.day, "BROKER", signed, Fraction(price))
        known[at] = Known(one.order_id, f"C{number}", one.place)

    def _new(self, number: int) -> None:
        account_id, instrument_id, strategy_id = self.chance.choice(_KEYS)
        new = new_order(
            account_id=account_id,
            client_order_id=f"c{number}",
            instrument_id=instrument_id,
            strategy_id=strategy_id,
            side=self.chance.choice([Side.BUY, Side.SELL]),
            terms=terms(1_000_000),
        )
        order = sent_order(new, f"O{number}", f"X{number}")
        self.orders[order.order_id] = self.batch.orders[order.order_id] = order
        self.working.append(order.order_id)

    def _hear(self, order: Order, heard: ExecutionReport, number: int) -> Order:
        change = transitions.apply(order, heard, f"I{number:07}", self.now)
        assert change is not None
        assert change.kind is not None
        assert change.execution is not None
        self.sequence += 1
        after = replace(change.order, sequence=self.sequence)
        self.orders[order.order_id] = self.batch.orders[order.order_id] = after
        self.batch.executions.append(_row(after, change.kind, heard, number))
        changed = replace(change, order=after)
        self.book.holdings.entered(order, after, changed, change.kind, self.now, self.batch)
        return after


def _key(order: Order) -> HoldingKey:
    request = order.request
    return request.account_id, request.instrument_id, request.strategy_id


def _row(order: Order, kind: EventKind, heard: ExecutionReport, number: int) -> ExecutionRow:
    request, amount = order.request, Decimal(0)
    return ExecutionRow(
        f"I{number:07}",
        order.order_id,
        "BROKER",
        request.account_id,
        request.instrument_id,
        request.side.value,
        kind,
        heard.exec_id,
        heard.exec_ref_id,
        heard.last_qty or amount,
        heard.last_px or amount,
        heard.transact_time,
        order.sequence,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'many.db'}")
    yield opened
    opened.close()


def check(world: World) -> None:
    """Memory, what is read back, and what is stored of the days: all as by hand."""
    books = by_hand.fold(made for _, made in sorted(world.made.items()))
    totals = dict(world.store.list_day_totals(DayQuery()))
    assert by_hand.differences(books, dict(world.book.holdings.all()), totals) == []
    assert dict(world.read().holdings.all()) == dict(world.book.holdings.all())


def test_ten_thousand_random_executions_are_as_by_hand(store: Store) -> None:
    world = World(store, Random(1), timedelta(seconds=30))

    world.run(10_000)

    check(world)
    assert world.undone > 300


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_million_random_executions_are_as_by_hand(store: Store) -> None:
    began = clock.monotonic()
    world = World(store, Random(20261121), timedelta(seconds=1))

    world.run(1_000_000)
    done = clock.monotonic()
    check(world)

    print(
        f"{world.sequence} executions, {world.undone} of them busts and corrections, on {len(_KEYS)} positions:"
        f" {done - began:.0f} s, and {clock.monotonic() - done:.0f} s by hand"
    )
