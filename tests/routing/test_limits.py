"""Limits that stand on what is kept beside the orders: fills, the day, one's own orders; and limits that change meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import pytest
from fairlead_server.domain.cause import Initiator
from fairlead_server.domain.errors import EtagMismatch, LimitSetFixed, UnknownLimitSet
from fairlead_server.domain.instrument import ReferencePrice
from fairlead_server.domain.order import Order, OrderState, PendingAction
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.risk import LimitSet
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.domain.terms import Side
from fairlead_server.routing.ports import Operator
from fairlead_server.store.database import Store

from tests.domain.builders import NOW, limit_set, new_order, policy, terms, trade
from tests.routing.desk import Desk

OPS = Operator("ops", "as agreed")
STRATEGY = Scope(strategy_id="momentum")


def opened(store: Store, *sets: LimitSet) -> Desk:
    return Desk(store, policy=policy(sets=sets, version="v1"))


def limited(scope: Scope = EVERYTHING, **values: int) -> LimitSet:
    return limit_set(scope, "own", values={name: Decimal(value) for name, value in values.items()})


def tried(desk: Desk, number: int, **changes: object) -> Order:
    return desk.submit(new_order(client_order_id=f"order-{number}", **changes)).order


def reasons(orders: Iterable[Order]) -> list[RejectReason | None]:
    return [order.reject.reason if order.reject else None for order in orders]


async def test_a_strategy_that_has_traded_often_waits_for_a_person_also_after_a_restart(store: Store) -> None:
    desk = opened(store, limited(STRATEGY, max_executions=2))
    orders = [tried(desk, number, strategy_id="momentum") for number in range(2)]
    for number, order in enumerate(orders):
        desk.hear(trade(f"E{number}", 100, cl_ord_id=order.cl_ord_id))
    refused, other = tried(desk, 2, strategy_id="momentum"), tried(desk, 3, strategy_id="value")
    assert reasons([refused, other]) == [RejectReason.RISK_REPEATED_EXECUTIONS, None]

    desk = await desk.restarted()
    assert reasons([tried(desk, 4, strategy_id="momentum")]) == [RejectReason.RISK_REPEATED_EXECUTIONS]
    desk.limits.enable("own", OPS, NOW)

    assert reasons([tried(desk, 5, strategy_id="momentum")]) == [None]
    await desk.pipeline.durable()
    (row,) = desk.store.audit("own", 1)
    assert (row.action, row.before, row.after) == ("risk.limits.enable", "2 executions", "none")
    await desk.end()


async def test_another_set_of_the_same_name_counts_fills_anew(store: Store) -> None:
    desk = opened(store)
    throttle = limited(STRATEGY, max_executions=1)
    desk.limits.put(throttle, None, OPS, NOW)
    order = tried(desk, 1, strategy_id="momentum")
    desk.hear(trade("E1", 100, cl_ord_id=order.cl_ord_id))
    assert desk.limits.executions("own") == 1

    desk.limits.delete("own", None, OPS, NOW)
    desk.limits.put(throttle, None, OPS, NOW)

    assert reasons([tried(desk, 2, strategy_id="momentum")]) == [None]
    await desk.end()


@pytest.mark.parametrize(("words", "canceled"), [({"CANCEL_NEWEST"}, False), ({"CANCEL_BOTH"}, True)])
async def test_an_order_that_could_trade_with_ones_own_is_refused(
    store: Store, words: set[str], *, canceled: bool
) -> None:
    own = limit_set(Scope("ACC1"), "own", words={"self_trade": frozenset(words)})
    desk = opened(store, own)
    crossing = desk.working(new_order(client_order_id="a", side=Side.SELL, terms=terms(price=50)))
    above = desk.working(new_order(client_order_id="b", side=Side.SELL, terms=terms(price=51)))

    refused = tried(desk, 1, terms=terms(price=50))

    assert reasons([refused]) == [RejectReason.RISK_SELF_TRADE]
    pending = PendingAction.CANCEL if canceled else PendingAction.NONE
    assert [desk.now(order).pending_action for order in (crossing, above)] == [pending, PendingAction.NONE]
    if canceled:
        cause = desk.now(crossing).last_cause
        assert cause is not None
        assert cause.initiator is Initiator.RISK
    await desk.end()


async def test_a_price_that_was_asked_for_may_trade_with_ones_own_already(store: Store) -> None:
    desk = opened(store, limit_set(Scope("ACC1"), "own", words={"self_trade": frozenset({"CANCEL_NEWEST"})}))
    resting = desk.working(new_order(client_order_id="a", side=Side.SELL, terms=terms(price=52)))
    desk.amend(resting, price="51")

    found = [tried(desk, price, terms=terms(price=price)) for price in (50, 51)]

    assert reasons(found) == [None, RejectReason.RISK_SELF_TRADE]
    await desk.end()


async def test_a_limit_of_a_strategy_counts_positions_and_orders_of_that_alone(store: Store) -> None:
    desk = opened(store, limited(STRATEGY, max_position=250))
    first = tried(desk, 1, strategy_id="momentum")
    tried(desk, 2, strategy_id="value")
    desk.hear(trade("E1", 100, cl_ord_id=first.cl_ord_id))
    second = tried(desk, 3, strategy_id="momentum")

    desk = await desk.restarted()

    assert reasons([second, tried(desk, 4, strategy_id="momentum"), tried(desk, 5, strategy_id="value")]) == [
        None,
        RejectReason.RISK_POSITION_LIMIT,
        None,
    ]
    await desk.end()


async def test_a_limit_of_a_session_counts_what_goes_there(store: Store) -> None:
    desk = opened(store, limited(Scope(session_id="BROKER"), max_open_orders=2))

    orders = [tried(desk, number) for number in range(3)]

    assert reasons(orders) == [None, None, RejectReason.RISK_OPEN_ORDER_COUNT]
    await desk.end()


async def test_messages_are_counted_and_the_rate_lets_pass_again_later(store: Store) -> None:
    desk = opened(store, limited(max_message_rate=1, message_burst=2))

    orders = [tried(desk, number) for number in range(3)]
    later = desk.submit(new_order(client_order_id="later"), at=NOW + timedelta(seconds=1)).order

    assert reasons([*orders, later]) == [None, None, RejectReason.RISK_ORDER_RATE, None]
    await desk.end()


async def test_the_day_of_an_account_is_limited_with_what_is_open_counted(store: Store) -> None:
    desk = opened(store, limited(Scope("ACC1"), max_daily_quantity=250))
    first = tried(desk, 1)
    desk.hear(trade("E1", 100, cl_ord_id=first.cl_ord_id))
    second = tried(desk, 2, side=Side.SELL)

    assert reasons([second, tried(desk, 3)]) == [None, RejectReason.RISK_DAILY_VOLUME]
    await desk.end()


async def test_a_loss_stops_what_opens_and_not_what_closes(store: Store) -> None:
    desk = opened(store, limited(Scope("ACC1"), max_daily_loss=1000))
    bought = desk.working(new_order(client_order_id="a", terms=terms(200, 70)))
    desk.hear(trade("E1", 200, 70, cl_ord_id=bought.cl_ord_id))  # the reference price is 50: 4,000 are lost

    opening, closing = tried(desk, 1), tried(desk, 2, side=Side.SELL)

    assert reasons([opening, closing]) == [RejectReason.RISK_DAILY_LOSS, None]
    await desk.end()


async def test_what_was_lost_since_the_days_best_moment_stops_what_opens(store: Store) -> None:
    desk = opened(store, limited(Scope("ACC1"), max_drawdown=500))
    bought = desk.working(new_order(client_order_id="a", terms=terms(100, 40)))
    desk.hear(trade("E1", 100, 40, cl_ord_id=bought.cl_ord_id))  # the reference price is 50: 1,000 are earned
    best = tried(desk, 1)
    found = []
    for number, price in ((2, "45.05"), (3, "45")):
        with desk.pipeline.deciding():
            desk.reference.put_price("ACME", ReferencePrice(Decimal(price), NOW, "feed"))
        found.append(tried(desk, number, terms=terms(price=45)))

    closing = tried(desk, 4, side=Side.SELL)

    assert reasons([best, *found, closing]) == [None, None, RejectReason.RISK_DRAWDOWN, None]
    await desk.end()


async def test_a_limit_that_is_new_counts_what_is_there_already(store: Store) -> None:
    desk = opened(store)
    orders = [tried(desk, number, strategy_id="momentum") for number in range(2)]
    desk.hear(trade("E1", 100, cl_ord_id=orders[0].cl_ord_id))

    desk.limits.put(limited(STRATEGY, max_position=299), None, OPS, NOW)

    assert reasons([tried(desk, 3, strategy_id="momentum")]) == [RejectReason.RISK_POSITION_LIMIT]
    desk.limits.delete("own", None, OPS, NOW)
    assert reasons([tried(desk, 4, strategy_id="momentum")]) == [None]
    await desk.end()


async def test_an_order_that_was_accepted_before_a_limit_was_tightened_stays(store: Store) -> None:
    desk = opened(store)
    order = desk.working()

    desk.limits.put(limited(max_order_quantity=50), None, OPS, NOW)

    assert desk.now(order).state is OrderState.WORKING
    answer = desk.amend(order, 90, request_id="less")
    assert answer.reject is None
    refused = desk.amend(desk.now(order), 110, request_id="more")
    assert refused.reject is not None
    assert refused.reject.reason is RejectReason.RISK_MAX_QUANTITY
    await desk.end()


async def test_each_state_of_the_limits_has_a_version_of_its_own(store: Store) -> None:
    desk = opened(store)
    versions = [desk.limits.version]
    for most in (50, 60, 50):
        desk.limits.put(limited(max_order_quantity=most), None, OPS, NOW)
        versions.append(desk.limits.version)
    desk.limits.delete("own", None, OPS, NOW)

    assert desk.limits.version == versions[0]
    assert len(set(versions)) == 4
    await desk.end()


async def test_what_is_not_as_expected_is_not_changed(store: Store) -> None:
    desk = opened(store)
    desk.limits.put(limited(max_order_quantity=50), "", OPS, NOW)

    with pytest.raises(EtagMismatch):
        desk.limits.put(limited(max_order_quantity=60), "", OPS, NOW)
    with pytest.raises(LimitSetFixed):
        desk.limits.delete("wide:ACC1", None, OPS, NOW)
    with pytest.raises(UnknownLimitSet):
        desk.limits.delete("other", None, OPS, NOW)
    assert desk.limits.get("own").values == {"max_order_quantity": 50}
    await desk.end()
