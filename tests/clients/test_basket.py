"""Baskets: the file and its problems, and what a run of it makes."""

import json
from pathlib import Path

import pytest
from fairlead.cli import basket_file
from fairlead.cli.app import run
from fairlead.cli.basket_file import Problem, Row, Then
from fairlead.v1 import common_pb2
from fairlead.v1 import order_service_pb2 as orders_pb2
from fairlead.v1.common_pb2 import Order, Reject
from fairlead.values import OrderType, Side, TimeInForce
from grpc import StatusCode as Code

from tests.clients.fakes import Fail, FakeRouter

HEADER = "account_id,client_order_id,instrument_id,side,quantity,order_type,price,stop_price,time_in_force"
THEN = HEADER + ",then,then_quantity,then_price"


def problems(text: str) -> list[str]:
    return [problem.at("b.csv") for problem in basket_file.read(text.splitlines(keepends=True)).problems]


def test_a_row_is_an_order_and_what_follows() -> None:
    text = (
        f"{THEN}\ndemo,k1,AAPL,Buy,100,LIMIT,230.10,,gtc,amend,50,\n\ndemo,,MSFT,sell,7,market,,,,cancel,,\n"
    )

    basket = basket_file.read(text.splitlines(keepends=True))

    assert basket.problems == []
    assert basket.rows == [
        Row(
            line=2,
            order={
                "account_id": "demo",
                "client_order_id": "k1",
                "instrument_id": "AAPL",
                "side": Side.BUY,
                "quantity": "100",
                "order_type": OrderType.LIMIT,
                "price": "230.10",
                "time_in_force": TimeInForce.GTC,
            },
            then=Then.AMEND,
            then_quantity="50",
        ),
        Row(
            line=4,
            order={
                "account_id": "demo",
                "instrument_id": "MSFT",
                "side": Side.SELL,
                "quantity": "7",
                "order_type": OrderType.MARKET,
            },
            then=Then.CANCEL,
        ),
    ]


def test_every_problem_of_a_file_is_told_with_its_line_and_column() -> None:
    text = (
        f"{THEN}\n"
        "demo,k1,AAPL,buy,1e3,limit,NaN,,gtc,,,\n"
        ',k/2,,hold,0,limit,"1,5",,soon,,,\n'
        "demo,k3,AAPL,buy,1\n"
        "demo,k4,AAPL,buy,1,limit,1,,,amend,,\n"
        "demo,k5,AAPL,buy,1,limit,1,,,cancel,5,\n"
        "demo,k6,AAPL,buy,1,limit,1,,,,,\n"
        "demo,k6,AAPL,buy,1,limit,1,,,,,\n"
    )

    assert problems(text) == [
        "b.csv:2:quantity: '1e3' is not a decimal number of at most 18 digits and 12 decimals",
        "b.csv:2:price: 'NaN' is not a decimal number of at most 18 digits and 12 decimals",
        "b.csv:3:account_id: must not be empty",
        "b.csv:3:client_order_id: 'k/2' is not 1 to 36 of A-Z a-z 0-9 . _ : -",
        "b.csv:3:instrument_id: must not be empty",
        "b.csv:3:side: 'hold' is none of buy, sell, sell_short, sell_short_exempt",
        "b.csv:3:quantity: '0' is not greater than zero",
        "b.csv:3:price: '1,5' is not a decimal number of at most 18 digits and 12 decimals",
        "b.csv:3:time_in_force: 'soon' is none of day, gtc, ioc, fok, gtd, opg, cls",
        "b.csv:4: 5 cells, the header has 12",
        "b.csv:5:then: an amend needs then_quantity or then_price",
        "b.csv:6:then_quantity: is only for `then` = amend",
        "b.csv:8:client_order_id: 'k6' is also on line 7",
    ]


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("", "b.csv:1:account_id: this column is missing"),
        (HEADER.replace("side,", ""), "b.csv:1:side: this column is missing"),
        (HEADER + ",colour", "b.csv:1:colour: no such column; there are account_id, "),
        (HEADER + ",price", "b.csv:1:price: this column is there twice"),
        (HEADER + ",", "b.csv:1:10: no such column"),
    ],
)
def test_a_wrong_header_is_told_before_any_row(header: str, complaint: str) -> None:
    assert any(problem.startswith(complaint) for problem in problems(header + "\nx,y,z\n"))


def test_a_quote_that_never_ends_is_a_problem_not_a_crash() -> None:
    assert basket_file.read([HEADER + "\n", 'demo,"k1,AAPL\n']).problems == [
        Problem(2, "", "unexpected end of data")
    ]


@pytest.fixture
def basket(tmp_path: Path) -> Path:
    path = tmp_path / "basket.csv"
    path.write_text(
        f"{THEN}\n"
        "demo,k1,AAPL,buy,100,limit,230.10,,,,,\n"
        "demo,k2,MSFT,sell,5,limit,420,,,amend,4,419\n"
        "demo,k3,TSLA,buy,1,limit,200,,,cancel,,\n",
        encoding="utf-8-sig",  # as spreadsheets write it
    )
    return path


def answer_all(router: FakeRouter, order: Order) -> None:
    router.answers["SubmitOrder"] = [orders_pb2.SubmitOrderResponse(order=order)]
    router.answers["AmendOrder"] = [orders_pb2.AmendOrderResponse(order=order)]
    router.answers["CancelOrder"] = [orders_pb2.CancelOrderResponse(order=order)]
    router.answers["GetOrder"] = [orders_pb2.GetOrderResponse(order=order)]


