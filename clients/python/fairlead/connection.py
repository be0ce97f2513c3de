"""What both clients say to gRPC about the connection."""

from collections.abc import Mapping
from importlib.metadata import version

from fairlead.requests import new_key

DEFAULT_TARGET = "127.0.0.1:50051"

# A router that is gone is noticed within 40 s even when nothing is sent, and found again within 5 s of its
# return. The server allows pings from 10 s on; gRPC's own default would forbid these.
CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # a minute unless told, whatever keepalive says
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.max_receive_message_length", 16 << 20),  # a thousand orders with all that may be said of them
)

_CLIENT = f"fairlead-python/{version('fairlead')}"


def call_metadata(own: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The metadata of one call and all its attempts; who calls may be named by ``x-client``."""
    return (*({"x-client": _CLIENT} | dict(own)).items(), ("x-request-id", new_key()))
