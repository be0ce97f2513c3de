"""What both clients send, how often, and what they make of the answer."""

import pytest
from fairlead import AsyncClient, Client, OrderType, OutcomeUnknown, Side, errors
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import Order, Reject
from fairlead.v1.execution_service_pb2 import ListExecutionsResponse
from fairlead.v1.order_service_pb2 import (
    AMEND_OUTCOME_REJECTED,
    AMEND_OUTCOME_REPLACED,
    CANCEL_OUTCOME_PENDING,
    CANCEL_OUTCOME_REJECTED,
    AmendOrderResponse,
    CancelOrderResponse,
    GetOrderResponse,
    ListOrderEventsResponse,
    ListOrdersResponse,
    SubmitOrderResponse,
)
from fairlead.v1.reference_service_pb2 import GetInstrumentResponse, Instrument, ListInstrumentsResponse
from fairlead.v1.session_service_pb2 import GetSessionResponse, ListSessionsResponse, Session
from fairlead.v1.system_service_pb2 import GetServerInfoResponse, ServerInfo
from fairlead.values import NewOrder
from grpc import StatusCode as Code

from tests.clients.conftest import QUICK
from tests.clients.fakes import Answer, Fail, FakeRouter, event

ORDER: NewOrder = {
    "account_id": "demo",
    "instrument_id": "AAPL",
    "side": Side.BUY,
    "quantity": 100,
    "order_type": OrderType.MARKET,
}
MINE: NewOrder = {**ORDER, "client_order_id": "mine"}
WORKING = SubmitOrderResponse(order=Order(order_id="o1", state=common_pb2.ORDER_STATE_WORKING))
REJECT = Reject(reason=common_pb2.REJECT_REASON_RISK_MAX_QUANTITY, text="100 is more than 10")


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(router: FakeRouter, target: str) -> None:
    lost: list[Answer] = [
        Fail(Code.UNAVAILABLE),
        Fail(Code.DEADLINE_EXCEEDED),
        Fail(Code.INTERNAL, "INTERNAL"),
        WORKING,
    ]

    router.answers["SubmitOrder"] = [*lost]
    with Client(target, retry=QUICK) as client:
        assert client.submit_order(**ORDER) == WORKING
    router.answers["SubmitOrder"] = [*lost]
    async with AsyncClient(target, retry=QUICK) as asynchronous:
        assert await asynchronous.submit_order(**ORDER) == WORKING

    bodies = router.received["SubmitOrder"]
    assert bodies[0].client_order_id
    assert bodies[:4] == [bodies[0]] * 4
    assert bodies[4:] == [bodies[4]] * 4
    assert bodies[0].client_order_id != bodies[4].client_order_id


@pytest.mark.parametrize("method", ["AmendOrder", "CancelOrder"])
async def test_amends_and_cancels_keep_their_request_id(router: FakeRouter, target: str, method: str) -> None:
    answer = AmendOrderResponse() if method == "AmendOrder" else CancelOrderResponse()
    router.answers[method] = [Fail(Code.DEADLINE_EXCEEDED), answer]

    async with AsyncClient(target, retry=QUICK) as client:
        await (client.amend_order("o1", price=1) if method == "AmendOrder" else client.cancel_order("o1"))

    first, second = router.received[method]
    assert first.request_id
    assert first == second


async def test_an_outcome_that_cannot_be_found_out_names_the_key(router: FakeRouter, target: str) -> None:
    router.answers["SubmitOrder"] = [Fail(Code.UNAVAILABLE)]

    with Client(target, retry=QUICK) as client, pytest.raises(OutcomeUnknown) as raised:
        client.submit_order(**ORDER)
    async with AsyncClient(target, retry=QUICK) as asynchronous:
        with pytest.raises(OutcomeUnknown) as awaited:
            await asynchronous.submit_order(**MINE)

    keys = [request.client_order_id for request in router.received["SubmitOrder"]]
    half = QUICK.settle_attempts
    assert keys == [raised.value.client_order_id] * half + ["mine"] * half
    assert awaited.value.client_order_id == "mine"


def test_a_refused_order_is_an_answer(router: FakeRouter, client: Client) -> None:
    refused = Order(order_id="o1", state=common_pb2.ORDER_STATE_REJECTED, reject=REJECT)
    router.answers["SubmitOrder"] = [SubmitOrderResponse(order=refused)]

    assert client.submit_order(**ORDER).order == refused


def test_a_refusal_raises_for_who_wants_it(router: FakeRouter, target: str) -> None:
    refused = Order(order_id="o1", state=common_pb2.ORDER_STATE_REJECTED, reject=REJECT)
    router.answers["SubmitOrder"] = [SubmitOrderResponse(order=refused)]
    router.answers["AmendOrder"] = [AmendOrderResponse(outcome=AMEND_OUTCOME_REJECTED, reject=REJECT)]
    router.answers["CancelOrder"] = [CancelOrderResponse(outcome=CANCEL_OUTCOME_REJECTED, reject=REJECT)]

    with Client(target, raise_on_reject=True) as client:
        with pytest.raises(errors.OrderRejected, match="RISK_MAX_QUANTITY: 100 is more than 10") as raised:
            client.submit_order(**ORDER)
        with pytest.raises(errors.AmendRejected):
            client.amend_order("o1", quantity=100)
        with pytest.raises(errors.CancelRejected):
            client.cancel_order("o1")

    assert raised.value.order == refused


