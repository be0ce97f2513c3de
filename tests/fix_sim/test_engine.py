from datetime import timedelta
from decimal import Decimal

import pytest
from fix_sim.engine import Decision, Engine, Price
from fix_sim.errors import NotFillable, UnknownOrder, UnknownSymbol
from fix_sim.orders import ExecType, ExecutionReport, Request, Side, Terms, TimeInForce
from fix_sim.rules import Action, Rule
from msgspec.structs import replace

from tests.fix_sim.desk import (
    CLIENT,
    PRICES,
    START,
    amend,
    at,
    cancel,
    engine,
    only,
    order,
    status,
    terms,
    told,
)

IOC, FOK, GTC, GTD = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTC, TimeInForce.GTD
THIRDS = Rule(Action.PARTIAL, slices=3, interval=timedelta(milliseconds=200))
NEVER = Rule(Action.NEVER_FILL)
MANUAL = Rule(Action.MANUAL)
REFUSED = Rule(Action.REJECT, reason=2, text="closed")
ACK = "A NEW NEW 0/100"
ALL = "A TRADE FILLED 100/100 100@230.10"


@pytest.mark.parametrize(
    ("rules", "wanted", "side", "expected"),
    [
        pytest.param([], terms(), Side.BUY, [ACK, ALL], id="a market order fills at the reference"),
        pytest.param(
            [], terms(price="231"), Side.BUY, [ACK, ALL], id="a limit through the reference fills better"
        ),
        pytest.param([], terms(price="230.10"), Side.SELL, [ACK, ALL], id="a limit at the reference fills"),
        pytest.param([], terms(price="230"), Side.BUY, [ACK], id="a bid below the reference rests"),
        pytest.param([], terms(price="231"), Side.SELL_SHORT, [ACK], id="an offer above the reference rests"),
        pytest.param([], terms(stop="240"), Side.BUY, [ACK], id="a stop that is not reached rests"),
        pytest.param(
            [],
            terms(stop="230"),
            Side.BUY,
            [ACK, "A TRIGGERED NEW 0/100", ALL],
            id="a stop that is reached trades",
        ),
        pytest.param(
            [],
            terms(stop="231", price="235"),
            Side.SELL,
            [ACK, "A TRIGGERED NEW 0/100"],
            id="a stop limit becomes a resting limit",
        ),
        pytest.param([], terms(tif=IOC), Side.BUY, [ACK, ALL], id="IOC that can trade"),
        pytest.param(
            [],
            terms(price="230", tif=IOC),
            Side.BUY,
            [ACK, "A CANCELED CANCELED 0/100"],
            id="IOC that cannot",
        ),
        pytest.param(
            [THIRDS],
            terms(tif=IOC),
            Side.BUY,
            [ACK, "A TRADE PARTIALLY_FILLED 33/100 33@230.10", "A CANCELED CANCELED 33/100"],
            id="IOC gets the first slice",
        ),
        pytest.param([], terms(tif=FOK), Side.BUY, [ACK, ALL], id="FOK that can trade"),
        pytest.param(
            [THIRDS], terms(tif=FOK), Side.BUY, [ACK, "A CANCELED CANCELED 0/100"], id="FOK takes no slice"
        ),
        pytest.param([NEVER], terms(), Side.BUY, [ACK], id="never fill"),
        pytest.param(
            [NEVER], terms(tif=FOK), Side.BUY, [ACK, "A CANCELED CANCELED 0/100"], id="FOK, never fill"
        ),
        pytest.param([MANUAL], terms(), Side.BUY, [ACK], id="manual waits"),
        pytest.param(
            [REFUSED], terms(), Side.BUY, ["A REJECTED REJECTED 0/100 103=2"], id="refused by a rule"
        ),
        pytest.param([], terms("0"), Side.BUY, ["A REJECTED REJECTED 0/0 103=13"], id="no quantity"),
        pytest.param([], terms(price="-1"), Side.BUY, ["A REJECTED REJECTED 0/100 103=99"], id="no price"),
        pytest.param(
            [],
            terms(tif=GTD, expires=START),
            Side.BUY,
            ["A REJECTED REJECTED 0/100 103=99"],
            id="expired already",
        ),
    ],
)
def test_a_new_order_meets_the_market(
    rules: list[Rule], wanted: Terms, side: Side, expected: list[str]
) -> None:
    decision = engine(*rules).handle(order(wanted, side=side), START)

    assert told(decision) == expected


