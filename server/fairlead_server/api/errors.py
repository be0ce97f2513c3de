"""The one table from error to status. Every error carries one ErrorInfo with a reason of ``fairlead.v1.ErrorReason``.

A status with our ErrorInfo means that no order was created by the call; whatever else a client sees was made on the way
and leaves the outcome open. Details travel in trailing metadata, which has a soft limit of 8 KiB: they stay below half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from fairlead_server.api.tokens import TokenError
from fairlead_server.domain import errors
from fairlead_server.store.database import StoreError

DOMAIN = "fairlead"
_MOST_VIOLATIONS = 20
_MOST_DETAIL = 2560  # bytes of violations; with all else that makes less than 4 KiB
_MOST_TEXT = 200  # characters of one violation's field or description
_RETRY_SECONDS = 1

_TOKEN_STATUS = {
    "CURSOR_EPOCH_MISMATCH": grpc.StatusCode.FAILED_PRECONDITION,
    "CURSOR_EXPIRED": grpc.StatusCode.OUT_OF_RANGE,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the client is told: a status, a machine-readable reason, facts, and details beside the ErrorInfo."""

    code: grpc.StatusCode
    reason: str
    text: str
    metadata: dict[str, str] = field(default_factory=dict)
    details: tuple[Message, ...] = ()

    def status(self) -> status_pb2.Status:
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata)
        status = status_pb2.Status(code=self.code.value[0], message=self.text)
        for detail in (info, *self.details):
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        return status


def refusal(error: Exception) -> Refusal | None:
    """How the client is told of ``error``; None for one that is not in the table, which is a bug."""
    row = _TABLE.get(type(error))
    return None if row is None else row(error)


def status(error: Exception) -> status_pb2.Status:
    """Of one item of many; raises what is not in the table."""
    found = refusal(error)
    if found is None:
        raise error
    return found.status()


def internal(call_id: str) -> Refusal:
    """A bug: the outcome is open, and the log knows more under ``call_id``."""
    detail = error_details_pb2.RequestInfo(request_id=call_id)
    return Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error", {"request_id": call_id}, (detail,))


def slow_consumer(cursor: str, lag: int) -> Refusal:
    """``lag`` counts events."""
    text = "the subscriber did not read for too long; resume from the cursor"
    return Refusal(grpc.StatusCode.ABORTED, "SLOW_CONSUMER", text, {"cursor": cursor, "lag": str(lag)})


_Row = Callable[[Exception], Refusal]
_E = TypeVar("_E", bound=Exception)
_TABLE: dict[type[Exception], _Row] = {}


def _maps(kind: type[_E]) -> Callable[[Callable[[_E], Refusal]], Callable[[_E], Refusal]]:
    def register(row: Callable[[_E], Refusal]) -> Callable[[_E], Refusal]:
        _TABLE[kind] = row  # type: ignore[assignment] # looked up by that very type
        return row

    return register


@_maps(errors.InvalidRequest)
def _(error: errors.InvalidRequest) -> Refusal:
    shown = [(name[:_MOST_TEXT], text[:_MOST_TEXT]) for name, text in error.violations[:_MOST_VIOLATIONS]]
    detail = _bad_request(error.violations)
    text = "; ".join(f"{name} {text}" for name, text in shown[:3])
    more = f" (and {len(error.violations) - 3} more)" if len(error.violations) > 3 else ""  # noqa: PLR2004
    return Refusal(
        grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", text + more, {"field": shown[0][0]}, (detail,)
    )


@_maps(TokenError)
def _(error: TokenError) -> Refusal:
    code = _TOKEN_STATUS.get(error.reason, grpc.StatusCode.INVALID_ARGUMENT)
    return Refusal(code, error.reason, str(error), {"field": error.field, **error.facts})


@_maps(errors.UnknownOrder)
def _(error: errors.UnknownOrder) -> Refusal:
    account_id, slash, client_order_id = error.reference.partition("/")  # which no identifier contains
    if not slash:
        return _not_found(error, "ORDER_NOT_FOUND", "order", error.reference)
    facts = {"account_id": account_id, "client_order_id": client_order_id}
    return _not_found(error, "ORDER_NOT_FOUND", "order", error.reference, facts)


