"""PositionService: what is shown of positions and days, and how a watcher is told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import grpc
from fairlead.v1 import position_service_pb2 as pb
from fairlead.v1.common_pb2 import SIDE_BUY, SIDE_SELL, Side
from fairlead.v1.execution_service_pb2 import STREAM_ENDING_REASON_DRAINING
from fairlead.v1.reference_service_pb2 import PriceUpdate, UpdateReferencePricesRequest
from fairlead_server.api.position_watch import PositionWatch
from fairlead_server.api.positions import Positions
from fairlead_server.domain.position import Position
from fairlead_server.fix import msg_types
from fairlead_server.routing.book import Book
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.position_news import PositionNews
from fairlead_server.routing.reference import Reference
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import open_store
from google.protobuf.duration_pb2 import Duration

from tests.api.broker import Broker, Resting, accept, fill
from tests.api.refusals import refused
from tests.api.router import Router

Watch = grpc.aio.UnaryStreamCall[pb.WatchPositionsRequest, pb.WatchPositionsResponse]


async def traded(
    router: Router, quantity: str, price: str, strategy_id: str = "", side: Side.ValueType = SIDE_BUY
) -> None:
    """Filled whole at ``price``, and booked."""

    def filled(broker: Broker, order: Resting, message: Any) -> list[Any]:
        return [*accept(broker, order, message), fill(broker, order, Decimal(quantity), price)]

    router.broker.answers[msg_types.NEW_ORDER_SINGLE] = filled
    async with watching(router) as watch:
        await watch.read()
        await router.working(quantity=quantity, strategy_id=strategy_id, side=side)
        await watch.read()


@asynccontextmanager
async def watching(router: Router, **request: Any) -> AsyncIterator[Watch]:
    watch = router.positions.WatchPositions(pb.WatchPositionsRequest(**request))
    yield watch
    watch.cancel()


async def listed(router: Router, **request: Any) -> list[pb.Position]:
    return list((await router.positions.ListPositions(pb.ListPositionsRequest(**request))).positions)


async def price(router: Router, text: str) -> None:
    update = PriceUpdate(instrument_id="ACME", price=text)
    await router.reference.UpdateReferencePrices(UpdateReferencePricesRequest(prices=[update], source="feed"))


async def test_a_position_shows_what_it_cost_and_what_it_has_earned(router: Router) -> None:
    await traded(router, "30", "40", "S1")
    await traded(router, "10", "46", "S1", SIDE_SELL)
    await price(router, "43.5")

    [position] = await listed(router)

    assert (position.account_id, position.instrument_id, position.strategy_id) == ("ACC1", "ACME", "S1")
    assert (position.quantity, position.average_price, position.cost) == ("20", "40", "800")
    assert (position.realised_pnl, position.day_realised_pnl, position.unrealised_pnl) == ("60", "60", "70")
    assert (position.reference_price, position.currency, position.trades) == ("43.5", "USD", 2)
    assert (position.highest_pnl, position.lowest_pnl) == ("180", "0")
    assert position.day == datetime.now(UTC).date().isoformat()
    assert (position.bought_value, position.sold_value) == ("1200", "460")
    got = await router.positions.GetPosition(
        pb.GetPositionRequest(account_id="ACC1", instrument_id="ACME", strategy_id="S1")
    )
    assert got.position == position


async def test_a_position_that_never_was_is_flat(router: Router) -> None:
    got = await router.positions.GetPosition(pb.GetPositionRequest(account_id="ACC1", instrument_id="ACME"))

    assert (got.position.quantity, got.position.realised_pnl, got.position.trades) == ("0", "0", 0)
    assert not got.position.HasField("average_price")
    assert not got.position.HasField("update_time")


async def test_strategies_are_summed_where_that_is_asked_for(router: Router) -> None:
    await traded(router, "30", "40", "S1")
    await traded(router, "10", "46", "S2", SIDE_SELL)
    await price(router, "50")

    [both] = await listed(router, sum_strategies=True)

    assert (both.strategy_id, both.quantity, both.cost, both.average_price) == ("", "20", "740", "37")
    assert (both.unrealised_pnl, both.realised_pnl, both.trades) == ("260", "0", 2)
    assert not both.HasField("highest_pnl")
    request = pb.GetPositionRequest(account_id="ACC1", instrument_id="ACME", sum_strategies=True)
    assert (await router.positions.GetPosition(request)).position == both
    request.strategy_id = "S1"
    refusal = await refused(router.positions.GetPosition(request))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")


async def test_pages_and_filters(router: Router) -> None:
    await traded(router, "30", "40", "S1")
    await traded(router, "10", "40", "S2")
    await traded(router, "10", "46", "S2", SIDE_SELL)
    await traded(router, "10", "40")

    first = await router.positions.ListPositions(pb.ListPositionsRequest(page_size=2))
    rest = await listed(router, page_size=2, page_token=first.next_page_token)

    assert [each.strategy_id for each in first.positions] == ["", "S1"]
    assert [each.strategy_id for each in rest] == ["S2"]
    held = await listed(router, filter=pb.PositionFilter(non_flat_only=True))
    assert [each.strategy_id for each in held] == ["", "S1"]
    assert [
        each.strategy_id for each in await listed(router, filter=pb.PositionFilter(strategy_ids=["S2"]))
    ] == ["S2"]
    assert await listed(router, filter=pb.PositionFilter(account_ids=["ACC2"])) == []


async def test_a_day_tells_what_was_done_on_it(router: Router) -> None:
    await traded(router, "30", "40", "S1")
    await traded(router, "10", "46", "S1", SIDE_SELL)
    await traded(router, "10", "46", "S2")

    first = await router.positions.ListDailyTotals(pb.ListDailyTotalsRequest(page_size=1))
    rest = await router.positions.ListDailyTotals(
        pb.ListDailyTotalsRequest(page_size=1, page_token=first.next_page_token)
    )

    [total] = first.totals
    today = datetime.now(UTC).date().isoformat()
    assert (total.day, total.strategy_id, total.session_id, total.currency) == (today, "S1", "BROKER", "USD")
    assert (total.orders, total.fills, total.realised_pnl) == (2, 2, "60")
    assert (total.bought_quantity, total.bought_value) == ("30", "1200")
    assert (total.sold_quantity, total.sold_value) == ("10", "460")
    assert [each.strategy_id for each in rest.totals] == ["S2"]
    assert not rest.next_page_token
    before = pb.ListDailyTotalsRequest(end_day="2020-01-01")
    assert not (await router.positions.ListDailyTotals(before)).totals
    since = pb.ListDailyTotalsRequest(start_day=today, session_ids=["BROKER"], strategy_ids=["S2"])
    assert len((await router.positions.ListDailyTotals(since)).totals) == 1
    refusal = await refused(
        router.positions.ListDailyTotals(pb.ListDailyTotalsRequest(start_day="2026-13-01"))
    )
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")


# Watching.


async def test_a_watch_begins_with_all_and_tells_of_fills_and_prices(router: Router) -> None:
    await traded(router, "30", "40", "S1")
    async with watching(router) as watch:
        first = await watch.read()
        assert isinstance(first, pb.WatchPositionsResponse)
        assert [each.quantity for each in first.snapshot.positions] == ["30"]
        assert not first.snapshot.more

        await price(router, "60")
        second = await watch.read()

        assert isinstance(second, pb.WatchPositionsResponse)
        assert [each.unrealised_pnl for each in second.changes.positions] == ["600"]
        assert (first.stream_sequence, second.stream_sequence) == (1, 2)


async def test_a_watch_of_what_is_held_tells_once_that_it_is_not_any_more(router: Router) -> None:
    await traded(router, "30", "40", "S1")
    async with watching(router, filter=pb.PositionFilter(non_flat_only=True)) as watch:
        await watch.read()
        await traded(router, "30", "40", "S1", SIDE_SELL)

        changes = await watch.read()

        assert isinstance(changes, pb.WatchPositionsResponse)
        assert [each.quantity for each in changes.changes.positions] == ["0"]


async def test_silence_is_told_and_what_is_not_wanted_is_not(router: Router) -> None:
    criteria = pb.PositionFilter(strategy_ids=["S9"])
    async with watching(router, filter=criteria, heartbeat_interval=Duration(seconds=1)) as watch:
        await watch.read()
        await traded(router, "30", "40", "S1")

        message = await watch.read()

        assert isinstance(message, pb.WatchPositionsResponse)
        assert message.WhichOneof("payload") == "heartbeat"


async def test_a_watch_ends_when_the_server_goes_down(router: Router) -> None:
    async with watching(router) as watch:
        await watch.read()

        router.app.router.position_news.close()

        ending = await watch.read()
        assert isinstance(ending, pb.WatchPositionsResponse)
        assert ending.ending.reason == STREAM_ENDING_REASON_DRAINING
        refusal = await refused(watch.read())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")


# Without a server.


async def test_what_does_not_fit_into_one_message_comes_in_parts() -> None:
    store, now = open_store("sqlite://"), datetime(2026, 11, 20, 15, tzinfo=UTC)
    held = Position(Decimal(1), Decimal(10), open_time=now, update_time=now, trades=1)
    store.commit(Batch(positions={("ACC1", f"I{number:05}", "S1"): held for number in range(25_000)}))
    book, news = Book(store.in_place), PositionNews()
    snapshot = store.load(now)
    book.load(snapshot)
    failures: list[BaseException] = []
    pipeline = Pipeline(store.begin, book.committed, failures.append)
    positions = Positions(book, Reference(pipeline, {}))
    watch = PositionWatch(positions, pb.PositionFilter(), 60.0, news, lambda: now)
    messages = watch.messages()

    parts = [pb.WatchPositionsResponse.FromString(await anext(messages)).snapshot]
    while parts[-1].more:
        parts.append(pb.WatchPositionsResponse.FromString(await anext(messages)).snapshot)

    assert len(parts) > 1
    found = [position.instrument_id for part in parts for position in part.positions]
    assert found == [f"I{number:05}" for number in range(25_000)]
    assert watch.lag == 0
    news.load(key for key, _ in snapshot.positions[:3])
    assert watch.lag == 3
    await messages.aclose()
    await pipeline.close()
    store.close()
