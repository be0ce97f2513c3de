"""Positions and days, seen from both clients and the command line; a watch that outlives its streams."""

import json
from datetime import date
from typing import Any

from fairlead import AsyncClient, Client, PositionGone
from fairlead.v1 import position_service_pb2 as pb
from fairlead.v1.execution_service_pb2 import STREAM_ENDING_REASON_DRAINING, StreamEnding
from grpc import StatusCode as Code

from tests.clients.cli import Cli
from tests.clients.conftest import QUICK
from tests.clients.fakes import HANG, Fail, FakeRouter


def position(instrument_id: str = "AAPL", quantity: str = "10", **changes: Any) -> pb.Position:
    ordinary = {"account_id": "DEMO", "strategy_id": "S1", "realised_pnl": "1.5"}
    return pb.Position(instrument_id=instrument_id, quantity=quantity, **{**ordinary, **changes})


TOTAL = pb.DailyTotal(day="2026-11-20", account_id="DEMO", orders=3, fills=2, realised_pnl="-7")


async def test_positions_and_days_are_asked_for_page_by_page(router: FakeRouter, target: str) -> None:
    one, two = position(), position("MSFT")
    pages = [
        pb.ListPositionsResponse(positions=[one], next_page_token="next"),
        pb.ListPositionsResponse(positions=[two]),
    ]
    router.answers["ListPositions"] = [*pages, *pages]
    router.answers["GetPosition"] = [pb.GetPositionResponse(position=one)]
    router.answers["ListDailyTotals"] = [pb.ListDailyTotalsResponse(totals=[TOTAL])]
    day = date(2026, 11, 20)

    with Client(target, retry=QUICK) as client:
        found = list(client.list_positions(account_ids=["DEMO"], sum_strategies=True, page_size=1))
        assert found == [one, two]
        assert client.get_position("DEMO", "AAPL", "S1") == one
        assert list(client.list_daily_totals(start_day=day, session_ids="SIM44")) == [TOTAL]
    async with AsyncClient(target, retry=QUICK) as asynchronous:
        assert [each async for each in asynchronous.list_positions(non_flat_only=True)] == [one, two]
        assert await asynchronous.get_position("DEMO", "AAPL", sum_strategies=True) == one
        assert [each async for each in asynchronous.list_daily_totals(end_day=day)] == [TOTAL]

    first, second, third, _ = router.received["ListPositions"]
    assert first == pb.ListPositionsRequest(
        filter=pb.PositionFilter(account_ids=["DEMO"]), sum_strategies=True, page_size=1
    )
    assert second.page_token == "next"
    assert third.filter.non_flat_only
    named, summed = router.received["GetPosition"]
    assert (named.strategy_id, summed.sum_strategies) == ("S1", True)
    since, until = router.received["ListDailyTotals"]
    assert (since.start_day, list(since.session_ids), until.end_day) == (
        "2026-11-20",
        ["SIM44"],
        "2026-11-20",
    )


def part(number: int, *positions: pb.Position, more: bool = False) -> pb.WatchPositionsResponse:
    snapshot = pb.PositionSnapshot(positions=positions, more=more)
    return pb.WatchPositionsResponse(stream_sequence=number, snapshot=snapshot)


def changes(number: int, *positions: pb.Position) -> pb.WatchPositionsResponse:
    return pb.WatchPositionsResponse(stream_sequence=number, changes=pb.PositionChanges(positions=positions))


A, B, C = (position(name) for name in "ABC")
NEWS = [A, B, position("B", "20"), C, PositionGone("DEMO", "A", "S1")]


def cut_off(router: FakeRouter) -> None:
    ending = StreamEnding(reason=STREAM_ENDING_REASON_DRAINING)
    beat = pb.WatchPositionsResponse(stream_sequence=3, heartbeat=pb.PositionHeartbeat())
    router.position_watches = [
        [part(1, A, more=True), part(2, B), beat, changes(4, position("B", "20")), Fail(Code.UNAVAILABLE)],
        [part(1, more=True), Fail(Code.UNAVAILABLE)],
        [part(1, position("B", "20"), C), pb.WatchPositionsResponse(stream_sequence=2, ending=ending)],
        [part(1, position("B", "20"), C), HANG],
    ]


