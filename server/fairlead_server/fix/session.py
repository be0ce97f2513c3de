"""A FIX session without I/O: bytes and the time in, values out; the same class for both roles.

The contract with its driver, who owns the session, the connection and the store:

1. One owner: call from one thread, one call at a time. ``now`` is aware and UTC; if it was set back, what is due comes
   a little later.
2. Each call returns a :class:`Ready`. Make its ``journal`` and the session's new ``numbers`` durable in one
   transaction, together with whatever its ``events`` lead to; THEN write its ``wire``. A Ready is all or nothing:
   if the transaction fails, write nothing, drop the connection and build a new Session from the stored numbers.
3. Write the ``wire`` of each Ready in the order of the calls, and nothing else to the connection.
4. On ``Disconnect``, write what is due and close the connection. On ``Halted``, also stay away until an operator has
   acted: call :meth:`Session.resume`, or build a new Session if the numbers had to be repaired.
5. On ``ResendWanted``, read the journal of its ``epoch`` from ``begin`` to ``end`` and call
   :meth:`Session.resend`, also in several parts, ascending. Until then what is sent is numbered and journalled but
   waits inside the session. Leave out what must not be sent again (an aged order): a gap fill takes its place.
6. Call :meth:`Session.tick` when :meth:`Session.deadline` has come; ask for the deadline after each call.
7. When the connection has ended, for whatever reason, call :meth:`Session.disconnected`; what it had not written is
   in the journal, and the peer asks for it after the next Logon(A). A journal row is stored under its ``epoch``.

A message is delivered by ``Received`` at most once and in sequence; that it is delivered at least once follows from 2.
"""

from collections.abc import Sequence
from datetime import datetime

from fairlead_server.fix import dictionaries, inbound, msg_types, rejects, timers
from fairlead_server.fix.conversation import Conversation
from fairlead_server.fix.errors import NotActive
from fairlead_server.fix.events import Disconnect, ResendWanted
from fairlead_server.fix.message import Fields, Message
from fairlead_server.fix.strikes import Strikes
from fairlead_server.fix.terms import (
    Numbers,
    Ready,
    ResetOn,
    Role,
    Sent,
    SessionConfig,
    State,
    UnaskedReset,
    Validation,
)

__all__ = [
    "NotActive",
    "Numbers",
    "Ready",
    "ResetOn",
    "Role",
    "Sent",
    "Session",
    "SessionConfig",
    "State",
    "UnaskedReset",
    "Validation",
]


