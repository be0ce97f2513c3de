"""The batch calls as a client sees them: one result an item, each as the unary call would have answered."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import ACK_LEVEL_VENUE, Order, OrderRef
from fairlead.v1.order_service_pb2 import (
    AMEND_OUTCOME_REJECTED,
    AMEND_OUTCOME_REPLACED,
    CANCEL_OUTCOME_CANCELED,
    BatchAmendOrdersRequest,
    BatchCancelOrdersRequest,
    BatchSubmitOrdersRequest,
    SubmitOrderRequest,
)
from google.rpc import error_details_pb2, status_pb2

from tests.api import broker as venue
from tests.api.refusals import refused
from tests.api.router import Router, new_order
from tests.api.test_requests import amend, cancel


def batch(*orders: SubmitOrderRequest, **options: Any) -> BatchSubmitOrdersRequest:
    return BatchSubmitOrdersRequest(orders=orders, **options)


def info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    """Which must come first."""
    found = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(found)
    assert found.domain == "fairlead"
    return found


async def working(router: Router, count: int) -> list[Order]:
    return [await router.working() for _ in range(count)]


# Submit.


async def test_each_order_has_its_answer_in_its_place(router: Router) -> None:
    orders = [new_order(ack_level=ACK_LEVEL_VENUE) for _ in range(20)]

    answer = await router.orders.BatchSubmitOrders(batch(*orders))

    assert [result.index for result in answer.results] == list(range(20))
    keys = [result.ok.order.client_order_id for result in answer.results]
    assert keys == [order.client_order_id for order in orders]
    assert {result.ok.order.state for result in answer.results} == {common_pb2.ORDER_STATE_WORKING}
    assert [message[11] for message in router.broker.heard] == [
        result.ok.order.venue.cl_ord_id for result in answer.results
    ]


async def test_each_order_waits_for_as_long_as_it_wants(router: Router) -> None:
    router.broker.answers["D"] = venue.ignore
    orders = [new_order(ack_level=common_pb2.ACK_LEVEL_ACCEPTED), new_order()]

    answer = await router.orders.BatchSubmitOrders(batch(*orders))

    assert {result.ok.order.state for result in answer.results} == {common_pb2.ORDER_STATE_PENDING_NEW}


async def test_an_item_fails_as_it_would_have_alone(router: Router) -> None:
    taken = new_order()
    await router.orders.SubmitOrder(taken)
    conflict = new_order(client_order_id=taken.client_order_id, quantity="200")
    wrong = new_order(price="1e3", side=0)
    down = new_order(instrument_id="FAR")
    alone = [await refused(router.orders.SubmitOrder(each)) for each in (conflict, wrong, down)]

    answer = await router.orders.BatchSubmitOrders(
        batch(conflict, wrong, down, new_order(account_id="SMALL"))
    )

    errors = [result.error for result in answer.results[:3]]
    assert [info(error).reason for error in errors] == [
        "CLIENT_ORDER_ID_CONFLICT",
        "REQUEST_INVALID",
        "VENUE_SESSION_DOWN",
    ]
    assert errors == [each.status for each in alone]
    assert answer.results[3].ok.order.state == common_pb2.ORDER_STATE_REJECTED


async def test_the_answer_says_where_to_subscribe(router: Router) -> None:
    answer = await router.orders.BatchSubmitOrders(
        batch(new_order(ack_level=ACK_LEVEL_VENUE), new_order(ack_level=ACK_LEVEL_VENUE))
    )

    later = await router.working()

    (event,) = (await router.subscribe(after_cursor=answer.cursor).events(1))[:1]
    assert event.order.order_id == later.order_id


async def test_a_batch_of_failures_has_no_place_in_the_stream(router: Router) -> None:
    answer = await router.orders.BatchSubmitOrders(batch(new_order(price="x")))

    assert answer.cursor == ""
    assert answer.results[0].WhichOneof("result") == "error"


async def test_nothing_is_attempted_behind_a_failure_if_the_caller_says_so(router: Router) -> None:
    answer = await router.orders.BatchSubmitOrders(
        batch(new_order(), new_order(account_id="SMALL"), new_order(), stop_on_error=True)
    )

    assert [result.WhichOneof("result") for result in answer.results] == ["ok", "ok", "error"]
    stopped = info(answer.results[2].error)
    assert (answer.results[2].error.code, stopped.reason) == (
        grpc.StatusCode.ABORTED.value[0],
        "BATCH_STOPPED",
    )
    assert stopped.metadata["failed_index"] == "1"


async def test_all_are_submitted_or_none(router: Router) -> None:
    orders = [new_order(), new_order(account_id="SMALL"), new_order()]

    answer = await router.orders.BatchSubmitOrders(batch(*orders, require_all_risk_pass=True))

    assert [result.WhichOneof("result") for result in answer.results] == ["error", "ok", "error"]
    assert {info(answer.results[i].error).reason for i in (0, 2)} == {"BATCH_NOT_PASSED"}
    assert answer.results[1].ok.order.state == common_pb2.ORDER_STATE_REJECTED
    assert not router.broker.heard

    answer = await router.orders.BatchSubmitOrders(batch(orders[0], orders[2], require_all_risk_pass=True))
    assert [result.WhichOneof("result") for result in answer.results] == ["ok", "ok"]
    assert not any(result.ok.duplicate for result in answer.results)


async def test_a_repeated_batch_answers_with_its_orders(router: Router) -> None:
    request = batch(new_order(ack_level=ACK_LEVEL_VENUE), new_order(ack_level=ACK_LEVEL_VENUE))

    first = await router.orders.BatchSubmitOrders(request)
    again = await router.orders.BatchSubmitOrders(request)

    assert [r.ok.order for r in again.results] == [r.ok.order for r in first.results]
    assert all(result.ok.duplicate for result in again.results)
    assert router.broker.count("D") == 2


async def test_a_thousand_orders_are_one_call(router: Router) -> None:
    answer = await router.orders.BatchSubmitOrders(batch(*(new_order() for _ in range(1000))))

    assert len(answer.results) == 1000
    assert all(result.ok.order.order_id for result in answer.results)


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_of_none_or_too_many_is_refused_as_a_whole(router: Router, count: int) -> None:
    answer = await refused(router.orders.BatchSubmitOrders(batch(*[new_order()] * count)))

    assert (answer.reason, answer.fields) == ("REQUEST_INVALID", ["orders"])
    assert await router.log() == []


# Amend and cancel.


async def test_amends_are_answered_each_by_itself(router: Router) -> None:
    first, second = await working(router, 2)
    unknown = amend(first)
    unknown.order.CopyFrom(OrderRef(order_id="nobody"))
    too_much = amend(second, quantity="1000001")

    request = BatchAmendOrdersRequest(amends=[amend(first), unknown, too_much])
    answer = await router.orders.BatchAmendOrders(request)

    assert answer.results[0].ok.outcome == AMEND_OUTCOME_REPLACED
    assert answer.results[0].ok.order.quantity == "200"
    assert info(answer.results[1].error).reason == "ORDER_NOT_FOUND"
    assert answer.results[2].ok.outcome == AMEND_OUTCOME_REJECTED
    assert [result.index for result in answer.results] == [0, 1, 2]


async def test_no_amend_is_attempted_behind_one_that_is_refused(router: Router) -> None:
    first, second = await working(router, 2)

    request = BatchAmendOrdersRequest(
        amends=[amend(first, quantity="1000001"), amend(second)], stop_on_error=True
    )
    answer = await router.orders.BatchAmendOrders(request)

    assert info(answer.results[1].error).reason == "BATCH_STOPPED"
    assert router.broker.count("G") == 0


async def test_cancels_are_answered_each_by_itself(router: Router) -> None:
    first, second = await working(router, 2)
    malformed = cancel(first, request_id="x")

    request = BatchCancelOrdersRequest(cancels=[cancel(first), malformed, cancel(second)])
    answer = await router.orders.BatchCancelOrders(request)

    assert [result.ok.outcome for result in answer.results[::2]] == [CANCEL_OUTCOME_CANCELED] * 2
    assert info(answer.results[1].error).reason == "REQUEST_INVALID"


async def test_no_cancel_is_attempted_behind_one_that_fails(router: Router) -> None:
    (order,) = await working(router, 1)
    unknown = cancel(order)
    unknown.order.order_id = "nobody"

    request = BatchCancelOrdersRequest(cancels=[unknown, cancel(order)], stop_on_error=True)
    answer = await router.orders.BatchCancelOrders(request)

    assert [info(result.error).reason for result in answer.results] == ["ORDER_NOT_FOUND", "BATCH_STOPPED"]
    assert router.broker.count("F") == 0
