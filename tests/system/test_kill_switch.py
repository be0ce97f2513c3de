"""A thousand working orders on two sessions, and the kill switch: nothing new passes, nothing is left, whoever dies in between.

How long it took is printed (``-s``) and not judged: the machine that runs this may have other things to do.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from time import perf_counter

import pytest
from fairlead import (
    AckLevel,
    AsyncClient,
    FairleadError,
    NewOrder,
    OrderState,
    OrderType,
    Side,
    TradingState,
    new_key,
)
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import Order
from fairlead.v1.trading_control_service_pb2 import FLATTEN_STAGE_FLAT, ScopeState

from tests.system.books import received
from tests.system.crowd import ACCOUNT
from tests.system.processes import Process
from tests.system.test_mass_cancel import EACH, PATIENT, PLACES, resting, until_none_is_live
from tests.system.world import PATIENCE, QUICK, World

ANN, BOB = {"x-client": "ann"}, {"x-client": "bob"}
SESSIONS = ("SIM44", "SIM42")


async def begin(world: World, *settings: str) -> tuple[Process, Process]:
    """Half of the orders rest over each session."""
    venue = await world.start_venue('mass_cancel = "accept"\nrules = []\n')
    router = await world.start_router(PATIENT, *settings)
    for session in SESSIONS:
        await world.until_serving(f"session/{session}")
    orders = [resting(instrument, number) for number in range(EACH) for instrument in PLACES]
    async with world.client() as client:
        submitted = await client.batch_submit_orders(orders, require_all_risk_pass=True, timeout=30)
    assert {result.ok.order.venue.session_id for result in submitted.results} == set(SESSIONS)
    return venue, router


def by(world: World, name: dict[str, str]) -> AsyncClient:
    return AsyncClient(world.target, retry=QUICK, metadata=name)


async def reached(client: AsyncClient) -> None:
    """A channel that has failed to connect tries again only after a while."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(FairleadError):
                await client.server_info()
                return
            await asyncio.sleep(0.1)


def another(number: int) -> NewOrder:
    return {**resting("JPM", EACH + number), "ack_level": AckLevel.ACCEPTED}


async def until_complete(client: AsyncClient) -> ScopeState:
    async with asyncio.timeout(PATIENCE):
        while not (  # noqa: ASYNC110 - asked for, as an operator would
            state := await client.get_trading_state(everything=True, timeout=PATIENCE)
        ).kill.complete:
            await asyncio.sleep(0.05)
    return state


def was_refused(order: Order) -> bool:
    refused = order.reject.reason == common_pb2.REJECT_REASON_RISK_KILL_SWITCH
    return refused and OrderState(order.state) is OrderState.REJECTED


def canceled_at_the_venue(world: World) -> int:
    """So many orders it was asked to cancel, each by itself; a mass cancel counts for all of its session."""
    return len(set(received(world.journal, "F")))


@pytest.mark.parametrize("able", [False, True], ids=["one by one", "one message where the session has it"])
async def test_a_thousand_orders_are_cancelled_and_nothing_new_passes(world: World, able: bool) -> None:
    settings = ("sessions.SIM44.mass_cancel=true",) if able else ()
    venue, router = await begin(world, *settings)
    async with by(world, ANN) as ann, by(world, BOB) as bob:
        began = perf_counter()
        kill = asyncio.create_task(ann.activate_kill_switch(everything=True, reason="a test", wait=30))
        while not await ann.list_trading_states(timeout=PATIENCE):
            pass
        first = (await ann.submit_order(**another(1))).order
        state = (await kill).state
        took = perf_counter() - began

        assert was_refused(first)
        assert (state.kill.complete, state.kill.matched_count, state.kill.ended_count) == (
            True,
            2 * EACH,
            2 * EACH,
        )
        decided = state.kill.complete_time.ToMicroseconds() - state.set_time.ToMicroseconds()
        print(f"\nkill of {2 * EACH} orders: {decided / 1e6:.3f} s in the router, {took:.3f} s to its caller")
        await until_none_is_live(world)
        assert canceled_at_the_venue(world) == (EACH if able else 2 * EACH)
        await bob.release_kill_switch(everything=True, reason="over")
        passed = (await ann.submit_order(**resting("JPM", EACH + 2))).order
    assert OrderState(passed.state) is not OrderState.REJECTED
    await world.balanced(router, venue)


