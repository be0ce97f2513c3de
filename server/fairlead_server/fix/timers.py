"""What the time means to a connection: one table, read both to act and to know when to wake up.

Heartbeats as in FIX 4.4 vol. 2, "Heartbeat" and "Test Request"; HeartBtInt(108)=0 turns them off.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final, assert_never

from fairlead_server.fix import msg_types, tags
from fairlead_server.fix.conversation import Conversation
from fairlead_server.fix.inbox import Request
from fairlead_server.fix.terms import State

_LOGON_TIMEOUT: Final = timedelta(seconds=10)
_FENCE_TIMEOUT: Final = timedelta(seconds=5)
_RESEND_TIMEOUT: Final = timedelta(seconds=10)
_RESEND_TRIES: Final = 3
_TEST_AFTER: Final = 1.2  # times HeartBtInt(108) of silence
_GIVE_UP_AFTER: Final = 2.4

_Timer = tuple[datetime, Callable[[Conversation], None]]


def tick(talk: Conversation) -> None:
    for due, act in _timers(talk):
        if due <= talk.now and not talk.over:
            act(talk)


def deadline(talk: Conversation) -> datetime | None:
    return min((due for due, _ in _timers(talk)), default=None)


def _timers(talk: Conversation) -> list[_Timer]:
    match talk.state:
        case State.LOGON_WAIT | State.LOGON_SENT:
            return [(talk.opened_at + _LOGON_TIMEOUT, _no_logon)]
        case State.SYNCING | State.ACTIVE:
            return [*_liveness(talk), *_order(talk)]
        case State.LOGOUT_SENT | State.LOGOUT_WAIT_GAP:
            return [*_logout(talk)]
        case State.DISCONNECTED | State.HALTED:
            return []
        case _:
            assert_never(talk.state)


def _liveness(talk: Conversation) -> Iterator[_Timer]:
    interval = talk.heart_bt_int
    if not interval:
        return
    yield talk.received_at + _GIVE_UP_AFTER * interval, _silent
    if talk.tested:
        return  # the peer will be gone before it can miss us
    yield talk.received_at + _TEST_AFTER * interval, _test
    # While a resend waits for its answer a heartbeat would wait behind it.
    if not talk.outbox.answering:
        yield talk.outbox.written_at + interval, _heartbeat


def _order(talk: Conversation) -> Iterator[_Timer]:
    request = talk.inbox.request
    if request is not None and not talk.outbox.answering:
        yield request.asked_at + _RESEND_TIMEOUT, partial(_ask_again, request=request)
    if talk.fence is not None and not talk.outbox.answering:
        yield talk.fence[1] + _FENCE_TIMEOUT, _pass_fence


def _logout(talk: Conversation) -> Iterator[_Timer]:
    if talk.state is State.LOGOUT_SENT:
        yield talk.logout_at + talk.config.logout_timeout, _no_logout
    else:
        yield talk.logout_at + talk.config.logout_gap_timeout, Conversation.finish_logout


def _no_logon(talk: Conversation) -> None:
    talk.close("no Logon(A) in time")


def _no_logout(talk: Conversation) -> None:
    talk.close("no Logout(5) in time")


def _silent(talk: Conversation) -> None:
    talk.close("the peer is silent")


def _test(talk: Conversation) -> None:
    talk.tested = True
    talk.put(msg_types.TEST_REQUEST, [(tags.TEST_REQ_ID, "TEST")])


def _heartbeat(talk: Conversation) -> None:
    if talk.outbox.written_at + talk.heart_bt_int <= talk.now:  # a TestRequest(1) may just have served
        talk.put(msg_types.HEARTBEAT)


def _ask_again(talk: Conversation, request: Request) -> None:
    if request.tries == _RESEND_TRIES:
        talk.log_out(f"resend not satisfied at {request.begin}")
        return
    request.tries += 1
    request.asked_at = talk.now
    talk.send_request(request)


def _pass_fence(talk: Conversation) -> None:
    """Some peers do not echo TestReqID(112): after this long they have said what they had to say."""
    talk.fence = None
    talk.activate_if_synced()
