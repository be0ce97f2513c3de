"""Requests about many orders at once: OrderMassCancelRequest(q) and OrderMassStatusRequest(AF). Pure.

They reach the live orders of the session that they come over, of one symbol, of one side, of one account, as they say.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum

from msgspec.structs import replace

from fix_sim.orders import (
    NO_ORDER_ID,
    ZERO,
    ExecType,
    ExecutionReport,
    MassCancel,
    MassCancelReport,
    MassStatus,
    Order,
    OrdRejReason,
    OrdStatus,
    OrdType,
    Side,
    Terms,
)

_OF_A_SECURITY, _ALL = "1", "7"  # MassCancelRequestType(530) and MassStatusReqType(585)
_NOT_SUPPORTED, _UNKNOWN_SECURITY = 0, 1  # MassCancelRejectReason(532)
_NO_SYMBOL = "[N/A]"


class MassPolicy(Enum):
    """What becomes of a mass cancel that no scenario awaits."""

    ACCEPT = "accept"
    PARTIAL = "partial"  # accepted, and then done for every other order only, the oldest first
    REJECT = "reject"
    SILENT = "silent"  # neither answered nor done


def reached(request: MassCancel | MassStatus, orders: Iterable[Order]) -> list[Order]:
    """The oldest first."""
    return [order for order in orders if order.live and _reaches(request, order)]


def _reaches(request: MassCancel | MassStatus, order: Order) -> bool:
    return (
        order.client == request.client
        and request.scope.symbol in ("", order.symbol)
        and request.scope.side in (None, order.side)
        and request.scope.account in ("", order.account)
    )


def refusal(
    policy: MassPolicy, request: MassCancel, symbols: Container[str], now: datetime
) -> MassCancelReport | None:
    if policy is MassPolicy.REJECT:
        return rejected(request, _NOT_SUPPORTED, "no mass cancels here", now)
    if request.request_type not in (_OF_A_SECURITY, _ALL):
        return rejected(request, _NOT_SUPPORTED, "only all orders, or those of a security", now)
    if request.request_type == _OF_A_SECURITY and request.scope.symbol not in symbols:
        return rejected(request, _UNKNOWN_SECURITY, "unknown symbol", now)
    return None


def rejected(request: MassCancel, reason: int, text: str, now: datetime) -> MassCancelReport:
    return MassCancelReport(request, now, reason=reason, text=text)


def canceled(order: Order, now: datetime) -> ExecutionReport:
    """Under the order's own ClOrdID(11): the request was about others, too."""
    return ExecutionReport(replace(order, done=OrdStatus.CANCELED), ExecType.CANCELED, now)


def statuses(request: MassStatus, orders: Sequence[Order], now: datetime) -> Iterator[ExecutionReport]:
    """One an order; a single one if there is none, so that nobody waits for it."""
    for number, order in enumerate(orders, start=1):
        report = ExecutionReport(order, ExecType.ORDER_STATUS, now)
        yield _of(request, report, len(orders), last=number == len(orders))
    if not orders:
        yield _of(request, _none(request, now), 0, last=True)


def _of(request: MassStatus, report: ExecutionReport, count: int, *, last: bool) -> ExecutionReport:
    name = request.mass_status_req_id
    return replace(report, mass_status_req_id=name, tot_num_reports=count, last_rpt_requested=last)


def _none(request: MassStatus, now: datetime) -> ExecutionReport:
    symbol, terms = request.scope.symbol or _NO_SYMBOL, Terms(ZERO, OrdType.MARKET)
    absent = Order(request.client, NO_ORDER_ID, ("",), symbol, Side.BUY, terms, now)
    return ExecutionReport(
        replace(absent, done=OrdStatus.REJECTED),
        ExecType.ORDER_STATUS,
        now,
        ord_rej_reason=OrdRejReason.UNKNOWN_ORDER,
        text="no live order matches",
    )
