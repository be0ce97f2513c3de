"""The levers of the operations desk, as their callers see them."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from fairlead.v1 import common_pb2
from fairlead.v1 import trading_control_service_pb2 as pb
from fairlead.v1.execution_service_pb2 import STREAM_ENDING_REASON_DRAINING
from fairlead_server.fix import msg_types
from google.protobuf.duration_pb2 import Duration

from tests.api import broker as venue
from tests.api.refusals import refused
from tests.api.router import Router, new_order
from tests.api.test_requests import request_id

EVERYTHING = pb.TradingScope(everything=True)
ACCOUNT = pb.TradingScope(account_id="ACC1")
ANN, BOB = (("x-client", "ann"),), (("x-client", "bob"),)
AT_ONCE = Duration()


def pause(**changes: Any) -> pb.SetTradingStateRequest:
    ordinary = {
        "request_id": request_id(),
        "scope": ACCOUNT,
        "state": pb.TRADING_STATE_PAUSED,
        "reason": "why",
    }
    return pb.SetTradingStateRequest(**{**ordinary, **changes})


def kill(**changes: Any) -> pb.ActivateKillSwitchRequest:
    ordinary = {"request_id": request_id(), "scope": EVERYTHING, "reason": "why"}
    return pb.ActivateKillSwitchRequest(**{**ordinary, **changes})


def release(**changes: Any) -> pb.ReleaseKillSwitchRequest:
    ordinary = {"request_id": request_id(), "scope": EVERYTHING, "reason": "over"}
    return pb.ReleaseKillSwitchRequest(**{**ordinary, **changes})


async def told(
    call: grpc.aio.UnaryStreamCall[pb.WatchTradingStatesRequest, pb.WatchTradingStatesResponse],
) -> pb.WatchTradingStatesResponse:
    message = await call.read()
    assert isinstance(message, pb.WatchTradingStatesResponse), "the stream has ended"
    return message


async def reason_of(router: Router, **changes: Any) -> int:
    order = (await router.orders.SubmitOrder(new_order(**changes))).order
    return order.reject.reason


async def test_a_pause_holds_for_its_scope_and_ends(router: Router) -> None:
    answer = await router.control.SetTradingState(pause(), metadata=ANN)

    assert (answer.state.scope, answer.state.state) == (ACCOUNT, pb.TRADING_STATE_PAUSED)
    assert (answer.state.principal, answer.state.reason, answer.state.number) == ("ann", "why", 1)
    assert await reason_of(router) == common_pb2.REJECT_REASON_RISK_TRADING_PAUSED
    assert await reason_of(router, account_id="ACC2") == 0
    [listed] = (await router.control.ListTradingStates(pb.ListTradingStatesRequest())).states
    assert listed == answer.state

    await router.control.SetTradingState(pause(state=pb.TRADING_STATE_ACTIVE))
    assert await reason_of(router) == 0
    shown = await router.control.GetTradingState(pb.GetTradingStateRequest(scope=ACCOUNT))
    assert shown.state == pb.ScopeState(scope=ACCOUNT, state=pb.TRADING_STATE_ACTIVE)


async def test_a_kill_is_answered_when_nothing_is_live_any_more(router: Router) -> None:
    for _ in range(3):
        await router.working()

    answer = await router.control.ActivateKillSwitch(kill(wait=Duration(seconds=60)), metadata=ANN)

    progress = answer.state.kill
    assert progress.complete
    assert (progress.matched_count, progress.ended_count, progress.left_count) == (3, 3, 0)
    assert progress.complete_time.ToMicroseconds() >= answer.state.set_time.ToMicroseconds()
    assert await reason_of(router) == common_pb2.REJECT_REASON_RISK_KILL_SWITCH
    assert router.broker.count(msg_types.ORDER_CANCEL_REQUEST) == 3


async def test_what_is_left_when_the_time_is_over_is_told(router: Router) -> None:
    router.broker.answers[msg_types.ORDER_CANCEL_REQUEST] = venue.ignore
    order = await router.working()

    request = kill(wait=AT_ONCE)
    answer = await router.control.ActivateKillSwitch(request)

    assert not answer.state.kill.complete
    [left] = answer.state.kill.left
    assert (left.order_id, left.session_id, left.why) == (order.order_id, "BROKER", pb.LEFT_REASON_REQUESTED)
    again = await router.control.ActivateKillSwitch(request)
    assert again.duplicate
    assert router.broker.count(msg_types.ORDER_CANCEL_REQUEST) == 1


async def test_a_venue_that_refuses_is_told_with_its_words(router: Router) -> None:
    router.broker.answers[msg_types.ORDER_CANCEL_REQUEST] = venue.too_late
    await router.working()
    await router.control.ActivateKillSwitch(kill(wait=AT_ONCE))
    call = router.control.WatchTradingStates(pb.WatchTradingStatesRequest())

    message = await told(call)
    while not [
        left
        for state in (*message.snapshot.states, *message.changes.states)
        for left in state.kill.left
        if left.why == pb.LEFT_REASON_REFUSED and left.reject.text
    ]:
        message = await told(call)
    call.cancel()


async def test_only_another_person_releases_a_kill(router: Router) -> None:
    await router.control.ActivateKillSwitch(kill(), metadata=ANN)
    own = await refused(router.control.ReleaseKillSwitch(release(), metadata=ANN))
    assert (own.code, own.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ANOTHER_PERSON_NEEDED")
    request = release()
    answer = await router.control.ReleaseKillSwitch(request, metadata=BOB)
    assert (answer.state.state, answer.duplicate) == (pb.TRADING_STATE_ACTIVE, False)
    assert (await router.control.ReleaseKillSwitch(request, metadata=BOB)).duplicate
    assert await reason_of(router) == 0


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        (pb.TradingScope(), "scope.everything"),
        (pb.TradingScope(everything=True, account_id="ACC1"), "scope.everything"),
        (pb.TradingScope(account_id="nobody"), "scope.account_id"),
    ],
)
async def test_a_scope_that_says_nothing_is_refused(
    router: Router, scope: pb.TradingScope, field: str
) -> None:
    answer = await refused(router.control.ActivateKillSwitch(kill(scope=scope)))
    assert (answer.reason, answer.fields) == ("REQUEST_INVALID", [field])


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (pb.TradingScope(instrument_id="nothing"), "INSTRUMENT_NOT_FOUND"),
        (pb.TradingScope(session_id="nowhere"), "SESSION_NOT_FOUND"),
    ],
)
async def test_a_name_that_nobody_has_is_not_found(
    router: Router, scope: pb.TradingScope, reason: str
) -> None:
    answer = await refused(router.control.SetTradingState(pause(scope=scope)))
    assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, reason)


async def test_a_kill_has_a_call_of_its_own(router: Router) -> None:
    answer = await refused(router.control.SetTradingState(pause(state=pb.TRADING_STATE_KILLED)))
    assert answer.fields == ["state"]


async def test_a_watch_tells_all_then_what_changes_then_the_end(router: Router) -> None:
    await router.control.SetTradingState(pause())
    call = router.control.WatchTradingStates(
        pb.WatchTradingStatesRequest(heartbeat_interval=Duration(seconds=60))
    )

    first = await told(call)
    [paused] = first.snapshot.states
    assert (first.stream_sequence, paused.scope) == (1, ACCOUNT)
    await router.control.SetTradingState(pause(state=pb.TRADING_STATE_ACTIVE))
    second = await told(call)
    assert second.changes.states == [pb.ScopeState(scope=ACCOUNT, state=pb.TRADING_STATE_ACTIVE)]

    stopping = asyncio.create_task(router.app.stop())
    last = await told(call)
    assert last.ending.reason == STREAM_ENDING_REASON_DRAINING
    await stopping


async def test_an_idle_watch_shows_that_it_is_alive(router: Router) -> None:
    call = router.control.WatchTradingStates(
        pb.WatchTradingStatesRequest(heartbeat_interval=Duration(seconds=1))
    )
    await told(call)
    assert (await told(call)).WhichOneof("payload") == "heartbeat"
    call.cancel()


async def test_a_dead_mans_switch_is_armed_shown_and_disarmed(router: Router) -> None:
    request = pb.ArmDeadManSwitchRequest(scope=ACCOUNT, timeout=Duration(seconds=600), reason="why")
    armed = (await router.control.ArmDeadManSwitch(request, metadata=ANN)).dead_man_switch
    [listed] = (await router.control.ListDeadManSwitches(pb.ListDeadManSwitchesRequest())).dead_man_switches
    assert (armed.scope, armed.principal, listed.timeout.seconds) == (ACCOUNT, "ann", 600)
    await router.control.DisarmDeadManSwitch(pb.DisarmDeadManSwitchRequest(scope=ACCOUNT, reason="over"))
    again = pb.DisarmDeadManSwitchRequest(scope=ACCOUNT, reason="over")
    told_so = await refused(router.control.DisarmDeadManSwitch(again))
    assert told_so.reason == "DEAD_MAN_NOT_ARMED"


async def test_a_flatten_closes_what_is_held(router: Router) -> None:
    router.broker.answers[msg_types.NEW_ORDER_SINGLE] = venue.accept_and_fill
    await router.working(strategy_id="S1")
    request = pb.FlattenRequest(
        request_id=request_id(), scope=ACCOUNT, reason="why", wait=Duration(seconds=60)
    )
    answer = await router.control.Flatten(request, metadata=ANN)
    assert answer.flatten.stage == pb.FLATTEN_STAGE_FLAT
    [order] = answer.flatten.orders
    assert (order.quantity, order.strategy_id, order.problem) == ("100", "S1", "")
    shown = await router.control.GetFlatten(pb.GetFlattenRequest(flatten_id=request.request_id))
    assert shown.flatten == answer.flatten
    assert (await router.control.ListFlattens(pb.ListFlattensRequest())).flattens == [answer.flatten]


async def test_a_live_gate_takes_two_persons(router: Router) -> None:
    ask = pb.RequestLiveRequest(account_id="ACC1", reason="tested")
    approve = pb.ApproveLiveRequest(account_id="ACC1", reason="seen")
    assert (await refused(router.control.ApproveLive(approve, metadata=BOB))).reason == "LIVE_NOT_REQUESTED"
    asked = (await router.control.RequestLive(ask, metadata=ANN)).live_gate
    assert (asked.account_id, asked.state, asked.principal) == ("ACC1", pb.LIVE_STATE_REQUESTED, "ann")
    told_so = await refused(router.control.ApproveLive(approve, metadata=ANN))
    assert (told_so.code, told_so.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ANOTHER_PERSON_NEEDED")
    live = (await router.control.ApproveLive(approve, metadata=BOB)).live_gate
    assert (live.state, live.principal, live.approver) == (pb.LIVE_STATE_LIVE, "ann", "bob")
    assert list((await router.control.ListLiveGates(pb.ListLiveGatesRequest())).live_gates) == [live]
    revoke = pb.RevokeLiveRequest(account_id="ACC1", reason="why")
    revoked = (await router.control.RevokeLive(revoke, metadata=ANN)).live_gate
    assert revoked.state == pb.LIVE_STATE_CLOSED
    assert not (await router.control.ListLiveGates(pb.ListLiveGatesRequest())).live_gates


async def test_a_live_gate_is_of_an_account_or_a_session_that_there_is(router: Router) -> None:
    asks = router.control.RequestLive
    assert (await refused(asks(pb.RequestLiveRequest(reason="why")))).code is grpc.StatusCode.INVALID_ARGUMENT
    unknown = pb.RequestLiveRequest(account_id="NOBODY", reason="why")
    assert (await refused(asks(unknown))).code is grpc.StatusCode.INVALID_ARGUMENT
    unknown = pb.RequestLiveRequest(session_id="NONE", reason="why")
    assert (await refused(asks(unknown))).code is grpc.StatusCode.NOT_FOUND
