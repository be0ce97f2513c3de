"""Operating sessions over both clients: what they ask, what they return, and a watch that outlives its streams."""

from datetime import UTC, datetime
from typing import Any

import pytest
from fairlead import AsyncClient, Client, MessageDirection, SessionRemoved, errors
from fairlead.errors import BadValue
from fairlead.v1 import session_service_pb2 as pb
from fairlead.v1.common_pb2 import OrderRef
from fairlead.v1.execution_service_pb2 import STREAM_ENDING_REASON_DRAINING, StreamEnding
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode as Code

from tests.clients.conftest import QUICK
from tests.clients.fakes import HANG, Answer, Fail, FakeRouter

WHY = "agreed with the desk"
SIM44 = pb.Session(session_id="SIM44", next_in=1)
CALLS: list[tuple[str, dict[str, Any], str, Any, Any]] = [
    (
        "start_session",
        {"session_id": "SIM44", "reason": WHY},
        "StartSession",
        pb.StartSessionRequest(session_id="SIM44", reason=WHY),
        pb.StartSessionResponse(session=SIM44),
    ),
    (
        "stop_session",
        {"session_id": "SIM44", "reason": WHY},
        "StopSession",
        pb.StopSessionRequest(session_id="SIM44", reason=WHY),
        pb.StopSessionResponse(session=SIM44),
    ),
    (
        "reset_session",
        {"session_id": "SIM44", "expected_next_in": 12, "expected_next_out": 40, "reason": WHY},
        "ResetSessionSequence",
        pb.ResetSessionSequenceRequest(
            session_id="SIM44",
            expected_next_in=12,
            expected_next_out=40,
            next_in=1,
            next_out=1,
            reason=WHY,
        ),
        pb.ResetSessionSequenceResponse(session=SIM44),
    ),
]


@pytest.mark.parametrize(
    ("name", "arguments", "method", "request_", "answer"), CALLS, ids=lambda v: str(v)[:16]
)
async def test_what_is_done_to_a_session_is_asked_once_and_returns_it(
    router: FakeRouter,
    client: Client,
    target: str,
    name: str,
    arguments: dict[str, Any],
    method: str,
    request_: Any,
    answer: Answer,
) -> None:
    router.answers[method] = [answer]

    assert getattr(client, name)(**arguments) == SIM44
    async with AsyncClient(target) as asynchronous:
        assert await getattr(asynchronous, name)(**arguments) == SIM44

    assert router.received[method] == [request_, request_]


def test_an_operation_whose_answer_is_lost_is_not_repeated(router: FakeRouter, client: Client) -> None:
    router.answers["ResetSessionSequence"] = [Fail(Code.UNAVAILABLE)]

    with pytest.raises(errors.Unavailable):
        client.reset_session("SIM44", expected_next_in=2, expected_next_out=2, reason=WHY)

    assert len(router.received["ResetSessionSequence"]) == 1


def test_numbers_that_moved_are_told(router: FakeRouter, client: Client) -> None:
    facts = {"actual_in": "13", "actual_out": "41"}
    router.answers["ResetSessionSequence"] = [Fail(Code.ABORTED, "SESSION_NUMBERS_MOVED", metadata=facts)]

    with pytest.raises(errors.Aborted) as caught:
        client.reset_session("SIM44", expected_next_in=12, expected_next_out=40, reason=WHY)

    assert caught.value.reason == "SESSION_NUMBERS_MOVED"
    assert caught.value.metadata == facts


async def test_a_plan_and_a_reload_are_returned_as_they_came(
    router: FakeRouter, client: Client, target: str
) -> None:
    plan = pb.GetSessionScheduleResponse(open=True, time_zone="America/New_York")
    reload = pb.ReloadSessionsResponse(added_session_ids=["NEW"])
    router.answers["GetSessionSchedule"] = [plan]
    router.answers["ReloadSessions"] = [reload]

    assert client.session_schedule("SIM44", days=3) == plan
    assert client.reload_sessions(reason=WHY) == reload
    async with AsyncClient(target) as asynchronous:
        assert await asynchronous.session_schedule("SIM44", days=3) == plan
        assert await asynchronous.reload_sessions(reason=WHY) == reload

    asked = pb.GetSessionScheduleRequest(session_id="SIM44", days=3)
    assert router.received["GetSessionSchedule"] == [asked, asked]
    assert router.received["ReloadSessions"] == [pb.ReloadSessionsRequest(reason=WHY)] * 2


async def test_messages_are_read_over_all_pages(router: FakeRouter, client: Client, target: str) -> None:
    first, second = pb.SessionMessage(message_id=1), pb.SessionMessage(message_id=2)
    pages: list[Answer] = [
        pb.ListSessionMessagesResponse(messages=[first], next_page_token="t"),
        pb.ListSessionMessagesResponse(messages=[second]),
    ]
    since = datetime(2026, 11, 20, 15, tzinfo=UTC)

    router.answers["ListSessionMessages"] = [*pages]
    found = client.list_session_messages(
        "SIM44",
        direction=MessageDirection.OUT,
        msg_types=["D", "F"],
        start_time=since,
        min_msg_seq_num=3,
        order="C1",
        oldest_first=True,
    )
    assert list(found) == [first, second]
    router.answers["ListSessionMessages"] = [*pages]
    async with AsyncClient(target) as asynchronous:
        assert [each async for each in asynchronous.list_session_messages("SIM44")] == [first, second]

    asked, _, plain, _ = router.received["ListSessionMessages"]
    assert asked == pb.ListSessionMessagesRequest(
        session_id="SIM44",
        direction=pb.MESSAGE_DIRECTION_OUT,
        msg_types=["D", "F"],
        start_time=Timestamp(seconds=int(since.timestamp())),
        min_msg_seq_num=3,
        order="C1",
        order_by=pb.MESSAGE_SORTING_TIME_ASC,
    )
    assert plain.order_by == pb.MESSAGE_SORTING_TIME_DESC
    assert [request.page_token for request in router.received["ListSessionMessages"]] == ["", "t", "", "t"]


