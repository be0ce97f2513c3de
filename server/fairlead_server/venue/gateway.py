"""One venue session between the use cases and the wire.

Drives a :class:`~fairlead_server.fix.session.Session` as its contract says: whatever a step makes due goes into the
open batch with all that it leads to, and reaches the socket when that has committed. Bytes belong to the connection
that they were made for; if it is gone, they are dropped, and the peer asks for them after the next logon.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol, assert_never

from fairlead_server.domain.execution import CancelReject, ExecutionReport, MessageReject
from fairlead_server.domain.order import Order, Request
from fairlead_server.domain.terms import NewOrder
from fairlead_server.fix import events, msg_types, tags
from fairlead_server.fix.errors import FixError
from fairlead_server.fix.message import Fields, Message, decode, mask, sendable
from fairlead_server.fix.session import Numbers, Ready, Sent, Session
from fairlead_server.routing.executions import Executions
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.order_entry import OrderEntry
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock, Outbound, SessionView
from fairlead_server.store.batch import Direction, MessageRow
from fairlead_server.store.errors import StoreError
from fairlead_server.venue import incoming, outgoing
from fairlead_server.venue.resending import Journal, Resending
from fairlead_server.venue.settings import Facts, VenueSettings, shown_state, view

_log = logging.getLogger(__name__)

_TRIES = 3  # of a message at which a decision died


class Wire(Protocol):
    """The connection to the venue."""

    def write(self, data: bytes) -> None: ...

    def close(self, reason: str) -> None: ...


class VenueSession:
    """Implements the Gateway port; one owner of one FIX session, over as many connections as it takes."""

    def __init__(
        self,
        settings: VenueSettings,
        ledger: Ledger,
        pipeline: Pipeline,
        journal: Journal,
        entry: OrderEntry,
        executions: Executions,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.facts = Facts()
        self._ledger = ledger
        self._pipeline = pipeline
        self._journal = journal
        self._entry = entry
        self._executions = executions
        self._clock = clock
        self._changed = changed
        self._wire: Wire | None = None
        self._resending = Resending(
            settings.session_id, journal, pipeline.durable, self._resend, self._unanswered
        )
        self._deaths: Counter[tuple[int, int]] = Counter()  # by epoch and MsgSeqNum(34), of decisions
        self.halted = ""
        self.load(Numbers())

    def load(self, numbers: Numbers) -> None:
        """Begin anew from the stored numbers; any connection has to be gone."""
        self.session = Session(self.settings.config, numbers)
        self._recorded = numbers

    # The gateway: what the use cases send.

    @property
    def session_id(self) -> str:
        return self.settings.session_id

    @property
    def available(self) -> bool:
        return self._wire is not None and self.session.active

    @property
    def down_since(self) -> datetime | None:
        return self.facts.down_since

    def missing_capability(self, new: NewOrder) -> str | None:
        return outgoing.missing_capability(new, self._begin_string)

    def new_order(self, order: Order, now: datetime) -> Outbound:
        return self._send(
            msg_types.NEW_ORDER_SINGLE, outgoing.new_order_single(order, self._begin_string, now), now
        )

    def replace_order(self, order: Order, request: Request, now: datetime) -> Outbound:
        fields = outgoing.order_cancel_replace_request(order, request, self._begin_string, now)
        return self._send(msg_types.ORDER_CANCEL_REPLACE_REQUEST, fields, now)

    def cancel_order(self, order: Order, request: Request, now: datetime) -> Outbound:
        return self._send(
            msg_types.ORDER_CANCEL_REQUEST, outgoing.order_cancel_request(order, request, now), now
        )

    def request_status(self, order: Order, now: datetime) -> Outbound:
        return self._send(msg_types.ORDER_STATUS_REQUEST, outgoing.order_status_request(order), now)

    @property
    def _begin_string(self) -> str:
        return self.settings.config.begin_string

    def _send(self, msg_type: str, fields: Fields, now: datetime) -> Outbound:
        return self._outbound(self.session.send(msg_type, fields, now), now)

    def view(self) -> SessionView:
        state = "HALTED" if self.halted else shown_state(self.session.state, connected=self._wire is not None)
        return view(self.settings, self.facts, self.session.numbers, state)

    # The connection: what the wire brings.

    def connected(self, wire: Wire) -> None:
        if self._pipeline.broken:  # the session is about to be rebuilt from the store
            wire.close("the store is not available")
            return
        now = self._clock()
        self._wire = wire
        self.facts.connection += 1
        self.facts.connect_time = self.facts.state_time = now
        self.facts.reason = "connected, logging on"
        self._absorb(self.session.connected(now), now)

    def received(self, data: bytes) -> None:
        now = self._clock()
        self.facts.last_received_time = now
        self._absorb(self.session.receive(data, now), now)

    def tick(self) -> None:
        now = self._clock()
        self._absorb(self.session.tick(now), now)

    def deadline(self) -> datetime | None:
        return self.session.deadline()

    def log_out(self, text: str) -> None:
        """Say goodbye; the connection ends when the peer has answered, or has not for too long."""
        if self._wire is not None:
            now = self._clock()
            self._absorb(self.session.logout(text, now), now)

    def disconnected(self, reason: str) -> None:
        now = self._clock()
        self._wire = None
        self.session.disconnected()
        self._resending.stop()
        if self.facts.down_since is None:
            self.facts.down_since = now
        self.facts.state_time = now
        self.facts.reason = self.halted or reason
        self._changed()

    def _absorb(self, ready: Ready, now: datetime) -> None:
        """Everything of one step is one transaction: its messages, its numbers, and what its events lead to."""
        if self._pipeline.broken:
            return  # the connection is being dropped, and what it brought will be asked for again
        with self._pipeline.deciding():
            self._take(ready, now)

    def _take(self, ready: Ready, now: datetime) -> None:
        if ready.journal or ready.wire or self.session.numbers != self._recorded:
            self._ledger.send(self._outbound(ready, now))
        for event in ready.events:
            self._on(event, now)

    def _outbound(self, ready: Ready, now: datetime) -> Outbound:
        rows = [
            self._row(Direction.OUT, s.epoch, s.msg_seq_num, s.msg_type, s.sending_time, s.frame)
            for s in ready.journal
        ]
        self._recorded = self.session.numbers
        write = partial(self._write, self._wire, bytes(ready.wire))
        if ready.wire:
            self.facts.last_sent_time = now
        return Outbound(self.session_id, rows, self._recorded, write)

    def _row(
        self, direction: Direction, epoch: int, number: int, msg_type: str, time: datetime, frame: bytes
    ) -> MessageRow:
        return MessageRow(self.session_id, epoch, direction, number, msg_type, time, frame)

    def _write(self, wire: Wire | None, data: bytes) -> None:
        if data and wire is not None and wire is self._wire:
            wire.write(data)

    def _on(self, event: events.Event, now: datetime) -> None:
        match event:
            case events.Received():
                self._on_message(event.message, now)
            case events.LoggedOn():
                self._on_logged_on(now)
            case events.ResendWanted():
                self._resending.begin(event)
            case events.NumbersReset():
                _log.warning("%s: numbers reset, epoch %d: %s", self.session_id, event.epoch, event.reason)
                self._executions.session_reset(self, f"the session's numbers were reset: {event.reason}", now)
            case events.Halted():
                self.halted = event.reason
                _log.error("%s: halted: %s", self.session_id, event.reason)
            case events.Disconnect():
                self._pipeline.then(partial(self._close, self._wire, event.reason))
            case events.LoggedOut():
                _log.info("%s: the peer has logged out: %s", self.session_id, event.text or "no reason given")
            case events.Violation():
                self._on_violation(event, now)
            case events.Garbled():
                _log.warning("%s: skipped garbled bytes: %s", self.session_id, event.reason)
            case events.GapDetected():
                _log.info("%s: asked for %d to %d again", self.session_id, event.begin, event.end)
            case _:
                assert_never(event)

    def _close(self, wire: Wire | None, reason: str) -> None:
        if wire is not None and wire is self._wire:
            wire.close(reason)

    def _on_logged_on(self, now: datetime) -> None:
        if not self.available:
            return  # the same bytes brought the end of the connection
        _log.info("%s: active", self.session_id)
        self.facts.active_time = self.facts.state_time = now
        self.facts.down_since = None
        self.facts.reason = ""
        self._entry.session_up(self, now)
        self._changed()

    # Messages of the venue.

    def _on_message(self, message: Message, now: datetime) -> None:
        """What we cannot digest is tried again, for the peer sends it again; then it is kept and passed over."""
        number = self.session.numbers.epoch, message.msg_seq_num
        self._keep(message, now)
        if self._deaths[number] == _TRIES:
            _log.critical("%s: message %d is passed over, see the journal", self.session_id, number[1])
            return
        try:
            self._hear(message, now)
        except StoreError:
            raise  # not the message's fault
        except Exception:
            self._deaths[number] += 1
            raise

    def _keep(self, message: Message, now: datetime) -> None:
        epoch = self.session.numbers.epoch
        row = self._row(Direction.IN, epoch, message.msg_seq_num, message.msg_type, now, mask(message.raw))
        self._pipeline.batch.messages.append(row)

    def _hear(self, message: Message, now: datetime) -> None:
        try:
            heard = incoming.read(message, self.session_id, now)
        except FixError as error:
            self._reject(message, "5", str(error), now)  # Conditionally Required Field Missing
            self._doubt(message, str(error), now)
            return
        match heard:
            case ExecutionReport():
                self._executions.apply(heard, self, now)
            case CancelReject():
                self._executions.cancel_rejected(heard, self, now)
            case MessageReject():
                self._on_reject(heard, now)
            case None:
                self._reject(message, "3", "Unsupported Message Type", now)

    def _on_violation(self, event: events.Violation, now: datetime) -> None:
        """The session has rejected a message; its number is used, so it will not come again by itself."""
        _log.warning("%s: rejected message %d: %s", self.session_id, event.ref_msg_seq_num, event.text)
        if event.message is not None:
            self._keep(event.message, now)
            self._doubt(event.message, event.text, now)

    def _doubt(self, message: Message, text: str, now: datetime) -> None:
        """A report that we cannot take may have been a fill: ask how its order stands."""
        if message.msg_type == msg_types.EXECUTION_REPORT:
            cl_ord_id = message.get(tags.CL_ORD_ID) or ""
            self._executions.in_doubt(cl_ord_id, self, f"a report was not understood: {text}", now)

    def _on_reject(self, answer: MessageReject, now: datetime) -> None:
        text = answer.reject.text
        _log.warning("%s: the peer rejected message %d: %s", self.session_id, answer.ref_msg_seq_num, text)
        cl_ord_id = self._refused(answer)
        if cl_ord_id:
            self._executions.message_rejected(answer, cl_ord_id, self, now)

    def _refused(self, answer: MessageReject) -> str | None:
        """The ClOrdID(11) of the order or request that was refused, of which the journal knows by its number."""
        epoch, number = self.session.numbers.epoch, answer.ref_msg_seq_num
        for sent in self._journal.sent(self.session_id, epoch, number, number):
            is_inquiry = sent.msg_type == msg_types.ORDER_STATUS_REQUEST
            return None if is_inquiry else decode(sent.frame).get(tags.CL_ORD_ID)
        return None if answer.ref_msg_type == msg_types.ORDER_STATUS_REQUEST else answer.ref_id

    def _reject(self, message: Message, reason: str, text: str, now: datetime) -> None:
        _log.warning("%s: message %d not taken: %s", self.session_id, message.msg_seq_num, text)
        if not self.session.active or message.msg_type in _REJECTS:
            return
        fields = [
            (tags.REF_SEQ_NUM, str(message.msg_seq_num)),
            (tags.REF_MSG_TYPE, message.msg_type if sendable(message.msg_type) else "?"),
            (tags.BUSINESS_REJECT_REASON, reason),
            (tags.TEXT, text),
        ]
        self._ledger.send(self._send(msg_types.BUSINESS_MESSAGE_REJECT, fields, now))

    # Resending.

    def _resend(self, part: events.ResendWanted, stored: Sequence[Sent]) -> None:
        """Aged orders are gap-filled, never sent late; whether they are at the venue is asked."""
        now = self._clock()
        oldest = now - self.settings.resend_stale
        aged = [sent for sent in stored if sent.msg_type in _ORDERS and self._aged(sent, oldest, now)]
        again = [sent for sent in stored if sent.msg_type not in _NEVER_RESENT and sent not in aged]
        with self._pipeline.deciding():
            self._take(self.session.resend(part, again, now), now)
            for sent in aged:
                self._executions.in_doubt(_cl_ord_id(sent), self, "not sent again: it came too late", now)

    def _aged(self, sent: Sent, oldest: datetime, now: datetime) -> bool:
        return sent.sending_time < oldest or self._executions.lapsed(_cl_ord_id(sent), self, now)

    def _unanswered(self, error: Exception) -> None:
        """The peer asks again after the next logon; until it is answered nothing else could be sent."""
        _log.error("%s: a resend request stays unanswered: %s", self.session_id, error)
        self._close(self._wire, "the store is not available")


def _cl_ord_id(sent: Sent) -> str:
    return decode(sent.frame)[tags.CL_ORD_ID]


_ORDERS = frozenset({msg_types.NEW_ORDER_SINGLE, msg_types.ORDER_CANCEL_REPLACE_REQUEST})
_REJECTS = frozenset({msg_types.REJECT, msg_types.BUSINESS_MESSAGE_REJECT})  # never answered by another
_NEVER_RESENT = frozenset({msg_types.ORDER_STATUS_REQUEST})  # asked anew instead
