"""Where a subscriber stands, message by message."""

import pytest
from fairlead import requests
from fairlead.errors import CallFailed, Failure, StreamLost
from fairlead.following import Follower
from fairlead.retry import Retry
from fairlead.v1 import execution_service_pb2 as pb
from fairlead.v1.common_pb2 import Order
from fairlead.v1.execution_service_pb2 import ExecutionEvent, OrderSnapshot, StreamEnding
from grpc import StatusCode as Code
from hypothesis import given
from hypothesis import strategies as st

from tests.clients.fakes import Streamed

RETRY = Retry(initial=1.0, maximum=8.0)


def following(**query: object) -> Follower:
    return Follower(requests.subscribe(query, 5.0), RETRY)  # type: ignore[arg-type]


def sequences(follower: Follower, *messages: pb.SubscribeExecutionsResponse) -> list[int]:
    updates = [update for message in messages for update in follower.deliver(message)]
    return [update.sequence for update in updates if isinstance(update, ExecutionEvent)]


def down(reason: str = "") -> CallFailed:
    return CallFailed(Failure(Code.UNAVAILABLE, "down", reason))


def test_a_stream_that_is_resumed_starts_after_the_cursor() -> None:
    follower = following(position=pb.START_POSITION_EARLIEST)
    assert follower.opening().WhichOneof("start") == "position"
    stream = Streamed()
    sequences(follower, stream.established(), stream.events(1, 2))

    assert follower.opening().after_cursor == "c2"


def test_a_live_stream_that_breaks_before_any_event_loses_nothing() -> None:
    follower = following()
    sequences(follower, Streamed().established("head"))

    assert follower.opening().after_cursor == "head"


def test_a_heartbeat_moves_the_cursor() -> None:
    follower = following()
    stream = Streamed()
    sequences(follower, stream.established(), stream.heartbeat(7))

    assert follower.cursor == "c7"


def test_the_cursor_passes_a_message_only_with_its_last_event() -> None:
    follower = following()
    stream = Streamed()
    sequences(follower, stream.established("c0"))

    seen = [follower.cursor for _ in follower.deliver(stream.events(1, 2, 3))]

    assert seen == ["c0", "c0", "c3"]


def test_events_that_are_sent_again_are_not_yielded_again() -> None:
    follower = following()
    first, again = Streamed(), Streamed()

    assert sequences(follower, first.established(), first.events(1, 2, 3)) == [1, 2, 3]
    follower.opening()
    assert sequences(follower, again.established(), again.events(2, 3, 4), again.events(4, 6)) == [4, 6]


def test_a_new_epoch_counts_anew() -> None:
    follower = following()
    old, new = Streamed(epoch=1), Streamed(epoch=2)
    sequences(follower, old.established(), old.events(9))
    follower.opening()

    assert sequences(follower, new.established(), new.events(1)) == [1]


def test_a_hole_in_the_stream_is_a_lost_message() -> None:
    follower = following()
    stream = Streamed()
    sequences(follower, stream.established(), stream.events(1))

    with pytest.raises(StreamLost, match="message 3 is missing"):
        sequences(follower, stream.lost().events(3))
    assert follower.opening().after_cursor == "c1"


def test_a_snapshot_is_handed_over_whole_or_not_at_all() -> None:
    follower = following(position=pb.START_POSITION_SNAPSHOT_THEN_LIVE)
    broken, whole = Streamed(), Streamed()
    half = OrderSnapshot(orders=[Order(order_id="o1")], as_of_sequence=5)
    rest = OrderSnapshot(orders=[Order(order_id="o2")], as_of_sequence=5, last_page=True)

    assert list(follower.deliver(broken.established(""))) == []
    assert list(follower.deliver(broken.message("", snapshot=half))) == []
    assert follower.opening().WhichOneof("start") == "position"  # nothing to resume from: once more

    list(follower.deliver(whole.established("")))
    list(follower.deliver(whole.message("", snapshot=half)))
    [snapshot] = follower.deliver(whole.message("c5", snapshot=rest))
    assert isinstance(snapshot, OrderSnapshot)
    assert [order.order_id for order in snapshot.orders] == ["o1", "o2"]
    assert follower.cursor == "c5"
    assert sequences(follower, whole.events(5, 6)) == [6]  # 5 is in the snapshot


