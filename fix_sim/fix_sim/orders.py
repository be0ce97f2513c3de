"""The simulator's words: orders, what clients ask, what the broker reports. All of them frozen values.

Enumerations carry the characters of FIX 4.4 vol. 6; how FIX.4.2 spells the same fact is translate.py's
business. An order stores facts (quantities, how it ended) and derives OrdStatus(39) from them.
"""

from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from enum import Enum, IntEnum

from msgspec import Struct, field
from msgspec.structs import replace

from fix_sim.edits import NO_EDITS, Edits
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

    @property
    def multi_day(self) -> bool:
        return self in (TimeInForce.GTC, TimeInForce.GTD)


class OrdStatus(Enum):
    NEW = "0"
    PARTIALLY_FILLED = "1"
    FILLED = "2"
    DONE_FOR_DAY = "3"
    CANCELED = "4"
    PENDING_CANCEL = "6"
    STOPPED = "7"
    REJECTED = "8"
    SUSPENDED = "9"
    PENDING_NEW = "A"
    CALCULATED = "B"
    EXPIRED = "C"
    PENDING_REPLACE = "E"


# Of all that is true of an order OrdStatus(39) tells the first (FIX 4.4 vol. 4, "Order State Change Matrices").
_PRECEDENCE = (
    OrdStatus.PENDING_CANCEL,
    OrdStatus.PENDING_REPLACE,
    OrdStatus.DONE_FOR_DAY,
    OrdStatus.CALCULATED,
    OrdStatus.FILLED,
    OrdStatus.STOPPED,
    OrdStatus.SUSPENDED,
    OrdStatus.CANCELED,
    OrdStatus.EXPIRED,
    OrdStatus.REJECTED,
    OrdStatus.PARTIALLY_FILLED,
    OrdStatus.PENDING_NEW,
    OrdStatus.NEW,
)


class ExecType(Enum):
    NEW = "0"
    DONE_FOR_DAY = "3"
    CANCELED = "4"
    REPLACED = "5"
    PENDING_CANCEL = "6"
    STOPPED = "7"
    REJECTED = "8"
    SUSPENDED = "9"
    PENDING_NEW = "A"
    CALCULATED = "B"
    EXPIRED = "C"
    RESTATED = "D"
    PENDING_REPLACE = "E"
    TRADE = "F"
    TRADE_CORRECT = "G"
    TRADE_CANCEL = "H"
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
    ALREADY_PENDING = 3
    MASS_CANCEL_UNABLE = 4
    DUPLICATE_CL_ORD_ID = 6


class CxlRejResponseTo(Enum):
    CANCEL = "1"
    REPLACE = "2"

    @staticmethod
    def of(request: "CancelOrder | ReplaceOrder | MassCancel") -> "CxlRejResponseTo":
        return CxlRejResponseTo.REPLACE if isinstance(request, ReplaceOrder) else CxlRejResponseTo.CANCEL


class Terms(Struct, frozen=True):
    """What a NewOrderSingle(D) fixes and an OrderCancelReplaceRequest(G) may change."""

    order_qty: Decimal
    ord_type: OrdType
    price: Decimal | None = None
    stop_px: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    expire_time: datetime | None = None

    def fault(self, now: datetime) -> tuple[OrdRejReason, str] | None:
        """Why no broker would take them."""
        if self.order_qty <= 0:
            return OrdRejReason.INCORRECT_QUANTITY, "OrderQty(38) is not above zero"
        if any(price is not None and price <= 0 for price in (self.price, self.stop_px)):
            return OrdRejReason.OTHER, "Price(44) or StopPx(99) is not above zero"
        if self.expire_time and self.expire_time <= now:
            return OrdRejReason.OTHER, "ExpireTime(126) is over"
        return None


class NewOrder(Struct, frozen=True):
    client: str
    cl_ord_id: str
    symbol: str
    side: Side
    terms: Terms
    account: str = ""
    poss_resend: bool = False
    msg_seq_num: int = 0  # of the message, for a reject that names it


class ReplaceOrder(Struct, frozen=True):
    client: str
    cl_ord_id: str
    orig_cl_ord_id: str
    symbol: str
    side: Side
    terms: Terms
    msg_seq_num: int = 0


class CancelOrder(Struct, frozen=True):
    client: str
    cl_ord_id: str
    orig_cl_ord_id: str
    symbol: str
    side: Side
    msg_seq_num: int = 0


class StatusRequest(Struct, frozen=True):
    client: str
    cl_ord_id: str
    symbol: str
    side: Side
    ord_status_req_id: str = ""
    msg_seq_num: int = 0


class MassScope(Struct, frozen=True):
    """An empty ``symbol`` or ``account`` is any, and no ``side`` is both."""

    symbol: str = ""
    side: Side | None = None
    account: str = ""


class MassCancel(Struct, frozen=True):
    """``request_type`` is MassCancelRequestType(530) as it came."""

    client: str
    cl_ord_id: str
    request_type: str
    scope: MassScope = MassScope()
    msg_seq_num: int = 0


class MassStatus(Struct, frozen=True):
    client: str
    mass_status_req_id: str
    scope: MassScope = MassScope()
    msg_seq_num: int = 0


OrderRequest = NewOrder | ReplaceOrder | CancelOrder | StatusRequest | MassCancel  # that a scenario may await
Request = OrderRequest | MassStatus


