"""The use cases over a real store in memory, with a venue at the edge that keeps what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from fairlead_server.domain.amendments import Amendment
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.event import EventKind, OrderEvent
from fairlead_server.domain.execution import ExecutionReport, ReportKind
from fairlead_server.domain.exposure import Exposure, RecentOrders
from fairlead_server.domain.ids import ClOrdIds
from fairlead_server.domain.mass_scope import MassScope
from fairlead_server.domain.order import Order, Request
from fairlead_server.domain.pace import Pace, TokenBucket
from fairlead_server.domain.position import HoldingKey
from fairlead_server.domain.risk import Policy
from fairlead_server.domain.routes import Route
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.domain.terms import NewOrder, TimeInForce
from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.fix.msg_types import CANCELS
from fairlead_server.fix.session import Numbers
from fairlead_server.routing.batches import Batches
from fairlead_server.routing.book import Book
from fairlead_server.routing.executions import Executions
from fairlead_server.routing.feed import Feed
from fairlead_server.routing.flattens import Flattens
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.limits import RiskLimits
from fairlead_server.routing.live_gates import LiveSwitches
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.order_entry import Answer, OrderEntry, OrderRef
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import NewId, Outbound
from fairlead_server.routing.reconciliations import Reconciliations
from fairlead_server.routing.reference import Reference
from fairlead_server.routing.requests import RequestAnswer
from fairlead_server.routing.trading_states import TradingStates
from fairlead_server.routing.watch import Watch
from fairlead_server.store.batch import Batch, Direction, MessageRow
from fairlead_server.store.database import DayQuery, MessageQuery, OrderQuery, Store
from msgspec.structs import replace

from tests import by_hand
from tests.domain.builders import NOW, duplicates, instrument, new_order, numbered_ids, report, trade
from tests.domain.builders import policy as ordinary_policy
from tests.stores import left

SECOND = timedelta(seconds=1)
CLIENT = Cause(Initiator.CLIENT, "desk")
PATIENT = VenueRules(inflight_warn=timedelta(), inflight_alarm=timedelta())  # silence is no matter


@dataclass
class FakeGateway:
    """A session without a wire: numbers what it sends, and keeps what would have been written."""

    session_id: str = "BROKER"
    available: bool = True
    down_since: datetime | None = None
    lacks: str | None = None
    bucket: TokenBucket | None = None
    cancels: TokenBucket | None = None  # beyond those
    max_queue: timedelta = timedelta(milliseconds=500)
    rules: VenueRules = PATIENT
    has_mass_status: bool = False
    has_mass_cancel: bool = False
    woken: int = 0
    numbers: Numbers = field(default_factory=Numbers)
    decided: list[str] = field(default_factory=list)  # such as "D X" once decided ...
    wire: list[str] = field(default_factory=list)  # ... and once written

    def missing_capability(self, new: NewOrder) -> str | None:
        return self.lacks

    def wait(self, now: datetime, *, cancel: bool = False) -> timedelta:
        return timedelta() if self.bucket is None else self._pace.wait(now, cancel=cancel)

    @property
    def _pace(self) -> Pace:
        assert self.bucket is not None
        return Pace(self.bucket, self.cancels)

    @property
    def epoch(self) -> int:
        return self.numbers.epoch

    def wake(self) -> None:
        self.woken += 1

    def new_order(self, order: Order, now: datetime) -> Outbound:
        return self._send("D", order.cl_ord_id, now)

    def replace_order(self, order: Order, request: Request, now: datetime) -> Outbound:
        return self._send("G", f"{request.cl_ord_id} for {request.orig_cl_ord_id}", now)

    def cancel_order(self, order: Order, request: Request, now: datetime) -> Outbound:
        return self._send("F", f"{request.cl_ord_id} for {request.orig_cl_ord_id}", now)

    def request_status(self, order: Order, now: datetime) -> Outbound:
        return self._send("H", order.cl_ord_id, now)

    def request_mass_status(self, now: datetime) -> Outbound:
        return self._send("AF", "all", now)

    def mass_cancel(self, scope: MassScope, cl_ord_id: str, now: datetime) -> Outbound:
        words = (cl_ord_id, scope.symbol or "all", *([scope.side.value] if scope.side else []))
        return self._send("q", " ".join(words), now)

    def dont_know_trade(self, order: Order, report: ExecutionReport, now: datetime) -> Outbound | None:
        return self._send("Q", report.exec_id, now) if self.rules.dont_know_trade else None

    def _send(self, msg_type: str, about: str, now: datetime) -> Outbound:
        assert self.available, "nothing may be sent on a session that is down"
        if self.bucket is not None:
            cancel = msg_type in CANCELS
            assert not self.wait(now, cancel=cancel), "nothing may be sent without a token"
            self._pace.take(now, cancel=cancel)
        text, number = f"{msg_type} {about}", self.numbers.next_out
        self.numbers = replace(self.numbers, next_out=number + 1)
        self.decided.append(text)
        row = MessageRow(self.session_id, 1, Direction.OUT, number, msg_type, now, text.encode())
        return Outbound(self.session_id, [row], self.numbers, lambda _: self.wire.append(text), text.encode())


@dataclass
class Writer:
    """Commits to the store, keeps the batches, and fails when told to."""

    store: Store
    batches: list[Batch] = field(default_factory=list)
    failure: Exception | None = None

    def __call__(self, batch: Batch) -> None:
        if self.failure is not None:
            raise self.failure
        self.store.commit(batch)
        self.batches.append(batch)


class Desk:
    """Account ACC1, instrument ACME and one session, BROKER; memory is rebuilt from ``store`` as at a start.

    Memory keeps ``keep`` orders that have ended: none, so that whatever comes late is about one that has to be read back.
    """

    def __init__(
        self,
        store: Store,
        *,
        policy: Policy | None = None,
        routes: Sequence[Route] = (Route("ALL", "BROKER"),),
        gateways: Mapping[str, FakeGateway] | None = None,
        duplicate_window: timedelta = timedelta(),
        ids: NewId | None = None,
        keep: int = 0,
        two_persons: bool = True,
    ) -> None:
        self.store = store
        self.over = False
        self.events: list[OrderEvent] = []
        self.writer = Writer(store)
        self.failures: list[BaseException] = []
        self.feed, self.watch = Feed(), Watch()
        self.listeners: list[Callable[[Batch], None]] = []  # to commits, beside those that are always here
        self.gateways = {"BROKER": FakeGateway()} if gateways is None else dict(gateways)
        self.gateway = self.gateways.get("BROKER", FakeGateway())
        self.new_id = ids or numbered_ids()
        self.pipeline = Pipeline(left(self.writer), self._committed, self.failures.append)
        self.book = Book(store, keep)
        self.ledger = Ledger(self.book, self.pipeline, self._encode, self.new_id)
        self.cl_ord_ids = ClOrdIds("FL", 0)
        again = [duplicates(duplicate_window)] if duplicate_window else []
        self.policy = policy or ordinary_policy(sets=again, version="v1")
        self.reference = Reference(self.pipeline, {"ACME": instrument()})
        self.duplicate_window, self.recent = duplicate_window, RecentOrders(duplicate_window)
        self.limits = RiskLimits(self.policy, self.book, self.ledger, self.pipeline, self.recent)
        self.entry = OrderEntry(
            self.book,
            self.ledger,
            self.pipeline,
            self.policy,
            self.limits,
            self.reference,
            routes,
            self.gateways,
            self.cl_ord_ids,
            self.recent,
            self.new_id,
        )
        self.batches = Batches(self.book, self.entry, self.pipeline)
        self.mass_cancels = MassCancels(self.book, self.ledger, self.pipeline, self.entry, self.new_id)
        self.trading_states = TradingStates(
            self.book, self.ledger, self.pipeline, self.mass_cancels, lambda: NOW, two_persons=two_persons
        )
        self.live = LiveSwitches(self.book, self.ledger, self.pipeline, self.policy.accounts, self.gateways)
        self.flattens = Flattens(
            self.book,
            self.ledger,
            self.pipeline,
            self.entry,
            self.mass_cancels,
            self.trading_states,
            self.reference.get,
            self.gateways,
            lambda: NOW,
        )
        self.reconciliations = Reconciliations(self.book, self.ledger, self.pipeline, self.entry)
        self.executions = Executions(
            self.book,
            self.ledger,
            self.reference,
            {"BROKER": "ACC1"},
            self.cl_ord_ids,
            self.new_id,
            self.policy,
        )
        self.load()

    def load(self) -> None:
        snapshot = self.store.load(NOW, self.duplicate_window)
        self.reference.load(snapshot)
        self.limits.load(snapshot)
        self.book.load(snapshot)
        self.recent.load(snapshot.recent)
        self.ledger.head, self.ledger.risk_head = snapshot.head, snapshot.risk_head
        self.feed.load(snapshot.head)
        self.cl_ord_ids.last = snapshot.counters.get("cl_ord_id", 0)
        self.trading_states.load(snapshot.halts)
        self.flattens.load(snapshot.flattens)
        for name, gateway in self.gateways.items():
            gateway.numbers = snapshot.sessions.get(name, Numbers())

    async def restarted(self) -> Desk:
        """Another process on the same store; this one is over."""
        await self.check()
        await self.pipeline.close()
        self.over = True
        later = type(self)(
            self.store, policy=self.policy, duplicate_window=self.duplicate_window, ids=self.new_id
        )
        later.entry.recover(NOW)
        later.trading_states.recover(NOW)
        later.flattens.recover()
        return later

    def _committed(self, batch: Batch) -> None:
        self.book.committed(batch)
        self.feed.publish(batch.events)
        self.watch.changed(batch.orders)
        self.trading_states.committed(batch)
        self.flattens.committed(batch)
        for listener in self.listeners:
            listener(batch)

    def _encode(self, event: OrderEvent) -> bytes:
        self.events.append(event)
        return event.event_id.encode()

    # What clients do.

    def submit(
        self, new: NewOrder | None = None, *, at: datetime = NOW, deadline: datetime | None = None
    ) -> Answer:
        return self.entry.submit(new or new_order(), CLIENT, deadline, at)

    def sent(self, new: NewOrder | None = None, *, at: datetime = NOW) -> Order:
        return self.submit(new, at=at).order

    def amend(
        self,
        order: Order,
        quantity: int | str | None = None,
        price: str | None = None,
        *,
        request_id: str = "amend-1",
        version: int | None = None,
        time_in_force: TimeInForce | None = None,
        at: datetime = NOW,
    ) -> RequestAnswer:
        amendment = Amendment(
            None if quantity is None else Decimal(quantity),
            None if price is None else Decimal(price),
            time_in_force=time_in_force,
        )
        return self.entry.amend(ref(order), request_id, amendment, CLIENT, at, version)

    def cancel(
        self, order: Order, *, request_id: str = "cancel-1", version: int | None = None
    ) -> RequestAnswer:
        return self.entry.cancel(ref(order), request_id, CLIENT, NOW, version)

    # What the venue says.

    def hear(self, heard: ExecutionReport) -> None:
        with self.pipeline.deciding():
            self.executions.apply(heard, self.gateway, NOW)

    def working(self, new: NewOrder | None = None) -> Order:
        order = self.sent(new)
        self.hear(about(order, report(ReportKind.NEW)))
        return self.now(order)

    def filled(self, order: Order, quantity: int, exec_id: str = "E1", **changes: Any) -> Order:
        self.hear(about(order, trade(exec_id, quantity), **changes))
        return self.now(order)

    # What there is to see.

    def now(self, order: Order) -> Order:
        return self.find(order.order_id)

    def find(self, order_id: str) -> Order:
        found = self.book.order(order_id)
        assert found is not None
        return found

    async def stored(self, order: Order) -> Order:
        await self.pipeline.durable()
        found = self.store.order(order.order_id)
        assert found is not None
        return found

    def kinds(self, order: Order) -> list[EventKind]:
        return [event.kind for event in self.events if event.order.order_id == order.order_id]

    def exposure(self, account_id: str = "ACC1", instrument_id: str = "ACME") -> Exposure:
        return replace(self.book.exposures.of(account_id, instrument_id))

    async def end(self) -> None:
        if not (self.over or self.pipeline.broken):
            await self.check()
        await self.pipeline.close()

    async def check(self) -> None:
        """What must hold at any time: memory is what the store would rebuild, and the store's sums are right."""
        await self.pipeline.durable()
        fresh = Book(self.store)
        snapshot = self.store.load(NOW)
        known = self.reference
        rebuilt = Reference(self.pipeline, known._file, known._file_calendars)
        rebuilt.load(snapshot)
        assert rebuilt.instruments() == known.instruments()
        assert (rebuilt._by_symbol, rebuilt.misfits) == (known._by_symbol, known.misfits)
        fresh.load(snapshot)
        positions: dict[HoldingKey, Decimal] = {}
        for order in self.store.list_orders(OrderQuery()):
            key = order.request.account_id, order.request.instrument_id
            held = *key, order.request.strategy_id
            positions[held] = positions.get(held, Decimal(0)) + order.cum_qty * order.request.side.sign
            assert self.book.exposures.of(*key) == fresh.exposures.of(*key)
            own = Scope(key[0])
            assert self.book.exposures.open_orders(own) == fresh.exposures.open_orders(own)
            assert self.now(order) == order
        stored = {key: position.quantity for key, position in snapshot.positions}
        assert {key: q for key, q in stored.items() if q} == {key: q for key, q in positions.items() if q}
        assert dict(self.book.holdings.all()) == dict(fresh.holdings.all()) == dict(snapshot.positions)
        assert self.book.holdings.durable == dict(snapshot.positions)
        assert by_hand.wrong_in(self.store, dict(snapshot.positions), {}) == []
        totals = dict(self.store.list_day_totals(DayQuery()))
        assert self.book.holdings.today(EVERYTHING, NOW) == fresh.holdings.today(EVERYTHING, NOW)
        journals = (self.store.messages(MessageQuery(name, limit=1_000_000)) for name in self.gateways)
        sent = [message for journal in journals for message in journal if message.row.msg_type in "DG"]
        assert sum(total.orders for total in totals.values()) == len(sent)
        log = self.store.events_after(0, 1_000_000)
        assert [event.sequence for event in log] == list(range(1, snapshot.head + 1))
        assert (self.ledger.head, self.feed.head) == (snapshot.head, snapshot.head)
        assert snapshot.counters.get("cl_ord_id", 0) == self.cl_ord_ids.last
        for name, numbers in snapshot.sessions.items():
            assert self.gateways[name].numbers == numbers
            journal = self.store.sent(name, 1, 1, 1_000_000)
            assert [sent.msg_seq_num for sent in journal] == list(range(1, numbers.next_out))


def ref(order: Order) -> OrderRef:
    return OrderRef(order.order_id)


def about(order: Order, heard: ExecutionReport, **changes: Any) -> ExecutionReport:
    """The same report on this order."""
    named = {"cl_ord_id": order.cl_ord_id, "venue_order_id": f"V-{order.order_id}", **changes}
    return replace(heard, **named)
