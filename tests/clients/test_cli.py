"""The command line: what it prints, where, and the exit code."""

import csv
import io
import json
import signal
from pathlib import Path

import pytest
from fairlead.v1 import common_pb2, reference_service_pb2, session_service_pb2
from fairlead.v1 import order_service_pb2 as orders_pb2
from fairlead.v1.common_pb2 import Breach, Order, Reject
from fairlead.v1.execution_service_pb2 import (
    EXECUTION_KIND_FILLED,
    ExecutionEvent,
    ExecutionEvents,
    Fill,
    ListExecutionsResponse,
)
from fairlead.values import FILLS
from grpc import StatusCode as Code

from tests.clients.cli import Cli, as_process
from tests.clients.fakes import HANG, Fail, FakeRouter, Streamed

SUBMIT = ("order", "submit", "AAPL", "buy", "100", "--account", "demo")
WORKING = Order(
    order_id="o1",
    client_order_id="k1",
    account_id="demo",
    instrument_id="AAPL",
    side=common_pb2.SIDE_BUY,
    quantity="100",
    order_type=common_pb2.ORDER_TYPE_LIMIT,
    price="230.10",
    time_in_force=common_pb2.TIME_IN_FORCE_DAY,
    state=common_pb2.ORDER_STATE_WORKING,
    cum_quantity="0",
    version=2,
)


def rejected(*reasons: common_pb2.RejectReason.ValueType) -> Order:
    breaches = [Breach(reason=reason) for reason in reasons]
    return Order(
        order_id="o1",
        state=common_pb2.ORDER_STATE_REJECTED,
        reject=Reject(reason=reasons[0], text="100 is more than 10", breaches=breaches),
    )


def test_a_submit_sends_what_was_typed_and_shows_the_order(router: FakeRouter, cli: Cli) -> None:
    router.answers["SubmitOrder"] = [orders_pb2.SubmitOrderResponse(order=WORKING)]

    assert cli(*SUBMIT, "--price", "230.10", "--tif", "gtc", "--client-order-id", "k1") == 0

    assert router.received["SubmitOrder"] == [
        orders_pb2.SubmitOrderRequest(
            account_id="demo",
            client_order_id="k1",
            instrument_id="AAPL",
            side=common_pb2.SIDE_BUY,
            quantity="100",
            order_type=common_pb2.ORDER_TYPE_LIMIT,
            price="230.10",
            time_in_force=common_pb2.TIME_IN_FORCE_GTC,
        )
    ]
    heading, row = cli.out.splitlines()
    assert heading.split()[:3] == ["order_id", "client_order_id", "account"]
    assert row.split()[:10] == ["o1", "k1", "demo", "AAPL", "buy", "100", "limit", "230.10", "day", "working"]


@pytest.mark.parametrize(
    ("prices", "order_type"),
    [
        (("--price", "1"), common_pb2.ORDER_TYPE_LIMIT),
        (("--stop-price", "1"), common_pb2.ORDER_TYPE_STOP),
        (("--price", "1", "--stop-price", "2"), common_pb2.ORDER_TYPE_STOP_LIMIT),
        (("--type", "market"), common_pb2.ORDER_TYPE_MARKET),
    ],
)
def test_the_prices_make_the_order_type(
    router: FakeRouter, cli: Cli, prices: tuple[str, ...], order_type: common_pb2.OrderType.ValueType
) -> None:
    router.answers["SubmitOrder"] = [orders_pb2.SubmitOrderResponse(order=WORKING)]

    assert cli(*SUBMIT, *prices) == 0
    assert router.received["SubmitOrder"][0].order_type == order_type


def test_a_refused_order_exits_with_1_and_says_every_reason(router: FakeRouter, cli: Cli) -> None:
    order = rejected(common_pb2.REJECT_REASON_RISK_MAX_QUANTITY, common_pb2.REJECT_REASON_RISK_MAX_NOTIONAL)
    router.answers["SubmitOrder"] = [orders_pb2.SubmitOrderResponse(order=order)]

    assert cli(*SUBMIT, "--price", "1") == 1
    assert cli.err == "fairlead: rejected: risk_max_quantity risk_max_notional: 100 is more than 10\n"
    assert "rejected" in cli.out


