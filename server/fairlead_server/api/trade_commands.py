"""The commands of a trade session, each decided as the unary call of its kind would, its failure included."""

from __future__ import annotations

from collections.abc import Callable

from fairlead.v1 import order_service_pb2 as pb
from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.api import errors
from fairlead_server.api.caller import Caller
from fairlead_server.api.order_answers import Course, OrderAnswers, read_order
from fairlead_server.domain.errors import InvalidRequest
from fairlead_server.routing.batches import FAILURES, Failure
from fairlead_server.routing.watch import Waiter, Watch


class Terms(Struct, frozen=True):
    """Whose commands they are, and which accounts' new orders bear the ``mark`` of their session (None: all)."""

    caller: Caller
    mark: str = ""
    accounts: frozenset[str] | None = None

    def mark_for(self, account_id: str) -> str:
        return self.mark if self.accounts is None or account_id in self.accounts else ""


class Decided(Struct, frozen=True):
    """``waiter`` is set where the command waits for more than to be durable."""

    correlation_id: int
    course: Course[pb.TradeResult] | Failure
    waiter: Waiter | None = None


class TradeCommands:
    def __init__(self, answers: OrderAnswers, watch: Watch) -> None:
        self._answers = answers
        self._watch = watch
        self._kinds: dict[str, Callable[[pb.TradeCommand, Terms], Course[pb.TradeResult]]] = {
            "submit": self._submit,
            "amend": self._amend,
            "cancel": self._cancel,
        }

    def decide(self, command: pb.TradeCommand, terms: Terms) -> Decided:
        number = command.correlation_id
        kind = command.WhichOneof("command")
        if kind is None:
            return Decided(number, InvalidRequest([("command", f"needs one of {', '.join(self._kinds)}")]))
        try:
            course = self._kinds[kind](command, terms)
        except FAILURES as failure:
            return Decided(number, failure)
        if course.wanted is None:
            return Decided(number, course)
        return Decided(number, course, self._watch.expect(course.order.order_id, course.wanted))

    def _submit(self, command: pb.TradeCommand, terms: Terms) -> Course[pb.TradeResult]:
        number, request = command.correlation_id, command.submit
        new = read_order(request)
        mark = terms.mark_for(new.account_id)
        answer = self._answers.enter(replace(new, trade_session=mark) if mark else new, terms.caller)
        course = self._answers.submission(request, answer)
        return course.into(lambda submit: pb.TradeResult(correlation_id=number, submit=submit))

    def _amend(self, command: pb.TradeCommand, terms: Terms) -> Course[pb.TradeResult]:
        number, request = command.correlation_id, command.amend
        course = self._answers.amendment(request, self._answers.amend(request, terms.caller))
        return course.into(lambda amend: pb.TradeResult(correlation_id=number, amend=amend))

    def _cancel(self, command: pb.TradeCommand, terms: Terms) -> Course[pb.TradeResult]:
        number, request = command.correlation_id, command.cancel
        course = self._answers.cancellation(request, self._answers.cancel(request, terms.caller))
        return course.into(lambda cancel: pb.TradeResult(correlation_id=number, cancel=cancel))


def failed(correlation_id: int, failure: Exception) -> pb.TradeResult:
    refusal = errors.refusal(failure)
    if refusal is None:  # a kind of error without its row in the table
        raise failure
    return pb.TradeResult(correlation_id=correlation_id, error=refusal.status())
