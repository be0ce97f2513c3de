"""What happened to an order, as its history and the execution stream tell it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from fairlead_server.domain.cause import Cause
from fairlead_server.domain.execution import Execution, VenueMessage
from fairlead_server.domain.order import Order
from fairlead_server.domain.reject import Reject
from fairlead_server.domain.vocabulary import Word


class EventKind(Word):
    ACCEPTED = "ACCEPTED"
    RISK_REJECTED = "RISK_REJECTED"
    ROUTED = "ROUTED"
    VENUE_PENDING = "VENUE_PENDING"
    VENUE_ACCEPTED = "VENUE_ACCEPTED"
    VENUE_REJECTED = "VENUE_REJECTED"
    FILLED = "FILLED"
    TRADE_BUSTED = "TRADE_BUSTED"
    TRADE_CORRECTED = "TRADE_CORRECTED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCEL_PENDING = "CANCEL_PENDING"
    CANCELED = "CANCELED"
    CANCEL_REJECTED = "CANCEL_REJECTED"
    AMEND_REQUESTED = "AMEND_REQUESTED"
    AMEND_PENDING = "AMEND_PENDING"
    AMENDED = "AMENDED"
    AMEND_REJECTED = "AMEND_REJECTED"
    EXPIRED = "EXPIRED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    SUSPENDED = "SUSPENDED"
    RESTATED = "RESTATED"
    IN_DOUBT = "IN_DOUBT"
    RECONCILED = "RECONCILED"
    ORPHAN_EXECUTION = "ORPHAN_EXECUTION"
    RECON_BREAK = "RECON_BREAK"
    EXEC_CONFLICT = "EXEC_CONFLICT"


class Alarm(Word):
    """Something that the rules allow for and a person must see."""

    LATE_FILL = "LATE_FILL"  # a fill after the venue had ended the order
    OVERFILL = "OVERFILL"
    EXEC_CONFLICT = "EXEC_CONFLICT"  # one ExecID(17), two contents; the first is kept
    RECON_BREAK = "RECON_BREAK"  # the venue's quantities differ from the sum of its executions
    UNKNOWN_EXEC_REF = "UNKNOWN_EXEC_REF"  # a bust or correction of a fill that we never had
    UNMAPPED_EXEC = "UNMAPPED_EXEC"  # an ExecType(150) that we do not know
    REJECT_AFTER_ACK = "REJECT_AFTER_ACK"


class Change(Struct, frozen=True):
    """What one fact did to one order. ``kind`` is None where nothing is to be told but ``alarms``."""

    order: Order
    kind: EventKind | None
    execution: Execution | None = None
    ref_exec_id: str = ""
    reject: Reject | None = None
    text: str = ""
    unsolicited: bool = False  # a cancel that nobody here asked for
    alarms: tuple[Alarm, ...] = ()
    ask_status: bool = False  # the venue must be asked how the order stands


class OrderEvent(Struct, frozen=True):
    """One line of the log: immutable, numbered without gaps, with the whole order as it was afterwards."""

    sequence: int
    event_id: str
    kind: EventKind
    order: Order
    time: datetime
    cause: Cause
    execution: Execution | None = None
    ref_exec_id: str = ""
    reject: Reject | None = None
    text: str = ""
    unsolicited: bool = False
    alarms: tuple[Alarm, ...] = ()
    transact_time: datetime | None = None
    exec_id: str = ""
    exec_type: str = ""
    message: VenueMessage | None = None