@pytest.mark.parametrize(
    ("fail", "code"),
    [
        (Fail(Code.INVALID_ARGUMENT, "REQUEST_INVALID", violations=[("quantity", "too long")]), 2),
        (Fail(Code.NOT_FOUND, "ORDER_NOT_FOUND"), 3),
        (Fail(Code.ALREADY_EXISTS, "CLIENT_ORDER_ID_CONFLICT"), 4),
        (Fail(Code.ABORTED, "ORDER_VERSION_MISMATCH"), 4),
        (Fail(Code.FAILED_PRECONDITION, "ORDER_TERMINAL"), 4),
        (Fail(Code.UNAVAILABLE, "VENUE_SESSION_DOWN"), 5),
        (Fail(Code.DEADLINE_EXCEEDED, "NOT_ROUTED_IN_TIME"), 5),
        (Fail(Code.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED"), 5),
        (Fail(Code.PERMISSION_DENIED, "ACCOUNT_FORBIDDEN"), 7),
        (Fail(Code.UNAUTHENTICATED, "CREDENTIALS_MISSING"), 7),
        (Fail(Code.UNIMPLEMENTED), 8),
    ],
)
def test_the_exit_code_is_the_class_of_the_error(router: FakeRouter, cli: Cli, fail: Fail, code: int) -> None:
    router.answers["CancelOrder"] = [fail]

    assert cli("order", "cancel", "o1") == code
    assert cli.out == ""
    assert cli.err.startswith(f"fairlead: {fail.reason or fail.code.name}: told to")
    assert cli.err.count("\n") == 1


def test_an_unknown_outcome_says_which_key_to_repeat(router: FakeRouter, cli: Cli) -> None:
    router.answers["SubmitOrder"] = [
        Fail(Code.UNAVAILABLE),
        Fail(Code.UNAUTHENTICATED, "CREDENTIALS_EXPIRED"),
    ]

    assert cli(*SUBMIT, "--price", "1", "--client-order-id", "k1") == 6
    assert "repeat with the same client_order_id k1" in cli.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "Missing command."),
        (("order", "submit", "AAPL", "buy", "100"), "Missing option '--account'"),
        (SUBMIT, "give --price, --stop-price or --type market"),
        ((*SUBMIT, "--price", "1e3"), "'1e3' is not a decimal number"),
        ((*SUBMIT, "--price", "1", "--tif", "soon"), "'soon' is none of day, gtc"),
        ((*SUBMIT, "--price", "1", "--expire-time", "2026-11-20"), "has no time zone"),
        (("order", "list", "--limit", "0"), "--limit"),
        (("--output", "xml", "session", "list"), "--output"),
        (("basket", "/nowhere/basket.csv"), "/nowhere/basket.csv: No such file or directory"),
        (("exec", "watch", "--after", "c", "--earliest"), "only one of after_cursor, position"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    router: FakeRouter, cli: Cli, arguments: tuple[str, ...], complaint: str
) -> None:
    assert cli(*arguments) == 2
    assert complaint in cli.err
    assert cli.err.count("\n") == 1
    assert not router.received


def test_an_amend_by_the_clients_key_carries_only_what_changes(router: FakeRouter, cli: Cli) -> None:
    router.answers["AmendOrder"] = [orders_pb2.AmendOrderResponse(order=WORKING)]

    assert cli("order", "amend", "demo/k1", "--quantity", "50", "--expected-version", "2") == 0

    [request] = router.received["AmendOrder"]
    assert request.order.client_order.account_id == "demo"
    assert request.order.client_order.client_order_id == "k1"
    assert (request.quantity, request.expected_version) == ("50", 2)
    assert not request.HasField("price")


def test_a_refused_amend_and_cancel_exit_with_1(router: FakeRouter, cli: Cli) -> None:
    reject = Reject(reason=common_pb2.REJECT_REASON_VENUE_CANCEL_TOO_LATE, text="gone")
    router.answers["AmendOrder"] = [
        orders_pb2.AmendOrderResponse(order=WORKING, outcome=orders_pb2.AMEND_OUTCOME_REJECTED, reject=reject)
    ]
    router.answers["CancelOrder"] = [
        orders_pb2.CancelOrderResponse(
            order=WORKING, outcome=orders_pb2.CANCEL_OUTCOME_REJECTED, reject=reject
        )
    ]

    assert cli("order", "amend", "o1", "--price", "2") == 1
    assert cli("order", "cancel", "o1") == 1
    assert cli.err == "fairlead: rejected: venue_cancel_too_late: gone\n"


def test_cancelling_what_has_ended_is_no_failure(router: FakeRouter, cli: Cli) -> None:
    router.answers["CancelOrder"] = [
        orders_pb2.CancelOrderResponse(order=WORKING, outcome=orders_pb2.CANCEL_OUTCOME_ALREADY_TERMINAL)
    ]

    assert cli("order", "cancel", "o1") == 0
    assert cli.err == "fairlead: the order had ended already\n"


def test_every_format_says_the_same(router: FakeRouter, cli: Cli) -> None:
    second = Order(order_id="o2", note="é\n")
    router.answers["ListOrders"] = [orders_pb2.ListOrdersResponse(orders=[WORKING, second])]

    assert cli("--output", "json", "order", "list") == 0
    assert [order["order_id"] for order in json.loads(cli.out)] == ["o1", "o2"]
    assert cli("--output", "jsonl", "order", "list") == 0
    assert [json.loads(line)["order_id"] for line in cli.out.splitlines()] == ["o1", "o2"]
    assert cli("--output", "csv", "order", "list") == 0
    assert [row["order_id"] for row in csv.DictReader(io.StringIO(cli.out))] == ["o1", "o2"]
    assert cli("order", "list") == 0
    assert [line.split()[0] for line in cli.out.splitlines()] == ["order_id", "o1", "o2"]


def test_a_list_is_cut_at_its_limit_and_filtered_by_the_server(router: FakeRouter, cli: Cli) -> None:
    many = [Order(order_id=f"o{n}") for n in range(5)]
    router.answers["ListOrders"] = [orders_pb2.ListOrdersResponse(orders=many, next_page_token="t")]

    assert cli("order", "list", "--limit", "3", "--live", "--account", "a", "--account", "b") == 0

    assert len(cli.out.splitlines()) == 4
    [request] = router.received["ListOrders"]
    assert request.page_size == 3
    assert request.filter.live_only
    assert list(request.filter.account_ids) == ["a", "b"]


def test_text_from_a_venue_cannot_move_the_cursor_of_a_terminal(router: FakeRouter, cli: Cli) -> None:
    session = session_service_pb2.Session(session_id="s1", state_reason="bye\x1b[2J[red]\u202e")
    router.answers["ListSessions"] = [session_service_pb2.ListSessionsResponse(sessions=[session])]

    assert cli("session", "list") == 0
    assert "bye\ufffd[2J[red]\ufffd" in cli.out


def test_states_of_tomorrow_are_shown_as_numbers(router: FakeRouter, cli: Cli) -> None:
    order = Order(order_id="o1", in_doubt=True, pending_action=common_pb2.PENDING_ACTION_CANCEL)
    order.state = 99  # type: ignore[assignment]
    router.answers["GetOrder"] = [orders_pb2.GetOrderResponse(order=order)]

    assert cli("order", "get", "o1") == 0
    assert "99 (cancel pending) (in doubt)" in cli.out


def test_instruments_and_events_are_listed(router: FakeRouter, cli: Cli) -> None:
    instrument = reference_service_pb2.Instrument(instrument_id="AAPL", tick_size="0.01")
    router.answers["ListInstruments"] = [
        reference_service_pb2.ListInstrumentsResponse(instruments=[instrument])
    ]
    fill = ExecutionEvent(sequence=7, kind=EXECUTION_KIND_FILLED, order=WORKING, fill=Fill(quantity="5"))
    router.answers["ListOrderEvents"] = [orders_pb2.ListOrderEventsResponse(events=[fill])]
    router.answers["ListExecutions"] = [ListExecutionsResponse(events=[fill])]

    assert cli("instrument", "list") == 0
    assert cli.out.splitlines()[1].split()[:2] == ["AAPL", "0.01"]
    assert cli("order", "events", "o1") == 0
    assert cli.out.splitlines()[1].split()[:3] == ["7", "filled", "o1"]
    assert cli("exec", "list", "--fills") == 0
    assert cli.out.splitlines()[1].split()[:3] == ["7", "filled", "o1"]
    assert list(router.received["ListExecutions"][0].filter.kinds) == list(FILLS)


def test_watching_shows_events_and_where_to_go_on(router: FakeRouter, cli: Cli) -> None:
    stream = Streamed()
    router.streams = [[stream.established(), stream.events(1, 2), stream.caught_up(2)]]

    assert cli("--output", "jsonl", "exec", "watch", "--earliest", "--until-caught-up") == 0

    assert [json.loads(line)["event_id"] for line in cli.out.splitlines()] == ["e1", "e2"]
    assert cli.err == "fairlead: go on with --after c2\n"


def test_watching_ends_after_so_many_events(router: FakeRouter, cli: Cli) -> None:
    stream = Streamed()
    router.streams = [[stream.established(), stream.events(1), stream.events(2), HANG]]

    assert cli("exec", "watch", "--limit", "2") == 0
    assert len(cli.out.splitlines()) == 3


def test_ctrl_c_is_quiet_and_130(router: FakeRouter, target: str) -> None:
    stream = Streamed()
    router.streams = [[stream.established(), stream.events(1), HANG]]

    with as_process(target, "exec", "watch") as process:
        assert process.stdout is not None
        heading, event = process.stdout.readline(), process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()

    assert heading.startswith("time")
    assert "o1" in event
    assert process.returncode == 130
    assert errors == "fairlead: go on with --after c1\n"


def test_a_reader_that_leaves_is_quiet_and_141(router: FakeRouter, target: str) -> None:
    stream = Streamed()
    many = ExecutionEvents(events=[ExecutionEvent(event_id=str(n), sequence=n) for n in range(1, 5000)])
    router.streams = [[stream.established(), stream.message("c5000", events=many), HANG]]

    with as_process(target, "exec", "watch") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert process.returncode == 141
    assert errors == "fairlead: go on with --after c0\n"


def test_no_server_at_all_is_one_line_and_5(tmp_path: Path) -> None:
    with as_process(f"unix:{tmp_path}/nobody", "session", "list") as process:
        output, errors = process.communicate()

    assert (process.returncode, output) == (5, "")
    assert errors.startswith("fairlead: UNAVAILABLE: failed to connect")
    assert errors.count("\n") == 1
