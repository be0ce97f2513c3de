"""The nouns of a session: who plays it, its settings, its numbers, and what one step of it makes due."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from msgspec import Struct

from fairlead_server.fix import tags
from fairlead_server.fix.errors import UnsendableValue
from fairlead_server.fix.events import Event
from fairlead_server.fix.message import Message, sendable


class Role(Enum):
    INITIATOR = auto()  # connects, and sends the first Logon(A)
    ACCEPTOR = auto()  # listens


class State(Enum):
    """Where the session itself can be. Whether to connect, and when, is its driver's business."""

    DISCONNECTED = auto()
    LOGON_WAIT = auto()  # acceptor: connected, the first message must be a Logon(A)
    LOGON_SENT = auto()  # initiator: connected, waiting for the answer
    SYNCING = auto()  # initiator: logged on, finding out whether either side misses messages
    ACTIVE = auto()
    LOGOUT_SENT = auto()
    LOGOUT_WAIT_GAP = auto()  # the peer's Logout(5) has shown a gap, which is filled first
    HALTED = auto()  # an operator must act; no connection is made or accepted


class Validation(Enum):
    STRICT = auto()  # by the data dictionary
    LENIENT = auto()  # only what the session itself must know


class ResetOn(Enum):
    """When both sides have agreed, outside the protocol, to count from 1 again. Each begins an epoch."""

    LOGON = auto()  # each; the initiator says so with ResetSeqNumFlag(141)=Y
    LOGOUT = auto()  # each one that has been answered
    DISCONNECT = auto()  # whatever ended the last connection, a crash of ours included


class UnaskedReset(Enum):
    """What an answer to our Logon(A) is met with that resets what we did not ask to reset."""

    ACCEPT = auto()
    REFUSE = auto()  # Logout(5), and try again
    HALT = auto()  # Logout(5), and wait for an operator


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Raises UnsendableValue for a field of ``logon_fields`` that is not the caller's to set, or cannot be sent."""

    begin_string: str
    sender_comp_id: str
    target_comp_id: str
    role: Role
    heart_bt_int: int = 30  # seconds; the acceptor takes the peer's
    username: str | None = None  # the initiator sends both, the acceptor demands those that are set
    password: str | None = field(default=None, repr=False)
    reset_on: frozenset[ResetOn] = frozenset()
    unasked_reset: UnaskedReset = UnaskedReset.REFUSE  # of the initiator; the acceptor leaves it to the peer
    trust_peer: bool = False  # whether to go on at N when our Logon(A) is refused as "too low, expecting N"
    too_low_reject: bool = False  # whether a Reject(3) says so before the Logout(5) does (quickfix#700)
    next_expected: bool = (
        False  # whether NextExpectedMsgSeqNum(789) of the Logon(A)s is used; not before FIX.4.4
    )
    last_processed: bool = False  # whether LastMsgSeqNumProcessed(369) is in every header
    resend_chunk: int = 0  # how many messages one ResendRequest(2) asks for; 0: all
    resend_max: int = 10_000  # how many of the newest messages are sent again; those before are gap-filled
    sending_time_accuracy: timedelta | None = timedelta(seconds=120)  # None: not checked
    logout_timeout: timedelta = timedelta(seconds=10)  # how long to wait for the answer to our Logout(5)
    logout_gap_timeout: timedelta = timedelta(seconds=5)  # for the gap that a Logout(5) shows; 0: do not wait
    time_digits: int = 3  # of a second's fraction in SendingTime(52): 0, 3 or 6
    validation: Validation = Validation.STRICT
    user_defined_tags: bool = False  # whether tags from 5000 on that we do not know are let pass
    default_appl_ver_id: str | None = None  # DefaultApplVerID(1137) of our Logon(A), for FIXT.1.1 alone
    logon_fields: tuple[tuple[int, str], ...] = field(default=(), repr=False)  # more fields of our Logon(A)
    secret_tags: frozenset[int] = frozenset()  # those of them that are masked wherever they are kept or shown

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, whoever says it."""
        more = tuple(value for tag, value in self.logon_fields if tag in self.secret_tags)
        return more if self.password is None else (self.password, *more)

    def __post_init__(self) -> None:
        for tag, value in self.logon_fields:
            if tag in SET_BY_THE_SESSION:
                raise UnsendableValue(tag, "the session sets this field of a Logon(A) itself")
            if not sendable(value):
                raise UnsendableValue(tag, "empty, or holds a character that FIX cannot carry")


SET_BY_THE_SESSION = frozenset(
    {
        tags.BEGIN_STRING,
        tags.BODY_LENGTH,
        tags.CHECK_SUM,
        tags.MSG_SEQ_NUM,
        tags.MSG_TYPE,
        tags.POSS_DUP_FLAG,
        tags.SENDER_COMP_ID,
        tags.SENDING_TIME,
        tags.TARGET_COMP_ID,
        tags.ENCRYPT_METHOD,
        tags.HEART_BT_INT,
        tags.ORIG_SENDING_TIME,
        tags.RESET_SEQ_NUM_FLAG,
        tags.LAST_MSG_SEQ_NUM_PROCESSED,
        tags.USERNAME,
        tags.PASSWORD,
        tags.NEXT_EXPECTED_MSG_SEQ_NUM,
        tags.DEFAULT_APPL_VER_ID,
    }
)


class Numbers(Struct, frozen=True):
    """The next MsgSeqNum(34) expected and the next to be used; ``epoch`` counts the resets to 1."""

    next_in: int = 1
    next_out: int = 1
    epoch: int = 1


class Sent(Struct, frozen=True):
    """One message for the journal, administrative ones included; secrets in ``frame`` are masked."""

    msg_seq_num: int
    msg_type: str
    sending_time: datetime
    frame: bytes
    epoch: int = 1


@dataclass(slots=True)
class Ready:
    """What one step made due: make ``journal`` durable with what ``events`` lead to, then write ``wire``.

    ``heard`` are the messages that came, administrative ones included, in the order of their arrival, for whoever keeps them.
    """

    heard: list[Message] = field(default_factory=list)
    journal: list[Sent] = field(default_factory=list)
    wire: bytearray = field(default_factory=bytearray)
    events: list[Event] = field(default_factory=list)