def test_what_a_newer_server_adds_is_ignored() -> None:
    follower = following()
    stream = Streamed()

    assert sequences(follower, stream.established(), stream.message("c4")) == []
    assert follower.cursor == "c4"


@pytest.mark.parametrize(
    "code",
    [
        Code.INVALID_ARGUMENT,
        Code.OUT_OF_RANGE,
        Code.FAILED_PRECONDITION,
        Code.PERMISSION_DENIED,
        Code.NOT_FOUND,
    ],
)
def test_a_refusal_ends_the_subscription(code: Code) -> None:
    refusal = CallFailed(Failure(code, "no", "REASON"))

    with pytest.raises(CallFailed) as raised:
        following().failed(refusal)
    assert raised.value is refusal


@pytest.mark.parametrize(
    "code", [Code.UNAVAILABLE, Code.ABORTED, Code.CANCELLED, Code.INTERNAL, Code.UNKNOWN]
)
def test_a_stream_that_has_been_open_is_resumed_for_ever(code: Code) -> None:
    follower = following()
    sequences(follower, Streamed().established())

    delays = [follower.failed(CallFailed(Failure(code, "x"))) for _ in range(50)]

    assert 0.5 <= delays[0] <= 1.0
    assert all(4.0 <= delay <= 8.0 for delay in delays[3:])


def test_a_stream_that_never_opens_is_given_up() -> None:
    follower = following()
    for _ in range(3):
        follower.failed(down())

    with pytest.raises(CallFailed):
        follower.failed(down())


def test_something_coming_through_shortens_the_next_wait_and_a_mere_opening_does_not() -> None:
    follower = following()
    sequences(follower, Streamed().established())
    for _ in range(10):
        follower.failed(down())
    follower.opening()
    stream = Streamed()

    sequences(follower, stream.established())
    assert follower.failed(down()) >= 4.0
    sequences(follower, stream.heartbeat(1))
    assert follower.failed(down()) <= 1.0


def test_a_server_that_says_goodbye_says_when_to_come_back() -> None:
    follower = following()
    stream = Streamed()
    ending = StreamEnding(reason=pb.STREAM_ENDING_REASON_DRAINING)
    ending.retry_after.FromSeconds(30)
    sequences(follower, stream.established(), stream.message("c1", ending=ending))

    assert follower.failed(down("SERVER_DRAINING")) == 30


@pytest.mark.parametrize(
    "reason", [pb.STREAM_ENDING_REASON_REPLACED, pb.STREAM_ENDING_REASON_CREDENTIAL_REVOKED]
)
def test_who_was_replaced_or_revoked_does_not_come_back(reason: pb.StreamEndingReason.ValueType) -> None:
    follower = following()
    stream = Streamed()
    sequences(follower, stream.established(), stream.message("c1", ending=StreamEnding(reason=reason)))

    with pytest.raises(CallFailed):
        follower.failed(down())


def test_an_end_that_was_asked_for_is_the_end() -> None:
    follower = following(until_caught_up=True)
    stream = Streamed()
    sequences(follower, stream.established(), stream.caught_up(0))

    follower.ended()

    assert follower.finished


def test_an_end_that_was_not_asked_for_is_a_loss() -> None:
    with pytest.raises(StreamLost):
        following().ended()


@given(st.data())
def test_whatever_breaks_and_is_repeated_each_event_comes_once_and_in_order(data: st.DataObject) -> None:
    follower = following(position=pb.START_POSITION_EARLIEST)
    last = 30
    seen: list[int] = []
    while not seen or seen[-1] < last:
        after = int(follower.opening().after_cursor.removeprefix("c") or 0)
        at = max(0, after - data.draw(st.integers(0, 3)))  # the server may repeat some
        stream = Streamed()
        seen += sequences(follower, stream.established(f"c{at}"))
        for _ in range(data.draw(st.integers(1, 4))):  # messages until the stream breaks
            batch = range(at + 1, min(last, at + data.draw(st.integers(1, 5))) + 1)
            if batch:
                at = batch[-1]
                seen += sequences(follower, stream.events(*batch))

    assert seen == list(range(1, last + 1))
