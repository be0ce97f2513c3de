"""Many working orders, one call, and nothing is left of them: in our books and the venue's, whoever dies in between."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import pytest
from fairlead import AckLevel, NewOrder, OrderType, Side
from fairlead.v1.common_pb2 import ORDER_STATE_CANCELED
from fairlead.v1.execution_service_pb2 import EXECUTION_KIND_CANCELED

from tests.system.books import read_router, read_venue, received
from tests.system.crowd import ACCOUNT
from tests.system.processes import Process
from tests.system.proxy import proxy
from tests.system.test_broken_connection import nothing, once
from tests.system.world import PATIENCE, World

EACH = 500
FEW = 12
ABLE = ("sessions.SIM44.mass_cancel=true", "sessions.SIM44.inflight_warn_ms=30000")
HASTY = ("sessions.SIM44.mass_cancel=true", "sessions.SIM44.inflight_warn_ms=500")
PATIENT = "sessions.SIM44.inflight_alarm_ms=60000"
MASS_CANCEL, MASS_REPORT = b"\x0135=q\x01", b"\x0135=r\x01"
PLACES = {"JPM": "150.00", "XAUUSD": "1500.00"}  # over SIM44 and SIM42, too far away to trade


def resting(instrument: str, number: int) -> NewOrder:
    return {
        "account_id": ACCOUNT,
        "client_order_id": f"{instrument}-{number}",
        "instrument_id": instrument,
        "side": Side.BUY,
        "quantity": 10,
        "order_type": OrderType.LIMIT,
        "price": PLACES[instrument],
        "ack_level": AckLevel.VENUE,
    }


async def until_none_is_live(world: World) -> None:
    async with asyncio.timeout(PATIENCE), world.client() as client:
        async for order in client.list_orders(live_only=True):
            shown = order
            while shown.state != ORDER_STATE_CANCELED:
                shown = await client.get_order(shown, wait_for_version=shown.version, timeout=PATIENCE)


async def test_a_thousand_orders_on_two_sessions_are_cancelled_by_one_call(world: World) -> None:
    venue = await world.start_venue(rules="")
    router = await world.start_router()
    for session in ("SIM44", "SIM42"):
        await world.until_serving(f"session/{session}")
    orders = [resting(instrument, number) for number in range(EACH) for instrument in PLACES]
    async with world.client() as client:
        submitted = await client.batch_submit_orders(orders, require_all_risk_pass=True, timeout=30)
        assert [result.ok.order.client_order_id for result in submitted.results] == [
            order["client_order_id"] for order in orders
        ]
        counted = await client.cancel_all_orders(account_id=ACCOUNT, validate_only=True)
        one = await client.cancel_all_orders(
            account_id=ACCOUNT, instrument_ids=["XAUUSD"], validate_only=True
        )
        assert (counted.matched_count, one.matched_count) == (2 * EACH, EACH)

        done = await client.cancel_all_orders(account_id=ACCOUNT)
        again = await client.cancel_all_orders(account_id=ACCOUNT)

    assert (done.matched_count, done.requested_count) == (2 * EACH, 2 * EACH)
    assert again.matched_count == again.already_pending_count  # or they are cancelled by now
    assert {result.ok.order.venue.session_id for result in submitted.results} == {"SIM44", "SIM42"}
    await until_none_is_live(world)
    canceled = [event for event in await world.log() if event.kind == EXECUTION_KIND_CANCELED]
    assert len({event.order.order_id for event in canceled}) == 2 * EACH
    assert {event.cause.mass_cancel_id for event in canceled} == {done.mass_cancel_id}
    await world.balanced(router, venue)


async def begin(world: World, policy: str, *settings: str) -> tuple[Process, Process]:
    """A broker that is strict and treats mass cancels so, and a router with orders that rest there, over both sessions."""
    venue = await world.start_venue(f'mass_cancel = "{policy}"\nvalidation = "strict"\nrules = []\n')
    router = await world.start_router(*settings, PATIENT)
    for session in ("SIM44", "SIM42"):
        await world.until_serving(f"session/{session}")
    async with world.client() as client:
        orders = [resting(instrument, number) for number in range(FEW) for instrument in PLACES]
        await client.batch_submit_orders(orders, require_all_risk_pass=True, timeout=30)
    return venue, router


async def cancel_all(world: World) -> str:
    async with world.client() as client:
        done = await client.cancel_all_orders(all_accounts=True)
    assert (done.matched_count, done.requested_count) == (2 * FEW, 2 * FEW)
    return done.mass_cancel_id


def asked(world: World) -> tuple[int, int]:
    """How many mass cancels and how many single ones the venue has received over SIM44; SIM42 has no word for the former."""
    over_44 = {
        row["cl_ord_id"]
        for client, rows in read_venue(world.journal.read_text().splitlines()).received.items()
        for row in rows
        if row["type"] == "F" and client.startswith("FIX.4.4")
    }
    return len(received(world.journal, "q")), len(over_44)


@pytest.mark.parametrize(
    ("policy", "settings", "singly"),
    [("accept", ABLE, 0), ("reject", ABLE, FEW), ("silent", HASTY, FEW), ("partial", HASTY, FEW // 2)],
)
async def test_one_message_cancels_all_and_what_it_does_not_is_cancelled_singly(
    world: World, policy: str, settings: tuple[str, ...], singly: int
) -> None:
    venue, router = await begin(world, policy, *settings)

    mass_cancel_id = await cancel_all(world)
    await until_none_is_live(world)

    canceled = [event for event in await world.log() if event.kind == EXECUTION_KIND_CANCELED]
    assert {event.cause.mass_cancel_id for event in canceled} == {mass_cancel_id}
    assert len(canceled) == 2 * FEW
    await world.balanced(router, venue)
    assert asked(world) == (1, singly)


@pytest.mark.parametrize(
    ("direction", "at", "then"),
    [
        ("to_server", MASS_CANCEL, nothing),  # it never arrives
        ("to_server", MASS_CANCEL, bytes),  # it arrives, and nobody is there for the answer
        ("to_client", MASS_REPORT, nothing),  # the answer never arrives
        ("to_client", MASS_REPORT, bytes),  # it arrives, and may have been taken or not
    ],
)
async def test_kill_9_between_the_message_and_its_answer_forgets_no_order(
    world: World, direction: str, at: bytes, then: Callable[[bytes], bytes | None]
) -> None:
    async with proxy(world.fix_port) as between:
        world.venue_port = between.port
        venue, router = await begin(world, "accept", *ABLE)
        died = asyncio.Event()

        def die(data: bytes) -> bytes | None:
            router.signal(signal.SIGKILL)
            died.set()
            return then(data)

        once(between, direction, at, die)
        mass_cancel = asyncio.create_task(cancel_all(world))
        async with asyncio.timeout(PATIENCE):
            await died.wait()
        await router.ended()
        router = await world.start_router(*ABLE, PATIENT)

        await mass_cancel  # asked again under its key, by the client itself
        await until_none_is_live(world)
        await world.balanced(router, venue)
    assert asked(world) == (1, 0)


async def test_kill_9_while_the_venue_is_silent_ends_in_single_cancels(world: World) -> None:
    venue, router = await begin(world, "silent", *HASTY)
    await cancel_all(world)
    await router.kill()
    router = await world.start_router(*HASTY, PATIENT)
    await until_none_is_live(world)
    await world.balanced(router, venue)
    assert asked(world) == (1, FEW)


async def test_a_mass_cancel_that_is_decided_while_the_venue_is_away_goes_out_as_one(world: World) -> None:
    venue, router = await begin(world, "accept", *ABLE)
    await venue.kill()
    await world.until_serving(serving=False)
    await cancel_all(world)
    await router.kill()
    router = await world.start_router(*ABLE, PATIENT)
    venue = await world.start_venue('mass_cancel = "accept"\nvalidation = "strict"\nrules = []\n')
    await until_none_is_live(world)
    await world.balanced(router, venue)
    assert asked(world) == (1, 0)


async def test_after_a_reset_one_question_about_all_orders_is_answered_for_each(world: World) -> None:
    resets = ('sessions.SIM44.reset_on=["logon"]', "sessions.SIM44.mass_status=true")
    async with proxy(world.fix_port) as between:
        world.venue_port = between.port
        venue, router = await begin(world, "accept", *resets)
        between.cut()
        await between.opened(4)
        await world.until_serving()
        await cancel_all(world)
        await until_none_is_live(world)
        await world.balanced(router, venue)
    questions = [row for row in read_router(world.store).messages if row["msg_type"] == "AF"]
    theirs = read_venue(world.journal.read_text().splitlines()).sent["FIX.4.4:SIM:FAIRLEAD"]
    answers = [row["frame"] for row in theirs if f"\x01911={FEW}\x01" in row["frame"]]
    assert (len(questions), len(answers)) == (1, FEW)
    assert [f"\x01912={last}\x01" in answers[-1] for last in "YN"] == [True, False]
