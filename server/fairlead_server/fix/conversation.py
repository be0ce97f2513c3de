"""One connection of a session: all that must not outlive it, and the steps that the rules are made of.

A new connection is a new Conversation, so nothing can be left over from the last one: no half frame, no outstanding
request, no bytes held back. :mod:`inbound` decides what a message means, :mod:`timers` what the time means.
"""

from collections import deque
from collections.abc import Sequence
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
    ResendWanted,
    Violation,
)
from fairlead_server.fix.framing import MAX_BODY_LENGTH, MAX_LOGON_LENGTH, Frame, Framer
from fairlead_server.fix.inbox import Inbox, Request
from fairlead_server.fix.message import Fields, Message, decode
from fairlead_server.fix.outbox import Outbox
from fairlead_server.fix.reasons import Problem, Reason
from fairlead_server.fix.shapes import Pattern, Shapes
from fairlead_server.fix.strikes import Strikes
from fairlead_server.fix.terms import Numbers, Ready, ResetOn, Role, Sent, SessionConfig, State, Validation
from fairlead_server.fix.validation import Validator
from fairlead_server.fix.versions import FIX_4_2, FIXT

_MAX_GARBLED: Final = 20  # within ...
_GARBLED_WINDOW: Final = timedelta(minutes=1)
MAX_ASKED: Final = 3  # ResendRequests for the same numbers within ...
_ASKED_WINDOW: Final = timedelta(minutes=1)
_ASKED_KEPT: Final = 1_000
_SHOWN: Final = 200

Range = tuple[int, int, int]
"""The epoch, BeginSeqNo(7) and EndSeqNo(16) of a ResendRequest(2)."""


