"""The nouns of a session: who plays it, its settings, its numbers, and what one step of it makes due."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from fairlead_server.fix.events import Event


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


@dataclass(frozen=True, slots=True)
class SessionConfig:
    begin_string: str
    sender_comp_id: str
    target_comp_id: str
    role: Role
    heart_bt_int: int = 30  # seconds; the acceptor takes the peer's
    username: str | None = None  # the initiator sends both, the acceptor demands those that are set
    password: str | None = field(default=None, repr=False)
    reset_on_logon: bool = False  # both numbers start at 1 with each Logon(A)
    accept_unasked_reset: bool = False  # initiator: whether the answer may reset what we did not ask to reset
    sending_time_accuracy: timedelta = timedelta(seconds=120)
    logout_timeout: timedelta = timedelta(seconds=10)  # how long to wait for the answer to our Logout(5)
    logout_gap_timeout: timedelta = timedelta(seconds=5)  # for the gap that a Logout(5) shows; 0: do not wait
    time_digits: int = 3  # of a second's fraction in SendingTime(52): 0, 3 or 6
    validation: Validation = Validation.STRICT
    user_defined_tags: bool = False  # whether tags from 5000 on that we do not know are let pass
    default_appl_ver_id: str | None = None  # DefaultApplVerID(1137) of our Logon(A), for FIXT.1.1 alone


@dataclass(frozen=True, slots=True)
class Numbers:
    """The next MsgSeqNum(34) expected and the next to be used; ``epoch`` counts the resets to 1."""

    next_in: int = 1
    next_out: int = 1
    epoch: int = 1


@dataclass(frozen=True, slots=True)
class Sent:
    """One message for the journal, administrative ones included; secrets in ``frame`` are masked."""

    msg_seq_num: int
    msg_type: str
    sending_time: datetime
    frame: bytes
    epoch: int = 1


@dataclass(slots=True)
class Ready:
    """What one step made due: make ``journal`` durable with what ``events`` lead to, then write ``wire``."""

    journal: list[Sent] = field(default_factory=list)
    wire: bytearray = field(default_factory=bytearray)
    events: list[Event] = field(default_factory=list)
