"""CancelAllOrders and ReconcileOrder, as a client sees them."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import INITIATOR_ADMIN, ORDER_STATE_CANCELED, Order
from fairlead.v1.execution_service_pb2 import EXECUTION_KIND_CANCELED, EXECUTION_KIND_RECONCILED
from fairlead.v1.order_service_pb2 import (
    RECONCILE_VERDICT_CANCELED,
    RECONCILE_VERDICT_REJECTED,
    CancelAllOrdersRequest,
    GetOrderRequest,
    ReconcileOrderRequest,
)

from tests.api import broker as venue
from tests.api.refusals import refused
from tests.api.router import Router, by_id, new_order
from tests.api.test_requests import cancel, request_id


def cancel_all(**changes: Any) -> CancelAllOrdersRequest:
    scope = {} if changes.keys() & {"account_id", "all_accounts"} else {"account_id": "ACC1"}
    return CancelAllOrdersRequest(**{"request_id": request_id(), **scope, **changes})


def reconcile(order: Order, **changes: Any) -> ReconcileOrderRequest:
    ordinary = {
        "order": by_id(order),
        "request_id": request_id(),
        "verdict": RECONCILE_VERDICT_CANCELED,
        "reason": "said by phone",
        "ticket": "OPS-7",
        "force": True,
    }
    return ReconcileOrderRequest(**{**ordinary, **changes})


async def until_canceled(router: Router, orders: list[Order]) -> list[Order]:
    found = []
    for order in orders:
        shown = order
        while shown.state != ORDER_STATE_CANCELED:
            wanted = GetOrderRequest(order=by_id(order), wait_for_version=shown.version)
            shown = (await router.orders.GetOrder(wanted)).order
        found.append(shown)
    return found


async def test_every_order_of_the_account_is_cancelled(router: Router) -> None:
    own = [await router.working() for _ in range(3)]
    other = await router.working(account_id="ACC2")

    answer = await router.orders.CancelAllOrders(cancel_all())

    assert (answer.matched_count, answer.requested_count) == (3, 3)
    await until_canceled(router, own)
    told = [event for event in await router.log() if event.kind == EXECUTION_KIND_CANCELED]
    assert {event.cause.mass_cancel_id for event in told} == {answer.mass_cancel_id}
    assert (await router.orders.GetOrder(GetOrderRequest(order=by_id(other)))).order == other


async def test_nothing_is_missed_after_the_position_of_the_answer(router: Router) -> None:
    order = await router.working()

    answer = await router.orders.CancelAllOrders(cancel_all())

    (event,) = await router.subscribe(after_cursor=answer.cursor).events(1)
    assert (event.kind, event.order.order_id) == (EXECUTION_KIND_CANCELED, order.order_id)


async def test_all_accounts_must_be_said(router: Router) -> None:
    await router.working()
    await router.working(account_id="ACC2")

    none = await refused(router.orders.CancelAllOrders(CancelAllOrdersRequest(request_id=request_id())))
    no = await refused(router.orders.CancelAllOrders(cancel_all(all_accounts=False)))
    answer = await router.orders.CancelAllOrders(cancel_all(all_accounts=True))

    assert none.fields == no.fields == ["scope"]
    assert answer.matched_count == 2


@pytest.mark.parametrize(
    ("part", "matched"),
    [
        ({"instrument_ids": ["ACME"]}, 2),
        ({"instrument_ids": ["FAR"]}, 0),
        ({"strategy_ids": ["S1"]}, 1),
        ({"session_ids": ["BROKER"]}, 2),
        ({"session_ids": ["DOWN"]}, 0),
        ({"side": common_pb2.SIDE_SELL}, 1),
        ({"side": common_pb2.SIDE_SELL, "strategy_ids": ["S1"]}, 0),
    ],
    ids=str,
)
async def test_what_matches_is_counted_and_left_alone(
    router: Router, part: dict[str, Any], matched: int
) -> None:
    await router.working(strategy_id="S1")
    await router.working(side=common_pb2.SIDE_SELL)

    request = cancel_all(validate_only=True, **part)
    answer = await router.orders.CancelAllOrders(request)

    assert (answer.matched_count, answer.requested_count, answer.mass_cancel_id) == (matched, 0, "")
    assert router.broker.count("F") == 0
    request.validate_only = False
    assert not (await router.orders.CancelAllOrders(request)).duplicate


async def test_a_repeat_is_answered_alike(router: Router) -> None:
    order = await router.working()
    request = cancel_all()
    first = await router.orders.CancelAllOrders(request)
    await until_canceled(router, [order])

    again = await router.orders.CancelAllOrders(request)

    assert again.duplicate
    assert (again.mass_cancel_id, again.matched_count) == (first.mass_cancel_id, 1)
    assert router.broker.count("F") == 1


async def test_the_same_key_with_another_filter_is_a_conflict(router: Router) -> None:
    request = cancel_all()
    await router.orders.CancelAllOrders(request)
    request.side = common_pb2.SIDE_BUY

    answer = await refused(router.orders.CancelAllOrders(request))

    assert (answer.code, answer.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_CONFLICT")
    assert answer.facts == {"request_id": request.request_id, "order_id": ""}


async def test_a_cancel_under_way_is_counted_by_itself(router: Router) -> None:
    router.broker.answers["F"] = venue.ignore
    order = await router.working()
    await router.orders.CancelOrder(cancel(order, ack_level=common_pb2.ACK_LEVEL_ROUTED))

    answer = await router.orders.CancelAllOrders(cancel_all())

    assert (answer.matched_count, answer.already_pending_count, answer.requested_count) == (1, 1, 0)


# ReconcileOrder.


async def test_a_person_settles_how_an_order_stands(router: Router) -> None:
    order = await router.working()

    answer = await router.orders.ReconcileOrder(reconcile(order))

    assert answer.order.state == ORDER_STATE_CANCELED
    event = (await router.log())[-1]
    assert (event.kind, event.cause.initiator) == (EXECUTION_KIND_RECONCILED, INITIATOR_ADMIN)
    assert event.text == "said by phone (OPS-7)"
    assert event.order == answer.order


async def test_a_rejected_order_says_who_has_rejected_it(router: Router) -> None:
    router.broker.answers["D"] = venue.ignore
    order = (await router.orders.SubmitOrder(new_order())).order

    answer = await router.orders.ReconcileOrder(reconcile(order, verdict=RECONCILE_VERDICT_REJECTED))

    assert answer.order.state == common_pb2.ORDER_STATE_REJECTED
    assert answer.order.reject.source == common_pb2.REJECT_SOURCE_ADMIN
    assert answer.order.reject.reason == common_pb2.REJECT_REASON_ADMIN_RECONCILED


async def test_an_order_that_is_not_in_doubt_is_settled_by_force_only(router: Router) -> None:
    order = await router.working()

    answer = await refused(router.orders.ReconcileOrder(reconcile(order, force=False)))

    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ORDER_NOT_IN_DOUBT")
    assert answer.facts == {"order_id": order.order_id, "state": "WORKING"}


async def test_an_order_that_has_ended_is_not_settled_anew(router: Router) -> None:
    order = await router.working()
    await router.orders.ReconcileOrder(reconcile(order))

    answer = await refused(router.orders.ReconcileOrder(reconcile(order)))

    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ORDER_TERMINAL")


async def test_a_repeated_ruling_is_answered_alike(router: Router) -> None:
    order = await router.working()
    request = reconcile(order)
    first = await router.orders.ReconcileOrder(request)

    again = await router.orders.ReconcileOrder(request)

    assert again.duplicate
    assert again.order == first.order


async def test_an_order_that_has_moved_on_is_not_settled(router: Router) -> None:
    order = await router.working()

    answer = await refused(router.orders.ReconcileOrder(reconcile(order, expected_version=1)))

    assert (answer.code, answer.reason) == (grpc.StatusCode.ABORTED, "ORDER_VERSION_MISMATCH")
