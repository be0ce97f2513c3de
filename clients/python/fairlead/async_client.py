"""The client for asyncio: the same calls as :class:`fairlead.Client`, awaited."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self, Unpack

import grpc
from grpc import aio

from fairlead import outcomes, requests
from fairlead.connection import CHANNEL_OPTIONS, DEFAULT_TARGET, call_metadata
from fairlead.control import AsyncControlCalls
from fairlead.following import SILENCE, Follower
from fairlead.pages import AsyncListing, Page
from fairlead.positions import AsyncPositionCalls
from fairlead.reference import AsyncReferenceCalls
from fairlead.retry import BATCH, LIST, MUTATION, OPERATION, READ, Retry
from fairlead.risk import AsyncRiskCalls
from fairlead.subscription import AsyncSubscription
from fairlead.trading import AsyncTradeSession
from fairlead.v1.common_pb2 import Order
from fairlead.v1.execution_service_pb2 import ExecutionEvent
from fairlead.v1.execution_service_pb2_grpc import ExecutionServiceStub
from fairlead.v1.order_service_pb2 import (
    AmendOrderResponse,
    BatchAmendOrdersResponse,
    BatchCancelOrdersResponse,
    BatchSubmitOrdersResponse,
    CancelAllOrdersResponse,
    CancelOrderResponse,
    GetOrderRequest,
    ListOrderEventsRequest,
    ReconcileOrderResponse,
    SubmitOrderResponse,
)
from fairlead.v1.order_service_pb2_grpc import OrderServiceStub
from fairlead.v1.session_service_pb2 import (
    GetSessionRequest,
    GetSessionScheduleRequest,
    GetSessionScheduleResponse,
    ListSessionsRequest,
    ReloadSessionsRequest,
    ReloadSessionsResponse,
    Session,
    SessionMessage,
    StartSessionRequest,
    StopSessionRequest,
)
from fairlead.v1.session_service_pb2_grpc import SessionServiceStub
from fairlead.v1.system_service_pb2 import GetServerInfoRequest, ServerInfo
from fairlead.v1.system_service_pb2_grpc import SystemServiceStub
from fairlead.values import (
    AckLevel,
    Amendment,
    AnyOrder,
    Cancellation,
    ExecutionPage,
    Following,
    MassCancellation,
    MessageQuery,
    NewOrder,
    OrderQuery,
    Reconciliation,
    SequenceReset,
)
from fairlead.watching import AsyncSessionWatch, SessionFollower


class AsyncClient(AsyncReferenceCalls, AsyncPositionCalls, AsyncRiskCalls, AsyncControlCalls):
    """A connection to the router, of one event loop: make it where that loop runs.

    `timeout` is in seconds and for each attempt of a call; the default depends on the method. What a list
    method returns fetches its pages as it is read. With `raise_on_reject` what the business refuses raises
    a :class:`~fairlead.errors.Refused`; without, it is in the answer.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Mapping[str, str] | None = None,
        raise_on_reject: bool = False,
        retry: Retry | None = None,
    ) -> None:
        if credentials is None:
            channel = aio.insecure_channel(target, options=CHANNEL_OPTIONS)
        else:
            channel = aio.secure_channel(target, credentials, options=CHANNEL_OPTIONS)
        super().__init__(channel, metadata or {}, retry or Retry())
        self._raise_on_reject = raise_on_reject
        self._orders = OrderServiceStub(self._channel)
        self._executions = ExecutionServiceStub(self._channel)
        self._sessions = SessionServiceStub(self._channel)
        self._system = SystemServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; open streams end."""
        await self._channel.close()

    async def submit_order(
        self, *, timeout: float | None = None, **order: Unpack[NewOrder]
    ) -> SubmitOrderResponse:
        """Submit an order; look at ``response.order.state`` for what became of it."""
        request = requests.submit_order(order)
        response = await self._call(self._orders.SubmitOrder, request, MUTATION, timeout)
        return outcomes.submitted(response) if self._raise_on_reject else response

    async def amend_order(
        self, order: AnyOrder, *, timeout: float | None = None, **terms: Unpack[Amendment]
    ) -> AmendOrderResponse:
        request = requests.amend_order(order, terms)
        response = await self._call(self._orders.AmendOrder, request, MUTATION, timeout)
        return outcomes.amended(response) if self._raise_on_reject else response

    async def cancel_order(
        self, order: AnyOrder, *, timeout: float | None = None, **how: Unpack[Cancellation]
    ) -> CancelOrderResponse:
        request = requests.cancel_order(order, how)
        response = await self._call(self._orders.CancelOrder, request, MUTATION, timeout)
        return outcomes.canceled(response) if self._raise_on_reject else response

    async def batch_submit_orders(
        self,
        orders: Iterable[NewOrder],
        *,
        stop_on_error: bool = False,
        require_all_risk_pass: bool = False,
        timeout: float | None = None,
    ) -> BatchSubmitOrdersResponse:
        """Submit up to 1,000 orders; each has a result of its own, see :func:`fairlead.errors.from_status`."""
        request = requests.batch_submit_orders(
            orders, stop_on_error=stop_on_error, require_all_risk_pass=require_all_risk_pass
        )
        return await self._call(self._orders.BatchSubmitOrders, request, BATCH, timeout)

    async def batch_amend_orders(
        self,
        amends: Iterable[tuple[AnyOrder, Amendment]],
        *,
        stop_on_error: bool = False,
        timeout: float | None = None,
    ) -> BatchAmendOrdersResponse:
        request = requests.batch_amend_orders(amends, stop_on_error=stop_on_error)
        return await self._call(self._orders.BatchAmendOrders, request, BATCH, timeout)

    async def batch_cancel_orders(
        self,
        orders: Iterable[AnyOrder],
        *,
        stop_on_error: bool = False,
        ack_level: AckLevel | None = None,
        timeout: float | None = None,
    ) -> BatchCancelOrdersResponse:
        request = requests.batch_cancel_orders(orders, stop_on_error=stop_on_error, ack_level=ack_level)
        return await self._call(self._orders.BatchCancelOrders, request, BATCH, timeout)

    async def cancel_all_orders(
        self, *, timeout: float | None = None, **which: Unpack[MassCancellation]
    ) -> CancelAllOrdersResponse:
        """Ask for a cancel of every live order that matches; how each ends the stream tells."""
        request = requests.cancel_all_orders(which)
        return await self._call(self._orders.CancelAllOrders, request, BATCH, timeout)

    def trade_session(
        self,
        *,
        cancel_on_disconnect: float | None = None,
        account_ids: Iterable[str] = (),
        session_key: str | None = None,
        good_till_too: bool = False,
    ) -> AsyncTradeSession:
        """The fast way to enter orders: one stream for many commands. Nothing happens before it is entered.

        With `cancel_on_disconnect`, in seconds, the orders submitted in it (for these accounts, or any) are cancelled when
        it has been without a stream for so long; `close(keep_orders=True)` keeps them. Those that are GTC or GTD stay unless
        `good_till_too`.
        """
        hello = requests.trade_hello(
            session_key, cancel_on_disconnect, account_ids, good_till_too=good_till_too
        )
        metadata = call_metadata(self._metadata)
        return AsyncTradeSession(
            lambda: self._orders.TradeSession(metadata=metadata),
            hello,
            self._retry,
            raise_on_reject=self._raise_on_reject,
        )

    async def reconcile_order(
        self, order: AnyOrder, *, timeout: float | None = None, **how: Unpack[Reconciliation]
    ) -> ReconcileOrderResponse:
        """Settle by hand how an order in doubt stands."""
        request = requests.reconcile_order(order, how)
        return await self._call(self._orders.ReconcileOrder, request, MUTATION, timeout)

    async def get_order(
        self, order: AnyOrder, *, wait_for_version: int | None = None, timeout: float | None = None
    ) -> Order:
        """The order as it is; with `wait_for_version`, once its version is greater or its time is over."""
        request = GetOrderRequest(order=requests.order_ref(order), wait_for_version=wait_for_version)
        return (await self._call(self._orders.GetOrder, request, READ, timeout)).order

    def list_orders(
        self, *, page_size: int = 0, timeout: float | None = None, **query: Unpack[OrderQuery]
    ) -> AsyncListing[Order]:
        request = requests.list_orders(query, page_size)

        async def fetch(page_token: str) -> Page[Order]:
            request.page_token = page_token
            page = await self._call(self._orders.ListOrders, request, LIST, timeout)
            return Page(page.orders, page.next_page_token, page.as_of_cursor)

        return AsyncListing(fetch)

    def list_order_events(
        self, order: AnyOrder, *, page_size: int = 0, timeout: float | None = None
    ) -> AsyncListing[ExecutionEvent]:
        request = ListOrderEventsRequest(order=requests.order_ref(order), page_size=page_size)

        async def fetch(page_token: str) -> Page[ExecutionEvent]:
            request.page_token = page_token
            page = await self._call(self._orders.ListOrderEvents, request, LIST, timeout)
            return Page(page.events, page.next_page_token, page.as_of_cursor)

        return AsyncListing(fetch)

    def list_executions(
        self, *, page_size: int = 0, timeout: float | None = None, **query: Unpack[ExecutionPage]
    ) -> AsyncListing[ExecutionEvent]:
        """The log, oldest first; its `cursor` moves along page by page."""
        request = requests.list_executions(query, page_size)

        async def fetch(page_token: str) -> Page[ExecutionEvent]:
            request.page_token = page_token
            page = await self._call(self._executions.ListExecutions, request, LIST, timeout)
            return Page(page.events, page.next_page_token, page.cursor)

        return AsyncListing(fetch, moving=True)

    def subscribe(self, *, heartbeat: float = 5.0, **query: Unpack[Following]) -> AsyncSubscription:
        """Follow executions; nothing is asked of the server before iteration begins."""
        request = requests.subscribe(query, heartbeat)
        metadata = call_metadata(self._metadata)
        return AsyncSubscription(
            lambda opening: self._executions.SubscribeExecutions(opening, metadata=metadata),
            Follower(request, self._retry),
            SILENCE * heartbeat,
        )

    def list_sessions(self, *, page_size: int = 0, timeout: float | None = None) -> AsyncListing[Session]:
        request = ListSessionsRequest(page_size=page_size)

        async def fetch(page_token: str) -> Page[Session]:
            request.page_token = page_token
            page = await self._call(self._sessions.ListSessions, request, LIST, timeout)
            return Page(page.sessions, page.next_page_token)

        return AsyncListing(fetch)

    async def get_session(self, session_id: str, *, timeout: float | None = None) -> Session:
        request = GetSessionRequest(session_id=session_id)
        return (await self._call(self._sessions.GetSession, request, READ, timeout)).session

    def watch_sessions(self, *session_ids: str, heartbeat: float = 5.0) -> AsyncSessionWatch:
        """Follow these sessions, or all; nothing is asked of the server before iteration begins."""
        request = requests.watch_sessions(session_ids, heartbeat)
        metadata = call_metadata(self._metadata)
        return AsyncSessionWatch(
            lambda opening: self._sessions.WatchSessions(opening, metadata=metadata),
            SessionFollower(request, self._retry),
            SILENCE * heartbeat,
        )

    async def start_session(self, session_id: str, *, reason: str, timeout: float | None = None) -> Session:
        """Let a session connect, one that is HALTED too; `reason` is for the audit log, here and below."""
        request = StartSessionRequest(session_id=session_id, reason=reason)
        return (await self._call(self._sessions.StartSession, request, OPERATION, timeout)).session

    async def stop_session(self, session_id: str, *, reason: str, timeout: float | None = None) -> Session:
        """Log a session out and keep it away until it is started."""
        request = StopSessionRequest(session_id=session_id, reason=reason)
        return (await self._call(self._sessions.StopSession, request, OPERATION, timeout)).session

    async def reset_session(
        self, session_id: str, *, timeout: float | None = None, **numbers: Unpack[SequenceReset]
    ) -> Session:
        """Replace the sequence numbers of a session that is not connected."""
        request = requests.reset_session(session_id, numbers)
        return (await self._call(self._sessions.ResetSessionSequence, request, OPERATION, timeout)).session

    async def session_schedule(
        self, session_id: str, *, days: int = 7, timeout: float | None = None
    ) -> GetSessionScheduleResponse:
        request = GetSessionScheduleRequest(session_id=session_id, days=days)
        return await self._call(self._sessions.GetSessionSchedule, request, READ, timeout)

    def list_session_messages(
        self,
        session_id: str,
        *,
        page_size: int = 0,
        timeout: float | None = None,
        **query: Unpack[MessageQuery],
    ) -> AsyncListing[SessionMessage]:
        """The journal of one session, each message taken apart."""
        request = requests.list_session_messages(session_id, query, page_size)

        async def fetch(page_token: str) -> Page[SessionMessage]:
            request.page_token = page_token
            page = await self._call(self._sessions.ListSessionMessages, request, LIST, timeout)
            return Page(page.messages, page.next_page_token)

        return AsyncListing(fetch)

    async def request_order_status(
        self,
        order: AnyOrder | None = None,
        *,
        session_id: str | None = None,
        reason: str = "",
        timeout: float | None = None,
    ) -> int:
        """Have the venue asked about one order, or about every live order of a session; returns about how many."""
        request = requests.request_status(order, session_id, reason)
        return (await self._call(self._sessions.RequestOrderStatus, request, OPERATION, timeout)).asked

    async def reload_sessions(self, *, reason: str, timeout: float | None = None) -> ReloadSessionsResponse:
        """Have the sessions of the server's configuration file read anew and applied."""
        request = ReloadSessionsRequest(reason=reason)
        return await self._call(self._sessions.ReloadSessions, request, OPERATION, timeout)

    async def server_info(self, *, timeout: float | None = None) -> ServerInfo:
        return (
            await self._call(self._system.GetServerInfo, GetServerInfoRequest(), READ, timeout)
        ).server_info
