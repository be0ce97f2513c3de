"""What operators settle by hand: how an order in doubt stands, and that an overfill does. Nothing is sent; it is recorded, told and audited."""

from __future__ import annotations

from datetime import datetime

from fairlead_server.domain.amendments import RequestOutcome, RequestRecord
from fairlead_server.domain.cause import Cause
from fairlead_server.domain.errors import NotInDoubt, OrderTerminal, RequestIdConflict
from fairlead_server.domain.order import Flag, Order
from fairlead_server.domain.reconciliation import Ruling, Verdict, reconciled
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.order_entry import Answer, OrderEntry, OrderRef
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.requests import expect
from fairlead_server.store.batch import AuditRow


class Reconciliations:
    def __init__(self, book: Book, ledger: Ledger, pipeline: Pipeline, entry: OrderEntry) -> None:
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._entry = entry

    def reconcile(
        self,
        ref: OrderRef,
        request_id: str,
        ruling: Ruling,
        cause: Cause,
        now: datetime,
        expected_version: int | None = None,
    ) -> Answer:
        """``cause`` names the operator."""
        order = self._entry.find(ref)
        with self._pipeline.deciding(f"request {request_id}"):
            if self._repeats(request_id, order, ruling):
                return Answer(order, duplicate=True)
            expect(order, expected_version)
            if not self._settles_overfill(order, ruling):
                _check(order, ruling)
            return Answer(self._enter(order, request_id, ruling, cause, now))

    def _settles_overfill(self, order: Order, ruling: Ruling) -> bool:
        """Whether the overfill is to stand, so that its account may go on; its order may have ended long ago."""
        return ruling.verdict is Verdict.STANDS and self._book.is_overfill(order.order_id)

    def _repeats(self, request_id: str, order: Order, ruling: Ruling) -> bool:
        if self._book.mass_cancel(request_id) is not None:
            raise RequestIdConflict(request_id, "")
        record = self._book.request(request_id)
        if record is not None and not record.repeats(order.order_id, ruling):
            raise RequestIdConflict(request_id, record.order_id)
        return record is not None

    def _enter(self, order: Order, request_id: str, ruling: Ruling, cause: Cause, now: datetime) -> Order:
        after = self._ledger.enter(order, reconciled(order, ruling, now), cause, now)
        record = RequestRecord(
            request_id, order.order_id, now, None, RequestOutcome.DONE, after.reject, ruling
        )
        self._ledger.remember(record)
        if self._settles_overfill(order, ruling):
            self._ledger.settle_overfill(order.order_id)
        action, subject = "order.reconcile", order.order_id
        self._ledger.audit(
            AuditRow(now, cause.principal, action, subject, str(ruling), _shown(order), _shown(after))
        )
        return after


def _check(order: Order, ruling: Ruling) -> None:
    doubtful = Flag.IN_DOUBT in order.flags
    if not (order.live or doubtful):
        raise OrderTerminal(order.order_id, order.state.value)
    if order.held or not (doubtful or ruling.forced):
        raise NotInDoubt(order.order_id, order.state.value, sent=not order.held)


def _shown(order: Order) -> str:
    doubt = " in doubt" if Flag.IN_DOUBT in order.flags else ""
    return f"{order.state.value}{doubt}, {order.cum_qty:f} of {order.terms.quantity:f} filled"
