"""What an order or an amend has to pass before it is sent: the risk controls, and what its session and its venue can do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from fairlead_server.domain import risk
from fairlead_server.domain.errors import CapabilityMissing, VenueUnavailable
from fairlead_server.domain.exposure import NOTHING, Assumed, RecentOrders, Working, scope_of, working
from fairlead_server.domain.order import Order, Request
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.risk import Examination, Mode, Policy
from fairlead_server.domain.risk.events import RiskEventKind
from fairlead_server.domain.risk.market import CANCEL_BOTH, could_trade
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import NewOrder, Terms
from fairlead_server.domain.venue_rules import ReplaceQuantity
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.limits import RiskLimits
from fairlead_server.routing.ports import Gateway
from fairlead_server.routing.reference import Reference
from fairlead_server.routing.surroundings import Surroundings
from fairlead_server.store.batch import DecisionRow


class Checks:
    """``limits`` may change while the router runs; what was decided before stays as it was decided."""

    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        policy: Policy,
        limits: RiskLimits,
        reference: Reference,
        gateways: Mapping[str, Gateway],
        recent: RecentOrders,
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._policy = policy
        self._limits = limits
        self._reference = reference
        self._gateways = gateways
        self._recent = recent
        self._around = Surroundings(book, reference, limits)

    def new(self, new: NewOrder, session_id: str, now: datetime, assumed: Assumed | None) -> Examination:
        """As if the orders of ``assumed`` were accepted; ``session_id`` is empty where no route fits."""
        return risk.examine_new(self.proposal(new, session_id, now, assumed))

    def amend(self, order: Order, terms: Terms, now: datetime) -> Examination:
        return risk.examine_amend(self._changing(order, terms, now), order.asked_terms)

    def waiting_new(self, order: Order, now: datetime) -> Reject | None:
        """Its limits were checked when it was entered, and it has counted since; what nobody could foresee is asked again."""
        breaches = risk.examine_waiting(self._amending(order, order.terms, now)).breaches
        return Reject.by_risk(breaches) if breaches else None

    def may_reopen(self, order: Order, terms: Terms) -> bool:
        """Whether it is filled, and may be increased all the same."""
        gateway = self._gateways.get(order.session_id)
        allowed = gateway is not None and gateway.rules.replace_filled
        return allowed and order.filled and order.terminal is None and terms.quantity > order.cum_qty

    def waiting_amend(
        self, order: Order, terms: Terms, waiting: Request, gateway: Gateway, now: datetime
    ) -> Reject | None:
        """Whether an amend may be sent that has waited. Its limits were checked when it was asked for, if it means the same still."""
        if not order.live or (order.filled and not gateway.rules.replace_filled):
            text = f"the order is {order.state.value}"
            return Reject(RejectSource.ROUTER, RejectReason.ROUTER_ORDER_TERMINAL, text)
        lacking = lacking_for_amend(order, terms, gateway)
        if lacking is not None:
            text = f"the venue cannot do {lacking}"
            return Reject(RejectSource.ROUTER, RejectReason.ROUTER_ORDER_TERMINAL, text)
        if terms == waiting.terms:
            proposal = self._changing(order, terms, now)
            breaches = risk.examine_waiting_amend(proposal, order.asked_terms).breaches
        else:
            breaches = self.amend(order, terms, now).breaches
        return Reject.by_risk(breaches) if breaches else None

    def proposal(
        self, new: NewOrder, session_id: str, now: datetime, assumed: Assumed | None = None
    ) -> risk.Proposal:
        scope = scope_of(new, session_id)
        standing = self._standing(NOTHING, assumed)
        return self._proposal(new, new.terms, scope, standing, now)

    def _changing(self, order: Order, terms: Terms, now: datetime) -> risk.Proposal:
        proposal = self._amending(order, terms, now)
        if order.request.flattens is not None:  # as it was submitted it passes, and no other way
            proposal = replace(proposal, halt=self._book.halts.over(proposal.scope))
        return proposal

    def _amending(self, order: Order, terms: Terms, now: datetime) -> risk.Proposal:
        """The order's own working quantity makes room for what it is to become."""
        scope = scope_of(order.request, order.session_id)
        proposal = self._proposal(order.request, terms, scope, self._standing(working(order), None), now)
        return replace(proposal, filled=order.cum_qty, amends=max(len(order.cl_ord_ids) - 1, 0))

    def _standing(self, own: Working, assumed: Assumed | None) -> risk.Standing:
        return risk.Standing(
            self._book.exposures,
            self._recent,
            self._limits.rates,
            self._around,
            own,
            assumed,
        )

    def _proposal(
        self, new: NewOrder, terms: Terms, scope: Scope, standing: risk.Standing, now: datetime
    ) -> risk.Proposal:
        return risk.Proposal(
            new,
            terms,
            scope,
            self._reference.get(new.instrument_id),
            self._policy,
            self._policy.accounts.get(new.account_id),
            self._limits.binding(scope),
            standing,
            now,
            overfilled=self._book.overfilled(new.account_id, new.instrument_id),
            halt=self._book.halts.over(scope, new.flattens) if self._book.halts else None,
            closed=self._closed(scope),
        )

    def _closed(self, scope: Scope) -> Scope | None:
        """The live gate that is closed for it."""
        account = self._policy.accounts.get(scope.account_id)
        if account is not None and account.live_gate:
            gate = Scope(scope.account_id)
            if not self._book.live_gates.live(gate):
                return gate
        gateway = self._gateways.get(scope.session_id)
        if gateway is not None and gateway.rules.live_gate:
            gate = Scope(session_id=scope.session_id)
            if not self._book.live_gates.live(gate):
                return gate
        return None

    def gateway(self, session_id: str, new: NewOrder) -> Gateway:
        """The session, where it is up and can say what is asked for."""
        gateway = self._gateways.get(session_id)
        if gateway is None:  # an order of a session that is not configured any more
            raise VenueUnavailable(session_id, None)
        missing = gateway.missing_capability(new)
        if missing is not None:
            raise CapabilityMissing(session_id, missing)
        if not gateway.available:
            raise VenueUnavailable(session_id, gateway.down_since)
        return gateway

    def crossing(self, new: NewOrder, session_id: str) -> list[Order]:
        """Orders that a limit says are to be cancelled, for ``new`` could trade with them."""
        scopes = [
            bound.scope
            for bound in self._limits.binding(scope_of(new, session_id)).words.get("self_trade", ())
            if bound.mode is Mode.ENFORCE and CANCEL_BOTH in bound.words
        ]
        return [
            order
            for order in self._book.resting(new.instrument_id, -new.side.sign)
            if could_trade(new, new.terms, order.request, order.asked)
            and any(scope.holds(scope_of(order.request, order.session_id)) for scope in scopes)
        ]

    def decided(
        self, order: Order, examined: Examination, now: datetime, request_id: str = "", *, sent: bool = True
    ) -> None:
        """Record what the risk controls have said of an order, or of the amend of that ``request_id``; what is ``sent`` counts."""
        allowed = not examined.breaches
        row = DecisionRow(
            order.order_id,
            request_id,
            now,
            allowed,
            examined.breaches,
            self._limits.version,
            examined.noted,
            examined.measures,
        )
        self._ledger.decide(row)
        scope = scope_of(order.request, order.session_id)
        if examined.breaches or examined.noted:
            self._tell(order, scope, examined, now, request_id)
        if allowed and sent:
            self._limits.count(scope, now)

    def _tell(
        self, order: Order, scope: Scope, examined: Examination, now: datetime, request_id: str
    ) -> None:
        noted = examined.noted
        told = {
            RiskEventKind.REFUSED: examined.breaches,
            RiskEventKind.WARNED: tuple(each.breach for each in noted if each.mode is Mode.WARN),
            RiskEventKind.SHADOWED: tuple(each.breach for each in noted if each.mode is Mode.SHADOW),
        }
        for kind, breaches in told.items():
            if breaches:
                self._ledger.risk_event(
                    kind,
                    scope,
                    now,
                    order_id=order.order_id,
                    request_id=request_id,
                    breaches=breaches,
                    policy_version=self._limits.version,
                )


def lacking_for_amend(order: Order, terms: Terms, gateway: Gateway) -> str | None:
    """Where it is told what is to be open, nothing can be: that is a cancel."""
    if order.held:
        return None
    if not gateway.rules.capabilities.amend:
        return "AMEND"
    working = gateway.rules.replace_quantity is ReplaceQuantity.WORKING
    return "AMEND_TO_FILLED_QUANTITY" if working and terms.quantity <= order.cum_qty else None