def test_every_report_but_a_status_has_a_number_of_its_own_and_the_ids_follow_from_the_seed() -> None:
    desk = engine()

    first = desk.handle(order(), START)
    second = desk.handle(order(cl_ord_id="B"), START)
    asked = desk.handle(status("B"), START)

    assert [_exec_ids(made) for made in (first, second, asked)] == [["T-E1", "T-E2"], ["T-E3", "T-E4"], ["0"]]
    assert list(desk.orders) == ["T-O1", "T-O2"]


def test_a_resting_limit_fills_when_its_price_is_touched_and_not_before() -> None:
    desk = engine()
    desk.handle(order(terms(price="229")), START)

    above = desk.set_price("AAPL", Decimal("229.01"), at(1))
    touched = desk.set_price("AAPL", Decimal("228.50"), at(2))
    afterwards = desk.set_price("AAPL", Decimal(1), at(3))

    assert (told(above), told(touched)) == ([], ["A TRADE FILLED 100/100 100@228.50"])
    assert (afterwards.reports, afterwards.prices) == ([], {"AAPL": Price(Decimal(1), at(3))})


def test_a_price_touches_orders_in_the_order_of_their_arrival_and_only_those_of_its_symbol() -> None:
    desk = engine()
    for cl_ord_id, symbol in [("Z", "AAPL"), ("E", "EURUSD"), ("A", "AAPL")]:
        desk.handle(order(terms(price="1"), cl_ord_id=cl_ord_id, symbol=symbol), START)

    touched = desk.set_price("AAPL", Decimal(1), at(1))

    assert [line[0] for line in told(touched)] == ["Z", "A"]


def test_a_stop_limit_triggers_on_the_way_and_fills_when_its_limit_is_touched() -> None:
    desk = engine()
    desk.handle(order(terms(stop="235", price="235.50")), START)

    through = desk.set_price("AAPL", Decimal(236), at(1))
    back = desk.set_price("AAPL", Decimal(233), at(2))

    assert told(through) == ["A TRIGGERED NEW 0/100"]
    assert told(back) == ["A TRADE FILLED 100/100 100@233"]


def test_slices_follow_one_another_by_the_clock_and_the_last_takes_the_rest() -> None:
    desk = engine(THIRDS)

    at_once = told(desk.handle(order(), START))
    early, second, last = (told(desk.tick(at(ms))) for ms in (199, 200, 400))

    assert at_once[1:] == ["A TRADE PARTIALLY_FILLED 33/100 33@230.10"]
    assert early == []
    assert second == ["A TRADE PARTIALLY_FILLED 66/100 33@230.10"]
    assert last == ["A TRADE FILLED 100/100 34@230.10"]
    assert desk.deadline() is None


def test_the_deadline_is_the_next_slice_or_expiry() -> None:
    desk = engine(Rule(Action.PARTIAL, symbol="AAPL"), NEVER)
    deadlines = [desk.deadline()]

    desk.handle(order(terms(price="1", tif=GTD, expires=at(900)), cl_ord_id="G", symbol="EURUSD"), START)
    deadlines.append(desk.deadline())
    desk.handle(order(), START)
    deadlines.append(desk.deadline())

    assert deadlines == [None, at(900), at(200)]


def test_slices_pause_while_the_price_is_away_and_go_on_when_it_is_back() -> None:
    desk = engine(THIRDS)
    desk.handle(order(terms(price="231")), START)
    desk.set_price("AAPL", Decimal(240), at(100))

    away = told(desk.tick(at(200)))
    back = told(desk.set_price("AAPL", Decimal(230), at(1000)))

    assert away == []
    assert back == ["A TRADE PARTIALLY_FILLED 66/100 33@230"]
    assert desk.deadline() == at(1200)


@pytest.mark.parametrize(
    ("qty", "slices", "expected"),
    [
        ("100", 3, ["33", "33", "34"]),
        ("2", 5, ["1", "1"]),
        ("0.05", 2, ["0.02", "0.03"]),
        ("1E+3", 4, ["250", "250", "250", "250"]),
    ],
)
def test_slices_are_even_in_steps_of_the_quantitys_last_digit(
    qty: str, slices: int, expected: list[str]
) -> None:
    desk = engine(Rule(Action.PARTIAL, slices=slices))
    reports = desk.handle(order(terms(qty)), START).reports

    while deadline := desk.deadline():
        reports += desk.tick(deadline).reports

    assert [report.last_qty for report in reports[1:] if isinstance(report, ExecutionReport)] == [
        Decimal(part) for part in expected
    ]
    assert only(desk).leaves_qty == 0


