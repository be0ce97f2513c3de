"""What memory is rebuilt from at start."""

from __future__ import annotations

from msgspec import Struct

from fairlead_server.domain.amendments import CancelOnDisconnect, MassCancel
from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.dead_man import DeadManSwitch
from fairlead_server.domain.flatten import Flatten
from fairlead_server.domain.instrument import ReferencePrice
from fairlead_server.domain.instrument_rows import Cells
from fairlead_server.domain.live_gate import LiveGate
from fairlead_server.domain.order import Order
from fairlead_server.domain.position import DayTotal, HoldingKey, Position, TotalKey
from fairlead_server.domain.risk.limits import LimitSet
from fairlead_server.domain.trading_state import Halt
from fairlead_server.fix.terms import Numbers
from fairlead_server.store.keys import Keys


class Snapshot(Struct, frozen=True):
    """The store at one instant. ``orders`` are the live ones, ``mass_cancels`` those of the last 24 hours."""

    log_epoch: int  # made with the store: a cursor from another store does not fit
    secret: bytes  # made with the store: signs cursors
    head: int
    counters: dict[str, int]
    orders: list[Order]
    mass_cancels: list[MassCancel]
    trade_sessions: list[CancelOnDisconnect]  # those that are armed
    dead_men: list[DeadManSwitch]  # those that are armed
    live_gates: list[LiveGate]  # those that were asked for or are live
    flattens: list[Flatten]  # those under way, and those of the last 24 hours
    halts: list[Halt]  # in their order: the latest of each scope, and all of the last 24 hours
    positions: list[tuple[HoldingKey, Position]]
    day_totals: list[tuple[TotalKey, DayTotal]]  # of what may still be today, in whatever zone
    sessions: dict[str, Numbers]
    stopped: dict[str, str]  # why, by session_id; those that run are not in it
    client_keys: Keys  # of all orders ever
    request_keys: Keys  # of the last 24 hours
    limit_sets: list[LimitSet]  # those that operators have set
    risk_head: int  # the sequence of the latest risk event
    recent: list[Order]  # made since the time asked for, whatever became of them
    instruments: dict[str, Cells]  # what operators have changed of them
    prices: dict[str, ReferencePrice]  # the last of each
    calendars: list[Calendar]  # those of operators
