"""OrderService: submit, amend, cancel, and what became of it. Knows no transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from fairlead.v1 import order_service_pb2

from fairlead_server.api import framing, images, messages, requests
from fairlead_server.api.caller import Caller
from fairlead_server.api.expiry import expired
from fairlead_server.api.order_answers import OrderAnswers
from fairlead_server.api.order_batches import OrderBatches
from fairlead_server.api.order_operations import OrderOperations
from fairlead_server.api.tokens import Tokens, filter_id
from fairlead_server.api.trade_stream import Desk, Requests, TradeStream
from fairlead_server.api.validation import validate
from fairlead_server.domain.errors import UnknownOrder
from fairlead_server.domain.order import Order
from fairlead_server.routing.feed import Feed
from fairlead_server.routing.order_entry import OrderRef
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.watch import Watch
from fairlead_server.store.batch import EventRow
from fairlead_server.store.events import EventQuery
from fairlead_server.store.orders import OrderQuery


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
        answers: OrderAnswers,
        batches: OrderBatches,
        operations: OrderOperations,
        desk: Desk,
        watch: Watch,
        feed: Feed,
        reader: OrderReader,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._answers = answers
        self._batches = batches
        self._operations = operations
        self._desk = desk
        self._watch = watch
        self._feed = feed
        self._reader = reader
        self._tokens = tokens
        self._clock = clock

    async def submit_order(
        self, request: order_service_pb2.SubmitOrderRequest, caller: Caller
    ) -> order_service_pb2.SubmitOrderResponse:
        return await self._answers.submitted(request, self._answers.submit(request, caller), caller)

    async def amend_order(
        self, request: order_service_pb2.AmendOrderRequest, caller: Caller
    ) -> order_service_pb2.AmendOrderResponse:
        return await self._answers.amended(request, self._answers.amend(request, caller), caller)

    async def cancel_order(
        self, request: order_service_pb2.CancelOrderRequest, caller: Caller
    ) -> order_service_pb2.CancelOrderResponse:
        return await self._answers.canceled(request, self._answers.cancel(request, caller), caller)

    async def batch_submit_orders(
        self, request: order_service_pb2.BatchSubmitOrdersRequest, caller: Caller
    ) -> order_service_pb2.BatchSubmitOrdersResponse:
        return await self._batches.submit(request, caller)

    async def batch_amend_orders(
        self, request: order_service_pb2.BatchAmendOrdersRequest, caller: Caller
    ) -> order_service_pb2.BatchAmendOrdersResponse:
        return await self._batches.amend(request, caller)

    async def batch_cancel_orders(
        self, request: order_service_pb2.BatchCancelOrdersRequest, caller: Caller
    ) -> order_service_pb2.BatchCancelOrdersResponse:
        return await self._batches.cancel(request, caller)

    async def trade_session(self, incoming: Requests, caller: Caller) -> TradeStream:
        """The stream, ready to be read."""
        return TradeStream(incoming, caller, self._desk)

    async def cancel_all_orders(
        self, request: order_service_pb2.CancelAllOrdersRequest, caller: Caller
    ) -> order_service_pb2.CancelAllOrdersResponse:
        return await self._operations.cancel_all(request, caller)

    async def reconcile_order(
        self, request: order_service_pb2.ReconcileOrderRequest, caller: Caller
    ) -> order_service_pb2.ReconcileOrderResponse:
        return await self._operations.reconcile(request, caller)

    async def get_order(
        self, request: order_service_pb2.GetOrderRequest, caller: Caller
    ) -> order_service_pb2.GetOrderResponse:
        validate(request)
        ref = requests.order_ref(request.order)
        head, order = await self._committed(ref)
        if request.HasField("wait_for_version") and order.version <= request.wait_for_version:
            head, order = await self._changed(ref, order.order_id, request.wait_for_version, caller)
        return order_service_pb2.GetOrderResponse(
            order=images.order(order), as_of_cursor=self._tokens.cursor(max(head, order.sequence))
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
        shown = await asyncio.to_thread(images.orders_that_fit, found[:size])
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
        if request.page_token and after < self._feed.floor and not order.live:
            raise await expired(self._reader, self._tokens, self._feed.floor, "page_token", 0)
        shown = framing.that_fit(rows[:size])
        response = order_service_pb2.ListOrderEventsResponse(
            events=await asyncio.to_thread(messages.events_from, shown),
            as_of_cursor=self._tokens.cursor(head),
        )
        if len(rows) > len(shown):
            response.next_page_token = self._tokens.page(digest, shown[-1].sequence)
        return response

    async def _changed(self, ref: OrderRef, order_id: str, beyond: int, caller: Caller) -> tuple[int, Order]:
        """Once its version is greater, or as it is when the caller's time is over."""
        waiter = self._watch.expect(order_id, lambda order: order.version > beyond)
        try:
            head, order = await self._committed(ref)  # it may have changed before we began to look
        except BaseException:
            self._watch.drop(waiter)
            raise
        if order.version > beyond:
            self._watch.drop(waiter)
            return head, order
        return head, await self._watch.wait(waiter, caller.patience(self._clock())) or order

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
