"""Each control just under, at and just over its limit; together: all of them, in the order of the table."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.buying_power import AccountKind, Lack, MarginModel, Shortfall
from fairlead_server.domain.calendar import Calendar, Span
from fairlead_server.domain.exposure import Exposure, Exposures, RecentOrders, Working
from fairlead_server.domain.instrument import ReferencePrice, Shorting
from fairlead_server.domain.order import Order
from fairlead_server.domain.position import DayTotal
from fairlead_server.domain.reject import Breach, Reject, RejectReason, RejectSource
from fairlead_server.domain.risk import (
    CONTROLS,
    Policy,
    Proposal,
    Rates,
    Standing,
    examine_amend,
    examine_new,
)
from fairlead_server.domain.risk.control import Applies
from fairlead_server.domain.risk.limits import LimitSet, Mode
from fairlead_server.domain.risk.rates import MESSAGES, SYMBOL_MESSAGES
from fairlead_server.domain.risk.table import LISTS, VALUES, problems
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.domain.terms import OrderType, Side, Terms, TimeInForce
from fairlead_server.domain.trading_state import Halt, TradingState
from msgspec.structs import replace

from tests.domain.builders import (
    NOW,
    Beside,
    account,
    instrument,
    limit_set,
    limits,
    new_order,
    proposal,
    terms,
    working_order,
)

CENT = Decimal("0.01")
CASH = MarginModel(AccountKind.CASH, "USD", Decimal(10_000))
CLOSED = Calendar("XNYS", ZoneInfo("America/New_York"), (Span(frozenset({5}), time(9), time(16)),))
ENDED = replace(CLOSED, spans=(Span(frozenset({4}), time(9), time(16)),), cut_off=time(10))
OWN = Scope("ACC1")


def check_new(asked: Proposal) -> tuple[Breach, ...]:
    return examine_new(asked).breaches


def check_amend(asked: Proposal, current: Terms) -> tuple[Breach, ...]:
    return examine_amend(asked, current).breaches


def ask(**changes: Any) -> Proposal:
    """A proposal to buy; ``terms`` are also those of the order as first submitted."""
    if "terms" in changes and "new" not in changes:
        changes["new"] = new_order(terms=changes["terms"])
    return proposal(**changes)


def selling(
    exposure: Exposure | None = None, sets: Any = None, known: Any = None, **changes: Any
) -> Proposal:
    new = new_order(**{"side": Side.SELL} | changes)
    return proposal(new=new, exposure=exposure, sets=sets, instrument=known or instrument())


def restricted(bid: str | None) -> Any:
    """By the price test of short sales."""
    last = ReferencePrice(Decimal(50), NOW, "feed", bid=None if bid is None else Decimal(bid))
    return instrument(short_sale_restricted=True, reference=last)


def stopped(stop: str, sets: list[LimitSet], exposure: Exposure | None = None) -> Proposal:
    """To buy 100 at 50, with a protective stop."""
    return proposal(new=new_order(tags=(("protective_stop", stop),)), sets=sets, exposure=exposure)


def resting(side: Side, price: str) -> Order:
    return working_order(new_order(side=side, terms=terms(price=price)))


def done(quantity: int, value: int = 0) -> DayTotal:
    return DayTotal(1, 1, Decimal(quantity), Decimal(value))


def sent(orders: int, fills: int) -> DayTotal:
    return DayTotal(orders, fills)


def typed(order_type: OrderType, **changes: Any) -> Proposal:
    return proposal(new=new_order(order_type=order_type, terms=terms(**changes)))


def limited(**changes: Any) -> list[LimitSet]:
    """The ordinary limits with some changed; None takes one away."""
    return [limit_set(OWN, "wide", values=limits(**changes))]


def beside(scope: Scope = OWN, **values: Any) -> list[LimitSet]:
    """The ordinary limits, and a set of its own with these."""
    known = {name: Decimal(str(value)) for name, value in values.items()}
    return [*limited(), limit_set(scope, "own", values=known)]


def listed(scope: Scope = OWN, **words: set[str]) -> list[LimitSet]:
    known = {name: frozenset(each) for name, each in words.items()}
    return [*limited(), limit_set(scope, "list", words=known)]


def referenced(price: int | None, age: timedelta = timedelta()) -> Any:
    return instrument(reference=None if price is None else ReferencePrice(Decimal(price), NOW - age, "file"))


def market(**changes: Any) -> Proposal:
    new = new_order(order_type=OrderType.MARKET, terms=terms(price=None))
    return proposal(new=new, **changes)


def held(position: int = 0, buying: int = 0, selling: int = 0, **more: Any) -> Exposure:
    return Exposure(Decimal(position), Decimal(buying), Decimal(selling), **more)


def spent(sets: list[LimitSet], number: int = 1, symbol: str = "") -> Proposal:
    """The ordinary order a moment after ``number`` others were sent."""
    rates = Rates()
    asked = proposal(sets=sets, rates=rates)
    for bound in asked.bounds.of("max_message_rate"):
        for _ in range(number):
            rates.take(MESSAGES, bound, "ACME", NOW)
    for bound in asked.bounds.of("max_symbol_rate"):
        rates.take(SYMBOL_MESSAGES, bound, symbol, NOW)
    return asked


def stop(state: TradingState) -> Halt:
    return Halt(1, Scope("ACC1"), state, NOW, "ann", "why", "R1")


def said(state: TradingState, **changes: Any) -> Proposal:
    return proposal(halt=stop(state), **changes)


# A control's rule_id, then proposals that pass it and proposals that do not.
CASES: dict[str, tuple[list[Proposal], list[Proposal]]] = {
    "account_known": ([proposal()], [proposal(account=None)]),
    "kill_switch": (
        [proposal()],
        [proposal(policy=Policy({}, kill_switch=True)), proposal(account=account(kill_switch=True))],
    ),
    "live_gate": ([proposal()], [proposal(closed=OWN), proposal(closed=Scope(session_id="BROKER"))]),
    "trading_killed": ([proposal(), said(TradingState.PAUSED)], [said(TradingState.KILLED)]),
    "trading_paused": ([proposal(), said(TradingState.REDUCE_ONLY)], [said(TradingState.PAUSED)]),
    "reduce_only": (
        [
            proposal(),
            replace(selling(held(100)), halt=stop(TradingState.REDUCE_ONLY)),
            said(TradingState.REDUCE_ONLY, exposure=held(-100)),
        ],
        [
            said(TradingState.REDUCE_ONLY),
            replace(selling(held(99)), halt=stop(TradingState.REDUCE_ONLY)),
            replace(selling(held(100, selling=1)), halt=stop(TradingState.REDUCE_ONLY)),
            said(TradingState.REDUCE_ONLY, exposure=held(-100, 1)),
        ],
    ),
    "instrument_known": ([proposal()], [proposal(instrument=None)]),
    "instrument_halted": ([proposal()], [proposal(instrument=instrument(halted=True))]),
    "symbol_block": (
        [
            proposal(sets=listed(blocked_instruments={"OTHER"})),
            proposal(sets=listed(Scope("ACC2"), blocked_instruments={"ACME"})),
        ],
        [
            proposal(sets=listed(Scope(), blocked_instruments={"ACME"})),
            proposal(sets=listed(blocked_instruments={"ACME", "OTHER"})),
        ],
    ),
    "restricted_list": (
        [proposal(sets=listed(restricted_instruments={"OTHER"}))],
        [proposal(sets=listed(Scope(), restricted_instruments={"ACME"}))],
    ),
    "symbol_allowed": (
        [proposal(sets=listed(allowed_instruments={"ACME", "OTHER"}))],
        [
            proposal(sets=listed(allowed_instruments={"OTHER"})),
            proposal(sets=listed(allowed_instruments=set())),
        ],
    ),
    "side": (
        [proposal(sets=listed(allowed_sides={"BUY"}))],
        [proposal(sets=listed(allowed_sides={"SELL"})), selling(sets=listed(allowed_sides={"BUY"}))],
    ),
    "order_type": (
        [proposal(sets=listed(allowed_order_types={"LIMIT"}))],
        [market(sets=listed(allowed_order_types={"LIMIT"}))],
    ),
    "time_in_force": (
        [proposal(sets=listed(allowed_times_in_force={"DAY"}))],
        [proposal(sets=listed(allowed_times_in_force={"IOC"}))],
    ),
    "locate": (
        [
            proposal(sets=listed(shortable_instruments=set())),
            selling(side=Side.SELL_SHORT, sets=listed(shortable_instruments={"ACME"})),
            selling(
                side=Side.SELL_SHORT, tags=(("locate_id", "L-1"),), sets=listed(shortable_instruments=set())
            ),
        ],
        [
            selling(side=Side.SELL_SHORT, sets=listed(shortable_instruments={"OTHER"})),
            selling(
                side=Side.SELL_SHORT, tags=(("locate_id", ""),), sets=listed(shortable_instruments=set())
            ),
        ],
    ),
    "overfill": (
        [proposal(), proposal(overfilled="O1", exposure=held(-100))],
        [proposal(overfilled="O1"), proposal(overfilled="O1", exposure=held(-90))],
    ),
    "eod_cut_off": (
        [
            proposal(instrument=instrument(calendar=ENDED), now=NOW - timedelta(minutes=1)),
            proposal(
                new=new_order(flattens=EVERYTHING), instrument=instrument(calendar=ENDED), exposure=held(-100)
            ),
        ],
        [
            proposal(instrument=instrument(calendar=ENDED)),
            proposal(
                new=new_order(flattens=EVERYTHING), instrument=instrument(calendar=ENDED), exposure=held(-90)
            ),
        ],
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
        [
            market(instrument=referenced(None)),
            ask(instrument=referenced(None), sets=beside(fat_finger_bps=5)),
        ],
    ),
    "reference_age": (
        [
            market(instrument=referenced(50, timedelta(hours=24))),
            ask(instrument=referenced(50, timedelta(days=9))),
            market(instrument=referenced(None)),
        ],
        [
            market(instrument=referenced(50, timedelta(hours=24, microseconds=1))),
            ask(instrument=referenced(50, timedelta(days=9)), sets=beside(price_collar_percent=5)),
        ],
    ),
    "limits_set": (
        [proposal(), proposal(account=None)],
        [proposal(sets=limited(**{name: None})) for name in limits()],
    ),
    "max_quantity": (
        [ask(terms=terms(990)), ask(terms=terms(1000))],
        [ask(terms=terms(1010)), ask(terms=terms(Decimal("1000.000001")))],
    ),
    "max_notional": (
        [proposal(sets=limited(max_order_notional=value)) for value in (Decimal(5000), Decimal(5000) + CENT)],
        [proposal(sets=limited(max_order_notional=Decimal(5000) - CENT))],
    ),
    "min_notional": (
        [proposal(sets=beside(min_order_notional=value)) for value in (4999, 5000)],
        [proposal(sets=beside(min_order_notional="5000.01"))],
    ),
    "price_collar": (
        [
            ask(terms=terms(price="52.50"), sets=beside(price_collar_percent=5)),
            ask(terms=terms(price="47.50"), sets=beside(price_collar_percent=5)),
            market(sets=beside(price_collar_percent=0)),
        ],
        [
            ask(terms=terms(price="52.55"), sets=beside(price_collar_percent=5)),
            ask(terms=terms(price="47.45"), sets=beside(price_collar_percent=5)),
        ],
    ),
    "fat_finger": (
        [
            ask(terms=terms(price="50.50"), sets=beside(fat_finger_bps=100)),
            ask(terms=terms(price="10"), sets=beside(fat_finger_bps=100)),
            selling(terms=terms(price="49.50"), sets=beside(fat_finger_bps=100)),
            selling(terms=terms(price="90"), sets=beside(fat_finger_bps=100)),
        ],
        [
            ask(terms=terms(price="50.55"), sets=beside(fat_finger_bps=100)),
            selling(terms=terms(price="49.45"), sets=beside(fat_finger_bps=100)),
        ],
    ),
    "open_orders": (
        [proposal(open_orders=8), proposal(open_orders=9)],
        [proposal(open_orders=10), proposal(open_orders=11)],
    ),
    "position": (
        [
            proposal(exposure=held(4899)),
            proposal(exposure=held(4900)),
            proposal(exposure=held(1900, 3000)),
            selling(held(-4900)),
            selling(held(-1900, 0, 3000)),
        ],
        [
            proposal(exposure=held(4901)),
            proposal(exposure=held(1901, 3000)),
            selling(held(-4901)),
            selling(held(-1901, 0, 3000)),
            selling(held(-4901, 9000), side=Side.SELL_SHORT),
        ],
    ),
    "open_notional": (
        [
            proposal(exposure=held(value=Decimal(value)), sets=beside(max_open_notional=8000))
            for value in (2999, 3000)
        ]
        + [proposal(exposure=held(unpriced=Decimal(60)), sets=beside(max_open_notional=8000))],
        [
            proposal(exposure=held(value=Decimal(3001)), sets=beside(max_open_notional=8000)),
            proposal(exposure=held(unpriced=Decimal(61)), sets=beside(max_open_notional=8000)),
        ],
    ),
    "max_positions": (
        [
            proposal(sets=beside(max_positions=1)),
            proposal(exposure=held(500), sets=beside(max_positions=1)),
        ],
        [proposal(sets=beside(max_positions=0))],
    ),
    "gross_exposure": (
        [proposal(exposure=held(40), sets=beside(max_gross_exposure=value)) for value in (7000, "7000.01")]
        + [selling(held(-40), sets=beside(max_gross_exposure=7000))],
        [
            proposal(exposure=held(40), sets=beside(max_gross_exposure="6999.99")),
            proposal(exposure=held(40, 1), sets=beside(max_gross_exposure=7000)),
            ask(exposure=held(100), terms=terms(price="1"), sets=beside(max_gross_exposure=9999)),
            selling(held(-41), sets=beside(max_gross_exposure=7000)),
        ],
    ),
    "net_exposure": (
        [proposal(exposure=held(40), sets=beside(max_net_exposure=7000))],
        [proposal(exposure=held(41), sets=beside(max_net_exposure=7000))],
    ),
    "concentration": (
        [
            proposal(sets=beside(max_concentration_percent=100)),
            proposal(sets=beside(max_concentration_percent=50, concentration_from="5000.01")),
        ],
        [proposal(sets=beside(max_concentration_percent=50, concentration_from=5000))],
    ),
    "duplicate": (
        [
            proposal(repeats=99),
            proposal(repeats=2, sets=beside(duplicate_window_seconds=1, max_duplicates=2)),
            proposal(repeats=9, sets=beside(duplicate_window_seconds=0, max_duplicates=0)),
        ],
        [
            proposal(repeats=1, sets=beside(duplicate_window_seconds=1, max_duplicates=0)),
            proposal(repeats=3, sets=beside(duplicate_window_seconds=1, max_duplicates=2)),
        ],
    ),
    "message_rate": (
        [proposal(sets=beside(max_message_rate=1))],
        [spent(beside(max_message_rate=1)), spent(beside(max_message_rate=1, message_burst=3), 3)],
    ),
    "symbol_rate": (
        [proposal(sets=beside(max_symbol_rate=1)), spent(beside(max_symbol_rate=1), symbol="OTHER")],
        [spent(beside(max_symbol_rate=1), symbol="ACME")],
    ),
    "instrument_order_type": (
        [ask(instrument=instrument(order_types=frozenset({OrderType.LIMIT}))), market()],
        [market(instrument=instrument(order_types=frozenset({OrderType.LIMIT})))],
    ),
    "instrument_time_in_force": (
        [ask(instrument=instrument(times_in_force=frozenset({TimeInForce.DAY})))],
        [ask(instrument=instrument(times_in_force=frozenset({TimeInForce.IOC})))],
    ),
    "short_sale": (
        [
            selling(held(100), side=Side.SELL, known=instrument(shorting=Shorting.FORBIDDEN)),
            ask(instrument=instrument(shorting=Shorting.FORBIDDEN)),
            selling(
                side=Side.SELL_SHORT, tags=(("locate_id", "L"),), known=instrument(shorting=Shorting.LOCATE)
            ),
            selling(side=Side.SELL_SHORT),
        ],
        [
            selling(held(90), side=Side.SELL, known=instrument(shorting=Shorting.FORBIDDEN)),
            selling(held(500), side=Side.SELL_SHORT, known=instrument(shorting=Shorting.FORBIDDEN)),
            selling(side=Side.SELL_SHORT, known=instrument(shorting=Shorting.LOCATE)),
        ],
    ),
    "price_test": (
        [
            selling(side=Side.SELL_SHORT, terms=terms(price="50.05"), known=restricted("50")),
            selling(held(500), side=Side.SELL, terms=terms(price="40"), known=restricted("50")),
            selling(side=Side.SELL_SHORT_EXEMPT, terms=terms(price="40"), known=restricted("50")),
        ],
        [
            selling(side=Side.SELL_SHORT, terms=terms(price="50"), known=restricted("50")),
            selling(side=Side.SELL_SHORT, terms=terms(price="50.05"), known=restricted(None)),
        ],
    ),
    "self_trade": (
        [
            proposal(
                beside=Beside(orders=(resting(Side.SELL, "50.05"),)),
                sets=listed(self_trade={"CANCEL_NEWEST"}),
            ),
            proposal(
                beside=Beside(orders=(resting(Side.BUY, "49"),)), sets=listed(self_trade={"CANCEL_BOTH"})
            ),
            proposal(beside=Beside(orders=(resting(Side.SELL, "50"),))),
        ],
        [
            proposal(
                beside=Beside(orders=(resting(Side.SELL, "50"),)), sets=listed(self_trade={"CANCEL_NEWEST"})
            ),
            market(
                beside=Beside(orders=(resting(Side.SELL_SHORT, "90"),)),
                sets=listed(self_trade={"CANCEL_BOTH"}),
            ),
        ],
    ),
    "adv": (
        [
            ask(instrument=instrument(average_daily_volume=Decimal(1000)), sets=beside(max_adv_percent=10)),
            ask(sets=beside(max_adv_percent=0)),
        ],
        [ask(instrument=instrument(average_daily_volume=Decimal(999)), sets=beside(max_adv_percent=10))],
    ),
    "dynamic_collar": (
        [
            proposal(beside=Beside(mean=Decimal(40)), sets=beside(dynamic_collar_percent=25)),
            proposal(beside=Beside(mean=None), sets=beside(dynamic_collar_percent=0)),
        ],
        [
            proposal(beside=Beside(mean=Decimal(40)), sets=beside(dynamic_collar_percent="24.9")),
            proposal(beside=Beside(mean=Decimal(80)), sets=beside(dynamic_collar_percent="37.4")),
        ],
    ),
    "daily_volume": (
        [
            proposal(
                beside=Beside(done=done(700)),
                exposure=held(0, 100, 100),
                sets=beside(max_daily_quantity=most),
            )
            for most in (1000, 1001)
        ],
        [
            proposal(
                beside=Beside(done=done(700)), exposure=held(0, 100, 100), sets=beside(max_daily_quantity=999)
            )
        ],
    ),
    "daily_value": (
        [proposal(beside=Beside(done=done(0, 3000)), sets=beside(max_daily_value=8000))],
        [
            proposal(beside=Beside(done=done(0, 3001)), sets=beside(max_daily_value=8000)),
            proposal(
                beside=Beside(done=done(0, 3000)),
                exposure=held(value=Decimal(1)),
                sets=beside(max_daily_value=8000),
            ),
        ],
    ),
    "order_trade_ratio": (
        [
            proposal(beside=Beside(done=sent(99, 10)), sets=beside(max_order_trade_ratio=10)),
            proposal(beside=Beside(done=sent(50, 0)), sets=beside(max_order_trade_ratio=10)),
        ],
        [
            proposal(beside=Beside(done=sent(100, 10)), sets=beside(max_order_trade_ratio=10)),
            proposal(beside=Beside(done=sent(10, 1)), sets=beside(max_order_trade_ratio=10, ratio_from=11)),
        ],
    ),
    "daily_loss": (
        [
            proposal(beside=Beside(earned=Decimal("-999.99")), sets=beside(max_daily_loss=1000)),
            proposal(
                beside=Beside(earned=Decimal(-9999)), exposure=held(-100), sets=beside(max_daily_loss=1000)
            ),
        ],
        [
            proposal(
                beside=Beside(earned=Decimal(earned)),
                exposure=held(position),
                sets=beside(max_daily_loss=1000),
            )
            for earned, position in ((-1000, 0), (-1001, 0), (-1000, -90))
        ],
    ),
    "buying_power": (
        [
            proposal(account=account(margin=CASH)),
            proposal(beside=Beside(shortfall=Shortfall(Lack.FUNDS))),
            proposal(
                account=account(margin=CASH), instrument=None, beside=Beside(shortfall=Shortfall(Lack.FUNDS))
            ),
        ],
        [
            proposal(
                account=account(margin=CASH),
                beside=Beside(shortfall=Shortfall(lack, Decimal(7), Decimal("1.50"))),
            )
            for lack in Lack
        ],
    ),
    "drawdown": (
        [proposal(beside=Beside(best=Decimal(500), earned=Decimal(-499)), sets=beside(max_drawdown=1000))],
        [proposal(beside=Beside(best=Decimal(500), earned=Decimal(-500)), sets=beside(max_drawdown=1000))],
    ),
    "repeated_executions": (
        [proposal(beside=Beside(fills=4), sets=beside(max_executions=5))],
        [proposal(beside=Beside(fills=5), sets=beside(max_executions=5))],
    ),
    "trade_risk": (
        [
            stopped("45", beside(max_trade_risk=500)),
            proposal(sets=beside(max_trade_risk=0)),
        ],
        [stopped("44.99", beside(max_trade_risk=500))],
    ),
    "portfolio_heat": (
        [
            stopped("45", beside(max_portfolio_heat=1000, heat_percent=10), held(100)),
            proposal(exposure=held(100), sets=beside(max_portfolio_heat=1000, heat_percent=10)),
            selling(held(500), sets=beside(max_portfolio_heat=0)),
        ],
        [
            stopped("44.99", beside(max_portfolio_heat=1000, heat_percent=10), held(100)),
            stopped("45", beside(max_portfolio_heat=1000, heat_percent=10), held(100, 10)),
            proposal(exposure=held(101), sets=beside(max_portfolio_heat=1000, heat_percent=10)),
            proposal(sets=beside(max_portfolio_heat=4999)),
        ],
    ),
    "in_doubt": (
        [proposal(beside=Beside(doubtful=2), sets=beside(max_in_doubt=2))],
        [proposal(beside=Beside(doubtful=3), sets=beside(max_in_doubt=2))],
    ),
}

# Of amends: the same, beside the terms that the order has.
AMENDS: dict[str, tuple[list[Proposal], list[Proposal]]] = {
    "amends": (
        [proposal(terms=terms(110), amends=1, sets=beside(max_amends=2))],
        [proposal(terms=terms(110), amends=2, sets=beside(max_amends=2))],
    ),
}


def broken(breaches: tuple[Breach, ...]) -> list[str]:
    return [breach.rule_id for breach in breaches]


def test_every_control_is_tested_here_and_named_once() -> None:
    rules = [control.rule_id for control in CONTROLS]

    assert sorted([*CASES, *AMENDS]) == sorted(rules)
    assert len(set(rules)) == len(rules)
    assert all(passing and failing for passing, failing in (*CASES.values(), *AMENDS.values()))


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


@pytest.mark.parametrize("rule_id", AMENDS)
def test_a_control_of_amends_alone(rule_id: str) -> None:
    passing, failing = AMENDS[rule_id]

    assert [broken(check_amend(asked, terms())) for asked in passing] == [[] for _ in passing]
    assert [broken(check_amend(asked, terms())) for asked in failing] == [[rule_id] for _ in failing]
    assert all(rule_id not in broken(check_new(asked)) for asked in failing)


def test_the_ordinary_order_passes_every_control() -> None:
    assert check_new(proposal()) == ()
    assert check_new(selling()) == ()
    assert check_new(market()) == ()


def test_every_breach_is_reported_in_the_order_of_the_table_and_the_first_is_the_reason() -> None:
    asked = ask(
        terms=terms(Decimal(2001), price=Decimal("60.01"), stop_price=Decimal(60)),
        instrument=instrument(halted=True, calendar=CLOSED),
        policy=Policy({}, kill_switch=True),
        sets=[
            *listed(Scope(), blocked_instruments={"ACME"}),
            limit_set(values={"duplicate_window_seconds": Decimal(1), "max_duplicates": Decimal(0)}),
        ],
        exposure=held(5000),
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

    found = {b.rule_id: (b.limit, b.observed) for b in check_new(proposal(sets=tight, open_orders=10))}

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
    (breach,) = check_new(proposal(sets=limited(max_position=None, max_open_orders=None)))

    assert breach.reason is RejectReason.RISK_LIMIT_MISSING
    assert breach.text == "required limits are not set: max_position, max_open_orders"


def test_a_limit_set_only_for_the_instrument_is_set() -> None:
    def narrower(name: str) -> list[LimitSet]:
        own = limit_set(Scope("ACC1", instrument_id=name), "own", values={"max_position": Decimal(5000)})
        return [*limited(max_position=None), own]

    assert check_new(proposal(sets=narrower("ACME"))) == ()
    assert broken(check_new(proposal(sets=narrower("OTHER")))) == ["limits_set"]


UNPRICED = Beside(prices={"ACME": Decimal(50)})


@pytest.mark.parametrize("limit", ["max_gross_exposure", "max_net_exposure", "max_concentration_percent"])
def test_what_cannot_be_reckoned_for_want_of_a_price_is_refused(limit: str) -> None:
    """Another instrument of the account is held, of which no price is known."""
    sets = [*limited(), limit_set(OWN, values={limit: Decimal(10**9)})]
    exposures = Exposures([(Scope("ACC1", instrument_id="DARK"), Decimal(1))])
    dark = Standing(exposures, RecentOrders(timedelta()), Rates(), UNPRICED)

    (breach,) = check_new(replace(proposal(sets=sets), standing=dark))

    assert breach.reason is RejectReason.RISK_MISSING_REFERENCE_PRICE
    assert breach.text == "cannot be reckoned: a price that it takes is not known"


@pytest.mark.parametrize("stop", ["", "1e1", "-5", "50", "51", "NaN"])
def test_a_protective_stop_that_is_none_is_refused(stop: str) -> None:
    found = check_new(stopped(stop, beside(max_trade_risk=10**9, max_portfolio_heat=10**9)))

    assert broken(found) == ["trade_risk", "portfolio_heat"]


def test_an_order_without_a_stop_is_refused_where_one_is_required() -> None:
    sets = beside(max_trade_risk=500, stop_required=1)

    assert broken(check_new(proposal(sets=sets))) == ["trade_risk"]
    assert check_new(stopped("45", sets)) == ()


def test_what_reduces_a_position_passes_the_limits_on_exposures() -> None:
    sets = beside(max_gross_exposure=1, max_net_exposure=1, max_concentration_percent=0)

    assert check_new(selling(held(500), sets=sets)) == ()
    assert broken(check_new(selling(held(90), sets=sets))) == [
        "gross_exposure",
        "net_exposure",
        "concentration",
    ]


def test_the_net_exposure_is_that_of_one_side_filled_and_not_the_other() -> None:
    """Long 100 in one, short 100 in the other, with 100 more to sell there: 100 and 200 of them, not 0."""
    exposures = Exposures(
        [(Scope("ACC1", instrument_id="ACME"), Decimal(0)), (Scope("ACC1", instrument_id="B"), Decimal(0))]
    )
    exposures.add(Scope("ACC1", instrument_id="B"), Working(selling=Decimal(100), open=1))
    both = Standing(
        exposures, RecentOrders(timedelta()), Rates(), Beside(prices={"ACME": Decimal(50), "B": Decimal(50)})
    )

    def asked(most: int) -> list[str]:
        return broken(check_new(replace(proposal(sets=beside(max_net_exposure=most)), standing=both)))

    assert (asked(5000), asked(4999)) == ([], ["net_exposure"])


def test_the_tightest_of_all_matching_limits_decides_and_is_named() -> None:
    sets = [
        limit_set(limit_id="all", values=limits(max_order_quantity=99)),
        limit_set(OWN, "account", values=limits(max_order_quantity=90)),
        limit_set(Scope(strategy_id="other"), "other", values=limits(max_order_quantity=1)),
    ]

    (breach,) = check_new(proposal(sets=sets))

    assert (breach.rule_id, breach.limit, breach.limit_id) == ("max_quantity", "90", "account")


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, True),
        ({"override": True}, False),
        ({"override": True, "mode": Mode.SHADOW}, True),
        ({"override": True, "scope": Scope(principal="desk")}, True),
        ({"override": True, "scope": Scope("ACC1", instrument_id="ACME")}, False),
    ],
    ids=["no override", "override", "only tried", "not ours", "narrower"],
)
def test_an_override_takes_the_place_of_what_is_no_narrower(changes: Any, *, refused: bool) -> None:
    sets = [*limited(max_order_quantity=50)]
    sets.append(replace(limit_set(OWN, "looser", values=limits(max_order_quantity=500)), **changes))

    assert bool(check_new(proposal(sets=sets))) is refused


def test_an_override_leaves_the_limits_alone_that_it_does_not_name() -> None:
    looser = limit_set(OWN, "looser", values={"max_order_quantity": Decimal(500)}, override=True)

    found = check_new(proposal(sets=[*limited(max_order_quantity=50, max_position=50), looser]))

    assert broken(found) == ["position"]


def test_an_override_does_not_loosen_what_is_narrower_than_itself() -> None:
    narrow = limit_set(
        Scope("ACC1", instrument_id="ACME"), "narrow", values={"max_order_quantity": Decimal(50)}
    )
    looser = limit_set(OWN, "looser", values={"max_order_quantity": Decimal(500)}, override=True)

    assert broken(check_new(proposal(sets=[*limited(), narrow, looser]))) == ["max_quantity"]


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.SHADOW])
def test_what_is_not_in_force_lets_pass_and_is_noted(mode: Mode) -> None:
    tried = limit_set(OWN, "tried", values={"max_order_quantity": Decimal(50)}, mode=mode)

    found = examine_new(proposal(sets=[*limited(), tried]))

    assert found.breaches == ()
    assert [(noted.mode, noted.breach.rule_id, noted.breach.limit_id) for noted in found.noted] == [
        (mode, "max_quantity", "tried")
    ]


def test_a_required_limit_that_is_only_tried_is_missing() -> None:
    sets = [limit_set(OWN, "tried", values=limits(), mode=Mode.WARN)]

    assert broken(check_new(proposal(sets=sets))) == ["limits_set"]


def test_what_every_limit_was_compared_with_is_told() -> None:
    found = examine_new(proposal(exposure=held(7), open_orders=2))

    assert {each.rule_id: (each.limit, each.observed) for each in found.measures} == {
        "max_quantity": (Decimal(1000), Decimal(100)),
        "max_notional": (Decimal(100_000), Decimal(5000)),
        "open_orders": (Decimal(10), 3),
        "position": (Decimal(5000), Decimal(107)),
    }


# A limit set that is wrong.


@pytest.mark.parametrize(
    ("changes", "place", "problem"),
    [
        ({"values": {"max_positon": Decimal(1)}}, "limits[max_positon]", "is no limit; max_position is one"),
        ({"values": {"x": Decimal(1)}}, "limits[x]", "is no limit; the table of controls"),
        ({"values": {"max_position": Decimal(-1)}}, "limits[max_position]", "-1 must not be negative"),
        ({"values": {"max_position": Decimal("NaN")}}, "limits[max_position]", "NaN must not be negative"),
        (
            {"values": {"max_open_orders": Decimal("1.5")}},
            "limits[max_open_orders]",
            "1.5 must be a whole number",
        ),
        ({"values": {"max_message_rate": Decimal(0)}}, "limits[max_message_rate]", "must be at least 1"),
        (
            {"values": {"message_burst": Decimal(5)}},
            "limits[message_burst]",
            "needs max_message_rate beside it",
        ),
        (
            {"values": {"max_duplicates": Decimal(0), "duplicate_window_seconds": Decimal(86_401)}},
            "limits[duplicate_window_seconds]",
            "86401 must be 0 to 86400",
        ),
        (
            {"values": {"max_position": Decimal(1)}, "scope": Scope(session_id="BROKER")},
            "limits[max_position]",
            "max_position cannot be set for one session_id",
        ),
        (
            {"words": {"allowed_side": frozenset({"A"})}},
            "lists[allowed_side]",
            "is no list; allowed_sides is one",
        ),
        (
            {"words": {"allowed_sides": frozenset({"LONG"})}},
            "lists[allowed_sides]",
            "LONG is no side; there are BUY",
        ),
        ({}, "limits", "and lists are both empty"),
    ],
)
def test_a_limit_set_that_cannot_be_meant_is_told_what_is_wrong(
    changes: Any, place: str, problem: str
) -> None:
    found = list(problems(limit_set(**changes)))

    assert [where for where, _ in found] == [place]
    assert found[0][1].startswith(problem)


def test_every_limit_and_list_can_be_set() -> None:
    values = {name: Decimal(1) for name in VALUES}
    words = {name: frozenset[str]() for name in LISTS}

    assert list(problems(limit_set(OWN, values=values, words=words))) == []


def test_an_unknown_instrument_silences_only_what_needs_one() -> None:
    asked = replace(market(), instrument=None, bounds=proposal(sets=limited(max_order_quantity=99)).bounds)

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


@pytest.mark.parametrize(
    ("limit", "exposure", "value"),
    [
        # the order is 100 at 50, a contract of 10
        ("max_open_notional", held(value=Decimal(7), unpriced=Decimal(2)), 51_070),
        ("max_gross_exposure", held(40), 70_000),
        ("max_net_exposure", held(40), 70_000),
        ("max_daily_value", held(value=Decimal(7), unpriced=Decimal(2)), 51_070),
    ],
)
def test_whatever_has_a_value_is_reckoned_by_its_multiplier(
    limit: str, exposure: Exposure, value: int
) -> None:
    contract = Decimal(10)
    asked = proposal(
        exposure=exposure,
        sets=[limit_set(Scope("ACC1"), values={limit: Decimal(0)})],
        instrument=instrument(multiplier=contract),
        beside=Beside(contracts={"ACME": contract}),
    )

    [measure] = examine_new(asked).measures

    assert measure.observed == value


def test_a_sale_below_the_market_is_valued_at_the_market() -> None:
    assert broken(check_new(selling(terms=terms(price=1), sets=limited(max_order_notional=4999)))) == [
        "max_notional"
    ]
    assert check_new(selling(terms=terms(price=1), sets=limited(max_order_notional=5000))) == ()


# Positions.


def test_after_an_overfill_only_what_takes_from_the_position_passes() -> None:
    """What is at work on the same side takes from it first."""

    def over(exposure: Exposure) -> tuple[Breach, ...]:
        return check_new(replace(selling(exposure), overfilled="O1"))

    assert over(held(110, 50)) == ()
    assert over(held(110, 0, 10)) == ()
    assert broken(over(held(110, 0, 20))) == ["overfill"]
    reduced = amended(terms(90), overfilled="O1")
    assert check_amend(reduced, terms(100)) == ()
    assert broken(check_amend(amended(terms(110), overfilled="O1"), terms(100))) == ["overfill"]


def test_an_order_that_reduces_passes_though_the_position_is_beyond_its_limit() -> None:
    long, short = held(9000), held(-9000)

    assert check_new(selling(long)) == ()
    assert check_new(proposal(exposure=short)) == ()
    assert broken(check_new(proposal(exposure=long))) == ["position"]


def test_an_order_that_turns_a_position_beyond_the_other_limit_is_refused() -> None:
    assert check_new(selling(held(-4000), terms=terms(1000))) == ()
    assert broken(check_new(selling(held(-4010), terms=terms(1000)))) == ["position"]


def test_orders_on_the_other_side_do_not_make_room() -> None:
    crowded = held(0, 4950, 4950)

    assert broken(check_new(proposal(exposure=crowded))) == ["position"]
    assert broken(check_new(selling(crowded))) == ["position"]


# Amends.


def amended(wanted: Any, **changes: Any) -> Proposal:
    return proposal(new=new_order(), terms=wanted, **changes)


CROWDED: dict[str, Any] = {
    "policy": Policy({}, kill_switch=True),
    "sets": [limit_set(values={"duplicate_window_seconds": Decimal(1), "max_duplicates": Decimal(0)})],
    "exposure": held(9000),
    "open_orders": 99,
    "repeats": 99,
}


@pytest.mark.parametrize(
    "wanted",
    [terms(90), terms(100), terms(90, display_quantity=Decimal(10))],
    ids=["less", "same", "less shown"],
)
def test_an_amend_that_only_takes_quantity_away_is_spared_the_controls_of_exposure(wanted: Any) -> None:
    assert check_amend(amended(wanted, **CROWDED), terms()) == ()


@pytest.mark.parametrize(
    "wanted",
    [
        terms(110),
        terms(90, 51),
        terms(90, 49),
        terms(100, stop_price=Decimal(50)),
        terms(90, time_in_force=TimeInForce.GTC),
    ],
    ids=["more", "dearer", "cheaper", "other stop", "longer"],
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
    exposure = held(4060, 900)

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
