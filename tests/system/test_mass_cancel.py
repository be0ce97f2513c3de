"""A thousand working orders on two sessions, one call, and nothing is left of them: in our books and the venue's."""

from __future__ import annotations

import asyncio

from fairlead import AckLevel, NewOrder, OrderType, Side
from fairlead.v1.common_pb2 import ORDER_STATE_CANCELED
from fairlead.v1.execution_service_pb2 import EXECUTION_KIND_CANCELED

from tests.system.crowd import ACCOUNT
from tests.system.world import PATIENCE, World

EACH = 500
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
