"""Batches: in their order, each item with its own result, one decision and one commit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from fairlead_server.domain.errors import (
    BatchNotPassed,
    BatchStopped,
    ClientOrderIdConflict,
    InvalidRequest,
    NotRoutedInTime,
    StoreUnavailable,
    UnknownOrder,
)
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.order import OrderState
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import NewOrder, Side
from fairlead_server.routing.batches import Failure
from fairlead_server.routing.order_entry import Answer, OrderRef
from fairlead_server.store.database import OrderQuery, Store
from msgspec.structs import replace

from tests.domain.builders import NOW, duplicates, limit_set, limits, new_order, policy, terms
from tests.routing.desk import CLIENT, SECOND, Desk

UNKNOWN = OrderRef("nobody")


def news(count: int, **changes: object) -> list[NewOrder]:
    return [new_order(client_order_id=f"key-{n}", **changes) for n in range(count)]


def submit(desk: Desk, orders: list[NewOrder], *, stop_on_error: bool = False) -> list[Answer | Failure]:
    items = [partial(desk.submit, new) for new in orders]
    return desk.batches.each(items, rejected, stop_on_error=stop_on_error)


def submit_all(desk: Desk, orders: list[NewOrder]) -> list[Answer | Failure]:
    return desk.batches.submit_all_or_none([partial(_same, new) for new in orders], CLIENT, None, NOW)


def _same(new: NewOrder) -> NewOrder:
    return new


def rejected(answer: Answer) -> bool:
    return answer.order.state is OrderState.REJECTED


def ok(result: Answer | Failure) -> Answer:
    assert isinstance(result, Answer)
    return result


def shown(results: list[Answer | Failure]) -> list[str]:
    """Each result in a word."""
    return [
        type(result).__name__ if isinstance(result, Exception) else result.order.state.value
        for result in results
    ]


def narrow(store: Store, most: int, **changes: int) -> Desk:
    """A desk whose account may hold ``most`` of everything, its working orders counted."""
    return Desk(store, policy=policy(values=limits(max_position=most, **changes), version="v1"))


async def test_the_orders_of_a_batch_are_one_commit_in_their_order(desk: Desk) -> None:
    results = submit(desk, news(3))
    await desk.pipeline.durable()

    [batch] = desk.writer.batches
    assert list(batch.orders) == [ok(result).order.order_id for result in results]
    assert desk.gateway.wire == [f"D {ok(result).order.cl_ord_id}" for result in results]


async def test_an_item_that_fails_takes_nothing_from_the_others(desk: Desk) -> None:
    orders = news(3)
    orders[1] = replace(orders[1], route_before=NOW - SECOND)

    results = submit(desk, orders)

    assert shown(results) == ["PENDING_NEW", "NotRoutedInTime", "PENDING_NEW"]
    assert len(desk.gateway.decided) == 2


async def test_a_repeated_batch_finds_its_orders_and_sends_nothing(desk: Desk) -> None:
    first = submit(desk, news(3))
    again = submit(desk, news(3))

    assert [ok(result).order for result in again] == [ok(result).order for result in first]
    assert all(ok(result).duplicate for result in again)
    assert len(desk.gateway.decided) == 3


async def test_nothing_is_attempted_behind_an_item_that_fails(desk: Desk) -> None:
    def unknown() -> Answer:
        raise UnknownOrder("nobody")

    items: list[Callable[[], Answer]] = [partial(desk.submit, new) for new in news(3)]
    items.insert(1, unknown)
    results = desk.batches.each(items, rejected, stop_on_error=True)

    assert shown(results) == ["PENDING_NEW", "UnknownOrder", "BatchStopped", "BatchStopped"]
    assert {r.failed_index for r in results if isinstance(r, BatchStopped)} == {1}
    assert len(desk.gateway.decided) == 1


async def test_nothing_is_attempted_behind_an_order_that_is_rejected(desk: Desk) -> None:
    orders = news(3)
    orders[0] = replace(orders[0], instrument_id="NOPE")

    assert shown(submit(desk, orders, stop_on_error=True)) == ["REJECTED", "BatchStopped", "BatchStopped"]


async def test_a_batch_on_a_broken_store_fails_as_a_whole(desk: Desk) -> None:
    desk.writer.failure = OSError("no space")
    desk.sent()
    with pytest.raises(StoreUnavailable):
        await desk.pipeline.durable()

    with pytest.raises(StoreUnavailable):
        submit(desk, news(2))
    with pytest.raises(StoreUnavailable):
        submit_all(desk, news(2))


async def test_an_item_that_is_a_bug_takes_the_batch_with_it(desk: Desk) -> None:
    """Nothing of it may become durable: half a decision is none."""

    def buggy() -> Answer:
        with desk.pipeline.deciding():
            raise KeyError("a bug")

    items: list[Callable[[], Answer]] = [partial(desk.submit, new_order()), buggy]
    with pytest.raises(KeyError):
        desk.batches.each(items, rejected, stop_on_error=False)

    with pytest.raises(StoreUnavailable):
        await desk.pipeline.durable()
    assert desk.store.list_orders(OrderQuery()) == []
    assert desk.gateway.wire == []


# All or none.


async def test_a_batch_of_which_all_pass_is_submitted(desk: Desk) -> None:
    results = submit_all(desk, news(3))
    await desk.pipeline.durable()

    assert shown(results) == ["PENDING_NEW"] * 3
    assert len(desk.gateway.wire) == 3
    assert len(desk.writer.batches) == 1


async def test_orders_that_pass_one_by_one_but_not_together_are_not_routed(store: Store) -> None:
    desk = narrow(store, 250)

    results = submit_all(desk, news(4))  # 100 each

    assert shown(results) == ["BatchNotPassed", "BatchNotPassed", "REJECTED", "REJECTED"]
    assert {r.failed_index for r in results if isinstance(r, BatchNotPassed)} == {2}
    reject = ok(results[2]).order.reject
    assert reject is not None
    assert (reject.reason, reject.breaches[0].observed) == (RejectReason.RISK_POSITION_LIMIT, "300")
    assert desk.gateway.decided == []
    await desk.end()


async def test_an_order_that_passes_behind_one_that_does_not_is_judged_without_it(store: Store) -> None:
    desk = narrow(store, 250)
    orders = [
        *news(2),
        new_order(client_order_id="large", terms=terms(90)),
        new_order(client_order_id="fits", terms=terms(50)),
    ]

    assert shown(submit_all(desk, orders)) == [
        "BatchNotPassed",
        "BatchNotPassed",
        "REJECTED",
        "BatchNotPassed",
    ]
    await desk.end()


async def test_open_orders_and_repeats_are_counted_over_the_batch(store: Store) -> None:
    tight = policy(values=limits(max_open_orders=2), sets=[duplicates(SECOND)], version="v1")
    desk = Desk(store, policy=tight, duplicate_window=SECOND)

    results = submit_all(desk, news(3))

    reasons = [order.reject.breaches for order in (ok(r).order for r in results[1:]) if order.reject]
    assert [[breach.reason for breach in breaches] for breaches in reasons] == [
        [RejectReason.RISK_DUPLICATE_ORDER],
        [RejectReason.RISK_DUPLICATE_ORDER],
    ]
    assert isinstance(results[0], BatchNotPassed)
    await desk.end()


async def test_a_refused_batch_repeated_is_refused_alike(store: Store) -> None:
    desk = narrow(store, 250)
    first = submit_all(desk, news(3))

    again = submit_all(desk, news(3))

    assert shown(again) == shown(first)
    assert ok(again[2]) == replace(ok(first[2]), duplicate=True)
    assert desk.kinds(ok(again[2]).order) == [EventKind.RISK_REJECTED]
    await desk.end()


async def test_an_accepted_batch_repeated_finds_its_orders_whatever_the_limits_say_by_now(
    store: Store,
) -> None:
    desk = narrow(store, 300)
    first = submit_all(desk, news(3))

    again = submit_all(desk, news(3))

    assert [ok(result).order for result in again] == [ok(result).order for result in first]
    assert len(desk.gateway.decided) == 3
    await desk.end()


async def test_an_order_that_was_there_before_is_shown_even_if_the_rest_does_not_pass(desk: Desk) -> None:
    known = desk.submit(news(1)[0]).order
    orders = [*news(2), new_order(client_order_id="wrong", instrument_id="NOPE")]

    results = submit_all(desk, orders)

    assert shown(results) == ["PENDING_NEW", "BatchNotPassed", "REJECTED"]
    assert ok(results[0]) == Answer(known, duplicate=True)


async def test_an_order_that_was_rejected_before_does_not_pass(desk: Desk) -> None:
    refused = new_order(client_order_id="wrong", instrument_id="NOPE")
    desk.submit(refused)

    assert shown(submit_all(desk, [refused, *news(1)])) == ["REJECTED", "BatchNotPassed"]


async def test_an_order_that_cannot_be_sent_keeps_the_others_back(desk: Desk) -> None:
    desk.gateway.available = False

    assert shown(submit_all(desk, news(2))) == ["VenueUnavailable", "VenueUnavailable"]
    assert desk.events == []


async def test_one_order_named_twice_is_one_order(desk: Desk) -> None:
    new = new_order()

    results = submit_all(desk, [new, new])

    assert ok(results[1]) == Answer(ok(results[0]).order, duplicate=True)
    assert len(desk.gateway.decided) == 1


async def test_two_orders_of_one_name_do_not_pass(desk: Desk) -> None:
    results = submit_all(desk, [new_order(), new_order(terms=terms(200))])

    assert shown(results) == ["BatchNotPassed", "InvalidRequest"]
    assert isinstance(results[1], InvalidRequest)
    assert results[1].violations == (("client_order_id", "is that of another order of the batch"),)


async def test_a_name_that_is_taken_does_not_pass(desk: Desk) -> None:
    desk.sent(new_order())

    results = submit_all(desk, [new_order(terms=terms(200)), *news(1)])

    assert isinstance(results[0], ClientOrderIdConflict)
    assert isinstance(results[1], BatchNotPassed)


async def test_an_order_that_is_too_late_does_not_pass(desk: Desk) -> None:
    late = desk.batches.submit_all_or_none([partial(_same, new_order())], CLIENT, NOW - SECOND, NOW)

    assert [type(result) for result in late] == [NotRoutedInTime]


async def test_orders_of_one_batch_that_could_trade_with_each_other_are_all_left(store: Store) -> None:
    own = limit_set(Scope("ACC1"), "own", words={"self_trade": frozenset({"CANCEL_BOTH"})})
    desk = Desk(store, policy=policy(sets=[own]))
    sides = Side.SELL, Side.BUY, Side.SELL
    orders = [replace(new, side=side) for new, side in zip(news(3), sides, strict=True)]

    first, second, third = submit_all(desk, orders)

    assert isinstance(first, BatchNotPassed)
    assert isinstance(third, BatchNotPassed)
    reject = ok(second).order.reject
    assert reject is not None
    assert reject.reason is RejectReason.RISK_SELF_TRADE
    assert desk.gateway.decided == []
    await desk.end()
