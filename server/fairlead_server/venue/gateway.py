"""One venue session between the use cases and the wire.

Drives a :class:`~fairlead_server.fix.session.Session` as its contract says: whatever a step makes due goes into the
open batch with all that it leads to, and reaches the socket when that has committed. Bytes belong to the connection
that they were made for; if it is gone, they are dropped, and the peer asks for them after the next logon.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

from fairlead_server.domain.execution import ExecutionReport
from fairlead_server.domain.mass_scope import MassScope
from fairlead_server.domain.order import Order, Request
from fairlead_server.domain.terms import NewOrder
from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.fix import events, msg_types, tags
from fairlead_server.fix.dialect import Dialect, dialect
from fairlead_server.fix.message import Fields, Message, conceal, mask, sendable
from fairlead_server.fix.session import Numbers, Ready, Sent, Session, State
from fairlead_server.routing.executions import Executions
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.order_entry import OrderEntry
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock, Outbound, SessionView
from fairlead_server.store.batch import Direction, MessageRow
from fairlead_server.venue import outgoing
from fairlead_server.venue.hearing import Hearing
from fairlead_server.venue.resending import STEP, Journal, Resending, cl_ord_id
from fairlead_server.venue.settings import HALT_MARK, SHOWN, Endpoint, Facts, VenueSettings, view
from fairlead_server.venue.wire import Wire

_log = logging.getLogger(__name__)

_NO_WAIT = timedelta()


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
        self._row = partial(MessageRow, settings.session_id)
        self._ledger = ledger
        self._pipeline = pipeline
        self._entry = entry
        self._executions = executions
        self._clock = clock
        self.changed = changed
        self._wire: Wire | None = None
        self._write = partial(self._write_to, None)
        self._congested = self._behind = False
        self._resending = Resending(
            settings.session_id,
            journal,
            pipeline.durable,
            self._resend,
            self._unanswered,
            lambda: self.settings.resend_rate,
        )
        self._hearing = Hearing(self, executions, entry, journal, pipeline)
        self._state = State.DISCONNECTED
        self.halted = ""
        self.load(Numbers())

    def load(self, numbers: Numbers) -> None:
        """Begin anew from the stored numbers; any connection has to be gone."""
        self.session = Session(self.settings.config, numbers)
        self._recorded = numbers
        self._secrets = self.settings.config.secrets
        throttle = self.settings.throttle
        self._pace = throttle.pace(self._clock()) if throttle else None

    def renumber(self, numbers: Numbers, reason: str) -> None:
        """Part of a decision, while there is no connection: go on from other numbers."""
        now, before = self._clock(), self.session.numbers
        _log.warning("%s: numbers set from %s to %s: %s", self.session_id, before, numbers, reason)
        self.load(numbers)
        self._ledger.send(self._outbound(Ready(), now))
        if numbers.epoch != before.epoch:
            self._executions.session_reset(self, f"the session's numbers were set anew: {reason}", now)

    # The gateway: what the use cases send.

    @property
    def session_id(self) -> str:
        return self.settings.session_id

    @property
    def available(self) -> bool:
        """What is sent while the peer does not read, or behind a long answer, would go out later than anyone expects."""
        held_up = self._congested or self._behind
        return self._wire is not None and self.session.active and not held_up

    @property
    def is_connected(self) -> bool:
        return self._wire is not None

    def wait(self, now: datetime, *, cancel: bool = False) -> timedelta:
        return _NO_WAIT if self._pace is None else self._pace.wait(now, cancel=cancel)

    @property
    def max_queue(self) -> timedelta:
        return self.settings.throttle.max_queue if self.settings.throttle else _NO_WAIT

    @property
    def rules(self) -> VenueRules:
        return self.settings.rules

    @property
    def epoch(self) -> int:
        return self.session.epoch

    def wake(self) -> None:
        if self._wire is not None:
            self._wire.wake()

    @property
    def down_since(self) -> datetime | None:
        return self.facts.down_since

    def missing_capability(self, new: NewOrder) -> str | None:
        return self.rules.capabilities.missing(new) or outgoing.missing_capability(new, self._dialect)

    def new_order(self, order: Order, now: datetime) -> Outbound:
        fields = outgoing.new_order_single(order, self._dialect, now)
        return self._send(msg_types.NEW_ORDER_SINGLE, fields, now)

    def replace_order(self, order: Order, request: Request, now: datetime) -> Outbound:
        meaning = self.rules.replace_quantity
        fields = outgoing.order_cancel_replace_request(order, request, self._dialect, now, meaning)
        return self._send(msg_types.ORDER_CANCEL_REPLACE_REQUEST, fields, now)

    def cancel_order(self, order: Order, request: Request, now: datetime) -> Outbound:
        fields = outgoing.order_cancel_request(order, request, self._dialect, now)
        return self._send(msg_types.ORDER_CANCEL_REQUEST, fields, now)

    def request_status(self, order: Order, now: datetime) -> Outbound:
        fields = outgoing.order_status_request(order, self._dialect)
        return self._send(msg_types.ORDER_STATUS_REQUEST, fields, now)

    @property
    def has_mass_status(self) -> bool:
        return self.rules.mass_status and self._dialect.has_message(msg_types.ORDER_MASS_STATUS_REQUEST)

    def request_mass_status(self, now: datetime) -> Outbound:
        """Named by what its message is to be: unique for as long as there are numbers."""
        request_id = f"{self.epoch}-{self.session.numbers.next_out}"
        fields = outgoing.order_mass_status_request(request_id)
        return self._send(msg_types.ORDER_MASS_STATUS_REQUEST, fields, now)

    @property
    def has_mass_cancel(self) -> bool:
        return self.rules.mass_cancel and self._dialect.has_message(msg_types.ORDER_MASS_CANCEL_REQUEST)

    def mass_cancel(self, scope: MassScope, cl_ord_id: str, now: datetime) -> Outbound:
        fields = outgoing.order_mass_cancel_request(scope, cl_ord_id, self._dialect, now)
        return self._send(msg_types.ORDER_MASS_CANCEL_REQUEST, fields, now)

    def dont_know_trade(self, order: Order, report: ExecutionReport, now: datetime) -> Outbound | None:
        if not (self.rules.dont_know_trade and self.session.active):
            return None
        return self._send(msg_types.DONT_KNOW_TRADE, outgoing.dont_know_trade(order, report), now)

    @property
    def _dialect(self) -> Dialect:
        config = self.settings.config
        return dialect(config.begin_string, config.default_appl_ver_id)

    def _send(self, msg_type: str, fields: Fields, now: datetime) -> Outbound:
        outbound = self._outbound(self.session.send(msg_type, fields, now), now)
        if self._pace is not None:
            self._pace.take(now, cancel=msg_type in msg_types.CANCELS)
        return outbound

    def view(self) -> SessionView:
        unsent = 0 if self._wire is None else self._wire.unsent
        queued = self._entry.queued(self.session_id)
        return view(
            self.settings, self.facts, self.session.numbers, self._shown_state(), queued=queued, unsent=unsent
        )

    def _shown_state(self) -> str:
        """Whether to connect is not the session's to know; see :mod:`~fairlead_server.venue.operations`."""
        if self.halted:
            return "HALTED"
        if self._wire is None:
            return "CONNECTING" if self.facts.connecting else "BACKOFF"
        return SHOWN[self.session.state]

    # The connection: what the wire brings.

    def connecting(self, endpoint: Endpoint) -> None:
        self.facts.endpoint = endpoint
        self.facts.active_time = None
        self.facts.connecting = True
        self.facts.state_time = self._clock()
        self.changed()

    def connected(self, wire: Wire) -> None:
        if self._pipeline.broken:  # the session is about to be rebuilt from the store
            wire.close("the store is not available")
            return
        now = self._clock()
        self._wire, self._write = wire, partial(self._write_to, wire)
        self.facts.connection += 1
        self.facts.connect_time = self.facts.state_time = now
        self.facts.reason = "connected, logging on"
        self.facts.connecting = False
        self._absorb(self.session.connected(now), now)

    def received(self, data: bytes) -> None:
        now = self._clock()
        self.facts.last_received_time = now
        for part in self._hearing.parts(data):
            self._absorb(self.session.receive(part, now), now)

    def tick(self) -> None:
        now = self._clock()
        self._absorb(self.session.tick(now), now)
        self._entry.dispatch(self, now)

    def deadline(self) -> datetime | None:
        if self._pipeline.broken:
            return None  # nothing can be decided, and the connection is being dropped
        own = self.session.deadline()
        turn = self._entry.deadline(self, self._clock())
        return turn if own is None else own if turn is None else min(own, turn)

    def log_out(self, text: str) -> None:
        """Say goodbye; the connection ends when the peer has answered, or has not for too long."""
        if self._wire is not None:
            now = self._clock()
            self._absorb(self.session.logout(text, now), now)

    def disconnected(self, reason: str, wire: Wire | None = None) -> None:
        """``wire`` is the one that has ended; None: whichever there was."""
        if wire is not None and self._wire not in (None, wire):
            return  # one that we had left: the present one goes on
        now = self._clock()
        self._wire = None
        self._congested = self._behind = self.facts.connecting = False
        self.session.disconnected()
        self._resending.stop()
        self._entry.session_down(self, now)
        if self.facts.down_since is None:
            self.facts.down_since = now
        self.facts.state_time = now
        self.facts.reason = self.halted or reason
        self.changed()

    def congest(self) -> None:
        _log.error("%s: the peer does not read; no more orders are given to it", self.session_id)
        self._congested = True
        self.facts.reason = "the peer does not read"
        self.changed()

    def relieve(self) -> None:
        """It reads again; cancels that have waited go out."""
        if not self._congested or self._pipeline.broken:
            return
        self._congested = False
        if self.available:
            with self._pipeline.deciding():
                self._resume(self._clock())

    @property
    def unsaved(self) -> int:
        """Messages, of all sessions, that wait to be made durable."""
        return self._pipeline.waiting_messages

    def once_durable(self, act: Callable[[], None]) -> None:
        self._pipeline.then(act)

    def _absorb(self, ready: Ready, now: datetime) -> None:
        """Everything of one step is one transaction: its messages, its numbers, and what its events lead to."""
        if self._pipeline.broken:
            return  # the connection is being dropped, and what it brought will be asked for again
        with self._pipeline.deciding():
            self._take(ready, now)
        if self.session.state is not self._state:
            self._state = self.session.state
            self.facts.state_time = now
            self._pipeline.then(self.changed)

    def _take(self, ready: Ready, now: datetime) -> None:
        for message in ready.heard:
            self._keep(conceal(message, self._secrets), now)
        if ready.journal or ready.wire or self.session.numbers != self._recorded:
            self._ledger.send(self._outbound(ready, now))
        for event in ready.events:
            self._on(event, now)

    def _outbound(self, ready: Ready, now: datetime) -> Outbound:
        rows = [
            self._row(s.epoch, Direction.OUT, s.msg_seq_num, s.msg_type, s.sending_time, s.frame)
            for s in ready.journal
        ]
        self._recorded = self.session.numbers
        if ready.wire:
            self.facts.last_sent_time = now
        return Outbound(self.session_id, rows, self._recorded, self._write, bytes(ready.wire))

    def _write_to(self, wire: Wire | None, data: bytes) -> None:
        if wire is not None and wire is self._wire:
            wire.write(data)

    def _on(self, event: events.Event, now: datetime) -> None:
        match event:
            case events.Received():
                self._hearing.hear(conceal(event.message, self._secrets), now)
            case events.LoggedOn():
                self._on_logged_on(now)
            case events.ResendWanted():
                self._on_resend_wanted(event, now)
            case events.NumbersReset():
                _log.warning("%s: numbers reset, epoch %d: %s", self.session_id, event.epoch, event.reason)
                self._executions.session_reset(self, f"the session's numbers were reset: {event.reason}", now)
            case events.Halted():
                self._pipeline.batch.stopped[self.session_id] = f"{HALT_MARK}{event.reason}"
                self._pipeline.then(partial(self._halt, event.reason))
                _log.error("%s: halted: %s", self.session_id, event.reason)
            case events.Disconnect():
                self._pipeline.then(partial(self._close, self._wire, event.reason))
            case events.LoggedOut():
                _log.info("%s: the peer has logged out: %s", self.session_id, event.text or "no reason given")
            case events.Violation():
                self._hearing.rejected(event, now)
            case events.Garbled():
                _log.warning("%s: skipped garbled bytes: %s", self.session_id, event.reason)
            case events.GapDetected():
                _log.info("%s: asked for %d to %d again", self.session_id, event.begin, event.end)
            case events.StormBroken():
                _log.error("%s: the peer keeps asking for %d to %d", self.session_id, event.begin, event.end)
            case _:
                assert_never(event)

    def _halt(self, reason: str) -> None:
        self.halted = self.facts.reason = reason

    def _close(self, wire: Wire | None, reason: str) -> None:
        if wire is not None and wire is self._wire:
            wire.close(reason)

    def _on_logged_on(self, now: datetime) -> None:
        if not self.available:
            return  # the same bytes brought the end of the connection
        _log.info("%s: active", self.session_id)
        self.facts.active_time = self.facts.state_time = now
        self._resume(now)

    def _resume(self, now: datetime) -> None:
        self.facts.down_since = None
        self.facts.reason = ""
        self._entry.session_up(self, now)
        self.changed()

    def _keep(self, message: Message, now: datetime) -> None:
        row = self._row(
            self.session.epoch, Direction.IN, message.msg_seq_num, message.msg_type, now, mask(message.raw)
        )
        self._pipeline.batch.messages.append(row)

    def refuse(self, message: Message, reason: str, text: str, now: datetime) -> None:
        """Answer a message that we have no use for; ``reason`` is a BusinessRejectReason(380)."""
        _log.warning("%s: message %d not taken: %s", self.session_id, message.msg_seq_num, text)
        if not self.session.active or message.msg_type in _REJECTS:
            return
        if not self._dialect.has_message(msg_types.BUSINESS_MESSAGE_REJECT):
            self._ledger.send(self._outbound(self.session.refuse(message, now, text), now))
            return
        fields = [
            (tags.REF_SEQ_NUM, str(message.msg_seq_num)),
            (tags.REF_MSG_TYPE, message.msg_type if sendable(message.msg_type) else "?"),
            (tags.BUSINESS_REJECT_REASON, reason),
            (tags.TEXT, text),
        ]
        self._ledger.send(self._send(msg_types.BUSINESS_MESSAGE_REJECT, fields, now))

    # Resending.

    def _on_resend_wanted(self, event: events.ResendWanted, now: datetime) -> None:
        self._resending.begin(event)
        if event.end - event.begin >= STEP:
            self._behind = True
            self.facts.reason = "answering a long resend request"
            self._pipeline.then(self.changed)
        if event.passed_over:
            text = f"{event.passed_over} messages were too many to be sent again"
            self._executions.session_reset(self, text, now)

    def _resend(self, part: events.ResendWanted, stored: Sequence[Sent]) -> None:
        """Aged orders are gap-filled, never sent late; whether they are at the venue is asked."""
        now = self._clock()
        oldest = now - self.settings.resend_stale
        aged = [sent for sent in stored if sent.msg_type in _ORDERS and self._aged(sent, oldest, now)]
        again = [sent for sent in stored if sent.msg_type not in _NEVER_RESENT and sent not in aged]
        with self._pipeline.deciding():
            ready = self.session.resend(part, again, now)
            caught_up = self._behind and not self.session.answering
            self._behind = self._behind and not caught_up
            self._take(ready, now)
            for sent in aged:
                self._executions.withheld(cl_ord_id(sent), self, now)
            if caught_up and self.available:
                self._resume(now)

    def _aged(self, sent: Sent, oldest: datetime, now: datetime) -> bool:
        return sent.sending_time < oldest or self._executions.lapsed(cl_ord_id(sent), self, now)

    def _unanswered(self, error: Exception) -> None:
        """The peer asks again after the next logon; until it is answered nothing else could be sent."""
        _log.error("%s: a resend request stays unanswered: %s", self.session_id, error)
        self._close(self._wire, "the store is not available")


_ORDERS = frozenset({msg_types.NEW_ORDER_SINGLE, msg_types.ORDER_CANCEL_REPLACE_REQUEST})
_REJECTS = frozenset({msg_types.REJECT, msg_types.BUSINESS_MESSAGE_REJECT})  # never answered by another
_NEVER_RESENT = frozenset(
    {msg_types.ORDER_STATUS_REQUEST, msg_types.ORDER_MASS_STATUS_REQUEST}
)  # asked anew instead
