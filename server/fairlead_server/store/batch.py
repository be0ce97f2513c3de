"""Facts that are decided but not yet durable: what one transaction will hold.

Everything that belongs together is in one batch: an order and the FIX message that carries it, the message's number,
the event that tells of it. Rows that only have a last value (an order, a position, a session's numbers) are keyed, so
that an order which changes five times within a group is written once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from enum import Enum
from operator import attrgetter

from msgspec import Struct

from fairlead_server.domain.amendments import CancelOnDisconnect, MassCancel, RequestRecord
from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.dead_man import DeadManSwitch
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.flatten import Flatten
from fairlead_server.domain.instrument import ReferencePrice
from fairlead_server.domain.instrument_rows import Cells
from fairlead_server.domain.live_gate import LiveGate
from fairlead_server.domain.order import Order
from fairlead_server.domain.position import DayTotal, HoldingKey, Position, TotalKey, Trade, TradeKey
from fairlead_server.domain.reject import Breach
from fairlead_server.domain.risk.chain import Measure, Noted
from fairlead_server.domain.risk.events import RiskEvent
from fairlead_server.domain.risk.limits import LimitSet
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_state import Halt
from fairlead_server.fix.session import Numbers


class Direction(Enum):
    IN = "IN"
    OUT = "OUT"


class EventRow(Struct, frozen=True):
    """One line of the log. ``body`` is the event as the API serialises it, once, for storage and every subscriber."""

    sequence: int
    event_id: str
    kind: EventKind
    order_id: str
    account_id: str
    instrument_id: str
    strategy_id: str
    session_id: str
    time: datetime
    body: bytes


class ExecutionRow(Struct, frozen=True):
    """A fill, a bust (quantity and price of the fill it undoes) or a correction, as it was reported."""

    execution_id: str
    order_id: str
    session_id: str
    account_id: str
    instrument_id: str
    side: str
    kind: EventKind  # FILLED, TRADE_BUSTED, TRADE_CORRECTED
    exec_id: str
    ref_exec_id: str
    quantity: Decimal
    price: Decimal
    transact_time: datetime
    sequence: int  # of its event
    exec_day: str = ""  # of ``exec_id``, where the venue uses it again on another


class DecisionRow(Struct, frozen=True):
    """What risk said to one order (``request_id`` empty) or amend, and by which version of its configuration."""

    order_id: str
    request_id: str
    time: datetime
    allowed: bool
    breaches: tuple[Breach, ...]
    policy_version: str
    noted: tuple[Noted, ...] = ()  # breaches of limits that are not in force
    measures: tuple[Measure, ...] = ()  # what each limit was compared with


class MessageRow(Struct, frozen=True):
    """One FIX message of the journal, with secrets masked; outgoing ones answer a ResendRequest(2)."""

    session_id: str
    epoch: int
    direction: Direction
    msg_seq_num: int
    msg_type: str
    time: datetime  # SendingTime(52) of what we sent, arrival of what we received
    frame: bytes


class AuditRow(Struct, frozen=True):
    """What an operator did: ``action`` on ``subject`` and why, with what it changed in words."""

    time: datetime
    principal: str
    action: str  # such as "session.stop"
    subject: str
    reason: str
    before: str = ""
    after: str = ""


class BackupRow(Struct, frozen=True):
    """All instruments as CSV, as they were before an import, which ``principal`` made for that ``reason``."""

    backup_id: str
    time: datetime
    principal: str
    reason: str
    count: int
    text: str


@dataclass(slots=True)
class Batch:
    orders: dict[str, Order] = field(default_factory=dict)  # by order_id
    new_cl_ord_ids: dict[tuple[str, str], str] = field(
        default_factory=dict
    )  # (session_id, cl_ord_id): order_id
    events: list[EventRow] = field(default_factory=list)
    executions: list[ExecutionRow] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    requests: dict[str, RequestRecord] = field(default_factory=dict)  # by request_id
    mass_cancels: list[MassCancel] = field(default_factory=list)
    trade_sessions: dict[str, CancelOnDisconnect] = field(default_factory=dict)  # by session_key
    halts: dict[int, Halt] = field(default_factory=dict)  # by number
    dead_men: dict[Scope, DeadManSwitch] = field(default_factory=dict)
    live_gates: dict[Scope, LiveGate] = field(default_factory=dict)
    flattens: dict[str, Flatten] = field(default_factory=dict)  # by flatten_id
    positions: dict[HoldingKey, Position] = field(default_factory=dict)
    trades: dict[TradeKey, Trade] = field(default_factory=dict)
    day_totals: dict[TotalKey, DayTotal] = field(default_factory=dict)
    sessions: dict[str, Numbers] = field(default_factory=dict)  # by session_id
    messages: list[MessageRow] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)  # by name, such as "cl_ord_id"
    stopped: dict[str, str] = field(default_factory=dict)  # session_id: why it is stopped, "" where it is not
    audit: list[AuditRow] = field(default_factory=list)
    instruments: dict[str, Cells] = field(default_factory=dict)  # what was changed of each, empty: nothing
    prices: dict[str, ReferencePrice | None] = field(default_factory=dict)  # the last, by instrument_id
    calendars: dict[str, Calendar | None] = field(default_factory=dict)  # by calendar_id
    backups: list[BackupRow] = field(default_factory=list)
    limit_sets: dict[str, tuple[LimitSet, bool]] = field(default_factory=dict)  # by limit_id: whether deleted
    risk_events: list[RiskEvent] = field(default_factory=list)
    gone_events: list[int] = field(default_factory=list)  # sequences of those that are in the archive
    gone_messages: list[int] = field(default_factory=list)  # their message_id

    @property
    def size(self) -> int:
        """How many rows it is."""
        return sum(map(len, _contents(self)))

    def __bool__(self) -> bool:
        return any(_contents(self))


_contents = attrgetter(*(each.name for each in fields(Batch)))
