"""What leaves for a venue: at once, or in its turn where the session sends only so many messages a second.

While there is a token and nothing waits, a message is made in the decision that asks for it. Otherwise the order, or the
request, is entered without a ClOrdID(11), and :meth:`Departures.dispatch` makes the message when its turn has come: a
MsgSeqNum(34) and a ClOrdID(11) are only ever given to what is sent in the same transaction. So what has none was certainly
never sent, whatever happened since, and can be refused, changed or taken back without asking anybody.

What adds risk waits until its deadline at most, and no longer than the connection lasts; cancels wait for as long as
it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.event import Change, EventKind
from fairlead_server.domain.execution import MassCancelReport
from fairlead_server.domain.exposure import RecentOrders
from fairlead_server.domain.ids import ClOrdIds
from fairlead_server.domain.order import Flag, Order, Request
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.terms import Terms
from fairlead_server.domain.venue_rules import ChainMode
from fairlead_server.routing.book import Book
from fairlead_server.routing.chains import behind_another, refuse_amend, turn_of
from fairlead_server.routing.checks import Checks
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.mass_requests import Cancel, MassRequests
from fairlead_server.routing.ports import Gateway, Outbound
from fairlead_server.routing.queue import Turn, Waiting, cancel_waiting
from fairlead_server.routing.unanswered import free

_SYSTEM = Cause(Initiator.SYSTEM)
_THROTTLED = RejectReason.ROUTER_SESSION_THROTTLED
_TEXT = {
    _THROTTLED: "its turn on the session did not come in time; it was not sent",
    RejectReason.ROUTER_EXPIRED_BEFORE_ROUTE: "the time to route it by has passed; it was not sent",
}


class Departures:
    """What has waited is checked once more before it is sent."""

    def __init__(
        self, book: Book, ledger: Ledger, cl_ord_ids: ClOrdIds, recent: RecentOrders, checks: Checks
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._cl_ord_ids = cl_ord_ids
        self._recent = recent
        self._checks = checks
        self._mass = MassRequests(book, ledger, cl_ord_ids)

    # What is sent.

    def send(self, order: Order, gateway: Gateway, now: datetime) -> Order:
        """Send a new order, which has been entered."""
        sent = order.routed(gateway.session_id, self._cl_ord_ids.next(now), now)
        outbound = gateway.new_order(sent, now)
        after = self._ledger.enter(order, Change(sent, EventKind.ROUTED), _SYSTEM, now)
        self._named(after, gateway, sent.cl_ord_id, outbound, now)
        return after

    def _send_request(
        self,
        order: Order,
        wanted: Request,
        gateway: Gateway,
        cause: Cause,
        now: datetime,
        terms: Terms | None = None,
    ) -> Order:
        """An amend or a cancel: one that is asked for now, or one that has waited and is to ``terms`` by now."""
        accepted = gateway.rules.chain_mode is ChainMode.ACCEPTED
        orig = order.cl_ord_id if accepted else order.last_sent_cl_ord_id
        terms = terms or wanted.terms
        request = replace(
            wanted,
            terms=terms,
            cl_ord_id=self._cl_ord_ids.next(now),
            orig_cl_ord_id=orig,
            mass_cl_ord_id="",
        )
        message = gateway.cancel_order if request.is_cancel else gateway.replace_order
        outbound = message(order, request, now)
        waited = wanted in order.pending
        sent = order.sent(wanted, request, now) if waited else order.requested(request, now)
        after = self._ledger.enter(order, Change(sent, _asked(request)), cause, now)
        self._named(after, gateway, request.cl_ord_id, outbound, now)
        return after

    def _named(
        self, order: Order, gateway: Gateway, cl_ord_id: str, outbound: Outbound, now: datetime
    ) -> None:
        """Send a message under a ClOrdID(11) that was just made; the counter behind it is stored with it."""
        self._ledger.name(outbound.session_id, cl_ord_id, order.order_id, self._cl_ord_ids.last)
        self._ledger.send(outbound)
        self._book.in_flight(gateway.session_id).begin(order.order_id, order.unanswered, gateway.rules, now)

    # What may have to wait. Each returns the order as it stands then, for its turn may have come at once.

    def hold(self, order: Order, gateway: Gateway, deadline: datetime | None, now: datetime) -> Order:
        """Let a new order wait, which has been entered; ``deadline`` is its caller's."""
        patience = now + gateway.max_queue
        until = min(each for each in (patience, deadline, order.request.route_before) if each is not None)
        reason = _THROTTLED if until == patience else RejectReason.ROUTER_EXPIRED_BEFORE_ROUTE
        return self._wait(Waiting(Turn.NEW, order.order_id, "", until, reason), gateway, now)

    def request(
        self, order: Order, wanted: Request, gateway: Gateway | None, cause: Cause, now: datetime
    ) -> Order:
        """Enter an amend or a cancel, and send it if it need not wait.

        Either takes the place of an amend that still waits. A cancel may be of a session that is not configured any
        more, and has no gateway.
        """
        order = self._supersede(order, wanted, now)
        if gateway is not None and not wanted.is_cancel and behind_another(order, gateway):
            return self._ledger.enter(order, Change(order.requested(wanted, now), _asked(wanted)), cause, now)
        if gateway is not None and gateway.available and free(self._book, gateway, now):
            return self._send_request(order, wanted, gateway, cause, now)
        order = self._ledger.enter(order, Change(order.requested(wanted, now), _asked(wanted)), cause, now)
        until = None if wanted.is_cancel or gateway is None else now + gateway.max_queue
        waiting = Waiting(turn_of(order, wanted), order.order_id, wanted.request_id, until)
        if gateway is not None:
            return self._wait(waiting, gateway, now)
        self._book.queue(order.session_id).put(waiting)
        return order

    def request_together(
        self, cancels: Sequence[Cancel], mass_cancel_id: str, gateway: Gateway, cause: Cause, now: datetime
    ) -> None:
        """Enter the cancels of one mass cancel on one session, and send what need not wait, in as few messages as will do."""
        cancels = [(self._supersede(order, wanted, now), wanted) for order, wanted in cancels]
        for scope, group in self._mass.by_scope(cancels, mass_cancel_id, gateway):
            if scope is None:
                for order, wanted in group:
                    self.request(order, wanted, gateway, cause, now)
            elif gateway.available and free(self._book, gateway, now):
                self._mass.send(scope, group, gateway, now, cause)
            else:
                for order, wanted in group:
                    waits = Change(order.requested(wanted, now), EventKind.CANCEL_REQUESTED)
                    self._ledger.enter(order, waits, cause, now)
                    self._book.queue(gateway.session_id).put(cancel_waiting(order.order_id, wanted))
        self.dispatch(gateway, now)
        self._ledger.then(gateway.wake)

    def mass_cancel_answered(self, report: MassCancelReport, gateway: Gateway, now: datetime) -> None:
        """The venue does what an OrderMassCancelRequest(q) asks for, or does not."""
        self._cancel_singly(self._mass.answered(report, gateway, now), gateway, now)

    def _cancel_singly(self, cancels: Sequence[Cancel], gateway: Gateway, now: datetime) -> None:
        """What an OrderMassCancelRequest(q) has asked for is asked for once more, for each order by itself."""
        for order, asked in cancels:
            self._book.queue(gateway.session_id).put(Waiting(Turn.CANCEL, order.order_id, asked.request_id))
        if cancels:
            self.dispatch(gateway, now)
            self._ledger.then(gateway.wake)

    def _wait(self, waiting: Waiting, gateway: Gateway, now: datetime) -> Order:
        self._book.queue(gateway.session_id).put(waiting)
        self.dispatch(gateway, now)
        self._ledger.then(gateway.wake)
        return self._named_by(waiting)

    def _supersede(self, order: Order, wanted: Request, now: datetime) -> Order:
        request = order.waiting_amend
        if request is None:
            return order
        for turn in (Turn.REDUCE, Turn.AMEND):
            self._book.queue(order.session_id).drop(turn, order.order_id, request.request_id)
        text = f"{'a cancel' if wanted.is_cancel else 'another amend'} took its place before it was sent"
        reject = Reject(RejectSource.ROUTER, RejectReason.ROUTER_AMEND_SUPERSEDED, text)
        return refuse_amend(self._ledger, order, request, reject, now)

    def withdraw(self, order: Order, cause: Cause, now: datetime) -> Order:
        """Cancel a held order: nobody outside has heard of it."""
        self._book.queue(order.session_id).drop(Turn.NEW, order.order_id)
        self._recent.remove(order.request, order.create_time)
        return self._ledger.enter(order, Change(order.withdrawn(now), EventKind.CANCELED), cause, now)

    # Time.

    def deadline(self, gateway: Gateway, now: datetime) -> datetime | None:
        """When :meth:`dispatch` next has something to do."""
        queue = self._book.queue(gateway.session_id)
        turn = now + gateway.wait(now, cancel=queue.cancel_is_next) if queue and gateway.available else None
        all_of_them = turn, queue.deadline(), self._mass.deadline(gateway)
        return min((at for at in all_of_them if at is not None), default=None)

    def dispatch(self, gateway: Gateway, now: datetime) -> None:
        """Part of a decision: refuse what is late, and send what has its turn."""
        queue = self._book.queue(gateway.session_id)
        for waiting in queue.late(now):
            reject = Reject(RejectSource.ROUTER, waiting.reason, _TEXT[waiting.reason])
            self._refuse(waiting, reject, now)
        if gateway.available:
            self._cancel_singly(self._mass.late(gateway, now), gateway, now)
        while queue and gateway.available and not gateway.wait(now, cancel=queue.cancel_is_next):
            self._leave(queue.pop(), gateway, now)

    def _leave(self, waiting: Waiting, gateway: Gateway, now: datetime) -> None:
        """Unless it has become pointless while it waited."""
        if not waiting.order_id:
            self._ledger.send(gateway.request_mass_status(now))
            return
        order = self._named_by(waiting)
        if waiting.turn is Turn.NEW:
            self._leave_new(waiting, order, gateway, now)
        elif waiting.turn is Turn.INQUIRY:
            if self._book.matters(order):
                self._ledger.send(gateway.request_status(order, now))
        elif waiting.turn is Turn.ASKED:
            self._ledger.send(gateway.request_status(order, now))
        elif (request := order.find_waiting(waiting.request_id)) is not None:
            cause = Cause(Initiator.SYSTEM, request_id=request.request_id)
            if waiting.turn is Turn.MASS_CANCEL:
                self._leave_together(order, request, gateway, now)
            elif not request.is_cancel:
                self._leave_amend(order, request, gateway, cause, now)
            elif order.live:
                self._send_request(order, request, gateway, cause, now)

    def _leave_new(self, waiting: Waiting, order: Order, gateway: Gateway, now: datetime) -> None:
        reject = self._checks.waiting_new(order, now)
        if reject is None:
            self.send(order, gateway, now)
        else:
            self._refuse(waiting, reject, now)

    def _leave_together(self, order: Order, request: Request, gateway: Gateway, now: datetime) -> None:
        """As many of a mass cancel as one message can ask for; those that none can go singly, each in its turn."""
        queue = self._book.queue(gateway.session_id)
        cancels = self._mass.together(order, request)
        for scope, group in self._mass.by_scope(cancels, request.mass_cancel_id, gateway):
            if scope is not None and (order, request) not in group:
                continue  # has a turn of its own
            for each, waits in group:
                queue.drop(Turn.MASS_CANCEL, each.order_id, waits.request_id)
                queue.drop(Turn.CANCEL, each.order_id, waits.request_id)
                if scope is None:
                    queue.put(Waiting(Turn.CANCEL, each.order_id, waits.request_id))
            if scope is not None:
                self._mass.send(scope, group, gateway, now)

    def _leave_amend(
        self, order: Order, request: Request, gateway: Gateway, cause: Cause, now: datetime
    ) -> None:
        """It changes the order as it is by now, which need not be as it was when the amend was asked for."""
        record = self._book.request(request.request_id)
        assert record is not None  # noqa: S101 - remembered when it was asked for
        assert record.amendment is not None  # noqa: S101 - it is one
        terms = record.amendment.applied_to(order.asked_terms)
        reject = self._checks.waiting_amend(order, terms, request, gateway, now)
        if reject is None:
            self._send_request(order, request, gateway, cause, now, terms)
        else:
            refuse_amend(self._ledger, order, request, reject, now)

    def _named_by(self, waiting: Waiting) -> Order:
        order = self._book.order(waiting.order_id)
        assert order is not None  # noqa: S101 - it was there when it began to wait
        return order

    # The session.

    def session_up(self, gateway: Gateway, now: datetime) -> None:
        """The session is active again: waiting cancels go out first, then the questions about orders in doubt."""
        queue = self._book.queue(gateway.session_id)
        for order in self._book.live(gateway.session_id):
            for request in order.pending:
                if request.is_cancel and request.waits:
                    queue.put(cancel_waiting(order.order_id, request))
            if Flag.IN_DOUBT in order.flags:
                queue.put(Waiting(Turn.INQUIRY, order.order_id))
        self._mass.session_up(gateway, now)
        self.dispatch(gateway, now)

    def session_down(self, session_id: str, now: datetime) -> None:
        """The connection is gone, and what adds risk does not outlive it, nor do amends behind an unanswered one."""
        text = "the session was lost while it waited for its turn; it was not sent"
        for waiting in filter(_of_order, self._book.queue(session_id).all_but_cancels()):
            self._refuse(waiting, Reject(RejectSource.ROUTER, RejectReason.ROUTER_SESSION_LOST, text), now)
        text = "the session was lost while it waited for the answer to another; it was not sent"
        lost = Reject(RejectSource.ROUTER, RejectReason.ROUTER_SESSION_LOST, text)
        for order in self._book.unsent(session_id):
            if (request := order.waiting_amend) is not None:
                refuse_amend(self._ledger, order, request, lost, now)

    def recover(self, now: datetime) -> None:
        """What waited when memory was lost was never sent; nobody knows until when it was wanted, so it never is."""
        text = "the router began anew while it waited for its turn; it was not sent"
        lost = Reject(RejectSource.ROUTER, RejectReason.ROUTER_SESSION_LOST, text)
        for order in self._book.unsent():
            if order.held:
                self._refuse(Waiting(Turn.NEW, order.order_id), lost, now)
            for request in order.pending:
                if not (request.is_sent or request.is_cancel):
                    self._refuse(Waiting(Turn.AMEND, order.order_id, request.request_id), lost, now)

    # What is refused.

    def _refuse(self, waiting: Waiting, reject: Reject, now: datetime) -> None:
        order = self._named_by(waiting)
        request = order.find_waiting(waiting.request_id)
        if waiting.turn is Turn.NEW:
            self._recent.remove(order.request, order.create_time)
            change = Change(order.turned_down(reject, now), EventKind.RISK_REJECTED, reject=reject)
            self._ledger.enter(order, change, _SYSTEM, now)
        elif request is not None:
            refuse_amend(self._ledger, order, request, reject, now)


def _of_order(waiting: Waiting) -> bool:
    return bool(waiting.order_id)


def _asked(request: Request) -> EventKind:
    return EventKind.CANCEL_REQUESTED if request.is_cancel else EventKind.AMEND_REQUESTED
