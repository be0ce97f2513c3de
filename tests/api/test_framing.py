"""Bytes put together by hand are what protobuf itself would write."""

from __future__ import annotations

from fairlead.v1.execution_service_pb2 import ExecutionEvent, SubscribeExecutionsResponse
from fairlead_server.api.framing import Payloads
from fairlead_server.store.batch import EventRow
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from tests.store.facts import event

# Texts whose lengths need one, two and three bytes to write.
_TEXTS = st.lists(
    st.one_of(st.text(max_size=3), st.sampled_from(["x" * 127, "x" * 128, "x" * 16_400])),
    min_size=1,
    max_size=5,
)


@given(
    texts=_TEXTS,
    cursor=st.text(alphabet="abc-_", max_size=60),
    replay=st.booleans(),
    sequence=st.integers(1, 2**63 - 1),
)
def test_an_envelope_with_stored_events_reads_as_one_message(
    texts: list[str], cursor: str, replay: bool, sequence: int
) -> None:
    events = [ExecutionEvent(event_id=f"E{n}", sequence=n, text=text) for n, text in enumerate(texts)]
    envelope = SubscribeExecutionsResponse(
        stream_sequence=sequence, cursor=cursor, send_time=Timestamp(seconds=1, nanos=2)
    )

    framed = envelope.SerializeToString() + Payloads().of([row(event) for event in events], replay=replay)

    whole = SubscribeExecutionsResponse()
    whole.CopyFrom(envelope)
    whole.events.SetInParent()
    whole.events.events.extend(events)
    whole.events.replay = replay
    assert SubscribeExecutionsResponse.FromString(framed) == whole


_SEQUENCES = st.lists(st.integers(1, 6), min_size=1, max_size=5, unique=True).map(sorted)


@given(st.lists(st.tuples(_SEQUENCES, st.booleans()), max_size=40))
def test_each_gets_its_own_events_whatever_others_were_sent_before(
    asked: list[tuple[list[int], bool]],
) -> None:
    payloads = Payloads()
    for sequences, replay in asked:
        rows = [row(ExecutionEvent(event_id=f"E{n}", sequence=n)) for n in sequences]

        read = SubscribeExecutionsResponse.FromString(payloads.of(rows, replay=replay)).events

        assert [event.event_id for event in read.events] == [f"E{n}" for n in sequences]
        assert read.replay == replay


def test_those_at_the_same_place_get_the_same_bytes() -> None:
    payloads = Payloads()
    rows = [row(ExecutionEvent(event_id=f"E{n}", sequence=n)) for n in (4, 5, 6)]

    first = payloads.of(rows, replay=False)

    assert payloads.of(list(rows), replay=False) is first


def row(told: ExecutionEvent) -> EventRow:
    return event(told.sequence, body=told.SerializeToString())
