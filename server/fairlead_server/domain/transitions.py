"""What each report of a venue does to an order.

One table, one row a :class:`ReportKind`, each row a small pure function. The rule of authority: ExecType(150) says
what happened, quantities are computed from the executions, and what the venue claims beside them is compared, never
copied. Executions are a set keyed by ExecID(17), so reports may come twice or out of order (FIX 4.4 vol. 4, App. D).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from fairlead_server.domain.event import Alarm, Change, EventKind
from fairlead_server.domain.execution import CancelReject, Execution, ExecutionReport, ReportKind
from fairlead_server.domain.order import ZERO, Flag, Order, OrderState, Request, Terminal
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource

_NO_EXEC_ID = ("", "0")  # a status report may carry 17=0 (FIX 4.2 vol. 4, ExecTransType Status)


def apply(order: Order, report: ExecutionReport, execution_id: str, now: datetime) -> Change | None:
    """What ``report`` changes, or None where it tells nothing new. ``execution_id`` is ours for a new fill."""
    if report.kind in _FILLS and report.exec_id in _NO_EXEC_ID:
        return _status(order, report, execution_id, now)
    change = _TABLE[report.kind](order, report, execution_id, now)
    if change is None or report.kind is ReportKind.STATUS:
        return change
    return _compared(change, report)


def refuse_request(order: Order, request: Request, answer: CancelReject, now: datetime) -> Change:
    """An OrderCancelReject(9): that request is over; the order stands as its facts say."""
    kind = EventKind.CANCEL_REJECTED if request.is_cancel else EventKind.AMEND_REJECTED
    doubtful = answer.unknown_order and order.live
    after = order.without(request, now)
    if doubtful:
        after = replace(after, flags=after.flags | {Flag.IN_DOUBT})
    return Change(after, kind, reject=answer.reject, ask_status=doubtful)


def refuse_new(order: Order, reject: Reject, now: datetime) -> Change | None:
    """The venue turned the order down. With fills on it, it can only be over, not undone."""
    if order.terminal is Terminal.REJECTED:
        return None
    if (
        order.acked and reject.reason is RejectReason.VENUE_DUPLICATE_ORDER
    ):  # the copy was refused, not the order
        return Change(order, None, reject=reject, alarms=(Alarm.REJECT_AFTER_ACK,))
    alarms = (Alarm.REJECT_AFTER_ACK,) if order.acked or order.cum_qty else ()
    terminal = Terminal.CANCELED if order.cum_qty else Terminal.REJECTED
    after = order.next(now, terminal=terminal, reject=reject, pending=(), flags=order.flags - {Flag.IN_DOUBT})
    return Change(after, EventKind.VENUE_REJECTED, reject=reject, alarms=alarms)


# The rows. Each takes (order, report, execution_id, now).


def _pending_new(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    if order.venue_ack_time is not None:
        return None
    return Change(_seen(order, report, now), EventKind.VENUE_PENDING)


def _new(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    reopened = order.terminal is Terminal.DONE_FOR_DAY
    if order.acked and not reopened and Flag.IN_DOUBT not in order.flags:
        return None
    terminal = None if reopened else order.terminal
    return Change(_seen(order, report, now, acked=True, terminal=terminal), EventKind.VENUE_ACCEPTED)


def _trade(order: Order, report: ExecutionReport, execution_id: str, now: datetime) -> Change | None:
    if report.last_qty is None or report.last_px is None:
        return Change(order, None, alarms=(Alarm.RECON_BREAK,), ask_status=True)
    known = order.find_execution(report.exec_id)
    if known is not None:
        same = (known.quantity, known.price) == (report.last_qty, report.last_px)
        return None if same else Change(order, None, alarms=(Alarm.EXEC_CONFLICT,))
    late = order.terminal is not None
    fill = _fill(report, execution_id, report.last_qty, report.last_px)
    after = _with_executions(order, report, (*order.executions, fill), now)
    return Change(after, EventKind.FILLED, fill, alarms=(Alarm.LATE_FILL,) if late else ())


def _trade_correct(order: Order, report: ExecutionReport, execution_id: str, now: datetime) -> Change | None:
    if report.last_qty is None or report.last_px is None:
        return Change(order, None, alarms=(Alarm.RECON_BREAK,), ask_status=True)
    if order.find_execution(report.exec_id) is not None:
        return None
    fill = _fill(report, execution_id, report.last_qty, report.last_px)
    found = order.find_execution(report.exec_ref_id)
    executions = tuple(
        replace(e, superseded_by=report.exec_id) if e is found else e for e in order.executions
    )
    after = _with_executions(order, report, (*executions, fill), now)
    alarms = () if found else (Alarm.UNKNOWN_EXEC_REF,)
    return Change(after, EventKind.TRADE_CORRECTED, fill, report.exec_ref_id, alarms=alarms)


def _trade_cancel(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    found = order.find_execution(report.exec_ref_id)
    if found is None:
        return Change(order, None, alarms=(Alarm.UNKNOWN_EXEC_REF,))
    if found.busted:
        return None
    busted = replace(found, busted=True)
    executions = tuple(busted if e is found else e for e in order.executions)
    after = _with_executions(order, report, executions, now, flags=order.flags | {Flag.BUSTED})
    return Change(after, EventKind.TRADE_BUSTED, busted, report.exec_ref_id)


def _canceled(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    if order.terminal is Terminal.CANCELED:
        return None
    after = _seen(order, report, now, terminal=Terminal.CANCELED, pending=(), acked=True)
    asked = any(request.is_cancel for request in order.pending)
    return Change(after, EventKind.CANCELED, text=report.text, unsolicited=not asked)


def _expired(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    if order.terminal is Terminal.EXPIRED:
        return None
    return Change(_seen(order, report, now, terminal=Terminal.EXPIRED, pending=()), EventKind.EXPIRED)


def _done_for_day(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    if order.terminal is Terminal.DONE_FOR_DAY:
        return None
    after = _seen(order, report, now, terminal=Terminal.DONE_FOR_DAY, pending=())
    return Change(after, EventKind.DONE_FOR_DAY)


def _replaced(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    request = order.find_request(report.cl_ord_id)
    if request is None and report.cl_ord_id == order.cl_ord_id and order.acked:
        return None  # told before
    terms = request.terms if request is not None and request.terms is not None else order.terms
    quantity = terms.quantity if report.order_qty is None else report.order_qty
    price = terms.price if report.price is None or terms.price is None else report.price
    below = quantity < order.cum_qty
    terms = replace(terms, quantity=max(quantity, order.cum_qty), price=price)
    pending = tuple(r for r in order.pending if r is not request)
    head = report.cl_ord_id or order.cl_ord_id
    after = _seen(order, report, now, terms=terms, pending=pending, cl_ord_id=head, acked=True)
    return Change(after, EventKind.AMENDED, text="quantity amended to what was filled" if below else "")


def _pending_request(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    request = order.find_request(report.cl_ord_id)
    if request is None or request.pending_at_venue:
        return None
    marked = replace(request, pending_at_venue=True)
    pending = tuple(marked if r is request else r for r in order.pending)
    kind = EventKind.CANCEL_PENDING if request.is_cancel else EventKind.AMEND_PENDING
    return Change(_seen(order, report, now, pending=pending), kind)


def _rejected(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    reject = report.reject or Reject(RejectSource.VENUE, RejectReason.VENUE_OTHER, report.text)
    change = refuse_new(order, reject, now)
    if change is None or change.kind is None:
        return change
    seen = replace(change.order, ord_status=report.ord_status, venue_order_id=_venue_id(order, report))
    return replace(change, order=seen)


def _flagged(flag: Flag, kind: EventKind) -> _Row:
    def row(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
        if flag in order.flags:
            return None
        return Change(_seen(order, report, now, flags=order.flags | {flag}), kind)

    return row


def _restated(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    quantity = order.terms.quantity if report.order_qty is None else report.order_qty
    price = order.terms.price if report.price is None else report.price
    terms = replace(order.terms, quantity=max(quantity, order.cum_qty), price=price)
    return Change(_seen(order, report, now, terms=terms), EventKind.RESTATED, text=report.text)


def _status(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    """The answer to a status request: compared, and the end of doubt where it agrees. It never books a fill."""
    if report.reject is not None and report.reject.reason is RejectReason.VENUE_UNKNOWN_ORDER:
        return _never_arrived(order, now)
    if report.cum_qty is not None and report.cum_qty != order.cum_qty:
        return Change(order, None, alarms=(Alarm.RECON_BREAK,))
    terminal = _TERMINAL_STATUS.get(report.ord_status, order.terminal)
    settled = Flag.IN_DOUBT not in order.flags and order.acked and terminal is order.terminal
    if settled or report.ord_status == "A":
        return None
    pending = () if terminal is not None else order.pending
    after = _seen(order, report, now, acked=True, terminal=terminal, pending=pending)
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
_FILLS = frozenset({ReportKind.TRADE, ReportKind.TRADE_CORRECT, ReportKind.TRADE_CANCEL})
_TERMINAL_STATUS = {
    "3": Terminal.DONE_FOR_DAY,
    "4": Terminal.CANCELED,
    "8": Terminal.REJECTED,
    "C": Terminal.EXPIRED,
}
_TABLE: dict[ReportKind, _Row] = {
    ReportKind.PENDING_NEW: _pending_new,
    ReportKind.NEW: _new,
    ReportKind.TRADE: _trade,
    ReportKind.TRADE_CORRECT: _trade_correct,
    ReportKind.TRADE_CANCEL: _trade_cancel,
    ReportKind.CANCELED: _canceled,
    ReportKind.REPLACED: _replaced,
    ReportKind.PENDING_CANCEL: _pending_request,
    ReportKind.PENDING_REPLACE: _pending_request,
    ReportKind.REJECTED: _rejected,
    ReportKind.EXPIRED: _expired,
    ReportKind.DONE_FOR_DAY: _done_for_day,
    ReportKind.STOPPED: _flagged(Flag.STOPPED, EventKind.RESTATED),
    ReportKind.SUSPENDED: _flagged(Flag.SUSPENDED, EventKind.SUSPENDED),
    ReportKind.CALCULATED: _flagged(Flag.CALCULATED, EventKind.RESTATED),
    ReportKind.TRIGGERED: _flagged(Flag.TRIGGERED, EventKind.RESTATED),
    ReportKind.RESTATED: _restated,
    ReportKind.STATUS: _status,
    ReportKind.UNMAPPED: _unmapped,
}


def _seen(order: Order, report: ExecutionReport, now: datetime, **changes: object) -> Order:
    """The order with what every report tells: its OrderID(37), its raw status, and that the venue has it."""
    changes.setdefault("flags", order.flags)
    flags = changes.pop("flags")
    assert isinstance(flags, frozenset)  # noqa: S101 - narrows for the type checker
    return order.next(
        now,
        ord_status=report.ord_status,
        venue_order_id=_venue_id(order, report),
        venue_ack_time=order.venue_ack_time or now,
        flags=flags - {Flag.IN_DOUBT},
        **changes,
    )


def _fill(report: ExecutionReport, execution_id: str, quantity: Decimal, price: Decimal) -> Execution:
    return Execution(
        execution_id,
        report.exec_id,
        quantity,
        price,
        report.transact_time,
        report.trade_id,
        report.last_market,
        report.liquidity,
    )


def _venue_id(order: Order, report: ExecutionReport) -> str:
    return report.venue_order_id if report.venue_order_id not in ("", "NONE") else order.venue_order_id


def _with_executions(
    order: Order,
    report: ExecutionReport,
    executions: tuple[Execution, ...],
    now: datetime,
    flags: frozenset[Flag] | None = None,
) -> Order:
    live = [e for e in executions if not (e.busted or e.superseded_by)]
    cum = sum((e.quantity for e in live), ZERO)
    flags = order.flags if flags is None else flags
    over = cum > order.terms.quantity
    flags = flags | {Flag.OVERFILLED} if over else flags - {Flag.OVERFILLED}
    value = sum((e.quantity * e.price for e in live), ZERO)
    return _seen(
        order, report, now, executions=executions, cum_qty=cum, traded_value=value, flags=flags, acked=True
    )


def _compared(change: Change, report: ExecutionReport) -> Change:
    """Raise what a person must see: more filled than ordered, or the venue's sums differing from ours."""
    order, alarms = change.order, change.alarms
    if Flag.OVERFILLED in order.flags and change.kind is EventKind.FILLED:
        alarms = (*alarms, Alarm.OVERFILL)
    if change.kind is not None and _breaks(order, report.cum_qty) and not report.message.poss_dup:
        alarms = (*alarms, Alarm.RECON_BREAK)
    return replace(change, alarms=alarms)


def _breaks(order: Order, claimed: Decimal | None) -> bool:
    return claimed is not None and claimed != order.cum_qty and order.state is not OrderState.REJECTED
