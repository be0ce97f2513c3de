"""The orders in memory: a projection of the store, rebuilt at start, found under every name that they go by.

Live orders are always here. An older one is read back from the archive when somebody names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fairlead_server.domain.amendments import RequestRecord
from fairlead_server.domain.exposure import Exposures
from fairlead_server.domain.order import Order
from fairlead_server.routing.ports import Archive
from fairlead_server.store.snapshot import Snapshot, client_key


class Book:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._clear()

    def _clear(self) -> None:
        self.exposures = Exposures()
        self._orders: dict[str, Order] = {}
        self._by_client: dict[tuple[str, str], str] = {}
        self._by_cl_ord_id: dict[tuple[str, str], str] = {}
        self._by_venue_id: dict[tuple[str, str], str] = {}
        self._requests: dict[str, RequestRecord] = {}
        self._client_keys: set[int] = set()

    def load(self, snapshot: Snapshot) -> None:
        """Forget everything and begin again from what is committed."""
        self._clear()
        self.exposures = Exposures(snapshot.positions)
        self._client_keys = snapshot.client_keys
        for order in snapshot.orders:
            self._index(order)
            self.exposures.add_working(order)
        self._requests = {record.request_id: record for record in snapshot.requests}

    def order(self, order_id: str) -> Order | None:
        return self._orders.get(order_id) or self._archive.order(order_id)

    def by_client_order_id(self, account_id: str, client_order_id: str) -> Order | None:
        order_id = self._by_client.get((account_id, client_order_id))
        if order_id is not None:
            return self._orders[order_id]
        if client_key(account_id, client_order_id) not in self._client_keys:
            return None  # a new one, as nearly always: the store need not be asked
        return self._archive.order_by_client_order_id(account_id, client_order_id)

    def by_report(self, session_id: str, cl_ord_ids: tuple[str, ...], venue_order_id: str) -> Order | None:
        """By ClOrdID(11), then OrigClOrdID(41), then OrderID(37); a report may lack the first two."""
        for cl_ord_id in filter(None, cl_ord_ids):
            found = self._named(self._by_cl_ord_id, (session_id, cl_ord_id), self._archive.order_by_cl_ord_id)
            if found is not None:
                return found
        if venue_order_id in ("", "NONE"):  # what a venue answers for an order that it does not know
            return None
        archived = self._archive.order_by_venue_order_id
        return self._named(self._by_venue_id, (session_id, venue_order_id), archived)

    def request(self, request_id: str) -> RequestRecord | None:
        return self._requests.get(request_id)

    def live(self, session_id: str) -> Iterator[Order]:
        """The live orders of one session, oldest first; safe against changes while it is read."""
        return iter([o for o in self._orders.values() if o.session_id == session_id and o.live])

    def put(self, order: Order) -> None:
        self._index(order)

    def put_request(self, record: RequestRecord) -> None:
        self._requests[record.request_id] = record

    def _index(self, order: Order) -> None:
        order_id, request = order.order_id, order.request
        known = order_id in self._orders
        self._orders[order_id] = order
        if not known:
            self._by_client[request.account_id, request.client_order_id] = order_id
        # The venue may have renamed it: what it is called now need not be a ClOrdID(11) of ours.
        names = order.cl_ord_ids[-1:] if known else order.cl_ord_ids
        for cl_ord_id in filter(None, (*names, order.cl_ord_id)):
            self._by_cl_ord_id[order.session_id, cl_ord_id] = order_id
        if order.venue_order_id:
            self._by_venue_id[order.session_id, order.venue_order_id] = order_id

    def _named(
        self,
        index: dict[tuple[str, str], str],
        name: tuple[str, str],
        archived: Callable[[str, str], Order | None],
    ) -> Order | None:
        order_id = index.get(name)
        if order_id is not None:
            return self._orders[order_id]
        found = archived(*name)
        return found and (self._orders.get(found.order_id) or found)
