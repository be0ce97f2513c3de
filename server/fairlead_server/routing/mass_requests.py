"""One OrderMassCancelRequest(q) for the cancels of many orders.

Each of them is pending on its order all the same, and names the q where it has no message of its own: so none is forgotten,
whatever dies, and what the venue reports of an order ends its cancel. The OrderMassCancelReport(r) tells no more than whether
the venue does it. Where it does not, where it says nothing for ``inflight_warn``, and where an order is still there so long
after it has said yes, each order that is left gets a cancel of its own. Time counts while the session is active, and
begins anew with each logon: a q that was lost is sent again, as any cancel.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.event import Change, EventKind
from fairlead_server.domain.execution import MassCancelReport
from fairlead_server.domain.ids import ClOrdIds
from fairlead_server.domain.mass_scope import MassScope, is_exact, scope_of
from fairlead_server.domain.order import Order, Request
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.ports import Gateway

_log = logging.getLogger(__name__)

Cancel = tuple[Order, Request]


class MassRequests:
    """Part of decisions; whoever owns it sends the single cancels, and calls :meth:`late` at :meth:`deadline`."""

    def __init__(self, book: Book, ledger: Ledger, cl_ord_ids: ClOrdIds) -> None:
        self._book = book
        self._ledger = ledger
        self._cl_ord_ids = cl_ord_ids
        self._due: defaultdict[str, dict[str, datetime]] = defaultdict(dict)  # by session, then ClOrdID(11)

    def by_scope(
        self, cancels: Sequence[Cancel], mass_cancel_id: str, gateway: Gateway
    ) -> list[tuple[MassScope | None, list[Cancel]]]:
        """The cancels of one mass cancel on one session: which of them one q can ask for; none: each for itself."""
        selection = self._book.selection(mass_cancel_id)
        if selection is None or not gateway.has_mass_cancel:
            return [(None, list(cancels))]
        groups: defaultdict[MassScope | None, list[Cancel]] = defaultdict(list)
        for order, wanted in cancels:
            groups[scope_of(selection, order)].append((order, wanted))
        live: defaultdict[str, list[Order]] = defaultdict(list)  # by symbol; all of them by none
        for order in self._book.live(gateway.session_id):
            live[""].append(order)
            if order.symbol:
                live[order.symbol].append(order)
        meant = {order.order_id for order, _ in cancels}
        return [
            (scope if scope and is_exact(scope, selection, meant, live[scope.symbol]) else None, group)
            for scope, group in groups.items()
        ]

    def together(self, order: Order, request: Request) -> list[Cancel]:
        """The cancels of the same mass cancel that wait on the same session, this one among them."""
        return [
            (each, waiting)
            for each in self._book.live(order.session_id)
            for waiting in each.pending
            if waiting.waits and waiting.is_cancel and waiting.mass_cancel_id == request.mass_cancel_id
        ]

    def send(
        self,
        scope: MassScope,
        cancels: Sequence[Cancel],
        gateway: Gateway,
        now: datetime,
        cause: Cause | None = None,
    ) -> None:
        """Those that have not been entered yet are entered now; ``cause`` is that of all, if they have one."""
        name = self._cl_ord_ids.next(now)
        outbound = gateway.mass_cancel(scope, name, now)
        for order, wanted in cancels:
            asked = replace(wanted, mass_cl_ord_id=name)
            waited = wanted in order.pending
            after = order.sent(wanted, asked, now) if waited else order.requested(asked, now)
            own = cause or Cause(Initiator.SYSTEM, request_id=wanted.request_id)
            self._ledger.enter(order, Change(after, EventKind.CANCEL_REQUESTED), own, now)
        self._ledger.count_cl_ord_ids(self._cl_ord_ids.last)
        self._ledger.send(outbound)
        self._due[gateway.session_id][name] = now + gateway.rules.inflight_warn
        self._ledger.then(gateway.wake)

    # What becomes of it. What is returned is to be cancelled order by order.

    def answered(self, report: MassCancelReport, gateway: Gateway, now: datetime) -> list[Cancel]:
        session_id, name = gateway.session_id, report.cl_ord_id
        cancels = self._open(session_id, {name})
        if not cancels:
            _log.info(
                "%s: a mass cancel report on %s, which nothing waits for", session_id, name or "nothing"
            )
            return []
        if report.accepted:
            _log.info("%s: mass cancel %s accepted, %d orders to go", session_id, name, len(cancels))
            self._due[session_id][name] = now + gateway.rules.inflight_warn
            self._ledger.then(gateway.wake)
            return []
        text = f"rejected: {report.text or 'no reason given'}"
        return self._given_up(session_id, {name}, cancels, text)

    def late(self, gateway: Gateway, now: datetime) -> list[Cancel]:
        session_id = gateway.session_id
        late = {name for name, due in self._due[session_id].items() if due <= now}
        cancels = self._open(session_id, late) if late else []
        return self._given_up(session_id, late, cancels, "not done in time")

    def deadline(self, gateway: Gateway) -> datetime | None:
        return min(self._due[gateway.session_id].values(), default=None) if gateway.available else None

    def session_up(self, gateway: Gateway, now: datetime) -> None:
        """Whatever is still to be done, the venue has been told, or is being told now."""
        live = self._book.live(gateway.session_id)
        named = {asked.mass_cl_ord_id for order in live if (asked := order.mass_canceled) is not None}
        self._due[gateway.session_id] = dict.fromkeys(named, now + gateway.rules.inflight_warn)

    def _open(self, session_id: str, names: set[str]) -> list[Cancel]:
        """The cancels of live orders that these ask for."""
        return [
            (order, asked)
            for order in self._book.live(session_id)
            if (asked := order.mass_canceled) is not None and asked.mass_cl_ord_id in names
        ]

    def _given_up(self, session_id: str, names: set[str], cancels: list[Cancel], text: str) -> list[Cancel]:
        for name in names:
            self._due[session_id].pop(name, None)
        if cancels:
            named = ", ".join(sorted(names))
            _log.warning(
                "%s: mass cancel %s %s; %d orders are cancelled one by one",
                session_id,
                named,
                text,
                len(cancels),
            )
        return cancels
