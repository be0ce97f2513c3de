"""One request, many cancels: every live order that a selection matches.

Each order has a cancel of its own, all of one decision. Where a venue can be told in one message what is meant, it is
(:mod:`fairlead_server.routing.mass_requests`). None is held back by risk; where a session is down, or paced, they wait and go
out first (:mod:`fairlead_server.routing.departures`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid5

from msgspec.structs import replace

from fairlead_server.domain.amendments import MassCancel, RequestOutcome, Selection
from fairlead_server.domain.cause import Cause
from fairlead_server.domain.errors import NotStorable, RequestIdConflict, StoreUnavailable
from fairlead_server.domain.order import Order, PendingAction, Request
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

    def cancel(
        self,
        request_id: str,
        selection: Selection,
        cause: Cause,
        now: datetime,
        spared: Callable[[Order], bool] = lambda _: False,
    ) -> MassCancel:
        """Of a request that is not :meth:`known`. Raises NotStorable, when all others are, for a cancel that cannot be durable."""
        if self._pipeline.broken:
            raise StoreUnavailable
        mass_cancel_id = self._new_id(now)
        part = replace(cause, request_id=request_id, mass_cancel_id=mass_cancel_id)
        self._book.put_selection(mass_cancel_id, selection)
        together: defaultdict[str, list[tuple[Order, Request]]] = defaultdict(list)
        outcomes: Counter[RequestOutcome] = Counter()
        lost: NotStorable | None = None
        for order in self.matching(selection):
            if spared(order):
                continue
            own = str(uuid5(UUID(request_id), order.order_id))  # the key of this order's cancel alone
            if order.pending_action is PendingAction.CANCEL:
                outcomes[RequestOutcome.NO_CHANGE] += 1
            elif order.held or not self._entry.takes_together(order.session_id, request_id):
                try:
                    outcomes[self._entry.cancel(OrderRef(order.order_id), own, part, now).outcome] += 1
                except NotStorable as error:
                    lost = error
            else:
                wanted = Request(own, now, mass_cancel_id=mass_cancel_id)
                together[order.session_id].append((order, wanted))
                outcomes[RequestOutcome.PENDING] += 1
        for cancels in together.values():
            self._entry.cancel_together(cancels, mass_cancel_id, part, now)
        if lost is not None:
            raise lost
        done = MassCancel(
            request_id,
            mass_cancel_id,
            now,
            selection,
            outcomes[RequestOutcome.PENDING],
            outcomes[RequestOutcome.DONE],
            outcomes[RequestOutcome.NO_CHANGE],
        )
        if self._book.mass_cancel(request_id) is None:  # else only what was to follow it was lost
            with self._pipeline.deciding(f"request {request_id}"):
                self._ledger.remember_mass_cancel(done)
        return done
