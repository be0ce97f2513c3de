"""`fairlead risk`: what it sends, what it prints, and the exit code."""

import json
from pathlib import Path

import pytest
from fairlead.v1 import common_pb2
from fairlead.v1 import risk_service_pb2 as pb
from grpc import StatusCode as Code

from tests.clients.cli import Cli
from tests.clients.fakes import Fail, FakeRouter
from tests.clients.risk_answers import ASKED, CHANGED, FAILS, PASSES, SIZE, TIGHT, answered, checked, cut_off

CHECK = ("risk", "check", "AAPL", "buy", "100", "--account", "DEMO")


def rows(cli: Cli) -> list[list[str]]:
    return [line.split() for line in cli.out.splitlines()]


def test_controls_and_limits_are_shown(router: FakeRouter, cli: Cli) -> None:
    answered(router)

    assert cli("risk", "controls") == 0
    assert rows(cli)[1][:4] == ["max_quantity", "max_order_quantity", "quantity", "increase"]
    assert cli("risk", "list", "DEMO") == 0
    shown = ["tight", "account=DEMO", "warn", "override", "max_amends=3", "max_position=500"]
    assert rows(cli)[1][:7] == [*shown, "allowed_sides=[BUY,SELL]"]
    assert rows(cli)[2][:3] == ["wide", "everything", "unspecified"]
    assert cli("risk", "show", "tight", "--output", "json") == 0
    assert json.loads(cli.out)["etag"] == "e1"


def test_a_set_carries_what_was_typed_and_nothing_else(router: FakeRouter, cli: Cli) -> None:
    answered(router)
    scope = (
        "--account",
        "DEMO",
        "--principal",
        "ann",
        "--instrument",
        "AAPL",
        "--strategy",
        "S",
        "--session",
        "X",
    )

    assert cli("risk", "set", "tight", "max_position=500", "max_amends=", *scope, "--reason", "why") == 0
    words = ("--list", "allowed_sides=BUY,SELL", "--list", "blocked_instruments=")
    more = ("--mode", "Shadow", "--override", "--note", "", "--etag", "e1", "--new")
    assert cli("risk", "set", "tight", *words, *more, "--reason", "why") == 0

    first, second = router.received["UpdateLimits"]
    whole = pb.RiskScope(
        account_id="DEMO", principal="ann", instrument_id="AAPL", strategy_id="S", session_id="X"
    )
    assert first == pb.UpdateLimitsRequest(
        limit_set=pb.LimitSet(limit_id="tight", scope=whole, limits={"max_position": "500"}),
        update_paths=["limits.max_position", "limits.max_amends", "scope"],
        reason="why",
    )
    assert second == pb.UpdateLimitsRequest(
        limit_set=pb.LimitSet(
            limit_id="tight",
            lists=[pb.WordList(name="allowed_sides", words=["BUY", "SELL"])],
            mode=pb.LIMIT_MODE_SHADOW,
            override=True,
            etag="e1",
        ),
        update_paths=["lists.allowed_sides", "lists.blocked_instruments", "mode", "override", "note"],
        reason="why",
        must_be_new=True,
    )


def test_a_set_is_deleted_and_enabled(router: FakeRouter, cli: Cli) -> None:
    answered(router)

    assert cli("--as", "ann", "risk", "delete", "tight", "--etag", "e1", "--reason", "why") == 0
    assert (cli.out, cli.err) == ("", "")
    assert cli("risk", "enable", "tight", "--reason", "why") == 0

    assert router.received["DeleteLimits"] == [ASKED["DeleteLimits"]]
    assert router.metadata["DeleteLimits"][0]["x-client"] == "ann"
    assert router.received["EnableAgain"] == [ASKED["EnableAgain"]]


