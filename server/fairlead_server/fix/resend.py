"""Answers a ResendRequest(2) from the journal (FIX 4.4 vol. 2, "Resend Request" and "Sequence Reset").

Application messages go out again with PossDupFlag(43)=Y, their first SendingTime(52) as OrigSendingTime(122) and the
same body. Whatever is not given, not intact or administrative becomes a SequenceReset-GapFill(4), one for each run
of numbers, the last one included. Reject(3) is the one administrative message that the specification has resent.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from fairlead_server.fix import msg_types, tags
from fairlead_server.fix.errors import FixError
from fairlead_server.fix.framing import Framer
from fairlead_server.fix.message import Fields, decode, encode
from fairlead_server.fix.terms import Sent, SessionConfig
from fairlead_server.fix.values import write_utc_timestamp

_NEVER_RESENT: Final = msg_types.ADMIN - {msg_types.REJECT}
_RENEWED: Final = frozenset(
    {
        tags.BEGIN_STRING,
        tags.BODY_LENGTH,
        tags.MSG_TYPE,
        tags.SENDER_COMP_ID,
        tags.TARGET_COMP_ID,
        tags.MSG_SEQ_NUM,
        tags.SENDING_TIME,
        tags.POSS_DUP_FLAG,
        tags.ORIG_SENDING_TIME,
        tags.LAST_MSG_SEQ_NUM_PROCESSED,
        tags.CHECK_SUM,
    }
)


def replay(
    config: SessionConfig, begin: int, end: int, stored: Sequence[Sent], header: Fields, now: datetime
) -> bytes:
    """The bytes that bring the peer from ``begin`` to beyond ``end``; ``header`` stands in each message."""
    time = write_utc_timestamp(now, digits=config.time_digits)
    wire = bytearray()
    due = begin
    for sent in stored:
        again = _again(config, sent, header, time) if due <= sent.msg_seq_num <= end else None
        if again is None:
            continue
        if due < sent.msg_seq_num:
            wire += _gap_fill(config, due, sent.msg_seq_num, header, time)
        wire += again
        due = sent.msg_seq_num + 1
    if due <= end:
        wire += _gap_fill(config, due, end + 1, header, time)
    return bytes(wire)


def _again(config: SessionConfig, sent: Sent, header: Fields, time: str) -> bytes | None:
    """None if this message must not be resent, or has been damaged: never send anything malformed (QFJ #1081)."""
    if sent.msg_type in _NEVER_RESENT or Framer().feed(sent.frame) != [sent.frame]:
        return None
    try:
        message = decode(sent.frame)
        if message.msg_seq_num != sent.msg_seq_num:
            return None
        header = [
            *header,
            (tags.POSS_DUP_FLAG, "Y"),
            (tags.ORIG_SENDING_TIME, message[tags.SENDING_TIME]),
        ]
        body = [field for field in message.fields if field[0] not in _RENEWED]
        return _encode(config, message.msg_type, message.msg_seq_num, time, [*header, *body])
    except FixError:
        return None


def _gap_fill(config: SessionConfig, begin: int, new_seq_no: int, header: Fields, time: str) -> bytes:
    body: Fields = (
        *header,
        (tags.POSS_DUP_FLAG, "Y"),
        (tags.ORIG_SENDING_TIME, time),
        (tags.NEW_SEQ_NO, str(new_seq_no)),
        (tags.GAP_FILL_FLAG, "Y"),
    )
    return _encode(config, msg_types.SEQUENCE_RESET, begin, time, body)


def _encode(config: SessionConfig, msg_type: str, msg_seq_num: int, time: str, fields: Fields) -> bytes:
    return encode(
        config.begin_string,
        msg_type,
        config.sender_comp_id,
        config.target_comp_id,
        msg_seq_num,
        time,
        fields,
    )
