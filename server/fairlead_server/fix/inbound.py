"""What a message from the peer means (FIX 4.4 vol. 2, "FIX Session Protocol"; checks in the order of :mod:`checks`).

Logout(5), ResendRequest(2) and SequenceReset-Reset(4) are acted on whatever their MsgSeqNum(34), as peers do: a
ResendRequest that waited for our own gap would have both ends wait. All others are judged: too low, due, too high.
"""

from collections.abc import Callable
from typing import Final

from fairlead_server.fix import checks, handshake, logon, msg_types, tags
from fairlead_server.fix.conversation import MAX_ASKED, Conversation
from fairlead_server.fix.errors import BadValue, MissingTag, Undecodable
from fairlead_server.fix.events import Garbled, LoggedOut, NumbersReset, Received, StormBroken
from fairlead_server.fix.framing import Frame
from fairlead_server.fix.message import Message, mask, sendable
from fairlead_server.fix.reasons import Problem, Reason
from fairlead_server.fix.terms import Role, State

_TO_INFINITY: Final = frozenset({0, 999_999})  # EndSeqNo(16): since 4.2, and before
_MAX_JUMP: Final = 100_000  # numbers that one GapFill may pass over
_LONGEST_ECHO: Final = 1_000  # of a TestReqID(112)
_SHOWN: Final = 64


def receive(talk: Conversation, data: bytes, *, stepwise: bool) -> None:
    talk.framer.push(data)
    if stepwise:
        _settle(talk, stepwise=True)  # the last step may have left something
    while not _step_done(talk, stepwise=stepwise) and (item := talk.framer.pop()) is not None:
        if isinstance(item, Garbled):
            talk.skip_garbled(item)
        else:
            _on_frame(talk, item)
            _settle(talk, stepwise=stepwise)


def _step_done(talk: Conversation, *, stepwise: bool) -> bool:
    return talk.over or (stepwise and any(isinstance(event, Received) for event in talk.ready.events))


def _settle(talk: Conversation, *, stepwise: bool) -> None:
    """Deliver what has become due, ask for what is still missing, and see what that completes."""
    while not _step_done(talk, stepwise=stepwise) and (message := talk.inbox.take()) is not None:
        _deliver(talk, message)
    if not talk.logged_on or _step_done(talk, stepwise=stepwise):
        return
    talk.inbox.settle(talk.now)
    talk.ask_for_gap()
    talk.activate_if_synced()
    if talk.state is State.LOGOUT_WAIT_GAP and talk.inbox.next_in > talk.logout_number:
        talk.finish_logout()


def _on_frame(talk: Conversation, frame: Frame) -> None:
    try:
        message = talk.read(frame)
    except Undecodable as error:
        talk.skip_garbled(Garbled(mask(frame)[:_SHOWN], error.reason))
        return
    except (MissingTag, BadValue):
        _on_no_number(talk)
        return
    talk.ready.heard.append(message)
    talk.received_at = talk.now
    talk.tested = False
    if talk.state is State.LOGON_WAIT:
        handshake.on_first_to_acceptor(talk, message)
    elif talk.state is State.LOGON_SENT:
        handshake.on_first_to_initiator(talk, message)
    else:
        _on_message(talk, message)


def _on_no_number(talk: Conversation) -> None:
    """Without a number nothing can be asked for again (FIX 4.4 vol. 2, "Garbled Messages")."""
    text = "MsgSeqNum(34) missing or malformed"
    if talk.logged_on:
        talk.refuse(text)
    else:
        talk.close(text)


def _on_message(talk: Conversation, message: Message) -> None:
    problem = checks.comp_ids_there(message)
    if problem is None and message.get(tags.BEGIN_STRING) != talk.config.begin_string:
        talk.count(message)
        talk.log_out("Incorrect BeginString")
        return
    problem = problem or talk.problem(message)
    if problem is not None:
        _reject(talk, message, problem)
    elif (act := _WHATEVER_ITS_NUMBER.get(message.msg_type)) is not None:
        act(talk, message)
    elif message.msg_type == msg_types.SEQUENCE_RESET and message.get(tags.GAP_FILL_FLAG) != "Y":
        _on_reset(talk, message)
    elif message.msg_seq_num < talk.inbox.next_in:
        _on_too_low(talk, message)
    elif message.msg_seq_num > talk.inbox.next_in:
        talk.inbox.hold(message.msg_seq_num, message)
    else:
        _deliver(talk, message)


def _reject(talk: Conversation, message: Message, problem: Problem) -> None:
    if talk.state is not State.LOGOUT_SENT or message.msg_type != msg_types.REJECT:
        talk.reject(
            message, problem
        )  # two ends that log out would else answer each other's until the time is up
    due = message.msg_seq_num == talk.inbox.next_in
    if due and message.msg_type not in {msg_types.LOGON, msg_types.SEQUENCE_RESET}:
        talk.inbox.next_in += 1


def _on_too_low(talk: Conversation, message: Message) -> None:
    if not message.poss_dup:
        talk.refuse_too_low(message)
        return
    # Many peers leave OrigSendingTime(122) out of a GapFill, and none of it is needed here.
    gap_fill = message.msg_type == msg_types.SEQUENCE_RESET
    problem = None if gap_fill else checks.repeated(message)
    if problem is not None:
        talk.reject(message, problem)


