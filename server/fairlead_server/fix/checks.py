"""What every message must show before it is looked at, in the order in which peers judge it.

Required header fields, SendingTime(52) within the limit, the CompIDs (FIX 4.4 vol. 2, "Reject" and "Standard Header").
Texts are those that the field SessionRejectReason(373) has in the specification.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

from fairlead_server.fix import tags
from fairlead_server.fix.errors import BadValue
from fairlead_server.fix.message import Message
from fairlead_server.fix.terms import SessionConfig


class Reason(IntEnum):
    """SessionRejectReason(373)."""

    REQUIRED_TAG_MISSING = 1
    NO_VALUE = 4
    OUT_OF_RANGE = 5
    BAD_FORMAT = 6
    COMP_ID = 9
    SENDING_TIME = 10

    @property
    def text(self) -> str:
        return _TEXTS[self]


_TEXTS: Final = {
    Reason.REQUIRED_TAG_MISSING: "Required tag missing",
    Reason.NO_VALUE: "Tag specified without a value",
    Reason.OUT_OF_RANGE: "Value is incorrect (out of range) for this tag",
    Reason.BAD_FORMAT: "Incorrect data format for value",
    Reason.COMP_ID: "CompID problem",
    Reason.SENDING_TIME: "SendingTime accuracy problem",
}
_REQUIRED: Final = (tags.SENDER_COMP_ID, tags.SENDING_TIME, tags.TARGET_COMP_ID)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a message is answered with a Reject(3); when ``fatal``, a Logout(5) follows."""

    reason: Reason
    tag: int | None = None
    fatal: bool = False


def same_session(message: Message, config: SessionConfig) -> bool:
    return message.get(tags.BEGIN_STRING) == config.begin_string and _same_comp_ids(message, config)


def header(message: Message, config: SessionConfig, now: datetime) -> Problem | None:
    for tag in _REQUIRED:
        if not message.get(tag):
            return Problem(Reason.NO_VALUE if tag in message else Reason.REQUIRED_TAG_MISSING, tag)
    try:
        sending_time = message.utc_timestamp(tags.SENDING_TIME)
    except BadValue:
        return Problem(Reason.BAD_FORMAT, tags.SENDING_TIME)
    if abs(now - sending_time) > config.sending_time_accuracy:
        return Problem(Reason.SENDING_TIME, fatal=True)
    if not _same_comp_ids(message, config):
        return Problem(Reason.COMP_ID, fatal=True)
    return None


def repeated(message: Message) -> Problem | None:
    """The same for a message that has been seen: it must say when it was first sent, and not later than now."""
    if tags.ORIG_SENDING_TIME not in message:
        return Problem(Reason.REQUIRED_TAG_MISSING, tags.ORIG_SENDING_TIME)
    try:
        original = message.utc_timestamp(tags.ORIG_SENDING_TIME)
    except BadValue:
        return Problem(Reason.BAD_FORMAT, tags.ORIG_SENDING_TIME)
    if original > message.utc_timestamp(tags.SENDING_TIME):
        return Problem(Reason.SENDING_TIME, fatal=True)
    return None


def _same_comp_ids(message: Message, config: SessionConfig) -> bool:
    comp_ids = (message.get(tags.SENDER_COMP_ID), message.get(tags.TARGET_COMP_ID))
    return comp_ids == (config.target_comp_id, config.sender_comp_id)
