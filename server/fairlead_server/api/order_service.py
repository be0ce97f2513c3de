"""OrderService: submit, amend, cancel, and what became of it. Knows no transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from fairlead.v1 import common_pb2, order_service_pb2

from fairlead_server.api import consistency, framing, messages, requests
from fairlead_server.api.caller import Caller
from fairlead_server.api.tokens import Tokens, filter_id
from fairlead_server.api.validation import validate
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.errors import UnknownOrder
from fairlead_server.domain.order import Order
from fairlead_server.routing.order_entry import OrderEntry, OrderRef, RequestAnswer
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.watch import Wanted, Watch
from fairlead_server.store.batch import EventRow
from fairlead_server.store.events import EventQuery
from fairlead_server.store.orders import OrderQuery

_AMEND_OUTCOME = {
    RequestOutcome.PENDING: order_service_pb2.AMEND_OUTCOME_PENDING,
    RequestOutcome.DONE: order_service_pb2.AMEND_OUTCOME_REPLACED,
    RequestOutcome.REJECTED: order_service_pb2.AMEND_OUTCOME_REJECTED,
    RequestOutcome.NO_CHANGE: order_service_pb2.AMEND_OUTCOME_NO_CHANGE,
    RequestOutcome.ALREADY_TERMINAL: order_service_pb2.AMEND_OUTCOME_REJECTED,
}
_CANCEL_OUTCOME = {
    RequestOutcome.PENDING: order_service_pb2.CANCEL_OUTCOME_PENDING,
    RequestOutcome.DONE: order_service_pb2.CANCEL_OUTCOME_CANCELED,
    RequestOutcome.REJECTED: order_service_pb2.CANCEL_OUTCOME_REJECTED,
    RequestOutcome.NO_CHANGE: order_service_pb2.CANCEL_OUTCOME_PENDING,
    RequestOutcome.ALREADY_TERMINAL: order_service_pb2.CANCEL_OUTCOME_ALREADY_TERMINAL,
}


class OrderReader(Protocol):
    """Committed orders and their history, from the store."""

    def order(self, order_id: str) -> Order | None: ...

    def order_by_client_order_id(self, account_id: str, client_order_id: str) -> Order | None: ...

    def list_orders(self, query: OrderQuery) -> list[Order]: ...

    def events_after(self, sequence: int, limit: int, query: EventQuery | None = None) -> list[EventRow]: ...

    def head(self) -> int: ...


class OrderService:
    def __init__(
        self,
        entry: OrderEntry,
        pipeline: Pipeline,
        watch: Watch,
        reader: OrderReader,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._entry = entry
        self._pipeline = pipeline
        self._watch = watch
        self._reader = reader
        self._tokens = tokens
        self._clock = clock

    async def submit_order(
        self, request: order_service_pb2.SubmitOrderRequest, caller: Caller
    ) -> order_service_pb2.SubmitOrderResponse:
        validate(request)
        consistency.check_submit(request)
        new, now = requests.new_order(request), self._clock()
        answer = self._entry.submit(new, caller.cause(), caller.deadline, now)
        order = await self._settled(answer.order, request.ack_level, _seen_by_venue, caller)
        return order_service_pb2.SubmitOrderResponse(
            order=messages.order(order),
            duplicate=answer.duplicate,
            ack_level_reached=_reached(order),
            cursor=self._tokens.cursor(order.sequence),
        )

    async def amend_order(
        self, request: order_service_pb2.AmendOrderRequest, caller: Caller
    ) -> order_service_pb2.AmendOrderResponse:
        validate(request)
        consistency.check_amend(request)
        answer = self._entry.amend(
            requests.order_ref(request.order),
            request.request_id,
            requests.amendment(request),
            caller.cause(request.request_id),
            self._clock(),
            request.expected_version if request.HasField("expected_version") else None,
        )
        answer = await self._resolved(answer, request, _amend_answered(request.request_id), caller)
        return order_service_pb2.AmendOrderResponse(
            order=messages.order(answer.order),
            outcome=_AMEND_OUTCOME[answer.outcome],
            reject=messages.reject(answer.reject) if answer.reject else None,
            duplicate=answer.duplicate,
            cursor=self._tokens.cursor(answer.order.sequence),
        )

    async def cancel_order(
        self, request: order_service_pb2.CancelOrderRequest, caller: Caller
    ) -> order_service_pb2.CancelOrderResponse:
        validate(request)
        answer = self._entry.cancel(
            requests.order_ref(request.order),
            request.request_id,
            caller.cause(request.request_id),
            self._clock(),
            request.expected_version if request.HasField("expected_version") else None,
        )
        answer = await self._resolved(answer, request, _cancel_answered, caller)
        return order_service_pb2.CancelOrderResponse(
            order=messages.order(answer.order),
            outcome=_CANCEL_OUTCOME[answer.outcome],
            reject=messages.reject(answer.reject) if answer.reject else None,
            duplicate=answer.duplicate,
            cursor=self._tokens.cursor(answer.order.sequence),
        )

    async def get_order(
        self, request: order_service_pb2.GetOrderRequest, caller: Caller
    ) -> order_service_pb2.GetOrderResponse:
        validate(request)
        ref = requests.order_ref(request.order)
        head, order = await self._committed(ref)
        beyond = request.wait_for_version
        if request.HasField("wait_for_version") and order.version <= beyond:
            waiter = self._watch.expect(order.order_id, lambda o: o.version > beyond)
            try:
                head, order = await self._committed(ref)  # it may have changed before we began to look
                if order.version <= beyond:
                    order = await waiter.found  # gRPC ends this when the caller's deadline comes
            finally:
                self._watch.drop(waiter)
        return order_service_pb2.GetOrderResponse(
            order=messages.order(order), as_of_cursor=self._tokens.cursor(max(head, order.sequence))
        )

    async def list_orders(
        self,
        request: order_service_pb2.ListOrdersRequest,
        caller: Caller,
    ) -> order_service_pb2.ListOrdersResponse:
        validate(request)
        ascending = request.order_by == order_service_pb2.ORDER_SORTING_CREATE_TIME_ASC
        size, digest = requests.page_size(request.page_size), filter_id(request.filter) ^ ascending
        query = requests.order_query(request.filter, descending=not ascending, limit=size + 1)
        if request.page_token:
            query = requests.after_order(query, *self._tokens.open_page(request.page_token, digest, int, str))
        head = await asyncio.to_thread(self._reader.head)
        found = await asyncio.to_thread(self._reader.list_orders, query)
        shown = await asyncio.to_thread(messages.orders_that_fit, found[:size])
        response = order_service_pb2.ListOrdersResponse(orders=shown, as_of_cursor=self._tokens.cursor(head))
        if len(found) > len(shown):
            last = found[len(shown) - 1]
            response.next_page_token = self._tokens.page(digest, *requests.order_key(last))
        return response

    async def list_order_events(
        self,
        request: order_service_pb2.ListOrderEventsRequest,
        caller: Caller,
    ) -> order_service_pb2.ListOrderEventsResponse:
        validate(request)
        head, order = await self._committed(requests.order_ref(request.order))
        size, digest = requests.page_size(request.page_size), filter_id(request.order)
        after = self._tokens.open_page(request.page_token, digest, int)[0] if request.page_token else 0
        query = EventQuery(order_id=order.order_id)
        rows = await asyncio.to_thread(self._reader.events_after, after, size + 1, query)
        shown = framing.that_fit(rows[:size])
        response = order_service_pb2.ListOrderEventsResponse(
            events=await asyncio.to_thread(messages.events_from, shown),
            as_of_cursor=self._tokens.cursor(head),
        )
        if len(rows) > len(shown):
            response.next_page_token = self._tokens.page(digest, shown[-1].sequence)
        return response

    async def _settled(
        self, order: Order, level: common_pb2.AckLevel.ValueType, wanted: Wanted, caller: Caller
    ) -> Order:
        """Durable; for VENUE also as the caller waits for it, if that comes in time."""
        if level != common_pb2.ACK_LEVEL_VENUE or wanted(order):
            await self._pipeline.durable()
            return order
        waiter = self._watch.expect(order.order_id, wanted)
        try:
            await self._pipeline.durable()
        except BaseException:
            self._watch.drop(waiter)
            raise
        return await self._watch.wait(waiter, caller.patience(self._clock())) or order

    async def _resolved(
        self,
        answer: RequestAnswer,
        request: order_service_pb2.AmendOrderRequest | order_service_pb2.CancelOrderRequest,
        wanted: Wanted,
        caller: Caller,
    ) -> RequestAnswer:
        order = await self._settled(answer.order, request.ack_level, wanted, caller)
        if order is answer.order or answer.outcome is not RequestOutcome.PENDING:
            return answer
        return self._entry.standing(request.request_id, order, duplicate=answer.duplicate)

    async def _committed(self, ref: OrderRef) -> tuple[int, Order]:
        """The order as the store has it, and the log's head before it was read."""
        head = await asyncio.to_thread(self._reader.head)
        find: Callable[..., Order | None]
        if ref.order_id:
            found = await asyncio.to_thread(self._reader.order, ref.order_id)
        else:
            find = self._reader.order_by_client_order_id
            found = await asyncio.to_thread(find, ref.account_id, ref.client_order_id)
        if found is None:
            raise UnknownOrder(str(ref))
        return head, found


def _seen_by_venue(order: Order) -> bool:
    return order.venue_ack_time is not None or not order.live


def _amend_answered(request_id: str) -> Wanted:
    return lambda order: all(request.request_id != request_id for request in order.pending)


def _cancel_answered(order: Order) -> bool:
    """One that found another under way has been sent as that one. What has traded meanwhile leaves nothing to cancel."""
    return not order.live or not any(request.is_cancel for request in order.pending)


def _reached(order: Order) -> common_pb2.AckLevel.ValueType:
    if order.venue_ack_time is not None:
        return common_pb2.ACK_LEVEL_VENUE
    return common_pb2.ACK_LEVEL_ROUTED if order.session_id else common_pb2.ACK_LEVEL_ACCEPTED
