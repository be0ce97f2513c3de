"""What clients ask for: submit, amend, cancel. Each is one synchronous decision.

A key that was used before is answered, never refused: the same request gets its order again, another one under the same
key is a conflict. What depends on the state of the world (an unknown instrument, a limit) makes a stored order in state
REJECTED; an exception means that nothing was created.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from fairlead_server.domain import routes
from fairlead_server.domain.amendments import Amendment, RequestOutcome, RequestRecord
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import ClientOrderIdConflict, Draining, NotRoutedInTime, UnknownOrder
from fairlead_server.domain.event import Change, EventKind
from fairlead_server.domain.execution import MassCancelReport
from fairlead_server.domain.exposure import Assumed, RecentOrders
from fairlead_server.domain.ids import ClOrdIds
from fairlead_server.domain.order import Order, OrderState, Request, pending_new, refused
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.risk import Examination, Policy
from fairlead_server.domain.terms import NewOrder
from fairlead_server.routing.amending import Amending
from fairlead_server.routing.book import Book
from fairlead_server.routing.checks import Checks
from fairlead_server.routing.departures import Departures
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.limits import RiskLimits
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Gateway, NewId
from fairlead_server.routing.reference import Reference
from fairlead_server.routing.requests import RequestAnswer, Requests, expect
from fairlead_server.routing.unanswered import Unanswered, free


class OrderRef(Struct, frozen=True):
    """Names an order: by our ``order_id``, or by the account's ``client_order_id``."""

    order_id: str = ""
    account_id: str = ""
    client_order_id: str = ""

    def __str__(self) -> str:
        return self.order_id or f"{self.account_id}/{self.client_order_id}"


class Answer(Struct, frozen=True):
    """The order as it stood when the request was decided; durable once the pipeline says so."""

    order: Order
    duplicate: bool = False


