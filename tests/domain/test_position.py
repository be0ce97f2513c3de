"""Positions at average cost: what trades make of them, and what busts and corrections undo."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from fairlead_server.domain.position import (
    FLAT,
    NOTHING,
    DayTotal,
    Position,
    Trade,
    counted,
    of_trade,
    refold,
)
from fairlead_server.domain.terms import Side
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import by_hand
from tests.domain.builders import after as heard
from tests.domain.builders import bust, correction, new_order, sent_order, trade
from tests.domain.lives import lives, untimed

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
DAY = NOW.date()
KEY = "ACC1", "ACME", "S1"


def figures(*values: object) -> tuple[object, ...]:
    """To be compared with numbers of any kind."""
    return values


def made(place: int, quantity: str, price: str, day: int = 0, session_id: str = "BROKER") -> Trade:
    """``day`` counts from the first."""
    time = NOW + timedelta(days=day, seconds=place)
    return Trade(place, Decimal(quantity), Decimal(price), time, DAY + timedelta(days=day), session_id)


def folded(*trades: Trade) -> Position:
    position = FLAT
    for each in trades:
        position = position.after(each)
    return position


def book(*trades: tuple[str, str]) -> Position:
    return folded(*(made(place, *each) for place, each in enumerate(trades, start=1)))


@pytest.mark.parametrize(
    ("trades", "quantity", "average", "realised"),
    [
        ([], 0, None, 0),
        ([("10", "100")], 10, 100, 0),
        ([("10", "100"), ("30", "104")], 40, 103, 0),
        ([("10", "100"), ("-4", "110")], 6, 100, 40),
        ([("10", "100"), ("-10", "110")], 0, None, 100),
        ([("10", "100"), ("-15", "110")], -5, 110, 100),
        ([("-10", "100")], -10, 100, 0),
        ([("-10", "100"), ("4", "90")], -6, 100, 40),
        ([("-10", "100"), ("15", "90")], 5, 90, 100),
        ([("10", "100"), ("10", "110"), ("-5", "105"), ("5", "125")], 20, 110, 0),
        ([("10", "-3"), ("-10", "2")], 0, None, 50),  # prices below zero have been seen
    ],
)
def test_a_position_is_what_its_trades_make_of_it(
    trades: list[tuple[str, str]], quantity: int, average: int | None, realised: int
) -> None:
    position = book(*trades)

    assert figures(position.quantity, position.average(), position.realised) == (quantity, average, realised)


def test_what_cannot_be_divided_is_rounded_once_and_given_back_at_the_end() -> None:
    third = book(("3", "1"), ("-1", "0"), ("1", "0"))  # two thirds cost 2, and then three

    assert third.average() == Decimal("0.666666666667")
    sold = third.after(made(4, "-1", "1"))
    assert sold.cost == Decimal("1.333333333333333333333333")
    assert sold.realised == -1 + 1 - Decimal("0.666666666666666666666667")
    flat = sold.after(made(5, "-2", "1"))
    assert figures(flat.cost, flat.realised, flat.sold_value - flat.bought_value) == (0, 0, 0)


def test_unrealised_is_against_a_price() -> None:
    assert book(("10", "100")).unrealised(Decimal("101.5")) == 15
    assert book(("-10", "100")).unrealised(Decimal("101.5")) == -15
    assert FLAT.unrealised(Decimal(50)) == 0


def test_the_extremes_are_those_since_it_was_flat() -> None:
    position = book(("10", "100"), ("10", "90"), ("-5", "120"))
    assert figures(position.highest, position.lowest) == (20 * 120 - 1900, -100)

    ended = position.after(made(4, "-15", "80"))
    assert figures(ended.highest, ended.lowest) == (500, 15 * 80 - 1425)

    turned = position.after(made(4, "-20", "80"))
    assert figures(turned.highest, turned.lowest, turned.open_time) == (0, 0, NOW + timedelta(seconds=4))


def test_a_reference_price_can_make_an_extreme() -> None:
    position = book(("10", "100"))

    assert position.marked(Decimal(100)) is position
    assert position.marked(Decimal(97)).marked(Decimal(104)) == replace(
        position, highest=Decimal(40), lowest=Decimal(-30)
    )
    assert FLAT.marked(Decimal(5)) is FLAT


def test_what_was_realised_on_a_day_begins_anew_with_each() -> None:
    position = folded(made(1, "10", "100"), made(2, "-1", "110"), made(3, "-2", "120", day=1))

    assert figures(position.realised, position.day) == (50, DAY + timedelta(days=1))
    assert position.realised_on(DAY + timedelta(days=1)) == 40
    assert position.realised_on(DAY + timedelta(days=2)) == 0


def test_a_day_sums_what_its_trades_were() -> None:
    first, second = made(1, "10", "100"), made(2, "-4", "110")
    once = folded(first)

    total = of_trade(first, FLAT, once).plus(of_trade(second, once, once.after(second)))

    ten, four = Decimal(10), Decimal(4)
    assert total == DayTotal(0, 2, ten, Decimal(1000), four, Decimal(440), Decimal(40))
    assert total.minus(total) == NOTHING == of_trade(made(3, "0", "1"), once, once)


# Undone.


def with_openings(trades: Sequence[Trade], every: int = 3) -> list[Trade]:
    """As they are stored, but with more checkpoints."""
    found, position = [], FLAT
    for number, each in enumerate(trades):
        found.append(replace(each, opening=position if number % every == 0 else None))
        position = position.after(each)
    return found


AMOUNTS = st.sampled_from(["1", "-1", "3", "-3", "7", "-10", "0.000000000001", "-25", "25"])
PRICES = st.sampled_from(["100", "99.97", "101.000000000003", "3", "-2", "0"])
TRADES = st.lists(
    st.tuples(AMOUNTS, PRICES, st.integers(0, 2), st.sampled_from(["A", "B"])), min_size=1, max_size=20
).map(
    lambda rows: [
        made(place, quantity, price, day, session)
        for place, (quantity, price, day, session) in enumerate(sorted(rows, key=lambda row: row[2]), start=1)
    ]
)


def hand(trades: Sequence[Trade]) -> by_hand.Books:
    return by_hand.fold(
        by_hand.Made(t.place, KEY, t.day, t.session_id, Fraction(t.quantity), Fraction(t.price))
        for t in trades
        if t.quantity
    )


def totals(trades: Sequence[Trade]) -> dict[tuple[date, str], DayTotal]:
    found: dict[tuple[date, str], DayTotal] = {}
    position = FLAT
    for each in trades:
        after = position.after(each)
        key = each.day, each.session_id
        found[key] = found.get(key, NOTHING).plus(of_trade(each, position, after))
        position = after
    return found


@untimed
@given(TRADES)
def test_the_fold_gives_what_fractions_give(trades: list[Trade]) -> None:
    days = {(day, *KEY, session): total for (day, session), total in totals(trades).items()}

    assert by_hand.differences(hand(trades), {KEY: folded(*trades)}, days) == []


@untimed
@given(TRADES)
def test_what_is_realised_and_what_is_open_make_what_was_paid(trades: list[Trade]) -> None:
    position = folded(*trades)

    assert Fraction(position.realised) == Fraction(position.sold_value) - Fraction(
        position.bought_value
    ) + Fraction(position.cost)
    assert position.lowest <= 0 <= position.highest


@untimed
@given(TRADES, st.data())
def test_what_is_undone_was_never_there(trades: list[Trade], data: st.DataObject) -> None:
    stored = with_openings(trades)
    at = data.draw(st.integers(0, len(stored) - 1))
    old = stored[at]
    other = data.draw(st.sampled_from(["0", "5", "-5"]))
    changed = replace(old, quantity=Decimal(other), price=Decimal("98.5"))
    start = max(number for number in range(at + 1) if stored[number].opening is not None)

    found = refold(stored[start:], {old.place: changed})

    expected = [*trades[:at], replace(changed, opening=None), *trades[at + 1 :]]
    assert found.position == folded(*expected)
    now = {each.place: each for each in stored} | {each.place: each for each in found.trades}
    anew = dict(zip(now, with_openings(expected), strict=True))
    assert now == anew
    assert with_difference(totals(trades), found.days) == with_difference(totals(expected), {})


def with_difference(days: dict[tuple[date, str], DayTotal], more: object) -> dict[tuple[date, str], DayTotal]:
    assert isinstance(more, dict)
    found = {key: days.get(key, NOTHING).plus(more.get(key, NOTHING)) for key in days.keys() | more.keys()}
    return {key: total for key, total in found.items() if total != NOTHING}


def test_a_trade_that_comes_while_another_is_undone_is_the_last() -> None:
    stored = with_openings([made(1, "10", "100"), made(2, "-5", "110")])

    found = refold(stored, {1: replace(stored[0], quantity=Decimal(0)), 9: made(9, "2", "90")})

    assert [figures(each.place, each.quantity) for each in found.trades] == [(1, 0), (9, 2)]
    assert found.position == folded(made(2, "-5", "110"), made(9, "2", "90"))


def test_the_first_trade_of_all_has_its_opening() -> None:
    assert refold([], {4: made(4, "2", "90")}).trades == (replace(made(4, "2", "90"), opening=FLAT),)


# Which executions count, and where.


def test_a_correction_counts_in_the_place_of_what_it_corrects() -> None:
    order = heard(
        sent_order(), trade("1", 10), trade("2", 20, 51), correction("3", "1", 15, 49), bust("4", "2")
    )

    places = counted(order, {"ours-1": 4, "ours-2": 5, "ours-3": 8})

    assert places == {4: (Decimal(15), Decimal(49))}


def test_what_is_sold_counts_below_zero() -> None:
    order = heard(sent_order(new_order(side=Side.SELL_SHORT)), trade("1", 10))

    assert counted(order, {"ours-1": 4}) == {4: (Decimal(-10), Decimal(50))}


def test_a_correction_that_came_first_counts_in_its_own_place() -> None:
    order = heard(sent_order(), correction("3", "1", 15, 49), trade("1", 10))

    assert counted(order, {"ours-3": 8}) == {8: (Decimal(15), Decimal(49))}


@untimed
@given(lives)
def test_whatever_a_venue_says_each_execution_that_stands_has_one_place(life: list[object]) -> None:
    order = heard(sent_order(), *(step for step in life if not isinstance(step, tuple)))  # type: ignore[arg-type] # of reports
    sequences = {each.execution_id: place for place, each in enumerate(order.executions, start=1)}

    found = counted(order, sequences)

    assert sum(quantity for quantity, _ in found.values()) == order.cum_qty
    assert {place: (Fraction(q), Fraction(p)) for place, (q, p) in found.items()} == by_hand.standing(
        order, sequences
    )
