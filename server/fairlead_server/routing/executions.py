"""What venues tell us: every report is applied, recorded and published, whatever it says and whenever it comes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from fairlead_server.domain import transitions
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.event import Alarm, Change, EventKind
from fairlead_server.domain.execution import CancelReject, ExecutionReport, MessageReject, ReportKind
from fairlead_server.domain.exposure import scope_of
from fairlead_server.domain.ids import ClOrdIds
from fairlead_server.domain.order import ZERO, Flag, Order, Request, pending_new
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.risk import Policy
from fairlead_server.domain.standing import FILLS, refused
from fairlead_server.domain.terms import NewOrder, OrderType, Side, Terms
from fairlead_server.domain.trading_state import TradingState
from fairlead_server.routing.book import Book
from fairlead_server.routing.chains import release
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.ports import Gateway, NewId
from fairlead_server.routing.queue import Turn, Waiting, cancel_waiting
from fairlead_server.routing.reference import Reference
from fairlead_server.routing.unanswered import ask_all, heard_of, inquire

_log = logging.getLogger(__name__)

_VENUE = Cause(Initiator.VENUE)


class Executions:
    """``default_accounts`` names, a session, the account of orders that a venue reports and nobody submitted here."""

    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        reference: Reference,
        default_accounts: Mapping[str, str],
        cl_ord_ids: ClOrdIds,
        new_id: NewId,
        policy: Policy,
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._reference = reference
        self._default_accounts = default_accounts
        self._cl_ord_ids = cl_ord_ids
        self._new_id = new_id
        self._policy = policy

    def apply(self, report: ExecutionReport, gateway: Gateway, now: datetime) -> None:
        names = (report.cl_ord_id, report.orig_cl_ord_id)
        self._pass_over(names, now)
        before = self._book.by_report(gateway.session_id, names, report.venue_order_id)
        if before is None:
            self._apply_to_external(report, gateway, now)
            return
        heard_of(self._book, self._ledger, before.order_id, gateway)
        execution_id = self._new_id(now) if report.kind in FILLS else ""
        change = transitions.apply(before, report, execution_id, now)
        if change is not None:
            self._enter(before, change, gateway, now, report)

    def _apply_to_external(self, report: ExecutionReport, gateway: Gateway, now: datetime) -> None:
        """An order that nobody submitted here is booked all the same: its fills are real exposure."""
        if report.kind in (ReportKind.STATUS, ReportKind.REJECTED) or report.side is None:
            return  # tells of no exposure
        shell = self._external(report, report.side, gateway.session_id, now)
        change = transitions.apply(shell, report, self._new_id(now), now)
        found = Change(shell, None) if change is None else change
        order = replace(found.order, version=1)
        orphan = replace(found, order=order, kind=EventKind.ORPHAN_EXECUTION)
        self._ledger.enter(None, orphan, _VENUE, now, report)
        self._halt_after(orphan)
        self._deny(orphan, report, gateway, now)
        if order.cl_ord_id:
            self._ledger.named_by_venue(order)

    def _pass_over(self, names: tuple[str, str], now: datetime) -> None:
        """Names that a venue says, which may be what we would give out next."""
        for name in names:
            if name and self._cl_ord_ids.heard(name, now):
                _log.warning(
                    "the venue knows %s, which the store does not: it is not given out any more", name
                )
                self._ledger.count_cl_ord_ids(self._cl_ord_ids.last)

    def _external(self, report: ExecutionReport, side: Side, session_id: str, now: datetime) -> Order:
        order_id = self._new_id(now)
        order_type = OrderType.MARKET if report.price is None else OrderType.LIMIT
        quantity = report.order_qty or (report.cum_qty or ZERO) + (report.leaves_qty or ZERO)
        new = NewOrder(
            report.account or self._default_accounts[session_id],
            order_id,
            self._reference.by_symbol(report.symbol),
            side,
            order_type,
            Terms(quantity or report.last_qty or ZERO, report.price),
        )
        shell = pending_new(order_id, new, report.symbol, now)
        ids = (report.cl_ord_id,) if report.cl_ord_id else ()
        flags = frozenset({Flag.EXTERNAL})
        return replace(shell, session_id=session_id, cl_ord_id=report.cl_ord_id, cl_ord_ids=ids, flags=flags)

    def cancel_rejected(self, answer: CancelReject, gateway: Gateway, now: datetime) -> None:
        names = (answer.cl_ord_id, answer.orig_cl_ord_id)
        self._pass_over(names, now)
        before = self._book.by_report(gateway.session_id, names, answer.venue_order_id)
        request = refused(before, answer) if before else None
        if before is None or request is None:
            return  # told before, or not of our asking
        if not answer.unknown_order:
            heard_of(self._book, self._ledger, before.order_id, gateway)
        if answer.reject.reason is RejectReason.VENUE_CANCEL_MASS_CANCEL_UNABLE and request.mass_cl_ord_id:
            waiting = Waiting(Turn.CANCEL, before.order_id, request.request_id)  # by itself it may be able
            self._book.queue(gateway.session_id).put(waiting)
            self._ledger.then(gateway.wake)
            return
        change = transitions.refuse_request(before, request, answer, now)
        self._enter(before, change, gateway, now, message=answer)

    def message_rejected(
        self, answer: MessageReject, cl_ord_id: str, gateway: Gateway, now: datetime
    ) -> None:
        """A Reject(3) or BusinessMessageReject(j) of the message that carried ``cl_ord_id``."""
        before = self._book.by_report(gateway.session_id, (cl_ord_id,), "")
        if before is None:
            return
        request = before.find_request(cl_ord_id)
        change: Change | None
        if request is not None:
            kind = EventKind.CANCEL_REJECTED if request.is_cancel else EventKind.AMEND_REJECTED
            change = Change(before.without(request, now), kind, reject=answer.reject)
        elif cl_ord_id == before.cl_ord_ids[0] and not before.acked:
            change = transitions.refuse_new(before, answer.reject, now)
        else:
            return  # a status request: its order stays as it is
        if change is not None:
            self._enter(before, change, gateway, now, message=answer)

    def in_doubt(self, cl_ord_id: str, gateway: Gateway, text: str, now: datetime) -> None:
        """A message of ours will not reach the venue, or nobody knows whether it has: ask, never guess."""
        before = self._book.by_report(gateway.session_id, (cl_ord_id,), "")
        if before is None or not before.live:
            return
        request = before.find_request(cl_ord_id)
        after = before.without(request, now) if request else before.next(now)
        if not after.live:  # that amend is all that keeps it open: it stays, to be asked about
            after = before.next(now)
        after = replace(after, flags=after.flags | {Flag.IN_DOUBT})
        change = Change(after, EventKind.IN_DOUBT, text=text, ask_status=True)
        self._enter(before, change, gateway, now, cause=Cause(Initiator.SYSTEM))

    def withheld(self, cl_ord_id: str, gateway: Gateway, now: datetime) -> None:
        """A message of ours that the venue asked for again is not sent again, so nothing will ever answer it."""
        before = self._book.by_report(gateway.session_id, (cl_ord_id,), "")
        request = before.find_request(cl_ord_id) if before else None
        if before is None or request is None or (after := before.without(request, now)).live:
            self.in_doubt(cl_ord_id, gateway, "not sent again: it came too late", now)
            return
        text = f"not sent again: the order is {after.state.value}"
        reject = Reject(RejectSource.ROUTER, RejectReason.ROUTER_ORDER_TERMINAL, text)
        after = replace(
            after, flags=after.flags - {Flag.IN_DOUBT}
        )  # of other amends that are not sent again either
        change = Change(after, EventKind.AMEND_REJECTED, reject=reject)
        self._enter(before, change, gateway, now, cause=Cause(Initiator.SYSTEM))

    def lapsed(self, cl_ord_id: str, gateway: Gateway, now: datetime) -> bool:
        """Whether the order of a message has ended, or must not be sent any more, so that it is not sent again."""
        order = self._book.by_report(gateway.session_id, (cl_ord_id,), "")
        if order is None:
            return False
        bound = order.request.route_before
        if not order.live or (not order.acked and bound is not None and bound <= now):
            return True
        answered = order.acked and order.find_request(cl_ord_id) is None
        halt = (
            None
            if answered or not self._book.halts
            else self._book.halts.over(scope_of(order.request, order.session_id), order.request.flattens)
        )
        return halt is not None and halt.state in (TradingState.PAUSED, TradingState.KILLED)

    def session_reset(self, gateway: Gateway, text: str, now: datetime) -> None:
        """Numbers began anew: what was unanswered in the old epoch cannot be asked for again.

        A cancel of that epoch waits to be sent anew: should it have arrived, the second one does no harm. All that is
        live is asked about, see :mod:`~fairlead_server.routing.unanswered`: now, or when the session is up.
        """
        for order in self._book.live(gateway.session_id):
            if order.held:
                continue  # the venue was never to answer it
            pending = tuple(_unsent(request) if request.is_cancel else request for request in order.pending)
            unanswered = not order.acked or order.pending
            if not unanswered or (Flag.IN_DOUBT in order.flags and pending == order.pending):
                continue  # nothing is lost, or it has been told: some sessions reset with each logon
            after = replace(order.in_doubt(now), pending=pending)
            change = Change(after, EventKind.IN_DOUBT, text=text, ask_status=True)
            self._enter(order, change, gateway, now, cause=Cause(Initiator.SYSTEM))
            self._cancel_anew(after, gateway)
        if gateway.available:
            ask_all(self._book, self._ledger, gateway, now)

    def _cancel_anew(self, order: Order, gateway: Gateway) -> None:
        """In its turn: now, or when the session is up again."""
        for request in order.pending:
            if request.is_cancel:
                self._book.queue(gateway.session_id).put(cancel_waiting(order.order_id, request))
                self._ledger.then(gateway.wake)

    def _enter(
        self,
        before: Order,
        change: Change,
        gateway: Gateway,
        now: datetime,
        report: ExecutionReport | None = None,
        message: CancelReject | MessageReject | None = None,
        cause: Cause = _VENUE,
    ) -> None:
        heard = message.message if message else None
        order = self._ledger.enter(before, change, cause, now, report, heard)
        self._halt_after(change)
        if report is not None and Flag.EXTERNAL in order.flags:
            self._deny(change, report, gateway, now)
        if order.pending:
            release(self._book, self._ledger, order, gateway, now)
        if change.ask_status:
            inquire(self._book, self._ledger, order, gateway, now)

    def _deny(self, change: Change, report: ExecutionReport, gateway: Gateway, now: datetime) -> None:
        """The fill of an external order counts all the same, until the venue takes it back."""
        if change.execution is None or report.kind is ReportKind.TRADE_CANCEL:
            return
        denial = gateway.dont_know_trade(change.order, report, now)
        if denial is not None:
            self._ledger.send(denial)

    def _halt_after(self, change: Change) -> None:
        order = change.order
        if Alarm.OVERFILL in change.alarms and self._policy.halts_on_overfill(order.request.account_id):
            self._ledger.halt_after(order)
            settle = f"fairlead order reconcile {order.order_id} stands --reason REASON --ticket TICKET"
            _log.critical(
                "order %s was overfilled; nothing is opened there before: %s", order.order_id, settle
            )


def _unsent(cancel: Request) -> Request:
    return Request(cancel.request_id, cancel.request_time, mass_cancel_id=cancel.mass_cancel_id)
