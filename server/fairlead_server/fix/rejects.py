"""The Reject(3) in the words of each version (FIX 4.0 to 4.4 vol. 2, "Reject").

Before FIX.4.2 it is RefSeqNum(45) and Text(58), and the tag is named in the text. FIX.4.2 has the rest, but knows no
SessionRejectReason(373) above 11. It goes back by the route on which the bad message came.
"""

from typing import Final

from fairlead_server.fix import msg_types, tags
from fairlead_server.fix.message import Fields, Message, sendable
from fairlead_server.fix.reasons import Problem, Reason
from fairlead_server.fix.versions import FIX_4_1, FIX_4_2

_LONGEST: Final = 200  # of a MsgType(35) that is quoted
_BACK: Final = {
    tags.ON_BEHALF_OF_COMP_ID: tags.DELIVER_TO_COMP_ID,
    tags.ON_BEHALF_OF_SUB_ID: tags.DELIVER_TO_SUB_ID,
    tags.DELIVER_TO_COMP_ID: tags.ON_BEHALF_OF_COMP_ID,
    tags.DELIVER_TO_SUB_ID: tags.ON_BEHALF_OF_SUB_ID,
}
_BACK_SINCE_4_1: Final = _BACK | {
    tags.ON_BEHALF_OF_LOCATION_ID: tags.DELIVER_TO_LOCATION_ID,
    tags.DELIVER_TO_LOCATION_ID: tags.ON_BEHALF_OF_LOCATION_ID,
}


def reject(begin_string: str, message: Message, problem: Problem) -> Fields:
    """Header fields and body, by ascending tag."""
    reason, tag = problem.reason, problem.tag
    if begin_string < FIX_4_2:
        text = reason.text if tag is None else f"{reason.text} ({tag})"
        return in_words(begin_string, message, text)
    fields = [*_route(begin_string, message), *_body(message, reason.text)]
    if tag is not None:
        fields.append((tags.REF_TAG_ID, str(tag)))
    if _quotable(message.msg_type):
        fields.append((tags.REF_MSG_TYPE, message.msg_type))
    if begin_string != FIX_4_2 or reason <= Reason.UNKNOWN_MSG_TYPE:
        fields.append((tags.SESSION_REJECT_REASON, str(reason.value)))
    return fields


def unsupported(begin_string: str, message: Message, appl_ver_id: str | None) -> tuple[str, Fields]:
    """MsgType(35) and fields of the answer to an application message that is right and that nobody here wants."""
    if begin_string < FIX_4_2:
        return msg_types.REJECT, in_words(begin_string, message, "Unsupported message type")
    if not _quotable(message.msg_type):
        # Lenient validation has let it pass, and the answer would have to name it.
        return msg_types.REJECT, reject(begin_string, message, Problem(Reason.UNKNOWN_MSG_TYPE))
    fields = _body(message, "Unsupported Message Type")
    fields += [(tags.REF_MSG_TYPE, message.msg_type), (tags.BUSINESS_REJECT_REASON, "3")]
    if appl_ver_id is not None:
        fields.append((tags.DEFAULT_APPL_VER_ID, appl_ver_id))
    return msg_types.BUSINESS_MESSAGE_REJECT, fields


def in_words(begin_string: str, message: Message, text: str) -> Fields:
    """A Reject(3) that gives its reason in Text(58) alone."""
    return [*_route(begin_string, message), *_body(message, text)]


def _quotable(msg_type: str) -> bool:
    return len(msg_type) <= _LONGEST and sendable(msg_type)


def _body(message: Message, text: str) -> list[tuple[int, str]]:
    return [(tags.REF_SEQ_NUM, str(message.msg_seq_num)), (tags.TEXT, text)]


def _route(begin_string: str, message: Message) -> Fields:
    back = _BACK if begin_string < FIX_4_1 else _BACK_SINCE_4_1
    route = ((to, message.get(tag) or "") for tag, to in back.items())
    return [(tag, value) for tag, value in route if sendable(value)]