class Conversation:
    def __init__(
        self, config: SessionConfig, numbers: Numbers, connection: int, strikes: Strikes, now: datetime
    ) -> None:
        self.config = config
        self.connection = connection
        self.strikes = strikes
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
        self._asked_at: deque[tuple[datetime, Range]] = deque(maxlen=_ASKED_KEPT)
        self._garbled_at: deque[datetime] = deque(maxlen=_MAX_GARBLED)
        self._shapes = Shapes(self._patterns)
        self._right: Message | None = None  # found so as it was taken apart
        self.now = now
        self.ready = Ready()

    def step(self, now: datetime) -> Ready:
        """Begin a step: what follows is due together."""
        if now < self.now:
            self._set_back(now)
        self.now = now
        self.ready = Ready()
        return self.ready

    def _set_back(self, now: datetime) -> None:
        """The clock was: what is due some time after an event is due that long after now, and not an hour later."""
        self.opened_at = min(self.opened_at, now)
        self.received_at = min(self.received_at, now)
        self.logout_at = min(self.logout_at, now)
        self.outbox.written_at = min(self.outbox.written_at, now)
        if self.fence is not None:
            self.fence = (self.fence[0], min(self.fence[1], now))
        if self.inbox.request is not None:
            self.inbox.request.asked_at = min(self.inbox.request.asked_at, now)

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
        self.outbox.put(self.ready, msg_type, [*self._header(), *fields], self.now)

    def answer(self, wanted: ResendWanted, stored: Sequence[Sent]) -> None:
        self.outbox.answer(self.ready, wanted, stored, self._header(), self.now)
        if self.inbox.request is not None:
            self.inbox.request.asked_at = self.now  # it may have waited behind the answer

    def _header(self) -> Fields:
        """What each header says beside the numbers and names."""
        if not self.config.last_processed:
            return ()
        return [(tags.LAST_MSG_SEQ_NUM_PROCESSED, str(self.inbox.next_in - 1))]

    # Logon and logout.

    def log_on(self) -> None:
        reset = ResetOn.LOGON in self.config.reset_on
        if reset:
            self.reset("reset_on logon")
        seconds = self.config.heart_bt_int
        body = logon.body(self.config, seconds, self.appl_ver_id, self.inbox.next_in, reset=reset)
        self.put(msg_types.LOGON, body)

    def establish(self, state: State) -> None:
        self.state = state
        self.framer.max_body_length = MAX_BODY_LENGTH
        self.strikes.accepted()
        if state is State.ACTIVE:
            self.tell(LoggedOn(int(self.heart_bt_int.total_seconds())))

    def answer_logon(self, message: Message) -> None:
        """On the terms that the initiator proposes."""
        seconds = logon.heart_bt_int(message)
        self.heart_bt_int = timedelta(seconds=seconds)
        self.appl_ver_id = message.get(tags.DEFAULT_APPL_VER_ID)
        self.count(message)
        reset = logon.resets(message)
        body = logon.body(self.config, seconds, self.appl_ver_id, self.inbox.next_in, reset=reset)
        self.put(msg_types.LOGON, body)

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
        self.stay_away(reason)

    def stay_away(self, reason: str) -> None:
        self.state = State.HALTED
        self.tell(Halted(reason))

    def refuse_too_low(self, message: Message) -> None:
        """Only the initiator halts: whoever does not connect cannot connect for ever (nexus#604)."""
        text = f"MsgSeqNum too low, expecting {self.inbox.next_in} but received {message.msg_seq_num}"
        if self.config.too_low_reject and self.logged_on:
            self.reject(message, Problem(Reason.OUT_OF_RANGE, tags.MSG_SEQ_NUM))
        often = self.strikes.too_low(self.now - self.opened_at)
        if often and self.config.role is Role.INITIATOR:
            self.halt(text)
        else:
            self.refuse(text)

    # What a message says, and what is wrong with it.

    def read(self, frame: Frame) -> Message:
        """As ``decode`` does."""
        if not self.logged_on:  # and the version may not be known
            return decode(frame)
        self._right = self._shapes.read(frame)
        return self._right or decode(frame)

    def problem(self, message: Message) -> Problem | None:
        """In strict validation all that the dictionary and the session know of; in lenient what the session must know."""
        if message is not self._right:
            problem = self._problem(message)
            if problem is not None:
                return problem
            self._shapes.learn(message)
        return checks.header_right(message, self.config, self.now)

    def _problem(self, message: Message) -> Problem | None:
        if self.config.validation is Validation.STRICT:
            return self._validator(self._appl_ver_id_of(message)).problem(message)
        return checks.header_there(message)

    def _patterns(self, msg_type: str) -> Pattern:
        if self.config.validation is Validation.STRICT:
            return self._validator(self.appl_ver_id).patterns(msg_type)
        return checks.header_pattern

    def _appl_ver_id_of(self, message: Message) -> str | None:
        """A message may be of another application version than the session's."""
        named = message.get(tags.APPL_VER_ID) if self.config.begin_string == FIXT else None
        return named if named in dictionaries.APPLICATIONS else self.appl_ver_id

    def _validator(self, appl_ver_id: str | None) -> Validator:
        config = self.config
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
        """The peer's text: bounded, on one line, without our secrets."""
        for secret in self.config.secrets:
            text = text.replace(secret, "***")
        return "".join(c if c.isprintable() else "?" for c in text[:_SHOWN])

    # Order.

    def count(self, message: Message) -> None:
        """A message that has been acted on, whatever its number, takes its place in the sequence."""
        if message.msg_seq_num == self.inbox.next_in:
            self.inbox.next_in += 1
        elif message.msg_seq_num > self.inbox.next_in:
            self.inbox.hold(message.msg_seq_num, None)

    def ask_for_gap(self) -> None:
        """Once a gap; to infinity, as peers expect, who may have sent more since, unless they limit what they send.

        What is behind a chunk is still missing when that is filled, and then asked for.
        """
        missing = self.inbox.missing()
        if missing is None or self.inbox.request is not None:
            return
        begin, end = missing
        self.inbox.request = Request(begin, end, self.now)
        self.send_request(self.inbox.request)
        self.tell(GapDetected(begin, self.inbox.request.end))

    def send_request(self, request: Request) -> None:
        end = 0 if self.config.begin_string >= FIX_4_2 else 999_999
        if self.config.resend_chunk:
            end = request.end = min(request.end, request.begin + self.config.resend_chunk - 1)
        self.put(
            msg_types.RESEND_REQUEST, [(tags.BEGIN_SEQ_NO, str(request.begin)), (tags.END_SEQ_NO, str(end))]
        )

    def asks_too_often(self, wanted: Range) -> bool:
        """A peer that asks for the same again and again does not understand the answer.

        On one connection: whoever asks once on each of several has lost them, or the time to listen.
        """
        times = self._asked_at
        while times and self.now - times[0][0] >= _ASKED_WINDOW:
            times.popleft()
        times.append((self.now, wanted))
        return sum(wanted == asked for _, asked in times) >= MAX_ASKED

    def fill_gaps(self, next_expected: int | None, last: int) -> None:
        """Both Logon(A)s say what is missing: each side fills the other's gap, and neither asks.

        ``last`` is the highest number that the peer can miss. If our own gap is not filled we ask after all.
        """
        if next_expected is None:
            return
        if next_expected <= last:
            self.tell(self.outbox.freeze(next_expected, last))
        missing = self.inbox.missing()
        if missing is not None:
            self.inbox.request = Request(*missing, self.now, tries=0)
            self.tell(GapDetected(*missing))

    def activate_if_synced(self) -> None:
        """The fence is passed, nothing is missing, and the peer does not wait for an answer."""
        waiting = self.inbox.request is not None or self.outbox.answering
        if self.state is State.SYNCING and self.fence is None and not waiting:
            self.establish(State.ACTIVE)

    def finish_logout(self) -> None:
        """The peer has logged out; answer, unless we did first."""
        self.log_out(None)
        self.close("logged out")
        if ResetOn.LOGOUT in self.config.reset_on:
            self.reset("reset_on logout")
