"""What can go wrong with a call.

FairleadError
├── CallFailed                 the server, or something before it, answered with an error
│   ├── InvalidRequest         INVALID_ARGUMENT: `violations` names the fields
│   ├── NotAuthenticated       UNAUTHENTICATED
│   ├── NotAllowed             PERMISSION_DENIED
│   ├── NotFound               NOT_FOUND
│   ├── KeyConflict            ALREADY_EXISTS: the key was used for something else
│   ├── Aborted                ABORTED
│   │   └── VersionMismatch    the order is no longer at `expected_version`
│   ├── PreconditionFailed     FAILED_PRECONDITION
│   │   ├── OrderTerminal      the order has ended
│   │   ├── OrderActionPending another amend awaits its answer
│   │   └── EpochMismatch      the log was rebuilt: cursors of before mean nothing
│   ├── CursorExpired          OUT_OF_RANGE: older than what the log keeps
│   ├── LimitExceeded          RESOURCE_EXHAUSTED
│   ├── Unavailable            UNAVAILABLE
│   │   └── VenueSessionDown   the FIX session to the venue is down
│   ├── DeadlineExceeded       DEADLINE_EXCEEDED
│   ├── Cancelled              CANCELLED
│   └── ServerFault            INTERNAL, UNKNOWN and the rest
├── BadValue                   a value that the API cannot carry; refused before anything is asked
├── OutcomeUnknown             asked again and again, and still nobody knows; repeat with the same key
├── StreamLost                 a stream that went silent, lost a message or ended early
└── Refused                    raised only with `raise_on_reject`: the business said no
    ├── OrderRejected
    ├── AmendRejected
    └── CancelRejected

The rule for reading errors (``error_reason.proto``): one with a `reason` comes from the router and is
definite; one without was made on the way, and what came of the call is unknown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from fairlead.v1 import common_pb2

DOMAIN = "fairlead"

_DETAILS = "grpc-status-details-bin"
_NOT_SENT = ("failed to connect to all addresses", "errors resolving ", "DNS resolution failed")


class Violation(NamedTuple):
    """What is wrong with one field."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of a call, read."""

    code: grpc.StatusCode
    message: str
    reason: str = ""  # a name of ErrorReason without its prefix; empty if the error is not the router's
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    retry_delay: float | None = None  # in seconds


class FairleadError(Exception):
    """The root of all."""


class BadValue(FairleadError, ValueError):
    """A value that the API cannot carry."""


class CallFailed(FairleadError):
    """A call that ended with an error."""

    def __init__(self, failure: Failure) -> None:
        self.code = failure.code
        self.message = failure.message
        self.reason = failure.reason
        self.metadata = failure.metadata
        self.violations = failure.violations
        self.retry_delay = failure.retry_delay
        fields = "; ".join(f"{violation.field}: {violation.description}" for violation in self.violations)
        what = self.reason or self.code.name
        super().__init__(f"{what}: {self.message}" + (f" ({fields})" if fields else ""))

    @property
    def definite(self) -> bool:
        """The router said so; otherwise the outcome of the call is unknown."""
        return bool(self.reason)

    @property
    def never_sent(self) -> bool:
        """There was no connection to send the call over: gRPC's own words, relied on only to be kinder."""
        return not self.reason and self.message.startswith(_NOT_SENT)


class InvalidRequest(CallFailed): ...


class NotAuthenticated(CallFailed): ...


class NotAllowed(CallFailed): ...


class NotFound(CallFailed): ...


class KeyConflict(CallFailed): ...


class Aborted(CallFailed): ...


class VersionMismatch(Aborted): ...


class PreconditionFailed(CallFailed): ...


class OrderTerminal(PreconditionFailed): ...


class OrderActionPending(PreconditionFailed): ...


class EpochMismatch(PreconditionFailed): ...


class CursorExpired(CallFailed): ...


class LimitExceeded(CallFailed): ...


