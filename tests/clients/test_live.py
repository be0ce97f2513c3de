"""Live gates, from the command line and from both clients."""

from fairlead import AsyncClient
from fairlead.v1 import trading_control_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode as Code

from tests.clients.cli import Cli
from tests.clients.conftest import QUICK
from tests.clients.fakes import Fail, FakeRouter

ASKED = pb.LiveGate(
    session_id="SIM44",
    state=pb.LIVE_STATE_REQUESTED,
    principal="ann",
    reason="tested",
    time=Timestamp(seconds=100),
)
LIVE = pb.LiveGate(account_id="ACC1", state=pb.LIVE_STATE_LIVE, principal="ann", approver="bob")
CLOSED = pb.LiveGate(account_id="ACC1", state=pb.LIVE_STATE_CLOSED)


def test_one_asks_another_approves_and_anybody_revokes(router: FakeRouter, cli: Cli) -> None:
    router.answers["RequestLive"] = [pb.RequestLiveResponse(live_gate=ASKED)]
    router.answers["ApproveLive"] = [pb.ApproveLiveResponse(live_gate=LIVE)]
    router.answers["RevokeLive"] = [pb.RevokeLiveResponse(live_gate=CLOSED)]

    assert cli("--as", "ann", "live", "request", "--session", "SIM44", "--reason", "tested") == 0
    for shown in ("SIM44", "requested", "ann"):
        assert shown in cli.out
    assert cli("--as", "bob", "live", "approve", "--account", "ACC1", "--reason", "seen") == 0
    assert "bob" in cli.out
    assert cli("live", "revoke", "--account", "ACC1", "--reason", "why") == 0
    assert "closed" in cli.out

    asked = pb.RequestLiveRequest(session_id="SIM44", reason="tested")
    assert router.received["RequestLive"] == [asked]
    assert router.received["ApproveLive"] == [pb.ApproveLiveRequest(account_id="ACC1", reason="seen")]
    assert router.received["RevokeLive"] == [pb.RevokeLiveRequest(account_id="ACC1", reason="why")]
    assert router.metadata["ApproveLive"][0]["x-client"] == "bob"


def test_the_gates_are_listed(router: FakeRouter, cli: Cli) -> None:
    router.answers["ListLiveGates"] = [pb.ListLiveGatesResponse(live_gates=[LIVE, ASKED])]
    assert cli("live", "list") == 0
    assert "ACC1" in cli.out
    assert "SIM44" in cli.out


def test_it_names_an_account_or_a_session(router: FakeRouter, cli: Cli) -> None:
    assert cli("live", "request", "--reason", "why") == 2
    assert cli("live", "approve", "--account", "A", "--session", "B", "--reason", "why") == 2
    assert not router.received["RequestLive"]


def test_who_has_asked_is_told_that_it_takes_another(router: FakeRouter, cli: Cli) -> None:
    router.answers["ApproveLive"] = [Fail(Code.PERMISSION_DENIED, "ANOTHER_PERSON_NEEDED")]
    assert cli("live", "approve", "--account", "ACC1", "--reason", "why") == 7


async def test_the_async_client_opens_and_closes_gates(router: FakeRouter, target: str) -> None:
    router.answers["RequestLive"] = [pb.RequestLiveResponse(live_gate=ASKED)]
    router.answers["ApproveLive"] = [pb.ApproveLiveResponse(live_gate=LIVE)]
    router.answers["RevokeLive"] = [pb.RevokeLiveResponse(live_gate=CLOSED)]
    router.answers["ListLiveGates"] = [pb.ListLiveGatesResponse(live_gates=[CLOSED])]
    async with AsyncClient(target, retry=QUICK) as client:
        assert await client.request_live(session_id="SIM44", reason="tested") == ASKED
        assert await client.approve_live(account_id="ACC1", reason="seen") == LIVE
        assert await client.revoke_live(account_id="ACC1", reason="why") == CLOSED
        assert await client.list_live_gates() == [CLOSED]
