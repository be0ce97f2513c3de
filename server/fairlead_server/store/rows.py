"""The values of each row, in the order of its columns and in the driver's own types: text, integers, bytes.

They must agree with what :mod:`fairlead_server.store.columns` reads; that every row comes back as it went in is tested.
"""

from __future__ import annotations

from fairlead_server.domain.amendments import CancelOnDisconnect, MassCancel, RequestRecord
from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.dead_man import DeadManSwitch
from fairlead_server.domain.flatten import Flatten
from fairlead_server.domain.instrument import ReferencePrice
from fairlead_server.domain.instrument_rows import Cells
from fairlead_server.domain.live_gate import LiveGate
from fairlead_server.domain.order import Order
from fairlead_server.domain.position import DayTotal, HoldingKey, Position, TotalKey, Trade, TradeKey
from fairlead_server.domain.risk.events import RiskEvent
from fairlead_server.domain.risk.limits import LimitSet
from fairlead_server.domain.trading_state import Halt
from fairlead_server.fix.session import Numbers
from fairlead_server.store import lever_tables, reference_tables, tables
from fairlead_server.store.batch import AuditRow, BackupRow, DecisionRow, EventRow, ExecutionRow, MessageRow
from fairlead_server.store.columns import micros
from fairlead_server.store.keys import client_key

Row = tuple[object, ...]

CL_ORD_ID = "session_id cl_ord_id order_id"
COUNTER = "name value"
STOP = "session_id reason"
ORDER = (
    "order_id account_id client_order_id client_key instrument_id strategy_id session_id venue_order_id"
    " state live version create_time facts"
)
ORDER_CHANGES = "session_id venue_order_id state live version facts"


def order(order: Order) -> Row:
    request = order.request
    return (
        order.order_id,
        request.account_id,
        request.client_order_id,
        client_key(request.account_id, request.client_order_id) if request.client_order_id else None,
        request.instrument_id,
        request.strategy_id,
        order.session_id,
        order.venue_order_id,
        order.state.value,
        int(order.live),
        order.version,
        micros(order.create_time),
        tables.ORDER.encode(order),
    )


def cl_ord_id(key: tuple[str, str], order_id: str) -> Row:
    return *key, order_id


EVENT = "sequence event_id kind order_id account_id instrument_id strategy_id session_id time body"


def event(row: EventRow) -> Row:
    return (
        row.sequence,
        row.event_id,
        row.kind.value,
        row.order_id,
        row.account_id,
        row.instrument_id,
        row.strategy_id,
        row.session_id,
        micros(row.time),
        row.body,
    )


EXECUTION = (
    "execution_id order_id session_id account_id instrument_id side kind exec_id ref_exec_id"
    " quantity price transact_time sequence exec_day"
)


def execution(row: ExecutionRow) -> Row:
    return (
        row.execution_id,
        row.order_id,
        row.session_id,
        row.account_id,
        row.instrument_id,
        row.side,
        row.kind.value,
        row.exec_id,
        row.ref_exec_id,
        str(row.quantity),
        str(row.price),
        micros(row.transact_time),
        row.sequence,
        row.exec_day,
    )


DECISION = "order_id request_id time allowed breaches policy_version results"


def decision(row: DecisionRow) -> Row:
    breaches, results = (
        tables.BREACHES.encode(row.breaches),
        tables.RESULTS.encode(tables.Results(row.noted, row.measures)),
    )
    return row.order_id, row.request_id, micros(row.time), row.allowed, breaches, row.policy_version, results


LIMIT_SET = "limit_id deleted facts"


def limit_set(change: tuple[LimitSet, bool]) -> Row:
    changed, deleted = change
    return changed.limit_id, deleted, tables.LIMIT_SET.encode(changed)


RISK_EVENT = "sequence time kind account_id facts"


def risk_event(event: RiskEvent) -> Row:
    facts = tables.RISK_EVENT.encode(event)
    return event.sequence, micros(event.time), event.kind.value, event.scope.account_id, facts


REQUEST = "request_id order_id time outcome facts"