def _deliver(talk: Conversation, message: Message) -> None:
    """The message that is due."""
    if message.msg_type != msg_types.SEQUENCE_RESET:
        talk.inbox.next_in = message.msg_seq_num + 1
    _IN_ITS_TURN.get(message.msg_type, _on_application)(talk, message)


def _on_application(talk: Conversation, message: Message) -> None:
    talk.tell(Received(message))


def _on_heartbeat(talk: Conversation, message: Message) -> None:
    if talk.fence is not None and (message.get(tags.TEST_REQ_ID) or "").startswith(talk.fence[0]):
        talk.fence = None


def _on_test_request(talk: Conversation, message: Message) -> None:
    test_req_id = message.get(tags.TEST_REQ_ID)
    if test_req_id is None:
        talk.reject(message, Problem(Reason.REQUIRED_TAG_MISSING, tags.TEST_REQ_ID))
    elif not test_req_id:
        talk.reject(message, Problem(Reason.NO_VALUE, tags.TEST_REQ_ID))
    elif len(test_req_id) > _LONGEST_ECHO or not sendable(test_req_id):
        talk.reject(message, Problem(Reason.BAD_FORMAT, tags.TEST_REQ_ID))
    else:
        talk.put(msg_types.HEARTBEAT, [(tags.TEST_REQ_ID, test_req_id)])


def _on_gap_fill(talk: Conversation, message: Message) -> None:
    new_seq_no = _integer(talk, message, tags.NEW_SEQ_NO)
    if new_seq_no is None:
        return
    if new_seq_no <= message.msg_seq_num:
        talk.reject(message, Problem(Reason.OUT_OF_RANGE))
    elif new_seq_no - message.msg_seq_num > _MAX_JUMP:
        talk.halt(f"GapFill from {message.msg_seq_num} to {new_seq_no} passes over too much")
    else:
        talk.inbox.skip_to(new_seq_no)


def _on_reset(talk: Conversation, message: Message) -> None:
    new_seq_no = _integer(talk, message, tags.NEW_SEQ_NO)
    if new_seq_no is None:
        return
    if new_seq_no < talk.inbox.next_in:
        talk.reject(message, Problem(Reason.OUT_OF_RANGE))
    elif new_seq_no > talk.inbox.next_in:
        talk.inbox.skip_to(new_seq_no)
        talk.tell(NumbersReset(talk.epoch, new_seq_no, "SequenceReset-Reset(4)"))


def _on_resend_request(talk: Conversation, message: Message) -> None:
    begin = _integer(talk, message, tags.BEGIN_SEQ_NO)
    asked = None if begin is None else _integer(talk, message, tags.END_SEQ_NO)
    talk.count(message)
    if begin is None or asked is None:
        return
    last = talk.outbox.last_written
    end = last if asked in _TO_INFINITY else min(asked, last)
    if not 1 <= begin <= end:
        talk.reject(message, Problem(Reason.OUT_OF_RANGE, tags.BEGIN_SEQ_NO))
    elif talk.asks_too_often((talk.epoch, begin, asked)):
        talk.tell(StormBroken(begin, end))
        talk.refuse(f"{begin} to {end} asked for {MAX_ASKED} times within a minute")
    else:
        talk.tell(talk.outbox.freeze(begin, end))


def _on_logout(talk: Conversation, message: Message) -> None:
    talk.tell(LoggedOut(talk.shown(message.get(tags.TEXT) or "")))
    gap = message.msg_seq_num > talk.inbox.next_in
    talk.count(message)
    if gap and talk.config.logout_gap_timeout and talk.state in {State.SYNCING, State.ACTIVE}:
        # Fill it before answering, for the peer will close the connection then (QFJ #461).
        talk.state = State.LOGOUT_WAIT_GAP
        talk.logout_at = talk.now
        talk.logout_number = message.msg_seq_num
    else:
        talk.finish_logout()


def _on_second_logon(talk: Conversation, message: Message) -> None:
    """Only as a reset within the connection, which sessions around the clock use, and only from the initiator."""
    reset = talk.config.role is Role.ACCEPTOR and logon.resets(message)
    if message.poss_dup and message.msg_seq_num < talk.inbox.next_in:
        return
    if reset and talk.state is State.ACTIVE and logon.objection(message, talk.config) is None:
        talk.reset("Logon(A) with ResetSeqNumFlag(141)=Y")
        talk.answer_logon(message)
    else:
        talk.count(message)
        talk.log_out("Logon already exchanged")


def _integer(talk: Conversation, message: Message, tag: int) -> int | None:
    """The field's value; None after a Reject(3) if it has none."""
    try:
        return message.integer(tag)
    except MissingTag:
        talk.reject(message, Problem(Reason.REQUIRED_TAG_MISSING, tag))
    except BadValue:
        talk.reject(message, Problem(Reason.BAD_FORMAT, tag))
    return None


_Act = Callable[[Conversation, Message], None]

_WHATEVER_ITS_NUMBER: Final[dict[str, _Act]] = {
    msg_types.RESEND_REQUEST: _on_resend_request,
    msg_types.LOGOUT: _on_logout,
    msg_types.LOGON: _on_second_logon,
}
_IN_ITS_TURN: Final[dict[str, _Act]] = {
    msg_types.HEARTBEAT: _on_heartbeat,
    msg_types.TEST_REQUEST: _on_test_request,
    msg_types.SEQUENCE_RESET: _on_gap_fill,
}
