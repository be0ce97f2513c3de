"""The levers of the operations desk, from the command line and from both clients."""

import json

import pytest
from fairlead import AsyncClient, Client, TradingState
from fairlead.v1 import trading_control_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode as Code

from tests.clients.cli import Cli
from tests.clients.conftest import QUICK
from tests.clients.fakes import Fail, FakeRouter

EVERYTHING = pb.TradingScope(everything=True)
LEFT = pb.LeftOrder(
    order_id="O9", account_id="ACC1", instrument_id="AAPL", session_id="SIM44", why=pb.LEFT_REASON_WAITING
)


def killed(*left: pb.LeftOrder, matched: int = 3) -> pb.ScopeState:
    progress = pb.KillProgress(
        complete=not left,
        complete_time=None if left else Timestamp(seconds=101, nanos=500_000_000),
        matched_count=matched,
        ended_count=matched - len(left),
        left_count=len(left),
        left=left,
    )
    return pb.ScopeState(
        scope=EVERYTHING,
        state=pb.TRADING_STATE_KILLED,
        number=1,
        principal="ann",
        reason="why",
        set_time=Timestamp(seconds=100),
        kill=progress,
    )


def paused() -> pb.ScopeState:
    scope = pb.TradingScope(account_id="ACC1", instrument_id="AAPL")
    return pb.ScopeState(scope=scope, state=pb.TRADING_STATE_PAUSED, number=2, principal="ann", reason="why")


def test_a_kill_that_is_complete_is_shown_with_what_it_took(router: FakeRouter, cli: Cli) -> None:
    router.answers["ActivateKillSwitch"] = [pb.ActivateKillSwitchResponse(state=killed())]

    assert cli("--as", "ann", "kill", "--all", "--reason", "why", "--wait", "3") == 0

    for shown in ("everything", "killed", "3 of 3 ended, complete", "1.500 s"):
        assert shown in cli.out
    [request] = router.received["ActivateKillSwitch"]
    assert (request.scope, request.reason, request.wait.seconds) == (EVERYTHING, "why", 3)
    assert router.metadata["ActivateKillSwitch"][0]["x-client"] == "ann"


def test_a_kill_that_is_not_complete_tells_what_is_left_and_ends_so(router: FakeRouter, cli: Cli) -> None:
    router.answers["ActivateKillSwitch"] = [pb.ActivateKillSwitchResponse(state=killed(LEFT))]

    assert cli("kill", "--all", "--reason", "why") == 1

    assert "O9" in cli.out
    assert "waiting" in cli.out
    assert "not complete: 1 orders are live" in cli.err


def test_nothing_is_killed_for_everybody_by_a_forgotten_option(router: FakeRouter, cli: Cli) -> None:
    assert cli("kill", "--reason", "why") == 2
    assert not router.received["ActivateKillSwitch"]


def test_trading_follows_a_kill_to_its_end(router: FakeRouter, cli: Cli) -> None:
    router.answers["GetTradingState"] = [
        pb.GetTradingStateResponse(state=killed(LEFT)),
        pb.GetTradingStateResponse(state=killed()),
    ]

    assert cli("-o", "json", "trading", "--all", "--wait", "30") == 0

    assert json.loads(cli.out)["kill"]["complete"]


def test_trading_lists_all_scopes(router: FakeRouter, cli: Cli) -> None:
    router.answers["ListTradingStates"] = [pb.ListTradingStatesResponse(states=[killed(LEFT), paused()])]

    assert cli("trading") == 0

    assert "account=ACC1 instrument=AAPL" in cli.out


@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("pause", pb.TRADING_STATE_PAUSED),
        ("reduce-only", pb.TRADING_STATE_REDUCE_ONLY),
        ("resume", pb.TRADING_STATE_ACTIVE),
    ],
)
def test_each_state_has_a_command(router: FakeRouter, cli: Cli, command: str, state: int) -> None:
    router.answers["SetTradingState"] = [pb.SetTradingStateResponse(state=paused())]

    assert cli(command, "--account", "ACC1", "--instrument", "AAPL", "--reason", "why") == 0

    [request] = router.received["SetTradingState"]
    assert (request.state, request.scope) == (state, paused().scope)


def test_who_may_not_release_a_kill_is_told_so(router: FakeRouter, cli: Cli) -> None:
    router.answers["ReleaseKillSwitch"] = [
        Fail(Code.PERMISSION_DENIED, "another person", "ANOTHER_PERSON_NEEDED")
    ]
    assert cli("release", "--all", "--reason", "over") == 7

    assert "another person" in cli.err


def test_the_client_sends_what_it_is_given(router: FakeRouter, client: Client) -> None:
    router.answers["SetTradingState"] = [pb.SetTradingStateResponse(state=paused())]
    router.answers["ReleaseKillSwitch"] = [pb.ReleaseKillSwitchResponse(state=paused())]

    client.set_trading_state(TradingState.PAUSED, reason="why", account_id="ACC1", instrument_id="AAPL")
    client.release_kill_switch(reason="over", strategy_id="S1", request_id="R1")

    assert router.received["SetTradingState"][0].scope == paused().scope
    [request] = router.received["ReleaseKillSwitch"]
    assert (request.scope, request.request_id) == (pb.TradingScope(strategy_id="S1"), "R1")