def test_a_basket_is_submitted_and_followed_up(
    router: FakeRouter, target: str, basket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_all(router, Order(order_id="o1", state=common_pb2.ORDER_STATE_WORKING, quantity="1"))

    assert run(["--server", target, "--output", "json", "basket", str(basket)]) == 0

    out, err = capsys.readouterr()
    assert [(row["line"], row["client_order_id"]) for row in json.loads(out)] == [
        (2, "k1"),
        (3, "k2"),
        (4, "k3"),
    ]
    assert err == "fairlead: 3 orders: 3 working\n"
    assert {request.client_order_id for request in router.received["SubmitOrder"]} == {"k1", "k2", "k3"}
    [amend] = router.received["AmendOrder"]
    assert (amend.order.client_order.client_order_id, amend.quantity, amend.price) == ("k2", "4", "419")
    [cancel] = router.received["CancelOrder"]
    assert cancel.order.client_order.client_order_id == "k3"


def test_a_basket_that_is_run_again_repeats_every_key(router: FakeRouter, target: str, basket: Path) -> None:
    answer_all(router, Order(order_id="o1", state=common_pb2.ORDER_STATE_WORKING))

    for _ in range(2):
        assert run(["--server", target, "basket", str(basket)]) == 0

    for method in ("SubmitOrder", "AmendOrder", "CancelOrder"):
        requests = sorted(request.SerializeToString() for request in router.received[method])
        assert requests[::2] == requests[1::2]


def test_a_refused_order_is_not_followed_up(router: FakeRouter, target: str, basket: Path) -> None:
    reject = Reject(reason=common_pb2.REJECT_REASON_RISK_MAX_QUANTITY)
    answer_all(router, Order(order_id="o1", state=common_pb2.ORDER_STATE_REJECTED, reject=reject))

    assert run(["--server", target, "basket", str(basket)]) == 1

    assert router.received["AmendOrder"] == router.received["CancelOrder"] == []


def test_a_follow_up_that_is_refused_exits_with_1(
    router: FakeRouter, target: str, basket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = Order(order_id="o1", state=common_pb2.ORDER_STATE_WORKING)
    answer_all(router, order)
    reject = Reject(reason=common_pb2.REJECT_REASON_VENUE_CANCEL_TOO_LATE)
    router.answers["AmendOrder"] = [
        orders_pb2.AmendOrderResponse(order=order, outcome=orders_pb2.AMEND_OUTCOME_REJECTED, reject=reject)
    ]
    router.answers["CancelOrder"] = [
        orders_pb2.CancelOrderResponse(order=order, outcome=orders_pb2.CANCEL_OUTCOME_REJECTED, reject=reject)
    ]

    assert run(["--server", target, "--output", "csv", "basket", str(basket)]) == 1

    remarks = [line.split(",")[-2:] for line in capsys.readouterr().out.splitlines()[2:]]
    assert remarks == [
        ["amend rejected", "venue_cancel_too_late"],
        ["cancel rejected", "venue_cancel_too_late"],
    ]


def test_orders_that_existed_are_counted_as_duplicates(
    router: FakeRouter, target: str, basket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = Order(order_id="o1", state=common_pb2.ORDER_STATE_FILLED)
    answer_all(router, filled)
    router.answers["SubmitOrder"] = [orders_pb2.SubmitOrderResponse(order=filled, duplicate=True)]

    assert run(["--server", target, "basket", str(basket)]) == 0
    assert capsys.readouterr().err == "fairlead: 3 orders: 3 filled, 3 of them duplicates\n"


def test_one_failure_does_not_stop_the_others_and_decides_the_exit_code(
    router: FakeRouter, target: str, basket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_all(router, Order(order_id="o1", state=common_pb2.ORDER_STATE_WORKING))
    router.answers["SubmitOrder"].insert(0, Fail(Code.ALREADY_EXISTS, "CLIENT_ORDER_ID_CONFLICT"))

    assert run(["--server", target, "basket", str(basket), "--in-flight", "1"]) == 4

    out, err = capsys.readouterr()
    assert len(router.received["SubmitOrder"]) == 3
    assert "CLIENT_ORDER_ID_CONFLICT: told to" in out.splitlines()[1]
    assert err == "fairlead: 3 orders: 2 working, 1 with errors\n"


def test_a_file_with_problems_submits_nothing(
    router: FakeRouter, target: str, basket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    basket.write_text(basket.read_text() + "demo,k9,AAPL,buy,-1,limit,1,,,,,\n")

    assert run(["--server", target, "basket", str(basket)]) == 2

    assert capsys.readouterr().err == f"{basket}:5:quantity: '-1' is not greater than zero\n"
    assert router.received["SubmitOrder"] == []


def test_checking_asks_nothing_of_the_server(basket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--server", "127.0.0.1:1", "basket", str(basket), "--check"]) == 0
    assert capsys.readouterr().err == f"fairlead: {basket}: 3 orders, no problems\n"


def test_a_file_that_is_not_text_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "basket.csv"
    path.write_bytes(b"\xff\xfe\x00")

    assert run(["basket", str(path), "--check"]) == 2
    assert "can't decode byte 0xff" in capsys.readouterr().err
