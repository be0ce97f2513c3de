"""One request, many cancels: every live order that a selection matches.

Each order gets a cancel of its own, in one decision. None is held back by risk; where a session is down, or paced, they
wait and go out first (:mod:`fairlead_server.routing.departures`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

from fairlead_server.domain.amendments import MassCancel, RequestOutcome, Selection
from fairlead_server.domain.cause import Cause
from fairlead_server.domain.errors import RequestIdConflict, StoreUnavailable
from fairlead_server.domain.order import Order
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.order_entry import OrderEntry, OrderRef
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import NewId


class MassCancels:
    def __init__(
        self, book: Book, ledger: Ledger, pipeline: Pipeline, entry: OrderEntry, new_id: NewId
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._entry = entry
        self._new_id = new_id

    def matching(self, selection: Selection) -> list[Order]:
        """Oldest first."""
        return [order for order in self._book.all_live() if selection.matches(order)]

    def known(self, request_id: str, selection: Selection) -> MassCancel | None:
        """What the same request came to when it came before."""
        other = self._book.request(request_id)
        if other is not None:
            raise RequestIdConflict(request_id, other.order_id)
        done = self._book.mass_cancel(request_id)
        if done is not None and done.selection != selection:
            raise RequestIdConflict(request_id, "")
        return done

    def cancel(self, request_id: str, selection: Selection, cause: Cause, now: datetime) -> MassCancel:
        """Of a request that is not :meth:`known`."""
        if self._pipeline.broken:
            raise StoreUnavailable
        mass_cancel_id = self._new_id()
        part = replace(cause, request_id=request_id, mass_cancel_id=mass_cancel_id)
        outcomes = Counter(self._cancel(order, part, now) for order in self.matching(selection))
        done = MassCancel(
            request_id,
            mass_cancel_id,
            now,
            selection,
            outcomes[RequestOutcome.PENDING],
            outcomes[RequestOutcome.DONE],
            outcomes[RequestOutcome.NO_CHANGE],
        )
        with self._pipeline.deciding():
            self._ledger.remember_mass_cancel(done)
        return done

    def _cancel(self, order: Order, part: Cause, now: datetime) -> RequestOutcome:
        if any(request.is_cancel for request in order.pending):
            return RequestOutcome.NO_CHANGE
        own = str(uuid5(UUID(part.request_id), order.order_id))  # of this order's cancel alone
        return self._entry.cancel(OrderRef(order.order_id), own, part, now).outcome