class Session:
    """One pair of CompIDs and its two sequence numbers, over as many connections as it takes."""

    def __init__(self, config: SessionConfig, numbers: Numbers) -> None:
        """Raises UnknownVersion if the messages are to be validated and we have no dictionary to do so."""
        if config.validation is Validation.STRICT:
            user_defined = config.user_defined_tags
            dictionaries.validator(config.begin_string, config.default_appl_ver_id, user_defined=user_defined)
        self.config = config
        self._numbers = numbers
        self._connections = 0
        self._strikes = Strikes()
        self._halted = False
        self._talk: Conversation | None = None

    @property
    def numbers(self) -> Numbers:
        return self._numbers if self._talk is None else self._talk.numbers

    @property
    def epoch(self) -> int:
        """Of :attr:`numbers`."""
        return self._numbers.epoch if self._talk is None else self._talk.epoch

    @property
    def state(self) -> State:
        if self._talk is not None:
            return self._talk.state
        return State.HALTED if self._halted else State.DISCONNECTED

    @property
    def active(self) -> bool:
        """Whether :meth:`send` may be called."""
        return self._talk is not None and self._talk.state is State.ACTIVE

    @property
    def appl_ver_id(self) -> str | None:
        """ApplVerID(1128) of what comes unless it says otherwise: that of the peer's Logon(A), until then our own."""
        return self.config.default_appl_ver_id if self._talk is None else self._talk.appl_ver_id

    @property
    def answering(self) -> bool:
        """Whether a ResendRequest(2) waits for its answer, and what is sent waits behind it."""
        return self._talk is not None and self._talk.outbox.answering

    def connected(self, now: datetime) -> Ready:
        """A new connection; nothing of the last one is left over. The initiator sends its Logon(A)."""
        self.disconnected()
        if self._halted:
            return Ready(events=[Disconnect("halted: an operator must act")])
        self._connections += 1
        talk = Conversation(self.config, self._numbers, self._connections, self._strikes, now)
        self._talk = talk
        if ResetOn.DISCONNECT in self.config.reset_on and talk.numbers != Numbers(epoch=talk.epoch):
            talk.reset("reset_on disconnect")
        if self.config.role is Role.INITIATOR:
            talk.log_on()
        return talk.ready

    def disconnected(self) -> None:
        """The connection has ended. Nothing becomes due: the numbers stand, at least until the next."""
        if self._talk is None:
            return
        self._numbers = self._talk.numbers
        self._strikes.ended()
        self._halted = self._halted or self._talk.state is State.HALTED
        self._talk = None

    def resume(self) -> None:
        """An operator has repaired what was wrong: connect again, nothing that went wrong before counts."""
        if self.state is State.HALTED:
            self.disconnected()
        self._halted = False
        self._strikes.clear()

    def receive(self, data: bytes, now: datetime, *, stepwise: bool = False) -> Ready:
        """Take in what the connection has brought. Never raises, whatever the bytes.

        ``stepwise`` ends after the first ``Received``, so that it can be answered before the session answers what came
        behind it; go on with no data until there is none.
        """
        talk = self._talk
        if talk is None or talk.over:
            return Ready()
        ready = talk.step(now)
        inbound.receive(talk, data, stepwise=stepwise)
        return ready

    def send(self, msg_type: str, fields: Fields, now: datetime) -> Ready:
        """Send an application message.

        Raises NotActive unless :attr:`active`, and UnsendableValue for a field that FIX cannot carry; then nothing
        has changed.
        """
        if msg_type in msg_types.ADMIN:
            raise ValueError(f"MsgType(35)={msg_type} is for the session itself to send")
        talk = self._talk
        if talk is None or talk.state is not State.ACTIVE:
            raise NotActive(self.state)
        ready = talk.step(now)
        talk.put(msg_type, fields)
        return ready

    def refuse(self, message: Message, now: datetime, text: str | None = None) -> Ready:
        """Tell the peer that an application message which was received is of a type that nobody here wants.

        With a ``text``, that it is wrong in a way that only the application can see: for versions that have no
        BusinessMessageReject(j) to send. Raises NotActive, and UnsendableValue for a text that FIX cannot carry.
        """
        talk = self._talk
        if talk is None or talk.state is not State.ACTIVE:
            raise NotActive(self.state)
        ready = talk.step(now)
        begin_string = self.config.begin_string
        if text is None:
            talk.put(*rejects.unsupported(begin_string, message, talk.appl_ver_id))
        else:
            talk.put(msg_types.REJECT, rejects.in_words(begin_string, message, text))
        return ready

    def resend(self, wanted: ResendWanted, stored: Sequence[Sent], now: datetime) -> Ready:
        """Answer a ResendRequest(2) from the journal, wholly or from its beginning on.

        ``stored`` holds the journalled messages of the range in order. Administrative ones, and any that are not
        given, become SequenceReset-GapFill(4). What has been held back follows. What an earlier connection wanted is
        ignored.
        """
        talk = self._talk
        if talk is None or talk.over:
            return Ready()
        ready = talk.step(now)
        talk.answer(wanted, stored)
        if talk.state is State.SYNCING and not talk.outbox.answering:
            talk.raise_fence()  # the last one may lie in the range that was just filled, and is then never answered
        return ready

    def tick(self, now: datetime) -> Ready:
        """Heartbeats, test requests, timeouts: whatever is due by now."""
        talk = self._talk
        if talk is None or talk.over:
            return Ready()
        ready = talk.step(now)
        timers.tick(talk)
        return ready

    def deadline(self) -> datetime | None:
        """When :meth:`tick` next has something to do, or None while disconnected."""
        return None if self._talk is None else timers.deadline(self._talk)

    def logout(self, text: str | None, now: datetime) -> Ready:
        """End in good order: the peer's Logout(5), or :meth:`tick`, brings the Disconnect.

        Raises UnsendableValue, and nothing has changed, for a text that FIX cannot carry.
        """
        talk = self._talk
        if talk is None or talk.over:
            return Ready()
        ready = talk.step(now)
        if talk.logged_on:
            talk.log_out(text)
        else:
            talk.close("logged out before logon")
        return ready
