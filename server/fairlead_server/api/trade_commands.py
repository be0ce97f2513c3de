"""The commands of a trade session, each decided as the unary call of its kind would, its failure included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairlead.v1 import order_service_pb2 as pb
from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.api import errors
from fairlead_server.api.caller import Caller
from fairlead_server.api.order_answers import Course, OrderAnswers, read_order
from fairlead_server.api.wire import Fields
from fairlead_server.domain.errors import InvalidRequest
from fairlead_server.domain.order import Order
from fairlead_server.domain.terms import NewOrder
from fairlead_server.routing.batches import FAILURES, Failure
from fairlead_server.routing.watch import Waiter, Watch


class Terms(Struct, frozen=True):
    """Whose commands they are, and which accounts' new orders bear the ``mark`` of their session (None: all)."""

    caller: Caller
    mark: str = ""
    accounts: frozenset[str] | None = None
    good_till_too: bool = False

    def mark_for(self, new: NewOrder) -> str:
        """Orders that are meant to outlive their day outlive their client, unless it says otherwise."""
        if new.terms.time_in_force.multi_day and not self.good_till_too:
            return ""
        return self.mark if self.accounts is None or new.account_id in self.accounts else ""


class Decided(Struct, frozen=True):
    """``waiter`` is set where the command waits for more than to be durable."""

    correlation_id: int
    kind: str  # of the command, and of its result
    course: Course[Any] | Failure
    waiter: Waiter | None = None

    def result(self, order: Order) -> bytes:
        """Serialised, of a command that has not failed."""
        assert not isinstance(self.course, Exception)  # noqa: S101 - the caller has looked
        return _CORRELATION_ID(self.correlation_id) + _RESULT[self.kind](self.course.body(order))


class TradeCommands:
    def __init__(self, answers: OrderAnswers, watch: Watch) -> None:
        self._answers = answers
        self._watch = watch
        self._kinds: dict[str, Callable[[Any, Terms], Course[Any]]] = {
            "submit": self._submit,
            "amend": self._amend,
            "cancel": self._cancel,
        }

    def decide(self, command: pb.TradeCommand, terms: Terms) -> Decided:
        number = command.correlation_id
        kind = command.WhichOneof("command")
        if kind is None:
            missing = InvalidRequest([("command", f"needs one of {', '.join(self._kinds)}")])
            return Decided(number, "", missing)
        try:
            course = self._kinds[kind](getattr(command, kind), terms)
        except FAILURES as failure:
            return Decided(number, kind, failure)
        if course.wanted is None:
            return Decided(number, kind, course)
        return Decided(number, kind, course, self._watch.expect(course.order.order_id, course.wanted))

    def _submit(self, request: pb.SubmitOrderRequest, terms: Terms) -> Course[pb.SubmitOrderResponse]:
        new = read_order(request, terms.caller)
        mark = terms.mark_for(new)
        answer = self._answers.enter(replace(new, trade_session=mark) if mark else new, terms.caller)
        return self._answers.submission(request, answer)

    def _amend(self, request: pb.AmendOrderRequest, terms: Terms) -> Course[pb.AmendOrderResponse]:
        return self._answers.amendment(request, self._answers.amend(request, terms.caller))

    def _cancel(self, request: pb.CancelOrderRequest, terms: Terms) -> Course[pb.CancelOrderResponse]:
        return self._answers.cancellation(request, self._answers.cancel(request, terms.caller))


def failed(correlation_id: int, failure: Exception) -> bytes:
    """The result of a command that has failed, serialised."""
    refusal = errors.refusal(failure)
    if refusal is None:  # a kind of error without its row in the table
        raise failure
    return pb.TradeResult(correlation_id=correlation_id, error=refusal.status()).SerializeToString()


_FIELDS = Fields(pb.TradeResult)
_CORRELATION_ID = _FIELDS.number("correlation_id")
_RESULT = {kind: _FIELDS.nested(kind) for kind in ("submit", "amend", "cancel")}
