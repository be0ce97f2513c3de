"""The calls of both clients about risk: controls, limits, and what they would say of an order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Unpack

import grpc
from grpc import aio

from fairlead import requests
from fairlead.calling import AsyncCalls, Calls
from fairlead.connection import call_metadata
from fairlead.decimals import Number
from fairlead.following import SILENCE
from fairlead.pages import AsyncListing, Listing, Page
from fairlead.retry import LIST, OPERATION, READ, Retry
from fairlead.risk_watching import AsyncRiskWatch, RiskFollower, RiskWatch
from fairlead.v1.risk_service_pb2 import (
    CheckOrderRequest,
    CheckOrderResponse,
    DeleteLimitsRequest,
    EnableAgainRequest,
    GetLimitsRequest,
    GetRiskStateRequest,
    GetRiskStateResponse,
    ImportLimitsRequest,
    ImportLimitsResponse,
    LimitSet,
    ListControlsRequest,
    ListLimitsRequest,
    ListRiskDecisionsRequest,
    RiskControl,
    RiskDecision,
    RiskScope,
    SizeOrderResponse,
    UpdateLimitsRequest,
)
from fairlead.v1.risk_service_pb2_grpc import RiskServiceStub
from fairlead.values import NewOrder


class RiskCalls(Calls):
    def __init__(self, channel: grpc.Channel, metadata: Mapping[str, str], retry: Retry) -> None:
        super().__init__(channel, metadata, retry)
        self._risk = RiskServiceStub(channel)

    def list_controls(self, *, timeout: float | None = None) -> Sequence[RiskControl]:
        """In the order in which they answer."""
        return self._call(self._risk.ListControls, ListControlsRequest(), READ, timeout).controls

    def list_limits(
        self, *account_ids: str, page_size: int = 0, timeout: float | None = None
    ) -> Listing[LimitSet]:
        request = ListLimitsRequest(account_ids=account_ids, page_size=page_size)

        def fetch(page_token: str) -> Page[LimitSet]:
            request.page_token = page_token
            page = self._call(self._risk.ListLimits, request, LIST, timeout)
            return Page(page.limit_sets, page.next_page_token)

        return Listing(fetch)

    def get_limits(self, limit_id: str, *, timeout: float | None = None) -> LimitSet:
        request = GetLimitsRequest(limit_id=limit_id)
        return self._call(self._risk.GetLimits, request, READ, timeout).limit_set

    def update_limits(
        self,
        limit_set: LimitSet,
        *,
        reason: str,
        paths: Iterable[str] = (),
        must_be_new: bool = False,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> LimitSet:
        """Make a limit set or change it: all of it, or what `paths` name, as in `limits.max_position`.

        With the `etag` of a set as it was read this is refused with :class:`~fairlead.errors.Aborted` if it is not so any more.
        """
        request = UpdateLimitsRequest(
            limit_set=limit_set,
            update_paths=paths,
            reason=reason,
            must_be_new=must_be_new,
            validate_only=validate_only,
        )
        return self._call(self._risk.UpdateLimits, request, OPERATION, timeout).limit_set

    def delete_limits(
        self, limit_id: str, *, reason: str, etag: str = "", timeout: float | None = None
    ) -> None:
        request = DeleteLimitsRequest(limit_id=limit_id, etag=etag, reason=reason)
        self._call(self._risk.DeleteLimits, request, OPERATION, timeout)

    def enable_again(self, limit_id: str, *, reason: str, timeout: float | None = None) -> LimitSet:
        """A person has looked at what has traded as often as `max_executions` allows: it counts from zero again."""
        request = EnableAgainRequest(limit_id=limit_id, reason=reason)
        return self._call(self._risk.EnableAgain, request, OPERATION, timeout).limit_set

    def import_limits(
        self,
        limit_sets: Iterable[LimitSet],
        *,
        reason: str,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> ImportLimitsResponse:
        """Make these the stored limit sets, and no others; all or nothing."""
        request = ImportLimitsRequest(limit_sets=limit_sets, reason=reason, validate_only=validate_only)
        return self._call(self._risk.ImportLimits, request, OPERATION, timeout)

    def risk_state(self, scope: RiskScope, *, timeout: float | None = None) -> GetRiskStateResponse:
        return self._call(self._risk.GetRiskState, GetRiskStateRequest(scope=scope), READ, timeout)

    def check_order(self, *, timeout: float | None = None, **order: Unpack[NewOrder]) -> CheckOrderResponse:
        """What every control would say of an order; it is not sent."""
        request = CheckOrderRequest(order=requests.submit_order(order))
        return self._call(self._risk.CheckOrder, request, READ, timeout)

    def size_order(
        self,
        *,
        protective_stop: Number,
        risk_amount: Number,
        timeout: float | None = None,
        **order: Unpack[NewOrder],
    ) -> SizeOrderResponse:
        """The quantity at which no more than `risk_amount` is lost at `protective_stop`; the order's own is the most that is wanted."""
        request = requests.size_order(order, protective_stop, risk_amount)
        return self._call(self._risk.SizeOrder, request, READ, timeout)

    def list_risk_decisions(self, order_id: str, *, timeout: float | None = None) -> Sequence[RiskDecision]:
        """Oldest first."""
        request = ListRiskDecisionsRequest(order_id=order_id)
        return self._call(self._risk.ListRiskDecisions, request, READ, timeout).decisions

    def watch_risk_events(
        self, *account_ids: str, after: int | None = None, heartbeat: float = 5.0
    ) -> RiskWatch:
        """Follow risk events behind the sequence `after`, else from now on; nothing is asked of the server before iteration begins."""
        request = requests.watch_risk_events(account_ids, after, heartbeat)
        metadata = call_metadata(self._metadata)
        return RiskWatch(
            lambda opening: self._risk.WatchRiskEvents(opening, metadata=metadata),
            RiskFollower(request, self._retry),
            SILENCE * heartbeat,
        )