async def test_venues_are_asked_about_an_order_or_a_session(
    router: FakeRouter, client: Client, target: str
) -> None:
    router.answers["RequestOrderStatus"] = [pb.RequestOrderStatusResponse(asked=3)]

    assert client.request_order_status("o1") == 3
    async with AsyncClient(target) as asynchronous:
        assert await asynchronous.request_order_status(session_id="SIM44", reason=WHY) == 3

    assert router.received["RequestOrderStatus"] == [
        pb.RequestOrderStatusRequest(order=OrderRef(order_id="o1")),
        pb.RequestOrderStatusRequest(session_id="SIM44", reason=WHY),
    ]


@pytest.mark.parametrize("named", [{}, {"order": "o1", "session_id": "SIM44"}], ids=str)
def test_venues_are_asked_about_one_thing(client: Client, named: dict[str, Any]) -> None:
    with pytest.raises(BadValue, match="order, session_id"):
        client.request_order_status(**named)


# Watches.


def state(session_id: str, next_in: int) -> pb.Session:
    return pb.Session(session_id=session_id, next_in=next_in)


def snapshot(*sessions: pb.Session, number: int = 1) -> pb.WatchSessionsResponse:
    return pb.WatchSessionsResponse(stream_sequence=number, snapshot=pb.SessionSnapshot(sessions=sessions))


def changes(number: int, *sessions: pb.Session, removed: tuple[str, ...] = ()) -> pb.WatchSessionsResponse:
    changed = pb.SessionChanges(sessions=sessions, removed_session_ids=removed)
    return pb.WatchSessionsResponse(stream_sequence=number, changes=changed)


def ending(number: int) -> pb.WatchSessionsResponse:
    reason = StreamEnding(reason=STREAM_ENDING_REASON_DRAINING)
    return pb.WatchSessionsResponse(stream_sequence=number, ending=reason)


def cut_off_twice(router: FakeRouter) -> None:
    """The first stream loses a message, the second one ends with its server; B is gone in the third."""
    router.watches = [
        [snapshot(state("A", 1), state("B", 1)), changes(3, state("A", 3))],
        [snapshot(state("A", 3), state("B", 1)), ending(2), Fail(Code.UNAVAILABLE, "SERVER_DRAINING")],
        [snapshot(state("A", 3)), changes(2, state("A", 4), removed=("B",)), HANG],
    ]


NEWS = [state("A", 1), state("B", 1), state("A", 3), SessionRemoved("B"), state("A", 4)]


def test_a_watch_brings_what_is_news_and_nothing_twice(router: FakeRouter, client: Client) -> None:
    cut_off_twice(router)

    with client.watch_sessions() as watch:
        updates = watch.updates()
        assert [next(updates) for _ in NEWS] == NEWS

    assert len(router.received["WatchSessions"]) == 3


async def test_a_watch_brings_what_is_news_in_asyncio(router: FakeRouter, target: str) -> None:
    cut_off_twice(router)

    async with AsyncClient(target, retry=QUICK) as client, client.watch_sessions() as watch:
        updates = watch.updates()
        assert [await anext(updates) for _ in NEWS] == NEWS
        await updates.aclose()


async def test_iterating_a_watch_gives_sessions(router: FakeRouter, client: Client, target: str) -> None:
    sessions = [update for update in NEWS if isinstance(update, pb.Session)]

    cut_off_twice(router)
    with client.watch_sessions("A", "B", heartbeat=2.0) as watch:
        each = iter(watch)
        assert [next(each) for _ in sessions] == sessions
    cut_off_twice(router)
    async with AsyncClient(target, retry=QUICK) as asynchronous, asynchronous.watch_sessions() as followed:
        found: list[pb.Session] = []
        async for session in followed:
            found.append(session)
            if len(found) == len(sessions):
                followed.close()
        assert found == sessions

    (first, *_) = router.received["WatchSessions"]
    assert list(first.session_ids) == ["A", "B"]
    assert first.heartbeat_interval.seconds == 2


def test_a_heartbeat_says_nothing(router: FakeRouter, client: Client) -> None:
    beat = pb.WatchSessionsResponse(stream_sequence=2, heartbeat=pb.SessionHeartbeat())
    router.watches = [[snapshot(state("A", 1)), beat, changes(3, state("A", 2)), HANG]]

    with client.watch_sessions() as watch:
        updates = watch.updates()
        assert [next(updates), next(updates)] == [state("A", 1), state("A", 2)]


def test_a_stream_that_ends_well_is_opened_anew(router: FakeRouter, client: Client) -> None:
    router.watches = [[snapshot(state("A", 1))], [snapshot(state("A", 2)), HANG]]

    with client.watch_sessions() as watch:
        updates = watch.updates()
        assert [next(updates), next(updates)] == [state("A", 1), state("A", 2)]


def test_a_watch_of_what_is_not_there_fails(router: FakeRouter, client: Client) -> None:
    router.watches = [[Fail(Code.NOT_FOUND, "SESSION_NOT_FOUND")]]

    with client.watch_sessions("NOBODY") as watch, pytest.raises(errors.NotFound):
        next(watch.updates())
