"""What a venue tells us, freed of its FIX dialect: reports, refusals, and the fills that orders keep.

ExecType(150) says what happened; OrdStatus(39) is kept raw, as a check. In FIX 4.2 ExecTransType(20) takes part in
the first; the translation folds both versions into one :class:`ReportKind`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from fairlead_server.domain.reject import Reject
from fairlead_server.domain.terms import Side
from fairlead_server.domain.vocabulary import Word


class ReportKind(Word):
    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    TRADE = "TRADE"
    TRADE_CORRECT = "TRADE_CORRECT"
    TRADE_CANCEL = "TRADE_CANCEL"
    CANCELED = "CANCELED"
    REPLACED = "REPLACED"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_REPLACE = "PENDING_REPLACE"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"
    CALCULATED = "CALCULATED"
    RESTATED = "RESTATED"
    TRIGGERED = "TRIGGERED"
    STATUS = "STATUS"
    UNMAPPED = "UNMAPPED"  # an ExecType we do not know: kept and shown, never guessed


def exec_key(exec_id: str, exec_day: str) -> str:
    return f"{exec_id}@{exec_day}" if exec_day else exec_id


class VenueMessage(Struct, frozen=True):
    """Which message of which session told us, and when."""

    session_id: str
    msg_seq_num: int
    sending_time: datetime | None
    receive_time: datetime
    poss_dup: bool = False
    poss_resend: bool = False


class Execution(Struct, frozen=True):
    """One fill. It is never changed: a bust or a correction is a fact beside it."""

    execution_id: str  # ours
    exec_id: str  # ExecID(17)
    quantity: Decimal
    price: Decimal
    transact_time: datetime
    trade_id: str = ""  # TrdMatchID(880)
    last_market: str = ""  # LastMkt(30)
    liquidity: str = ""  # LastLiquidityInd(851) as received
    busted: bool = False
    superseded_by: str = ""  # the key of the correction
    corrects: str = ""  # of a correction, the key of what it corrects, where that has not been told
    exec_day: str = ""  # the day of ``exec_id``, where the venue uses it again on another

    @property
    def key(self) -> str:
        """Names it among those of its order."""
        return exec_key(self.exec_id, self.exec_day)

    @property
    def stands(self) -> bool:
        """Whether it counts."""
        return not (self.busted or self.superseded_by)


class ExecutionReport(Struct, frozen=True):
    """ExecutionReport(8). Quantities are the venue's claim, to be compared with ours; None where it said nothing."""

    kind: ReportKind
    message: VenueMessage
    exec_id: str
    exec_type: str  # ExecType(150) as received
    ord_status: str  # OrdStatus(39) as received
    cl_ord_id: str
    orig_cl_ord_id: str
    venue_order_id: str
    exec_ref_id: str
    account: str
    symbol: str
    side: Side | None
    order_qty: Decimal | None
    price: Decimal | None
    last_qty: Decimal | None
    last_px: Decimal | None
    cum_qty: Decimal | None
    leaves_qty: Decimal | None
    avg_px: Decimal | None
    transact_time: datetime
    text: str
    trade_id: str = ""
    last_market: str = ""
    liquidity: str = ""
    reject: Reject | None = None  # present where the report refuses
    exec_day: str = ""  # the day of ``exec_id``, where the venue uses it again on another


class CancelReject(Struct, frozen=True):
    """OrderCancelReject(9): a cancel or replace was turned down. CxlRejReason(102) is in ``reject``."""

    message: VenueMessage
    cl_ord_id: str
    orig_cl_ord_id: str
    venue_order_id: str
    ord_status: str
    unknown_order: bool  # CxlRejReason(102) = 1
    too_late: bool  # CxlRejReason(102) = 0
    reject: Reject


class MassCancelReport(Struct, frozen=True):
    """OrderMassCancelReport(r), or another refusal of an OrderMassCancelRequest(q), which ``cl_ord_id`` names.

    What becomes of each order it does not tell. Without ``cl_ord_id`` it answers nothing of ours.
    """

    cl_ord_id: str
    accepted: bool
    text: str = ""


class MessageReject(Struct, frozen=True):
    """Reject(3) or BusinessMessageReject(j): the peer could not take a message of ours.

    It is named by RefSeqNum(45), which is 0 where a j leaves it out, or by BusinessRejectRefID(379).
    """

    message: VenueMessage
    ref_msg_seq_num: int
    reject: Reject
    ref_msg_type: str = ""  # RefMsgType(372)
    ref_id: str = ""  # BusinessRejectRefID(379): of an order message its ClOrdID(11)
