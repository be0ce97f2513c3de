"""When a call is tried again, and when its outcome is unknown. Decides only; the clients wait and call.

A read is repeated on UNAVAILABLE (AIP-194). A mutation carries a key that the server knows again, so it
is repeated also after errors that leave its outcome open, until an answer settles it. gRPC's own retries
are not used: they would hide that an earlier attempt may have arrived, and a refusal of the last attempt
would then pass for one of the order.

A repeated submit may arrive later than its first deadline; `route_before` bounds how late it may be sent.
"""

import random
from dataclasses import dataclass, field
from typing import NoReturn

import grpc
from google.protobuf.message import Message

from fairlead.errors import CallFailed, OutcomeUnknown

_OPEN = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
    }
)
# Given only after the key was looked up, or whatever the state: they settle earlier attempts as well.
_SETTLING = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
    }
)


@dataclass(frozen=True, slots=True)
class Method:
    """How a method may be called."""

    timeout: float  # seconds, for each attempt
    attempts: int
    keyed: bool = False  # repeatable by its key, even if it may have arrived


READ = Method(timeout=1.0, attempts=4)
LIST = Method(timeout=5.0, attempts=4)
OPERATION = Method(timeout=5.0, attempts=1)  # without a key: a person looks before it is repeated
PRICES = Method(timeout=5.0, attempts=3)  # to set one again is no harm
IMPORT = Method(timeout=30.0, attempts=1)
MUTATION = Method(timeout=2.0, attempts=3, keyed=True)
KILL = Method(timeout=65.0, attempts=3, keyed=True)  # the server waits for up to a minute
BATCH = Method(timeout=10.0, attempts=3, keyed=True)


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to go on. Delays are in seconds and double from `initial` to `maximum`, half of each by chance."""

    initial: float = 0.1
    maximum: float = 2.0
    settle_attempts: int = 8  # for a mutation whose outcome is open: some ten seconds

    def delay(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""
        full = min(self.maximum, self.initial * 2.0 ** min(failures - 1, 32))
        return full * random.uniform(0.5, 1.0)  # noqa: S311 - spreads callers, keeps no secret


@dataclass(slots=True)
class Attempts:
    """The attempts at one call."""

    method: Method
    retry: Retry
    request: Message
    _failures: int = field(default=0, init=False)
    _open: bool = field(default=False, init=False)

    def failed(self, error: CallFailed) -> float:
        """How many seconds to wait before the next attempt; raises when there is to be none."""
        self._failures += 1
        self._open = self._open or self._leaves_open(error)
        if self._settles(error):
            raise error
        if not self._may_repeat(error):
            self._give_up(error)
        return max(self.retry.delay(self._failures), error.retry_delay or 0.0)

    def _leaves_open(self, error: CallFailed) -> bool:
        if not self.method.keyed or error.never_sent:
            return False
        return error.code in _OPEN and (not error.definite or error.code is grpc.StatusCode.INTERNAL)

    def _settles(self, error: CallFailed) -> bool:
        return error.definite and error.code in _SETTLING

    def _may_repeat(self, error: CallFailed) -> bool:
        if (error.retry_delay or 0.0) > self.method.timeout:
            return False  # longer than the caller is ready to wait for an answer
        if self._open:
            return self._failures < self.retry.settle_attempts and self._may_settle(error)
        if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return error.retry_delay is not None and self._failures < self.method.attempts
        return error.code is grpc.StatusCode.UNAVAILABLE and self._failures < self.method.attempts

    def _may_settle(self, error: CallFailed) -> bool:
        return error.code in _OPEN or error.code is grpc.StatusCode.RESOURCE_EXHAUSTED

    def _give_up(self, error: CallFailed) -> NoReturn:
        if not self._open:
            raise error
        raise OutcomeUnknown(
            self.request,
            client_order_id=getattr(self.request, "client_order_id", ""),
            request_id=getattr(self.request, "request_id", ""),
            last=error,
        ) from error