async def test_kill_9_in_the_middle_of_a_kill_is_gone_on_with(world: World) -> None:
    venue, router = await begin(world)
    request_id = new_key()
    async with by(world, ANN) as ann:
        kill = asyncio.create_task(
            ann.activate_kill_switch(everything=True, reason="a test", wait=0, request_id=request_id)
        )
        while not await ann.list_trading_states(timeout=PATIENCE):
            pass
        router.signal(signal.SIGKILL)
        await router.ended()
        began = perf_counter()
        router = await world.start_router(PATIENT)

        await asyncio.wait([kill])  # answered or not
    async with by(world, ANN) as ann:
        await reached(ann)
        answer = await ann.activate_kill_switch(
            everything=True, reason="a test", wait=0, request_id=request_id
        )
        refused = (await ann.submit_order(**another(1))).order
        state = await until_complete(ann)
    took = perf_counter() - began
    print(f"\nkill -9 in a kill: {took:.3f} s from the start of the next router to the end of all orders")

    assert TradingState(answer.state.state) is TradingState.KILLED
    assert was_refused(refused)
    assert (state.kill.matched_count, state.kill.ended_count) == (2 * EACH, 2 * EACH)
    await until_none_is_live(world)
    await world.balanced(router, venue)


async def test_a_session_that_comes_up_later_gets_its_cancels(world: World) -> None:
    venue, router = await begin(world)
    await venue.kill()
    for session in SESSIONS:
        await world.until_serving(f"session/{session}", serving=False)
    async with by(world, ANN) as ann:
        answer = await ann.activate_kill_switch(everything=True, reason="a test", wait=0)
        assert answer.state.kill.left_count == 2 * EACH
        await router.kill()
        router = await world.start_router(PATIENT)
        venue = await world.start_venue('mass_cancel = "accept"\nrules = []\n')
        await reached(ann)
        await until_complete(ann)
    await until_none_is_live(world)
    await world.balanced(router, venue)


async def test_a_flatten_leaves_neither_orders_nor_positions_whoever_dies(world: World) -> None:
    venue = await world.start_venue('mass_cancel = "accept"\nrules = []\n')
    router = await world.start_router(PATIENT)
    for session in SESSIONS:
        await world.until_serving(f"session/{session}")
    async with by(world, ANN) as ann:
        bought = (
            await ann.submit_order(
                account_id=ACCOUNT,
                instrument_id="JPM",
                side=Side.BUY,
                quantity=10,
                order_type=OrderType.MARKET,
                strategy_id="S1",
                ack_level=AckLevel.VENUE,
            )
        ).order
        while OrderState(bought.state) is not OrderState.FILLED:
            bought = await ann.get_order(bought, wait_for_version=bought.version, timeout=PATIENCE)
        for number in range(20):
            await ann.submit_order(**resting("JPM", number))
        request_id = new_key()
        flatten = asyncio.create_task(
            ann.flatten(everything=True, reason="a test", wait=30, request_id=request_id)
        )
        while not await ann.list_flattens(timeout=PATIENCE):
            pass
        await router.kill()
        router = await world.start_router(PATIENT)
        await asyncio.wait([flatten])  # answered or not
    async with by(world, ANN) as ann:
        await reached(ann)
        await ann.flatten(everything=True, reason="a test", wait=30, request_id=request_id)
        async with asyncio.timeout(PATIENCE):
            while not (state := await ann.get_flatten(request_id, timeout=PATIENCE)).HasField("end_time"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert state.stage == FLATTEN_STAGE_FLAT
    assert [(order.strategy_id, order.quantity) for order in state.orders] == [("S1", "10")]
    await until_none_is_live(world)
    await world.balanced(router, venue)
