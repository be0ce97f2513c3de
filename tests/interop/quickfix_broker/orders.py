"""What the broker knows of an order, and how it is told in each version of FIX. Standard library only, and no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

Fields = list[tuple[int, str]]

FIX_42: Final = "FIX.4.2"
FIX_44: Final = "FIX.4.4"
FIXT: Final = "FIXT.1.1"  # with FIX.5.0SP2
_TRANS_TYPE: Final = {
    "H": "1",
    "G": "2",
    "I": "3",
}  # ExecTransType(20) of FIX 4.2, by ExecType(150) of later ones


@dataclass(frozen=True, slots=True)
class Fill:
    exec_id: str
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Request:
    """A cancel, which has no quantity, or a replace."""

    cl_ord_id: str
    orig: str
    quantity: Decimal | None = None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Order:
    order_id: str
    begin_string: str
    cl_ord_id: str
    account: str
    symbol: str
    side: str
    ord_type: str
    time_in_force: str
    quantity: Decimal
    price: Decimal | None
    fills: tuple[Fill, ...] = ()  # those that stand
    status: str = "0"  # OrdStatus(39)
    replaced: bool = False
    requests: tuple[Request, ...] = ()  # all that a race has seen
    renamed: str = ""  # OrderID(37) as it is told from some time on

    @property
    def live(self) -> bool:
        return self.status in {"0", "1"}

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), Decimal(0))

    @property
    def leaves(self) -> Decimal:
        return self.quantity - self.filled if self.live else Decimal(0)

    @property
    def average(self) -> Decimal:
        paid = sum((fill.quantity * fill.price for fill in self.fills), Decimal(0))
        return paid / self.filled if self.filled else Decimal(0)


@dataclass(frozen=True, slots=True)
class Report:
    """An ExecutionReport(8) or OrderCancelReject(9) to send; ``key`` is its ExecID(17), or one of its own."""

    key: str
    msg_type: str
    begin_string: str
    fields: Fields
    poss_resend: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What one decision leaves behind: the order as it now stands, if there is one, and what to tell."""

    order: Order | None
    reports: list[Report] = field(default_factory=list)


def report(
    key: str, order: Order, exec_type: str, more: Fields | None = None, ord_status: str = ""
) -> Report:
    """``exec_type`` is that of FIX 4.4, ``more`` what it tells beside the usual."""
    status = ord_status or order.status
    kind: Fields = [(150, exec_type)]
    if order.begin_string == FIX_42:  # a trade is told by its effect, a status or a bust by ExecTransType(20)
        told = order.status if exec_type in _TRANS_TYPE else exec_type
        if exec_type == "F":
            told = "2" if order.filled >= order.quantity else "1"
        kind = [(20, _TRANS_TYPE.get(exec_type, "0")), (150, told)]
    fields = [
        (37, order.renamed or order.order_id),
        (17, key),
        *kind,
        (39, status),
        (11, order.cl_ord_id),
        *([(1, order.account)] if order.account else []),
        (55, order.symbol),
        (54, order.side),
        (38, f"{order.quantity:f}"),
        *([(40, order.ord_type)] if order.ord_type else []),
        *([(44, f"{order.price:f}")] if order.price is not None else []),
        (151, f"{order.leaves:f}"),
        (14, f"{order.filled:f}"),
        (6, f"{order.average:f}"),
        *(more or []),
    ]
    return Report(key, "8", order.begin_string, fields)


def cancel_reject(
    key: str, order: Order | None, begin_string: str, request: Request, response_to: str, reason: str
) -> Report:
    fields = [
        (37, (order.renamed or order.order_id) if order else "NONE"),
        (11, request.cl_ord_id),
        (41, request.orig),
        (39, order.status if order else "8"),
        (434, response_to),
        (102, reason),
        (58, "refused"),
    ]
    return Report(key, "9", begin_string, fields)