class Fill(Struct, frozen=True):
    """One execution as it stands: a correction takes its place, a bust takes it away."""

    exec_id: str
    qty: Decimal
    price: Decimal


class Order(Struct, frozen=True):
    """One order in the broker's book.

    ``client`` is the session that sent it; a ClOrdID(11) is unique within it. ``done`` says how the order
    ended other than by being filled, ``marks`` what else is true of it. ``slices_left`` and ``next_slice_at`` belong to
    partial fills.
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
    fills: tuple[Fill, ...] = ()
    done: OrdStatus | None = None
    marks: frozenset[OrdStatus] = frozenset()
    triggered: bool = False
    slices_left: int = 0
    next_slice_at: datetime | None = None

    @property
    def cl_ord_id(self) -> str:
        return self.cl_ord_ids[-1]

    @property
    def leaves_qty(self) -> Decimal:
        over = self.done and not (self.done is OrdStatus.DONE_FOR_DAY and self.terms.time_in_force.multi_day)
        return ZERO if over else max(self.terms.order_qty - self.cum_qty, ZERO)

    @property
    def live(self) -> bool:
        return self.leaves_qty > 0

    @property
    def avg_px(self) -> Decimal:
        return (self.cum_value / self.cum_qty).quantize(_AVG_PX_STEP).normalize() if self.cum_qty else ZERO

    @property
    def ord_status(self) -> OrdStatus:
        if self.marks:
            true = {self._own_status, *self.marks}
            return next(status for status in _PRECEDENCE if status in true)
        return self._own_status

    @property
    def _own_status(self) -> OrdStatus:
        filled = self.cum_qty >= self.terms.order_qty
        if self.done and not (filled and self.done is not OrdStatus.REJECTED and self.cum_qty):
            return self.done
        if filled:
            return OrdStatus.FILLED
        return OrdStatus.PARTIALLY_FILLED if self.cum_qty else OrdStatus.NEW

    def with_fills(self, fills: "tuple[Fill, ...]") -> "Order":
        """With these executions instead of its own."""
        return replace(
            self,
            fills=fills,
            cum_qty=sum((fill.qty for fill in fills), ZERO),
            cum_value=sum((fill.qty * fill.price for fill in fills), ZERO),
        )

    def even_slice(self) -> Decimal:
        """An even part of what is left in steps of the quantity's last digit; the last slice takes all of it."""
        leaves = self.leaves_qty
        exponent = leaves.as_tuple().exponent
        step = Decimal(1).scaleb(min(exponent, 0) if isinstance(exponent, int) else 0)
        even = (leaves / max(self.slices_left, 1)).quantize(step, ROUND_DOWN)
        return min(max(even, step), leaves)

    def triggered_by(self, reference: Decimal) -> bool:
        stop = self.terms.stop_px
        return stop is not None and (reference >= stop if self.side is Side.BUY else reference <= stop)

    def marketable_at(self, reference: Decimal) -> bool:
        """Whether it trades at this price now: its stop is behind it and its limit is reached."""
        limit = self.terms.price
        if self.terms.ord_type.has_stop_px and not self.triggered:
            return False
        return limit is None or (reference <= limit if self.side is Side.BUY else reference >= limit)


class ExecutionReport(Struct, frozen=True):
    """Message 8. ``order`` is the order as it stands after what is reported."""

    order: Order
    exec_type: ExecType
    transact_time: datetime
    exec_id: str = NO_EXEC_ID
    orig_cl_ord_id: str = ""
    last_qty: Decimal = ZERO
    last_px: Decimal = ZERO
    exec_ref_id: str = ""
    ord_rej_reason: int | None = None
    text: str = ""
    ord_status_req_id: str = ""
    mass_status_req_id: str = ""
    tot_num_reports: int = 0  # of the answers to a MassStatus, and whether this is the last of them
    last_rpt_requested: bool = False
    edits: Edits = NO_EDITS
    repeated: bool = False  # it has been told before, and is no execution of its own

    @property
    def client(self) -> str:
        return self.order.client

    def recorded(self) -> "ExecutionReport":
        """With the execution among the order's."""
        new = Fill(self.exec_id, self.last_qty, self.last_px)
        fills = self.order.fills
        if self.exec_type is ExecType.TRADE:
            return replace(self, order=replace(self.order, fills=(*fills, new)))
        if self.exec_type is ExecType.TRADE_CORRECT:
            corrected = tuple(fill if fill.exec_id else new for fill in fills)
            return replace(self, order=replace(self.order, fills=corrected))
        return self


class OrderCancelReject(Struct, frozen=True):
    """Message 9. ``order`` is None when nothing goes by OrigClOrdID(41)."""

    client: str
    order: Order | None
    cl_ord_id: str
    orig_cl_ord_id: str
    response_to: CxlRejResponseTo
    reason: CxlRejReason
    transact_time: datetime
    text: str
    edits: Edits = NO_EDITS


class MassCancelReport(Struct, frozen=True):
    """Message r. ``reason``, MassCancelRejectReason(532), is there where the request is refused."""

    request: MassCancel
    transact_time: datetime
    total_affected: int = 0
    reason: int | None = None
    text: str = ""
    edits: Edits = NO_EDITS

    @property
    def client(self) -> str:
        return self.request.client


Report = ExecutionReport | OrderCancelReject | MassCancelReport
