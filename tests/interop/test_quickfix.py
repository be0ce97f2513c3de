"""The router against QuickFIX, the FIX engine that most brokers have met: its sessions, its dictionaries, its store.

Every test ends in the same audit, see :mod:`tests.interop.audit`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fairlead import AckLevel, ClientOrder, OrderCapacity, OrderState, OrderType, TimeInForce

from tests.interop import line
from tests.interop.audit import BEGIN_STRINGS, numbers_used
from tests.interop.basket import BASKET, BUY, FILLED, REJECTED, SESSIONS, WORKING, Outcome, Row
from tests.interop.line import To
from tests.interop.market import Market
from tests.interop.quickfix_broker import journal

LIMIT, STOP, STOP_LIMIT = OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT
PLAIN = Row("AAPL", BUY, "100", "230.00", Outcome(FILLED, "100"))


async def together(*parts: Coroutine[None, None, None]) -> None:
    """All of them to their end; when one fails, the others end as well and leave nothing running."""
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part)


async def test_a_basket_is_traded_over_all_versions(market: Market) -> None:
    await market.desk.trade(BASKET)

    await market.agrees()
    for begin_string in BEGIN_STRINGS.values():
        for way in To:
            used = numbers_used(market.line.passed, begin_string, way)
            assert used == list(range(1, len(used) + 1))


@pytest.mark.parametrize("account", SESSIONS)
async def test_whatever_an_order_can_say_is_in_the_dictionary(market: Market, account: str) -> None:
    tonight = datetime.now(UTC) + timedelta(hours=1)
    orders: list[dict[str, Any]] = [
        {"order_type": LIMIT, "price": "23", "time_in_force": TimeInForce.GTD, "expire_time": tonight},
        {"order_type": LIMIT, "price": "23.05", "time_in_force": TimeInForce.OPG},
        {"order_type": LIMIT, "price": "23.10", "display_quantity": 10},
        {"order_type": LIMIT, "price": "23.15", "min_quantity": 10, "capacity": OrderCapacity.AGENCY},
        {"order_type": LIMIT, "price": "23.20", "post_only": True, "capacity": OrderCapacity.PRINCIPAL},
        {"order_type": STOP, "stop_price": "25.10"},
        {"order_type": STOP_LIMIT, "stop_price": "25.10", "price": "25.20"},
    ]
    for number, order in enumerate(orders):
        ref = ClientOrder(account, f"option-{number}")
        answer = await market.desk.client.submit_order(
            account_id=account,
            client_order_id=ref.client_order_id,
            instrument_id="INTC",
            side=BUY,
            quantity=100,
            ack_level=AckLevel.VENUE,
            **order,
        )
        market.desk.told[ref] = answer.order.order_id
        assert OrderState(answer.order.state) is WORKING

    await market.agrees()


async def test_a_line_that_is_cut_inside_messages_loses_and_doubles_nothing(market: Market) -> None:
    async def cut_again_and_again() -> None:
        await market.line.sees(8, To.ROUTER, "8")
        market.line.cut()
        await market.line.was_cut(line.cut_inside(To.BROKER, "D"))
        await market.line.was_cut(line.cut_inside(To.ROUTER, "8"))
        await market.line.was_cut(line.cut_inside(To.BROKER, "F", "G"))

    await together(market.desk.trade(BASKET * 4), cut_again_and_again())

    assert market.line.connections >= 2 + 4
    await market.agrees()


async def test_a_router_that_is_killed_goes_on_where_it_was(market: Market) -> None:
    async def kill_again_and_again() -> None:
        for _ in range(3):
            await market.line.sees(20, To.ROUTER, "8")
            await market.router.kill()
            await market.router.start()

    await together(market.desk.trade(BASKET * 3), kill_again_and_again())

    await market.agrees()


async def test_a_broker_that_is_killed_goes_on_where_it_was(market: Market) -> None:
    async def kill_again_and_again() -> None:
        for _ in range(3):
            await market.line.sees(20, To.ROUTER, "8")
            await market.broker.kill()
            await market.broker.start()

    await together(market.desk.trade(BASKET * 3), kill_again_and_again())

    await market.agrees()


async def test_a_broker_that_logs_out_is_traded_with_again_when_it_is_back(market: Market) -> None:
    await market.desk.trade(BASKET)
    assert await market.broker.stop() == 0
    await market.router.inactive(*BEGIN_STRINGS)
    await market.broker.start()
    await market.desk.trade(BASKET)

    await market.agrees()


async def test_after_an_ordered_restart_nothing_has_to_be_asked_for_again(market: Market) -> None:
    await market.desk.trade(BASKET)
    assert await market.router.stop() == 0
    await market.router.start()
    await market.desk.trade(BASKET)

    await market.agrees()
    assert [str(p) for p in market.line.passed if p.fields["35"] in {"2", "4"}] == []


class TestSilence:
    @pytest.fixture
    def settings(self) -> dict[str, str]:
        return {"heart_bt_int": "2", "resend_stale_ms": "600000"}

    async def test_heartbeats_keep_an_idle_line_open(self, market: Market) -> None:
        await together(market.line.sees(4, To.ROUTER, "0"), market.line.sees(4, To.BROKER, "0"))
        await market.desk.trade([PLAIN])

        assert market.line.connections == len(BEGIN_STRINGS)
        await market.agrees()

    async def test_a_line_that_has_died_is_noticed_and_what_was_lost_is_sent_again(
        self, market: Market
    ) -> None:
        market.line.judge = line.lose_all(To.ROUTER)
        for account in SESSIONS:
            await market.desk.enter(PLAIN, account)
        await market.router.inactive(*BEGIN_STRINGS)
        market.line.judge = line.let_pass
        await market.desk.settled()

        tested = {p.fields["8"] for p in market.line.passed if p.to is To.BROKER and p.fields["35"] == "1"}
        assert tested == set(BEGIN_STRINGS.values())
        await market.agrees()


async def test_an_order_that_was_lost_for_a_moment_is_sent_again_as_possible_duplicate(
    market: Market,
) -> None:
    market.line.judge = line.lose_all(To.BROKER)
    for account in SESSIONS:
        await market.desk.enter(PLAIN, account)
    market.line.cut()
    market.line.judge = line.let_pass
    await market.desk.settled()

    assert {
        (heard["msg_type"], heard["poss_dup"]) for heard in journal.read(market.broker.journal, "heard")
    } == {("D", True)}
    await market.agrees()


class TestStale:
    @pytest.fixture
    def settings(self) -> dict[str, str]:
        return {"resend_stale_ms": "0"}

    async def test_an_aged_order_is_never_sent_late_but_asked_for(self, market: Market) -> None:
        market.line.judge = line.lose_all(To.BROKER)
        for account in SESSIONS:
            await market.desk.enter(Row("AAPL", BUY, "100", "230.00", Outcome(REJECTED)), account)
        market.line.cut()
        market.line.judge = line.let_pass
        await market.desk.settled()

        assert [heard["msg_type"] for heard in journal.read(market.broker.journal, "heard")] == ["H"] * len(
            SESSIONS
        )
        await market.agrees()

    async def test_an_aged_order_that_had_arrived_is_found_by_asking(self, market: Market) -> None:
        market.line.judge = line.lose_all(To.ROUTER)
        for account in SESSIONS:
            await market.desk.enter(PLAIN, account)
        market.line.cut()
        market.line.judge = line.let_pass
        await market.desk.settled()

        await market.agrees()
