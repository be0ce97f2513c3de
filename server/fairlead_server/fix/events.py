"""What a session tells its driver: things that happened, in the order in which they did.

Text that came from the peer is bounded and free of secrets.
"""

from dataclasses import dataclass, field

from msgspec import Struct

from fairlead_server.fix.message import Message


class LoggedOn(Struct, frozen=True):
    """The session is ACTIVE: application messages may be sent."""

    heart_bt_int: int


class Received(Struct, frozen=True):
    """An application message, or the peer's Reject(3) of one of ours; in sequence, each once."""

    message: Message


class ResendWanted(Struct, frozen=True):
    """The peer asks for ``begin`` to ``end``, both included and already sent; answer with ``Session.resend``.

    The numbers are those of ``epoch``. ``connection`` is the one that it was asked on: no other is answered.
    """

    begin: int
    end: int
    epoch: int = 1
    connection: int = 1
    passed_over: int = 0  # numbers before ``begin`` that are gap-filled unread, for they are too many


@dataclass(frozen=True, slots=True)
class Violation:
    """The peer broke a rule, and was told so in a Reject(3) with ``reason`` as SessionRejectReason(373)."""

    reason: int
    text: str
    ref_msg_seq_num: int
    message: Message | None = field(default=None, compare=False, repr=False)  # the one that was rejected


class Garbled(Struct, frozen=True):
    """Bytes that are no message: skipped, no MsgSeqNum(34) consumed. ``data_prefix`` is masked."""

    data_prefix: bytes
    reason: str


class GapDetected(Struct, frozen=True):
    """``begin`` to ``end``, both included, are missing and have been asked for."""

    begin: int
    end: int


class StormBroken(Struct, frozen=True):
    """The peer has asked for ``begin`` to ``end`` again and again, and gets no more answers for now: worth an alarm."""

    begin: int
    end: int


class NumbersReset(Struct, frozen=True):
    """The peer moved our numbers otherwise than by sending: worth an alarm.

    After a new ``epoch`` both directions count from 1 and what was unacknowledged in the old one is in doubt.
    """

    epoch: int
    next_in: int
    reason: str


class LoggedOut(Struct, frozen=True):
    """The peer's Logout(5) and its Text(58)."""

    text: str


class Disconnect(Struct, frozen=True):
    """Write what is due, then close the connection. Nothing more comes from it."""

    reason: str


class Halted(Struct, frozen=True):
    """Do not connect again until an operator has acted."""

    reason: str


Event = (
    LoggedOn
    | Received
    | ResendWanted
    | Violation
    | Garbled
    | GapDetected
    | StormBroken
    | NumbersReset
    | LoggedOut
    | Disconnect
    | Halted
)
