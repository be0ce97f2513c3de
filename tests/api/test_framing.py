"""Bytes put together by hand are what protobuf itself would write."""

from __future__ import annotations

from fairlead.v1.execution_service_pb2 import ExecutionEvent, SubscribeExecutionsResponse
from fairlead_server.api.framing import with_events
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

# Texts whose lengths need one, two and three bytes to write.
_TEXTS = st.lists(
    st.one_of(st.text(max_size=3), st.sampled_from(["x" * 127, "x" * 128, "x" * 16_400])), max_size=5
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

    framed = with_events(envelope, [event.SerializeToString() for event in events], replay=replay)

    whole = SubscribeExecutionsResponse()
    whole.CopyFrom(envelope)
    whole.events.SetInParent()
    whole.events.events.extend(events)
    whole.events.replay = replay
    assert SubscribeExecutionsResponse.FromString(framed) == whole
