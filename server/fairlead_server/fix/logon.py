"""The Logon(A): what ours says, and why one of the peer's is refused."""

import hmac
from datetime import timedelta
from typing import Final

from fairlead_server.fix import tags
from fairlead_server.fix.dictionaries import APPLICATIONS
from fairlead_server.fix.errors import BadValue, MissingTag
from fairlead_server.fix.message import Fields, Message
from fairlead_server.fix.terms import Role, SessionConfig
from fairlead_server.fix.versions import FIXT

_LONGEST: Final = int(timedelta(days=1).total_seconds())


def body(config: SessionConfig, heart_bt_int: int, appl_ver_id: str | None, *, reset: bool) -> Fields:
    fields = [(tags.ENCRYPT_METHOD, "0"), (tags.HEART_BT_INT, str(heart_bt_int))]
    if reset:
        fields.append((tags.RESET_SEQ_NUM_FLAG, "Y"))
    if config.role is Role.INITIATOR and config.username is not None:
        fields.append((tags.USERNAME, config.username))
    if config.role is Role.INITIATOR and config.password is not None:
        fields.append((tags.PASSWORD, config.password))
    if appl_ver_id is not None and config.begin_string == FIXT:
        fields.append((tags.DEFAULT_APPL_VER_ID, appl_ver_id))
    return fields


def resets(message: Message) -> bool:
    return message.get(tags.RESET_SEQ_NUM_FLAG) == "Y"


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
    try:
        heart_bt_int(message)
    except (MissingTag, BadValue):
        return f"HeartBtInt(108) must be from 0 to {_LONGEST}"
    if config.begin_string == FIXT and message.get(tags.DEFAULT_APPL_VER_ID) not in APPLICATIONS:
        return "DefaultApplVerID(1137) is none that is known here"
    if resets(message) and message.msg_seq_num != 1:
        return "ResetSeqNumFlag(141)=Y demands MsgSeqNum(34)=1"
    if config.role is Role.ACCEPTOR and not _known(message, config):
        return "Username(553) or Password(554) is wrong"
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
