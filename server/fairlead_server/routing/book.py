"""The orders in memory: a projection of the store, rebuilt at start, found under every name that they go by.

Live orders are always here, and the latest of those that have ended. An older one is read back from the archive when
somebody names it, so that memory grows with what is open, and not with what there ever was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from types import MappingProxyType

from fairlead_server.domain.amendments import MassCancel, RequestRecord, Selection
from fairlead_server.domain.exposure import Exposures, PositionKey, scope_of
from fairlead_server.domain.live_gate import LiveGates
from fairlead_server.domain.order import Flag, Order
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_day import TradingDay
from fairlead_server.domain.trading_state import Halts
from fairlead_server.routing.holdings import Holdings, Multiplier
from fairlead_server.routing.in_flight import InFlight, Wait
from fairlead_server.routing.ports import Archive
from fairlead_server.routing.queue import Queue, cancel_waiting
from fairlead_server.routing.shelf import KEEP, Shelf
from fairlead_server.store.batch import Batch
from fairlead_server.store.keys import Keys, client_key, request_key
from fairlead_server.store.snapshot import Snapshot

_ONE = Decimal(1)
_ASKED = "asked/"
_OVERFILLED = "overfilled/"


def asked_counter(session_id: str) -> str:
    return f"{_ASKED}{session_id}"


def overfilled_counter(order_id: str) -> str:
    return f"{_OVERFILLED}{order_id}"


class Book:
    """Of the orders that have ended, and of the requests, the latest ``keep`` are here."""

    def __init__(
        self,
        archive: Archive,
        keep: int = KEEP,
        days: Mapping[str, TradingDay] = MappingProxyType({}),
        multiplier: Multiplier = lambda _: _ONE,
    ) -> None:
        """``days`` says when an account's day begins; one that is not in it keeps to UTC.

        ``multiplier`` is that of an instrument.
        """
        self._archive = archive
        self._keep = keep
        self._tracked: frozenset[Scope] = frozenset()
        self._days = days
        self._multiplier = multiplier
        self._clear()

    def _clear(self) -> None:
        self.exposures = Exposures()
        self.holdings = Holdings(self._archive, self._days, self._multiplier)
        self._orders: Shelf[Order] = Shelf(self._keep)
        self._by_client: dict[tuple[str, str], str] = {}
        self._by_cl_ord_id: dict[tuple[str, str], str] = {}
        self._by_venue_id: dict[tuple[str, str], tuple[str, ...]] = {}  # all that have had it
        self._requests: Shelf[RequestRecord] = Shelf(self._keep)
        self._mass_cancels: dict[str, MassCancel] = {}
        self._selections: dict[str, Selection] = {}
        self._client_keys = Keys()
        self._request_keys = Keys()
        self._queues: defaultdict[str, Queue] = defaultdict(Queue)
        self._in_flight: dict[str, InFlight] = {}
        self._asked_epochs: dict[str, int] = {}
        self._overfills: dict[str, PositionKey] = {}  # by order_id
        self._in_doubt: dict[str, Order] = {}
        # The live ones, by instrument_id and the sign of their side.
        self._resting: defaultdict[tuple[str, int], dict[str, Order]] = defaultdict(dict)
        self.halts = Halts()
        self.live_gates = LiveGates()

    def load(self, snapshot: Snapshot) -> None:
        """Forget everything and begin again from what is committed."""
        self._clear()
        self.holdings.load(snapshot)
        self.exposures = Exposures(self.holdings.quantities(), self._tracked)
        self._client_keys, self._request_keys = snapshot.client_keys, snapshot.request_keys
        for order in snapshot.orders:
            self.put(order)
            self.exposures.add_working(order)
            for request in order.pending:
                if request.is_cancel and request.waits:
                    self.queue(order.session_id).put(cancel_waiting(order.order_id, request))
        self.halts = Halts(snapshot.halts)
        self.live_gates = LiveGates(snapshot.live_gates)
        for done in snapshot.mass_cancels:
            self.put_mass_cancel(done)
        self._asked_epochs = {
            name.removeprefix(_ASKED): epoch
            for name, epoch in snapshot.counters.items()
            if name.startswith(_ASKED)
        }
        for name, unsettled in snapshot.counters.items():
            if name.startswith(_OVERFILLED) and unsettled:
                overfilled = self._archive.order(name.removeprefix(_OVERFILLED))
                assert overfilled is not None  # noqa: S101 - stored before
                self.put_overfill(overfilled)

    def order(self, order_id: str) -> Order | None:
        return self._orders.get(order_id) or self._archive.order(order_id)

    def by_client_order_id(self, account_id: str, client_order_id: str) -> Order | None:
        order_id = self._by_client.get((account_id, client_order_id))
        if order_id is not None:
            return self._orders.get(order_id)
        if client_key(account_id, client_order_id) not in self._client_keys:
            return None  # a new one, as nearly always: the store need not be asked
        return self._archive.order_by_client_order_id(account_id, client_order_id)

    def by_report(self, session_id: str, cl_ord_ids: tuple[str, ...], venue_order_id: str) -> Order | None:
        """By ClOrdID(11), then OrigClOrdID(41), then OrderID(37); a report may lack the first two."""
        for cl_ord_id in filter(None, cl_ord_ids):
            found = self._by_name(session_id, cl_ord_id)
            if found is not None:
                return found
        if venue_order_id in ("", "NONE"):  # what a venue answers for an order that it does not know
            return None
        return self._by_venue_order_id(session_id, venue_order_id)

    def request(self, request_id: str) -> RequestRecord | None:
        record = self._requests.get(request_id)
        if record is not None or request_key(request_id) not in self._request_keys:
            return record
        return self._archive.request(request_id)

    def mass_cancel(self, request_id: str) -> MassCancel | None:
        return self._mass_cancels.get(request_id)

    def in_memory(self) -> list[Order]:
        return list(self._orders.values())

    def selection(self, mass_cancel_id: str) -> Selection | None:
        """What a mass cancel is for; None for one that is older than a day."""
        return self._selections.get(mass_cancel_id)

    def all_live(self) -> list[Order]:
        """Of every session and of none, oldest first."""
        return [order for order in self.in_memory() if order.live]

    def live(self, session_id: str) -> Iterator[Order]:
        """The live orders of one session, oldest first; safe against changes while it is read."""
        return iter([o for o in self.in_memory() if o.session_id == session_id and o.live])

    def unsent(self, session_id: str = "") -> list[Order]:
        """The live orders, of one session or all, that are held themselves or have a request that is not sent; oldest first."""
        unsent = [o for o in self.all_live() if o.held or not all(request.is_sent for request in o.pending)]
        return [order for order in unsent if session_id in ("", order.session_id)]

    def queue(self, session_id: str) -> Queue:
        """What waits to be sent there."""
        return self._queues[session_id]

    def in_flight(self, session_id: str) -> InFlight:
        """Which of its orders wait for a word of the venue."""
        found = self._in_flight.get(session_id)
        if found is None:
            found = self._in_flight[session_id] = InFlight(self._still_waits)
        return found

    def _still_waits(self, wait: Wait) -> bool:
        order = self._orders.get(wait.order_id)
        return order is not None and self.matters(order)  # only live orders wait, and those are in memory

    def matters(self, order: Order) -> bool:
        """Whether the venue still has to say how the order stands."""
        asked = order.order_id in self.in_flight(order.session_id).asked
        return asked or Flag.IN_DOUBT in order.flags or bool(order.unanswered)

    def asked_epoch(self, session_id: str) -> int:
        """The latest epoch of a session in which it is known how the orders of the one before stand."""
        return self._asked_epochs.get(session_id, 1)

    def put_asked_epoch(self, session_id: str, epoch: int) -> None:
        self._asked_epochs[session_id] = epoch

    def overfilled(self, account_id: str, instrument_id: str) -> str:
        """The order_id of the latest overfill that keeps the account from opening more in the instrument, empty if none does."""
        if not self._overfills:
            return ""
        key = account_id, instrument_id
        return next((order_id for order_id, halted in reversed(self._overfills.items()) if halted == key), "")

    def is_overfill(self, order_id: str) -> bool:
        """Whether it is one of those."""
        return order_id in self._overfills

    def put_overfill(self, order: Order) -> None:
        self._overfills[order.order_id] = order.request.account_id, order.request.instrument_id

    def end_overfill(self, order_id: str) -> None:
        del self._overfills[order_id]

    def put(self, order: Order) -> None:
        self._index(order)
        if Flag.IN_DOUBT in order.flags:
            self._in_doubt[order.order_id] = order
        else:
            self._in_doubt.pop(order.order_id, None)
        place = order.request.instrument_id, order.request.side.sign
        if order.live:
            self._resting[place][order.order_id] = order
        elif place in self._resting:
            self._resting[place].pop(order.order_id, None)

    def resting(self, instrument_id: str, *signs: int) -> list[Order]:
        """The live orders in one instrument, of all accounts and of the sides of those signs; without any, of both."""
        places = [(instrument_id, sign) for sign in signs or (1, -1)]
        return [order for place in places for order in self._resting.get(place, {}).values()]

    def in_doubt(self, scope: Scope) -> int:
        """How many orders of the scope are."""
        doubtful = self._in_doubt.values()
        return sum(1 for order in doubtful if scope.holds(scope_of(order.request, order.session_id)))

    def track(self, scopes: frozenset[Scope]) -> None:
        """Keep totals of these, from now on and over every restart of memory; they are complete when this returns."""
        if scopes == self._tracked:
            return
        self._tracked = scopes
        self.exposures = self.exposures.tracking(scopes, self.all_live())

    def put_request(self, record: RequestRecord) -> None:
        self._requests.put(record.request_id, record)

    def committed(self, batch: Batch) -> None:
        """These images are durable: what has ended and is too much is forgotten, for the store has it."""
        self.holdings.committed(batch)
        for order in batch.orders.values():
            if not order.live and Flag.IN_DOUBT not in order.flags:
                self._orders.end(order.order_id, order)
        for order in self._orders.surplus():
            self._forget(order)
        for record in batch.requests.values():
            self._requests.end(record.request_id, record)
        for record in self._requests.surplus():
            self._request_keys.add(request_key(record.request_id))

    def put_mass_cancel(self, done: MassCancel) -> None:
        self._mass_cancels[done.request_id] = done
        self.put_selection(done.mass_cancel_id, done.selection)

    def put_selection(self, mass_cancel_id: str, selection: Selection) -> None:
        self._selections[mass_cancel_id] = selection

    def _index(self, order: Order) -> None:
        order_id, request = order.order_id, order.request
        known = self._orders.get(order_id)
        self._orders.put(order_id, order)
        if known is None:
            self._by_client[request.account_id, request.client_order_id] = order_id
        # The venue may have renamed it: what it is called now need not be a ClOrdID(11) of ours.
        if known is None or order.cl_ord_ids is not known.cl_ord_ids or order.cl_ord_id != known.cl_ord_id:
            for cl_ord_id in filter(None, (*order.cl_ord_ids, order.cl_ord_id)):
                self._by_cl_ord_id[order.session_id, cl_ord_id] = order_id
        if order.venue_order_id and (known is None or order.venue_order_id != known.venue_order_id):
            name = order.session_id, order.venue_order_id
            ids = self._by_venue_id.get(name, ())
            if order_id not in ids:  # a venue may give an OrderID(37) back
                self._by_venue_id[name] = (*ids, order_id)

    def _by_name(self, session_id: str, cl_ord_id: str) -> Order | None:
        order_id = self._by_cl_ord_id.get((session_id, cl_ord_id))
        if order_id is not None:
            return self.order(order_id)
        return self._latest(self._archive.order_by_cl_ord_id(session_id, cl_ord_id))

    def _latest(self, archived: Order | None) -> Order | None:
        """What memory knows of it goes beyond what is committed."""
        return archived and (self._orders.get(archived.order_id) or archived)

    def _by_venue_order_id(self, session_id: str, venue_order_id: str) -> Order | None:
        """Of those that have had it in this life and of the one that the store means, which may have ended long ago.

        It is nearly never asked for.
        """
        ids = self._by_venue_id.get((session_id, venue_order_id), ())
        archived = self._latest(self._archive.order_by_venue_order_id(session_id, venue_order_id))
        found = (order for order in (*map(self.order, ids), archived) if order is not None)
        return max(found, key=partial(_precedence, venue_order_id), default=None)

    def _forget(self, order: Order) -> None:
        """But for names that the venue gave it in between: they are few, and only here."""
        account_id, client_order_id = order.request.account_id, order.request.client_order_id
        self._by_client.pop((account_id, client_order_id), None)
        if client_order_id:
            self._client_keys.add(client_key(account_id, client_order_id))
        for cl_ord_id in order.cl_ord_ids:
            self._by_cl_ord_id.pop((order.session_id, cl_ord_id), None)
        name = order.session_id, order.venue_order_id
        others = tuple(each for each in self._by_venue_id.get(name, ()) if each != order.order_id)
        if others:
            self._by_venue_id[name] = others
        else:
            self._by_venue_id.pop(name, None)


def _precedence(venue_order_id: str, order: Order) -> tuple[bool, bool, datetime, str]:
    """The greatest is meant by an OrderID(37): one that has it still, one of ours, the latest. So does the store."""
    ours = order.request.client_order_id != order.order_id
    return order.venue_order_id == venue_order_id, ours, order.create_time, order.order_id
