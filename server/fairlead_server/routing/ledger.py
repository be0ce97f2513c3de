"""Where a decision becomes facts: the book, the exposures and the open batch change together, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from fairlead_server.domain.alerts import alert
from fairlead_server.domain.amendments import CancelOnDisconnect, MassCancel, RequestOutcome, RequestRecord
from fairlead_server.domain.cause import Cause
from fairlead_server.domain.dead_man import DeadManSwitch
from fairlead_server.domain.event import Change, EventKind, OrderEvent
from fairlead_server.domain.execution import ExecutionReport, VenueMessage
from fairlead_server.domain.flatten import Flatten
from fairlead_server.domain.live_gate import LiveGate
from fairlead_server.domain.order import Order, OrderState, Request
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.risk.events import RiskEvent, RiskEventKind
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_state import Halt
from fairlead_server.routing.book import Book, asked_counter, overfilled_counter
from fairlead_server.routing.pipeline import Act, Pipeline
from fairlead_server.routing.ports import EncodeEvent, NewId, Outbound
from fairlead_server.store.batch import AuditRow, DecisionRow, EventRow, ExecutionRow

_log = logging.getLogger(__name__)


class Ledger:
    """Numbers the events of the log, densely from ``head``."""

    def __init__(self, book: Book, pipeline: Pipeline, encode: EncodeEvent, new_id: NewId) -> None:
        self._book = book
        self._pipeline = pipeline
        self._encode = encode
        self._new_id = new_id
        self.head = 0
        self.risk_head = 0  # of the risk events
        self.on_fill: Callable[[Order], None] = lambda _: None

    def enter(
        self,
        before: Order | None,
        change: Change,
        cause: Cause,
        now: datetime,
        report: ExecutionReport | None = None,
        message: VenueMessage | None = None,
    ) -> Order:
        """Record one change of one order; returns the order as it is now known, with its place in the log.

        Where the venue and we disagree, that is an event of its own behind it.
        """
        order = change.order
        if change.kind is not None:
            order = self._enter(before, change, change.kind, cause, now, report, message)
        for alarm in change.alarms:
            _log.warning("%s on order %s %s", alarm.value, order.order_id, change.text)
            alerted = alert(order, alarm, report, now)
            if alerted is not None:
                order = self.enter(order, alerted, cause, now, report, message)
        return order

    def _enter(
        self,
        before: Order | None,
        change: Change,
        kind: EventKind,
        cause: Cause,
        now: datetime,
        report: ExecutionReport | None,
        message: VenueMessage | None,
    ) -> Order:
        batch = self._pipeline.batch
        cause = _with_mass_cancel(cause, before, kind)
        self.head += 1
        order = replace(change.order, sequence=self.head, last_cause=cause)
        event = self._event(order, change, kind, cause, now, report, message)
        batch.events.append(self._row(event))
        batch.orders[order.order_id] = order
        self._book.put(order)
        self._book.exposures.change(before, order)
        self._book.holdings.entered(before, order, change, kind, now, batch)
        if change.execution is not None:
            if kind is EventKind.FILLED:
                self.on_fill(order)
            batch.executions.append(_execution_row(event, change, report.exec_day if report else ""))
        if before is not None and before.pending != order.pending:
            self._settle(before, order, change)
        return order

    def name(self, session_id: str, cl_ord_id: str, order_id: str, last: int) -> None:
        """A ClOrdID(11) was given out for an order; the counter that made it stands at ``last``."""
        batch = self._pipeline.batch
        batch.new_cl_ord_ids[session_id, cl_ord_id] = order_id
        batch.counters["cl_ord_id"] = last

    def named_by_venue(self, order: Order) -> None:
        """An external order's ClOrdID(11), which was not given out here, finds it when memory holds it no more."""
        self._pipeline.batch.new_cl_ord_ids[order.session_id, order.cl_ord_id] = order.order_id

    def count_cl_ord_ids(self, last: int) -> None:
        """A ClOrdID(11) was given out that is not of one order; the counter that made it stands at ``last``."""
        self._pipeline.batch.counters["cl_ord_id"] = last

    def decide(self, row: DecisionRow) -> None:
        self._pipeline.batch.decisions.append(row)

    def risk_event(self, kind: RiskEventKind, scope: Scope, now: datetime, **facts: Any) -> None:
        """``facts`` are the rest of a :class:`RiskEvent`, by name."""
        self.risk_head += 1
        self._pipeline.batch.risk_events.append(RiskEvent(self.risk_head, now, kind, scope, **facts))

    def remember(self, record: RequestRecord) -> None:
        self._book.put_request(record)
        self._pipeline.batch.requests[record.request_id] = record

    def remember_mass_cancel(self, done: MassCancel) -> None:
        self._book.put_mass_cancel(done)
        self._pipeline.batch.mass_cancels.append(done)

    def remember_trade_session(self, session: CancelOnDisconnect) -> None:
        self._pipeline.batch.trade_sessions[session.session_key] = session

    def remember_dead_man(self, switch: DeadManSwitch) -> None:
        self._pipeline.batch.dead_men[switch.scope] = switch

    def remember_live_gate(self, gate: LiveGate) -> None:
        self._book.live_gates.put(gate)
        self._pipeline.batch.live_gates[gate.scope] = gate

    def remember_flatten(self, flatten: Flatten) -> None:
        self._pipeline.batch.flattens[flatten.flatten_id] = flatten

    def remember_halt(self, halt: Halt) -> None:
        """In force at once: whatever is decided from now on meets it."""
        self._book.halts.put(halt)
        self._pipeline.batch.halts[halt.number] = halt

    def audit(self, row: AuditRow) -> None:
        self._pipeline.batch.audit.append(row)

    def asked_all(self, session_id: str, epoch: int) -> None:
        """How the orders of a session stand was asked after its numbers had begun anew with ``epoch``, and is known."""
        self._book.put_asked_epoch(session_id, epoch)
        self._pipeline.batch.counters[asked_counter(session_id)] = epoch

    def halt_after(self, order: Order) -> None:
        """It was overfilled: its account opens no more in its instrument until that is settled."""
        self._book.put_overfill(order)
        self._pipeline.batch.counters[overfilled_counter(order.order_id)] = 1

    def settle_overfill(self, order_id: str) -> None:
        self._book.end_overfill(order_id)
        self._pipeline.batch.counters[overfilled_counter(order_id)] = 0

    def send(self, outbound: Outbound) -> None:
        """The messages' rows and numbers belong to this transaction; the bytes follow its commit."""
        batch = self._pipeline.batch
        batch.messages.extend(outbound.rows)
        batch.sessions[outbound.session_id] = outbound.numbers
        if outbound.data:
            self._pipeline.then_write(outbound.write, outbound.data)

    def then(self, act: Act) -> None:
        """Do this when what has been decided so far is durable."""
        self._pipeline.then(act)

    def _event(
        self,
        order: Order,
        change: Change,
        kind: EventKind,
        cause: Cause,
        now: datetime,
        report: ExecutionReport | None,
        message: VenueMessage | None,
    ) -> OrderEvent:
        return OrderEvent(
            self.head,
            self._new_id(now),
            kind,
            order,
            now,
            cause,
            change.execution,
            change.ref_exec_id,
            change.reject,
            change.text,
            change.unsolicited,
            change.alarms,
            report.transact_time if report else None,
            report.exec_id if report else "",
            report.exec_type if report else "",
            report.message if report else message,
        )

    def _row(self, event: OrderEvent) -> EventRow:
        order, request = event.order, event.order.request
        return EventRow(
            event.sequence,
            event.event_id,
            event.kind,
            order.order_id,
            request.account_id,
            request.instrument_id,
            request.strategy_id,
            order.session_id,
            event.time,
            self._encode(event),
        )

    def _settle(self, before: Order, after: Order, change: Change) -> None:
        """Requests that this change has ended get their outcome, for whoever repeats them."""
        still = {request.request_id for request in after.pending}
        ended = [request for request in before.pending if request.request_id not in still]
        for request in ended:
            record = self._book.request(request.request_id)
            if record is not None:
                meant = (
                    request.is_sent or len(ended) == 1
                )  # else it went with the order, when another was refused
                outcome, reject = _outcome(request, after, change, meant=meant)
                self.remember(replace(record, outcome=outcome, reject=reject))