def test_what_is_exported_can_be_imported(router: FakeRouter, cli: Cli, tmp_path: Path) -> None:
    answered(router)
    file = tmp_path / "limits.json"

    assert cli("risk", "export", str(file)) == 0
    answered(router)
    assert cli("risk", "export") == 0
    assert cli.out == file.read_text()
    assert cli("risk", "import", str(file), "--dry-run", "--reason", "why") == 0

    assert rows(cli) == [["created", "changed", "deleted", "unchanged"], ["tight", "2"]]
    [request] = router.received["ImportLimits"]
    assert list(request.limit_sets) == [TIGHT, pb.LimitSet(limit_id="wide")]
    assert request.validate_only


def test_the_state_tells_what_cannot_be_said(router: FakeRouter, cli: Cli) -> None:
    answered(router)

    assert cli("risk", "state", "--account", "DEMO", "-o", "csv") == 0

    _, orders, exposure = cli.out.splitlines()
    assert orders == "open_orders,,tight,5,2,3,unspecified"
    assert exposure == "gross_exposure,,tight,900,unknown,,unspecified"
    assert router.received["GetRiskState"] == [ASKED["GetRiskState"]]


def test_a_check_exits_with_1_if_the_order_would_be_refused(router: FakeRouter, cli: Cli) -> None:
    router.answers["CheckOrder"] = [checked(PASSES, FAILS, passed=False, session_id=""), checked(PASSES)]

    assert cli(*CHECK, "--price", "200.50", "--failing") == 1
    assert rows(cli)[1:] == [
        ["max_quantity", "FAIL", "50", "0", "100", "50", "tight", "enforce", "too", "much"]
    ]
    assert cli.err.splitlines() == [
        "fairlead: no route fits the order",
        "fairlead: the largest quantity that would pass is 50",
    ]
    assert cli(*CHECK, "--type", "market", "--tif", "ioc", "--strategy", "S", "-o", "json") == 0
    assert json.loads(cli.out)["passed"]
    assert cli.err == ""

    first, second = (each.order for each in router.received["CheckOrder"])
    assert (first.order_type, first.price) == (common_pb2.ORDER_TYPE_LIMIT, "200.50")
    assert (second.order_type, second.time_in_force, second.strategy_id) == (
        common_pb2.ORDER_TYPE_MARKET,
        common_pb2.TIME_IN_FORCE_IOC,
        "S",
    )


def test_a_size_goes_by_the_limit_price_or_the_market(router: FakeRouter, cli: Cli) -> None:
    router.answers["SizeOrder"] = [SIZE]
    size = ("risk", "size", "AAPL", "buy", "100", "--account", "DEMO", "--stop", "190", "--risk", "1000")

    assert cli(*size, "--price", "200.50") == 0
    assert rows(cli)[1] == ["90", "95", "90", "945"]
    assert cli(*size) == 0

    first, second = router.received["SizeOrder"]
    assert (first.order.price, first.stop_price, first.risk_amount) == ("200.50", "190", "1000")
    assert second.order.order_type == common_pb2.ORDER_TYPE_MARKET


def test_decisions_and_events_are_shown(router: FakeRouter, cli: Cli) -> None:
    answered(router)
    cut_off(router)

    assert cli("risk", "decisions", "o1") == 0
    assert rows(cli)[1] == ["no", "max_quantity", "position", "0123456789ab"]
    assert cli("risk", "watch", "DEMO", "--after", "0", "--limit", "5", "-o", "jsonl") == 0
    assert [json.loads(line)["sequence"] for line in cli.out.splitlines()] == ["5", "6", "7", "8", "9"]
    assert list(router.received["WatchRiskEvents"][0].account_ids) == ["DEMO"]