def test_the_average_price_is_over_all_fills() -> None:
    desk = engine(THIRDS)
    desk.handle(order(), START)
    desk.set_price("AAPL", Decimal(231), at(1))

    desk.tick(at(200))

    assert only(desk).avg_px == Decimal("230.55")


def test_a_good_till_date_order_expires() -> None:
    desk = engine()
    desk.handle(order(terms(price="1", tif=GTD, expires=at(500))), START)

    assert told(desk.tick(at(499))) == []
    assert told(desk.tick(at(500))) == ["A EXPIRED EXPIRED 0/100"]
    assert told(desk.tick(at(999))) == []


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(cancel(), ["C 41=A CANCELED CANCELED 33/100"], id="a cancel stops the slices"),
        pytest.param(cancel(orig="nothing"), ["C 41=nothing 434=1 102=1"], id="cancel of an unknown order"),
        pytest.param(cancel("A"), ["A 41=A 434=1 102=6"], id="cancel by a ClOrdID used before"),
        pytest.param(cancel(side=Side.SELL), ["C 41=A 434=1 102=2"], id="cancel of the other side"),
        pytest.param(cancel(client="other"), ["C 41=A 434=1 102=1"], id="cancel of another client's order"),
        pytest.param(
            amend(terms("200", "1")), ["B 41=A REPLACED PARTIALLY_FILLED 33/200"], id="replace up, and away"
        ),
        pytest.param(
            amend(terms("33", "1")), ["B 41=A REPLACED FILLED 33/33"], id="replace down to what is filled"
        ),
        pytest.param(
            amend(terms("10", "1")), ["B 41=A REPLACED FILLED 33/33"], id="replace below what is filled"
        ),
        pytest.param(
            amend(terms(), orig="nothing"), ["B 41=nothing 434=2 102=1"], id="replace of an unknown order"
        ),
        pytest.param(amend(terms(), "A"), ["A 41=A 434=2 102=6"], id="replace by a ClOrdID used before"),
        pytest.param(amend(terms(), symbol="EURUSD"), ["B 41=A 434=2 102=2"], id="replace of the symbol"),
        pytest.param(amend(terms("0")), ["B 41=A 434=2 102=2"], id="replace to no quantity"),
        pytest.param(status(), ["A ORDER_STATUS PARTIALLY_FILLED 33/100"], id="status"),
        pytest.param(
            status("nothing"), ["nothing ORDER_STATUS REJECTED 0/0 103=5"], id="status of an unknown order"
        ),
        pytest.param(order(), ["A REJECTED REJECTED 0/100 103=6"], id="a ClOrdID used before"),
        pytest.param(order(poss_resend=True), ["A ORDER_STATUS PARTIALLY_FILLED 33/100"], id="PossResend"),
        pytest.param(
            order(cl_ord_id="B", symbol="?"), ["B REJECTED REJECTED 0/100 103=1"], id="an unknown symbol"
        ),
    ],
)
def test_requests_about_an_order_with_a_third_filled(request_: Request, expected: list[str]) -> None:
    desk = engine(THIRDS)
    desk.handle(order(), START)
    before = only(desk)

    decision = desk.handle(request_, at(1))

    assert told(decision) == expected
    if "434=" in expected[0] or expected[0].startswith("A "):
        assert desk.orders["T-O1"] == before


@pytest.mark.parametrize("ended", ["filled", "canceled", "rejected"])
def test_a_cancel_or_replace_of_an_order_that_is_done_is_too_late(ended: str) -> None:
    desk = engine(*([REFUSED] if ended == "rejected" else []))
    desk.handle(order(terms(price="1") if ended == "canceled" else terms()), START)
    desk.handle(cancel("X"), START)

    assert told(desk.handle(cancel(), at(1))) == ["C 41=A 434=1 102=0"]
    assert told(desk.handle(amend(terms()), at(1))) == ["B 41=A 434=2 102=0"]


def test_a_replace_to_the_market_trades_at_once_under_the_new_name() -> None:
    desk = engine()
    desk.handle(order(terms(price="1")), START)

    replaced = desk.handle(amend(terms("150", "240")), at(1))

    assert told(replaced) == ["B 41=A REPLACED NEW 0/150", "B TRADE FILLED 150/150 150@230.10"]


def test_a_cancel_that_crosses_a_replace_finds_the_order_by_its_old_name() -> None:
    desk = engine()
    desk.handle(order(terms(price="1")), START)
    desk.handle(amend(terms("50", "2")), at(1))

    assert told(desk.handle(cancel(orig="A"), at(2))) == ["C 41=A CANCELED CANCELED 0/50"]


