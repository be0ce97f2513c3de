"""What the first message of a connection means: the two Logon(A)s, or why there will be none (FIX 4.4 vol. 2, "Logon").

An initiator whose Logon(A) is refused, or that cannot take the answer, tries again; five times in a row is enough.
"""

from typing import Final, assert_never

from fairlead_server.fix import checks, logon, msg_types, tags
from fairlead_server.fix.conversation import Conversation
from fairlead_server.fix.events import LoggedOut, NumbersReset
from fairlead_server.fix.message import Message
from fairlead_server.fix.strikes import MAX_REFUSED
from fairlead_server.fix.terms import ResetOn, State, UnaskedReset

_MAX_JUMP: Final = 100_000  # numbers that a peer's word on ours may pass over


def on_first_to_acceptor(talk: Conversation, message: Message) -> None:
    config = talk.config
    if message.msg_type != msg_types.LOGON or not checks.same_session(message, config):
        # Not a word to a stranger: a reply would use up a number.
        talk.close("the first message is not this session's Logon(A)")
        return
    problem = checks.appl_ver_id_there(message, config) or talk.problem(message)
    if problem is not None:
        # A Reject(3) would be the first word of a session that has not begun.
        talk.close(f"Logon(A) is wrong: {problem}")
        return
    objection = logon.objection(message, config)
    if objection is not None:
        talk.refuse(objection)
        return
    if logon.resets(message) or ResetOn.LOGON in config.reset_on:
        talk.reset("Logon(A) with ResetSeqNumFlag(141)=Y" if logon.resets(message) else "reset_on logon")
    if message.msg_seq_num < talk.inbox.next_in:
        talk.refuse_too_low(message)
        return
    next_expected = logon.next_expected(message, config)
    last = talk.outbox.next_out - 1
    if next_expected is not None and next_expected > last + 1:
        talk.refuse(_expects_too_much(next_expected, last))
        return
    talk.answer_logon(message)
    talk.establish(State.ACTIVE)
    talk.fill_gaps(next_expected, last)


def on_first_to_initiator(talk: Conversation, message: Message) -> None:
    config = talk.config
    if message.msg_type in {msg_types.LOGOUT, msg_types.REJECT}:
        _on_logon_refused(talk, message)
        return
    if message.msg_type != msg_types.LOGON:
        talk.close("the first message is not a Logon(A)")
        return
    problem = talk.problem(message) if message.get(tags.BEGIN_STRING) == config.begin_string else None
    objection = str(problem) if problem else _objection(talk, message)
    next_expected = None if objection else logon.next_expected(message, config)
    last = talk.outbox.next_out - 1
    if next_expected is not None and next_expected > last + 1:
        objection = _expects_too_much(next_expected, last)
    if objection is not None:
        talk.refuse(objection)
        _count_refusal(talk, objection)
        return
    if logon.resets(message) and ResetOn.LOGON not in config.reset_on:
        next_expected = None  # it counts our messages in another way than we do
        _on_unasked_reset(talk)
        if talk.over:
            return
    talk.appl_ver_id = message.get(tags.DEFAULT_APPL_VER_ID)
    if message.msg_seq_num < talk.inbox.next_in:
        talk.refuse_too_low(message)
        return
    talk.count(message)
    talk.establish(State.SYNCING)
    talk.fill_gaps(next_expected, last)
    talk.ask_for_gap()
    talk.raise_fence()


def _objection(talk: Conversation, message: Message) -> str | None:
    if message.get(tags.BEGIN_STRING) != talk.config.begin_string:
        return "Incorrect BeginString"
    return logon.objection(message, talk.config)


def _expects_too_much(next_expected: int, last: int) -> str:
    """The peer has received what we know nothing of: to go on would be to use numbers twice."""
    return f"NextExpectedMsgSeqNum(789) too high, expecting {last + 1} but received {next_expected}"


def _on_unasked_reset(talk: Conversation) -> None:
    """The answer to our Logon(A) resets what we did not ask to reset: what was sent may be lost to the peer."""
    text = "ResetSeqNumFlag(141)=Y was not asked for"
    match talk.config.unasked_reset:
        case UnaskedReset.ACCEPT:
            talk.reset("the answer to our Logon(A) has ResetSeqNumFlag(141)=Y")
        case UnaskedReset.REFUSE:
            talk.refuse(text)
            _count_refusal(talk, text)
        case UnaskedReset.HALT:
            talk.halt(text)
        case _:
            assert_never(talk.config.unasked_reset)


def _on_logon_refused(talk: Conversation, message: Message) -> None:
    """By a Logout(5), as the specification has it, or by a Reject(3)."""
    text = talk.shown(message.get(tags.TEXT) or "")
    if message.msg_type == msg_types.LOGOUT:
        talk.tell(LoggedOut(text))
    talk.count(message)
    if talk.config.trust_peer:
        _adopt(talk, logon.expected(text))
    talk.close(f"Logon(A) refused: {text}")
    _count_refusal(talk, text)


def _count_refusal(talk: Conversation, text: str) -> None:
    if talk.strikes.refused():
        talk.stay_away(f"Logon(A) refused {MAX_REFUSED} times in a row: {text}")


def _adopt(talk: Conversation, expected: int | None) -> None:
    """Only forwards: numbers that are passed over are gap-filled, but none is used twice."""
    next_out = talk.outbox.next_out
    if expected is not None and next_out < expected <= next_out + _MAX_JUMP:
        talk.outbox.next_out = expected
        reason = f"next_out {expected} as the peer expects, instead of {next_out}"
        talk.tell(NumbersReset(talk.epoch, talk.inbox.next_in, reason))