@_maps(errors.UnknownSession)
def _(error: errors.UnknownSession) -> Refusal:
    return _not_found(error, "SESSION_NOT_FOUND", "session", error.session_id)


@_maps(errors.UnknownInstrument)
def _(error: errors.UnknownInstrument) -> Refusal:
    return _not_found(error, "INSTRUMENT_NOT_FOUND", "instrument", error.instrument_id)


@_maps(errors.UnknownLimitSet)
def _(error: errors.UnknownLimitSet) -> Refusal:
    return _not_found(error, "LIMIT_SET_NOT_FOUND", "limit", error.limit_id)


@_maps(errors.LimitSetFixed)
def _(error: errors.LimitSetFixed) -> Refusal:
    facts = {"limit_id": error.limit_id}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "LIMIT_SET_FIXED", str(error), facts)


@_maps(errors.EtagMismatch)
def _(error: errors.EtagMismatch) -> Refusal:
    facts = {"kind": error.kind, "name": error.name, "expected": error.expected, "actual": error.actual}
    return Refusal(grpc.StatusCode.ABORTED, "ETAG_MISMATCH", str(error), facts)


@_maps(errors.InstrumentExists)
def _(error: errors.InstrumentExists) -> Refusal:
    facts = {"instrument_id": error.instrument_id, "owner": error.owner, "symbol": error.symbol}
    return Refusal(grpc.StatusCode.ALREADY_EXISTS, "INSTRUMENT_EXISTS", str(error), facts)


@_maps(errors.InstrumentInUse)
def _(error: errors.InstrumentInUse) -> Refusal:
    facts = {"instrument_id": error.instrument_id}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "INSTRUMENT_IN_USE", str(error), facts)


@_maps(errors.InstrumentConfigured)
def _(error: errors.InstrumentConfigured) -> Refusal:
    facts = {"instrument_id": error.instrument_id}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "INSTRUMENT_CONFIGURED", str(error), facts)


@_maps(errors.InstrumentsInvalid)
def _(error: errors.InstrumentsInvalid) -> Refusal:
    line, column, problem = error.problems[0]
    facts = {"line": str(line), "column": column[:_MOST_TEXT], "problem": problem[:_MOST_TEXT]}
    facts["problems"] = str(len(error.problems))
    places = [(f"csv:{line}:{column}", problem) for line, column, problem in error.problems]
    code = grpc.StatusCode.INVALID_ARGUMENT
    return Refusal(code, "INSTRUMENTS_INVALID", str(error)[:_MOST_DETAIL], facts, (_bad_request(places),))


@_maps(errors.UnknownBackup)
def _(error: errors.UnknownBackup) -> Refusal:
    return _not_found(error, "BACKUP_NOT_FOUND", "backup", error.backup_id)


@_maps(errors.UnknownCalendar)
def _(error: errors.UnknownCalendar) -> Refusal:
    return _not_found(error, "CALENDAR_NOT_FOUND", "calendar", error.calendar_id)


@_maps(errors.CalendarInUse)
def _(error: errors.CalendarInUse) -> Refusal:
    facts = {"calendar_id": error.calendar_id, "instrument_id": error.instrument_ids[0]}
    facts["instruments"] = str(len(error.instrument_ids))
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "CALENDAR_IN_USE", str(error), facts)


@_maps(errors.CalendarConfigured)
def _(error: errors.CalendarConfigured) -> Refusal:
    facts = {"calendar_id": error.calendar_id}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "CALENDAR_CONFIGURED", str(error), facts)


@_maps(errors.PriceOutdated)
def _(error: errors.PriceOutdated) -> Refusal:
    facts = {
        "instrument_id": error.instrument_id,
        "price_time": error.time.isoformat(),
        "known_time": error.known_time.isoformat(),
    }
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "PRICE_OUTDATED", str(error), facts)


