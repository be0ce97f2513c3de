"""A venue session over a wire in memory, with a broker of our own session core at its other end.

Nothing moves by itself: a test passes bytes on with :meth:`Link.exchange`, and the time with :attr:`Clock.now`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.event import OrderEvent
from fairlead_server.domain.exposure import RecentOrders
from fairlead_server.domain.ids import ClOrdIds
from fairlead_server.domain.order import Order
from fairlead_server.domain.risk import Policy
from fairlead_server.domain.routes import Route
from fairlead_server.domain.terms import NewOrder
from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.fix import events
from fairlead_server.fix.events import Event, Received, ResendWanted
from fairlead_server.fix.framing import Framer
from fairlead_server.fix.message import Fields, Message, decode, encode
from fairlead_server.fix.session import Numbers, Ready, Role, Sent, Session, SessionConfig, Validation
from fairlead_server.fix.values import write_utc_timestamp
from fairlead_server.routing.book import Book
from fairlead_server.routing.executions import Executions
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.limits import RiskLimits
from fairlead_server.routing.order_entry import OrderEntry, OrderRef
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.reference import Reference
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Store
from fairlead_server.store.errors import FAULT_OF_THE_PROGRAM, StoreError
from fairlead_server.venue.gateway import VenueSession
from fairlead_server.venue.settings import Endpoint, Throttle, VenueSettings
from msgspec.structs import replace

from tests.domain.builders import NOW, instrument, new_order, numbered_ids
from tests.domain.builders import policy as ordinary_policy
from tests.fix.versions import SPOKEN
from tests.stores import left

SECOND = timedelta(seconds=1)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


class MemoryWire:
    """Implements the Wire port: keeps what is written, and tells it to the trace."""

    def __init__(self, trace: list[str]) -> None:
        self.trace = trace
        self.data = bytearray()
        self.closed: str | None = None
        self.woken = 0
        self.unsent = 0

    def write(self, data: bytes) -> None:
        assert self.closed is None
        self.data += data
        self.trace += [f"write {decode(frame).msg_type}" for frame in frames(data)]

    def close(self, reason: str) -> None:
        self.closed = reason

    def wake(self) -> None:
        self.woken += 1

    def take(self) -> bytes:
        data = bytes(self.data)
        self.data.clear()
        return data


@dataclass
class Broker:
    """The acceptor. What it sends, it keeps; what it hears, it keeps; what is asked for again, it sends again."""

    session: Session
    clock: Clock
    out: bytearray = field(default_factory=bytearray)
    journal: dict[int, Sent] = field(default_factory=dict)
    heard: list[Message] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    wire_types: list[str] = field(default_factory=list)  # of all that came, resends and gap fills included

    def take(self, ready: Ready) -> None:
        self.journal |= {sent.msg_seq_num: sent for sent in ready.journal}
        self.out += ready.wire
        self.events += ready.events
        for event in ready.events:
            match event:
                case Received(message):
                    self.heard.append(message)
                case ResendWanted():
                    rows = [self.journal[n] for n in range(event.begin, event.end + 1)]
                    self.take(self.session.resend(event, rows, self.clock.now))
                case _:
                    pass

    def receive(self, data: bytes) -> None:
        self.wire_types += [shown(decode(frame)) for frame in frames(data)]
        self.take(self.session.receive(data, self.clock.now))

    def send(self, msg_type: str, *fields: tuple[int, str]) -> None:
        self.take(self.session.send(msg_type, fields, self.clock.now))

    def heard_types(self) -> list[str]:
        return [message.msg_type for message in self.heard]


class Link:
    """One router with one session to one broker, all state of the router in ``store``."""

    def __init__(
        self,
        store: Store,
        version: str = "FIX.4.4",
        throttle: Throttle | None = None,
        policy: Policy | None = None,
        rules: VenueRules | None = None,
        **config: Any,
    ) -> None:
        self.store = store
        self.trace: list[str] = []
        self.gate = threading.Event()  # commits wait for it
        self.gate.set()
        self.failure: Exception | None = None
        self.batches: list[Batch] = []
        self.told: list[BaseException] = []
        self.events: list[OrderEvent] = []
        self.indigestible = ""  # an ExecID(17) at which a decision dies
        self.unstorable: Callable[[Batch], bool] = lambda _: False
        self.changes = 0
        self.clock = Clock()
        new_id = numbered_ids()
        policy = replace(policy or ordinary_policy(), max_reference_age=timedelta(days=9))
        self.pipeline = Pipeline(left(self._commit), lambda _: None, self.told.append)
        self.book, reference = Book(store), Reference(self.pipeline, {"ACME": instrument()})
        self.ledger = Ledger(self.book, self.pipeline, self._encode, new_id)
        self.gateways: dict[str, VenueSession] = {}
        self.cl_ord_ids = ClOrdIds("FL", 0)
        recent = RecentOrders(timedelta())
        self.limits = RiskLimits(policy, self.book, self.ledger, self.pipeline, recent)
        self.entry = OrderEntry(
            self.book,
            self.ledger,
            self.pipeline,
            policy,
            self.limits,
            reference,
            [Route("ALL", "BROKER")],
            self.gateways,
            self.cl_ord_ids,
            recent,
            new_id,
        )
        executions = self.executions = Executions(
            self.book, self.ledger, reference, {"BROKER": "ACC1"}, self.cl_ord_ids, new_id, policy
        )
        # Lenient, for what a gateway does with messages that are not whole is part of what is tested.
        begin_string, appl_ver_id = SPOKEN[version]
        lenient = {"validation": Validation.LENIENT, "default_appl_ver_id": appl_ver_id} | config
        ours = SessionConfig(begin_string, "FAIRLEAD", "BROKER", Role.INITIATOR, **lenient)
        theirs = SessionConfig(
            begin_string, "BROKER", "FAIRLEAD", Role.ACCEPTOR, default_appl_ver_id=appl_ver_id
        )
        self.venue = VenueSession(
            VenueSettings(
                "BROKER",
                ours,
                (Endpoint("127.0.0.1", 1),),
                "ACC1",
                throttle=throttle,
                rules=rules or VenueRules(),
            ),
            self.ledger,
            self.pipeline,
            store,
            self.entry,
            executions,
            self.clock,
            self._changed,
        )
        self.gateways["BROKER"] = self.venue
        self.broker = Broker(Session(theirs, Numbers()), self.clock)
        self.wire = MemoryWire(self.trace)
        self.load()

    def load(self) -> None:
        """As at a start, and after the store has failed."""
        snapshot = self.store.load(self.clock.now)
        self.limits.load(snapshot)
        self.book.load(snapshot)
        self.ledger.head, self.ledger.risk_head = snapshot.head, snapshot.risk_head
        self.cl_ord_ids.last = snapshot.counters.get("cl_ord_id", 0)
        self.venue.load(snapshot.sessions.get("BROKER", Numbers()))

    def _commit(self, batch: Batch) -> None:
        self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if self.unstorable(batch):
            raise StoreError("sqlite://", "UNIQUE constraint failed", FAULT_OF_THE_PROGRAM)
        self.store.commit(batch)
        self.batches.append(batch)
        self.trace.append("commit " + " ".join(f"{m.direction.value} {m.msg_type}" for m in batch.messages))

    def _encode(self, event: OrderEvent) -> bytes:
        if self.indigestible and event.exec_id == self.indigestible:
            raise ZeroDivisionError
        self.events.append(event)
        return event.event_id.encode()

    def _changed(self) -> None:
        self.changes += 1

    # The connection.

    def connect(self) -> None:
        self.broker.session.connected(self.clock.now)
        self.broker.out.clear()
        self.wire = MemoryWire(self.trace)
        self.venue.connected(self.wire)

    def cut(self, reason: str = "cut") -> None:
        """Both ends lose the connection, with what is on its way."""
        self.venue.disconnected(reason)
        self.broker.session.disconnected()

    async def settle(self) -> None:
        """Wait for what is decided, and for answers to resend requests."""
        while True:
            await self.pipeline.durable()
            task = self.venue._resending.last
            if task is None or task.done():
                return
            await asyncio.wait([task])

    async def settle_quietly(self) -> None:
        """The same where the store fails."""
        if self.venue._resending.last is not None:
            await asyncio.wait([self.venue._resending.last])

    async def exchange(self) -> None:
        """Pass everything on, both ways, until both are silent."""
        while True:
            await self.settle()
            to_broker, to_router = self.wire.take(), bytes(self.broker.out)
            self.broker.out.clear()
            if not to_broker and not to_router:
                return
            if to_broker:
                self.broker.receive(to_broker)
            if to_router:
                self.venue.received(to_router)

    async def up(self) -> None:
        self.connect()
        await self.exchange()
        assert self.venue.available

    # What clients and the broker do.

    def submit(self, number: int = 1, **changes: Any) -> Order:
        new: NewOrder = new_order(client_order_id=f"client-{number}", **changes)
        return self.entry.submit(new, Cause(Initiator.CLIENT), None, self.clock.now).order

    def cancel(self, order: Order) -> Order:
        ref = OrderRef(order.order_id)
        return self.entry.cancel(
            ref, f"cancel-{order.order_id}", Cause(Initiator.CLIENT), self.clock.now
        ).order

    def now(self, order: Order) -> Order:
        found = self.book.order(order.order_id)
        assert found is not None
        return found

    def report(self, order: Order, exec_type: str, *more: tuple[int, str]) -> None:
        """The broker sends an ExecutionReport(8)."""
        named = [
            (37, f"V-{order.order_id}"),
            (11, order.cl_ord_id),
            (17, f"E{self.broker.session.numbers.next_out}"),
        ]
        said = {tag for tag, _ in more}
        told = [(150, exec_type)] if exec_type else []
        usual = [*named, *told, (39, "0"), (55, "ACME"), (54, "1")]
        self.broker.send("8", *[pair for pair in usual if pair[0] not in said], *more)

    def fill(self, order: Order, quantity: int) -> None:
        self.report(order, "F", (39, "1"), (32, str(quantity)), (31, "50"))

    def by_hand(self, msg_type: str, fields: Fields, number: int | None = None) -> bytes:
        """A message that the broker's session would not send."""
        number = self.venue.session.numbers.next_in if number is None else number
        time = write_utc_timestamp(self.clock.now)
        begin_string = self.venue.settings.config.begin_string
        return encode(begin_string, msg_type, "BROKER", "FAIRLEAD", number, time, fields)


def frames(data: bytes) -> Sequence[bytes]:
    found = Framer().feed(data)
    assert not any(isinstance(item, events.Garbled) for item in found)
    return [item for item in found if isinstance(item, bytes)]


def shown(message: Message) -> str:
    """``D 3`` for a message, ``D 3 again`` for a resent one, ``4 2-5`` for a gap fill over 2 to 5."""
    if message.msg_type == "4":
        return f"4 {message.msg_seq_num}-{message.integer(36) - 1}"
    return f"{message.msg_type} {message.msg_seq_num}{' again' if message.poss_dup else ''}"