async def test_the_async_client_does_the_same(router: FakeRouter, target: str) -> None:
    router.answers["ActivateKillSwitch"] = [pb.ActivateKillSwitchResponse(state=killed())]
    router.answers["GetTradingState"] = [pb.GetTradingStateResponse(state=killed())]
    router.answers["ListTradingStates"] = [pb.ListTradingStatesResponse(states=[killed()])]
    router.answers["SetTradingState"] = [pb.SetTradingStateResponse(state=paused())]
    router.answers["ReleaseKillSwitch"] = [pb.ReleaseKillSwitchResponse(state=paused())]

    async with AsyncClient(target, retry=QUICK) as async_client:
        response = await async_client.activate_kill_switch(everything=True, reason="why")

        assert response.state.kill.complete
        assert await async_client.get_trading_state(everything=True) == killed()
        assert await async_client.list_trading_states() == [killed()]
        await async_client.set_trading_state(TradingState.ACTIVE, reason="over", session_id="SIM44")
        await async_client.release_kill_switch(everything=True, reason="over")
    assert router.received["SetTradingState"][0].state == pb.TRADING_STATE_ACTIVE


def test_a_flatten_shows_its_orders_and_what_it_could_not_close(router: FakeRouter, cli: Cli) -> None:
    closing = pb.FlattenOrder(account_id="ACC1", instrument_id="AAPL", quantity="100", order_id="O7")
    left = pb.FlattenResidual(account_id="ACC1", instrument_id="AAPL", quantity="40")
    flat = pb.FlattenState(flatten_id="F1", scope=EVERYTHING, stage=pb.FLATTEN_STAGE_FLAT, orders=[closing])
    not_flat = pb.FlattenState(
        flatten_id="F2", scope=EVERYTHING, stage=pb.FLATTEN_STAGE_RESIDUAL, residuals=[left]
    )
    router.answers["Flatten"] = [pb.FlattenResponse(flatten=flat)]
    router.answers["GetFlatten"] = [pb.GetFlattenResponse(flatten=not_flat)]

    assert cli("flatten", "--all", "--reason", "why", "--force") == 0
    assert "O7" in cli.out
    assert router.received["Flatten"][0].force
    assert cli("flatten", "F2") == 1
    assert "not flat: 40 AAPL" in cli.err


async def test_the_async_client_flattens_too(router: FakeRouter, target: str) -> None:
    flat = pb.FlattenState(flatten_id="F1", stage=pb.FLATTEN_STAGE_FLAT)
    router.answers["Flatten"] = [pb.FlattenResponse(flatten=flat)]
    router.answers["GetFlatten"] = [pb.GetFlattenResponse(flatten=flat)]
    router.answers["ListFlattens"] = [pb.ListFlattensResponse(flattens=[flat])]
    async with AsyncClient(target, retry=QUICK) as client:
        assert (await client.flatten(account_id="ACC1", reason="why")).flatten == flat
        assert await client.get_flatten("F1") == flat
        assert await client.list_flattens() == [flat]


def test_a_dead_mans_switch_is_armed_listed_and_disarmed(router: FakeRouter, cli: Cli) -> None:
    armed = pb.DeadManSwitch(scope=EVERYTHING, timeout=Duration(seconds=30), left=Duration(seconds=12))
    router.answers["ArmDeadManSwitch"] = [pb.ArmDeadManSwitchResponse(dead_man_switch=armed)]
    router.answers["ListDeadManSwitches"] = [pb.ListDeadManSwitchesResponse(dead_man_switches=[armed])]
    router.answers["DisarmDeadManSwitch"] = [pb.DisarmDeadManSwitchResponse()]

    assert cli("deadman", "arm", "--all", "--silence", "30", "--reason", "why") == 0
    assert router.received["ArmDeadManSwitch"][0].timeout.seconds == 30
    assert cli("deadman", "list") == 0
    assert "12.0 s" in cli.out
    assert cli("deadman", "disarm", "--all", "--reason", "over") == 0


async def test_the_async_client_gives_signs_of_life(router: FakeRouter, target: str) -> None:
    armed = pb.DeadManSwitch(scope=EVERYTHING)
    router.answers["ArmDeadManSwitch"] = [pb.ArmDeadManSwitchResponse(dead_man_switch=armed)]
    router.answers["ListDeadManSwitches"] = [pb.ListDeadManSwitchesResponse(dead_man_switches=[armed])]
    router.answers["DisarmDeadManSwitch"] = [pb.DisarmDeadManSwitchResponse()]
    async with AsyncClient(target, retry=QUICK) as client:
        assert await client.arm_dead_man_switch(everything=True, silence=5, reason="why") == armed
        assert await client.list_dead_man_switches() == [armed]
        await client.disarm_dead_man_switch(everything=True, reason="over")
    assert router.received["DisarmDeadManSwitch"][0].scope == EVERYTHING
