"""From a decision to its answer: durable, as far along as the caller waits for, and as the API says it.

A request that comes alone and one that is an item of a batch are decided and answered here alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fairlead.v1 import common_pb2, order_service_pb2
from google.protobuf.message import Message

from fairlead_server.api import consistency, images, messages, requests
from fairlead_server.api.caller import Caller
from fairlead_server.api.tokens import Tokens
from fairlead_server.api.validation import validate
from fairlead_server.api.wire import Fields
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.order import Order
from fairlead_server.domain.terms import NewOrder
from fairlead_server.routing.order_entry import Answer, OrderEntry
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.requests import RequestAnswer
from fairlead_server.routing.watch import Wanted, Watch

R = TypeVar("R", bound=Message)

AMEND_OUTCOME = {
    RequestOutcome.PENDING: order_service_pb2.AMEND_OUTCOME_PENDING,
    RequestOutcome.DONE: order_service_pb2.AMEND_OUTCOME_REPLACED,
    RequestOutcome.REJECTED: order_service_pb2.AMEND_OUTCOME_REJECTED,
    RequestOutcome.NO_CHANGE: order_service_pb2.AMEND_OUTCOME_NO_CHANGE,
    RequestOutcome.ALREADY_TERMINAL: order_service_pb2.AMEND_OUTCOME_REJECTED,
}
CANCEL_OUTCOME = {
    RequestOutcome.PENDING: order_service_pb2.CANCEL_OUTCOME_PENDING,
    RequestOutcome.DONE: order_service_pb2.CANCEL_OUTCOME_CANCELED,
    RequestOutcome.REJECTED: order_service_pb2.CANCEL_OUTCOME_REJECTED,
    RequestOutcome.NO_CHANGE: order_service_pb2.CANCEL_OUTCOME_PENDING,
    RequestOutcome.ALREADY_TERMINAL: order_service_pb2.CANCEL_OUTCOME_ALREADY_TERMINAL,
}


@dataclass(frozen=True, slots=True)
class Course(Generic[R]):
    """From a decision to its answer. ``order`` is as decided; ``wanted`` is None if to be durable is enough."""

    order: Order
    wanted: Wanted | None
    kind: type[R]
    body: Callable[[Order], bytes]  # the answer, serialised

    def respond(self, order: Order) -> R:
        return self.kind.FromString(self.body(order))


def read_order(request: order_service_pb2.SubmitOrderRequest, caller: Caller) -> NewOrder:
    validate(request)
    consistency.check_submit(request)
    return requests.new_order(request, caller.principal)


class OrderAnswers:
    def __init__(
        self, entry: OrderEntry, pipeline: Pipeline, watch: Watch, tokens: Tokens, clock: Clock
    ) -> None:
        self._entry = entry
        self._pipeline = pipeline
        self._watch = watch
        self._tokens = tokens
        self._clock = clock

    # Decide. Synchronous; nothing is durable yet.

    def submit(self, request: order_service_pb2.SubmitOrderRequest, caller: Caller) -> Answer:
        return self.enter(read_order(request, caller), caller)

    def enter(self, new: NewOrder, caller: Caller) -> Answer:
        return self._entry.submit(new, caller.cause(), caller.deadline, self._clock())

    def amend(self, request: order_service_pb2.AmendOrderRequest, caller: Caller) -> RequestAnswer:
        validate(request)
        consistency.check_amend(request)
        return self._entry.amend(
            requests.order_ref(request.order),
            request.request_id,
            requests.amendment(request),
            caller.cause(request.request_id),
            self._clock(),
            requests.expected_version(request),
        )

    def cancel(self, request: order_service_pb2.CancelOrderRequest, caller: Caller) -> RequestAnswer:
        validate(request)
        return self._entry.cancel(
            requests.order_ref(request.order),
            request.request_id,
            caller.cause(request.request_id),
            self._clock(),
            requests.expected_version(request),
        )

    # Answer.

    async def submitted(
        self, request: order_service_pb2.SubmitOrderRequest, answer: Answer, caller: Caller
    ) -> order_service_pb2.SubmitOrderResponse:
        return await self._concluded(self.submission(request, answer), caller)

    async def amended(
        self, request: order_service_pb2.AmendOrderRequest, answer: RequestAnswer, caller: Caller
    ) -> order_service_pb2.AmendOrderResponse:
        return await self._concluded(self.amendment(request, answer), caller)

    async def canceled(
        self, request: order_service_pb2.CancelOrderRequest, answer: RequestAnswer, caller: Caller
    ) -> order_service_pb2.CancelOrderResponse:
        return await self._concluded(self.cancellation(request, answer), caller)

    async def _concluded(self, course: Course[R], caller: Caller) -> R:
        """Durable, and as far along as the caller waits for it, if that comes in time."""
        if course.wanted is None:
            await self._pipeline.durable()
            return course.respond(course.order)
        waiter = self._watch.expect(course.order.order_id, course.wanted)
        try:
            await self._pipeline.durable()
        except BaseException:
            self._watch.drop(waiter)
            raise
        order = await self._watch.wait(waiter, caller.patience(self._clock()))
        return course.respond(order or course.order)

    # What an answer needs, and what it says.

    def submission(
        self, request: order_service_pb2.SubmitOrderRequest, answer: Answer
    ) -> Course[order_service_pb2.SubmitOrderResponse]:
        def body(order: Order) -> bytes:
            mark = order_service_pb2.SubmitOrderResponse(
                duplicate=answer.duplicate,
                ack_level_reached=_reached(order),
                cursor=self._tokens.cursor(order.sequence),
            )
            return _ORDER(images.order_bytes(order)) + mark.SerializeToString()

        wanted = _unless_met(
            _seen_by_venue if request.ack_level == _VENUE else _sent_or_over, answer.order, request.ack_level
        )
        return Course(answer.order, wanted, order_service_pb2.SubmitOrderResponse, body)

    def amendment(
        self, request: order_service_pb2.AmendOrderRequest, answer: RequestAnswer
    ) -> Course[order_service_pb2.AmendOrderResponse]:
        kind = order_service_pb2.AmendOrderResponse
        wanted = (_amend_answered if request.ack_level == _VENUE else _amend_sent)(request.request_id)
        return self._of_request(kind, AMEND_OUTCOME, request, answer, wanted)

    def cancellation(
        self, request: order_service_pb2.CancelOrderRequest, answer: RequestAnswer
    ) -> Course[order_service_pb2.CancelOrderResponse]:
        kind = order_service_pb2.CancelOrderResponse
        wanted = _cancel_answered if request.ack_level == _VENUE else _at_once
        return self._of_request(kind, CANCEL_OUTCOME, request, answer, wanted)

    def _of_request(
        self,
        kind: type[R],
        outcomes: Mapping[RequestOutcome, Any],
        request: order_service_pb2.AmendOrderRequest | order_service_pb2.CancelOrderRequest,
        answer: RequestAnswer,
        wanted: Wanted,
    ) -> Course[R]:
        response: Callable[..., R] = kind

        def body(order: Order) -> bytes:
            now = self._resolved(answer, request.request_id, order)
            return response(
                order=images.order(now.order),
                outcome=outcomes[now.outcome],
                reject=messages.reject(now.reject) if now.reject else None,
                duplicate=now.duplicate,
                cursor=self._tokens.cursor(now.order.sequence),
            ).SerializeToString()

        return Course(answer.order, _unless_met(wanted, answer.order, request.ack_level), kind, body)

    def _resolved(self, answer: RequestAnswer, request_id: str, order: Order) -> RequestAnswer:
        if order is answer.order or answer.outcome is not RequestOutcome.PENDING:
            return answer
        return self._entry.standing(request_id, order, duplicate=answer.duplicate)


def _unless_met(wanted: Wanted, order: Order, level: common_pb2.AckLevel.ValueType) -> Wanted | None:
    """None where there is nothing left to wait for, or ACCEPTED is enough."""
    return None if level == common_pb2.ACK_LEVEL_ACCEPTED or wanted(order) else wanted


_VENUE = common_pb2.ACK_LEVEL_VENUE
_ORDER = Fields(order_service_pb2.SubmitOrderResponse).nested("order")


def _at_once(_: Order) -> bool:
    return True


def _sent_or_over(order: Order) -> bool:
    return not (order.held and order.live)


def _seen_by_venue(order: Order) -> bool:
    return order.venue_ack_time is not None or not order.live


def _amend_answered(request_id: str) -> Wanted:
    return lambda order: all(request.request_id != request_id for request in order.pending)


def _amend_sent(request_id: str) -> Wanted:
    return lambda order: order.find_waiting(request_id) is None


def _cancel_answered(order: Order) -> bool:
    """One that found another under way has been sent as that one. What has traded meanwhile leaves nothing to cancel."""
    return not order.live or not any(request.is_cancel for request in order.pending)


def _reached(order: Order) -> common_pb2.AckLevel.ValueType:
    if order.venue_ack_time is not None:
        return common_pb2.ACK_LEVEL_VENUE
    routed = order.session_id and not order.held
    return common_pb2.ACK_LEVEL_ROUTED if routed else common_pb2.ACK_LEVEL_ACCEPTED