class Unavailable(CallFailed): ...


class VenueSessionDown(Unavailable): ...


class DeadlineExceeded(CallFailed): ...


class Cancelled(CallFailed): ...


class ServerFault(CallFailed): ...


class OutcomeUnknown(FairleadError):
    """Nobody can say what became of a request. Repeat it with the same key to find out.

    `client_order_id` is set for a submit, `request_id` for an amend or cancel; the keys of a batch are in its
    items. `request` is what was sent, keys and all; `last` is the latest error.
    """

    def __init__(self, request: Message, *, client_order_id: str, request_id: str, last: CallFailed) -> None:
        self.request = request
        self.client_order_id = client_order_id
        self.request_id = request_id
        self.last = last
        key = f"client_order_id {client_order_id}" if client_order_id else f"request_id {request_id}"
        if not (client_order_id or request_id):
            key = "keys"
        super().__init__(f"outcome unknown, repeat with the same {key}: {last}")


class StreamLost(FairleadError):
    """A stream that went silent, lost a message or ended early; it is resumed, unless it never began."""


class Refused(FairleadError):
    """The business said no; `order` is the order as it stands."""

    def __init__(self, order: common_pb2.Order, reject: common_pb2.Reject) -> None:
        self.order = order
        self.reject = reject
        super().__init__(f"{common_pb2.RejectReason.Name(reject.reason)}: {reject.text}")


class OrderRejected(Refused): ...


class AmendRejected(Refused): ...


class CancelRejected(Refused): ...


_BY_REASON: Mapping[str, type[CallFailed]] = {
    "ORDER_VERSION_MISMATCH": VersionMismatch,
    "ORDER_TERMINAL": OrderTerminal,
    "ORDER_ACTION_PENDING": OrderActionPending,
    "CURSOR_EPOCH_MISMATCH": EpochMismatch,
    "VENUE_SESSION_DOWN": VenueSessionDown,
}

_BY_CODE: Mapping[grpc.StatusCode, type[CallFailed]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: NotAuthenticated,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowed,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: KeyConflict,
    grpc.StatusCode.ABORTED: Aborted,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionFailed,
    grpc.StatusCode.OUT_OF_RANGE: CursorExpired,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitExceeded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
}


def from_rpc(error: grpc.RpcError) -> CallFailed:
    """The exception for an error of gRPC, synchronous or not."""
    call = cast("grpc.Call", error)  # what every RpcError of a call also is
    return _failed(call.code(), call.details() or "", _details(call.trailing_metadata() or ()))


def from_status(status: status_pb2.Status) -> CallFailed:
    """The exception for the error of one item of a batch: the one that it would have raised alone."""
    code = next((each for each in grpc.StatusCode if each.value[0] == status.code), grpc.StatusCode.UNKNOWN)
    return _failed(code, status.message, status.details)


def _failed(code: grpc.StatusCode, message: str, details: Iterable[Any]) -> CallFailed:
    failure = _read(code, message, details)
    return (_BY_REASON.get(failure.reason) or _BY_CODE.get(failure.code, ServerFault))(failure)


def _read(code: grpc.StatusCode, message: str, details: Iterable[Any]) -> Failure:
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in details:
        _ = detail.Unpack(info) or detail.Unpack(bad) or detail.Unpack(retry)
    ours = info.domain == DOMAIN
    return Failure(
        code=code,
        message=message,
        reason=info.reason if ours else "",
        metadata=dict(info.metadata) if ours else {},
        violations=tuple(Violation(each.field, each.description) for each in bad.field_violations),
        retry_delay=retry.retry_delay.ToTimedelta().total_seconds()
        if retry.HasField("retry_delay")
        else None,
    )


def _details(trailing: Iterable[tuple[str, str | bytes]]) -> list[Any]:
    for key, value in trailing:
        if key == _DETAILS and isinstance(value, bytes):
            return list(status_pb2.Status.FromString(value).details)
    return []
