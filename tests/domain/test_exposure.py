"""An order counts from the moment it is decided, with its worst case, until nothing more can trade."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.exposure import Assumed, Exposure, Exposures, RecentOrders, Working, held, working
from fairlead_server.domain.order import ZERO, Order, refused
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import OrderType, Side, TimeInForce
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.domain.builders import (
    NOW,
    after,
    amending,
    bust,
    canceling,
    held_order,
    new_order,
    report,
    sent_order,
    terms,
    trade,
    venue_reject,
    working_order,
)
from tests.domain.lives import lives, orders, untimed
from tests.domain.test_properties import lived

SECOND = timedelta(seconds=1)
HELD = Scope("ACC1", instrument_id="ACME")


def buying(quantity: int) -> Working:
    return Working(Decimal(quantity), ZERO, 1, Decimal(quantity) * 50)


@pytest.mark.parametrize(
    ("order", "counts"),
    [
        (held_order(), buying(100)),
        (held_order().withdrawn(NOW), Working()),
        (held_order().turned_down(venue_reject(), NOW), Working()),
        (sent_order(), buying(100)),
        (working_order(), buying(100)),
        (after(working_order(), trade("1", 30)), buying(70)),
        (after(working_order(), trade("1", 100)), Working()),
        (after(working_order(), trade("1", 110)), Working()),
        (after(working_order(), report(ReportKind.CANCELED)), Working()),
        (canceling(working_order()), buying(100)),
        (working_order().in_doubt(NOW), buying(100)),
        (after(working_order(), report(ReportKind.SUSPENDED)), buying(100)),
        (amending(working_order(), terms(150)), buying(150)),
        (amending(working_order(), terms(50)), buying(100)),
        (after(amending(working_order(), terms(150)), trade("1", 100)), buying(50)),  # filled, yet not done
        (after(working_order(), trade("1", 100), bust("2", "1")), buying(100)),
        (refused("O1", new_order(), "ACME", venue_reject(), NOW), Working()),
    ],
)
def test_an_order_counts_with_what_may_still_trade(order: Order, counts: Working) -> None:
    assert working(order) == counts


@pytest.mark.parametrize("side", [Side.SELL, Side.SELL_SHORT, Side.SELL_SHORT_EXEMPT])
def test_a_sale_counts_on_its_own_side_and_takes_from_the_position(side: Side) -> None:
    order = after(working_order(new_order(side=side)), trade("1", 30))

    assert working(order) == Working(ZERO, Decimal(70), 1, Decimal(3500))
    assert held(order) == -30


def test_totals_follow_an_order_from_its_decision_to_its_end() -> None:
    exposures = Exposures([(HELD, Decimal(500))])
    story = [sent_order()]
    story.append(after(story[-1], trade("1", 30)))
    story.append(after(story[-1], bust("2", "1")))
    story.append(after(story[-1], report(ReportKind.CANCELED)))

    exposures.change(None, story[0])
    seen = [replace(exposures.of("ACC1", "ACME"))]
    for before, now in pairwise(story):
        exposures.change(before, now)
        seen.append(replace(exposures.of("ACC1", "ACME")))

    assert [each.position for each in seen] == [500, 530, 500, 500]
    assert [each.buying for each in seen] == [100, 70, 100, 0]
    assert exposures.open_orders(Scope("ACC1")) == 0


def test_the_fills_of_an_order_read_back_at_start_are_in_the_position_already() -> None:
    exposures = Exposures([(HELD, Decimal(30))])

    exposures.add_working(after(working_order(), trade("1", 30)))

    assert exposures.of("ACC1", "ACME") == Exposure(Decimal(30), Decimal(70), ZERO, 1, Decimal(3500))
    assert exposures.open_orders(Scope("ACC1")) == 1


def test_an_account_that_nobody_has_traded_for_has_nothing() -> None:
    assert Exposures().of("ACC9", "ACME") == Exposure()
    assert Exposures().open_orders(Scope("ACC9")) == 0


def test_accounts_and_instruments_do_not_mix() -> None:
    exposures = Exposures()
    exposures.change(None, working_order(new_order(account_id="ACC1")))
    exposures.change(None, working_order(new_order(account_id="ACC1", instrument_id="OTHER")))
    exposures.change(None, working_order(new_order(account_id="ACC2", side=Side.SELL)))

    assert exposures.of("ACC1", "ACME") == Exposure(ZERO, Decimal(100), ZERO, 1, Decimal(5000))
    assert exposures.of("ACC2", "ACME") == Exposure(ZERO, ZERO, Decimal(100), 1, Decimal(5000))
    assert (exposures.open_orders(Scope("ACC1")), exposures.open_orders(Scope("ACC2"))) == (2, 1)


def recomputed(orders: Iterable[Order]) -> tuple[dict[tuple[str, str], Exposure], dict[str, int]]:
    """The totals from scratch, by another road than the differences take."""
    totals: dict[tuple[str, str], Exposure] = {}
    opened: dict[str, int] = {}
    for order in orders:
        account, counts = order.request.account_id, working(order)
        key = (account, order.request.instrument_id)
        total = totals.get(key, Exposure())
        totals[key] = Exposure(
            total.position + held(order),
            total.buying + counts.buying,
            total.selling + counts.selling,
            total.open + counts.open,
            total.value + counts.value,
            total.unpriced + counts.unpriced,
        )
        opened[account] = opened.get(account, 0) + counts.open
    return totals, opened


@untimed
@given(st.lists(st.tuples(orders(), lives), min_size=1, max_size=4))
def test_totals_kept_by_difference_equal_totals_computed_from_scratch(
    stories: list[tuple[Order, list[Any]]],
) -> None:
    exposures, last = Exposures(), []
    for order, life in stories:
        history = lived(order, life)
        exposures.change(None, history[0])
        for before, now in pairwise(history):
            exposures.change(before, now)
        last.append(history[-1])

    totals, opened = recomputed(last)
    assert {key: exposures.of(*key) for key in totals} == totals
    assert {account: exposures.open_orders(Scope(account)) for account in opened} == opened


# How often the same order was sent.


def test_orders_within_the_window_are_counted_and_older_ones_are_not() -> None:
    recent = RecentOrders(keep=10 * SECOND)
    for age in (10, 5, 4, 1):
        recent.add(new_order(), NOW - age * SECOND)

    counts = [recent.count(new_order(), NOW, window * SECOND) for window in (0, 1, 4, 5, 6, 11)]

    assert counts == [0, 0, 1, 2, 3, 4]


def test_what_is_older_than_is_kept_is_forgotten() -> None:
    recent = RecentOrders(keep=10 * SECOND)
    recent.add(new_order(), NOW)
    recent.add(new_order(), NOW + 11 * SECOND)

    assert recent.count(new_order(), NOW + 11 * SECOND, timedelta(days=1)) == 1


def test_an_order_that_was_not_sent_after_all_is_taken_out() -> None:
    recent = RecentOrders(keep=10 * SECOND)
    for age in (2, 1):
        recent.add(new_order(), NOW - age * SECOND)
    recent.remove(new_order(), NOW - SECOND)
    recent.remove(new_order(), NOW - 30 * SECOND)
    recent.remove(new_order(terms=terms(200)), NOW - 2 * SECOND)

    assert recent.count(new_order(), NOW, 9 * SECOND) == 1
    assert recent.count(new_order(), NOW, 2 * SECOND) == 0


def test_nothing_is_kept_where_repeats_are_allowed_everywhere() -> None:
    recent = RecentOrders(keep=timedelta())
    recent.add(new_order(), NOW)

    assert recent.count(new_order(), NOW, timedelta(days=1)) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"account_id": "ACC2"},
        {"instrument_id": "OTHER"},
        {"side": Side.SELL},
        {"order_type": OrderType.MARKET},
        {"terms": terms(101)},
        {"terms": terms(price=51)},
        {"terms": terms(stop_price=Decimal(49))},
    ],
)
def test_another_order_is_not_a_repeat(changes: dict[str, Any]) -> None:
    recent = RecentOrders(keep=SECOND)
    recent.add(new_order(), NOW)

    assert recent.count(new_order(**changes), NOW, SECOND) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"client_order_id": "client-2"},
        {"note": "again"},
        {"terms": terms("100.0", "50.00")},
        {"terms": terms(time_in_force=TimeInForce.IOC)},
    ],
)
def test_the_same_order_under_another_key_is_a_repeat(changes: dict[str, Any]) -> None:
    recent = RecentOrders(keep=SECOND)
    recent.add(new_order(), NOW)

    assert recent.count(new_order(**changes), NOW, SECOND) == 1


# Assumed orders.


@given(st.lists(orders(), max_size=8), st.lists(orders(), max_size=8))
def test_assumed_orders_count_as_they_will_when_they_are_there(here: list[Order], more: list[Order]) -> None:
    exposures, later = Exposures(), Exposures()
    for order in here:
        exposures.change(None, order)
        later.change(None, order)
    assumed = Assumed(())
    for order in more:
        assumed.add(order.request, "BROKER")
        later.change(None, held_order(order.request))

    for request in (order.request for order in (*here, *more)):
        own, name = Scope(request.account_id), request.instrument_id
        assert exposures.within(own, name).plus(assumed.within(own, name)) == later.within(own, name)
        assert exposures.open_orders(own) + assumed.open_orders(own) == later.open_orders(own)


def test_assumed_orders_leave_those_that_are_there_as_they_are() -> None:
    exposures = Exposures()

    Assumed(exposures.tracked).add(new_order(), "BROKER")

    assert exposures.of("ACC1", "ACME") == Exposure()
    assert exposures.open_orders(Scope("ACC1")) == 0


def test_assumed_orders_are_alike_whatever_their_keys() -> None:
    assumed = Assumed(())

    assumed.add(new_order(client_order_id="a"), "")

    assert assumed.like(new_order(client_order_id="b")) == 1
    assert assumed.like(new_order(side=Side.SELL)) == 0
