"""Dead man's switches: silence cancels and pauses, a sign of life begins the time anew, a restart too."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from fairlead_server.domain.errors import UnknownDeadManSwitch
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.domain.trading_state import TradingState
from fairlead_server.routing.dead_men import DeadMen

from tests.domain.builders import NOW
from tests.routing.desk import Desk
from tests.routing.test_trading_states import ANN, BOB, kill, refusal, say

OURS, AT_ONCE, LONG = Scope("ACC1"), timedelta(0), timedelta(hours=1)


def dead_men(desk: Desk, now: datetime = NOW) -> DeadMen:
    return DeadMen(desk.book, desk.ledger, desk.pipeline, desk.mass_cancels, desk.trading_states, lambda: now)


async def fired(desk: Desk, men: DeadMen) -> None:
    while men._timers:  # noqa: ASYNC110 - nothing tells when the time is over
        await asyncio.sleep(0)
    await desk.pipeline.durable()


async def test_silence_cancels_what_is_live_and_pauses_the_scope(desk: Desk) -> None:
    order, men = desk.working(), dead_men(desk)
    men.arm(OURS, AT_ONCE, ANN, NOW)
    await fired(desk, men)
    assert desk.now(order).pending
    assert refusal(desk) is RejectReason.RISK_TRADING_PAUSED
    assert men.all() == []
    await desk.pipeline.durable()
    assert desk.store.load(NOW).dead_men == []
    actions = [row.action for row in desk.store.audit("", 9)][::-1]
    assert actions == ["dead_man.arm", "trading.pause", "dead_man.fire"]


async def test_a_sign_of_life_begins_the_time_anew_and_writes_nothing(desk: Desk) -> None:
    men = dead_men(desk)
    armed = men.arm(OURS, LONG, ANN, NOW)
    await desk.pipeline.durable()
    before, timer = len(desk.writer.batches), men._timers[OURS]
    assert men.arm(OURS, LONG, ANN, NOW) == armed
    await desk.pipeline.durable()
    assert len(desk.writer.batches) == before
    assert timer.cancelled()
    assert men.left(armed) > LONG / 2
    men.drain()


async def test_it_is_disarmed_by_whoever_may(desk: Desk) -> None:
    men = dead_men(desk)
    men.arm(OURS, LONG, ANN, NOW)
    men.disarm(OURS, BOB, NOW)
    assert not men._timers
    with pytest.raises(UnknownDeadManSwitch):
        men.disarm(OURS, BOB, NOW)


async def test_what_is_armed_outlives_the_router_and_has_its_whole_time_again(desk: Desk) -> None:
    order, men = desk.working(), dead_men(desk)
    men.arm(OURS, AT_ONCE, ANN, NOW)
    men.drain()
    await desk.pipeline.durable()
    again = dead_men(desk)
    again.load(desk.store.load(NOW).dead_men)
    assert [switch.scope for switch in again.all()] == [OURS]
    await fired(desk, again)
    assert desk.now(order).pending


async def test_one_whose_end_was_lost_fires_anew_whatever_was_said_meanwhile(desk: Desk) -> None:
    men = dead_men(desk)
    switch = men.arm(OURS, AT_ONCE, ANN, NOW)
    await fired(desk, men)
    say(desk, TradingState.ACTIVE, OURS)
    order, again = desk.working(), dead_men(desk, NOW + LONG)
    again.load([switch])
    await fired(desk, again)
    assert desk.now(order).pending
    assert refusal(desk) is RejectReason.RISK_TRADING_PAUSED


async def test_a_kill_stays_one(desk: Desk) -> None:
    men = dead_men(desk)
    kill(desk, EVERYTHING)
    men.arm(EVERYTHING, AT_ONCE, ANN, NOW)
    await fired(desk, men)
    halt = desk.trading_states.of(EVERYTHING)
    assert halt is not None
    assert halt.state is TradingState.KILLED
