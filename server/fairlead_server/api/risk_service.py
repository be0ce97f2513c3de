"""RiskService: controls, limits, and what they would say. Knows no transport."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Protocol

from fairlead.v1 import risk_service_pb2 as pb

from fairlead_server.api import consistency, requests, risk
from fairlead_server.api.caller import Caller
from fairlead_server.api.messages import canonical
from fairlead_server.api.order_answers import read_order
from fairlead_server.api.risk_watch import RiskReader, RiskWatch
from fairlead_server.api.tokens import Tokens, filter_id
from fairlead_server.api.validation import validate, validate_each
from fairlead_server.domain.errors import InvalidRequest
from fairlead_server.domain.risk.limits import OF_FILE
from fairlead_server.domain.risk.table import CONTROLS
from fairlead_server.routing.limits import RiskLimits
from fairlead_server.routing.news import News
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.risk_inquiries import RiskInquiries
from fairlead_server.store.batch import DecisionRow

_CONTROLS = [risk.control(control) for control in CONTROLS]


class Reader(RiskReader, Protocol):
    def risk_decisions(self, order_id: str) -> list[DecisionRow]: ...


class RiskService:
    def __init__(
        self,
        limits: RiskLimits,
        inquiries: RiskInquiries,
        reader: Reader,
        pipeline: Pipeline,
        news: News,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._limits = limits
        self._inquiries = inquiries
        self._reader = reader
        self._pipeline = pipeline
        self._news = news
        self._tokens = tokens
        self._clock = clock

    async def list_controls(self, request: pb.ListControlsRequest, caller: Caller) -> pb.ListControlsResponse:
        validate(request)
        return pb.ListControlsResponse(controls=_CONTROLS)

    # Limits.

    async def list_limits(self, request: pb.ListLimitsRequest, caller: Caller) -> pb.ListLimitsResponse:
        validate(request)
        wanted = frozenset(request.account_ids)
        digest = filter_id(pb.ListLimitsRequest(account_ids=sorted(wanted)))
        after = self._tokens.open_page(request.page_token, digest, str)[0] if request.page_token else ""
        size = requests.page_size(request.page_size)
        found = [
            each
            for each in self._limits
            if each.limit_id > after and (not wanted or each.scope.account_id in wanted)
        ]
        token = self._tokens.page(digest, found[size - 1].limit_id) if len(found) > size else ""
        shown, version = [risk.limit_set(each) for each in found[:size]], self._limits.version
        await self._pipeline.durable()
        return pb.ListLimitsResponse(limit_sets=shown, next_page_token=token, policy_version=version)

    async def get_limits(self, request: pb.GetLimitsRequest, caller: Caller) -> pb.GetLimitsResponse:
        validate(request)
        shown = risk.limit_set(self._limits.get(request.limit_id))
        await self._pipeline.durable()
        return pb.GetLimitsResponse(limit_set=shown)

    async def update_limits(self, request: pb.UpdateLimitsRequest, caller: Caller) -> pb.UpdateLimitsResponse:
        validate(request)
        validate_each(request.limit_set.lists, "limit_set.lists")
        given = request.limit_set
        known = next((each for each in self._limits if each.limit_id == given.limit_id), None)
        wanted = risk.merged(known, risk.read_limit_set(given), request.update_paths)
        expected = "" if request.must_be_new else given.etag or None
        if request.validate_only:
            self._limits.check(wanted, expected)
            return pb.UpdateLimitsResponse(limit_set=risk.limit_set(wanted))
        changed = self._limits.put(wanted, expected, caller.operator(request.reason), self._clock())
        await self._pipeline.durable()
        return pb.UpdateLimitsResponse(limit_set=risk.limit_set(changed))

    async def delete_limits(self, request: pb.DeleteLimitsRequest, caller: Caller) -> pb.DeleteLimitsResponse:
        validate(request)
        by = caller.operator(request.reason)
        self._limits.delete(request.limit_id, request.etag or None, by, self._clock())
        await self._pipeline.durable()
        return pb.DeleteLimitsResponse()

    async def import_limits(self, request: pb.ImportLimitsRequest, caller: Caller) -> pb.ImportLimitsResponse:
        validate(request)
        validate_each(request.limit_sets, "limit_sets")
        wanted = [
            risk.read_limit_set(each, f"limit_sets[{index}]")
            for index, each in enumerate(request.limit_sets)
            if not each.limit_id.startswith(OF_FILE)
        ]
        consistency.check_names((each.limit_id for each in wanted), "limit_sets")
        by, decide = caller.operator(request.reason), not request.validate_only
        done = self._limits.replace_all(wanted, by, self._clock(), decide=decide)
        await self._pipeline.durable()
        return pb.ImportLimitsResponse(
            created_limit_ids=done.created,
            changed_limit_ids=done.changed,
            deleted_limit_ids=done.deleted,
            unchanged_count=len(wanted) - len(done.created) - len(done.changed),
        )

    async def enable_again(self, request: pb.EnableAgainRequest, caller: Caller) -> pb.EnableAgainResponse:
        validate(request)
        known = self._limits.enable(request.limit_id, caller.operator(request.reason), self._clock())
        await self._pipeline.durable()
        return pb.EnableAgainResponse(limit_set=risk.limit_set(known))

    # What they would say.

    async def get_risk_state(
        self, request: pb.GetRiskStateRequest, caller: Caller
    ) -> pb.GetRiskStateResponse:
        validate(request)
        consistency.check_risk_state(request, self._limits.is_account)
        usages = self._inquiries.state(risk.read_scope(request.scope), self._clock())
        version = self._limits.version
        await self._pipeline.durable()
        return pb.GetRiskStateResponse(usages=map(risk.usage, usages), policy_version=version)

    async def check_order(self, request: pb.CheckOrderRequest, caller: Caller) -> pb.CheckOrderResponse:
        validate(request)
        found = self._inquiries.check(read_order(request.order, caller), self._clock())
        version = self._limits.version
        await self._pipeline.durable()
        return pb.CheckOrderResponse(
            passed=found.passed,
            results=map(risk.line, found.lines),
            largest_quantity=canonical(found.largest),
            session_id=found.session_id,
            policy_version=version,
        )

    async def size_order(self, request: pb.SizeOrderRequest, caller: Caller) -> pb.SizeOrderResponse:
        validate(request)
        stop, amount = Decimal(request.stop_price), Decimal(request.risk_amount)
        size = self._inquiries.size(read_order(request.order, caller), stop, amount, self._clock())
        await self._pipeline.durable()
        return pb.SizeOrderResponse(
            quantity=canonical(size.quantity),
            quantity_by_risk=canonical(size.by_risk),
            quantity_by_limits=canonical(size.by_limits),
            risk=canonical(size.risk),
        )

    # What they have said.

    async def list_risk_decisions(
        self, request: pb.ListRiskDecisionsRequest, caller: Caller
    ) -> pb.ListRiskDecisionsResponse:
        validate(request)
        self._inquiries.must_be_known(request.order_id)
        await self._pipeline.durable()
        found = await asyncio.to_thread(self._reader.risk_decisions, request.order_id)
        return pb.ListRiskDecisionsResponse(decisions=map(risk.decision, found))

    async def watch_risk_events(self, request: pb.WatchRiskEventsRequest, caller: Caller) -> RiskWatch:
        validate(request)
        heartbeat, head = requests.heartbeat(request), self._limits.risk_head
        after = request.after_sequence if request.HasField("after_sequence") else head
        if not 0 <= after <= head:
            raise InvalidRequest([("after_sequence", f"must be 0 to {head}, the last event that there is")])
        await self._pipeline.durable()
        return RiskWatch(self._reader, after, frozenset(request.account_ids), heartbeat, self._news)