class AsyncRiskCalls(AsyncCalls):
    def __init__(self, channel: aio.Channel, metadata: Mapping[str, str], retry: Retry) -> None:
        super().__init__(channel, metadata, retry)
        self._risk = RiskServiceStub(channel)

    async def list_controls(self, *, timeout: float | None = None) -> Sequence[RiskControl]:
        """In the order in which they answer."""
        return (await self._call(self._risk.ListControls, ListControlsRequest(), READ, timeout)).controls

    def list_limits(
        self, *account_ids: str, page_size: int = 0, timeout: float | None = None
    ) -> AsyncListing[LimitSet]:
        request = ListLimitsRequest(account_ids=account_ids, page_size=page_size)

        async def fetch(page_token: str) -> Page[LimitSet]:
            request.page_token = page_token
            page = await self._call(self._risk.ListLimits, request, LIST, timeout)
            return Page(page.limit_sets, page.next_page_token)

        return AsyncListing(fetch)

    async def get_limits(self, limit_id: str, *, timeout: float | None = None) -> LimitSet:
        request = GetLimitsRequest(limit_id=limit_id)
        return (await self._call(self._risk.GetLimits, request, READ, timeout)).limit_set

    async def update_limits(
        self,
        limit_set: LimitSet,
        *,
        reason: str,
        paths: Iterable[str] = (),
        must_be_new: bool = False,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> LimitSet:
        """As :meth:`RiskCalls.update_limits`."""
        request = UpdateLimitsRequest(
            limit_set=limit_set,
            update_paths=paths,
            reason=reason,
            must_be_new=must_be_new,
            validate_only=validate_only,
        )
        return (await self._call(self._risk.UpdateLimits, request, OPERATION, timeout)).limit_set

    async def delete_limits(
        self, limit_id: str, *, reason: str, etag: str = "", timeout: float | None = None
    ) -> None:
        request = DeleteLimitsRequest(limit_id=limit_id, etag=etag, reason=reason)
        await self._call(self._risk.DeleteLimits, request, OPERATION, timeout)

    async def enable_again(self, limit_id: str, *, reason: str, timeout: float | None = None) -> LimitSet:
        """A person has looked at what has traded as often as `max_executions` allows: it counts from zero again."""
        request = EnableAgainRequest(limit_id=limit_id, reason=reason)
        return (await self._call(self._risk.EnableAgain, request, OPERATION, timeout)).limit_set

    async def import_limits(
        self,
        limit_sets: Iterable[LimitSet],
        *,
        reason: str,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> ImportLimitsResponse:
        """Make these the stored limit sets, and no others; all or nothing."""
        request = ImportLimitsRequest(limit_sets=limit_sets, reason=reason, validate_only=validate_only)
        return await self._call(self._risk.ImportLimits, request, OPERATION, timeout)

    async def risk_state(self, scope: RiskScope, *, timeout: float | None = None) -> GetRiskStateResponse:
        return await self._call(self._risk.GetRiskState, GetRiskStateRequest(scope=scope), READ, timeout)

    async def check_order(
        self, *, timeout: float | None = None, **order: Unpack[NewOrder]
    ) -> CheckOrderResponse:
        """What every control would say of an order; it is not sent."""
        request = CheckOrderRequest(order=requests.submit_order(order))
        return await self._call(self._risk.CheckOrder, request, READ, timeout)

    async def size_order(
        self,
        *,
        protective_stop: Number,
        risk_amount: Number,
        timeout: float | None = None,
        **order: Unpack[NewOrder],
    ) -> SizeOrderResponse:
        """As :meth:`RiskCalls.size_order`."""
        request = requests.size_order(order, protective_stop, risk_amount)
        return await self._call(self._risk.SizeOrder, request, READ, timeout)

    async def list_risk_decisions(
        self, order_id: str, *, timeout: float | None = None
    ) -> Sequence[RiskDecision]:
        """Oldest first."""
        request = ListRiskDecisionsRequest(order_id=order_id)
        return (await self._call(self._risk.ListRiskDecisions, request, READ, timeout)).decisions

    def watch_risk_events(
        self, *account_ids: str, after: int | None = None, heartbeat: float = 5.0
    ) -> AsyncRiskWatch:
        """Follow risk events behind the sequence `after`, else from now on; nothing is asked of the server before iteration begins."""
        request = requests.watch_risk_events(account_ids, after, heartbeat)
        metadata = call_metadata(self._metadata)
        return AsyncRiskWatch(
            lambda opening: self._risk.WatchRiskEvents(opening, metadata=metadata),
            RiskFollower(request, self._retry),
            SILENCE * heartbeat,
        )