def request(record: RequestRecord) -> Row:
    facts = tables.REQUEST.encode(record)
    return record.request_id, record.order_id, micros(record.time), record.outcome.value, facts


MASS_CANCEL = "request_id mass_cancel_id time facts"


def mass_cancel(done: MassCancel) -> Row:
    return done.request_id, done.mass_cancel_id, micros(done.time), tables.MASS_CANCEL.encode(done)


TRADE_SESSION = "session_key armed time facts"


def trade_session(session: CancelOnDisconnect) -> Row:
    facts = tables.TRADE_SESSION.encode(session)
    return session.session_key, session.armed, micros(session.time), facts


DEAD_MAN = "scope armed time facts"


def dead_man(switch: DeadManSwitch) -> Row:
    return str(switch.scope), switch.armed, micros(switch.time), lever_tables.DEAD_MAN.encode(switch)


LIVE_GATE = "scope state facts"


def live_gate(gate: LiveGate) -> Row:
    return str(gate.scope), gate.state.value, lever_tables.LIVE_GATE.encode(gate)


FLATTEN = "flatten_id done time facts"


def flatten(flatten: Flatten) -> Row:
    return flatten.flatten_id, flatten.stage.over, micros(flatten.time), lever_tables.FLATTEN.encode(flatten)


HALT = "number scope state request_id time facts"


def halt(halt: Halt) -> Row:
    facts = lever_tables.HALT.encode(halt)
    return halt.number, str(halt.scope), halt.state.value, halt.request_id, micros(halt.time), facts


POSITION = "account_id instrument_id strategy_id quantity facts"


def position(key: HoldingKey, position: Position) -> Row:
    return *key, str(position.quantity), tables.POSITION.encode(position)


TRADE = "account_id instrument_id strategy_id place session_id day time quantity price opening"


def trade(key: TradeKey, trade: Trade) -> Row:
    return (
        *key,
        trade.session_id,
        trade.day.isoformat(),
        micros(trade.time),
        str(trade.quantity),
        str(trade.price),
        None if trade.opening is None else tables.POSITION.encode(trade.opening),
    )


DAY_TOTAL_CHANGES = "orders fills bought_quantity bought_value sold_quantity sold_value realised"
DAY_TOTAL = f"day account_id instrument_id strategy_id session_id {DAY_TOTAL_CHANGES}"


def day_total(key: TotalKey, total: DayTotal) -> Row:
    day, *rest = key
    amounts = (
        total.bought_quantity,
        total.bought_value,
        total.sold_quantity,
        total.sold_value,
        total.realised,
    )
    return day.isoformat(), *rest, total.orders, total.fills, *map(str, amounts)


SESSION = "session_id epoch next_in next_out"
NUMBERS = "epoch next_in next_out"


def session(session_id: str, numbers: Numbers) -> Row:
    return session_id, numbers.epoch, numbers.next_in, numbers.next_out


MESSAGE = "session_id epoch direction msg_seq_num msg_type time frame"


def message(row: MessageRow) -> Row:
    direction = row.direction.value
    msg_type = row.msg_type.replace(
        "\0", "\ufffd"
    )  # a peer can write NUL, PostgreSQL cannot; the frame keeps it
    return row.session_id, row.epoch, direction, row.msg_seq_num, msg_type, micros(row.time), row.frame


AUDIT = "time principal action subject reason before after"


def audit(row: AuditRow) -> Row:
    return micros(row.time), row.principal, row.action, row.subject, row.reason, row.before, row.after


INSTRUMENT = "instrument_id facts"


def instrument(instrument_id: str, cells: Cells) -> Row:
    return instrument_id, reference_tables.CELLS.encode(dict(cells))


def price(instrument_id: str, price: ReferencePrice | None) -> Row:
    return instrument_id, reference_tables.PRICE.encode(price)


CALENDAR = "calendar_id facts"


def calendar(calendar_id: str, calendar: Calendar | None) -> Row:
    return calendar_id, reference_tables.CALENDAR.encode(calendar)


BACKUP = "backup_id time principal reason count text"


def backup(row: BackupRow) -> Row:
    return row.backup_id, micros(row.time), row.principal, row.reason, row.count, row.text
