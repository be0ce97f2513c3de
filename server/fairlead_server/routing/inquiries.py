"""What operators ask of venues: how orders stand. The answers are reports like any other and are applied as such."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from fairlead_server.domain.errors import UnknownSession, VenueUnavailable
from fairlead_server.domain.order import Order
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.order_entry import OrderRef
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Gateway, Operator
from fairlead_server.routing.queue import Turn
from fairlead_server.routing.unanswered import inquire
from fairlead_server.store.batch import AuditRow


class Inquiries:
    """Each is one decision and returns about how many orders the venue is asked, each in its turn."""

    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        pipeline: Pipeline,
        gateways: Mapping[str, Gateway],
        find: Callable[[OrderRef], Order],
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._gateways = gateways
        self._find = find

    def of_order(self, ref: OrderRef, by: Operator, now: datetime) -> int:
        """Live or not; none for one that was never sent."""
        order = self._find(ref)
        if not order.session_id:
            return 0
        return self._ask(self._gateway(order.session_id), [order], order.order_id, by, now)

    def of_session(self, session_id: str, by: Operator, now: datetime) -> int:
        """Every live order of it."""
        gateway = self._gateway(session_id)
        return self._ask(gateway, list(self._book.live(session_id)), session_id, by, now)

    def _gateway(self, session_id: str) -> Gateway:
        gateway = self._gateways.get(session_id)
        if gateway is None:
            raise UnknownSession(session_id)
        return gateway

    def _ask(
        self, gateway: Gateway, orders: Sequence[Order], subject: str, by: Operator, now: datetime
    ) -> int:
        sent = [order for order in orders if order.cl_ord_id or order.venue_order_id]
        with self._pipeline.deciding():
            if not gateway.available:
                raise VenueUnavailable(gateway.session_id, gateway.down_since)
            for order in sent:
                inquire(self._book, self._ledger, order, gateway, now, Turn.ASKED)
            done = AuditRow(
                now, by.principal, "order.status", subject, by.reason, after=f"{len(sent)} asked about"
            )
            self._pipeline.batch.audit.append(done)
        return len(sent)
