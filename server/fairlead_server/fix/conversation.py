"""One connection of a session: all that must not outlive it, and the steps that the rules are made of.

A new connection is a new Conversation, so nothing can be left over from the last one: no half frame, no outstanding
request, no bytes held back. :mod:`inbound` decides what a message means, :mod:`timers` what the time means.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from fairlead_server.fix import checks, dictionaries, logon, msg_types, rejects, tags
from fairlead_server.fix.events import (
    Disconnect,
    Event,
    GapDetected,
    Garbled,
    Halted,
    LoggedOn,
    NumbersReset,
    Violation,
)
from fairlead_server.fix.framing import MAX_BODY_LENGTH, MAX_LOGON_LENGTH, Framer
from fairlead_server.fix.inbox import Inbox, Request
from fairlead_server.fix.message import Fields, Message
from fairlead_server.fix.outbox import Outbox
from fairlead_server.fix.reasons import Problem
from fairlead_server.fix.terms import Numbers, Ready, Role, SessionConfig, State, Validation
from fairlead_server.fix.validation import Validator
from fairlead_server.fix.versions import FIX_4_2, FIXT

_MAX_GARBLED: Final = 20  # within ...
_GARBLED_WINDOW: Final = timedelta(minutes=1)
_MAX_TOO_LOW: Final = 3  # connections in a row that lived for less than ...
_TOO_LOW_WINDOW: Final = timedelta(minutes=1)
_SHOWN: Final = 200


class Conversation:
    def __init__(
        self, config: SessionConfig, numbers: Numbers, connection: int, too_low: int, now: datetime
    ) -> None:
        self.config = config
        self.connection = connection
        self.too_low = too_low  # connections in a row that ended so, this one included
        self.epoch = numbers.epoch
        self.inbox = Inbox(numbers.next_in)
        self.outbox = Outbox(config, connection, numbers, now)
        self.framer = Framer(MAX_LOGON_LENGTH)
        self.state = State.LOGON_SENT if config.role is Role.INITIATOR else State.LOGON_WAIT
        self.heart_bt_int = timedelta(seconds=config.heart_bt_int)
        self.appl_ver_id = config.default_appl_ver_id
        self.opened_at = now
        self.received_at = now
        self.tested = False  # the silence has been answered with a TestRequest(1)
        self.fence: tuple[str, datetime] | None = None  # how the awaited TestReqID(112) begins; since when
        self.logout_at = now  # ours was sent, or the peer's came over a gap
        self.logout_number = 0  # of the peer's Logout(5) that came over a gap
        self._garbled_at: deque[datetime] = deque(maxlen=_MAX_GARBLED)
        self.now = now
        self.ready = Ready()

    def step(self, now: datetime) -> Ready:
        """Begin a step: what follows is due together."""
        self.now = now
        self.ready = Ready()
        return self.ready

    @property
    def over(self) -> bool:
        return self.state is State.DISCONNECTED or self.state is State.HALTED

    @property
    def logged_on(self) -> bool:
        waiting = self.state is State.LOGON_WAIT or self.state is State.LOGON_SENT
        return not waiting and not self.over

    @property
    def numbers(self) -> Numbers:
        return Numbers(self.inbox.next_in, self.outbox.next_out, self.epoch)

    def tell(self, event: Event) -> None:
        self.ready.events.append(event)

    def put(self, msg_type: str, fields: Fields = ()) -> None:
        self.outbox.put(self.ready, msg_type, fields, self.now)

    # Logon and logout.

    def log_on(self) -> None:
        if self.config.reset_on_logon:
            self.reset("reset_on_logon")
        self.put(
            msg_types.LOGON,
            logon.body(
                self.config, self.config.heart_bt_int, self.appl_ver_id, reset=self.config.reset_on_logon
            ),
        )

    def establish(self, state: State) -> None:
        self.state = state
        self.framer.max_body_length = MAX_BODY_LENGTH
        if state is State.ACTIVE:
            self.tell(LoggedOn(int(self.heart_bt_int.total_seconds())))

    def answer_logon(self, message: Message) -> None:
        """On the terms that the initiator proposes."""
        seconds = logon.heart_bt_int(message)
        self.heart_bt_int = timedelta(seconds=seconds)
        self.appl_ver_id = message.get(tags.DEFAULT_APPL_VER_ID)
        self.put(
            msg_types.LOGON,
            logon.body(self.config, seconds, self.appl_ver_id, reset=logon.resets(message)),
        )
        self.count(message)

    def raise_fence(self) -> None:
        """Once its Heartbeat(0) is back, all that the peer had to say about our Logon(A) has been said."""
        name = f"SYNC-{self.connection}-"
        self.fence = (name, self.now)
        self.put(msg_types.TEST_REQUEST, [(tags.TEST_REQ_ID, f"{name}{self.outbox.next_out}")])

    def reset(self, reason: str) -> None:
        """Both directions count from 1 again. What was sent stays in the journal, under its old epoch."""
        self.epoch += 1
        numbers = Numbers(epoch=self.epoch)
        self.inbox = Inbox(numbers.next_in)
        self.outbox = Outbox(self.config, self.connection, numbers, self.now)
        self.tell(NumbersReset(self.epoch, numbers.next_in, reason))

    def log_out(self, text: str | None) -> None:
        """One Logout(5) only, however much is wrong (QFJ #465)."""
        if self.state is State.LOGOUT_SENT:
            return
        self.put(msg_types.LOGOUT, [(tags.TEXT, text)] if text else ())
        self.state = State.LOGOUT_SENT
        self.logout_at = self.now

    def close(self, reason: str) -> None:
        self.state = State.DISCONNECTED
        self.tell(Disconnect(reason))

    def refuse(self, text: str) -> None:
        """Say why, and do not wait for an answer."""
        self.log_out(text)
        self.close(text)

    def halt(self, reason: str) -> None:
        self.refuse(reason)
        self.state = State.HALTED
        self.tell(Halted(reason))

    def refuse_too_low(self, number: int) -> None:
        """Only the initiator halts: whoever does not connect cannot connect for ever (nexus#604)."""
        text = f"MsgSeqNum too low, expecting {self.inbox.next_in} but received {number}"
        if self.now - self.opened_at > _TOO_LOW_WINDOW:
            self.too_low = 0
        self.too_low += 1
        if self.config.role is Role.INITIATOR and self.too_low >= _MAX_TOO_LOW:
            self.halt(text)
        else:
            self.refuse(text)

    # What is wrong with a message.

    def problem(self, message: Message) -> Problem | None:
        """In strict validation all that the dictionary and the session know of; in lenient what the session must know."""
        if self.config.validation is Validation.STRICT:
            problem = self._validator(message).problem(message)
        else:
            problem = checks.header_there(message)
        return problem or checks.header_right(message, self.config, self.now)

    def _validator(self, message: Message) -> Validator:
        """A message may be of another application version than the session's."""
        config, appl_ver_id = self.config, self.appl_ver_id
        if config.begin_string == FIXT and message.get(tags.APPL_VER_ID) in dictionaries.APPLICATIONS:
            appl_ver_id = message[tags.APPL_VER_ID]
        return dictionaries.validator(config.begin_string, appl_ver_id, user_defined=config.user_defined_tags)

    def reject(self, message: Message, problem: Problem) -> None:
        self.put(msg_types.REJECT, rejects.reject(self.config.begin_string, message, problem))
        self.tell(Violation(problem.reason.value, problem.reason.text, message.msg_seq_num, message))
        if problem.fatal:
            self.log_out(None)  # the Reject(3) has said why

    def skip_garbled(self, garbled: Garbled) -> None:
        self.tell(garbled)
        if self.state is State.LOGON_WAIT:
            self.close("the first message is garbled")
            return
        times = self._garbled_at
        if len(times) == _MAX_GARBLED and self.now - times[0] < _GARBLED_WINDOW:
            text = f"more than {_MAX_GARBLED} garbled messages within a minute"
            if self.logged_on:
                self.refuse(text)
            else:
                self.close(text)
        times.append(self.now)

    def shown(self, text: str) -> str:
        """The peer's text: bounded, on one line, without our password."""
        if self.config.password:
            text = text.replace(self.config.password, "***")
        return "".join(c if c.isprintable() else "?" for c in text[:_SHOWN])

    # Order.

    def count(self, message: Message) -> None:
        """A message that has been acted on, whatever its number, takes its place in the sequence."""
        if message.msg_seq_num == self.inbox.next_in:
            self.inbox.next_in += 1
        elif message.msg_seq_num > self.inbox.next_in:
            self.inbox.hold(message.msg_seq_num, None)

    def ask_for_gap(self) -> None:
        """Once a gap; to infinity, as peers expect, who may have sent more since."""
        missing = self.inbox.missing()
        if missing is None or self.inbox.request is not None:
            return
        begin, end = missing
        self.inbox.request = Request(begin, end, self.now)
        self.send_request(begin)
        self.tell(GapDetected(begin, end))

    def send_request(self, begin: int) -> None:
        infinity = "0" if self.config.begin_string >= FIX_4_2 else "999999"
        self.put(msg_types.RESEND_REQUEST, [(tags.BEGIN_SEQ_NO, str(begin)), (tags.END_SEQ_NO, infinity)])

    def activate_if_synced(self) -> None:
        """The fence is passed and nothing is missing."""
        if self.state is State.SYNCING and self.fence is None and self.inbox.request is None:
            self.establish(State.ACTIVE)

    def finish_logout(self) -> None:
        """The peer has logged out; answer, unless we did first."""
        self.log_out(None)
        self.close("logged out")