def test_a_refused_replace_leaves_the_order_to_fill_under_its_old_terms() -> None:
    desk = engine()
    desk.handle(order(terms(price="228")), START)
    desk.handle(amend(terms("0")), at(1))

    assert told(desk.set_price("AAPL", Decimal(228), at(2))) == ["A TRADE FILLED 100/100 100@228"]


def test_a_stop_that_was_moved_has_to_be_reached_again() -> None:
    desk = engine()
    desk.handle(order(terms(stop="230", price="200")), START)

    moved = desk.handle(amend(terms(stop="250", price="300")), at(1))

    assert told(moved) == ["B 41=A REPLACED NEW 0/100"]
    assert told(desk.set_price("AAPL", Decimal(250), at(2))) == [
        "B TRIGGERED NEW 0/100",
        "B TRADE FILLED 100/100 100@250",
    ]


def test_an_operator_fills_what_waits_for_one() -> None:
    desk = engine(MANUAL)
    desk.handle(order(terms(price="229")), START)

    part = desk.fill("T-O1", Decimal(40), Decimal("228.80"), at(1))
    rest = desk.fill("T-O1", None, None, at(2))

    assert told(part) == ["A TRADE PARTIALLY_FILLED 40/100 40@228.80"]
    assert told(rest) == ["A TRADE FILLED 100/100 60@229"]


@pytest.mark.parametrize(
    ("rule", "qty", "why"),
    [
        (MANUAL, Decimal("100.01"), "more than LeavesQty"),
        (NEVER, None, "never_fill"),
        (REFUSED, None, "REJECTED"),
    ],
)
def test_what_cannot_be_filled_by_hand(rule: Rule, qty: Decimal | None, why: str) -> None:
    desk = engine(rule)
    desk.handle(order(), START)

    with pytest.raises(NotFillable, match=why):
        desk.fill("T-O1", qty, None, at(1))
    assert only(desk).cum_qty == 0


def test_an_order_or_a_symbol_that_nobody_knows_is_the_callers_mistake() -> None:
    desk = engine()

    with pytest.raises(UnknownOrder, match="T-O9"):
        desk.fill("T-O9", None, None, START)
    with pytest.raises(UnknownSymbol, match="MSFT"):
        desk.set_price("MSFT", Decimal(1), START)


def test_a_decision_holds_every_order_that_changed_as_it_now_stands() -> None:
    desk = engine()

    decision = desk.handle(order(), START)

    assert decision.orders == desk.orders
    assert desk.handle(status(), at(1)) == Decision(
        said=[ExecutionReport(only(desk), ExecType.ORDER_STATUS, at(1))]
    )


def test_a_restored_engine_goes_on_where_the_other_stopped() -> None:
    before = engine(replace(THIRDS, cl_ord_id_prefix="A"))
    before.handle(order(), START)
    before.handle(order(terms(price="1", tif=GTC), cl_ord_id="R"), START)
    prices = before.set_price("AAPL", Decimal(229), at(1)).prices
    after = Engine(before.ids, PRICES, [])

    after.restore(before.orders.values(), prices)

    assert after.deadline() == at(200)
    assert told(after.tick(at(200))) == ["A TRADE PARTIALLY_FILLED 66/100 33@229"]
    assert told(after.handle(order(cl_ord_id="R"), at(201))) == ["R REJECTED REJECTED 0/100 103=6"]
    assert told(after.set_price("AAPL", Decimal(1), at(202))) == ["R TRADE FILLED 100/100 100@1"]


def test_the_first_rule_that_matches_decides() -> None:
    desk = engine(
        Rule(Action.REJECT, cl_ord_id_prefix="REJ"),
        Rule(Action.MANUAL, account="MAN", symbol="AAPL"),
        Rule(Action.NEVER_FILL, symbol="EURUSD"),
        Rule(Action.PARTIAL),
    )
    actions = [
        (order(cl_ord_id="REJ-1"), Action.REJECT),
        (order(cl_ord_id="1", account="MAN"), Action.MANUAL),
        (order(cl_ord_id="2", account="MAN", symbol="EURUSD"), Action.NEVER_FILL),
        (order(cl_ord_id="3"), Action.PARTIAL),
    ]

    for new, _ in actions:
        desk.handle(new, START)

    assert [placed.rule.action for placed in desk.orders.values()] == [action for _, action in actions]
    assert {placed.client for placed in desk.orders.values()} == {CLIENT}


def _exec_ids(decision: Decision) -> list[str]:
    return [report.exec_id for report in decision.reports if isinstance(report, ExecutionReport)]
