"""A scenario: which orders it is for, and what the broker does with each of them, step by step. Values only.

The words are those of ExecType(150) (FIX 4.4 vol. 4, "Order State Change Matrices"); scenario_file.py reads them,
plays.py plays them.
"""

from datetime import timedelta
from decimal import Decimal
from enum import Enum, auto

from msgspec import Struct, field

from fix_sim.edits import NO_EDITS, Edits
from fix_sim.orders import ExecType, NewOrder


class Asked(Enum):
    """What a client may ask of an order."""

    NEW = "new"
    CANCEL = "cancel"
    REPLACE = "replace"
    STATUS = "status"
    MASS_CANCEL = "mass_cancel"


class Of(Enum):
    """Which of several requests that have not been answered."""

    FIRST = "first"
    LAST = "last"


class Orig(Enum):
    """What OrigClOrdID(41) may name: the order as last accepted, or the last request that is still unanswered."""

    ACCEPTED = "accepted"
    PENDING = "pending"


class Wait(Struct, frozen=True):
    time: timedelta


class Await(Struct, frozen=True):
    """Wait for a request; what it must say, if anything. A play whose request does not come so has failed."""

    asked: Asked
    within: timedelta | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    orig: Orig | None = None


class Tell(Struct, frozen=True):
    """Send an ExecutionReport(8), which also is what happens to the order.

    ``qty`` and ``price`` are those of the fill, or what a restatement changes; ``fill`` counts the order's fills from 1,
    the last one if 0: it is the one that is corrected or taken back.
    """

    exec_type: ExecType
    qty: Decimal | None = None
    price: Decimal | None = None
    fill: int = 0
    reason: int | None = None  # OrdRejReason(103), or ExecRestatementReason(378)
    text: str = ""
    of: Of = Of.FIRST
    edits: Edits = NO_EDITS


class Refuse(Struct, frozen=True):
    """Send an OrderCancelReject(9)."""

    reason: int
    text: str = ""
    of: Of = Of.FIRST
    edits: Edits = NO_EDITS


class TellMassCancel(Struct, frozen=True):
    """Send an OrderMassCancelReport(r): it is done, or, with a MassCancelRejectReason(532), it is not."""

    reason: int | None = None
    text: str = ""
    edits: Edits = NO_EDITS


class Repeat(Struct, frozen=True):
    """Send the last report once more, under its ExecID(17)."""

    edits: Edits = NO_EDITS


class RejectMessage(Struct, frozen=True):
    """Refuse the last message of the order's client with a BusinessMessageReject(j), or with a session Reject(3)."""

    reason: int
    text: str = ""
    by_session: bool = False


class Silence(Struct, frozen=True):
    """Nothing that is asked of the order from here on is ever answered."""


class Fault(Enum):
    """What befalls the session."""

    DISCONNECT = "disconnect"
    DISCONNECT_AFTER = "disconnect_after"
    STALL = "stall"
    CLOCK_SKEW = "clock_skew"
    FORGET_NUMBERS = "forget_numbers"
    RESET_NUMBERS = "reset_numbers"
    RESEND_STORM = "resend_storm"
    SECOND_LOGON = "second_logon"
    LOGOUT = "logout"


class Break(Struct, frozen=True):
    """``time`` is that of a stall or a skew, ``count`` the messages or the missing numbers that the fault is about."""

    fault: Fault
    time: timedelta = timedelta()
    count: int = 0
    text: str = ""


Step = Wait | Await | Tell | Refuse | TellMassCancel | Repeat | RejectMessage | Silence | Break


class Match(Struct, frozen=True):
    """All that is given must fit; an empty match fits every order."""

    symbol: str = ""
    account: str = ""
    cl_ord_id_prefix: str = ""
    qty: Decimal | None = None

    def fits(self, new: NewOrder) -> bool:
        return (
            self.symbol in ("", new.symbol)
            and self.account in ("", new.account)
            and new.cl_ord_id.startswith(self.cl_ord_id_prefix)
            and self.qty in (None, new.terms.order_qty)
        )


class Scenario(Struct, frozen=True):
    """``times`` is how many orders it is played with, then it fits no more; 0: all."""

    name: str
    steps: tuple[Step, ...]
    match: Match = field(default_factory=Match)
    times: int = 0
    title: str = ""
    trial: object = None  # of whoever plays the client against it; see docs/fix-sim.md


class Outcome(Enum):
    PLAYING = auto()
    PASSED = auto()  # every step was played
    FAILED = auto()  # what the scenario waited for did not come, or not as it should
