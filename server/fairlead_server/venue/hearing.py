"""What a venue's messages lead to: reports and refusals for the use cases, an answer for what we cannot digest."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from fairlead_server.domain.execution import CancelReject, ExecutionReport, MassCancelReport, MessageReject
from fairlead_server.domain.venue_rules import ExecIdScope, ReplaceQuantity
from fairlead_server.fix import events, msg_types, tags
from fairlead_server.fix.errors import FixError
from fairlead_server.fix.message import Message
from fairlead_server.fix.session import Session
from fairlead_server.routing.executions import Executions
from fairlead_server.routing.order_entry import OrderEntry
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Gateway
from fairlead_server.store.errors import StoreError
from fairlead_server.venue import incoming
from fairlead_server.venue.resending import Journal, cl_ord_id
from fairlead_server.venue.settings import Facts, VenueSettings

_log = logging.getLogger(__name__)

_MESSAGES = re.compile(rb".+?\x0110=[^\x01]*\x01|.+", re.DOTALL)  # as far as they are whole; any part will do
_TRIES = 3  # of a message at which a decision died


class Hears(Gateway, Protocol):
    """The session that hears, and can answer."""

    session: Session
    settings: VenueSettings
    facts: Facts
    changed: Callable[[], None]

    def refuse(self, message: Message, reason: str, text: str, now: datetime) -> None: ...


class Hearing:
    """All of it is part of the decision that the session's step is."""

    def __init__(
        self,
        gateway: Hears,
        executions: Executions,
        entry: OrderEntry,
        journal: Journal,
        pipeline: Pipeline,
    ) -> None:
        self._gateway = gateway
        self._executions = executions
        self._entry = entry
        self._journal = journal
        self._pipeline = pipeline
        self._deaths: Counter[tuple[int, int]] = Counter()  # by epoch and MsgSeqNum(34), of decisions

    def parts(self, data: bytes) -> Sequence[bytes]:
        """``data`` in the parts that are to be decided by themselves: all of it, or message by message."""
        return _MESSAGES.findall(data) if self._pipeline.wary else (data,)

    def hear(self, message: Message, now: datetime) -> None:
        """What we cannot digest is tried again, for the peer sends it again; then it is kept and passed over."""
        number = self._gateway.session.epoch, message.msg_seq_num
        origin = f"{self._gateway.session_id}: message {number[1]} of epoch {number[0]}"
        if self._pipeline.convicted(origin):
            self._pass_over(message, origin, now)
            return
        if self._deaths and self._deaths[number] == _TRIES:
            self._tell_passed_over(number[1])
            return
        self._pipeline.comes_of(origin)
        try:
            self._take(message, now)
        except StoreError:
            raise  # not the message's fault
        except Exception:
            self._deaths[number] += 1
            raise

    def _pass_over(self, message: Message, origin: str, now: datetime) -> None:
        """It may have been a fill; if not even the doubt can be made durable, it is only kept."""
        doubt = f"{origin}, the doubt"
        if not self._pipeline.convicted(doubt):
            self._pipeline.comes_of(doubt)
            self._doubt(message, "it cannot be made durable", now)
        self._tell_passed_over(message.msg_seq_num)

    def _tell_passed_over(self, number: int) -> None:
        text = f"message {number} is passed over, see the journal"
        _log.critical("%s: %s", self._gateway.session_id, text)
        self._gateway.facts.passed_over = text
        self._pipeline.then(self._gateway.changed)

    def _take(self, message: Message, now: datetime) -> None:
        try:
            heard = self._read(message, now)
        except FixError as error:
            self._gateway.refuse(message, "5", str(error), now)  # Conditionally Required Field Missing
            self._doubt(message, str(error), now)
            return
        match heard:
            case ExecutionReport():
                self._executions.apply(heard, self._gateway, now)
            case CancelReject():
                self._executions.cancel_rejected(heard, self._gateway, now)
            case MassCancelReport():
                self._entry.mass_cancel_answered(heard, self._gateway, now)
            case MessageReject():
                self._on_reject(heard, now)
            case None:
                self._gateway.refuse(message, "3", "Unsupported Message Type", now)

    def _read(self, message: Message, now: datetime) -> incoming.Heard | None:
        """As this venue means it."""
        heard, rules = incoming.read(message, self._gateway.session_id, now), self._gateway.rules
        if not isinstance(heard, ExecutionReport):
            return heard
        if rules.replace_quantity is ReplaceQuantity.WORKING:
            heard = incoming.of_the_whole(heard)
        if rules.exec_id_scope is not ExecIdScope.SESSION and incoming.tells_its_day(message):
            heard = incoming.of_its_day(heard, self._gateway.settings.schedule)
        return heard

    def rejected(self, event: events.Violation, now: datetime) -> None:
        """The session has rejected a message; its number is used, so it will not come again by itself."""
        _log.warning(
            "%s: rejected message %d: %s", self._gateway.session_id, event.ref_msg_seq_num, event.text
        )
        if event.message is not None:
            self._doubt(event.message, event.text, now)

    def _doubt(self, message: Message, text: str, now: datetime) -> None:
        """A report that we cannot take may have been a fill: ask how its order stands."""
        if message.msg_type == msg_types.EXECUTION_REPORT:
            cl_ord_id = message.get(tags.CL_ORD_ID) or ""
            self._executions.in_doubt(cl_ord_id, self._gateway, f"a report was not understood: {text}", now)

    def _on_reject(self, answer: MessageReject, now: datetime) -> None:
        text = answer.reject.text
        _log.warning(
            "%s: the peer rejected message %d: %s", self._gateway.session_id, answer.ref_msg_seq_num, text
        )
        if answer.ref_msg_type == msg_types.ORDER_MASS_STATUS_REQUEST:
            self._entry.refused_mass_status(self._gateway, now)
            return
        msg_type, name = self._refused(answer)
        if not name or msg_type == msg_types.ORDER_STATUS_REQUEST:
            return
        if msg_type == msg_types.ORDER_MASS_CANCEL_REQUEST:
            refused = MassCancelReport(name, accepted=False, text=text)
            self._entry.mass_cancel_answered(refused, self._gateway, now)
        else:
            self._executions.message_rejected(answer, name, self._gateway, now)

    def _refused(self, answer: MessageReject) -> tuple[str, str]:
        """The type of what was refused, and its ClOrdID(11), of which the journal knows by its number."""
        epoch, number = self._gateway.session.epoch, answer.ref_msg_seq_num
        for sent in self._journal.sent(self._gateway.session_id, epoch, number, number):
            return sent.msg_type, cl_ord_id(sent)
        return answer.ref_msg_type, answer.ref_id