async def test_a_watch_brings_what_is_news_and_nothing_twice(router: FakeRouter, target: str) -> None:
    cut_off(router)
    with Client(target, retry=QUICK) as client, client.watch_positions(strategy_ids=["S1"]) as watch:
        updates = watch.updates()
        assert [next(updates) for _ in NEWS] == NEWS
    assert list(router.received["WatchPositions"][0].filter.strategy_ids) == ["S1"]

    cut_off(router)
    async with AsyncClient(target, retry=QUICK) as asynchronous, asynchronous.watch_positions() as followed:
        found = []
        async for each in followed:
            found.append(each)
            if len(found) == len(NEWS) - 1:
                break
    assert found == NEWS[:-1]


def test_what_has_become_flat_is_not_missed_afterwards(router: FakeRouter, target: str) -> None:
    flat = position("A", "0")
    router.position_watches = [
        [part(1, A, B), changes(2, flat), Fail(Code.UNAVAILABLE)],
        [part(1, B), changes(2, position("B", "30")), HANG],
    ]

    with Client(target, retry=QUICK) as client, client.watch_positions(non_flat_only=True) as watch:
        each = iter(watch)
        assert [next(each) for _ in range(4)] == [A, B, flat, position("B", "30")]


# The command line.


def test_positions_are_listed_as_a_table(router: FakeRouter, cli: Cli) -> None:
    shown = position(average_price="99.5", unrealised_pnl="-3", currency="USD")
    router.answers["ListPositions"] = [pb.ListPositionsResponse(positions=[shown])]

    assert cli("position", "list", "--account", "DEMO", "--held", "--sum") == 0

    heading, line = cli.out.splitlines()[:2]
    assert heading.split()[:5] == ["account", "instrument", "strategy", "quantity", "average"]
    assert line.split() == ["DEMO", "AAPL", "S1", "10", "99.5", "1.5", "-3", "USD"]
    (request,) = router.received["ListPositions"]
    assert (list(request.filter.account_ids), request.filter.non_flat_only) == (["DEMO"], True)
    assert request.sum_strategies


def test_one_position_is_shown_as_json(router: FakeRouter, cli: Cli) -> None:
    router.answers["GetPosition"] = [pb.GetPositionResponse(position=position())]

    assert cli("position", "show", "DEMO", "AAPL", "--strategy", "S1", "--output", "json") == 0

    assert json.loads(cli.out)["quantity"] == "10"
    (request,) = router.received["GetPosition"]
    assert (request.account_id, request.instrument_id, request.strategy_id) == ("DEMO", "AAPL", "S1")


def test_positions_are_watched(router: FakeRouter, cli: Cli) -> None:
    cut_off(router)

    assert cli("position", "watch", "--limit", "5", "--output", "jsonl") == 0

    assert [json.loads(line)["instrument_id"] for line in cli.out.splitlines()] == ["A", "B", "B", "C"]
    assert "DEMO/A/S1 is flat by now" in cli.err


def test_days_are_listed(router: FakeRouter, cli: Cli) -> None:
    router.answers["ListDailyTotals"] = [pb.ListDailyTotalsResponse(totals=[TOTAL])]

    assert cli("position", "days", "--since", "2026-11-19", "--session", "SIM44") == 0

    assert cli.out.splitlines()[1].split() == ["2026-11-20", "DEMO", "3", "2", "-7"]
    (request,) = router.received["ListDailyTotals"]
    assert request.start_day == "2026-11-19"
    assert cli("position", "days", "--until", "yesterday") == 2
    assert "'yesterday' is not a day such as 2026-11-20" in cli.err
