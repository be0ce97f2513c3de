"""The whole broker without I/O: FIX sessions on one side, the engine on the other. Bytes and `now` in, a Turn out.

A Turn is to be made durable as a whole, and only then acted on: what the simulator has told anybody it remembers
after any crash. Reports for a session that is not ACTIVE are queued in the Turn as well and go out when it logs on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeGuard, assert_never

from fairlead_server.fix import msg_types, tags
from fairlead_server.fix.dialect import Dialect, dialect
from fairlead_server.fix.events import Disconnect, Event, Halted, LoggedOn, Received, ResendWanted
from fairlead_server.fix.message import Fields, Message
from fairlead_server.fix.session import Session
from fairlead_server.fix.terms import Numbers, Ready, Sent, State
from msgspec.structs import replace

from fix_sim.edits import NO_EDITS, OnWire
from fix_sim.engine import Decision, Engine, Price
from fix_sim.errors import UnknownSession
from fix_sim.line import Line, rewritten
from fix_sim.network import Latency, Queue
from fix_sim.orders import NO_EXEC_ID, ExecutionReport, Order, Report
from fix_sim.plays import MessageRefused, SessionBroken, asked
from fix_sim.scenario import Asked, Break, Fault, Step
from fix_sim.translate import Outgoing, read_request, write_report

Stored = Callable[[str, ResendWanted], Sequence[Sent]]
"""The journalled messages that a client wants again."""

# What one turn may put on one connection; a peer that asks for more in one breath is cut off.
_MAX_WIRE = 64 * 1024 * 1024
_RESEND_CHUNK = 1000
_MSG_TYPES = {
    Asked.NEW: msg_types.NEW_ORDER_SINGLE,
    Asked.CANCEL: msg_types.ORDER_CANCEL_REQUEST,
    Asked.REPLACE: msg_types.ORDER_CANCEL_REPLACE_REQUEST,
    Asked.STATUS: msg_types.ORDER_STATUS_REQUEST,
    Asked.MASS_CANCEL: msg_types.ORDER_MASS_CANCEL_REQUEST,
}
_EVERYTHING = [(tags.BEGIN_SEQ_NO, "1"), (tags.END_SEQ_NO, "0")]
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
    cuts: list[int] = field(default_factory=list)  # where in the wire a write ends
    events: list[Event] = field(default_factory=list)
    appl_ver_id: str | None = None  # that the client has logged on with, on FIXT.1.1
    close: str = ""  # why the connection is to be closed after the wire is written

    def writes(self) -> list[bytes]:
        """The wire, in the pieces in which it is to be written."""
        ends = [*self.cuts, len(self.wire)]
        return [bytes(self.wire[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]


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
        latency: Latency | None = None,
    ) -> None:
        self.engine = engine
        self._sessions = dict(sessions)
        self._dialects = {client: _dialect(session) for client, session in sessions.items()}
        self._lines = {client: Line() for client in sessions}
        self._queues = {client: Queue(queues.get(client, ())) for client in sessions}
        self._stored = stored
        self._latency = latency

    def connected(self, client: str, now: datetime) -> Turn:
        turn = Turn(now)
        self._take(turn, client, self._sessions[client].connected(now))
        return turn

    def received(self, client: str, data: bytes, now: datetime) -> Turn:
        turn = Turn(now)
        heard = self._lines[client].read(data)
        if heard:
            self._take(turn, client, self._sessions[client].receive(heard, now))
        return turn

    def disconnected(self, client: str) -> None:
        self._lines[client].disconnected()
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

    def perform(self, order_id: str, steps: Sequence[Step], now: datetime) -> tuple[Turn, str]:
        """Steps of a scenario by hand, and the problem with the one at which they ended, if they did."""
        turn = Turn(now)
        decision, problem = self.engine.perform(order_id, steps, now)
        self._report(turn, decision)
        return turn, problem

    def break_session(self, client: str, step: Break, now: datetime) -> Turn:
        if client not in self._sessions:
            raise UnknownSession(client)
        turn = Turn(now)
        self._break(turn, client, step)
        return turn

    def resume(self, now: datetime) -> Turn:
        turn = Turn(now)
        self._report(turn, self.engine.resume(now))
        return turn

    def find(self, cl_ord_id: str) -> list[Order]:
        """The orders, one a client at most, that go or went by this ClOrdID(11)."""
        found = (self.engine.find(client, cl_ord_id) for client in self._sessions)
        return [order for order in found if order is not None]

    def tick(self, now: datetime) -> Turn:
        turn = Turn(now)
        for client, line in self._lines.items():
            if line.stalled_until is None:
                self._take(turn, client, self._sessions[client].tick(now))
            elif line.stalled_until <= now:
                heard = line.resume(self._part(turn, client))
                self._take(turn, client, self._sessions[client].receive(heard, now))
        self._report(turn, self.engine.tick(now))
        for client in self._sessions:
            self._send_queued(turn, client)
        return turn

    def deadline(self) -> datetime | None:
        deadlines = [self._deadline(client) for client in self._sessions]
        return min((at for at in (*deadlines, self.engine.deadline()) if at is not None), default=None)

    def _deadline(self, client: str) -> datetime | None:
        line, session = self._lines[client], self._sessions[client]
        if line.stalled_until is not None:
            return line.stalled_until
        due = self._queues[client].due() if session.active else None
        return min((at for at in (session.deadline(), due) if at is not None), default=None)

    def _take(self, turn: Turn, client: str, ready: Ready) -> None:
        part = self._add(turn, client, ready)
        part.events += ready.events
        for event in ready.events:
            match event:
                case Received(message):
                    part.received.append(message)
                    self._answer(turn, client, message)
                case LoggedOn():
                    session = self._sessions[client]
                    self._dialects[client], part.appl_ver_id = _dialect(session), session.appl_ver_id
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
        request = read_request(client, self._dialects[client], message)
        if isinstance(request, Outgoing):
            self._refuse(turn, client, message, request)
        else:
            request = replace(request, msg_seq_num=message.msg_seq_num)
            self._report(turn, self.engine.handle(request, turn.at))

    def _refuse(self, turn: Turn, client: str, message: Message, refusal: Outgoing) -> None:
        session = self._sessions[client]
        if self._dialects[client].has_message(refusal.msg_type) or not session.active:
            self._send(turn, client, refusal)
        else:
            self._add(turn, client, session.refuse(message, turn.at, dict(refusal.fields)[tags.TEXT]))

    def _report(self, turn: Turn, decision: Decision) -> None:
        turn.orders |= decision.orders
        turn.prices |= decision.prices
        for said in decision.said:
            match said:
                case SessionBroken():
                    self._break(turn, said.client, said.step)
                case MessageRefused():
                    self._refuse_by_scenario(turn, said)
                case _:
                    if _is_execution(said):
                        turn.executions.append(said)
                    written = write_report(self._dialects[said.client], said)
                    if said.edits is not NO_EDITS:
                        written = written._replace(fields=said.edits.apply(written.fields))
                    self._send(turn, said.client, written, said.edits.on_wire)

    def _send(self, turn: Turn, client: str, outgoing: Outgoing, on_wire: OnWire = OnWire.WHOLE) -> None:
        session, queue = self._sessions[client], self._queues[client]
        if session.active and self._latency is None and not queue:
            self._add(turn, client, session.send(outgoing.msg_type, outgoing.fields, turn.at), on_wire)
            return
        queue.put(outgoing, turn.at + self._latency.next() if self._latency else turn.at, on_wire)
        self._part(turn, client).queued.append(outgoing)

    def _send_queued(self, turn: Turn, client: str) -> None:
        queue, session = self._queues[client], self._sessions[client]
        while session.active and (waited := queue.pop(turn.at)) is not None:
            outgoing, on_wire = waited
            self._part(turn, client).dequeued += 1
            self._add(turn, client, session.send(outgoing.msg_type, outgoing.fields, turn.at), on_wire)

    # What scenarios do to a session.

    def _break(self, turn: Turn, client: str, step: Break) -> None:
        line, part = self._lines[client], self._part(turn, client)
        match step.fault:
            case Fault.DISCONNECT:
                part.close = part.close or "a scenario ends the connection"
            case Fault.DISCONNECT_AFTER:
                line.left = step.count
            case Fault.STALL:
                line.stalled_until = turn.at + step.time
            case Fault.CLOCK_SKEW:
                line.skew = step.time
            case Fault.FORGET_NUMBERS | Fault.RESET_NUMBERS:
                self._forget(turn, client, reset=step.fault is Fault.RESET_NUMBERS)
            case Fault.RESEND_STORM:
                for _ in range(step.count):
                    self._forge(turn, client, msg_types.RESEND_REQUEST, _EVERYTHING)
            case Fault.SECOND_LOGON:
                self._forge(turn, client, msg_types.LOGON, self._logon(client))
            case Fault.LOGOUT:
                for _ in range(step.count):
                    self._forge(turn, client, msg_types.HEARTBEAT, [], OnWire.LOST)
                self._forge(turn, client, msg_types.LOGOUT, [(tags.TEXT, step.text)] if step.text else [])
            case _:
                assert_never(step.fault)

    def _logon(self, client: str) -> Fields:
        fields = [(tags.ENCRYPT_METHOD, "0"), (tags.HEART_BT_INT, "30")]
        appl_ver_id = self._sessions[client].appl_ver_id
        return [*fields, (tags.DEFAULT_APPL_VER_ID, appl_ver_id)] if appl_ver_id else fields

    def _forget(self, turn: Turn, client: str, *, reset: bool) -> None:
        """Both numbers are 1 when the client comes again; what was sent before is gone."""
        session, part = self._sessions[client], self._part(turn, client)
        part.close = part.close or "a scenario forgets the session's numbers"
        self._lines[client].reset = reset
        part.numbers = Numbers(epoch=session.numbers.epoch + 1)
        self._sessions[client] = Session(session.config, part.numbers)

    def _refuse_by_scenario(self, turn: Turn, refused: MessageRefused) -> None:
        request, step = refused.request, refused.step
        fields = [
            (tags.REF_SEQ_NUM, str(request.msg_seq_num)),
            (tags.REF_MSG_TYPE, _MSG_TYPES[asked(request)]),
            (
                tags.SESSION_REJECT_REASON if step.by_session else tags.BUSINESS_REJECT_REASON,
                str(step.reason),
            ),
            (tags.TEXT, step.text or "refused by a scenario"),
        ]
        if step.by_session:
            self._forge(turn, refused.client, msg_types.REJECT, fields)
        else:
            self._send(turn, refused.client, Outgoing(msg_types.BUSINESS_MESSAGE_REJECT, fields))

    def _forge(
        self, turn: Turn, client: str, msg_type: str, fields: Fields, on_wire: OnWire = OnWire.WHOLE
    ) -> None:
        """An administrative message that the session would not send of itself, under its next number."""
        session = self._sessions[client]
        if not session.active:
            return
        ready = session.send(msg_types.EXECUTION_REPORT, [], turn.at)
        ready.journal = [
            replace(sent, msg_type=msg_type, frame=rewritten(sent.frame, msg_type=msg_type, fields=fields))
            for sent in ready.journal
        ]
        if ready.wire:
            ready.wire = bytearray(b"".join(sent.frame for sent in ready.journal))
        self._add(turn, client, ready, on_wire)

    def _resend(self, turn: Turn, client: str, wanted: ResendWanted) -> None:
        part = self._part(turn, client)
        for begin in range(wanted.begin, wanted.end + 1, _RESEND_CHUNK):
            if len(part.wire) > _MAX_WIRE:
                part.close = "it asks for more than it reads"
                return
            chunk = replace(wanted, begin=begin, end=min(begin + _RESEND_CHUNK - 1, wanted.end))
            stored = self._stored(client, chunk)
            self._add(turn, client, self._sessions[client].resend(chunk, stored, turn.at))

    def _add(self, turn: Turn, client: str, ready: Ready, on_wire: OnWire = OnWire.WHOLE) -> Part:
        part = self._part(turn, client)
        part.sent += ready.journal
        self._lines[client].write(part, ready.wire, on_wire)
        part.numbers = self._sessions[client].numbers
        return part

    def _part(self, turn: Turn, client: str) -> Part:
        return turn.parts.setdefault(client, Part(self._sessions[client].numbers))


def _is_execution(report: Report) -> TypeGuard[ExecutionReport]:
    return isinstance(report, ExecutionReport) and report.exec_id != NO_EXEC_ID and not report.repeated


def client_name(begin_string: str, comp_id: str, peer: str) -> str:
    return f"{begin_string}:{comp_id}:{peer}"


def _dialect(session: Session) -> Dialect:
    return dialect(session.config.begin_string, session.appl_ver_id)
