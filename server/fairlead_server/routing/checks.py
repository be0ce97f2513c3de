"""What an order or an amend has to pass before it is sent: the risk controls, and what its session and its venue can do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from fairlead_server.domain import risk
from fairlead_server.domain.errors import CapabilityMissing, VenueUnavailable
from fairlead_server.domain.exposure import Assumed, Exposure, RecentOrders, working
from fairlead_server.domain.order import ZERO, Order, Request
from fairlead_server.domain.reject import Breach, Reject, RejectReason, RejectSource
from fairlead_server.domain.terms import NewOrder, Terms
from fairlead_server.domain.venue_rules import ReplaceQuantity
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.ports import Gateway
from fairlead_server.routing.reference import Reference
from fairlead_server.store.batch import DecisionRow


class Checks:
    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        policy: risk.Policy,
        reference: Reference,
        gateways: Mapping[str, Gateway],
        recent: RecentOrders,
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._policy = policy
        self._reference = reference
        self._gateways = gateways
        self._recent = recent

    def new(self, new: NewOrder, now: datetime, assumed: Assumed | None) -> tuple[Breach, ...]:
        """As if the orders of ``assumed`` were accepted."""
        return risk.check_new(self._proposal(new, new.terms, now, assumed=assumed))

    def amend(self, order: Order, terms: Terms, now: datetime) -> Reject | None:
        breaches = risk.check_amend(self._proposal(order.request, terms, now, order), order.asked_terms)
        return Reject.by_risk(breaches) if breaches else None

    def may_reopen(self, order: Order, terms: Terms) -> bool:
        """Whether it is filled, and may be increased all the same."""
        gateway = self._gateways.get(order.session_id)
        allowed = gateway is not None and gateway.rules.replace_filled
        return allowed and order.filled and order.terminal is None and terms.quantity > order.cum_qty

    def waiting_amend(
        self, order: Order, terms: Terms, waiting: Request, gateway: Gateway, now: datetime
    ) -> Reject | None:
        """Whether an amend may be sent that has waited."""
        if not order.live or (order.filled and not gateway.rules.replace_filled):
            text = f"the order is {order.state.value}"
            return Reject(RejectSource.ROUTER, RejectReason.ROUTER_ORDER_TERMINAL, text)
        lacking = lacking_for_amend(order, terms, gateway)
        if lacking is not None:
            text = f"the venue cannot do {lacking}"
            return Reject(RejectSource.ROUTER, RejectReason.ROUTER_ORDER_TERMINAL, text)
        return None if terms == waiting.terms else self.amend(order, terms, now)

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
            self._reference.get(new.instrument_id),
            self._policy,
            account,
            exposure,
            exposures.open_orders(new.account_id),
            repeats,
            now,
            amends.cum_qty if amends else ZERO,
            self._book.overfilled(new.account_id, new.instrument_id),
        )

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

    def decided(self, order: Order, reject: Reject | None, now: datetime, request_id: str = "") -> None:
        """Record that an order, or the amend of that ``request_id``, has passed the risk controls, or why not."""
        breaches = reject.breaches if reject else ()
        row = DecisionRow(order.order_id, request_id, now, reject is None, breaches, self._policy.version)
        self._ledger.decide(row)


def lacking_for_amend(order: Order, terms: Terms, gateway: Gateway) -> str | None:
    """Where it is told what is to be open, nothing can be: that is a cancel."""
    if order.held:
        return None
    if not gateway.rules.capabilities.amend:
        return "AMEND"
    working = gateway.rules.replace_quantity is ReplaceQuantity.WORKING
    return "AMEND_TO_FILLED_QUANTITY" if working and terms.quantity <= order.cum_qty else None
