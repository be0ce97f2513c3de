"""A broker's desk with fixed prices, times and ids, and the requests that tests send to it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from fix_sim.engine import Decision, Engine, Ids
from fix_sim.orders import (
    CancelOrder,
    ExecutionReport,
    MassCancel,
    MassCancelReport,
    MassScope,
    NewOrder,
    Order,
    OrdType,
    ReplaceOrder,
    Report,
    Side,
    StatusRequest,
    Terms,
    TimeInForce,
)
from fix_sim.rules import Rule

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
CLIENT = "FIX.4.4:SIM->FAIRLEAD"
ANY = MassScope()
PRICES = {"AAPL": Decimal("230.10"), "EURUSD": Decimal("1.08450")}


def engine(*rules: Rule) -> Engine:
    return Engine(Ids("T"), PRICES, rules)


def at(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def terms(
    qty: str = "100",
    price: str | None = None,
    *,
    stop: str | None = None,
    tif: TimeInForce = TimeInForce.DAY,
    expires: datetime | None = None,
) -> Terms:
    ord_type = {
        (False, False): OrdType.MARKET,
        (True, False): OrdType.LIMIT,
        (False, True): OrdType.STOP,
        (True, True): OrdType.STOP_LIMIT,
    }[price is not None, stop is not None]
    return Terms(
        Decimal(qty),
        ord_type,
        Decimal(price) if price else None,
        Decimal(stop) if stop else None,
        tif,
        expires,
    )


def order(
    wanted: Terms | None = None,
    *,
    cl_ord_id: str = "A",
    side: Side = Side.BUY,
    symbol: str = "AAPL",
    client: str = CLIENT,
    account: str = "",
    poss_resend: bool = False,
) -> NewOrder:
    return NewOrder(client, cl_ord_id, symbol, side, wanted or terms(), account, poss_resend)


def cancel(
    cl_ord_id: str = "C", orig: str = "A", *, side: Side = Side.BUY, client: str = CLIENT
) -> CancelOrder:
    return CancelOrder(client, cl_ord_id, orig, "AAPL", side)


def amend(wanted: Terms, cl_ord_id: str = "B", orig: str = "A", *, symbol: str = "AAPL") -> ReplaceOrder:
    return ReplaceOrder(CLIENT, cl_ord_id, orig, symbol, Side.BUY, wanted)


def status(cl_ord_id: str = "A") -> StatusRequest:
    return StatusRequest(CLIENT, cl_ord_id, "AAPL", Side.BUY)


def mass_cancel(request_type: str = "7", scope: MassScope = ANY, client: str = CLIENT) -> MassCancel:
    return MassCancel(client, "M", request_type, scope)


def told(reports: Decision | Sequence[Report]) -> list[str]:
    """Each report in a line: what happened, how the order stands, CumQty of OrderQty, the fill."""
    return [_line(report) for report in (reports.reports if isinstance(reports, Decision) else reports)]


def _line(report: Report) -> str:
    if isinstance(report, ExecutionReport):
        order = report.order
        fill = f" {report.last_qty}@{report.last_px}" if report.last_qty else ""
        reason = f" 103={int(report.ord_rej_reason)}" if report.ord_rej_reason is not None else ""
        orig = f" 41={report.orig_cl_ord_id}" if report.orig_cl_ord_id else ""
        state = f"{report.exec_type.name} {order.ord_status.name} {order.cum_qty}/{order.terms.order_qty}"
        return f"{order.cl_ord_id}{orig} {state}{fill}{reason}"
    if isinstance(report, MassCancelReport):
        refused = "" if report.reason is None else f" 532={report.reason}"
        return f"{report.request.cl_ord_id} MASS {report.total_affected}{refused}"
    return f"{report.cl_ord_id} 41={report.orig_cl_ord_id} 434={report.response_to.value} 102={int(report.reason)}"


def only(engine: Engine) -> Order:
    (found,) = engine.orders.values()
    return found
