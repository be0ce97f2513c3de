"""What can be wrong with a message, in the numbers and words of SessionRejectReason(373)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Reason(IntEnum):
    """SessionRejectReason(373)."""

    UNKNOWN_TAG = 0
    REQUIRED_TAG_MISSING = 1
    NOT_OF_MESSAGE = 2
    NO_VALUE = 4
    OUT_OF_RANGE = 5
    BAD_FORMAT = 6
    COMP_ID = 9
    SENDING_TIME = 10
    UNKNOWN_MSG_TYPE = 11
    REPEATED = 13
    OUT_OF_ORDER = 14
    GROUP_COUNT = 16

    @property
    def text(self) -> str:
        return _TEXTS[self]


_TEXTS: Final = {
    Reason.UNKNOWN_TAG: "Invalid tag number",
    Reason.REQUIRED_TAG_MISSING: "Required tag missing",
    Reason.NOT_OF_MESSAGE: "Tag not defined for this message type",
    Reason.NO_VALUE: "Tag specified without a value",
    Reason.OUT_OF_RANGE: "Value is incorrect (out of range) for this tag",
    Reason.BAD_FORMAT: "Incorrect data format for value",
    Reason.COMP_ID: "CompID problem",
    Reason.SENDING_TIME: "SendingTime accuracy problem",
    Reason.UNKNOWN_MSG_TYPE: "Invalid MsgType",
    Reason.REPEATED: "Tag appears more than once",
    Reason.OUT_OF_ORDER: "Tag specified out of required order",
    Reason.GROUP_COUNT: "Incorrect NumInGroup count for repeating group",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a message is answered with a Reject(3); when ``fatal``, a Logout(5) follows."""

    reason: Reason
    tag: int | None = None
    fatal: bool = False

    def __str__(self) -> str:
        return self.reason.text if self.tag is None else f"{self.reason.text} ({self.tag})"
