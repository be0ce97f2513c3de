"""Who calls, until when, and what for."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.routing.ports import Operator

_DEFAULT_WAIT = timedelta(seconds=5)
_TO_ANSWER = timedelta(milliseconds=50)  # kept back from the deadline, so that the answer arrives before it


class Caller(Struct, frozen=True):
    principal: str
    call_id: str  # x-request-id, the caller's or ours
    traceparent: str = ""
    deadline: datetime | None = None

    def cause(self, request_id: str = "", initiator: Initiator = Initiator.CLIENT) -> Cause:
        return Cause(initiator, self.principal, request_id, self.traceparent)

    def operator(self, reason: str) -> Operator:
        return Operator(self.principal, reason)

    def patience(self, now: datetime) -> float:
        """Seconds that the call may wait for something to happen and still answer in time."""
        left = _DEFAULT_WAIT if self.deadline is None else self.deadline - now - _TO_ANSWER
        return max(left.total_seconds(), 0.0)
