"""Amends: which of them may be sent, and what becomes of those that may not."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from fairlead_server.domain.amendments import Amendment, RequestOutcome, RequestRecord
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import ActionPending, CapabilityMissing, OrderTerminal
from fairlead_server.domain.event import Change, EventKind
from fairlead_server.domain.order import Flag, Order, PendingAction, Request
from fairlead_server.domain.reject import Reject
from fairlead_server.domain.risk import Examination
from fairlead_server.routing.checks import Checks, lacking_for_amend
from fairlead_server.routing.departures import Departures
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.ports import Gateway
from fairlead_server.routing.requests import RequestAnswer, Requests, expect


class Amending:
    def __init__(self, ledger: Ledger, checks: Checks, departures: Departures, requests: Requests) -> None:
        self._ledger = ledger
        self._checks = checks
        self._departures = departures
        self._requests = requests

    def amend(
        self,
        order: Order,
        request_id: str,
        amendment: Amendment,
        cause: Cause,
        now: datetime,
        expected_version: int | None,
    ) -> RequestAnswer:
        """Part of a decision: what is asked for with a ``request_id`` that is new."""
        expect(order, expected_version)
        terms = amendment.applied_to(order.asked_terms)
        if not (order.live or self._checks.may_reopen(order, terms)):
            raise OrderTerminal(order.order_id, order.state.value)
        if order.pending_action is PendingAction.CANCEL:
            raise ActionPending(order.order_id, order.pending_action.value)
        if Flag.IN_DOUBT in order.flags:
            raise ActionPending(order.order_id, "status inquiry")
        if terms == order.asked_terms and order.waiting_amend is None:
            return self._requests.answered(
                RequestRecord(request_id, order.order_id, now, amendment, RequestOutcome.NO_CHANGE), order
            )
        examined = self._checks.amend(order, terms, now)
        if examined.breaches:
            return self._refuse(order, request_id, amendment, examined, now)
        gateway = self._checks.gateway(order.session_id, replace(order.request, terms=terms))
        lacking = lacking_for_amend(order, terms, gateway)
        if lacking is not None:
            raise CapabilityMissing(gateway.session_id, lacking)
        wanted = Request(request_id, now, terms)
        if order.held:
            return self._amend_held(order, wanted, amendment, examined, cause, now)
        return self._send(order, gateway, wanted, amendment, examined, cause, now)

    def _refuse(
        self, order: Order, request_id: str, amendment: Amendment, examined: Examination, now: datetime
    ) -> RequestAnswer:
        reject = Reject.by_risk(examined.breaches)
        change = Change(order.next(now), EventKind.AMEND_REJECTED, reject=reject)
        after = self._ledger.enter(order, change, Cause(Initiator.RISK, request_id=request_id), now)
        self._checks.decided(after, examined, now, request_id)
        outcome = RequestOutcome.REJECTED
        return self._requests.answered(
            RequestRecord(request_id, order.order_id, now, amendment, outcome, reject), after
        )

    def _amend_held(
        self,
        order: Order,
        wanted: Request,
        amendment: Amendment,
        examined: Examination,
        cause: Cause,
        now: datetime,
    ) -> RequestAnswer:
        """The venue has not heard of the order: the new terms are in force at once, and it keeps its turn."""
        assert wanted.terms is not None  # noqa: S101 - an amend has some
        change = Change(order.amended(wanted.terms, now), EventKind.AMENDED)
        after = self._ledger.enter(order, change, cause, now)
        self._checks.decided(after, examined, now, wanted.request_id, sent=False)
        outcome = RequestOutcome.DONE
        return self._requests.answered(
            RequestRecord(wanted.request_id, order.order_id, now, amendment, outcome), after
        )

    def _send(
        self,
        order: Order,
        gateway: Gateway,
        wanted: Request,
        amendment: Amendment,
        examined: Examination,
        cause: Cause,
        now: datetime,
    ) -> RequestAnswer:
        request_id = wanted.request_id
        # Remembered first: if it is to wait and may not, it ends within this very decision.
        outcome = RequestOutcome.PENDING
        self._ledger.remember(RequestRecord(request_id, order.order_id, now, amendment, outcome))
        after = self._departures.request(order, wanted, gateway, cause, now)
        self._checks.decided(after, examined, now, request_id)
        return self._requests.standing(request_id, after, duplicate=False)
