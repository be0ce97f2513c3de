"""SubmitOrder, as a client sees it: what exists, how far it has come, and that a key makes one order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from fairlead.v1 import common_pb2
from fairlead.v1.execution_service_pb2 import (
    EXECUTION_KIND_ACCEPTED,
    EXECUTION_KIND_RISK_REJECTED,
    EXECUTION_KIND_ROUTED,
    ExecutionEvent,
)
from fairlead.v1.order_service_pb2 import GetOrderRequest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from tests.api import broker as venue
from tests.api.refusals import refused
from tests.api.router import Router, by_key, new_order, running

DEADLINE_PASSED = Timestamp(seconds=1_000_000_000)


async def test_an_order_is_routed_unless_told_otherwise(router: Router) -> None:
    answer = await router.orders.SubmitOrder(new_order(price="50.50", quantity="100.0"))

    await router.broker.until("D")
    assert answer.ack_level_reached == common_pb2.ACK_LEVEL_ROUTED
    assert answer.order.state == common_pb2.ORDER_STATE_PENDING_NEW
    assert answer.order.route_state == common_pb2.ROUTE_STATE_SENT
    assert answer.order.pending_action == common_pb2.PENDING_ACTION_NEW
    assert not answer.duplicate
    sent = router.broker.heard[0]
    assert (sent[11], sent[44], sent[38]) == (answer.order.venue.cl_ord_id, "50.50", "100.0")


async def test_an_accepted_order_is_committed(router: Router) -> None:
    request = new_order(ack_level=common_pb2.ACK_LEVEL_ACCEPTED)

    answer = await router.orders.SubmitOrder(request)

    assert answer.ack_level_reached >= common_pb2.ACK_LEVEL_ACCEPTED
    found = await router.orders.GetOrder(GetOrderRequest(order=by_key(request)))
    assert found.order.order_id == answer.order.order_id


async def test_the_venues_answer_is_waited_for(router: Router) -> None:
    router.broker.answers["D"] = venue.accept_and_fill

    answer = await router.orders.SubmitOrder(new_order(ack_level=common_pb2.ACK_LEVEL_VENUE))

    assert answer.ack_level_reached == common_pb2.ACK_LEVEL_VENUE
    assert answer.order.venue.venue_order_id == "V1"
    assert answer.order.HasField("venue_ack_time")


async def test_a_venue_that_does_not_answer_in_time_leaves_the_order_routed(router: Router) -> None:
    router.broker.answers["D"] = venue.ignore

    answer = await router.orders.SubmitOrder(new_order(ack_level=common_pb2.ACK_LEVEL_VENUE), timeout=0.3)

    assert answer.ack_level_reached == common_pb2.ACK_LEVEL_ROUTED
    assert answer.order.state == common_pb2.ORDER_STATE_PENDING_NEW


async def test_an_order_that_the_venue_refuses_is_rejected_and_no_error(router: Router) -> None:
    router.broker.answers["D"] = venue.refuse

    answer = await router.orders.SubmitOrder(new_order(ack_level=common_pb2.ACK_LEVEL_VENUE))

    assert answer.order.state == common_pb2.ORDER_STATE_REJECTED
    reject = answer.order.reject
    assert reject.source == common_pb2.REJECT_SOURCE_VENUE
    assert reject.reason == common_pb2.REJECT_REASON_VENUE_EXCHANGE_CLOSED
    assert (reject.venue.msg_type, reject.venue.ord_rej_reason, reject.text) == ("8", 2, "closed for today")


async def test_the_cursor_of_the_answer_lies_behind_its_last_event(router: Router) -> None:
    router.broker.answers["D"] = venue.ignore
    answer = await router.orders.SubmitOrder(new_order())

    after = router.subscribe(after_cursor=answer.cursor, until_caught_up=True)
    everything = await router.log()

    assert [event.kind for event in everything] == [EXECUTION_KIND_ACCEPTED, EXECUTION_KIND_ROUTED]
    assert everything[-1].sequence == answer.order.sequence
    assert [message.WhichOneof("payload") for message in await after.rest()] == ["established", "caught_up"]


# One key, one order.


async def test_the_same_request_again_gets_its_order_as_it_is_now(router: Router) -> None:
    request = new_order()
    first = await router.orders.SubmitOrder(request)
    request.ack_level = common_pb2.ACK_LEVEL_VENUE

    again = await router.orders.SubmitOrder(request)

    assert again.duplicate
    assert again.order.order_id == first.order.order_id
    assert again.order.state == common_pb2.ORDER_STATE_WORKING
    assert router.broker.count("D") == 1


async def test_twenty_at_once_with_one_key_make_one_order(router: Router) -> None:
    request = new_order(ack_level=common_pb2.ACK_LEVEL_VENUE)

    answers = await asyncio.gather(*(router.orders.SubmitOrder(request) for _ in range(20)))

    assert len({answer.order.order_id for answer in answers}) == 1
    assert sorted(answer.duplicate for answer in answers) == [False] + [True] * 19
    assert router.broker.count("D") == 1
    assert [event.kind for event in await router.log()].count(EXECUTION_KIND_ACCEPTED) == 1


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"price": "51.00"}, "price"),
        ({"quantity": "200"}, "quantity"),
        ({"side": common_pb2.SIDE_SELL}, "side"),
        ({"instrument_id": "FAR", "strategy_id": "other"}, "instrument_id,strategy_id"),
        ({"order_type": common_pb2.ORDER_TYPE_MARKET, "price": None}, "order_type,price"),
    ],
    ids=str,
)
async def test_another_order_under_the_same_key_is_a_conflict(
    router: Router, changes: dict[str, Any], differing: str
) -> None:
    request = new_order()
    first = await router.orders.SubmitOrder(request)
    other = new_order(**{"client_order_id": request.client_order_id, **changes})

    conflict = await refused(router.orders.SubmitOrder(other))

    assert (conflict.code, conflict.reason) == (grpc.StatusCode.ALREADY_EXISTS, "CLIENT_ORDER_ID_CONFLICT")
    assert conflict.facts["order_id"] == first.order.order_id
    assert conflict.facts["differing_fields"] == differing


async def test_what_a_retry_may_write_otherwise_is_no_conflict(router: Router) -> None:
    request = new_order(price="50.00", note="first")
    first = await router.orders.SubmitOrder(request)
    again = new_order(client_order_id=request.client_order_id, price="50.0", note="second", tags={"try": "2"})

    answer = await router.orders.SubmitOrder(again)

    assert answer.duplicate
    assert answer.order.order_id == first.order.order_id


async def test_another_account_may_use_the_same_key(router: Router) -> None:
    request = new_order()
    first = await router.orders.SubmitOrder(request)
    request.account_id = "ACC2"

    second = await router.orders.SubmitOrder(request)

    assert not second.duplicate
    assert second.order.order_id != first.order.order_id


async def test_a_key_is_known_after_a_restart(tmp_path: Path) -> None:
    url, request = f"sqlite:///{tmp_path}/store.db", new_order()
    async with running(url) as router:
        first = await router.orders.SubmitOrder(request)
        await router.broker.until("D")

    async with running(url, router.broker.session.numbers) as router:
        again = await router.orders.SubmitOrder(request)

        assert again.duplicate
        assert again.order.order_id == first.order.order_id
        assert router.broker.count("D") == 0


# Refused.


async def test_risk_refuses_with_every_breach_and_sends_nothing(router: Router) -> None:
    answer = await router.orders.SubmitOrder(new_order(account_id="SMALL", quantity="10000.5", price="50.01"))

    reject = answer.order.reject
    assert answer.order.state == common_pb2.ORDER_STATE_REJECTED
    assert reject.source == common_pb2.REJECT_SOURCE_RISK
    rules = [breach.rule_id for breach in reject.breaches]
    assert rules == ["lot_size", "tick_size", "max_quantity", "max_notional", "position"]
    assert (reject.rule_id, reject.reason) == ("lot_size", common_pb2.REJECT_REASON_RISK_LOT_SIZE)
    assert (reject.breaches[2].limit, reject.breaches[2].observed) == ("1", "10000.5")
    (event,) = await router.log()
    assert event.kind == EXECUTION_KIND_RISK_REJECTED
    assert event.order == answer.order
    assert not router.broker.heard


@pytest.mark.parametrize(
    ("changes", "source", "reason"),
    [
        ({"instrument_id": "NONE"}, "RISK", "RISK_UNKNOWN_INSTRUMENT"),
        ({"instrument_id": "HALTED"}, "RISK", "RISK_INSTRUMENT_HALTED"),
        ({"account_id": "nobody"}, "RISK", "RISK_LIMIT_MISSING"),
        ({"order_type": common_pb2.ORDER_TYPE_MARKET}, "RISK", "RISK_PRICE_NOT_ALLOWED"),
        ({"price": None}, "RISK", "RISK_PRICE_REQUIRED"),
        ({"price": "-50.00"}, "RISK", "RISK_TICK_SIZE"),
        ({"route_id": "NOWHERE"}, "ROUTER", "ROUTER_NO_ROUTE"),
    ],
    ids=str,
)
async def test_what_depends_on_the_state_of_the_world_makes_a_rejected_order(
    router: Router, changes: dict[str, Any], source: str, reason: str
) -> None:
    request = new_order(**changes)

    answer = await router.orders.SubmitOrder(request)

    reject = answer.order.reject
    assert common_pb2.RejectSource.Name(reject.source) == f"REJECT_SOURCE_{source}"
    assert common_pb2.RejectReason.Name(reject.reason) == f"REJECT_REASON_{reason}"
    stored = await router.orders.GetOrder(GetOrderRequest(order=by_key(request)))
    assert stored.order == answer.order
    assert not router.broker.heard


async def test_a_session_that_is_down_takes_no_orders(router: Router) -> None:
    request = new_order(instrument_id="FAR")

    down = await refused(router.orders.SubmitOrder(request))

    assert (down.code, down.reason) == (grpc.StatusCode.UNAVAILABLE, "VENUE_SESSION_DOWN")
    assert down.facts["session_id"] == "DOWN"
    assert down.detail(error_details_pb2.RetryInfo).retry_delay.seconds == 1
    missing = await refused(router.orders.GetOrder(GetOrderRequest(order=by_key(request))))
    assert missing.reason == "ORDER_NOT_FOUND"
    assert await router.log() == []


async def test_a_lost_connection_takes_no_orders_and_says_since_when(router: Router) -> None:
    router.broker.hang_up()
    await router.serving("session/BROKER", wanted=False)

    down = await refused(router.orders.SubmitOrder(new_order()))

    assert down.reason == "VENUE_SESSION_DOWN"
    assert down.facts["down_since"].endswith("+00:00")


async def test_what_the_venue_cannot_do_is_refused_before_anything_is_decided(router: Router) -> None:
    missing = await refused(router.orders.SubmitOrder(new_order(self_match_id="desk-1")))

    assert (missing.code, missing.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "VENUE_CAPABILITY_MISSING",
    )
    assert missing.facts == {"session_id": "BROKER", "capability": "SELF_MATCH_ID"}
    assert await router.log() == []


async def test_an_order_whose_time_has_passed_is_not_created(router: Router) -> None:
    late = await refused(router.orders.SubmitOrder(new_order(route_before=DEADLINE_PASSED)))

    assert (late.code, late.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "NOT_ROUTED_IN_TIME")
    assert await router.log() == []


# Impatient clients.


async def test_however_short_the_deadline_an_order_is_wholly_routed_or_not_there(router: Router) -> None:
    """Whatever the client is told: what exists is on the stream, and what is on the stream went to the venue."""
    requests = [new_order() for _ in range(300)]
    told = [
        await outcome(router, request, timeout=0.0005 + n / 100_000) for n, request in enumerate(requests)
    ]

    assert any(told)
    assert not all(told)
    await expect_coherent(router, [r.client_order_id for r, ok in zip(requests, told, strict=True) if ok])


async def test_a_cancelled_call_leaves_its_order_whole(router: Router) -> None:
    requests = [new_order(ack_level=common_pb2.ACK_LEVEL_VENUE) for _ in range(50)]
    told = []
    for n, request in enumerate(requests):
        call = router.orders.SubmitOrder(request)
        for _ in range(n):
            await asyncio.sleep(0)
        call.cancel()
        try:
            await call
            told.append(request.client_order_id)
        except asyncio.CancelledError:
            pass

    await expect_coherent(router, told)


async def test_a_deadline_that_comes_while_the_venue_is_waited_for_changes_nothing(router: Router) -> None:
    router.broker.answers["D"] = venue.ignore
    request = new_order(ack_level=common_pb2.ACK_LEVEL_VENUE)
    call = router.orders.SubmitOrder(request)
    await router.broker.until("D")

    call.cancel()

    router.broker.say(*venue.accept(router.broker, router.broker.only(), router.broker.heard[0]))
    wanted = GetOrderRequest(order=by_key(request), wait_for_version=2)
    assert (await router.orders.GetOrder(wanted)).order.state == common_pb2.ORDER_STATE_WORKING


async def outcome(router: Router, request: Any, timeout: float) -> bool:
    """Whether the client was told of an order."""
    try:
        await router.orders.SubmitOrder(request, timeout=timeout)
    except grpc.aio.AioRpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED  # noqa: PT017 - either end will do
        return False
    return True


async def expect_coherent(router: Router, told: list[str]) -> None:
    """Each order has both of its first events, and its NewOrderSingle(D) reached the venue, once."""
    last = await router.working()  # once this is through, so is whatever was decided before
    events = await router.log()

    accepted = keys_of(events, EXECUTION_KIND_ACCEPTED)
    assert accepted == keys_of(events, EXECUTION_KIND_ROUTED)
    assert len(set(accepted)) == len(accepted)
    assert {*told, last.client_order_id} <= set(accepted)
    sent = [message[11] for message in router.broker.heard if message.msg_type == "D"]
    assert sent == [e.order.venue.cl_ord_id for e in events if e.kind == EXECUTION_KIND_ROUTED]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def keys_of(events: list[ExecutionEvent], kind: int) -> list[str]:
    return [event.order.client_order_id for event in events if event.kind == kind]
