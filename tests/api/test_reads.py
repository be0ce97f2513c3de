"""GetOrder and the lists: pages, filters, tokens, and positions from which nothing is missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import ACK_LEVEL_VENUE, ClientOrderRef, Order, OrderRef
from fairlead.v1.execution_service_pb2 import (
    EXECUTION_KIND_ACCEPTED,
    EXECUTION_KIND_FILLED,
    EXECUTION_KIND_RISK_REJECTED,
    EXECUTION_KIND_ROUTED,
    EXECUTION_KIND_VENUE_ACCEPTED,
    ExecutionEvent,
    ExecutionFilter,
    ListExecutionsRequest,
)
from fairlead.v1.order_service_pb2 import (
    ORDER_SORTING_CREATE_TIME_ASC,
    GetOrderRequest,
    ListOrderEventsRequest,
    ListOrdersRequest,
    OrderFilter,
)
from fairlead.v1.reference_service_pb2 import (
    DAY_OF_WEEK_MONDAY,
    DAY_OF_WEEK_SUNDAY,
    GetInstrumentRequest,
    ListInstrumentsRequest,
)
from fairlead.v1.session_service_pb2 import (
    SESSION_STATE_ACTIVE,
    SESSION_STATE_BACKOFF,
    GetSessionRequest,
    ListSessionsRequest,
)
from google.protobuf.timestamp_pb2 import Timestamp

from tests.api import broker as venue
from tests.api.refusals import refused
from tests.api.router import Router, by_id, by_key, events_of, new_order, running

# GetOrder.


async def test_an_order_is_found_by_either_of_its_names(router: Router) -> None:
    request = new_order(ack_level=ACK_LEVEL_VENUE)
    order = (await router.orders.SubmitOrder(request)).order

    by_ours = await router.orders.GetOrder(GetOrderRequest(order=by_id(order)))
    by_theirs = await router.orders.GetOrder(GetOrderRequest(order=by_key(request)))

    assert by_ours == by_theirs
    assert by_ours.order == order


@pytest.mark.parametrize(
    ("ref", "facts"),
    [
        (OrderRef(order_id="none"), {"order_id": "none"}),
        (
            OrderRef(client_order=ClientOrderRef(account_id="ACC1", client_order_id="none")),
            {"account_id": "ACC1", "client_order_id": "none"},
        ),
    ],
    ids=["order_id", "client_order"],
)
async def test_an_unknown_order_is_not_found(router: Router, ref: OrderRef, facts: dict[str, str]) -> None:
    missing = await refused(router.orders.GetOrder(GetOrderRequest(order=ref)))

    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND")
    assert missing.facts == facts


async def test_a_newer_version_is_waited_for(router: Router) -> None:
    router.broker.answers["D"] = venue.ignore
    order = (await router.orders.SubmitOrder(new_order())).order
    waiting = router.orders.GetOrder(GetOrderRequest(order=by_id(order), wait_for_version=order.version))
    await router.broker.until("D")

    router.broker.say(*venue.accept(router.broker, router.broker.only(), router.broker.heard[0]))

    answer = await waiting
    assert answer.order.version == order.version + 1
    assert answer.order.state == common_pb2.ORDER_STATE_WORKING


async def test_a_version_that_is_there_already_is_not_waited_for(router: Router) -> None:
    order = await router.working()

    answer = await router.orders.GetOrder(
        GetOrderRequest(order=by_id(order), wait_for_version=order.version - 1)
    )

    assert answer.order == order


async def test_when_a_version_does_not_come_in_time_the_order_is_shown_as_it_is(router: Router) -> None:
    order = await router.working()
    wanted = GetOrderRequest(order=by_id(order), wait_for_version=order.version)

    answer = await router.orders.GetOrder(wanted, timeout=0.2)

    assert answer.order == order


async def test_nothing_is_missed_after_the_position_of_an_order(router: Router) -> None:
    order = await router.working()
    answer = await router.orders.GetOrder(GetOrderRequest(order=by_id(order)))
    router.broker.say(venue.fill(router.broker, router.broker.only()))

    (event,) = await router.subscribe(after_cursor=answer.as_of_cursor).events(1)

    assert event.kind == EXECUTION_KIND_FILLED


# ListOrders.


@pytest.fixture
async def many(router: Router) -> list[Order]:
    """Seven orders in the order in which they were made, of two accounts, one filled, one refused."""
    orders = []
    for n in range(6):
        router.broker.answers["D"] = venue.accept_and_fill if n == 2 else venue.accept
        account, strategy = ("ACC1", "") if n % 2 else ("ACC2", "alpha")
        order = await router.working(account_id=account, strategy_id=strategy)
        orders.append(order)
    router.broker.answers["D"] = venue.accept
    orders.append((await router.orders.SubmitOrder(new_order(account_id="SMALL"))).order)
    await router.working(account_id="ACC2")  # once this is through, so is the fill
    return [(await router.orders.GetOrder(GetOrderRequest(order=by_id(order)))).order for order in orders]


async def pages(router: Router, size: int, **changes: Any) -> AsyncIterator[list[Order]]:
    request = ListOrdersRequest(page_size=size, **changes)
    while True:
        response = await router.orders.ListOrders(request)
        yield list(response.orders)
        if not response.next_page_token:
            return
        request.page_token = response.next_page_token


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 0, 5000])
async def test_pages_of_any_size_list_every_order_once(router: Router, many: list[Order], size: int) -> None:
    oldest = [page async for page in pages(router, size, order_by=ORDER_SORTING_CREATE_TIME_ASC)]
    newest = [page async for page in pages(router, size)]

    listed = [order for page in oldest for order in page]
    assert listed[:7] == many
    assert [order for page in newest for order in page] == listed[::-1]
    assert all(len(page) <= (size or 100) for page in oldest)


async def test_an_order_that_is_made_between_two_pages_shifts_nothing(
    router: Router, many: list[Order]
) -> None:
    found = []
    async for page in pages(router, 3):
        found += page
        await router.working()

    assert found[1:] == many[::-1]


@pytest.mark.parametrize(
    ("criteria", "wanted"),
    [
        (OrderFilter(account_ids=["ACC1"]), [1, 3, 5]),
        (OrderFilter(account_ids=["ACC1", "SMALL"]), [1, 3, 5, 6]),
        (OrderFilter(account_ids=["none"]), []),
        (OrderFilter(instrument_ids=["ACME"], account_ids=["SMALL"]), [6]),
        (OrderFilter(strategy_ids=["alpha"]), [0, 2, 4]),
        (OrderFilter(strategy_ids=["alpha"], live_only=True), [0, 4]),
        (OrderFilter(states=[common_pb2.ORDER_STATE_FILLED, common_pb2.ORDER_STATE_REJECTED]), [2, 6]),
        (OrderFilter(session_ids=["DOWN"]), []),
        (OrderFilter(session_ids=["BROKER"], account_ids=["ACC1"]), [1, 3, 5]),
    ],
    ids=str,
)
async def test_a_filter_holds_in_all_its_parts(
    router: Router, many: list[Order], criteria: OrderFilter, wanted: list[int]
) -> None:
    request = ListOrdersRequest(filter=criteria, order_by=ORDER_SORTING_CREATE_TIME_ASC)

    listed = await router.orders.ListOrders(request)

    assert list(listed.orders) == [many[n] for n in wanted]


async def test_orders_are_listed_from_one_moment_to_another(router: Router, many: list[Order]) -> None:
    criteria = OrderFilter(start_time=many[1].create_time, end_time=many[4].create_time)

    listed = await router.orders.ListOrders(ListOrdersRequest(filter=criteria))

    assert list(listed.orders) == many[3:0:-1]


async def test_list_and_then_subscribe_misses_nothing(router: Router) -> None:
    order = await router.working()
    listed = await router.orders.ListOrders(ListOrdersRequest())
    router.broker.say(venue.fill(router.broker, router.broker.only()))

    (event,) = await router.subscribe(after_cursor=listed.as_of_cursor).events(1)

    assert list(listed.orders) == [order]
    assert event.kind == EXECUTION_KIND_FILLED


async def test_a_page_stops_before_it_is_more_than_a_client_takes(router: Router) -> None:
    tags = {f"{n:064}": "\u20ac" * 21 for n in range(16)}
    orders = (new_order(account_id="SMALL", tags=tags, note="x" * 256) for _ in range(1000))
    await asyncio.gather(*map(router.orders.SubmitOrder, orders))

    found = [page async for page in pages(router, 1000)]
    events = await router.executions.ListExecutions(ListExecutionsRequest(page_size=1000))

    assert sum(map(len, found)) == 1000
    assert len(found) > 1
    assert len(events.events) < 1000
    assert events.next_page_token


# Tokens.


async def test_a_page_token_fits_its_own_request_only(router: Router, many: list[Order]) -> None:
    request = ListOrdersRequest(page_size=2)
    token = (await router.orders.ListOrders(request)).next_page_token
    others: list[Any] = [
        router.orders.ListOrders(
            ListOrdersRequest(page_token=token, filter=OrderFilter(account_ids=["ACC1"]))
        ),
        router.orders.ListOrders(ListOrdersRequest(page_token=token, order_by=ORDER_SORTING_CREATE_TIME_ASC)),
        router.orders.ListOrderEvents(ListOrderEventsRequest(page_token=token, order=by_id(many[0]))),
        router.executions.ListExecutions(ListExecutionsRequest(page_token=token)),
        router.reference.ListInstruments(ListInstrumentsRequest(page_token=token)),
        router.sessions.ListSessions(ListSessionsRequest(page_token=token)),
        router.orders.ListOrders(ListOrdersRequest(page_token=token[:-3] + "AAA")),
        router.orders.ListOrders(ListOrdersRequest(page_token="AAAA")),
        router.orders.ListOrders(ListOrdersRequest(page_token="=")),
    ]

    for call in others:
        wrong = await refused(call)
        assert (wrong.code, wrong.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")
        assert wrong.facts == {"field": "page_token"}


async def test_a_cursor_is_no_page_token_and_a_page_token_no_cursor(
    router: Router, many: list[Order]
) -> None:
    page = await router.executions.ListExecutions(ListExecutionsRequest(page_size=2))

    as_page = await refused(
        router.executions.ListExecutions(ListExecutionsRequest(page_token=page.cursor, page_size=2))
    )
    as_cursor = await refused(
        router.executions.ListExecutions(ListExecutionsRequest(after_cursor=page.next_page_token))
    )

    assert (as_page.reason, as_cursor.reason) == ("PAGE_TOKEN_INVALID", "CURSOR_INVALID")


async def test_the_tokens_of_another_store_are_refused(router: Router, many: list[Order]) -> None:
    page = await router.orders.ListOrders(ListOrdersRequest(page_size=2))
    async with running() as other:
        wrong_page = await refused(
            other.orders.ListOrders(ListOrdersRequest(page_token=page.next_page_token))
        )
        wrong_cursor = await refused(
            other.executions.ListExecutions(ListExecutionsRequest(after_cursor=page.as_of_cursor))
        )

    assert (wrong_page.reason, wrong_cursor.reason) == ("PAGE_TOKEN_INVALID", "CURSOR_INVALID")


# ListOrderEvents.


async def test_the_events_of_one_order_tell_its_life(router: Router, many: list[Order]) -> None:
    request, found = ListOrderEventsRequest(order=by_id(many[2]), page_size=3), list[ExecutionEvent]()
    while True:
        response = await router.orders.ListOrderEvents(request)
        found += response.events
        if not response.next_page_token:
            break
        request.page_token = response.next_page_token

    kinds = [
        EXECUTION_KIND_ACCEPTED,
        EXECUTION_KIND_ROUTED,
        EXECUTION_KIND_VENUE_ACCEPTED,
        EXECUTION_KIND_FILLED,
    ]
    assert [event.kind for event in found] == kinds
    assert [event.order.version for event in found] == [1, 2, 3, 4]
    assert {event.order.order_id for event in found} == {many[2].order_id}
    assert found[-1].order == many[2]


async def test_the_events_of_an_order_that_was_refused_are_one(router: Router, many: list[Order]) -> None:
    listed = await router.orders.ListOrderEvents(ListOrderEventsRequest(order=by_id(many[6])))

    (event,) = listed.events
    assert event.kind == EXECUTION_KIND_RISK_REJECTED
    assert event.reject == many[6].reject


# ListExecutions.


async def executions(router: Router, **changes: Any) -> list[ExecutionEvent]:
    request, found = ListExecutionsRequest(**changes), list[ExecutionEvent]()
    while True:
        response = await router.executions.ListExecutions(request)
        found += response.events
        if not response.next_page_token:
            return found
        request.page_token = response.next_page_token


@pytest.mark.parametrize("size", [1, 4, 0, 1000])
async def test_the_log_is_read_in_pages(router: Router, many: list[Order], size: int) -> None:
    assert await executions(router, page_size=size) == await router.log()


@pytest.mark.parametrize(
    "criteria",
    [
        ExecutionFilter(account_ids=["ACC2"]),
        ExecutionFilter(strategy_ids=["alpha"], kinds=[EXECUTION_KIND_FILLED]),
        ExecutionFilter(kinds=[EXECUTION_KIND_RISK_REJECTED]),
        ExecutionFilter(session_ids=["BROKER"]),
        ExecutionFilter(instrument_ids=["FAR"]),
    ],
    ids=str,
)
async def test_a_list_and_a_stream_with_one_filter_agree(
    router: Router, many: list[Order], criteria: ExecutionFilter
) -> None:
    stream = router.subscribe(filter=criteria, position="START_POSITION_EARLIEST", until_caught_up=True)

    assert await executions(router, filter=criteria, page_size=2) == events_of(await stream.rest())


async def test_the_log_is_read_from_a_moment_to_another(router: Router, many: list[Order]) -> None:
    everything = await router.log()
    start, end = everything[4].commit_time, everything[9].commit_time

    between = await executions(router, after_time=start, until_time=end, page_size=2)

    assert between == [e for e in everything if moment(start) <= moment(e.commit_time) < moment(end)]


async def test_the_cursor_of_a_page_continues_in_a_stream(router: Router, many: list[Order]) -> None:
    everything = await router.log()
    page = await router.executions.ListExecutions(ListExecutionsRequest(page_size=5))

    stream = router.subscribe(after_cursor=page.cursor, until_caught_up=True)

    assert list(page.events) + events_of(await stream.rest()) == everything


async def test_a_later_page_must_ask_for_the_same(router: Router, many: list[Order]) -> None:
    request = ListExecutionsRequest(page_size=2, until_time=many[3].create_time)
    request.page_token = (await router.executions.ListExecutions(request)).next_page_token
    request.until_time.CopyFrom(many[4].create_time)

    wrong = await refused(router.executions.ListExecutions(request))

    assert wrong.reason == "PAGE_TOKEN_INVALID"


def moment(stamp: Timestamp) -> tuple[int, int]:
    return stamp.seconds, stamp.nanos


# Sessions, instruments.


async def test_sessions_are_listed_by_name_in_pages(router: Router) -> None:
    first = await router.sessions.ListSessions(ListSessionsRequest(page_size=1))
    second = await router.sessions.ListSessions(ListSessionsRequest(page_token=first.next_page_token))

    assert [session.session_id for session in (*first.sessions, *second.sessions)] == ["BROKER", "DOWN"]
    assert not second.next_page_token


async def test_a_session_tells_how_it_stands(router: Router) -> None:
    up = (await router.sessions.GetSession(GetSessionRequest(session_id="BROKER"))).session
    down = (await router.sessions.GetSession(GetSessionRequest(session_id="DOWN"))).session

    assert up.state == SESSION_STATE_ACTIVE
    assert (up.begin_string, up.sender_comp_id, up.target_comp_id) == ("FIX.4.4", "FAIRLEAD", "BROKER")
    peer = router.broker.session.numbers
    assert (up.next_in, up.next_out, up.connection_number) == (peer.next_out, peer.next_in, 1)
    assert up.HasField("active_time")
    assert down.state == SESSION_STATE_BACKOFF
    assert down.state_reason.startswith("cannot connect to 127.0.0.1:")
    assert not down.HasField("connect_time")


async def test_an_unknown_session_is_not_found(router: Router) -> None:
    missing = await refused(router.sessions.GetSession(GetSessionRequest(session_id="NONE")))

    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")


async def test_instruments_are_listed_by_name_in_pages(router: Router) -> None:
    request = ListInstrumentsRequest(page_size=2)
    first = await router.reference.ListInstruments(request)
    request.page_token = first.next_page_token
    second = await router.reference.ListInstruments(request)
    names = [instrument.instrument_id for instrument in (*first.instruments, *second.instruments)]

    assert names == ["ACME", "FAR", "HALTED"]
    assert not second.next_page_token


async def test_named_instruments_are_listed_and_unknown_ones_left_out(router: Router) -> None:
    listed = await router.reference.ListInstruments(ListInstrumentsRequest(instrument_ids=["HALTED", "NONE"]))

    (halted,) = listed.instruments
    assert halted.halted
    assert halted.trading_hours.time_zone == "America/Chicago"
    (night,) = halted.trading_hours.spans
    assert list(night.days) == [DAY_OF_WEEK_MONDAY, DAY_OF_WEEK_SUNDAY]
    assert (night.opens, night.closes) == ("18:00:00", "17:00:00")


async def test_an_instrument_tells_its_rules(router: Router) -> None:
    answer = await router.reference.GetInstrument(GetInstrumentRequest(instrument_id="ACME"))

    instrument = answer.instrument
    assert (instrument.tick_size, instrument.lot_size, instrument.currency) == ("0.05", "1", "USD")
    assert (instrument.reference_price.price, instrument.reference_price.source) == ("50", "file")
    assert not instrument.HasField("trading_hours")


async def test_an_unknown_instrument_is_not_found(router: Router) -> None:
    missing = await refused(router.reference.GetInstrument(GetInstrumentRequest(instrument_id="NONE")))

    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "INSTRUMENT_NOT_FOUND")