def test_the_account_is_that_of_the_environment(
    router: FakeRouter, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(router)
    monkeypatch.setenv("FAIRLEAD_ACCOUNT", "FUND")
    monkeypatch.setenv("FAIRLEAD_AS", "ann")

    assert cli("risk", "state") == 0
    assert cli("risk", "check", "AAPL", "buy", "1", "--price", "1") == 1

    assert router.received["GetRiskState"][0].scope.account_id == "FUND"
    assert router.received["CheckOrder"][0].order.account_id == "FUND"
    assert router.metadata["GetRiskState"][0]["x-client"] == "ann"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("risk", "set", "tight", "max_position=5"), "Missing option '--reason'"),
        (("risk", "set", "tight", "--reason", "why"), "say what is to change: LIMIT=VALUE, or an option"),
        (("risk", "set", "tight", "max_position", "--reason", "why"), "'max_position' is not NAME=VALUE"),
        (("risk", "set", "tight", "=5", "--reason", "why"), "'=5' is not NAME=VALUE"),
        (("risk", "set", "tight", "--list", "BUY", "--reason", "why"), "'BUY' is not NAME=VALUE"),
        (
            ("risk", "set", "tight", "--mode", "loud", "--reason", "y"),
            "'loud' is none of enforce, warn, shadow",
        ),
        (
            ("risk", "set", "tight", "--mode", "unspecified", "--reason", "y"),
            "is none of enforce, warn, shadow",
        ),
        (("risk", "delete", "tight"), "Missing option '--reason'"),
        (("risk", "state"), "Missing option '--account'"),
        (CHECK, "give --price, --stop-price or --type market"),
        ((*CHECK, "--price", "1e3"), "'1e3' is not a decimal number"),
        (
            ("risk", "check", "AAPL", "up", "1", "--account", "DEMO", "--price", "1"),
            "'up' is none of buy, sell",
        ),
        (("risk", "size", "AAPL", "buy", "1", "--account", "DEMO", "--stop", "1"), "Missing option '--risk'"),
        (("risk", "watch", "--after", "-1"), "--after"),
        (("risk", "import", "/nowhere/limits.json", "--reason", "y"), "No such file or directory"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    router: FakeRouter, cli: Cli, arguments: tuple[str, ...], complaint: str
) -> None:
    assert cli(*arguments) == 2
    assert complaint in cli.err
    assert cli.err.count("\n") == 1
    assert not router.received


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        ("{}", "must hold a list of limit sets"),
        ('[{"limit_id": "a"}, 7]', "limit set 2 is no object"),
        ('[{"limit_idd": "a"}]', 'limit set 1: Message type "fairlead.v1.LimitSet" has no field named'),
        ('[{"limits": {"max_position": 5}}]', "limit set 1: Failed to parse limits field"),
    ],
)
def test_a_file_that_cannot_be_meant_is_told_what_is_wrong(
    router: FakeRouter, cli: Cli, tmp_path: Path, text: str, complaint: str
) -> None:
    file = tmp_path / "limits.json"
    file.write_text(text)

    assert cli("risk", "import", str(file), "--reason", "why") == 2
    assert complaint in cli.err
    assert cli.err.count("\n") == 1
    assert not router.received


def test_an_export_that_cannot_be_written_is_told(router: FakeRouter, cli: Cli, tmp_path: Path) -> None:
    answered(router)

    assert cli("risk", "export", str(tmp_path / "nowhere" / "limits.json")) == 2
    assert cli.err.endswith("No such file or directory\n")


@pytest.mark.parametrize(
    ("fail", "code"),
    [
        (Fail(Code.INVALID_ARGUMENT, "REQUEST_INVALID", violations=[("limit_id", "no such limit")]), 2),
        (Fail(Code.NOT_FOUND, "LIMIT_SET_NOT_FOUND"), 3),
        (CHANGED, 4),
        (Fail(Code.FAILED_PRECONDITION, "LIMIT_SET_FIXED"), 4),
        (Fail(Code.UNAVAILABLE, "SERVER_DRAINING"), 5),
    ],
)
def test_the_exit_code_is_the_class_of_the_error(router: FakeRouter, cli: Cli, fail: Fail, code: int) -> None:
    router.answers["DeleteLimits"] = [fail]

    assert cli("risk", "delete", "tight", "--reason", "why") == code
    assert cli.err.startswith(f"fairlead: {fail.reason}: ")
    assert cli.err.count("\n") == 1
