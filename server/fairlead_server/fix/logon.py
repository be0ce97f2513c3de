"""The Logon(A): what ours says, and why one of the peer's is refused."""

import hmac
import re
from datetime import timedelta
from typing import Final

from fairlead_server.fix import tags
from fairlead_server.fix.dictionaries import APPLICATIONS
from fairlead_server.fix.errors import BadValue, MissingTag
from fairlead_server.fix.message import Fields, Message
from fairlead_server.fix.terms import Role, SessionConfig
from fairlead_server.fix.versions import FIXT

_LONGEST: Final = int(timedelta(days=1).total_seconds())
_EXPECTED: Final = re.compile(r"expect(?:ing|ed)\D{0,24}([0-9]{1,18})", re.IGNORECASE)


def body(
    config: SessionConfig, heart_bt_int: int, appl_ver_id: str | None, next_in: int, *, reset: bool
) -> Fields:
    fields = [(tags.ENCRYPT_METHOD, "0"), (tags.HEART_BT_INT, str(heart_bt_int))]
    if reset:
        fields.append((tags.RESET_SEQ_NUM_FLAG, "Y"))
    if config.next_expected:
        fields.append((tags.NEXT_EXPECTED_MSG_SEQ_NUM, str(next_in)))
    if config.role is Role.INITIATOR and config.username is not None:
        fields.append((tags.USERNAME, config.username))
    if config.role is Role.INITIATOR and config.password is not None:
        fields.append((tags.PASSWORD, config.password))
    if appl_ver_id is not None and config.begin_string == FIXT:
        fields.append((tags.DEFAULT_APPL_VER_ID, appl_ver_id))
    return [*fields, *config.logon_fields]


def expected(text: str) -> int | None:
    """The number that a peer names which refuses ours as too low; there is no field for it, only the custom."""
    match = _EXPECTED.search(text)
    return None if match is None else int(match[1])


def resets(message: Message) -> bool:
    return message.get(tags.RESET_SEQ_NUM_FLAG) == "Y"


def next_expected(message: Message, config: SessionConfig) -> int | None:
    """Where the peer wants us to go on, if both sides go by it. Raises BadValue."""
    if not config.next_expected or tags.NEXT_EXPECTED_MSG_SEQ_NUM not in message:
        return None
    number = message.integer(tags.NEXT_EXPECTED_MSG_SEQ_NUM)
    if number < 1:
        raise BadValue(tags.NEXT_EXPECTED_MSG_SEQ_NUM, str(number), "from 1 on")
    return number


def heart_bt_int(message: Message) -> int:
    """In seconds, 0 for none. Raises MissingTag or BadValue."""
    seconds = message.integer(tags.HEART_BT_INT)
    if not 0 <= seconds <= _LONGEST:
        raise BadValue(tags.HEART_BT_INT, message[tags.HEART_BT_INT], f"from 0 to {_LONGEST}")
    return seconds


def objection(message: Message, config: SessionConfig) -> str | None:
    """Why this Logon is refused, in words for the peer; None if it is not."""
    if message.get(tags.ENCRYPT_METHOD) != "0":
        return "EncryptMethod(98) must be 0"
    malformed = _malformed(message, config)
    if malformed is not None:
        return malformed
    if config.begin_string == FIXT and message.get(tags.DEFAULT_APPL_VER_ID) not in APPLICATIONS:
        return "DefaultApplVerID(1137) is none that is known here"
    if resets(message) and message.msg_seq_num != 1:
        return "ResetSeqNumFlag(141)=Y demands MsgSeqNum(34)=1"
    if config.role is Role.ACCEPTOR and not _known(message, config):
        return "Username(553) or Password(554) is wrong"
    return None


def _malformed(message: Message, config: SessionConfig) -> str | None:
    try:
        heart_bt_int(message)
    except (MissingTag, BadValue):
        return f"HeartBtInt(108) must be from 0 to {_LONGEST}"
    try:
        next_expected(message, config)
    except BadValue:
        return "NextExpectedMsgSeqNum(789) must be a number from 1 on"
    return None


def _known(message: Message, config: SessionConfig) -> bool:
    return _same(message.get(tags.USERNAME), config.username) and _same(
        message.get(tags.PASSWORD), config.password
    )


def _same(given: str | None, demanded: str | None) -> bool:
    if demanded is None:
        return True
    # In constant time, so that a guess does not learn how much of it was right.
    return hmac.compare_digest((given or "").encode(), demanded.encode())
