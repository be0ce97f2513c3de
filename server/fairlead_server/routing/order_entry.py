"""What clients ask for: submit, amend, cancel. Each is one synchronous decision.

A key that was used before is answered, never refused: the same request gets its order again, another one under the same
key is a conflict. What depends on the state of the world (an unknown instrument, a limit) makes a stored order in state
REJECTED; an exception means that nothing was created.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fairlead_server.domain import risk, routes
from fairlead_server.domain.amendments import Amendment, RequestOutcome, RequestRecord
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import (
    ActionPending,
    CapabilityMissing,
    ClientOrderIdConflict,
    Draining,
    NotRoutedInTime,
    OrderTerminal,
    RequestIdConflict,
    UnknownOrder,
    VenueUnavailable,
    VersionMismatch,
)
from fairlead_server.domain.event import Change, EventKind
from fairlead_server.domain.exposure import Exposure, RecentOrders, working
from fairlead_server.domain.ids import ClOrdIds
from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.order import Flag, Order, OrderState, PendingAction, Request, pending_new, refused
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.terms import NewOrder, Terms
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Gateway, NewId
from fairlead_server.store.batch import DecisionRow


@dataclass(frozen=True, slots=True)
class OrderRef:
    """Names an order: by our ``order_id``, or by the account's ``client_order_id``."""

    order_id: str = ""
    account_id: str = ""
    client_order_id: str = ""

    def __str__(self) -> str:
        return self.order_id or f"{self.account_id}/{self.client_order_id}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The order as it stood when the request was decided; durable once the pipeline says so."""

    order: Order
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    order: Order
    outcome: RequestOutcome
    reject: Reject | None = None
    duplicate: bool = False


