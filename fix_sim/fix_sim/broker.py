"""The whole broker without I/O: FIX sessions on one side, the engine on the other. Bytes and `now` in, a Turn out.

A Turn is to be made durable as a whole, and only then acted on: what the simulator has told anybody it remembers
after any crash. Reports for a session that is not ACTIVE are queued in the Turn as well and go out when it logs on.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from fairlead_server.fix import msg_types
from fairlead_server.fix.events import Disconnect, Event, Halted, LoggedOn, Received, ResendWanted
from fairlead_server.fix.message import Message
from fairlead_server.fix.session import Session
from fairlead_server.fix.terms import Numbers, Ready, Sent, State

from fix_sim.engine import Decision, Engine, Price
from fix_sim.orders import NO_EXEC_ID, ExecutionReport, Order
from fix_sim.translate import Outgoing, read_request, write_report

Stored = Callable[[str, ResendWanted], Sequence[Sent]]
"""The journalled messages that a client wants again."""

# What one turn may put on one connection; a peer that asks for more in one breath is cut off.
_MAX_WIRE = 64 * 1024 * 1024
_RESEND_CHUNK = 1000
_NEVER_ANSWERED = frozenset({msg_types.REJECT, msg_types.BUSINESS_MESSAGE_REJECT})


@dataclass(slots=True)
class Part:
    """What a turn means for one session."""

    numbers: Numbers
    received: list[Message] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    queued: list[Outgoing] = field(default_factory=list)
    dequeued: int = 0  # how many of the queue's oldest are among ``sent``
    wire: bytearray = field(default_factory=bytearray)
    events: list[Event] = field(default_factory=list)
    close: str = ""  # why the connection is to be closed after the wire is written


@dataclass(slots=True)
class Turn:
    """What one input brought about: make it durable, then write each part's wire and close what is to be closed."""

    at: datetime
    parts: dict[str, Part] = field(default_factory=dict)
    executions: list[ExecutionReport] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)


class Broker:
    """One owner. Clients are known by BeginString(8), our CompID and theirs, joined by colons."""

    def __init__(
        self,
        engine: Engine,
        sessions: Mapping[str, Session],
        queues: Mapping[str, Sequence[Outgoing]],
        stored: Stored,
    ) -> None:
        self.engine = engine
        self._sessions = dict(sessions)
        self._queues = {client: deque(queues.get(client, ())) for client in sessions}
        self._stored = stored

    def connected(self, client: str, now: datetime) -> Turn:
        turn = Turn(now)
        self._take(turn, client, self._sessions[client].connected(now))
        return turn

    def received(self, client: str, data: bytes, now: datetime) -> Turn:
        turn = Turn(now)
        self._take(turn, client, self._sessions[client].receive(data, now))
        return turn

    def disconnected(self, client: str) -> None:
        session = self._sessions[client]
        session.disconnected()
        if session.state is State.HALTED:
            # Nobody watches a simulator: whoever broke the numbers may try again.
            self._sessions[client] = Session(session.config, session.numbers)

    def logout(self, client: str, now: datetime) -> Turn:
        turn = Turn(now)
        self._take(turn, client, self._sessions[client].logout(None, now))
        return turn

    def set_price(self, symbol: str, price: Decimal, now: datetime) -> Turn:
        turn = Turn(now)
        self._report(turn, self.engine.set_price(symbol, price, now))
        return turn

    def fill(self, order_id: str, qty: Decimal | None, price: Decimal | None, now: datetime) -> Turn:
        turn = Turn(now)
        self._report(turn, self.engine.fill(order_id, qty, price, now))
        return turn

    def find(self, cl_ord_id: str) -> list[Order]:
        """The orders, one a client at most, that go or went by this ClOrdID(11)."""
        found = (self.engine.find(client, cl_ord_id) for client in self._sessions)
        return [order for order in found if order is not None]

    def tick(self, now: datetime) -> Turn:
        turn = Turn(now)
        for client, session in self._sessions.items():
            self._take(turn, client, session.tick(now))
        self._report(turn, self.engine.tick(now))
        return turn

    def deadline(self) -> datetime | None:
        deadlines = [session.deadline() for session in self._sessions.values()]
        return min((at for at in (*deadlines, self.engine.deadline()) if at is not None), default=None)

    def _take(self, turn: Turn, client: str, ready: Ready) -> None:
        part = self._add(turn, client, ready)
        part.events += ready.events
        for event in ready.events:
            match event:
                case Received(message):
                    part.received.append(message)
                    self._answer(turn, client, message)
                case LoggedOn():
                    self._send_queued(turn, client)
                case ResendWanted():
                    self._resend(turn, client, event)
                case Disconnect(reason) | Halted(reason):
                    part.close = part.close or reason
                case _:
                    pass  # for the log of whoever acts on the turn

    def _answer(self, turn: Turn, client: str, message: Message) -> None:
        if message.msg_type in _NEVER_ANSWERED:
            return
        request = read_request(client, _begin_string(client), message)
        if isinstance(request, Outgoing):
            self._send(turn, client, request)
        else:
            self._report(turn, self.engine.handle(request, turn.at))

    def _report(self, turn: Turn, decision: Decision) -> None:
        turn.orders |= decision.orders
        turn.prices |= decision.prices
        for report in decision.reports:
            if isinstance(report, ExecutionReport) and report.exec_id != NO_EXEC_ID:
                turn.executions.append(report)
            self._send(turn, report.client, write_report(_begin_string(report.client), report))

    def _send(self, turn: Turn, client: str, outgoing: Outgoing) -> None:
        session = self._sessions[client]
        if session.active:
            self._add(turn, client, session.send(outgoing.msg_type, outgoing.fields, turn.at))
        else:
            self._queues[client].append(outgoing)
            self._part(turn, client).queued.append(outgoing)

    def _send_queued(self, turn: Turn, client: str) -> None:
        queue = self._queues[client]
        while queue and self._sessions[client].active:
            self._send(turn, client, queue.popleft())
            self._part(turn, client).dequeued += 1

    def _resend(self, turn: Turn, client: str, wanted: ResendWanted) -> None:
        part = self._part(turn, client)
        for begin in range(wanted.begin, wanted.end + 1, _RESEND_CHUNK):
            if len(part.wire) > _MAX_WIRE:
                part.close = "it asks for more than it reads"
                return
            chunk = replace(wanted, begin=begin, end=min(begin + _RESEND_CHUNK - 1, wanted.end))
            stored = self._stored(client, chunk)
            self._add(turn, client, self._sessions[client].resend(chunk, stored, turn.at))

    def _add(self, turn: Turn, client: str, ready: Ready) -> Part:
        part = self._part(turn, client)
        part.sent += ready.journal
        part.wire += ready.wire
        part.numbers = self._sessions[client].numbers
        return part

    def _part(self, turn: Turn, client: str) -> Part:
        return turn.parts.setdefault(client, Part(self._sessions[client].numbers))


def client_name(begin_string: str, comp_id: str, peer: str) -> str:
    return f"{begin_string}:{comp_id}:{peer}"


def _begin_string(client: str) -> str:
    return client.partition(":")[0]