def test_what_is_not_refused_raises_nothing(router: FakeRouter, target: str) -> None:
    router.answers["SubmitOrder"] = [WORKING]
    router.answers["AmendOrder"] = [AmendOrderResponse(outcome=AMEND_OUTCOME_REPLACED)]
    router.answers["CancelOrder"] = [CancelOrderResponse(outcome=CANCEL_OUTCOME_PENDING)]

    with Client(target, raise_on_reject=True) as client:
        assert client.submit_order(**ORDER) == WORKING
        assert client.amend_order("o1", quantity=100).outcome == AMEND_OUTCOME_REPLACED
        assert client.cancel_order("o1").outcome == CANCEL_OUTCOME_PENDING


def test_calls_say_who_calls_and_keep_one_request_id_over_attempts(router: FakeRouter, target: str) -> None:
    router.answers["GetServerInfo"] = [Fail(Code.UNAVAILABLE), GetServerInfoResponse()]

    with Client(target, retry=QUICK, metadata={"authorization": "Bearer t"}) as client:
        client.server_info()

    first, second = router.metadata["GetServerInfo"]
    assert first["x-client"].startswith("fairlead-python/")
    assert first["authorization"] == "Bearer t"
    assert first["x-request-id"] == second["x-request-id"]


async def test_lists_fetch_their_pages_as_they_are_read(router: FakeRouter, target: str) -> None:
    pages = [
        ListOrdersResponse(orders=[Order(order_id="o1")], next_page_token="t1", as_of_cursor="c1"),
        ListOrdersResponse(orders=[Order(order_id="o2")], next_page_token="t2", as_of_cursor="c2"),
        ListOrdersResponse(orders=[Order(order_id="o3")], as_of_cursor="c3"),
    ]

    router.answers["ListOrders"] = [*pages]
    with Client(target, retry=QUICK) as client:
        orders = client.list_orders(account_ids="demo")
        assert router.received["ListOrders"] == []
        assert [order.order_id for order in orders] == ["o1", "o2", "o3"]
    router.answers["ListOrders"] = [*pages]
    async with AsyncClient(target, retry=QUICK) as asynchronous:
        listed = asynchronous.list_orders(account_ids="demo")
        assert [order.order_id async for order in listed] == ["o1", "o2", "o3"]

    assert [request.page_token for request in router.received["ListOrders"]] == ["", "t1", "t2"] * 2
    assert orders.cursor == listed.cursor == "c1"  # the oldest: whatever came later is on the stream after it


def test_the_cursor_of_executions_moves_with_the_pages(router: FakeRouter, client: Client) -> None:
    router.answers["ListExecutions"] = [
        ListExecutionsResponse(events=[event(1)], next_page_token="t", cursor="c1"),
        ListExecutionsResponse(events=[event(2)], cursor="c2"),
    ]
    executions = client.list_executions(after_cursor="c0")

    assert [(each.sequence, executions.cursor) for each in executions] == [(1, "c1"), (2, "c2")]


def fill_answers(router: FakeRouter) -> None:
    router.answers["GetOrder"] = [GetOrderResponse(order=Order(order_id="o1"))]
    router.answers["ListOrderEvents"] = [ListOrderEventsResponse(events=[event(1)])]
    router.answers["ListExecutions"] = [ListExecutionsResponse(events=[event(1)])]
    router.answers["ListSessions"] = [ListSessionsResponse(sessions=[Session(session_id="s1")])]
    router.answers["GetSession"] = [GetSessionResponse(session=Session(session_id="s1"))]
    router.answers["ListInstruments"] = [
        ListInstrumentsResponse(instruments=[Instrument(instrument_id="AAPL")])
    ]
    router.answers["GetInstrument"] = [GetInstrumentResponse(instrument=Instrument(instrument_id="AAPL"))]
    router.answers["GetServerInfo"] = [GetServerInfoResponse(server_info=ServerInfo(version="1"))]


def test_every_read_gives_what_it_asked_for(router: FakeRouter, client: Client) -> None:
    fill_answers(router)

    assert client.get_order("o1").order_id == "o1"
    assert list(client.list_order_events("o1")) == [event(1)]
    assert list(client.list_executions()) == [event(1)]
    assert [session.session_id for session in client.list_sessions()] == ["s1"]
    assert client.get_session("s1").session_id == "s1"
    assert [instrument.instrument_id for instrument in client.list_instruments()] == ["AAPL"]
    assert client.get_instrument("AAPL").instrument_id == "AAPL"
    assert client.server_info().version == "1"


async def test_every_read_can_be_awaited(router: FakeRouter, target: str) -> None:
    fill_answers(router)

    async with AsyncClient(target, retry=QUICK) as client:
        assert (await client.get_order("o1")).order_id == "o1"
        assert [each async for each in client.list_order_events("o1")] == [event(1)]
        assert [each async for each in client.list_executions()] == [event(1)]
        assert [session.session_id async for session in client.list_sessions()] == ["s1"]
        assert (await client.get_session("s1")).session_id == "s1"
        assert [each.instrument_id async for each in client.list_instruments()] == ["AAPL"]
        assert (await client.get_instrument("AAPL")).instrument_id == "AAPL"
        assert (await client.server_info()).version == "1"
