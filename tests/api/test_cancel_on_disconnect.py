"""Orders that die with their client, and those that do not."""

from __future__ import annotations

from pathlib import Path

import grpc
from fairlead.v1.common_pb2 import (
    ACK_LEVEL_VENUE,
    INITIATOR_SYSTEM,
    ORDER_STATE_CANCELED,
    ORDER_STATE_WORKING,
    TIME_IN_FORCE_GTC,
    Order,
)
from fairlead.v1.execution_service_pb2 import EXECUTION_KIND_CANCEL_REQUESTED, START_POSITION_EARLIEST
from fairlead.v1.order_service_pb2 import GetOrderRequest

from tests.api.router import Router, by_id, new_order, running
from tests.api.trader import Trader, amend, hello


async def enter(trader: Trader, **changes: object) -> Order:
    (result,) = await trader.ask(new_order(ack_level=ACK_LEVEL_VENUE, **changes))
    assert result.submit.order.state == ORDER_STATE_WORKING
    return result.submit.order


async def canceled(router: Router, order: Order) -> Order:
    """Wait until it is."""
    subscriber = router.subscribe(position=START_POSITION_EARLIEST)
    while True:
        for event in await subscriber.events(1):
            if event.order.order_id == order.order_id and event.order.state == ORDER_STATE_CANCELED:
                return event.order


async def state(router: Router, order: Order) -> int:
    return (await router.orders.GetOrder(GetOrderRequest(order=by_id(order)))).order.state


async def all_that_die_now_are_dead(router: Router) -> None:
    """What another client has lost since is cancelled, so whatever was due before has been done."""
    async with Trader(router, hello(grace=0)) as sentinel:
        order = await enter(sentinel)
    await canceled(router, order)


async def test_the_orders_of_a_client_that_is_gone_are_cancelled(router: Router) -> None:
    async with Trader(router, hello(grace=0)) as trader:
        orders = [await enter(trader) for _ in range(3)]
        await trader.ask(amend(orders[0], quantity="60", ack_level=ACK_LEVEL_VENUE))

    told = [await canceled(router, order) for order in orders]

    assert told[0].last_cause.mass_cancel_id
    assert len({order.last_cause.mass_cancel_id for order in told}) == 1
    asked = [event for event in await router.log() if event.kind == EXECUTION_KIND_CANCEL_REQUESTED]
    assert {event.order.order_id for event in asked} == {order.order_id for order in orders}
    assert {event.cause.initiator for event in asked} == {INITIATOR_SYSTEM}
    assert {event.cause.mass_cancel_id for event in asked} == {told[0].last_cause.mass_cancel_id}


async def test_orders_of_others_and_of_other_accounts_stay(router: Router) -> None:
    alone = await router.working()
    async with (
        Trader(router, hello(grace=0)) as other,
        Trader(router) as careless,
    ):
        async with Trader(router, hello(grace=0, accounts=["ACC2"])) as trader:
            stays, goes = await enter(trader), await enter(trader, account_id="ACC2")
            kept, outlives = await enter(other), await enter(careless)
        await canceled(router, goes)
        assert await state(router, kept) == ORDER_STATE_WORKING
    await canceled(router, kept)

    assert {await state(router, each) for each in (alone, stays, outlives)} == {ORDER_STATE_WORKING}


async def test_what_is_good_till_cancelled_dies_only_where_that_is_said(router: Router) -> None:
    mortal = hello(grace=0)
    mortal.cancel_on_disconnect.good_till_too = True
    async with Trader(router, hello(grace=0)) as trader, Trader(router, mortal) as other:
        stays, goes = await enter(trader, time_in_force=TIME_IN_FORCE_GTC), await enter(trader)
        dies = await enter(other, time_in_force=TIME_IN_FORCE_GTC)
    await canceled(router, goes)
    await canceled(router, dies)
    assert await state(router, stays) == ORDER_STATE_WORKING


async def test_a_client_that_takes_its_leave_may_keep_its_orders(router: Router) -> None:
    async with Trader(router, hello(grace=0)) as trader:
        order = await enter(trader)
        await trader.close(keep_orders=True)

    await all_that_die_now_are_dead(router)
    assert await state(router, order) == ORDER_STATE_WORKING


async def test_a_close_that_does_not_say_so_keeps_nothing(router: Router) -> None:
    async with Trader(router, hello(grace=0)) as trader:
        order = await enter(trader)
        await trader.close(keep_orders=False)

    await canceled(router, order)


async def test_a_client_that_comes_back_takes_over_its_orders(router: Router) -> None:
    first = Trader(router, hello(grace=0))
    async with first:
        order = await enter(first)
        async with Trader(router, first.hello) as second:
            await first.next()  # the ending
            await first.refused()
            await all_that_die_now_are_dead(router)
            assert await state(router, order) == ORDER_STATE_WORKING
            await second.ask(new_order())

    await canceled(router, order)


async def test_what_the_last_stream_of_a_session_said_counts(router: Router) -> None:
    long = hello(grace=3600)
    async with Trader(router, long) as trader:
        order = await enter(trader)
    async with Trader(router, hello(grace=0, key=long.session_key)):
        assert await state(router, order) == ORDER_STATE_WORKING
    await canceled(router, order)

    async with Trader(router, hello(grace=0)) as trader:
        order = await enter(trader)
        async with Trader(router, hello(key=trader.hello.session_key)):
            pass
    await all_that_die_now_are_dead(router)
    assert await state(router, order) == ORDER_STATE_WORKING


async def test_a_session_that_is_over_may_begin_again(router: Router) -> None:
    greeting = hello(grace=0)
    for _ in range(2):
        async with Trader(router, greeting) as trader:
            order = await enter(trader)
        await canceled(router, order)


async def test_the_grace_begins_anew_when_the_router_does(tmp_path: Path) -> None:
    """Nothing is cancelled when the router goes down, and what was said before it did is not forgotten."""
    store = f"sqlite:///{tmp_path / 'router.db'}"
    async with running(store) as router:
        async with Trader(router, hello(grace=0)) as kept:
            stays = await enter(kept)
            await kept.close(keep_orders=True)
        trader = Trader(router, hello(grace=0))
        await trader.__aenter__()
        order = await enter(trader)
        await router.app.stop()
        assert (await trader.next()).HasField("ending")
        assert (await trader.refused()).code == grpc.StatusCode.UNAVAILABLE
        assert router.broker.count("F") == 0
        numbers = router.broker.session.numbers

    async with running(store, numbers, orders=router.broker.orders) as router:
        await router.broker.until("F")
        assert router.broker.heard[0][41] == order.venue.cl_ord_id
        assert await state(router, stays) == ORDER_STATE_WORKING
