"""What sessions say: their journal, page by page and field by field, and what venues are asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from fairlead.v1 import session_service_pb2 as pb
from fairlead.v1.common_pb2 import OrderRef
from fairlead_server.api import sessions
from fairlead_server.store.batch import Direction, MessageRow
from fairlead_server.store.journal import StoredMessage

from tests.api import broker as venue
from tests.api.refusals import refused
from tests.api.router import Router, by_id, new_order

IN, OUT = pb.MESSAGE_DIRECTION_IN, pb.MESSAGE_DIRECTION_OUT


async def messages(router: Router, **query: Any) -> list[pb.SessionMessage]:
    """The first page, the oldest first."""
    ordinary = {"session_id": "BROKER", "order_by": pb.MESSAGE_SORTING_TIME_ASC}
    request = pb.ListSessionMessagesRequest(**{**ordinary, **query})
    return list((await router.sessions.ListSessionMessages(request)).messages)


def said(message: pb.SessionMessage) -> dict[str, str]:
    return {field.name: field.value for field in message.fields}


def named(found: list[pb.SessionMessage]) -> list[tuple[str, str]]:
    return [(pb.MessageDirection.Name(each.direction)[18:], each.msg_type_name) for each in found]


async def test_a_message_is_taken_apart_into_names_and_meanings(router: Router) -> None:
    order = await router.working()

    *_, sent, received = await messages(router)

    assert (sent.direction, sent.msg_type, sent.msg_type_name) == (OUT, "D", "NewOrderSingle")
    assert (sent.session_id, sent.epoch, sent.msg_seq_num) == ("BROKER", 1, 3)
    assert said(sent)["ClOrdID"] == order.venue.cl_ord_id
    meanings = {field.name: field.meaning for field in sent.fields}
    assert (meanings["Side"], meanings["OrdType"], meanings["Price"]) == ("Buy", "Limit", "")
    assert sent.raw.startswith("8=FIX.4.4|9=")
    assert sent.raw == "".join(f"{field.tag}={field.value}|" for field in sent.fields)
    assert (received.direction, received.msg_type_name) == (IN, "ExecutionReport")
    assert {field.name: field.meaning for field in received.fields}["OrdStatus"] == "New"
    assert received.message_id > sent.message_id
    assert abs((received.time.ToDatetime(UTC) - datetime.now(UTC)).total_seconds()) < 3600


async def test_messages_are_found_by_direction_type_number_and_order(router: Router) -> None:
    first = await router.working()
    second = await router.working()
    await router.sessions.RequestOrderStatus(pb.RequestOrderStatusRequest(order=by_id(first)))

    logon, fence, *orders, inquiry = await messages(router, direction=OUT)
    assert [each.msg_type for each in (logon, fence, *orders, inquiry)] == ["A", "1", "D", "D", "H"]
    assert await messages(router, msg_types=["D", "H"]) == [*orders, inquiry]
    assert await messages(router, min_msg_seq_num=4, max_msg_seq_num=4, direction=OUT) == [orders[1]]
    assert named(await messages(router, order=first.venue.cl_ord_id)) == [
        ("OUT", "NewOrderSingle"),
        ("IN", "ExecutionReport"),
        ("OUT", "OrderStatusRequest"),
    ]
    assert named(await messages(router, order=second.venue.venue_order_id)) == [("IN", "ExecutionReport")]
    assert await messages(router, epoch=2) == []
    assert await messages(router, session_id="NOBODY") == []
    assert await messages(router, end_time=logon.time) == []
    assert (
        len(await messages(router, start_time=logon.time)) == 9
    )  # the answers to our Logon(A) and fence as well


async def test_pages_make_the_whole_in_either_direction(router: Router) -> None:
    for _ in range(4):
        await router.working()
    everything = await messages(router)

    for sorting in (pb.MESSAGE_SORTING_TIME_ASC, pb.MESSAGE_SORTING_UNSPECIFIED):
        seen: list[pb.SessionMessage] = []
        request = pb.ListSessionMessagesRequest(session_id="BROKER", order_by=sorting, page_size=2)
        more = True
        while more:
            page = await router.sessions.ListSessionMessages(request)
            assert len(page.messages) <= 2
            seen += page.messages
            request.page_token = page.next_page_token
            more = bool(page.next_page_token)
        assert seen == (everything if sorting else everything[::-1])


async def test_a_page_token_belongs_to_its_question(router: Router) -> None:
    await router.working()
    request = pb.ListSessionMessagesRequest(session_id="BROKER", page_size=1)
    request.page_token = (await router.sessions.ListSessionMessages(request)).next_page_token
    request.msg_types.append("D")

    wrong = await refused(router.sessions.ListSessionMessages(request))

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("session_id", ""),
        ("min_msg_seq_num", -1),
        ("max_msg_seq_num", -1),
        ("epoch", -1),
        ("order", "a\x01b"),
        ("order", "€"),
        ("page_size", -1),
    ],
)
async def test_what_is_wrong_with_a_question_is_named(router: Router, field: str, value: Any) -> None:
    wrong = await refused(messages(router, **{field: value}))

    assert (wrong.code, wrong.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


def stored(frame: bytes) -> StoredMessage:
    return StoredMessage(7, MessageRow("BROKER", 1, Direction.IN, 1, "A", datetime.now(UTC), frame))


def test_secrets_are_masked_even_if_the_journal_holds_them() -> None:
    logon = b"8=FIX.4.4\x019=5\x0135=A\x0134=1\x01553=us\x01554=hunter2\x0110=000\x01"

    shown = sessions.message(stored(logon))

    assert "hunter2" not in str(shown)
    assert said(shown)["Password"] == "***"
    assert said(shown)["Username"] == "us"


def test_what_cannot_be_taken_apart_is_shown_as_it_came() -> None:
    shown = sessions.message(stored(b"8=FIX.4.4\x01nonsense\xff"))

    assert shown.raw == "8=FIX.4.4|nonsense\xff"
    assert not shown.fields
    assert shown.msg_type_name == "Logon"


# Asking.


async def asked(router: Router, **target: Any) -> int:
    request = pb.RequestOrderStatusRequest(reason="a client called", **target)
    return (await router.sessions.RequestOrderStatus(request)).asked


async def test_the_venue_is_asked_about_one_order(router: Router) -> None:
    order = await router.working()

    assert await asked(router, order=by_id(order)) == 1

    await router.broker.until("H")
    (inquiry,) = [message for message in router.broker.heard if message.msg_type == "H"]
    assert inquiry.get(11) == order.venue.cl_ord_id
    assert inquiry.get(37) == order.venue.venue_order_id


async def test_the_venue_is_asked_about_every_live_order_and_no_other(router: Router) -> None:
    live = [await router.working() for _ in range(3)]
    router.broker.answers["D"] = venue.accept_and_fill
    await router.working()

    assert await asked(router, session_id="BROKER") == 3

    await router.broker.until("H", 3)
    inquiries = [message.get(11) for message in router.broker.heard if message.msg_type == "H"]
    assert inquiries == [order.venue.cl_ord_id for order in live]


async def test_an_inquiry_is_audited(router: Router) -> None:
    order = await router.working()

    await asked(router, order=by_id(order))

    (row,) = router.app._store.audit(order.order_id, 10)
    assert (row.action, row.reason, row.after) == ("order.status", "a client called", "1 asked about")


async def test_nobody_is_asked_about_an_order_that_was_never_sent(router: Router) -> None:
    order = (await router.orders.SubmitOrder(new_order(account_id="SMALL"))).order

    assert await asked(router, order=by_id(order)) == 0
    assert router.broker.count("H") == 0


async def test_a_session_that_is_down_cannot_be_asked(router: Router) -> None:
    wrong = await refused(asked(router, session_id="DOWN"))

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.UNAVAILABLE, "VENUE_SESSION_DOWN")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"order": OrderRef(order_id="O1")}, "ORDER_NOT_FOUND"),
        ({"session_id": "NOBODY"}, "SESSION_NOT_FOUND"),
    ],
)
async def test_what_is_asked_about_must_exist(router: Router, target: dict[str, Any], reason: str) -> None:
    wrong = await refused(asked(router, **target))

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.NOT_FOUND, reason)


@pytest.mark.parametrize(
    ("target", "field"),
    [({}, "target"), ({"session_id": ""}, "session_id"), ({"order": OrderRef()}, "order")],
)
async def test_something_must_be_asked_about(router: Router, target: dict[str, Any], field: str) -> None:
    wrong = await refused(asked(router, **target))

    assert (wrong.code, wrong.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
