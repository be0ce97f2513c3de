"""How an order stands when a report comes in: whether it is over, whether it works again, what is confirmed of it.

OrdStatus(39) is read by its precedence: New and Partially filled rank below every end and below Suspended, so a venue
that says them holds none of those to be true (FIX 4.4 vol. 4, App. D).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from fairlead_server.domain.execution import CancelReject, ExecutionReport, ReportKind
from fairlead_server.domain.order import Flag, Order, Request, Terminal
from fairlead_server.domain.reject import RejectSource
from fairlead_server.domain.terms import Terms

FILLS = frozenset({ReportKind.TRADE, ReportKind.TRADE_CORRECT, ReportKind.TRADE_CANCEL})
WORKING_STATUS = ("0", "1")
TERMINAL_STATUS = {
    "3": Terminal.DONE_FOR_DAY,
    "4": Terminal.CANCELED,
    "8": Terminal.REJECTED,
    "C": Terminal.EXPIRED,
}
_OURS = (RejectSource.ROUTER, RejectSource.ADMIN)


def seen(
    order: Order,
    report: ExecutionReport,
    now: datetime,
    flags: frozenset[Flag] | None = None,
    **changes: object,
) -> Order:
    """The order with what every report tells: its OrderID(37), its raw status, and that the venue has it."""
    flags = (order.flags if flags is None else flags) - {Flag.IN_DOUBT}
    if returns(order, report):
        flags -= {Flag.SUSPENDED}
        changes.setdefault("terminal", None)
    if inferred(order) and changes.get("terminal", order.terminal) is not order.terminal:
        changes["reject"] = None
    return order.next(
        now,
        ord_status=report.ord_status,
        venue_order_id=venue_id(order, report),
        venue_ack_time=order.venue_ack_time or now,
        flags=flags,
        **changes,
    )


def venue_id(order: Order, report: ExecutionReport) -> str:
    return report.venue_order_id if report.venue_order_id not in ("", "NONE") else order.venue_order_id


def inferred(order: Order) -> bool:
    """Whether only we, or a person here, concluded that it is over; what the venue says then goes before."""
    return order.reject is not None and order.reject.source in _OURS


def final(order: Order) -> bool:
    """Whether it has ended for good, by the word of the venue."""
    return order.terminal not in (None, Terminal.DONE_FOR_DAY) and not inferred(order)


def returns(order: Order, report: ExecutionReport) -> bool:
    """Whether an order that did not work does so again.

    That its next day has begun need not be said: a fill may be the first that is heard (App. D, GT orders).
    """
    if final(order) or report.message.poss_resend:  # the latter may be the first acknowledgement once more
        return False
    if report.kind is not ReportKind.NEW and report.ord_status not in WORKING_STATUS:
        return False
    if order.terminal is Terminal.DONE_FOR_DAY:
        return report.kind not in FILLS or order.terms.time_in_force.multi_day
    return Flag.SUSPENDED in order.flags or inferred(order)


def end(terminal: Terminal, cum_qty: Decimal) -> Terminal:
    """What has traded was not rejected, whatever the venue calls it."""
    return Terminal.CANCELED if terminal is Terminal.REJECTED and cum_qty else terminal


def answered(order: Order, report: ExecutionReport, *, cancel: bool) -> Request | None:
    """The request meant: by ClOrdID(11), or without one the oldest of its kind that was sent.

    A cancel that an OrderMassCancelRequest(q) asks for has no name of its own.
    """
    named = order.find_request(report.cl_ord_id)
    if named is None and not report.cl_ord_id:
        named = next((r for r in order.pending if r.is_sent and r.is_cancel is cancel), None)
    return named or (order.mass_canceled if cancel else None)


def refused(order: Order, answer: CancelReject) -> Request | None:
    """The request meant; of an OrderMassCancelRequest(q), which names no order, by the name of either."""
    named = order.find_request(answer.cl_ord_id)
    asked = order.mass_canceled
    if named is not None or asked is None:
        return named
    return asked if answer.cl_ord_id in (asked.mass_cl_ord_id, order.cl_ord_id) else None


def superseded(order: Order, cl_ord_id: str) -> bool:
    """Whether an accepted amend has already taken the place of this ClOrdID(11)."""
    ids = order.cl_ord_ids
    return order.cl_ord_id in ids and cl_ord_id in ids[: ids.index(order.cl_ord_id)]


def confirmed(order: Order, wanted: Terms, report: ExecutionReport) -> Terms:
    """``wanted`` as the venue confirms it. A quantity below what was filled means just that (App. D, D12)."""
    quantity = wanted.quantity if report.order_qty is None else report.order_qty
    price = wanted.price if report.price is None or wanted.price is None else report.price
    filled = min(order.cum_qty, order.terms.quantity)  # no more than ordered: an overfill must go on showing
    return replace(wanted, quantity=max(quantity, filled), price=price)


def overfill(flags: frozenset[Flag], cum_qty: Decimal, quantity: Decimal) -> frozenset[Flag]:
    return flags | {Flag.OVERFILLED} if cum_qty > quantity else flags - {Flag.OVERFILLED}
