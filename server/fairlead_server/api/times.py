"""Times on the wire: google.protobuf.Timestamp and aware UTC datetimes, Duration and timedelta, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86400  # seconds


def timestamp(time: datetime | None) -> Timestamp | None:
    """None stays unset."""
    if time is None:
        return None
    since = time - _EPOCH
    return Timestamp(seconds=since.days * _DAY + since.seconds, nanos=since.microseconds * 1000)


def duration(span: timedelta) -> Duration:
    return Duration(seconds=span.days * _DAY + span.seconds, nanos=span.microseconds * 1000)


def time_of(stamp: Timestamp) -> datetime:
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
