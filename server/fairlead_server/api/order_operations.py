"""What is asked for many orders at once or by hand: CancelAllOrders and ReconcileOrder."""

from __future__ import annotations

from fairlead.v1 import order_service_pb2 as pb

from fairlead_server.api import consistency, images, requests
from fairlead_server.api.caller import Caller
from fairlead_server.api.tokens import Tokens
from fairlead_server.api.validation import validate
from fairlead_server.domain.cause import Initiator
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.reconciliations import Reconciliations


class OrderOperations:
    def __init__(
        self,
        mass_cancels: MassCancels,
        reconciliations: Reconciliations,
        ledger: Ledger,
        pipeline: Pipeline,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._mass_cancels = mass_cancels
        self._reconciliations = reconciliations
        self._ledger = ledger
        self._pipeline = pipeline
        self._tokens = tokens
        self._clock = clock

    async def cancel_all(
        self, request: pb.CancelAllOrdersRequest, caller: Caller
    ) -> pb.CancelAllOrdersResponse:
        validate(request)
        consistency.check_cancel_all(request)
        response = self._count(request) if request.validate_only else self._cancel(request, caller)
        response.cursor = self._tokens.cursor(self._ledger.head)
        await self._pipeline.durable()
        return response

    def _count(self, request: pb.CancelAllOrdersRequest) -> pb.CancelAllOrdersResponse:
        matching = self._mass_cancels.matching(requests.selection(request))
        return pb.CancelAllOrdersResponse(matched_count=len(matching))

    def _cancel(self, request: pb.CancelAllOrdersRequest, caller: Caller) -> pb.CancelAllOrdersResponse:
        selection, key = requests.selection(request), request.request_id
        known = self._mass_cancels.known(key, selection)
        done = known or self._mass_cancels.cancel(key, selection, caller.cause(key), self._clock())
        return pb.CancelAllOrdersResponse(
            mass_cancel_id=done.mass_cancel_id,
            matched_count=done.matched,
            requested_count=done.requested,
            canceled_count=done.canceled,
            already_pending_count=done.pending,
            duplicate=known is not None,
        )

    async def reconcile(self, request: pb.ReconcileOrderRequest, caller: Caller) -> pb.ReconcileOrderResponse:
        validate(request)
        answer = self._reconciliations.reconcile(
            requests.order_ref(request.order),
            request.request_id,
            requests.ruling(request),
            caller.cause(request.request_id, Initiator.ADMIN),
            self._clock(),
            requests.expected_version(request),
        )
        await self._pipeline.durable()
        return pb.ReconcileOrderResponse(
            order=images.order(answer.order),
            duplicate=answer.duplicate,
            cursor=self._tokens.cursor(answer.order.sequence),
        )
