"""Amends and cancels by their ``request_id``: what each came to, for whoever asks with it again."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_server.domain.amendments import Amendment, RequestOutcome, RequestRecord
from fairlead_server.domain.errors import RequestIdConflict, VersionMismatch
from fairlead_server.domain.order import Order, OrderState, PendingAction
from fairlead_server.domain.reject import Reject
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    order: Order
    outcome: RequestOutcome
    reject: Reject | None = None
    duplicate: bool = False


class Requests:
    def __init__(self, book: Book, ledger: Ledger) -> None:
        self._book = book
        self._ledger = ledger

    def repeated(self, request_id: str, order: Order, amendment: Amendment | None) -> RequestAnswer | None:
        if self._book.mass_cancel(request_id) is not None:
            raise RequestIdConflict(request_id, "")
        record = self._book.request(request_id)
        if record is None:
            return None
        if not record.repeats(order.order_id, amendment):
            raise RequestIdConflict(request_id, record.order_id)
        return self.standing(request_id, order, duplicate=True)

    def standing(self, request_id: str, order: Order, *, duplicate: bool) -> RequestAnswer:
        """How a request stands that was decided before, given its order as it is now."""
        record = self._book.request(request_id)
        assert record is not None  # noqa: S101 - decided before
        return RequestAnswer(order, _standing(record, order), record.reject, duplicate)

    def answered(self, record: RequestRecord, order: Order) -> RequestAnswer:
        """Part of a decision: remember what the request came to."""
        self._ledger.remember(record)
        return RequestAnswer(order, record.outcome, record.reject)


def expect(order: Order, version: int | None) -> None:
    if version is not None and version != order.version:
        raise VersionMismatch(order.order_id, version, order.version)


def _standing(record: RequestRecord, order: Order) -> RequestOutcome:
    """A cancel that found another one under way has no record of its own end: it follows from the order."""
    if record.outcome is not RequestOutcome.PENDING:
        return record.outcome
    if order.live:
        refused = record.amendment is None and order.pending_action is not PendingAction.CANCEL
        return RequestOutcome.REJECTED if refused else record.outcome
    canceled = record.amendment is None and order.state is OrderState.CANCELED
    return RequestOutcome.DONE if canceled else RequestOutcome.ALREADY_TERMINAL
