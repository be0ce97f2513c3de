"""Each control just under, at and just over its limit; together: all of them, in the order of the table."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.exposure import Exposure
from fairlead_server.domain.instrument import Calendar, ReferencePrice, Span
from fairlead_server.domain.reject import Breach, Reject, RejectReason, RejectSource
from fairlead_server.domain.risk import (
    CONTROLS,
    AccountPolicy,
    Applies,
    Limits,
    Policy,
    Proposal,
    check_amend,
    check_new,
)
from fairlead_server.domain.terms import OrderType, Side, TimeInForce
from msgspec.structs import fields, replace

from tests.domain.builders import NOW, account, instrument, limits, new_order, proposal, terms

CENT = Decimal("0.01")
CLOSED = Calendar("XNYS", ZoneInfo("America/New_York"), (Span(frozenset({5}), time(9), time(16)),))


def ask(**changes: Any) -> Proposal:
    """A proposal to buy; ``terms`` are also those of the order as first submitted."""
    if "terms" in changes and "new" not in changes:
        changes["new"] = new_order(terms=changes["terms"])
    return proposal(**changes)


def selling(**changes: Any) -> Proposal:
    return proposal(new=new_order(side=Side.SELL, **changes))


def typed(order_type: OrderType, **changes: Any) -> Proposal:
    return proposal(new=new_order(order_type=order_type, terms=terms(**changes)))


def limited(**changes: Any) -> AccountPolicy:
    return account(limits=limits(**changes))


def referenced(price: int | None, age: timedelta = timedelta()) -> Any:
    return instrument(reference=None if price is None else ReferencePrice(Decimal(price), NOW - age, "file"))


def market(**changes: Any) -> Proposal:
    new = new_order(order_type=OrderType.MARKET, terms=terms(price=None))
    return proposal(new=new, **changes)


# A control's rule_id, then proposals that pass it and proposals that do not.
CASES: dict[str, tuple[list[Proposal], list[Proposal]]] = {
    "account_known": ([proposal()], [proposal(account=None)]),
    "kill_switch": (
        [proposal()],
        [proposal(policy=Policy({}, kill_switch=True)), proposal(account=account(kill_switch=True))],
    ),
    "instrument_known": ([proposal()], [proposal(instrument=None)]),
    "instrument_halted": ([proposal()], [proposal(instrument=instrument(halted=True))]),
    "symbol_block": (
        [
            proposal(policy=Policy({}, blocked_instruments=frozenset({"OTHER"}))),
            proposal(account=account(blocked_instruments=frozenset({"OTHER"}))),
        ],
        [
            proposal(policy=Policy({}, blocked_instruments=frozenset({"ACME"}))),
            proposal(account=account(blocked_instruments=frozenset({"ACME"}))),
        ],
    ),
    "overfill": (
        [proposal(), proposal(overfilled="O1", exposure=Exposure(Decimal(-100)))],
        [proposal(overfilled="O1"), proposal(overfilled="O1", exposure=Exposure(Decimal(-90)))],
    ),
    "trading_hours": (
        [proposal(), proposal(instrument=instrument(calendar=CLOSED), now=NOW + timedelta(days=1))],
        [proposal(instrument=instrument(calendar=CLOSED))],
    ),
    "price_required": (
        [typed(OrderType.LIMIT), typed(OrderType.STOP_LIMIT), typed(OrderType.MARKET, price=None)],
        [typed(OrderType.LIMIT, price=None), typed(OrderType.STOP_LIMIT, price=None)],
    ),
    "price_not_allowed": (
        [typed(OrderType.MARKET, price=None), typed(OrderType.STOP, price=None)],
        [typed(OrderType.MARKET), typed(OrderType.STOP)],
    ),
    "stop_required": (
        [typed(OrderType.STOP, stop_price=Decimal(50)), typed(OrderType.LIMIT)],
        [typed(OrderType.STOP), typed(OrderType.STOP_LIMIT)],
    ),
    "stop_not_allowed": (
        [typed(OrderType.STOP_LIMIT, stop_price=Decimal(50))],
        [typed(OrderType.MARKET, stop_price=Decimal(50)), typed(OrderType.LIMIT, stop_price=Decimal(50))],
    ),
    "quantity": ([ask(terms=terms(1))], [ask(terms=terms(0)), ask(terms=terms(-10))]),
    "part_quantity": (
        [
            ask(terms=replace(terms(100), display_quantity=Decimal(100))),
            replace(ask(new=new_order(min_quantity=Decimal(100))), terms=terms(100)),
            replace(ask(new=new_order(min_quantity=Decimal(100))), terms=terms(50), filled=Decimal(10)),
        ],
        [
            ask(terms=replace(terms(100), display_quantity=Decimal(110))),
            replace(ask(new=new_order(min_quantity=Decimal(100))), terms=terms(50)),
        ],
    ),
    "min_quantity": ([ask(terms=terms(20)), ask(terms=terms(21))], [ask(terms=terms(19))]),
    "lot_size": ([ask(terms=terms(110))], [ask(terms=terms(109)), ask(terms=terms(Decimal("110.5")))]),
    "tick_size": (
        [ask(terms=terms(price="50.05")), typed(OrderType.STOP, stop_price=Decimal("50.10"))],
        [
            ask(terms=terms(price="50.04")),
            ask(terms=terms(price=0)),
            ask(terms=terms(price="-50.05")),
            typed(OrderType.STOP_LIMIT, stop_price=Decimal("50.01")),
            typed(OrderType.STOP_LIMIT, stop_price=Decimal(0)),
        ],
    ),
    "reference": (
        [market(), ask(instrument=referenced(None))],
        [market(instrument=referenced(None))],
    ),
    "reference_age": (
        [
            market(instrument=referenced(50, timedelta(hours=24))),
            ask(instrument=referenced(50, timedelta(days=9))),
            market(instrument=referenced(None)),
        ],
        [market(instrument=referenced(50, timedelta(hours=24, microseconds=1)))],
    ),
    "limits_set": (
        [proposal(), proposal(account=None)],
        [proposal(account=limited(**{f.name: None})) for f in fields(Limits)],
    ),
    "max_quantity": (
        [ask(terms=terms(990)), ask(terms=terms(1000))],
        [ask(terms=terms(1010)), ask(terms=terms(Decimal("1000.000001")))],
    ),
    "max_notional": (
        [
            proposal(account=limited(max_order_notional=value))
            for value in (Decimal(5000), Decimal(5000) + CENT)
        ],
        [proposal(account=limited(max_order_notional=Decimal(5000) - CENT))],
    ),
    "open_orders": (
        [proposal(open_orders=8), proposal(open_orders=9)],
        [proposal(open_orders=10), proposal(open_orders=11)],
    ),
    "position": (
        [
            proposal(exposure=Exposure(Decimal(4899))),
            proposal(exposure=Exposure(Decimal(4900))),
            proposal(exposure=Exposure(Decimal(1900), buying=Decimal(3000))),
            replace(selling(), exposure=Exposure(Decimal(-4900))),
            replace(selling(), exposure=Exposure(Decimal(-1900), selling=Decimal(3000))),
        ],
        [
            proposal(exposure=Exposure(Decimal(4901))),
            proposal(exposure=Exposure(Decimal(1901), buying=Decimal(3000))),
            replace(selling(), exposure=Exposure(Decimal(-4901))),
            replace(selling(), exposure=Exposure(Decimal(-1901), selling=Decimal(3000))),
            proposal(
                new=new_order(side=Side.SELL_SHORT), exposure=Exposure(Decimal(-4901), buying=Decimal(9000))
            ),
        ],
    ),
    "duplicate": (
        [
            proposal(repeats=99),
            proposal(account=account(duplicate_window=timedelta(seconds=1), max_duplicates=2), repeats=2),
        ],
        [
            proposal(account=account(duplicate_window=timedelta(seconds=1)), repeats=1),
            proposal(account=account(duplicate_window=timedelta(seconds=1), max_duplicates=2), repeats=3),
        ],
    ),
}


def broken(breaches: tuple[Breach, ...]) -> list[str]:
    return [breach.rule_id for breach in breaches]


def test_every_control_is_tested_here_and_named_once() -> None:
    rules = [control.rule_id for control in CONTROLS]

    assert sorted(CASES) == sorted(rules)
    assert len(set(rules)) == len(rules)
    assert all(passing and failing for passing, failing in CASES.values())


@pytest.mark.parametrize(
    ("rule_id", "asked"),
    [(rule_id, asked) for rule_id, (passing, _) in CASES.items() for asked in passing],
)
def test_a_control_lets_pass_what_is_within_it(rule_id: str, asked: Proposal) -> None:
    assert rule_id not in broken(check_new(asked))


@pytest.mark.parametrize(
    ("rule_id", "asked"),
    [(rule_id, asked) for rule_id, (_, failing) in CASES.items() for asked in failing],
)
def test_a_control_refuses_what_is_beyond_it(rule_id: str, asked: Proposal) -> None:
    reason = next(control.reason for control in CONTROLS if control.rule_id == rule_id)

    found = [breach for breach in check_new(asked) if breach.rule_id == rule_id]

    assert [breach.reason for breach in found] == [reason]
    assert found[0].text


def test_the_ordinary_order_passes_every_control() -> None:
    assert check_new(proposal()) == ()
    assert check_new(selling()) == ()
    assert check_new(market()) == ()


def test_every_breach_is_reported_in_the_order_of_the_table_and_the_first_is_the_reason() -> None:
    asked = replace(
        typed(OrderType.LIMIT, quantity=Decimal(2001), price=Decimal("60.01"), stop_price=Decimal(60)),
        instrument=instrument(halted=True, calendar=CLOSED),
        policy=Policy({}, kill_switch=True, blocked_instruments=frozenset({"ACME"})),
        account=account(duplicate_window=timedelta(seconds=1)),
        exposure=Exposure(Decimal(5000)),
        open_orders=10,
        repeats=1,
    )

    breaches = check_new(asked)
    reject = Reject.by_risk(breaches)

    assert broken(breaches) == [
        "kill_switch",
        "instrument_halted",
        "symbol_block",
        "trading_hours",
        "stop_not_allowed",
        "lot_size",
        "tick_size",
        "max_quantity",
        "max_notional",
        "open_orders",
        "position",
        "duplicate",
    ]
    assert (reject.source, reject.reason) == (RejectSource.RISK, RejectReason.RISK_KILL_SWITCH)
    assert (reject.text, reject.breaches) == (breaches[0].text, breaches)


def test_a_breach_tells_the_limit_and_what_was_observed_without_exponents() -> None:
    tight = limited(max_order_quantity=Decimal("1E+1"), max_order_notional=Decimal("4999.50"))

    found = {b.rule_id: (b.limit, b.observed) for b in check_new(proposal(account=tight, open_orders=10))}

    assert found == {
        "max_quantity": ("10", "100"),
        "max_notional": ("4999.50", "5000"),
        "open_orders": ("10", "11"),
    }


def test_outside_trading_hours_the_local_time_is_told() -> None:
    (breach,) = check_new(proposal(instrument=instrument(calendar=CLOSED)))

    assert breach.observed == "Fri 10:00:00 EST"


# Configuration that is wrong or missing.


def test_an_account_without_limits_is_refused() -> None:
    assert broken(check_new(proposal(account=None))) == ["account_known"]


def test_each_limit_that_is_missing_is_named() -> None:
    (breach,) = check_new(proposal(account=limited(max_position=None, max_open_orders=None)))

    assert breach.reason is RejectReason.RISK_LIMIT_MISSING
    assert breach.text == "required limits are not set: max_position, max_open_orders"


def test_a_limit_set_only_for_the_instrument_is_set() -> None:
    narrower = {"ACME": Limits(max_position=Decimal(5000))}
    own = replace(limited(max_position=None), by_instrument=narrower)

    assert check_new(proposal(account=own)) == ()
    assert broken(check_new(proposal(account=replace(own, by_instrument={"OTHER": limits()})))) == [
        "limits_set"
    ]


def test_the_limits_of_an_instrument_tighten_and_never_loosen() -> None:
    wide = Limits(Decimal(1000), Decimal(100), Decimal(5), 7)
    narrow = Limits(Decimal(10), Decimal(1000), None, 3)

    assert wide.tightened_by(narrow) == Limits(Decimal(10), Decimal(100), Decimal(5), 3)
    assert narrow.tightened_by(wide) == wide.tightened_by(narrow)
    assert Limits().tightened_by(Limits()) == Limits()


def test_an_unknown_instrument_silences_only_what_needs_one() -> None:
    asked = replace(market(), instrument=None, account=limited(max_order_quantity=Decimal(99)))

    assert broken(check_new(asked)) == ["instrument_known", "max_quantity"]


def test_the_longest_amounts_of_the_api_are_checked_and_do_not_overflow() -> None:
    fine = instrument(tick_size=Decimal("1E-12"), lot_size=Decimal("1E-12"))
    longest = Decimal("999999999999999999.999999999999")

    assert broken(check_new(ask(terms=terms(longest, str(longest)), instrument=fine))) == [
        "max_quantity",
        "max_notional",
        "position",
    ]


# What an order is worth.


@pytest.mark.parametrize(
    ("asked", "price"),
    [
        (typed(OrderType.LIMIT, price=Decimal(40)), 40),
        (typed(OrderType.LIMIT, price=Decimal(60)), 60),
        (selling(terms=terms(price=40)), 50),  # it sells at the market, which is dearer
        (selling(terms=terms(price=60)), 60),
        (market(), 50),
        (replace(market(), new=new_order(side=Side.SELL, terms=terms(price=None))), 50),
        (typed(OrderType.STOP, price=None, stop_price=Decimal(60)), 60),
        (typed(OrderType.STOP, price=None, stop_price=Decimal(40)), 50),  # triggers at once
        (typed(OrderType.STOP_LIMIT, price=Decimal(45), stop_price=Decimal(44)), 45),
        (replace(selling(terms=terms(price=40)), instrument=referenced(None)), 40),
        (market(instrument=referenced(None)), None),
        (market(instrument=None), None),
    ],
)
def test_an_order_is_valued_at_the_dearest_price_at_which_it_may_trade(
    asked: Proposal, price: int | None
) -> None:
    assert asked.value_price == price


def test_a_sale_below_the_market_is_valued_at_the_market() -> None:
    cheap = selling(terms=terms(price=1))

    assert broken(check_new(replace(cheap, account=limited(max_order_notional=Decimal(4999))))) == [
        "max_notional"
    ]
    assert check_new(replace(cheap, account=limited(max_order_notional=Decimal(5000)))) == ()


# Positions.


def test_after_an_overfill_only_what_takes_from_the_position_passes() -> None:
    """What is at work on the same side takes from it first."""
    over = replace(selling(), overfilled="O1")

    assert check_new(replace(over, exposure=Exposure(Decimal(110), buying=Decimal(50)))) == ()
    assert check_new(replace(over, exposure=Exposure(Decimal(110), selling=Decimal(10)))) == ()
    crowded = replace(over, exposure=Exposure(Decimal(110), selling=Decimal(20)))
    assert broken(check_new(crowded)) == ["overfill"]
    reduced = amended(terms(90), overfilled="O1")
    assert check_amend(reduced, terms(100)) == ()
    assert broken(check_amend(amended(terms(110), overfilled="O1"), terms(100))) == ["overfill"]


def test_an_order_that_reduces_passes_though_the_position_is_beyond_its_limit() -> None:
    long, short = Exposure(Decimal(9000)), Exposure(Decimal(-9000))

    assert check_new(replace(selling(), exposure=long)) == ()
    assert check_new(proposal(exposure=short)) == ()
    assert broken(check_new(proposal(exposure=long))) == ["position"]


def test_an_order_that_turns_a_position_beyond_the_other_limit_is_refused() -> None:
    turning = selling(terms=terms(1000))

    assert check_new(replace(turning, exposure=Exposure(Decimal(-4000)))) == ()
    assert broken(check_new(replace(turning, exposure=Exposure(Decimal(-4010))))) == ["position"]


def test_orders_on_the_other_side_do_not_make_room() -> None:
    crowded = Exposure(Decimal(0), buying=Decimal(4950), selling=Decimal(4950))

    assert broken(check_new(proposal(exposure=crowded))) == ["position"]
    assert broken(check_new(replace(selling(), exposure=crowded))) == ["position"]


# Amends.


def amended(wanted: Any, **changes: Any) -> Proposal:
    return proposal(new=new_order(), terms=wanted, **changes)


CROWDED: dict[str, Any] = {
    "policy": Policy({}, kill_switch=True),
    "account": account(limits=Limits(), duplicate_window=timedelta(seconds=1)),
    "exposure": Exposure(Decimal(9000)),
    "open_orders": 99,
    "repeats": 99,
}


@pytest.mark.parametrize(
    "wanted",
    [terms(90), terms(100), terms(100, time_in_force=TimeInForce.GTC)],
    ids=["less", "same", "longer"],
)
def test_an_amend_that_only_takes_quantity_away_is_spared_the_controls_of_exposure(wanted: Any) -> None:
    assert check_amend(amended(wanted, **CROWDED), terms()) == ()


@pytest.mark.parametrize(
    "wanted",
    [terms(110), terms(90, 51), terms(90, 49), terms(100, stop_price=Decimal(50))],
    ids=["more", "dearer", "cheaper", "other stop"],
)
def test_any_other_amend_faces_them_but_not_those_of_new_orders(wanted: Any) -> None:
    found = broken(check_amend(amended(wanted, **CROWDED), terms()))

    assert {"kill_switch", "limits_set"} <= set(found)
    assert not {"open_orders", "duplicate"} & set(found)


def test_an_amend_is_always_checked_for_its_own_form() -> None:
    assert broken(check_amend(amended(terms(15)), terms())) == ["min_quantity", "lot_size"]
    assert broken(check_amend(amended(terms(0)), terms())) == ["quantity", "min_quantity"]


def test_an_amend_counts_what_is_still_open_and_not_the_order_twice() -> None:
    """Bought 60 of 100, so 60 of the position of 4060 are its own; other orders have 900 working."""
    exposure = Exposure(Decimal(4060), buying=Decimal(900))

    fits = amended(terms(100, 49), exposure=exposure, filled=Decimal(60))
    more = amended(terms(110), exposure=exposure, filled=Decimal(60))

    assert check_amend(fits, terms()) == ()
    assert broken(check_amend(more, terms())) == ["position"]


def test_an_amend_below_what_is_filled_opens_nothing() -> None:
    assert amended(terms(50), filled=Decimal(60)).open_quantity == 0


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.rule_id)
def test_what_concerns_risk_alone_is_never_asked_of_a_pure_decrease(control: Any) -> None:
    form = {"account_known", "instrument_known", "quantity", "min_quantity", "lot_size", "tick_size"}
    form |= {"part_quantity"}
    form |= {"price_required", "price_not_allowed", "stop_required", "stop_not_allowed"}

    assert (control.applies is Applies.ALWAYS) is (control.rule_id in form)