@_maps(errors.ClientOrderIdConflict)
def _(error: errors.ClientOrderIdConflict) -> Refusal:
    facts = {
        "client_order_id": error.client_order_id,
        "order_id": error.order_id,
        "differing_fields": ",".join(error.differing_fields),
    }
    return Refusal(grpc.StatusCode.ALREADY_EXISTS, "CLIENT_ORDER_ID_CONFLICT", str(error), facts)


@_maps(errors.RequestIdConflict)
def _(error: errors.RequestIdConflict) -> Refusal:
    facts = {"request_id": error.request_id, "order_id": error.order_id}
    return Refusal(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_CONFLICT", str(error), facts)


@_maps(errors.VersionMismatch)
def _(error: errors.VersionMismatch) -> Refusal:
    facts = {"order_id": error.order_id, "expected": str(error.expected), "actual": str(error.actual)}
    return Refusal(grpc.StatusCode.ABORTED, "ORDER_VERSION_MISMATCH", str(error), facts)


@_maps(errors.OrderTerminal)
def _(error: errors.OrderTerminal) -> Refusal:
    violation = error_details_pb2.PreconditionFailure.Violation(
        type="ORDER_STATE", subject=error.order_id, description=f"the order is {error.state}"
    )
    detail = error_details_pb2.PreconditionFailure(violations=[violation])
    facts = {"order_id": error.order_id, "state": error.state}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "ORDER_TERMINAL", str(error), facts, (detail,))


@_maps(errors.ActionPending)
def _(error: errors.ActionPending) -> Refusal:
    facts = {"order_id": error.order_id, "pending_action": error.action}
    return Refusal(
        grpc.StatusCode.FAILED_PRECONDITION, "ORDER_ACTION_PENDING", str(error), facts, (_retry(),)
    )


@_maps(errors.NotInDoubt)
def _(error: errors.NotInDoubt) -> Refusal:
    violation = error_details_pb2.PreconditionFailure.Violation(
        type="ORDER_STATE", subject=error.order_id, description="the order is not in doubt"
    )
    detail = error_details_pb2.PreconditionFailure(violations=[violation])
    facts = {"order_id": error.order_id, "state": error.state}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "ORDER_NOT_IN_DOUBT", str(error), facts, (detail,))


@_maps(errors.BatchStopped)
def _(error: errors.BatchStopped) -> Refusal:
    facts = {"failed_index": str(error.failed_index)}
    return Refusal(grpc.StatusCode.ABORTED, "BATCH_STOPPED", str(error), facts)


@_maps(errors.BatchNotPassed)
def _(error: errors.BatchNotPassed) -> Refusal:
    facts = {"failed_index": str(error.failed_index)}
    return Refusal(grpc.StatusCode.ABORTED, "BATCH_NOT_PASSED", str(error), facts)


@_maps(errors.CapabilityMissing)
def _(error: errors.CapabilityMissing) -> Refusal:
    facts = {"session_id": error.session_id, "capability": error.capability}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "VENUE_CAPABILITY_MISSING", str(error), facts)


@_maps(errors.VenueUnavailable)
def _(error: errors.VenueUnavailable) -> Refusal:
    since = error.down_since.isoformat() if error.down_since else ""
    facts = {"session_id": error.session_id, "down_since": since}
    return Refusal(grpc.StatusCode.UNAVAILABLE, "VENUE_SESSION_DOWN", str(error), facts, (_retry(),))


@_maps(errors.SessionConnected)
def _(error: errors.SessionConnected) -> Refusal:
    violation = error_details_pb2.PreconditionFailure.Violation(
        type="SESSION_STATE", subject=error.session_id, description="the session is connected"
    )
    detail = error_details_pb2.PreconditionFailure(violations=[violation])
    facts = {"session_id": error.session_id}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "SESSION_CONNECTED", str(error), facts, (detail,))


