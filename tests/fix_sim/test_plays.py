"""Orders on their way through scenarios, as the engine plays them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from fix_sim.engine import Engine, Ids
from fix_sim.errors import UnknownOrder
from fix_sim.orders import OrdStatus, TimeInForce
from fix_sim.plays import MessageRefused, SessionBroken
from fix_sim.scenario import Fault, Outcome
from fix_sim.scenario_file import parse_scenarios, parse_steps

from tests.fix_sim.desk import CLIENT, PRICES, START, amend, at, cancel, only, order, status, terms, told


def playing(steps: str, match: str = "{}", times: int = 0) -> Engine:
    text = f"[{{name: it, match: {match}, times: {times}, steps: [{steps}]}}]"
    return Engine(Ids("T"), PRICES, (), parse_scenarios(text, "here"))


def outcome(desk: Engine) -> tuple[Outcome, str]:
    play = desk.director.plays[0]
    return play.outcome, play.failure


def test_a_scenario_is_played_with_the_orders_that_it_matches() -> None:
    desk = playing("new, {trade: 40}", "{symbol: AAPL, account: A, cl_ord_id_prefix: X, qty: 100}")

    assert told(desk.handle(order(account="A", cl_ord_id="X1"), START)) == [
        "X1 NEW NEW 0/100",
        "X1 TRADE PARTIALLY_FILLED 40/100 40@230.10",
    ]
    assert told(desk.handle(order(account="B", cl_ord_id="X2"), START))[-1].endswith("100/100 100@230.10")
    assert told(desk.handle(order(account="A", cl_ord_id="Y"), START))[-1].endswith("100/100 100@230.10")
    assert told(desk.handle(order(terms("99"), account="A", cl_ord_id="X3"), START))[-1].startswith(
        "X3 TRADE FILLED"
    )
    assert [play.order_id for play in desk.director.plays] == ["T-O1"]


def test_a_scenario_of_one_time_is_played_once() -> None:
    desk = playing("new", times=1)

    assert told(desk.handle(order(), START)) == ["A NEW NEW 0/100"]
    assert len(told(desk.handle(order(cl_ord_id="B"), START))) == 2


def test_a_scenario_of_the_same_name_replaces_it_for_orders_to_come() -> None:
    desk = playing("{wait: 1s}, new")
    desk.handle(order(), START)

    desk.director.load(parse_scenarios("[{name: it, steps: [pending_new]}]", "there"))

    assert told(desk.handle(order(cl_ord_id="B"), START)) == ["B PENDING_NEW PENDING_NEW 0/100"]
    assert told(desk.tick(at(1000))) == ["A NEW NEW 0/100"]


def test_a_wait_takes_its_time() -> None:
    desk = playing("new, {wait: 250ms}, trade")
    assert told(desk.handle(order(), START)) == ["A NEW NEW 0/100"]

    assert desk.deadline() == at(250)
    assert told(desk.tick(at(249))) == []
    assert told(desk.tick(at(250))) == ["A TRADE FILLED 100/100 100@230.10"]
    assert outcome(desk) == (Outcome.PASSED, "")
    assert desk.deadline() is None


def test_a_request_waits_until_it_is_awaited() -> None:
    desk = playing("new, {wait: 1s}, {await: cancel}, pending_cancel, canceled")
    desk.handle(order(), START)

    assert told(desk.handle(cancel(), at(1))) == []
    assert told(desk.tick(at(1000))) == [
        "A 41=A PENDING_CANCEL PENDING_CANCEL 0/100",
        "C 41=A CANCELED CANCELED 0/100",
    ]


def test_what_was_never_awaited_is_the_engines_when_the_play_is_over() -> None:
    desk = playing("new, {wait: 1s}")
    desk.handle(order(), START)
    desk.handle(cancel(), at(1))
    desk.handle(status("Z"), at(2))

    assert told(desk.tick(at(1000))) == ["C 41=A CANCELED CANCELED 0/100"]


def test_silence_answers_nothing_for_ever() -> None:
    desk = playing("new, silence")
    desk.handle(order(), START)

    assert told(desk.handle(cancel(), at(1))) == []
    assert told(desk.tick(at(100_000))) == []


def test_a_play_fails_when_what_it_awaits_does_not_come_in_time() -> None:
    desk = playing("{await: {asked: cancel, within: 2s}}, canceled")
    desk.handle(order(), START)

    assert desk.deadline() == at(2000)
    desk.tick(at(2000))

    assert outcome(desk) == (Outcome.FAILED, "step 1: no cancel came in time")


@pytest.mark.parametrize(
    ("awaited", "failure"),
    [
        ("{asked: cancel}", "step 1: a replace came instead of a cancel"),
        ("{asked: replace, qty: 90}", "step 1: OrderQty(38) is 50, not 90"),
        ("{asked: replace, price: 9}", "step 1: Price(44) is None, not 9"),
        ("{asked: replace, orig: accepted}", "step 1: OrigClOrdID(41) is X, not A"),
    ],
)
def test_a_play_fails_when_something_else_comes(awaited: str, failure: str) -> None:
    desk = playing(f"{{await: {awaited}}}")
    desk.handle(order(), START)
    desk.director._playing["T-O1"].hear(amend(terms("50"), orig="X"))

    desk.director._go_on(desk.director._playing["T-O1"], START)

    assert outcome(desk) == (Outcome.FAILED, failure)


@pytest.mark.parametrize(
    ("step", "failure"),
    [
        ("pending_cancel", "there is no request that it could answer"),
        ("cancel_reject: 0", "there is no request that it could answer"),
        ("trade_cancel", "the order has 0 fills"),
        ("repeat", "nothing has been reported yet"),
    ],
)
def test_a_step_that_makes_no_sense_fails_the_play(step: str, failure: str) -> None:
    desk = playing(f"{{{step}}}" if ":" in step else step)
    desk.handle(order(), START)

    assert outcome(desk)[0] is Outcome.FAILED
    assert outcome(desk)[1].endswith(failure)


def test_two_replaces_in_hand_are_answered_in_their_order_and_named_by_what_was_accepted_last() -> None:
    desk = playing(
        "new, {await: replace}, {await: {asked: replace, orig: pending}}, pending_replace, pending_replace,"
        " replaced, replaced"
    )
    desk.handle(order(), START)
    assert told(desk.handle(amend(terms("80"), "B", "A"), at(1))) == []

    assert told(desk.handle(amend(terms("70"), "C", "B"), at(2))) == [
        "A 41=A PENDING_REPLACE PENDING_REPLACE 0/100",
        "A 41=A PENDING_REPLACE PENDING_REPLACE 0/100",
        "B 41=A REPLACED PENDING_REPLACE 0/80",
        "C 41=B REPLACED NEW 0/70",
    ]


def test_the_second_of_two_requests_can_be_refused_first() -> None:
    desk = playing(
        "new, {await: replace}, {await: replace}, pending_replace, {cancel_reject: {reason: 3, of: last}}, replaced"
    )
    desk.handle(order(), START)
    desk.handle(amend(terms("80"), "B", "A"), at(1))

    assert told(desk.handle(amend(terms("70"), "C", "B"), at(2))) == [
        "A 41=A PENDING_REPLACE PENDING_REPLACE 0/100",
        "C 41=A 434=2 102=3",
        "B 41=A REPLACED NEW 0/80",
    ]


def test_a_correction_takes_the_place_of_a_fill_and_a_bust_takes_it_away() -> None:
    desk = playing(
        "{trade: {qty: 40, price: 10}}, {trade: {qty: 60, price: 10}}, {trade_correct: {fill: 1, qty: 30}}, trade_cancel"
    )

    lines = told(desk.handle(order(), START))

    assert lines[-2:] == [
        "A TRADE_CORRECT PARTIALLY_FILLED 90/100 30@10",
        "A TRADE_CANCEL PARTIALLY_FILLED 30/100",
    ]
    assert [(fill.exec_id, fill.qty) for fill in only(desk).fills] == [("T-E3", Decimal(30))]


def test_done_for_the_day_is_no_end_of_an_order_of_several_days() -> None:
    desk = playing("new, done_for_day, {wait: 1s}, restated, trade")
    desk.handle(order(terms(tif=TimeInForce.GTC)), START)
    assert (only(desk).ord_status, only(desk).leaves_qty) == (OrdStatus.DONE_FOR_DAY, Decimal(100))

    assert told(desk.tick(at(1000))) == ["A RESTATED NEW 0/100", "A TRADE FILLED 100/100 100@230.10"]


def test_faults_and_rejects_come_in_their_turn() -> None:
    desk = playing("new, disconnect, {business_reject: 3}")

    said = desk.handle(order(), START).said

    assert isinstance(said[1], SessionBroken)
    assert (said[1].client, said[1].step.fault) == (CLIENT, Fault.DISCONNECT)
    assert isinstance(said[2], MessageRefused)


def test_an_operator_puts_steps_in_whatever_order_it_is() -> None:
    desk = Engine(Ids("T"), PRICES, ())
    desk.handle(order(terms(price="200")), START)

    decision, problem = desk.perform(
        "T-O1", parse_steps("[{trade: 10}, {canceled: {reason: 4}}]", "x"), at(1)
    )

    assert problem == ""
    assert told(decision) == [
        "A TRADE PARTIALLY_FILLED 10/100 10@200",
        "A CANCELED CANCELED 10/100",
    ]
    assert [play.order_id for play in desk.director.plays] == []
    with pytest.raises(UnknownOrder):
        desk.perform("T-O9", (), at(2))


def test_an_operators_steps_end_at_the_one_that_makes_no_sense() -> None:
    desk = Engine(Ids("T"), PRICES, ())
    desk.handle(order(terms(price="200")), START)

    decision, problem = desk.perform("T-O1", parse_steps("[{trade: 10}, {wait: 1s}, trade]", "x"), at(1))

    assert told(decision) == ["A TRADE PARTIALLY_FILLED 10/100 10@200"]
    assert problem == "wait cannot be played: an operator's steps are taken at once"


def test_a_paused_simulator_answers_when_it_is_resumed() -> None:
    desk = playing("new, {wait: 1s}, trade")
    desk.handle(order(), START)
    desk.pause()

    assert told(desk.handle(order(cl_ord_id="B"), at(1))) == []
    assert desk.deadline() is None
    assert told(desk.tick(at(5000))) == []

    assert told(desk.resume(at(6000))) == ["B NEW NEW 0/100"]
    assert told(desk.tick(at(6000))) == ["A TRADE FILLED 100/100 100@230.10"]
    assert desk.deadline() == at(6000) + timedelta(seconds=1)