class OrderEntry:
    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        pipeline: Pipeline,
        policy: risk.Policy,
        instruments: Mapping[str, Instrument],
        rules: Sequence[routes.Route],
        gateways: Mapping[str, Gateway],
        cl_ord_ids: ClOrdIds,
        recent: RecentOrders,
        new_id: NewId,
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._policy = policy
        self._instruments = instruments
        self._routes = rules
        self._gateways = gateways
        self._cl_ord_ids = cl_ord_ids
        self._recent = recent
        self._new_id = new_id
        self.draining = False  # the process is ending: cancels only

    def find(self, ref: OrderRef) -> Order:
        """The order, uncommitted changes included: for deciding, not for answering."""
        if ref.order_id:
            order = self._book.order(ref.order_id)
        else:
            order = self._book.by_client_order_id(ref.account_id, ref.client_order_id)
        if order is None:
            raise UnknownOrder(str(ref))
        return order

    # Submit.

    def submit(self, new: NewOrder, cause: Cause, deadline: datetime | None, now: datetime) -> Answer:
        known = self._book.by_client_order_id(new.account_id, new.client_order_id)
        with self._pipeline.deciding():
            return self._submit(new, cause, deadline, now) if known is None else self._repeated(known, new)

    def _submit(self, new: NewOrder, cause: Cause, deadline: datetime | None, now: datetime) -> Answer:
        if self.draining:
            raise Draining
        if any(limit is not None and limit <= now for limit in (deadline, new.route_before)):
            raise NotRoutedInTime
        breaches = risk.check_new(self._proposal(new, new.terms, now))
        if breaches:
            return self._refuse(new, Reject.by_risk(breaches), now)
        route = routes.choose(self._routes, new)
        if route is None:
            text = "no route fits the order"
            return self._refuse(new, Reject(RejectSource.ROUTER, RejectReason.ROUTER_NO_ROUTE, text), now)
        return self._route(new, self._gateway(route.session_id, new), cause, now)

    def _repeated(self, known: Order, new: NewOrder) -> Answer:
        differing = known.request.differing_fields(new)
        if differing:
            raise ClientOrderIdConflict(new.client_order_id, known.order_id, differing)
        return Answer(known, duplicate=True)

    def _proposal(
        self, new: NewOrder, terms: Terms, now: datetime, amends: Order | None = None
    ) -> risk.Proposal:
        """For an amend the order's own working quantity makes room for what it is to become."""
        exposures = self._book.exposures
        exposure = exposures.of(new.account_id, new.instrument_id)
        if amends is not None:
            own = working(amends)
            exposure = Exposure(
                exposure.position, exposure.buying - own.buying, exposure.selling - own.selling
            )
        account = self._policy.accounts.get(new.account_id)
        repeats = self._recent.count(new, now, account.duplicate_window) if account else 0
        return risk.Proposal(
            new,
            terms,
            self._instruments.get(new.instrument_id),
            self._policy,
            account,
            exposure,
            exposures.open_orders(new.account_id),
            repeats,
            now,
            *([amends.cum_qty] if amends else []),
        )

    def _refuse(self, new: NewOrder, reject: Reject, now: datetime) -> Answer:
        instrument = self._instruments.get(new.instrument_id)
        symbol = instrument.symbol if instrument else ""
        order = refused(self._new_id(), new, symbol, reject, now)
        change = Change(order, EventKind.RISK_REJECTED, reject=reject)
        order = self._ledger.enter(None, change, Cause(Initiator.RISK), now)
        self._decided(order, reject, now)
        return Answer(order)

    def _gateway(self, session_id: str, new: NewOrder) -> Gateway:
        gateway = self._gateways.get(session_id)
        if gateway is None:  # an order of a session that is not configured any more
            raise VenueUnavailable(session_id, None)
        missing = gateway.missing_capability(new)
        if missing is not None:
            raise CapabilityMissing(session_id, missing)
        if not gateway.available:
            raise VenueUnavailable(session_id, gateway.down_since)
        return gateway

    def _route(self, new: NewOrder, gateway: Gateway, cause: Cause, now: datetime) -> Answer:
        symbol = self._instruments[new.instrument_id].symbol
        created = pending_new(self._new_id(), new, symbol, now)
        cl_ord_id = self._cl_ord_ids.next(now)
        sent = created.routed(gateway.session_id, cl_ord_id, now)
        outbound = gateway.new_order(sent, now)
        order = self._ledger.enter(None, Change(created, EventKind.ACCEPTED), cause, now)
        self._decided(order, None, now)
        order = self._ledger.enter(order, Change(sent, EventKind.ROUTED), Cause(Initiator.SYSTEM), now)
        self._ledger.name(gateway.session_id, cl_ord_id, order.order_id, self._cl_ord_ids.last)
        self._ledger.send(outbound)
        self._recent.add(new, now)
        return Answer(order)

    def _decided(self, order: Order, reject: Reject | None, now: datetime, request_id: str = "") -> None:
        breaches = reject.breaches if reject else ()
        row = DecisionRow(order.order_id, request_id, now, reject is None, breaches, self._policy.version)
        self._ledger.decide(row)

    # Amend and cancel.

    def amend(
        self,
        ref: OrderRef,
        request_id: str,
        amendment: Amendment,
        cause: Cause,
        now: datetime,
        expected_version: int | None = None,
    ) -> RequestAnswer:
        order = self.find(ref)
        with self._pipeline.deciding():
            return self._amend(order, request_id, amendment, cause, now, expected_version)

    def _amend(
        self,
        order: Order,
        request_id: str,
        amendment: Amendment,
        cause: Cause,
        now: datetime,
        expected_version: int | None,
    ) -> RequestAnswer:
        repeated = self._repeated_request(request_id, order, amendment)
        if repeated is not None:
            return repeated
        if self.draining:
            raise Draining
        _expect(order, expected_version)
        if not order.live:
            raise OrderTerminal(order.order_id, order.state.value)
        if order.pending or Flag.IN_DOUBT in order.flags:
            raise ActionPending(
                order.order_id, "status inquiry" if not order.pending else order.pending_action.value
            )
        terms = amendment.applied_to(order.terms)
        if terms == order.terms:
            return self._answered(
                RequestRecord(request_id, order.order_id, now, amendment, RequestOutcome.NO_CHANGE), order
            )
        breaches = risk.check_amend(self._proposal(order.request, terms, now, order), order.terms)
        if breaches:
            return self._refuse_amend(order, request_id, amendment, Reject.by_risk(breaches), now)
        gateway = self._gateway(order.session_id, replace(order.request, terms=terms))
        return self._send_amend(order, gateway, request_id, amendment, cause, now)

    def _refuse_amend(
        self, order: Order, request_id: str, amendment: Amendment, reject: Reject, now: datetime
    ) -> RequestAnswer:
        change = Change(order.next(now), EventKind.AMEND_REJECTED, reject=reject)
        after = self._ledger.enter(order, change, Cause(Initiator.RISK, request_id=request_id), now)
        self._decided(after, reject, now, request_id)
        outcome = RequestOutcome.REJECTED
        return self._answered(
            RequestRecord(request_id, order.order_id, now, amendment, outcome, reject), after
        )

    def _send_amend(
        self,
        order: Order,
        gateway: Gateway,
        request_id: str,
        amendment: Amendment,
        cause: Cause,
        now: datetime,
    ) -> RequestAnswer:
        terms = amendment.applied_to(order.terms)
        request = self._numbered(Request(request_id, now, terms), order, now)
        outbound = gateway.replace_order(order, request, now)
        change = Change(order.requested(request, now), EventKind.AMEND_REQUESTED)
        after = self._ledger.enter(order, change, cause, now)
        self._decided(after, None, now, request_id)
        self._ledger.name(order.session_id, request.cl_ord_id, order.order_id, self._cl_ord_ids.last)
        self._ledger.send(outbound)
        record = RequestRecord(request_id, order.order_id, now, amendment, RequestOutcome.PENDING)
        return self._answered(record, after)

    def cancel(
        self,
        ref: OrderRef,
        request_id: str,
        cause: Cause,
        now: datetime,
        expected_version: int | None = None,
    ) -> RequestAnswer:
        """Never refused by risk. With the session down it waits, and goes out first when the session is up."""
        order = self.find(ref)
        with self._pipeline.deciding():
            repeated = self._repeated_request(request_id, order, None)
            if repeated is not None:
                return repeated
            _expect(order, expected_version)
            outcome = RequestOutcome.PENDING if order.live else RequestOutcome.ALREADY_TERMINAL
            if order.live and not any(request.is_cancel for request in order.pending):
                order = self._cancel(order, Request(request_id, now), cause, now)
            return self._answered(RequestRecord(request_id, order.order_id, now, None, outcome), order)

    def _cancel(self, order: Order, request: Request, cause: Cause, now: datetime) -> Order:
        gateway = self._gateways.get(order.session_id)
        outbound = None
        if gateway is not None and gateway.available:
            request = self._numbered(request, order, now)
            outbound = gateway.cancel_order(order, request, now)
        change = Change(order.requested(request, now), EventKind.CANCEL_REQUESTED)
        after = self._ledger.enter(order, change, cause, now)
        if outbound is not None:
            self._ledger.name(order.session_id, request.cl_ord_id, order.order_id, self._cl_ord_ids.last)
            self._ledger.send(outbound)
        return after

    def session_up(self, gateway: Gateway, now: datetime) -> None:
        """The session is active again: waiting cancels go out first, then the questions about orders in doubt."""
        live = list(self._book.live(gateway.session_id))
        for order in live:
            for waiting in [r for r in order.pending if r.is_cancel and not r.cl_ord_id]:
                self._send_waiting(order, waiting, gateway, now)
        for order in live:
            if Flag.IN_DOUBT in order.flags:
                self._ledger.send(gateway.request_status(order, now))

    def _send_waiting(self, order: Order, waiting: Request, gateway: Gateway, now: datetime) -> None:
        request = self._numbered(waiting, order, now)
        outbound = gateway.cancel_order(order, request, now)
        change = Change(order.sent(waiting, request, now), EventKind.CANCEL_REQUESTED)
        self._ledger.enter(order, change, Cause(Initiator.SYSTEM, request_id=request.request_id), now)
        self._ledger.name(order.session_id, request.cl_ord_id, order.order_id, self._cl_ord_ids.last)
        self._ledger.send(outbound)

    def _numbered(self, request: Request, order: Order, now: datetime) -> Request:
        return Request(
            request.request_id,
            request.request_time,
            request.terms,
            self._cl_ord_ids.next(now),
            order.last_sent_cl_ord_id,
        )

    def _repeated_request(
        self, request_id: str, order: Order, amendment: Amendment | None
    ) -> RequestAnswer | None:
        record = self._book.request(request_id)
        if record is None:
            return None
        if not record.repeats(order.order_id, amendment):
            raise RequestIdConflict(request_id, record.order_id)
        return self.standing(request_id, order, duplicate=True)

    def standing(self, request_id: str, order: Order, *, duplicate: bool) -> RequestAnswer:
        """How a request stands that was decided before, given its order as it is now."""
        record = self._book.request(request_id)
        assert record is not None  # noqa: S101 - decided before
        return RequestAnswer(order, _standing(record, order), record.reject, duplicate)

    def _answered(self, record: RequestRecord, order: Order) -> RequestAnswer:
        self._ledger.remember(record)
        return RequestAnswer(order, record.outcome, record.reject)


def _expect(order: Order, version: int | None) -> None:
    if version is not None and version != order.version:
        raise VersionMismatch(order.order_id, version, order.version)


def _standing(record: RequestRecord, order: Order) -> RequestOutcome:
    """A cancel that found another one under way has no record of its own end: it follows from the order."""
    if record.outcome is not RequestOutcome.PENDING:
        return record.outcome
    if order.live:
        refused = record.amendment is None and order.pending_action is not PendingAction.CANCEL
        return RequestOutcome.REJECTED if refused else record.outcome
    canceled = record.amendment is None and order.state is OrderState.CANCELED
    return RequestOutcome.DONE if canceled else RequestOutcome.ALREADY_TERMINAL