def _with_mass_cancel(cause: Cause, before: Order | None, kind: EventKind) -> Cause:
    """What becomes of a cancel tells of which mass cancel it was part, whoever has brought it about."""
    if before is None or kind not in _OF_CANCELS:
        return cause
    named = next((r.mass_cancel_id for r in before.pending if r.is_cancel and r.mass_cancel_id), "")
    return replace(cause, mass_cancel_id=named) if named else cause


_OF_CANCELS = frozenset(
    {
        EventKind.CANCEL_REQUESTED,
        EventKind.CANCEL_PENDING,
        EventKind.CANCELED,
        EventKind.CANCEL_REJECTED,
    }
)


def _outcome(
    request: Request, after: Order, change: Change, *, meant: bool
) -> tuple[RequestOutcome, Reject | None]:
    """How a request ended that is not pending any more."""
    if meant and change.kind in (EventKind.CANCEL_REJECTED, EventKind.AMEND_REJECTED):
        return RequestOutcome.REJECTED, change.reject
    if request.is_cancel:
        canceled = after.state is OrderState.CANCELED
        return RequestOutcome.DONE if canceled else RequestOutcome.ALREADY_TERMINAL, None
    if change.kind is EventKind.AMENDED:
        return RequestOutcome.DONE, None
    if change.kind is EventKind.IN_DOUBT:
        return RequestOutcome.REJECTED, Reject(
            RejectSource.ROUTER, RejectReason.ROUTER_SESSION_LOST, change.text
        )
    text = f"the order is {after.state.value}"
    return RequestOutcome.REJECTED, Reject(RejectSource.ROUTER, RejectReason.ROUTER_ORDER_TERMINAL, text)


def _execution_row(event: OrderEvent, change: Change, exec_day: str) -> ExecutionRow:
    execution, order = change.execution, event.order
    assert execution is not None  # noqa: S101 - the caller has looked
    busted = event.kind is EventKind.TRADE_BUSTED
    return ExecutionRow(
        event.event_id if busted else execution.execution_id,
        order.order_id,
        order.session_id,
        order.request.account_id,
        order.request.instrument_id,
        order.request.side.value,
        event.kind,
        event.exec_id,
        change.ref_exec_id,
        execution.quantity,
        execution.price,
        execution.transact_time,
        event.sequence,
        exec_day,
    )
