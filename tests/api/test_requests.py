"""AmendOrder and CancelOrder, as a client sees them."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import grpc
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import ACK_LEVEL_VENUE, Order, OrderRef
from fairlead.v1.execution_service_pb2 import (
    EXECUTION_KIND_AMEND_REQUESTED,
    EXECUTION_KIND_AMENDED,
    EXECUTION_KIND_CANCEL_REQUESTED,
    EXECUTION_KIND_CANCELED,
)
from fairlead.v1.order_service_pb2 import (
    AMEND_OUTCOME_NO_CHANGE,
    AMEND_OUTCOME_PENDING,
    AMEND_OUTCOME_REJECTED,
    AMEND_OUTCOME_REPLACED,
    CANCEL_OUTCOME_ALREADY_TERMINAL,
    CANCEL_OUTCOME_CANCELED,
    CANCEL_OUTCOME_PENDING,
    CANCEL_OUTCOME_REJECTED,
    AmendOrderRequest,
    CancelOrderRequest,
)
from google.rpc import error_details_pb2

from tests.api import broker as venue
from tests.api.refusals import refused
from tests.api.router import Router, by_id, by_key, new_order

_numbers = count(1)


def request_id() -> str:
    return f"00000000-0000-0000-0000-{next(_numbers):012}"


def amend(order: Order, **changes: Any) -> AmendOrderRequest:
    """To 200, and wait for the venue."""
    ordinary = {"order": by_id(order), "request_id": request_id(), "ack_level": ACK_LEVEL_VENUE}
    return AmendOrderRequest(**{**ordinary, **(changes or {"quantity": "200"})})


def cancel(order: Order, **changes: Any) -> CancelOrderRequest:
    """And wait for the venue."""
    ordinary = {"order": by_id(order), "request_id": request_id(), "ack_level": ACK_LEVEL_VENUE}
    return CancelOrderRequest(**{**ordinary, **changes})


# Amend.


async def test_an_amend_changes_what_is_set_and_nothing_else(router: Router) -> None:
    order = await router.working()

    answer = await router.orders.AmendOrder(amend(order, price="51.00"))

    assert answer.outcome == AMEND_OUTCOME_REPLACED
    assert (answer.order.price, answer.order.quantity) == ("51.00", "100")
    assert answer.order.order_id == order.order_id
    assert answer.order.client_order_id == order.client_order_id
    assert list(answer.order.venue.cl_ord_id_chain) == [order.venue.cl_ord_id, answer.order.venue.cl_ord_id]
    assert (router.broker.heard[1][44], router.broker.heard[1][38]) == ("51.00", "100")


async def test_an_amend_may_be_answered_before_the_venue_has(router: Router) -> None:
    router.broker.answers["G"] = venue.ignore
    order = await router.working()

    answer = await router.orders.AmendOrder(
        amend(order, quantity="200", ack_level=common_pb2.ACK_LEVEL_ROUTED)
    )

    assert answer.outcome == AMEND_OUTCOME_PENDING
    assert answer.order.pending_action == common_pb2.PENDING_ACTION_AMEND
    assert answer.order.quantity == "100"


async def test_a_venue_that_does_not_answer_an_amend_leaves_it_pending(router: Router) -> None:
    router.broker.answers["G"] = venue.ignore
    order = await router.working()

    answer = await router.orders.AmendOrder(amend(order), timeout=0.3)

    assert answer.outcome == AMEND_OUTCOME_PENDING


async def test_an_amend_that_the_venue_refuses_leaves_the_order_as_it_was(router: Router) -> None:
    router.broker.answers["G"] = venue.too_late
    order = await router.working()

    answer = await router.orders.AmendOrder(amend(order))

    assert answer.outcome == AMEND_OUTCOME_REJECTED
    assert answer.reject.source == common_pb2.REJECT_SOURCE_VENUE
    assert answer.reject.reason == common_pb2.REJECT_REASON_VENUE_CANCEL_TOO_LATE
    assert (answer.order.state, answer.order.quantity) == (common_pb2.ORDER_STATE_WORKING, "100")
    assert not answer.order.HasField("reject")


async def test_an_amend_that_risk_refuses_is_not_sent(router: Router) -> None:
    order = await router.working()

    answer = await router.orders.AmendOrder(amend(order, price="50.01"))

    assert answer.outcome == AMEND_OUTCOME_REJECTED
    assert [breach.rule_id for breach in answer.reject.breaches] == ["tick_size"]
    assert router.broker.count("G") == 0


async def test_an_amend_to_what_is_in_force_changes_nothing(router: Router) -> None:
    order = await router.working()
    before = await router.log()

    answer = await router.orders.AmendOrder(amend(order, quantity="100.0"))

    assert answer.outcome == AMEND_OUTCOME_NO_CHANGE
    assert answer.order == order
    assert await router.log() == before


async def test_a_repeated_amend_is_answered_as_it_stands(router: Router) -> None:
    router.broker.answers["G"] = venue.ignore
    order = await router.working()
    request = amend(order, quantity="200", ack_level=common_pb2.ACK_LEVEL_ROUTED)
    await router.orders.AmendOrder(request)
    await router.broker.until("G")
    waiting = router.orders.AmendOrder(
        AmendOrderRequest(
            order=request.order, request_id=request.request_id, quantity="200", ack_level=ACK_LEVEL_VENUE
        )
    )
    router.broker.say(*venue.replace(router.broker, router.broker.only(), router.broker.heard[1]))

    answer = await waiting

    assert answer.duplicate
    assert answer.outcome == AMEND_OUTCOME_REPLACED
    assert answer.order.quantity == "200"
    assert router.broker.count("G") == 1


async def test_a_refused_amend_is_refused_again_for_the_same_reason(router: Router) -> None:
    request = amend(await router.working(), price="50.01")
    first = await router.orders.AmendOrder(request)

    again = await router.orders.AmendOrder(request)

    assert again.duplicate
    assert (again.outcome, again.reject) == (first.outcome, first.reject)


async def test_ten_at_once_with_one_request_id_are_one_amend(router: Router) -> None:
    request = amend(await router.working())

    answers = await asyncio.gather(*(router.orders.AmendOrder(request) for _ in range(10)))

    assert {answer.outcome for answer in answers} == {AMEND_OUTCOME_REPLACED}
    assert sorted(answer.duplicate for answer in answers) == [False] + [True] * 9
    assert router.broker.count("G") == 1


async def test_another_amend_under_the_same_request_id_is_a_conflict(router: Router) -> None:
    request = amend(await router.working())
    await router.orders.AmendOrder(request)
    request.quantity = "300"

    conflict = await refused(router.orders.AmendOrder(request))

    assert (conflict.code, conflict.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_CONFLICT")


async def test_an_amend_waits_for_the_one_before_it_and_for_no_cancel(router: Router) -> None:
    router.broker.answers["G"] = router.broker.answers["F"] = venue.ignore
    order = await router.working()
    await router.orders.AmendOrder(amend(order, quantity="200", ack_level=common_pb2.ACK_LEVEL_ROUTED))

    held = await router.orders.AmendOrder(
        amend(order, quantity="300", ack_level=common_pb2.ACK_LEVEL_ACCEPTED)
    )
    await router.orders.CancelOrder(cancel(order, ack_level=common_pb2.ACK_LEVEL_ROUTED))
    pending = await refused(router.orders.AmendOrder(amend(order, quantity="400")))

    assert held.outcome == AMEND_OUTCOME_PENDING
    assert router.broker.count("G") == 1
    assert (pending.code, pending.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ORDER_ACTION_PENDING")
    assert pending.facts == {"order_id": order.order_id, "pending_action": "CANCEL"}
    assert pending.detail(error_details_pb2.RetryInfo).retry_delay.seconds == 1


async def test_an_ended_order_cannot_be_amended(router: Router) -> None:
    router.broker.answers["D"] = venue.accept_and_fill
    order = await router.working()
    await router.subscribe(position="START_POSITION_EARLIEST").events(4)

    late = await refused(router.orders.AmendOrder(amend(order)))

    assert (late.code, late.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ORDER_TERMINAL")
    assert late.facts["state"] == "FILLED"


async def test_an_amend_of_another_version_is_aborted(router: Router) -> None:
    order = await router.working()

    stale = await refused(router.orders.AmendOrder(amend(order, quantity="200", expected_version=2)))
    good = await router.orders.AmendOrder(amend(order, quantity="200", expected_version=order.version))

    assert (stale.code, stale.reason) == (grpc.StatusCode.ABORTED, "ORDER_VERSION_MISMATCH")
    assert stale.facts == {"order_id": order.order_id, "expected": "2", "actual": str(order.version)}
    assert good.outcome == AMEND_OUTCOME_REPLACED


async def test_an_amend_that_contradicts_itself_is_invalid(router: Router) -> None:
    order = await router.working()
    request = amend(
        order, quantity="100", display_quantity="101", time_in_force=1, expire_time={"seconds": 1}
    )

    invalid = await refused(router.orders.AmendOrder(request))

    assert invalid.fields == ["expire_time", "display_quantity"]
    assert router.broker.count("G") == 0


async def test_an_amend_without_a_connection_is_refused(router: Router) -> None:
    order = await router.working()
    router.broker.hang_up()
    await router.serving("session/BROKER", wanted=False)

    down = await refused(router.orders.AmendOrder(amend(order)))

    assert down.reason == "VENUE_SESSION_DOWN"


# Cancel.


async def test_a_cancel_is_answered_when_the_order_is_cancelled(router: Router) -> None:
    request = new_order(ack_level=ACK_LEVEL_VENUE)
    order = (await router.orders.SubmitOrder(request)).order

    by_the_callers_key = CancelOrderRequest(
        order=by_key(request), request_id=request_id(), ack_level=ACK_LEVEL_VENUE
    )
    answer = await router.orders.CancelOrder(by_the_callers_key)

    assert answer.outcome == CANCEL_OUTCOME_CANCELED
    assert answer.order.order_id == order.order_id
    assert answer.order.state == common_pb2.ORDER_STATE_CANCELED
    assert answer.order.leaves_quantity == "0"


async def test_a_cancel_may_be_answered_before_the_venue_has(router: Router) -> None:
    router.broker.answers["F"] = venue.ignore
    order = await router.working()

    answer = await router.orders.CancelOrder(cancel(order, ack_level=common_pb2.ACK_LEVEL_ACCEPTED))

    assert answer.outcome == CANCEL_OUTCOME_PENDING
    assert answer.order.state == common_pb2.ORDER_STATE_WORKING
    assert answer.order.pending_action == common_pb2.PENDING_ACTION_CANCEL


async def test_a_cancel_that_the_venue_refuses_says_why(router: Router) -> None:
    router.broker.answers["F"] = venue.too_late
    order = await router.working()

    answer = await router.orders.CancelOrder(cancel(order))

    assert answer.outcome == CANCEL_OUTCOME_REJECTED
    assert answer.reject.venue.cxl_rej_reason == 0
    assert answer.reject.text == "too late"
    assert answer.order.state == common_pb2.ORDER_STATE_WORKING


async def test_a_cancel_of_an_ended_order_is_no_error(router: Router) -> None:
    order = await router.working()
    await router.orders.CancelOrder(cancel(order))

    answer = await router.orders.CancelOrder(cancel(order))

    assert answer.outcome == CANCEL_OUTCOME_ALREADY_TERMINAL
    assert not answer.duplicate
    assert router.broker.count("F") == 1


async def test_a_fill_that_is_faster_than_the_cancel_ends_it(router: Router) -> None:
    router.broker.answers["F"] = lambda broker, order, _: [venue.fill(broker, order)]
    order = await router.working()

    answer = await router.orders.CancelOrder(cancel(order))

    assert answer.outcome == CANCEL_OUTCOME_ALREADY_TERMINAL
    assert answer.order.state == common_pb2.ORDER_STATE_FILLED


async def test_a_repeated_cancel_is_answered_as_it_stands(router: Router) -> None:
    request = cancel(await router.working())
    first = await router.orders.CancelOrder(request)

    again = await router.orders.CancelOrder(request)

    assert again.duplicate
    assert (again.outcome, again.order) == (first.outcome, first.order)
    assert router.broker.count("F") == 1


async def test_a_second_cancel_waits_with_the_first_for_the_venue(router: Router) -> None:
    router.broker.answers["F"] = venue.ignore
    order = await router.working()
    calls = [router.orders.CancelOrder(cancel(order)) for _ in range(2)]
    await router.broker.until("F")
    await router.orders.CancelOrder(cancel(order, ack_level=common_pb2.ACK_LEVEL_ROUTED))  # both are decided

    router.broker.say(*venue.cancel(router.broker, router.broker.only(), router.broker.heard[1]))

    assert [(await call).outcome for call in calls] == [CANCEL_OUTCOME_CANCELED] * 2
    assert router.broker.count("F") == 1


async def test_an_amend_under_way_does_not_hold_back_a_cancel(router: Router) -> None:
    router.broker.answers["G"] = venue.ignore
    order = await router.working()
    await router.orders.AmendOrder(amend(order, quantity="200", ack_level=common_pb2.ACK_LEVEL_ROUTED))

    answer = await router.orders.CancelOrder(cancel(order))

    assert answer.outcome == CANCEL_OUTCOME_CANCELED


async def test_a_cancel_waits_for_the_connection_and_goes_out_first(router: Router) -> None:
    order = await router.working()
    router.broker.hang_up()
    await router.serving("session/BROKER", wanted=False)

    answer = await router.orders.CancelOrder(cancel(order), timeout=30)  # until we are connected again

    assert answer.outcome == CANCEL_OUTCOME_CANCELED


async def test_an_unknown_order_is_not_found(router: Router) -> None:
    nobody = OrderRef(order_id="nobody")

    for call in (
        router.orders.CancelOrder(CancelOrderRequest(order=nobody, request_id=request_id())),
        router.orders.AmendOrder(AmendOrderRequest(order=nobody, request_id=request_id(), quantity="1")),
    ):
        missing = await refused(call)
        assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND")
        assert missing.facts == {"order_id": "nobody"}


async def test_a_cancel_under_the_request_id_of_an_amend_is_a_conflict(router: Router) -> None:
    order = await router.working()
    first = amend(order)
    await router.orders.AmendOrder(first)

    conflict = await refused(router.orders.CancelOrder(cancel(order, request_id=first.request_id)))

    assert conflict.reason == "REQUEST_ID_CONFLICT"


async def test_impatient_requests_leave_order_and_stream_coherent(router: Router) -> None:
    orders = [await router.working() for _ in range(60)]
    for n, order in enumerate(orders):
        call = router.orders.CancelOrder(cancel(order), timeout=0.0001 * 1.1**n)
        await asyncio.wait([asyncio.ensure_future(call)])
    await router.orders.CancelOrder(cancel(await router.working()))

    events = await router.log()

    asked = [e.order.order_id for e in events if e.kind == EXECUTION_KIND_CANCEL_REQUESTED]
    ended = [e.order.order_id for e in events if e.kind == EXECUTION_KIND_CANCELED]
    assert asked == ended
    assert router.broker.count("F") == len(asked)


async def test_the_cause_names_the_request_and_who_made_it(router: Router) -> None:
    order = await router.working()
    request = amend(order)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    await router.orders.AmendOrder(request, metadata=(("x-client", "desk/1.0"), ("traceparent", trace)))

    events = await router.log()
    (asked,) = [event for event in events if event.kind == EXECUTION_KIND_AMEND_REQUESTED]
    assert asked.cause.initiator == common_pb2.INITIATOR_CLIENT
    assert (asked.cause.request_id, asked.cause.principal) == (request.request_id, "desk/1.0")
    assert asked.cause.traceparent == trace
    (done,) = [event for event in events if event.kind == EXECUTION_KIND_AMENDED]
    assert done.cause.initiator == common_pb2.INITIATOR_VENUE
