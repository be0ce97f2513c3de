"""Positions and daily totals as the router keeps them: decided with the event, undone exactly, each day its own."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.event import Change, EventKind
from fairlead_server.domain.execution import ExecutionReport
from fairlead_server.domain.order import Order
from fairlead_server.domain.position import DayTotal, Position
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.domain.terms import Side
from fairlead_server.domain.trading_day import TradingDay
from fairlead_server.domain.transitions import apply
from fairlead_server.routing.book import Book
from fairlead_server.routing.carrying_over import DUE, carry_over
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import DayQuery, Store
from msgspec.structs import replace
from sqlalchemy import text

from tests.domain.builders import NOW, bust, correction, new_order, sent_order, terms, trade
from tests.routing.desk import Desk, about
from tests.store.opened import writer

KEY = "ACC1", "ACME", ""
TODAY = NOW.date()
DAYS = timedelta(days=1)


def figures(*values: object) -> tuple[object, ...]:
    """To be compared with numbers of any kind."""
    return values


def order_of(desk: Desk, quantity: int = 1000, side: Side = Side.BUY, strategy_id: str = "") -> Order:
    name = f"c{len(desk.events)}"
    new = new_order(client_order_id=name, side=side, strategy_id=strategy_id, terms=terms(quantity))
    return desk.working(new)


def hear(desk: Desk, order: Order, heard: ExecutionReport, at: datetime = NOW) -> None:
    with desk.pipeline.deciding():
        desk.executions.apply(about(order, heard), desk.gateway, at)


def held(desk: Desk, strategy_id: str = "") -> Position:
    return desk.book.holdings.of(("ACC1", "ACME", strategy_id))


def totals(desk: Desk) -> dict[date, DayTotal]:
    """Of the one holding, by day, as they are stored."""
    return {key[0]: total for key, total in desk.store.list_day_totals(DayQuery())}


async def test_each_strategy_has_its_own_position(desk: Desk) -> None:
    desk.filled(order_of(desk, strategy_id="S1"), 10, "E1")
    desk.filled(order_of(desk, side=Side.SELL, strategy_id="S2"), 4, "E2")

    assert figures(held(desk, "S1").quantity, held(desk, "S2").quantity) == (10, -4)
    assert desk.exposure().position == 6
    today = desk.book.holdings.today
    assert today(EVERYTHING, NOW).fills == 2
    assert today(Scope(strategy_id="S2"), NOW).sold_value == 200
    assert today(Scope(account_id="ACC1", session_id="BROKER"), NOW).orders == 2
    assert today(Scope(account_id="ACC2"), NOW) == DayTotal()
    desk.filled(order_of(desk, side=Side.SELL, strategy_id="S2"), 6, "E3")
    assert today(Scope(strategy_id="S2"), NOW).sold_quantity == 10


async def test_a_bust_is_undone_before_and_after_its_trade_is_durable(desk: Desk) -> None:
    order = order_of(desk)
    for number, price in enumerate([50, 60, 70], start=1):
        hear(desk, order, trade(f"E{number}", 10, price))
    hear(desk, order, bust("B1", "E1"))
    assert figures(held(desk).quantity, held(desk).cost) == (20, 1300)

    await desk.pipeline.durable()
    hear(desk, order, bust("B2", "E3"))

    assert figures(held(desk).quantity, held(desk).cost, held(desk).trades) == (10, 600, 1)
    assert desk.book.holdings.today(EVERYTHING, NOW).fills == 1


async def test_a_correction_counts_where_its_trade_did(desk: Desk) -> None:
    buys, sells = order_of(desk), order_of(desk, side=Side.SELL)
    hear(desk, buys, trade("E1", 10, 50))
    hear(desk, sells, trade("E2", 15, 60))
    await desk.pipeline.durable()

    hear(desk, buys, correction("E3", "E1", 20, 55))

    assert figures(held(desk).quantity, held(desk).realised, held(desk).average()) == (5, 75, 55)


async def test_a_bust_days_later_changes_the_day_of_its_trade_and_what_came_of_it(desk: Desk) -> None:
    buys, sells = order_of(desk), order_of(desk, side=Side.SELL)
    hear(desk, buys, trade("E1", 10, 50), NOW)
    hear(desk, buys, trade("E2", 10, 70), NOW + DAYS)
    hear(desk, sells, trade("E3", 10, 80), NOW + 2 * DAYS)
    await desk.pipeline.durable()
    assert [total.realised for total in totals(desk).values()] == [0, 0, 200]

    hear(desk, buys, bust("B1", "E1"), NOW + 3 * DAYS)
    await desk.pipeline.durable()

    found = totals(desk)
    assert found[TODAY] == DayTotal(orders=2)
    assert [total.realised for total in found.values()] == [0, 0, 100]
    assert held(desk).realised_on(TODAY + 2 * DAYS) == 100
    assert desk.book.holdings.today(EVERYTHING, NOW + 3 * DAYS) == DayTotal()
    desk.over = True  # what the rest of its checks takes for today is not


async def test_a_bust_far_behind_is_undone_across_the_checkpoints(desk: Desk) -> None:
    order = order_of(desk, 100_000)
    for number in range(300):
        hear(desk, order, trade(f"E{number}", 10 + number % 3, 50 + number % 7))
        if number == 200:
            await desk.pipeline.durable()  # some are read from the store, some are not there yet

    hear(desk, order, bust("B1", "E150"))
    hear(desk, order, bust("B2", "E0"))

    assert held(desk).trades == 298


async def test_orders_and_amends_count_when_they_are_sent(desk: Desk) -> None:
    order = desk.working()
    desk.amend(order, 60)
    desk.cancel(order)

    assert desk.book.holdings.today(EVERYTHING, NOW).orders == 2


async def test_each_account_has_its_own_today(store: Store) -> None:
    days = {"ACC1": TradingDay(ZoneInfo("America/New_York"), time(17))}
    desk = Desk(store)
    desk.book = Book(store, 0, days)
    desk.load()
    evening = datetime(2026, 11, 20, 21, 59, tzinfo=UTC)
    holdings, batch = desk.book.holdings, Batch()
    for minutes in (0, 1, 2):
        at, order = evening + timedelta(minutes=minutes), new_order(client_order_id=f"c{minutes}")
        for account_id in ("ACC1", "ACC2"):
            placed = sent_order(replace(order, account_id=account_id))
            change = Change(placed, EventKind.ROUTED)
            holdings.entered(placed, placed, change, EventKind.ROUTED, at, batch)

    at = evening + timedelta(minutes=2)
    assert holdings.today(Scope(account_id="ACC1"), at).orders == 2
    assert holdings.today(Scope(account_id="ACC2"), at).orders == 3
    assert holdings.today(EVERYTHING, at).orders == 5
    assert holdings.today(EVERYTHING, at + DAYS).orders == 0
    assert [(key[0].day, key[1], total.orders) for key, total in batch.day_totals.items()] == [
        (19, "ACC1", 1),
        (20, "ACC2", 3),
        (20, "ACC1", 2),
    ]
    store.commit(batch)
    again = Book(store, 0, days)
    again.load(store.load(at))
    assert again.holdings.today(EVERYTHING, at).orders == 5
    assert again.holdings.today(Scope(session_id="BROKER"), at).orders == 5
    await desk.pipeline.close()


def test_a_contract_is_worth_its_multiplier(store: Store) -> None:
    holdings, batch = Book(store, 0, {}, lambda _: Decimal(50)).holdings, Batch()
    before = sent_order()
    for sequence, heard in enumerate([trade("E1", 2, 4000), trade("E2", 1, 4010), bust("B1", "E2")], start=1):
        change = apply(before, heard, f"ours-{sequence}", NOW)
        assert change is not None
        assert change.kind is not None
        order = replace(change.order, sequence=sequence)
        holdings.entered(before, order, replace(change, order=order), change.kind, NOW, batch)
        before = order
    holdings.marked("ACME", Decimal(4001), batch)

    position = holdings.of(KEY)
    assert figures(position.cost, position.average(Decimal(50)), position.highest) == (400_000, 4000, 100)
    assert holdings.today(EVERYTHING, NOW).bought_value == 400_000


async def test_what_is_open_in_a_scope_is_valued_together(desk: Desk) -> None:
    desk.filled(order_of(desk, strategy_id="S1"), 10, "E1")
    desk.filled(order_of(desk, side=Side.SELL, strategy_id="S2"), 4, "E2")
    holdings, price = desk.book.holdings, {"ACME": Decimal(53)}.get

    assert holdings.unrealised(EVERYTHING, price) == 18
    assert holdings.unrealised(Scope("ACC1", strategy_id="S1"), price) == 30
    assert holdings.unrealised(Scope("ACC1", instrument_id="ACME"), price) == 18
    for other in (
        Scope("ACC2"),
        Scope(instrument_id="FAR"),
        Scope(principal="P"),
        Scope(session_id="BROKER"),
    ):
        assert holdings.unrealised(other, price) == 0
    assert holdings.unrealised(EVERYTHING, lambda _: None) == 0


async def test_a_reference_price_makes_extremes_of_what_is_open(desk: Desk) -> None:
    desk.filled(order_of(desk, strategy_id="S1"), 10, "E1")
    desk.filled(order_of(desk, side=Side.SELL, strategy_id="S1"), 10, "E2")
    desk.filled(order_of(desk, strategy_id="S2"), 10, "E3")
    await desk.pipeline.durable()

    with desk.pipeline.deciding():
        desk.book.holdings.marked("ACME", Decimal(53), desk.pipeline.batch)
        desk.book.holdings.marked("ACME", Decimal(52), desk.pipeline.batch)
        desk.book.holdings.marked("OTHER", Decimal(1), desk.pipeline.batch)
    await desk.pipeline.durable()

    assert held(desk, "S2").highest == 30
    assert held(desk, "S1").highest == 0
    assert dict(desk.store.load(NOW).positions)["ACC1", "ACME", "S2"].highest == 30


@pytest.mark.parametrize("busted", [False, True])
async def test_what_was_traded_before_is_carried_over(store: Store, busted: bool) -> None:
    desk = Desk(store)
    buys, sells = order_of(desk), order_of(desk, side=Side.SELL)
    for number in range(200):
        heard = trade(f"E{number}", 3, 50 + number, transact_time=NOW + number * timedelta(minutes=10))
        hear(desk, sells if number % 3 == 2 else buys, heard)
    hear(desk, buys, correction("C1", "E1", 7, 99))
    if busted:
        hear(desk, buys, bust("B1", "E3"))
    await desk.pipeline.durable()
    before = held(desk)
    await desk.end()
    with writer(store).begin() as connection:
        for table in ("positions", "trades", "day_totals"):
            connection.execute(text(f"DELETE FROM {table}"))
    store.commit(Batch(counters={DUE: 1}))

    carry_over(store, {}, {})
    carry_over(store, {}, {})

    snapshot = store.load(NOW)
    [(key, position)] = snapshot.positions
    assert key == KEY
    for name in ("quantity", "cost", "realised", "bought_value", "sold_value", "trades", "highest", "lowest"):
        assert getattr(position, name) == getattr(before, name)
    by_day = [total for _, total in store.list_day_totals(DayQuery())]
    assert len(by_day) == 3
    assert sum(total.fills for total in by_day) == before.trades
    later = Desk(store)
    hear(later, buys, bust("B2", "E150"))
    assert held(later).trades == before.trades - 1
    await later.pipeline.close()
