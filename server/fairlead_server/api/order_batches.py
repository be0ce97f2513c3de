"""Many requests in one call: each is decided and answered as if it had come alone, its failure included."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

from fairlead.v1 import order_service_pb2 as pb
from google.rpc import status_pb2

from fairlead_server.api import errors
from fairlead_server.api.caller import Caller
from fairlead_server.api.order_answers import OrderAnswers, read_order
from fairlead_server.api.tokens import Tokens
from fairlead_server.api.validation import validate
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.order import OrderState
from fairlead_server.routing.batches import FAILURES, Batches, Failure
from fairlead_server.routing.order_entry import Answer
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.requests import RequestAnswer

_Request = TypeVar("_Request")
_Decided = TypeVar("_Decided")
_Response = TypeVar("_Response", pb.SubmitOrderResponse, pb.AmendOrderResponse, pb.CancelOrderResponse)


class OrderBatches:
    def __init__(self, answers: OrderAnswers, batches: Batches, tokens: Tokens, clock: Clock) -> None:
        self._answers = answers
        self._batches = batches
        self._tokens = tokens
        self._clock = clock

    async def submit(
        self, request: pb.BatchSubmitOrdersRequest, caller: Caller
    ) -> pb.BatchSubmitOrdersResponse:
        validate(request)
        decided = self._submit(request, caller)
        found = await _each(self._answers.submitted, request.orders, decided, caller)
        results = [pb.BatchSubmitResult(index=i, ok=ok, error=error) for i, (ok, error) in enumerate(found)]
        return pb.BatchSubmitOrdersResponse(results=results, cursor=self._cursor(ok for ok, _ in found))

    def _submit(self, request: pb.BatchSubmitOrdersRequest, caller: Caller) -> list[Answer | Failure]:
        if request.require_all_risk_pass:
            orders = [partial(read_order, item, caller) for item in request.orders]
            now = self._clock()
            return self._batches.submit_all_or_none(orders, caller.cause(), caller.deadline, now)
        items = [partial(self._answers.submit, item, caller) for item in request.orders]
        return self._batches.each(items, _is_rejected, stop_on_error=request.stop_on_error)

    async def amend(self, request: pb.BatchAmendOrdersRequest, caller: Caller) -> pb.BatchAmendOrdersResponse:
        validate(request)
        items = [partial(self._answers.amend, item, caller) for item in request.amends]
        decided = self._batches.each(items, _is_refused, stop_on_error=request.stop_on_error)
        found = await _each(self._answers.amended, request.amends, decided, caller)
        results = [pb.BatchAmendResult(index=i, ok=ok, error=error) for i, (ok, error) in enumerate(found)]
        return pb.BatchAmendOrdersResponse(results=results, cursor=self._cursor(ok for ok, _ in found))

    async def cancel(
        self, request: pb.BatchCancelOrdersRequest, caller: Caller
    ) -> pb.BatchCancelOrdersResponse:
        validate(request)
        items = [partial(self._answers.cancel, item, caller) for item in request.cancels]
        decided = self._batches.each(items, _is_refused, stop_on_error=request.stop_on_error)
        found = await _each(self._answers.canceled, request.cancels, decided, caller)
        results = [pb.BatchCancelResult(index=i, ok=ok, error=error) for i, (ok, error) in enumerate(found)]
        return pb.BatchCancelOrdersResponse(results=results, cursor=self._cursor(ok for ok, _ in found))

    def _cursor(self, answers: Iterable[_Response | None]) -> str:
        """After the last event of any of them; empty where there is none."""
        last = max((answer.order.sequence for answer in answers if answer is not None), default=0)
        return self._tokens.cursor(last) if last else ""


async def _each(
    answer: Callable[[_Request, _Decided, Caller], Awaitable[_Response]],
    requests: Iterable[_Request],
    decided: Iterable[_Decided | Failure],
    caller: Caller,
) -> list[tuple[_Response | None, status_pb2.Status | None]]:
    """Wait for all of them at once; of each result one part is None."""

    async def one(
        request: _Request, result: _Decided | Failure
    ) -> tuple[_Response | None, status_pb2.Status | None]:
        if isinstance(result, FAILURES):
            return None, errors.status(result)
        return await answer(request, result, caller), None

    return await asyncio.gather(*map(one, requests, decided))


def _is_rejected(answer: Answer) -> bool:
    return answer.order.state is OrderState.REJECTED


def _is_refused(answer: RequestAnswer) -> bool:
    return answer.outcome is RequestOutcome.REJECTED
