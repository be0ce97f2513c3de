"""The simulator's words: orders, what clients ask, what the broker reports. All of them frozen values.

Enumerations carry the characters of FIX 4.4 vol. 6; how FIX.4.2 spells the same fact is translate.py's
business. An order stores facts (quantities, how it ended) and derives OrdStatus(39) from them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum

from fix_sim.rules import Rule

ZERO = Decimal(0)
NO_ORDER_ID = "NONE"  # OrderID(37) of an order that the broker does not have
NO_EXEC_ID = "0"  # ExecID(17) of ExecType(150)=I, which is no execution
_AVG_PX_STEP = Decimal("0.00000001")


class Side(Enum):
    BUY = "1"
    SELL = "2"
    SELL_SHORT = "5"
    SELL_SHORT_EXEMPT = "6"


class OrdType(Enum):
    MARKET = "1"
    LIMIT = "2"
    STOP = "3"
    STOP_LIMIT = "4"

    @property
    def has_price(self) -> bool:
        return self in (OrdType.LIMIT, OrdType.STOP_LIMIT)

    @property
    def has_stop_px(self) -> bool:
        return self in (OrdType.STOP, OrdType.STOP_LIMIT)


class TimeInForce(Enum):
    DAY = "0"
    GTC = "1"
    IOC = "3"
    FOK = "4"
    GTD = "6"


class OrdStatus(Enum):
    NEW = "0"
    PARTIALLY_FILLED = "1"
    FILLED = "2"
    CANCELED = "4"
    REJECTED = "8"
    EXPIRED = "C"


class ExecType(Enum):
    NEW = "0"
    CANCELED = "4"
    REPLACED = "5"
    REJECTED = "8"
    EXPIRED = "C"
    TRADE = "F"
    ORDER_STATUS = "I"
    TRIGGERED = "L"


class OrdRejReason(IntEnum):
    """OrdRejReason(103), those that the simulator gives of its own accord."""

    UNKNOWN_SYMBOL = 1
    UNKNOWN_ORDER = 5
    DUPLICATE_ORDER = 6
    INCORRECT_QUANTITY = 13
    OTHER = 99


class CxlRejReason(IntEnum):
    TOO_LATE = 0
    UNKNOWN_ORDER = 1
    BROKER_OPTION = 2
    DUPLICATE_CL_ORD_ID = 6


class CxlRejResponseTo(Enum):
    CANCEL = "1"
    REPLACE = "2"

    @staticmethod
    def of(request: "CancelOrder | ReplaceOrder") -> "CxlRejResponseTo":
        return CxlRejResponseTo.CANCEL if isinstance(request, CancelOrder) else CxlRejResponseTo.REPLACE


@dataclass(frozen=True, slots=True)
class Terms:
    """What a NewOrderSingle(D) fixes and an OrderCancelReplaceRequest(G) may change."""

    order_qty: Decimal
    ord_type: OrdType
    price: Decimal | None = None
    stop_px: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewOrder:
    client: str
    cl_ord_id: str
    symbol: str
    side: Side
    terms: Terms
    account: str = ""
    poss_resend: bool = False


@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    client: str
    cl_ord_id: str
    orig_cl_ord_id: str
    symbol: str
    side: Side
    terms: Terms


@dataclass(frozen=True, slots=True)
class CancelOrder:
    client: str
    cl_ord_id: str
    orig_cl_ord_id: str
    symbol: str
    side: Side


@dataclass(frozen=True, slots=True)
class StatusRequest:
    client: str
    cl_ord_id: str
    symbol: str
    side: Side
    ord_status_req_id: str = ""


Request = NewOrder | ReplaceOrder | CancelOrder | StatusRequest


@dataclass(frozen=True, slots=True)
class Order:
    """One order in the broker's book.

    ``client`` is the session that sent it; a ClOrdID(11) is unique within it. ``done`` says how the order
    ended other than by being filled. ``slices_left`` and ``next_slice_at`` belong to partial fills.
    """

    client: str
    order_id: str
    cl_ord_ids: tuple[str, ...]  # every ClOrdID(11) that it was accepted under, the present one last
    symbol: str
    side: Side
    terms: Terms
    received_at: datetime
    account: str = ""
    rule: Rule = field(default_factory=Rule)
    cum_qty: Decimal = ZERO
    cum_value: Decimal = ZERO
    done: OrdStatus | None = None
    triggered: bool = False
    slices_left: int = 0
    next_slice_at: datetime | None = None

    @property
    def cl_ord_id(self) -> str:
        return self.cl_ord_ids[-1]

    @property
    def leaves_qty(self) -> Decimal:
        return ZERO if self.done else max(self.terms.order_qty - self.cum_qty, ZERO)

    @property
    def live(self) -> bool:
        return self.leaves_qty > 0

    @property
    def avg_px(self) -> Decimal:
        return (self.cum_value / self.cum_qty).quantize(_AVG_PX_STEP).normalize() if self.cum_qty else ZERO

    @property
    def ord_status(self) -> OrdStatus:
        if self.done:
            return self.done
        if not self.live:
            return OrdStatus.FILLED
        return OrdStatus.PARTIALLY_FILLED if self.cum_qty else OrdStatus.NEW

    def triggered_by(self, reference: Decimal) -> bool:
        stop = self.terms.stop_px
        return stop is not None and (reference >= stop if self.side is Side.BUY else reference <= stop)

    def marketable_at(self, reference: Decimal) -> bool:
        """Whether it trades at this price now: its stop is behind it and its limit is reached."""
        limit = self.terms.price
        if self.terms.ord_type.has_stop_px and not self.triggered:
            return False
        return limit is None or (reference <= limit if self.side is Side.BUY else reference >= limit)


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """Message 8. ``order`` is the order as it stands after what is reported."""

    order: Order
    exec_type: ExecType
    transact_time: datetime
    exec_id: str = NO_EXEC_ID
    orig_cl_ord_id: str = ""
    last_qty: Decimal = ZERO
    last_px: Decimal = ZERO
    ord_rej_reason: int | None = None
    text: str = ""
    ord_status_req_id: str = ""

    @property
    def client(self) -> str:
        return self.order.client


@dataclass(frozen=True, slots=True)
class OrderCancelReject:
    """Message 9. ``order`` is None when nothing goes by OrigClOrdID(41)."""

    client: str
    order: Order | None
    cl_ord_id: str
    orig_cl_ord_id: str
    response_to: CxlRejResponseTo
    reason: CxlRejReason
    transact_time: datetime
    text: str


Report = ExecutionReport | OrderCancelReject
