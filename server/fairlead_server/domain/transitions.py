"""What each report of a venue does to an order.

One table, one row a :class:`ReportKind`, each row a small pure function. The rule of authority: ExecType(150) says
what happened, quantities are computed from the executions, and what the venue claims beside them is compared, never
copied (FIX 4.4 vol. 4, App. D). An end that the venue has told is never undone by a report that crosses it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from fairlead_server.domain.event import Alarm, Change, EventKind
from fairlead_server.domain.execution import CancelReject, ExecutionReport, ReportKind
from fairlead_server.domain.order import Flag, Order, OrderState, Request, Terminal
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.standing import (
    FILLS,
    TERMINAL_STATUS,
    WORKING_STATUS,
    answered,
    confirmed,
    end,
    final,
    inferred,
    overfill,
    returns,
    seen,
    superseded,
    venue_id,
)
from fairlead_server.domain.trades import trade, trade_cancel, trade_correct

_NO_EXEC_ID = ("", "0")  # a status report may carry 17=0 (FIX 4.2 vol. 4, ExecTransType Status)


def apply(order: Order, report: ExecutionReport, execution_id: str, now: datetime) -> Change | None:
    """What ``report`` changes, or None where it tells nothing new. ``execution_id`` is ours for a new fill."""
    if report.kind in FILLS and report.exec_id in _NO_EXEC_ID:
        return _status(order, report, execution_id, now)
    change = _TABLE[report.kind](order, report, execution_id, now)
    if change is None or report.kind is ReportKind.STATUS:
        return change
    return _compared(change, report)


def refuse_request(order: Order, request: Request, answer: CancelReject, now: datetime) -> Change:
    """An OrderCancelReject(9): that request is over; the order stands as its facts say."""
    kind = EventKind.CANCEL_REJECTED if request.is_cancel else EventKind.AMEND_REJECTED
    after = order.without(request, now)
    doubtful = answer.unknown_order and after.live
    if doubtful:
        after = replace(after, flags=after.flags | {Flag.IN_DOUBT})
    if (
        not answer.unknown_order
    ):  # for an unknown order OrdStatus(39) is Rejected, which tells nothing about ours
        after = replace(after, ord_status=answer.ord_status or order.ord_status)
    return Change(after, kind, reject=answer.reject, ask_status=doubtful)


def refuse_new(order: Order, reject: Reject, now: datetime) -> Change | None:
    """The venue turned the order down. With fills on it, it can only be over, not undone."""
    if order.terminal is Terminal.REJECTED:
        return None
    copied = order.acked and reject.reason is RejectReason.VENUE_DUPLICATE_ORDER
    if copied or final(order):  # a copy was refused, not the order; or there is nothing left to refuse
        return Change(order, None, reject=reject, alarms=(Alarm.REJECT_AFTER_ACK,))
    alarms = (Alarm.REJECT_AFTER_ACK,) if order.acked or order.cum_qty else ()
    terminal = end(Terminal.REJECTED, order.cum_qty)
    after = order.next(now, terminal=terminal, reject=reject, pending=(), flags=order.flags - {Flag.IN_DOUBT})
    return Change(after, EventKind.VENUE_REJECTED, reject=reject, alarms=alarms)


# The rows. Each takes (order, report, execution_id, now).


def _pending_new(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    if order.venue_ack_time is not None:
        return None
    return Change(seen(order, report, now), EventKind.VENUE_PENDING)


def _new(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    """An acknowledgement, or the return of an order that was suspended or done for the day."""
    if order.acked and not returns(order, report) and Flag.IN_DOUBT not in order.flags:
        return None
    return Change(seen(order, report, now, acked=True), EventKind.VENUE_ACCEPTED)


def _ends(terminal: Terminal, kind: EventKind) -> _Row:
    def row(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
        known = order.terminal is terminal and not inferred(order)
        if known or (final(order) and terminal is Terminal.DONE_FOR_DAY):  # sent for all that traded today
            return None
        if final(order):  # the first end holds; a person must see that there was another
            return Change(order, None, alarms=(Alarm.RECON_BREAK,))
        asked = terminal is not Terminal.CANCELED or any(request.is_cancel for request in order.pending)
        after = seen(order, report, now, terminal=terminal, pending=(), acked=True)
        return Change(after, kind, text=report.text, unsolicited=not asked)

    return row


def _replaced(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    request = answered(order, report, cancel=False)
    if request is None and superseded(order, report.cl_ord_id):
        return None  # told before
    wanted = request.terms if request is not None and request.terms is not None else order.terms
    terms = confirmed(order, wanted, report)
    named = report.cl_ord_id in ("", order.cl_ord_id)
    if request is None and order.acked and named and terms == order.terms:
        return None  # told before
    after = seen(
        order,
        report,
        now,
        terms=terms,
        pending=tuple(r for r in order.pending if r is not request),
        cl_ord_id=report.cl_ord_id or (request.cl_ord_id if request is not None else order.cl_ord_id),
        flags=overfill(order.flags, order.cum_qty, terms.quantity),
        acked=True,
    )
    below = (wanted.quantity if report.order_qty is None else report.order_qty) < terms.quantity
    return Change(after, EventKind.AMENDED, text="quantity amended to what was filled" if below else "")


def _pending_request(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    request = answered(order, report, cancel=report.kind is ReportKind.PENDING_CANCEL)
    if request is None or request.pending_at_venue:
        return None
    marked = replace(request, pending_at_venue=True)
    pending = tuple(marked if r is request else r for r in order.pending)
    kind = EventKind.CANCEL_PENDING if request.is_cancel else EventKind.AMEND_PENDING
    return Change(seen(order, report, now, pending=pending), kind)


def _rejected(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    """The order was refused; or, by a venue that answers so, the amend or cancel that ClOrdID(11) names."""
    reject = report.reject or Reject(RejectSource.VENUE, RejectReason.VENUE_OTHER, report.text)
    request = order.find_request(report.cl_ord_id)
    if request is not None:
        kind = EventKind.CANCEL_REJECTED if request.is_cancel else EventKind.AMEND_REJECTED
        return Change(order.without(request, now), kind, reject=reject)
    if report.cl_ord_id in order.cl_ord_ids[1:] and report.cl_ord_id != order.cl_ord_id:
        return None  # told before
    change = refuse_new(order, reject, now)
    if change is None or change.kind is None:
        return change
    told = replace(change.order, ord_status=report.ord_status, venue_order_id=venue_id(order, report))
    return replace(change, order=told)


def _flagged(flag: Flag, kind: EventKind) -> _Row:
    def row(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
        if flag in order.flags:
            return None
        return Change(seen(order, report, now, flags=order.flags | {flag}, acked=True), kind)

    return row


def _restated(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    terms = confirmed(order, order.terms, report)
    flags = overfill(order.flags, order.cum_qty, terms.quantity)
    after = seen(order, report, now, terms=terms, flags=flags, acked=True)
    if replace(after, version=order.version, update_time=order.update_time) == order:
        return None
    return Change(after, EventKind.RESTATED, text=report.text)


def _status(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    """The answer to a status request: compared, and the end of doubt where it agrees. It never books a fill."""
    if report.reject is not None and report.reject.reason is RejectReason.VENUE_UNKNOWN_ORDER:
        return _never_arrived(order, now)
    if report.cum_qty is not None and report.cum_qty != order.cum_qty:
        return Change(order, None, alarms=(Alarm.RECON_BREAK,))
    reported = TERMINAL_STATUS.get(report.ord_status)
    ended = None if reported is None else end(reported, order.cum_qty)
    if final(order) and ended is not order.terminal and (ended or report.ord_status in WORKING_STATUS):
        return Change(order, None, alarms=(Alarm.RECON_BREAK,))
    terminal = order.terminal if ended is None and not returns(order, report) else ended
    acked = order.acked or report.ord_status != "A"
    news = (terminal, acked) != (order.terminal, order.acked) or returns(order, report)
    if not news and Flag.IN_DOUBT not in order.flags:
        return None
    pending = () if terminal is not None else order.pending
    after = seen(order, report, now, acked=acked, terminal=terminal, pending=pending)
    return Change(after, EventKind.RECONCILED, text="as the venue reports")


def _never_arrived(order: Order, now: datetime) -> Change | None:
    """The venue does not know the order: final only where it never acknowledged it."""
    if Flag.IN_DOUBT not in order.flags:
        return None
    if order.acked or order.cum_qty:
        return Change(order, None, alarms=(Alarm.RECON_BREAK,))
    reject = Reject(
        RejectSource.ROUTER, RejectReason.ROUTER_SESSION_LOST, "the order never reached the venue"
    )
    flags = order.flags - {Flag.IN_DOUBT}
    after = order.next(now, terminal=Terminal.REJECTED, reject=reject, pending=(), flags=flags)
    return Change(after, EventKind.RECONCILED, reject=reject, text=reject.text)


def _unmapped(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    after = order.next(now, ord_status=report.ord_status)
    text = f"ExecType(150) {report.exec_type!r} is not known"
    return Change(after, EventKind.RESTATED, text=text, alarms=(Alarm.UNMAPPED_EXEC,))


_Row = Callable[[Order, ExecutionReport, str, datetime], Change | None]
_TABLE: dict[ReportKind, _Row] = {
    ReportKind.PENDING_NEW: _pending_new,
    ReportKind.NEW: _new,
    ReportKind.TRADE: trade,
    ReportKind.TRADE_CORRECT: trade_correct,
    ReportKind.TRADE_CANCEL: trade_cancel,
    ReportKind.CANCELED: _ends(Terminal.CANCELED, EventKind.CANCELED),
    ReportKind.REPLACED: _replaced,
    ReportKind.PENDING_CANCEL: _pending_request,
    ReportKind.PENDING_REPLACE: _pending_request,
    ReportKind.REJECTED: _rejected,
    ReportKind.EXPIRED: _ends(Terminal.EXPIRED, EventKind.EXPIRED),
    ReportKind.DONE_FOR_DAY: _ends(Terminal.DONE_FOR_DAY, EventKind.DONE_FOR_DAY),
    ReportKind.STOPPED: _flagged(Flag.STOPPED, EventKind.RESTATED),
    ReportKind.SUSPENDED: _flagged(Flag.SUSPENDED, EventKind.SUSPENDED),
    ReportKind.CALCULATED: _flagged(Flag.CALCULATED, EventKind.RESTATED),
    ReportKind.TRIGGERED: _flagged(Flag.TRIGGERED, EventKind.RESTATED),
    ReportKind.RESTATED: _restated,
    ReportKind.STATUS: _status,
    ReportKind.UNMAPPED: _unmapped,
}


def _compared(change: Change, report: ExecutionReport) -> Change:
    """Raise what a person must see: more filled than ordered, or the venue's sums differing from ours."""
    order, alarms = change.order, change.alarms
    if Flag.OVERFILLED in order.flags and change.kind in (EventKind.FILLED, EventKind.TRADE_CORRECTED):
        alarms = (*alarms, Alarm.OVERFILL)
    if change.kind is not None and _breaks(order, report) and not report.message.poss_dup:
        alarms = (*alarms, Alarm.RECON_BREAK)
    return change if alarms is change.alarms else replace(change, alarms=alarms)


def _breaks(order: Order, report: ExecutionReport) -> bool:
    """Whether CumQty(14) or LeavesQty(151), where the venue tells them, are not ours.

    What is left of an order that does not work now, some venues count and some do not; and while amends are pending it may
    be told as if one of them were in force (App. D, D.2.b).
    """
    state = order.state
    if state is OrderState.REJECTED:
        return False
    if report.cum_qty not in (None, order.cum_qty):
        return True
    if state in _RESTING or report.leaves_qty in (None, order.leaves_qty):
        return False
    return all(report.leaves_qty != r.terms.quantity - order.cum_qty for r in order.pending if r.terms)


_RESTING = (OrderState.DONE_FOR_DAY, OrderState.SUSPENDED)