@_maps(errors.SessionNumbersMoved)
def _(error: errors.SessionNumbersMoved) -> Refusal:
    facts = {
        "session_id": error.session_id,
        "expected_in": str(error.expected_in),
        "expected_out": str(error.expected_out),
        "actual_in": str(error.actual_in),
        "actual_out": str(error.actual_out),
    }
    return Refusal(grpc.StatusCode.ABORTED, "SESSION_NUMBERS_MOVED", str(error), facts)


@_maps(errors.ConfigInvalid)
def _(error: errors.ConfigInvalid) -> Refusal:
    facts = {"file": error.file, "key": error.key, "problem": error.problem[:_MOST_TEXT]}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "CONFIG_INVALID", str(error)[:_MOST_DETAIL], facts)


@_maps(errors.UnknownDeadManSwitch)
def _(error: errors.UnknownDeadManSwitch) -> Refusal:
    facts = {"scope": error.scope}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "DEAD_MAN_NOT_ARMED", str(error), facts)


@_maps(errors.LiveNotRequested)
def _(error: errors.LiveNotRequested) -> Refusal:
    facts = {"scope": error.scope}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "LIVE_NOT_REQUESTED", str(error), facts)


@_maps(errors.UnknownFlatten)
def _(error: errors.UnknownFlatten) -> Refusal:
    return _not_found(error, "FLATTEN_NOT_FOUND", "flatten", error.flatten_id)


@_maps(errors.KillSwitchOn)
def _(error: errors.KillSwitchOn) -> Refusal:
    facts = {"scope": error.scope}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "KILL_SWITCH_ON", str(error), facts)


@_maps(errors.KillSwitchOff)
def _(error: errors.KillSwitchOff) -> Refusal:
    facts = {"scope": error.scope}
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "KILL_SWITCH_OFF", str(error), facts)


@_maps(errors.AnotherPersonNeeded)
def _(error: errors.AnotherPersonNeeded) -> Refusal:
    facts = {"action": error.action, "first": error.first}
    return Refusal(grpc.StatusCode.PERMISSION_DENIED, "ANOTHER_PERSON_NEEDED", str(error), facts)


@_maps(errors.NotRoutedInTime)
def _(error: errors.NotRoutedInTime) -> Refusal:
    return Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "NOT_ROUTED_IN_TIME", str(error))


@_maps(errors.StoreUnavailable)
def _(error: errors.StoreUnavailable) -> Refusal:
    return Refusal(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", str(error), details=(_retry(),))


@_maps(StoreError)
def _(_: StoreError) -> Refusal:
    text = "the store cannot be read"  # the cause names files and hosts: it is for the log
    return Refusal(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", text, details=(_retry(),))


@_maps(errors.StreamReplaced)
def _(error: errors.StreamReplaced) -> Refusal:
    facts = {"session_key": error.session_key}
    return Refusal(grpc.StatusCode.ABORTED, "STREAM_REPLACED", str(error), facts)


@_maps(errors.NotStorable)
def _(error: errors.NotStorable) -> Refusal:
    return Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", str(error))


@_maps(errors.Draining)
def _(error: errors.Draining) -> Refusal:
    return Refusal(grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING", str(error), details=(_retry(),))


def _not_found(
    error: Exception, reason: str, kind: str, name: str, facts: dict[str, str] | None = None
) -> Refusal:
    detail = error_details_pb2.ResourceInfo(resource_type=f"fairlead.v1.{kind.title()}", resource_name=name)
    return Refusal(grpc.StatusCode.NOT_FOUND, reason, str(error), facts or {f"{kind}_id": name}, (detail,))


def _bad_request(violations: Sequence[tuple[str, str]]) -> error_details_pb2.BadRequest:
    """As many of the first as there is room for."""
    detail = error_details_pb2.BadRequest()
    for name, text in violations[:_MOST_VIOLATIONS]:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=name[:_MOST_TEXT], description=text[:_MOST_TEXT]
        )
        if detail.ByteSize() + violation.ByteSize() <= _MOST_DETAIL:
            detail.field_violations.append(violation)
    return detail


def _retry() -> error_details_pb2.RetryInfo:
    return error_details_pb2.RetryInfo(retry_delay=Duration(seconds=_RETRY_SECONDS))