class OrderEntry:
    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        pipeline: Pipeline,
        policy: Policy,
        limits: RiskLimits,
        reference: Reference,
        rules: Sequence[routes.Route],
        gateways: Mapping[str, Gateway],
        cl_ord_ids: ClOrdIds,
        recent: RecentOrders,
        new_id: NewId,
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._reference = reference
        self.routes = rules
        self._gateways = gateways
        self._requests = Requests(book, ledger)
        self.checks = Checks(book, ledger, policy, limits, reference, gateways, recent)
        self._departures = Departures(book, ledger, cl_ord_ids, recent, self.checks)
        self._amending = Amending(ledger, self.checks, self._departures, self._requests)
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
        with self._pipeline.deciding(_origin(new)):
            return self._submit(new, cause, deadline, now) if known is None else self._repeated(known, new)

    def _submit(self, new: NewOrder, cause: Cause, deadline: datetime | None, now: datetime) -> Answer:
        found, examined = self._examine(new, deadline, now)
        if isinstance(found, Reject):
            return self._refuse(new, found, examined, now)
        return self._route(new, found, examined, cause, deadline, now)

    def examine(
        self, new: NewOrder, deadline: datetime | None, now: datetime, assumed: Assumed
    ) -> Reject | None:
        """Why :meth:`submit` would refuse it if the orders of ``assumed`` were accepted; decides nothing."""
        known = self._book.by_client_order_id(new.account_id, new.client_order_id)
        if known is None:
            found, _ = self._examine(new, deadline, now, assumed)
            return found if isinstance(found, Reject) else None
        order = self._repeated(known, new).order
        return order.reject if order.state is OrderState.REJECTED else None

    def turn_down(self, new: NewOrder, reject: Reject, now: datetime) -> Answer:
        """Refuse an order that :meth:`examine` would have refused."""
        known = self._book.by_client_order_id(new.account_id, new.client_order_id)
        with self._pipeline.deciding(_origin(new)):
            if known is not None:
                return self._repeated(known, new)
            return self._refuse(new, reject, Examination(reject.breaches), now)

    def _examine(
        self, new: NewOrder, deadline: datetime | None, now: datetime, assumed: Assumed | None = None
    ) -> tuple[Gateway | Reject, Examination]:
        if self.draining:
            raise Draining
        if any(limit is not None and limit <= now for limit in (deadline, new.route_before)):
            raise NotRoutedInTime
        session_id = self.session_for(new)
        examined = self.checks.new(new, session_id, now, assumed)
        if examined.breaches:
            return Reject.by_risk(examined.breaches), examined
        if not session_id:
            no_route = Reject(RejectSource.ROUTER, RejectReason.ROUTER_NO_ROUTE, "no route fits the order")
            return no_route, examined
        return self.checks.gateway(session_id, new), examined

    def session_for(self, new: NewOrder) -> str:
        """Where it would go; empty where no route fits."""
        route = routes.choose(self.routes, new)
        return route.session_id if route is not None else ""

    def _repeated(self, known: Order, new: NewOrder) -> Answer:
        differing = known.request.differing_fields(new)
        if differing:
            raise ClientOrderIdConflict(new.client_order_id, known.order_id, differing)
        return Answer(known, duplicate=True)

    def _refuse(self, new: NewOrder, reject: Reject, examined: Examination, now: datetime) -> Answer:
        instrument = self._reference.get(new.instrument_id)
        symbol = instrument.symbol if instrument else ""
        order = refused(self._new_id(now), new, symbol, reject, now)
        change = Change(order, EventKind.RISK_REJECTED, reject=reject)
        order = self._ledger.enter(None, change, Cause(Initiator.RISK), now)
        self.checks.decided(order, examined, now, sent=False)
        if any(breach.reason is RejectReason.RISK_SELF_TRADE for breach in reject.breaches):
            self._cancel_crossing(order, now)
        return Answer(order)

    def _cancel_crossing(self, refused: Order, now: datetime) -> None:
        """The orders that it could have traded with, where a limit wants both gone."""
        cause = Cause(Initiator.RISK)
        for other in self.checks.crossing(refused.request, self.session_for(refused.request)):
            wanted = Request(f"self-trade-{refused.order_id}", now)
            self._cancel(other, wanted, cause, now)

    def _route(
        self,
        new: NewOrder,
        gateway: Gateway,
        examined: Examination,
        cause: Cause,
        deadline: datetime | None,
        now: datetime,
    ) -> Answer:
        symbol, at_once = self._symbol(new), free(self._book, gateway, now)
        created = pending_new(self._new_id(now), new, symbol, now, "" if at_once else gateway.session_id)
        order = self._ledger.enter(None, Change(created, EventKind.ACCEPTED), cause, now)
        self.checks.decided(order, examined, now)
        self._recent.add(new, now)
        if at_once:
            return Answer(self._departures.send(order, gateway, now))
        return Answer(self._departures.hold(order, gateway, deadline, now))

    def _symbol(self, new: NewOrder) -> str:
        instrument = self._reference.get(new.instrument_id)
        return instrument.symbol if instrument else ""

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
        with self._pipeline.deciding(f"request {request_id}"):
            repeated = self._requests.repeated(request_id, order, amendment)
            if repeated is not None:
                return repeated
            if self.draining:
                raise Draining
            return self._amending.amend(order, request_id, amendment, cause, now, expected_version)

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
        with self._pipeline.deciding(f"request {request_id}"):
            repeated = self._requests.repeated(request_id, order, None)
            if repeated is not None:
                return repeated
            expect(order, expected_version)
            wanted = Request(request_id, now, mass_cancel_id=cause.mass_cancel_id)
            order, outcome = self._cancel(order, wanted, cause, now)
            return self._requests.answered(
                RequestRecord(request_id, order.order_id, now, None, outcome), order
            )

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

    def takes_together(self, session_id: str, request_id: str) -> bool:
        """Whether one message may ask for many cancels there, those of a mass cancel that is known by its ``request_id``."""
        gateway = self._gateways.get(session_id)
        fits = not self._pipeline.convicted(_together(session_id, request_id))  # else each is tried by itself
        return fits and gateway is not None and gateway.has_mass_cancel

    def cancel_together(
        self, cancels: Sequence[tuple[Order, Request]], mass_cancel_id: str, cause: Cause, now: datetime
    ) -> None:
        """The cancels of one mass cancel on one session, of live orders that were sent and that no other is pending for."""
        session_id = cancels[0][0].session_id
        with self._pipeline.deciding(_together(session_id, cause.request_id)):
            for order, wanted in cancels:
                outcome = RequestOutcome.PENDING
                self._ledger.remember(RequestRecord(wanted.request_id, order.order_id, now, None, outcome))
            gateway = self._gateways[session_id]
            self._departures.request_together(cancels, mass_cancel_id, gateway, cause, now)

    def mass_cancel_answered(self, report: MassCancelReport, gateway: Gateway, now: datetime) -> None:
        """Part of a decision: the venue has said whether it does what one message has asked for."""
        self._departures.mass_cancel_answered(report, gateway, now)

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

    def standing(self, request_id: str, order: Order, *, duplicate: bool) -> RequestAnswer:
        """How a request stands that was decided before, given its order as it is now."""
        return self._requests.standing(request_id, order, duplicate=duplicate)


def _origin(new: NewOrder) -> str:
    return f"order {new.account_id}/{new.client_order_id}"


def _together(session_id: str, request_id: str) -> str:
    return f"request {request_id} on {session_id}"
