"""What a person must see on the stream: where the venue and we disagree, with both values. Ours stand."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from fairlead_server.domain.event import Alarm, Change, EventKind
from fairlead_server.domain.execution import ExecutionReport
from fairlead_server.domain.order import Order

_KINDS = {Alarm.RECON_BREAK: EventKind.RECON_BREAK, Alarm.EXEC_CONFLICT: EventKind.EXEC_CONFLICT}


def alert(order: Order, alarm: Alarm, report: ExecutionReport | None, now: datetime) -> Change | None:
    """The event of its own that an alarm is, if it is one. It changes nothing of the order but its version."""
    kind = _KINDS.get(alarm)
    if kind is None:
        return None
    return Change(order.next(now), kind, text="" if report is None else _difference(order, alarm, report))


def _difference(order: Order, alarm: Alarm, report: ExecutionReport) -> str:
    if alarm is Alarm.EXEC_CONFLICT:
        told = f"{_shown(report.last_qty)} at {_shown(report.last_px)}"
        return f"ExecID(17) {report.exec_id} was told again as {told}; the first is kept"
    theirs = f"CumQty(14) {_shown(report.cum_qty)}, LeavesQty(151) {_shown(report.leaves_qty)}"
    return (
        f"the venue says OrdStatus(39) {report.ord_status}, {theirs};"
        f" here it is {order.state.value}, {_shown(order.cum_qty)}, {_shown(order.leaves_qty)}"
    )


def _shown(amount: Decimal | None) -> str:
    return "nothing" if amount is None else f"{amount:f}"
