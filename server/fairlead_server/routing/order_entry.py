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
from fairlead_server.domain.exposure import Assumed, Exposure, RecentOrders, working
from fairlead_server.domain.ids import ClOrdIds
from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.order import Flag, Order, OrderState, PendingAction, Request, pending_new, refused
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.terms import NewOrder, Terms
from fairlead_server.domain.venue_rules import ReplaceQuantity
from fairlead_server.routing.book import Book
from fairlead_server.routing.departures import Departures
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Gateway, NewId
from fairlead_server.routing.unanswered import Unanswered
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
        self.routes = rules
        self._gateways = gateways
        self._departures = Departures(book, ledger, cl_ord_ids, recent, self._examine_waiting)
        self._unanswered = Unanswered(book, ledger)
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
        found = self._examine(new, deadline, now)
        if isinstance(found, Reject):
            return self._refuse(new, found, now)
        return self._route(new, found, cause, deadline, now)

    def examine(
        self, new: NewOrder, deadline: datetime | None, now: datetime, assumed: Assumed
    ) -> Reject | None:
        """Why :meth:`submit` would refuse it if the orders of ``assumed`` were accepted; decides nothing."""
        known = self._book.by_client_order_id(new.account_id, new.client_order_id)
        if known is None:
            found = self._examine(new, deadline, now, assumed)
            return found if isinstance(found, Reject) else None
        order = self._repeated(known, new).order
        return order.reject if order.state is OrderState.REJECTED else None

    def turn_down(self, new: NewOrder, reject: Reject, now: datetime) -> Answer:
        """Refuse an order that :meth:`examine` would have refused."""
        known = self._book.by_client_order_id(new.account_id, new.client_order_id)
        with self._pipeline.deciding():
            return self._refuse(new, reject, now) if known is None else self._repeated(known, new)

    def _examine(
        self, new: NewOrder, deadline: datetime | None, now: datetime, assumed: Assumed | None = None
    ) -> Gateway | Reject:
        if self.draining:
            raise Draining
        if any(limit is not None and limit <= now for limit in (deadline, new.route_before)):
            raise NotRoutedInTime
        breaches = risk.check_new(self._proposal(new, new.terms, now, assumed=assumed))
        if breaches:
            return Reject.by_risk(breaches)
        route = routes.choose(self.routes, new)
        if route is None:
            return Reject(RejectSource.ROUTER, RejectReason.ROUTER_NO_ROUTE, "no route fits the order")
        return self._gateway(route.session_id, new)

    def _repeated(self, known: Order, new: NewOrder) -> Answer:
        differing = known.request.differing_fields(new)
        if differing:
            raise ClientOrderIdConflict(new.client_order_id, known.order_id, differing)
        return Answer(known, duplicate=True)

    def _proposal(
        self,
        new: NewOrder,
        terms: Terms,
        now: datetime,
        amends: Order | None = None,
        assumed: Assumed | None = None,
    ) -> risk.Proposal:
        """For an amend the order's own working quantity makes room for what it is to become."""
        exposures = assumed or self._book.exposures
        exposure = exposures.of(new.account_id, new.instrument_id)
        if amends is not None:
            own = working(amends)
            exposure = Exposure(
                exposure.position, exposure.buying - own.buying, exposure.selling - own.selling
            )
        account = self._policy.accounts.get(new.account_id)
        repeats = self._recent.count(new, now, account.duplicate_window) if account else 0
        if assumed is not None:
            repeats += assumed.like(new)
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

    def _route(
        self, new: NewOrder, gateway: Gateway, cause: Cause, deadline: datetime | None, now: datetime
    ) -> Answer:
        symbol, free = self._instruments[new.instrument_id].symbol, self._departures.free(gateway, now)
        created = pending_new(self._new_id(), new, symbol, now, "" if free else gateway.session_id)
        order = self._ledger.enter(None, Change(created, EventKind.ACCEPTED), cause, now)
        self._decided(order, None, now)
        self._recent.add(new, now)
        if free:
            return Answer(self._departures.send(order, gateway, now))
        return Answer(self._departures.hold(order, gateway, deadline, now))

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
        expect(order, expected_version)
        terms = amendment.applied_to(order.asked_terms)
        if not (order.live or self._may_reopen(order, terms)):
            raise OrderTerminal(order.order_id, order.state.value)
        if order.pending_action is PendingAction.CANCEL:
            raise ActionPending(order.order_id, order.pending_action.value)
        if Flag.IN_DOUBT in order.flags:
            raise ActionPending(order.order_id, "status inquiry")
        if terms == order.asked_terms and order.waiting_amend is None:
            return self._answered(
                RequestRecord(request_id, order.order_id, now, amendment, RequestOutcome.NO_CHANGE), order
            )
        reject = self._examine_amend(order, terms, now)
        if reject is not None:
            return self._refuse_amend(order, request_id, amendment, reject, now)
        gateway = self._gateway(order.session_id, replace(order.request, terms=terms))
        lacking = _lacking_for_amend(order, terms, gateway)
        if lacking is not None:
            raise CapabilityMissing(gateway.session_id, lacking)
        wanted = Request(request_id, now, terms)
        if order.held:
            return self._amend_held(order, wanted, amendment, cause, now)
        return self._send_amend(order, gateway, wanted, amendment, cause, now)

    def _may_reopen(self, order: Order, terms: Terms) -> bool:
        """Whether it is filled, and may be increased all the same."""
        gateway = self._gateways.get(order.session_id)
        allowed = gateway is not None and gateway.rules.replace_filled
        return allowed and order.filled and order.terminal is None and terms.quantity > order.cum_qty

    def _examine_amend(self, order: Order, terms: Terms, now: datetime) -> Reject | None:
        breaches = risk.check_amend(self._proposal(order.request, terms, now, order), order.asked_terms)
        return Reject.by_risk(breaches) if breaches else None

    def _examine_waiting(
        self, order: Order, terms: Terms, waiting: Request, gateway: Gateway, now: datetime
    ) -> Reject | None:
        """Whether an amend may be sent that has waited."""
        if not order.live or (order.filled and not gateway.rules.replace_filled):
            text = f"the order is {order.state.value}"
            return Reject(RejectSource.ROUTER, RejectReason.ROUTER_ORDER_TERMINAL, text)
        lacking = _lacking_for_amend(order, terms, gateway)
        if lacking is not None:
            text = f"the venue cannot do {lacking}"
            return Reject(RejectSource.ROUTER, RejectReason.ROUTER_ORDER_TERMINAL, text)
        return None if terms == waiting.terms else self._examine_amend(order, terms, now)

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

    def _amend_held(
        self, order: Order, wanted: Request, amendment: Amendment, cause: Cause, now: datetime
    ) -> RequestAnswer:
        """The venue has not heard of the order: the new terms are in force at once, and it keeps its turn."""
        assert wanted.terms is not None  # noqa: S101 - an amend has some
        change = Change(order.amended(wanted.terms, now), EventKind.AMENDED)
        after = self._ledger.enter(order, change, cause, now)
        self._decided(after, None, now, wanted.request_id)
        outcome = RequestOutcome.DONE
        return self._answered(
            RequestRecord(wanted.request_id, order.order_id, now, amendment, outcome), after
        )

    def _send_amend(
        self,
        order: Order,
        gateway: Gateway,
        wanted: Request,
        amendment: Amendment,
        cause: Cause,
        now: datetime,
    ) -> RequestAnswer:
        request_id = wanted.request_id
        # Remembered first: if it is to wait and may not, it ends within this very decision.
        outcome = RequestOutcome.PENDING
        self._ledger.remember(RequestRecord(request_id, order.order_id, now, amendment, outcome))
        after = self._departures.request(order, wanted, gateway, cause, now)
        self._decided(after, None, now, request_id)
        return self.standing(request_id, after, duplicate=False)

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
            expect(order, expected_version)
            wanted = Request(request_id, now, mass_cancel_id=cause.mass_cancel_id)
            order, outcome = self._cancel(order, wanted, cause, now)
            return self._answered(RequestRecord(request_id, order.order_id, now, None, outcome), order)

    def _cancel(
        self, order: Order, wanted: Request, cause: Cause, now: datetime
    ) -> tuple[Order, RequestOutcome]:
        if not order.live:
            return order, RequestOutcome.ALREADY_TERMINAL
        if order.held:
            return self._departures.withdraw(order, cause, now), RequestOutcome.DONE
        if not any(request.is_cancel for request in order.pending):
            gateway = self._gateways.get(order.session_id)
            order = self._departures.request(order, wanted, gateway, cause, now)
        return order, RequestOutcome.PENDING

    # The sessions: what waits for one of them, see :mod:`~fairlead_server.routing.departures`.

    def session_up(self, gateway: Gateway, now: datetime) -> None:
        """Part of a decision: the session is active again, and what has waited for that goes out."""
        self._departures.session_up(gateway, now)
        self._unanswered.session_up(gateway, now)

    def refused_mass_status(self, gateway: Gateway, now: datetime) -> None:
        """Part of a decision: the venue does not know that question."""
        self._unanswered.refused_mass_status(gateway, now)

    def session_down(self, gateway: Gateway, now: datetime) -> None:
        """The connection is gone, and what waited on it for its turn is refused, but for cancels."""
        self._unanswered.session_down(gateway.session_id)
        if not self._pipeline.broken:
            with self._pipeline.deciding():
                self._departures.session_down(gateway.session_id, now)

    def deadline(self, gateway: Gateway, now: datetime) -> datetime | None:
        """When :meth:`dispatch` next has something to do; it may come nearer with each ``gateway.wake()``."""
        turn, silence = self._departures.deadline(gateway, now), self._unanswered.deadline(gateway)
        return min((at for at in (turn, silence) if at is not None), default=None)

    def dispatch(self, gateway: Gateway, now: datetime) -> None:
        """Send what has its turn by now, refuse what has waited for too long, pursue what was not answered for too long."""
        due = self.deadline(gateway, now)
        if due is not None and due <= now and not self._pipeline.broken:
            with self._pipeline.deciding():
                self._departures.dispatch(gateway, now)
                self._unanswered.dispatch(gateway, now)

    def recover(self, now: datetime) -> None:
        """Call when memory has been rebuilt: what waited before is refused, for it was never sent."""
        with self._pipeline.deciding():
            self._departures.recover(now)

    def queued(self, session_id: str) -> int:
        """How many orders and requests wait for the session, or for their turn there."""
        return len(self._book.queue(session_id))

    def _repeated_request(
        self, request_id: str, order: Order, amendment: Amendment | None
    ) -> RequestAnswer | None:
        if self._book.mass_cancel(request_id) is not None:
            raise RequestIdConflict(request_id, "")
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


def _lacking_for_amend(order: Order, terms: Terms, gateway: Gateway) -> str | None:
    """Where it is told what is to be open, nothing can be: that is a cancel."""
    if order.held:
        return None
    if not gateway.rules.capabilities.amend:
        return "AMEND"
    working = gateway.rules.replace_quantity is ReplaceQuantity.WORKING
    return "AMEND_TO_FILLED_QUANTITY" if working and terms.quantity <= order.cum_qty else None


def expect(order: Order, version: int | None) -> None:
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
