"""What the session itself must know of a message before it is acted on, whatever the dictionary says of it.

The header's fields are there, SendingTime(52) is within the limit, the CompIDs are right (FIX 4.4 vol. 2, "Reject" and
"Standard Header").
"""

from datetime import datetime
from typing import Final

from fairlead_server.fix import tags
from fairlead_server.fix.errors import BadValue
from fairlead_server.fix.formats import ANY_TEXT, ANY_TEXT_OR_NONE
from fairlead_server.fix.message import Message
from fairlead_server.fix.reasons import Problem, Reason
from fairlead_server.fix.terms import SessionConfig
from fairlead_server.fix.versions import FIXT

_COMP_IDS: Final = (tags.SENDER_COMP_ID, tags.TARGET_COMP_ID)
_REQUIRED: Final = (tags.SENDER_COMP_ID, tags.SENDING_TIME, tags.TARGET_COMP_ID)


def same_session(message: Message, config: SessionConfig) -> bool:
    return message.get(tags.BEGIN_STRING) == config.begin_string and _same_comp_ids(message, config)


def comp_ids_there(message: Message) -> Problem | None:
    """Who speaks to whom is asked before anything else is."""
    for tag in _COMP_IDS:
        if tag not in message:
            return Problem(Reason.REQUIRED_TAG_MISSING, tag)
    return None


def appl_ver_id_there(message: Message, config: SessionConfig) -> Problem | None:
    """Without it nobody knows which dictionary is meant."""
    if config.begin_string == FIXT and tags.DEFAULT_APPL_VER_ID not in message:
        return Problem(Reason.REQUIRED_TAG_MISSING, tags.DEFAULT_APPL_VER_ID)
    return None


def header_there(message: Message) -> Problem | None:
    for tag in _REQUIRED:
        if not message.get(tag):
            return Problem(Reason.NO_VALUE if tag in message else Reason.REQUIRED_TAG_MISSING, tag)
    return None


def header_pattern(tag: int, _: str) -> str:
    """The same as a pattern of :class:`Shapes`."""
    return ANY_TEXT if tag in _REQUIRED else ANY_TEXT_OR_NONE


def header_right(message: Message, config: SessionConfig, now: datetime) -> Problem | None:
    try:
        sending_time = message.utc_timestamp(tags.SENDING_TIME)
    except BadValue:
        return Problem(Reason.BAD_FORMAT, tags.SENDING_TIME)
    accuracy = config.sending_time_accuracy
    if accuracy is not None and abs(now - sending_time) > accuracy:
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
