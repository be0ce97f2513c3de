"""Fills a store with a history: orders that were filled, and among them some that are open, with all that belongs to each.

One life is lived through the domain's own functions; the others are its copies with other names, numbers and times. They
are written by the store's own code, in groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from fairlead_server.api.images import event_bytes
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.event import EventKind, OrderEvent
from fairlead_server.domain.execution import ExecutionReport, ReportKind, VenueMessage
from fairlead_server.domain.ids import ClOrdIds, Ulids
from fairlead_server.domain.order import Order, pending_new
from fairlead_server.domain.position import FLAT, Trade
from fairlead_server.domain.terms import NewOrder, OrderType, Side, Terms, TimeInForce
from fairlead_server.domain.transitions import apply
from fairlead_server.store.batch import Batch, DecisionRow, Direction, EventRow, ExecutionRow, MessageRow
from fairlead_server.store.database import Store
from msgspec.structs import replace

ACCOUNT, INSTRUMENT, SESSION = "BENCH", "AAPL", "PAST"
_HOLDING = ACCOUNT, INSTRUMENT, ""

_GROUP = 5000  # orders a transaction
_BEGAN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
_APART = timedelta(milliseconds=20)
_HUNDRED, _PRICE = Decimal(100), Decimal("229.50")
_FRAME = (
    b"8=FIX.4.4|9=200|35=%b|49=FAIRLEAD|56=VENUE|34=%d|11=%b|" + b"1=BENCH|55=AAPL|" * 9
)  # as long as usual


@dataclass(frozen=True, slots=True)
class Life:
    """What became of one order: the order as it is now, and each step with the event that told of it."""

    order: Order
    steps: list[tuple[EventKind, bytes]]


def fill(store: Store, orders: int, live: int) -> None:
    """Orders number 1 to ``orders``, of which ``live`` are open, spread evenly. The store is empty."""
    past = _Past()
    every = orders // live if live else orders + 1
    for first in range(1, orders + 1, _GROUP):
        batch = Batch()
        for number in range(first, min(first + _GROUP, orders + 1)):
            past.add(batch, number, live=number % every == 0 and number // every <= live)
        store.commit(batch)


class _Past:
    def __init__(self) -> None:
        self._ids = Ulids(1)
        self._cl_ord_ids = ClOrdIds("FL", 0)
        self._filled, self._open = _life(filled=True), _life(filled=False)
        self._sequence = 0
        self._position = FLAT

    def add(self, batch: Batch, number: int, *, live: bool) -> None:
        life, now = self._open if live else self._filled, _BEGAN + number * _APART
        order = self._order(life.order, number, now)
        batch.orders[order.order_id] = order
        batch.new_cl_ord_ids[SESSION, order.cl_ord_id] = order.order_id
        batch.decisions.append(DecisionRow(order.order_id, "", now, True, (), "0" * 64))
        for kind, body in life.steps:
            self._event(batch, order, kind, body, now)
        if not live:
            batch.executions.append(self._execution(order, now))
            before, quantity = self._position, order.cum_qty
            opening = before if before.is_checkpoint else None
            trade = Trade(self._sequence, quantity, _PRICE, now, now.date(), SESSION, opening)
            batch.trades[*_HOLDING, self._sequence] = trade
            self._position = before.after(trade)
        self._messages(batch, order, number, now, reports=1 if live else 2)
        batch.positions[_HOLDING] = self._position
        batch.counters["cl_ord_id"] = number

    def _order(self, past: Order, number: int, now: datetime) -> Order:
        name = self._cl_ord_ids.next(now)
        return replace(
            past,
            order_id=self._ids.next(now),
            request=replace(past.request, client_order_id=f"past-{number:09d}"),
            cl_ord_ids=(name,),
            cl_ord_id=name,
            venue_order_id=f"V{number}",
            executions=tuple(replace(one, exec_id=f"T{number}") for one in past.executions),
            create_time=now,
            update_time=now,
            route_time=now,
            venue_ack_time=now,
            terminal_time=past.terminal_time and now,
            sequence=self._sequence + 3 + len(past.executions),
        )

    def _event(self, batch: Batch, order: Order, kind: EventKind, body: bytes, now: datetime) -> None:
        self._sequence += 1
        row = EventRow(
            self._sequence,
            self._ids.next(now),
            kind,
            order.order_id,
            ACCOUNT,
            INSTRUMENT,
            "",
            SESSION,
            now,
            body,
        )
        batch.events.append(row)

    def _execution(self, order: Order, now: datetime) -> ExecutionRow:
        (one,) = order.executions
        kind, side = EventKind.FILLED, order.request.side.value
        return ExecutionRow(
            self._ids.next(now),
            order.order_id,
            SESSION,
            ACCOUNT,
            INSTRUMENT,
            side,
            kind,
            one.exec_id,
            "",
            one.quantity,
            one.price,
            now,
            self._sequence,
        )

    def _messages(self, batch: Batch, order: Order, number: int, now: datetime, *, reports: int) -> None:
        name = order.cl_ord_id.encode()
        out = MessageRow(SESSION, 1, Direction.OUT, number, "D", now, _FRAME % (b"D", number, name))
        batch.messages.append(out)
        for report in range(2 * number, 2 * number + reports):
            frame = _FRAME % (b"8", report, name)
            batch.messages.append(MessageRow(SESSION, 1, Direction.IN, report, "8", now, frame))


def _life(*, filled: bool) -> Life:
    now = _BEGAN
    terms = Terms(_HUNDRED, _PRICE, time_in_force=TimeInForce.DAY if filled else TimeInForce.GTC)
    new = NewOrder(ACCOUNT, "past-000000000", INSTRUMENT, Side.BUY, OrderType.LIMIT, terms)
    created = pending_new("0" * 26, new, INSTRUMENT, now)
    sent = created.routed(SESSION, "FL1XV00000001", now)
    acked = _after(sent, ReportKind.NEW, now)
    steps = [(EventKind.ACCEPTED, created), (EventKind.ROUTED, sent), (EventKind.VENUE_ACCEPTED, acked)]
    if filled:
        steps.append((EventKind.FILLED, _after(acked, ReportKind.TRADE, now)))
    return Life(steps[-1][1], [(kind, _body(kind, order, now)) for kind, order in steps])


def _after(order: Order, kind: ReportKind, now: datetime) -> Order:
    change = apply(order, _report(kind, now), "0" * 26, now)
    assert change is not None
    return change.order


def _report(kind: ReportKind, now: datetime) -> ExecutionReport:
    traded = _HUNDRED if kind is ReportKind.TRADE else Decimal(0)
    exec_type, ord_status = ("F", "2") if traded else ("0", "0")
    return ExecutionReport(
        kind,
        VenueMessage(SESSION, 1, now, now),
        "T1",
        exec_type,
        ord_status,
        "FL1XV00000001",
        "",
        "V1",
        "",
        ACCOUNT,
        INSTRUMENT,
        Side.BUY,
        _HUNDRED,
        _PRICE,
        traded or None,
        _PRICE if traded else None,
        traded,
        _HUNDRED - traded,
        None,
        now,
        "",
    )


def _body(kind: EventKind, order: Order, now: datetime) -> bytes:
    return event_bytes(OrderEvent(1, "0" * 26, kind, order, now, Cause(Initiator.CLIENT)))
