"""The commands of one trade session and what becomes of each, over as many streams as it takes, without I/O.

The rules are those of ``TradeSession`` (``proto/fairlead/v1/order_service.proto``): a command that has no result when
its stream breaks is sent again over the next one, under the same keys, so it is answered and never doubled. One
that the router itself could not take is repeated as the unary call is, see :mod:`fairlead.retry`.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc

from fairlead import errors
from fairlead.errors import CallFailed, Failure, FairleadError, OutcomeUnknown, Unavailable
from fairlead.retry import MUTATION, Attempts, Retry
from fairlead.v1.order_service_pb2 import (
    AmendOrderRequest,
    CancelOrderRequest,
    SubmitOrderRequest,
    TradeCommand,
    TradeCommands,
    TradeEstablished,
    TradeResult,
    TradeSessionRequest,
)

Request: TypeAlias = SubmitOrderRequest | AmendOrderRequest | CancelOrderRequest
Answered: TypeAlias = Callable[[TradeResult | FairleadError], None]
Later: TypeAlias = Callable[[float, Callable[[], None]], object]


@dataclass(slots=True, eq=False)
class Command:
    """``wanted`` says whether anybody still waits for the answer."""

    message: TradeCommand
    request: Request
    answered: Answered
    wanted: Callable[[], bool]
    attempts: Attempts
    sent: bool = field(default=False, init=False)
    broken: int = field(default=0, init=False)  # streams that have ended without a result


class Commands:
    """Owned by one session. ``later`` calls a function after so many seconds, ``ready`` is told of something to send."""

    def __init__(self, retry: Retry, later: Later, ready: Callable[[], None]) -> None:
        self._retry = retry
        self._later = later
        self._ready = ready
        self._number = 0
        self._unanswered: dict[int, Command] = {}  # in the order in which they were given
        self._queue: deque[Command] = deque()
        self._on_the_way: set[int] = set()  # over the present stream
        self._window = self._most = 1

    @property
    def all_answered(self) -> bool:
        return not self._unanswered

    def add(self, request: Request, answered: Answered, wanted: Callable[[], bool]) -> None:
        self._number += 1
        message = _command(self._number, request)
        command = Command(message, request, answered, wanted, Attempts(MUTATION, self._retry, request))
        self._unanswered[self._number] = command
        self._queue.append(command)
        self._ready()

    def opened(self, established: TradeEstablished) -> None:
        """A stream is open: all that has no result goes over it, in its order."""
        self._window, self._most = established.window, established.max_commands
        self._on_the_way.clear()
        self._queue = deque(self._unanswered.values())
        self._ready()

    def next_message(self) -> TradeSessionRequest | None:
        """As many commands as one message and the window bear; None if there is nothing to send now."""
        due: list[TradeCommand] = []
        while self._queue and len(due) < self._most and len(self._on_the_way) < self._window:
            command = self._queue.popleft()
            number = command.message.correlation_id
            if command.wanted():
                command.sent = True
                self._on_the_way.add(number)
                due.append(command.message)
            else:
                self._unanswered.pop(number, None)
        return TradeSessionRequest(commands=TradeCommands(commands=due)) if due else None

    def take(self, result: TradeResult) -> None:
        self._on_the_way.discard(result.correlation_id)
        self._ready()
        command = self._unanswered.get(result.correlation_id)
        if command is None:
            return
        if result.HasField("error"):
            self._failed(command, errors.from_status(result.error))
        else:
            self._answer(command, result)

    def broken(self, error: FairleadError) -> None:
        """The stream has ended; those that have seen too many end are given up."""
        for command in list(self._unanswered.values()):
            command.broken += 1
            if command.broken >= self._retry.settle_attempts or not command.wanted():
                self._answer(command, _outcome(command, error))

    def give_up(self, error: FairleadError) -> None:
        """There will be no further stream."""
        for command in list(self._unanswered.values()):
            self._answer(command, _outcome(command, error))

    def _failed(self, command: Command, error: CallFailed) -> None:
        try:
            delay = command.attempts.failed(error)
        except FairleadError as final:
            self._answer(command, final)
        else:
            self._later(delay, lambda: self._again(command))

    def _again(self, command: Command) -> None:
        """Unless another stream has taken it along meanwhile."""
        number = command.message.correlation_id
        if number in self._unanswered and number not in self._on_the_way and command not in self._queue:
            self._queue.append(command)
            self._ready()

    def _answer(self, command: Command, answer: TradeResult | FairleadError) -> None:
        del self._unanswered[command.message.correlation_id]
        command.answered(answer)


def _command(number: int, request: Request) -> TradeCommand:
    match request:
        case SubmitOrderRequest():
            return TradeCommand(correlation_id=number, submit=request)
        case AmendOrderRequest():
            return TradeCommand(correlation_id=number, amend=request)
        case CancelOrderRequest():
            return TradeCommand(correlation_id=number, cancel=request)


def _outcome(command: Command, error: FairleadError) -> FairleadError:
    """What is known of a command that was given up: nothing, if it was sent."""
    if not command.sent:
        return error
    return OutcomeUnknown(
        command.request,
        client_order_id=getattr(command.request, "client_order_id", ""),
        request_id=getattr(command.request, "request_id", ""),
        last=error if isinstance(error, CallFailed) else _lost(error),
    )


def _lost(error: FairleadError) -> CallFailed:
    return Unavailable(Failure(grpc.StatusCode.UNAVAILABLE, str(error)))
