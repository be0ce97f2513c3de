"""What fills, their corrections and their busts do to an order.

Executions are a set keyed by ExecID(17), with its day where a venue uses it again on another, so reports may come twice
or out of order, and the sums are always computed from those that stand. A correction is itself corrected or busted under its own ExecID (FIX 4.4 vol. 4, App. D).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from fairlead_server.domain.event import Alarm, Change, EventKind
from fairlead_server.domain.execution import Execution, ExecutionReport, exec_key
from fairlead_server.domain.order import ZERO, Flag, Order, Terminal
from fairlead_server.domain.standing import TERMINAL_STATUS, inferred, overfill, seen


def trade(order: Order, report: ExecutionReport, execution_id: str, now: datetime) -> Change | None:
    if report.last_qty is None or report.last_px is None:
        return Change(order, None, alarms=(Alarm.RECON_BREAK,), ask_status=True)
    known = order.find_execution(report.exec_id, report.exec_day)
    if known is not None:
        return _again(order, known, report)
    fill = _told(order, _fill(report, execution_id, report.last_qty, report.last_px))
    after = _counted(order, report, (*order.executions, fill), now)
    if not fill.stands:
        return _overtaken(after, fill)
    late = after.terminal is not None or inferred(order)
    return Change(after, EventKind.FILLED, fill, alarms=(Alarm.LATE_FILL,) if late else ())


def trade_correct(order: Order, report: ExecutionReport, execution_id: str, now: datetime) -> Change | None:
    if report.last_qty is None or report.last_px is None:
        return Change(order, None, alarms=(Alarm.RECON_BREAK,), ask_status=True)
    known = order.find_execution(report.exec_id, report.exec_day)
    if known is not None:
        return _again(order, known, report)
    fill = _told(order, _fill(report, execution_id, report.last_qty, report.last_px))
    found = _latest(order, report.exec_ref_id, report.exec_day)
    if found is None:
        fill = replace(fill, corrects=exec_key(report.exec_ref_id, report.exec_day))
        after = _counted(order, report, (*order.executions, fill), now)
        unknown = (Alarm.UNKNOWN_EXEC_REF,)
        if not fill.stands:
            return replace(_overtaken(after, fill), alarms=unknown)
        return Change(after, EventKind.TRADE_CORRECTED, fill, report.exec_ref_id, alarms=unknown)
    earlier = order.executions
    if (
        _end(order, _correction(order, fill.key)) is not found
    ):  # else each corrects the other: the first told counts
        earlier = _with(order, found, replace(found, superseded_by=fill.key))
    after = _counted(order, report, (*earlier, fill), now)
    if not fill.stands:
        return _overtaken(after, fill)
    return _questioned(order, Change(after, EventKind.TRADE_CORRECTED, fill, found.exec_id), report)


def trade_cancel(order: Order, report: ExecutionReport, _: str, now: datetime) -> Change | None:
    found = _latest(order, report.exec_ref_id, report.exec_day)
    if found is None:
        return _bust_ahead(order, report, now)
    if found.busted:
        return None
    busted = replace(found, busted=True)
    flags = order.flags | {Flag.BUSTED}
    after = _counted(order, report, _with(order, found, busted), now, flags)
    return _questioned(order, Change(after, EventKind.TRADE_BUSTED, busted, found.exec_id), report)


def _again(order: Order, known: Execution, report: ExecutionReport) -> Change | None:
    same = (known.quantity, known.price) == (report.last_qty, report.last_px)
    return None if same else Change(order, None, alarms=(Alarm.EXEC_CONFLICT,))


def _bust_ahead(order: Order, report: ExecutionReport, now: datetime) -> Change | None:
    """A bust of what was not told yet, or never will be: remembered, so that it is not counted when it is."""
    key = exec_key(report.exec_ref_id, report.exec_day)
    if key in order.busts_ahead:
        return None
    after = order.next(now, busts_ahead=(*order.busts_ahead, key))
    text = f"execution {report.exec_ref_id} was busted and has not been told"
    return Change(after, EventKind.RESTATED, text=text, alarms=(Alarm.UNKNOWN_EXEC_REF,))


def _told(order: Order, fill: Execution) -> Execution:
    """As its correction or bust has it, where that came first."""
    correction = _correction(order, fill.key)
    superseded_by = correction.key if correction else ""
    return replace(fill, superseded_by=superseded_by, busted=fill.key in order.busts_ahead)


def _overtaken(after: Order, fill: Execution) -> Change:
    """The order with a fill that does not count, for what became of it was told first."""
    flags = after.flags | {Flag.BUSTED} if fill.busted else after.flags
    text = f"execution {fill.exec_id} was {'busted' if fill.busted else 'corrected'} before it was told"
    return Change(replace(after, flags=flags), EventKind.RESTATED, text=text)


def _latest(order: Order, exec_id: str, exec_day: str) -> Execution | None:
    """The execution that ExecRefID(19) means, perhaps of an earlier day, also where it was corrected since."""
    ahead = _correction(order, exec_key(exec_id, exec_day)) if exec_id else None
    return _end(order, order.find_execution(exec_id, exec_day) or ahead or order.find_execution(exec_id))


def _correction(order: Order, key: str) -> Execution | None:
    """Of an execution that was not told before it."""
    return next((e for e in order.executions if e.corrects == key), None)


def _end(order: Order, found: Execution | None) -> Execution | None:
    """What has taken the place of ``found`` by now. That corrections correct each other is never recorded."""
    by_key = {e.key: e for e in order.executions}
    while found is not None and found.superseded_by:
        found = by_key[found.superseded_by]
    return found


def _with(order: Order, old: Execution, new: Execution) -> tuple[Execution, ...]:
    return tuple(new if e is old else e for e in order.executions)


def _questioned(before: Order, change: Change, report: ExecutionReport) -> Change:
    """A filled order that loses a fill works again; where the venue's status denies it, the venue is asked."""
    if not (before.filled and change.order.live and report.ord_status in TERMINAL_STATUS):
        return change
    return replace(change, alarms=(*change.alarms, Alarm.RECON_BREAK), ask_status=True)


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
        exec_day=report.exec_day,
    )


def _counted(
    order: Order,
    report: ExecutionReport,
    executions: tuple[Execution, ...],
    now: datetime,
    flags: frozenset[Flag] | None = None,
) -> Order:
    live = [e for e in executions if e.stands]
    cum = sum((e.quantity for e in live), ZERO)
    changes: dict[str, object] = {"executions": executions, "cum_qty": cum, "acked": True}
    changes["traded_value"] = sum((e.quantity * e.price for e in live), ZERO)
    if order.terminal is Terminal.REJECTED and not inferred(order) and cum:
        changes["terminal"] = Terminal.CANCELED  # what has traded was not rejected
    flags = overfill(order.flags if flags is None else flags, cum, order.terms.quantity)
    return seen(order, report, now, flags, **changes)
