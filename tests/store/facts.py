"""What the tests of the store commit: orders, events and whole batches, each complete and told apart by a number."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from fairlead_server.domain.amendments import (
    Amendment,
    CancelOnDisconnect,
    MassCancel,
    RequestOutcome,
    RequestRecord,
    Selection,
)
from fairlead_server.domain.calendar import Calendar, Span
from fairlead_server.domain.dead_man import DeadManSwitch
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.flatten import Flatten
from fairlead_server.domain.instrument import ReferencePrice
from fairlead_server.domain.live_gate import LiveGate, LiveState
from fairlead_server.domain.order import Order, pending_new
from fairlead_server.domain.position import FLAT, DayTotal, Position, Trade
from fairlead_server.domain.reject import Breach, RejectReason
from fairlead_server.domain.risk.chain import Measure, Noted
from fairlead_server.domain.risk.events import RiskEvent, RiskEventKind
from fairlead_server.domain.risk.limits import LimitSet, Mode
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import Side
from fairlead_server.domain.trading_state import Halt, TradingState
from fairlead_server.fix.terms import Numbers
from fairlead_server.store.batch import (
    AuditRow,
    BackupRow,
    Batch,
    DecisionRow,
    Direction,
    EventRow,
    ExecutionRow,
    MessageRow,
)
from msgspec.structs import replace

from tests.domain.builders import NOW, new_order

SECOND = timedelta(seconds=1)
SESSION = "BROKER"
HOLDING = "ACC1", "ACME", ""


def order(number: int = 1, *, at: datetime | None = None, **request: Any) -> Order:
    """Number 7 is O0007, sent as C0007 and made seven seconds after NOW."""
    new = new_order(**{"client_order_id": f"client-{number}", **request})
    made = NOW + number * SECOND if at is None else at
    return pending_new(f"O{number:04}", new, "ACME", made).routed(SESSION, f"C{number:04}", made)


def event(sequence: int = 1, **changes: Any) -> EventRow:
    ordinary = EventRow(
        sequence=sequence,
        event_id=f"E{sequence:06}",
        kind=EventKind.ACCEPTED,
        order_id=f"O{sequence:04}",
        account_id="ACC1",
        instrument_id="ACME",
        strategy_id="",
        session_id=SESSION,
        time=NOW + sequence * SECOND,
        body=b"event %d" % sequence,
    )
    return replace(ordinary, **changes)


def execution(number: int = 1, **changes: Any) -> ExecutionRow:
    ordinary = ExecutionRow(
        execution_id=f"X{number:06}",
        order_id=f"O{number:04}",
        session_id=SESSION,
        account_id="ACC1",
        instrument_id="ACME",
        side="BUY",
        kind=EventKind.FILLED,
        exec_id=f"V{number}",
        ref_exec_id="",
        quantity=Decimal("10.0"),
        price=Decimal("50.10"),
        transact_time=NOW + number * SECOND,
        sequence=number,
    )
    return replace(ordinary, **changes)


def message(number: int = 1, direction: Direction = Direction.OUT, **changes: Any) -> MessageRow:
    frame = b"8=FIX.4.4|34=%d|" % number
    ordinary = MessageRow(SESSION, 1, direction, number, "D", NOW + number * SECOND, frame)
    return replace(ordinary, **changes)


def request(number: int = 1, **changes: Any) -> RequestRecord:
    amendment = Amendment(quantity=Decimal("90.00"))
    ordinary = RequestRecord(
        f"R{number}", f"O{number:04}", NOW + number * SECOND, amendment, RequestOutcome.PENDING
    )
    return replace(ordinary, **changes)


def mass_cancel(number: int = 1) -> MassCancel:
    selection = Selection("ACC1", instrument_ids=("ACME",), side=Side.SELL)
    return MassCancel(f"M{number}", f"MC{number}", NOW + number * SECOND, selection, requested=2, pending=1)


def trade_session(number: int = 1, **changes: Any) -> CancelOnDisconnect:
    ordinary = CancelOnDisconnect(f"T{number}", number * SECOND, armed=True, time=NOW + number * SECOND)
    return replace(ordinary, **changes)


def halt(number: int = 1, **changes: Any) -> Halt:
    time, state = NOW + number * SECOND, TradingState.PAUSED
    ordinary = Halt(number, Scope(f"ACC{number}"), state, time, "ann", "a reason", f"H{number}")
    return replace(ordinary, **changes)


def dead_man(number: int = 1, **changes: Any) -> DeadManSwitch:
    scope, time = Scope(f"ACC{number}"), NOW + number * SECOND
    ordinary = DeadManSwitch(scope, number * SECOND, "ann", "a reason", time)
    return replace(ordinary, **changes)


def live_gate(number: int = 1, **changes: Any) -> LiveGate:
    time = NOW + number * SECOND
    ordinary = LiveGate(Scope(f"ACC{number}"), LiveState.LIVE, "ann", "a reason", time, "bob", time + SECOND)
    return replace(ordinary, **changes)


def flatten(number: int = 1, **changes: Any) -> Flatten:
    ordinary = Flatten(f"F{number}", Scope(f"ACC{number}"), NOW + number * SECOND, "ann", "a reason")
    return replace(ordinary, **changes)


def orders(*placed: Order) -> Batch:
    return Batch(orders={each.order_id: each for each in placed})


def log(rows: Iterable[EventRow]) -> Batch:
    return Batch(events=list(rows))


def whole(number: int, size: int = 1) -> Batch:
    """The ``number``-th group of ``size`` orders: something for each table, all numbers going on from the last."""
    batch = Batch()
    for n in range((number - 1) * size + 1, number * size + 1):
        placed = order(n)
        batch.orders[placed.order_id] = placed
        batch.new_cl_ord_ids[SESSION, placed.cl_ord_id] = placed.order_id
        batch.events.append(event(n))
        batch.executions.append(execution(n))
        batch.decisions.append(decision(n))
        batch.requests[f"R{n}"] = request(n)
        batch.mass_cancels.append(mass_cancel(n))
        batch.trade_sessions[f"T{n}"] = trade_session(n)
        batch.halts[n] = halt(n)
        batch.dead_men[dead_man(n).scope] = dead_man(n)
        batch.live_gates[live_gate(n).scope] = live_gate(n)
        batch.flattens[f"F{n}"] = flatten(n)
        batch.messages += [message(n), message(n, Direction.IN)]
        batch.positions[HOLDING] = position(n)
        batch.trades[*HOLDING, n] = traded(n)
        batch.day_totals[(NOW.date(), *HOLDING, SESSION)] = DayTotal(orders=n, realised=Decimal("0.10"))
        batch.sessions[SESSION] = Numbers(next_in=n + 1, next_out=n + 1)
        batch.counters["cl_ord_id"] = n
        batch.stopped[SESSION] = f"stopped for the {n}. time"
        batch.audit.append(audited(n))
        batch.instruments[f"I{n}"] = {"halted": "true", "symbol": f"S{n}"}
        batch.prices[f"I{n}"] = price(n)
        batch.calendars[f"C{n}"] = calendar(n)
        batch.backups.append(backup(n))
        batch.limit_sets[f"L{n}"] = limit_set(n), False
        batch.risk_events.append(risk_event(n))
    return batch


def price(number: int = 1) -> ReferencePrice:
    at = NOW + number * SECOND
    return ReferencePrice(Decimal("50.10"), at, "feed", Decimal("50.05"), Decimal("50.15"), Decimal(50))


def calendar(number: int = 1) -> Calendar:
    span = Span(frozenset({0, 4}), time(9, 30), time(16))
    return Calendar(f"C{number}", ZoneInfo("America/New_York"), (span,), frozenset({date(2026, 12, 25)}))


def backup(number: int = 1) -> BackupRow:
    return BackupRow(
        f"B{number}", NOW + number * SECOND, "ops", f"reason {number}", 22, "instrument_id\nACME\n"
    )


def position(number: int = 1) -> Position:
    return Position(Decimal(number), Decimal("1.50") * number, open_time=NOW, day=NOW.date(), trades=number)


def traded(number: int = 1) -> Trade:
    """One buy; the first has its opening."""
    opening = FLAT if number == 1 else None
    return Trade(number, Decimal(1), Decimal("1.50"), NOW, NOW.date(), SESSION, opening)


def decision(number: int = 1) -> DecisionRow:
    breach = Breach("max_order_quantity", RejectReason.RISK_MAX_QUANTITY, "too many", "100", "101")
    noted = Noted(
        Mode.WARN, Breach("position", RejectReason.RISK_POSITION_LIMIT, "too long", "9", "10", "L1")
    )
    measure = Measure("max_order_quantity", "L1", Decimal(100), Decimal("101.50"))
    return DecisionRow(
        f"O{number:04}", "", NOW, False, (breach,), "sha256", noted=(noted,), measures=(measure,)
    )


def limit_set(number: int = 1, **changes: Any) -> LimitSet:
    ordinary = LimitSet(
        f"L{number}",
        Scope("ACC1", strategy_id="momentum"),
        {"max_position": Decimal("100.50")},
        {"allowed_sides": frozenset({"BUY", "SELL"})},
        Mode.WARN,
        override=True,
        version=number,
        update_time=NOW,
        updated_by="desk",
    )
    return replace(ordinary, **changes)


def risk_event(number: int = 1) -> RiskEvent:
    return RiskEvent(number, NOW, RiskEventKind.REFUSED, Scope("ACC1"), f"O{number:04}", text="too many")


def audited(number: int = 1, **changes: Any) -> AuditRow:
    at = NOW + number * SECOND
    ordinary = AuditRow(at, "ops", "session.stop", SESSION, f"reason {number}", "ACTIVE", "DISABLED")
    return replace(ordinary, **changes)
