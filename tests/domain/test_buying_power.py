"""What an account can pay for: cash in full, margin in part, and what an order adds."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fairlead_server.domain.buying_power import (
    AccountKind,
    BuyingPower,
    Lack,
    MarginModel,
    Shortfall,
    Stake,
    added,
    buying_power,
    lacking,
    tied,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

CASH = MarginModel(AccountKind.CASH, "USD", Decimal(10_000))
MARGIN = MarginModel(AccountKind.MARGIN, "USD", Decimal(10_000), Decimal("0.25"))
ZERO = Decimal(0)


def stake(
    quantity: int = 0, buying: int = 0, selling: int = 0, worth: int | None = 100, rate: str | None = None
) -> Stake:
    return Stake(
        "ACME",
        "USD",
        Decimal(quantity),
        Decimal(buying),
        Decimal(selling),
        None if worth is None else Decimal(worth),
        None if rate is None else Decimal(rate),
    )


@pytest.mark.parametrize(
    ("model", "held", "ties"),
    [
        (CASH, stake(), 0),
        (CASH, stake(30), 3_000),
        (CASH, stake(30, buying=20), 5_000),
        (CASH, stake(30, selling=20), 3_000),  # a sale gives nothing before it has traded
        (CASH, stake(30, rate="0.05"), 3_000),
        (MARGIN, stake(30), 750),
        (MARGIN, stake(-30), 750),
        (MARGIN, stake(30, buying=10, selling=100), 1_750),
        (MARGIN, stake(-30, buying=100), 1_750),
        (MARGIN, stake(30, rate="0.05"), 150),
        (MARGIN, stake(30, worth=-4), 30),  # what one has to be paid for to take
        (MARGIN, stake(30, worth=None), None),
        (MARGIN, stake(worth=None), 0),
    ],
)
def test_a_stake_ties_up_its_worst_case(model: MarginModel, held: Stake, ties: int | None) -> None:
    assert tied(model, held) == (None if ties is None else Decimal(ties))


def test_equity_is_what_there_was_and_what_was_earned() -> None:
    stakes = [
        stake(30),
        replace(stake(-10, worth=50), instrument_id="OTHER"),
        replace(stake(99), currency="EUR"),
    ]

    power = buying_power(MARGIN, Decimal(-500), stakes)

    assert power == BuyingPower(Decimal(9_500), Decimal(875))
    assert power.free == 8_625
    assert buying_power(MARGIN, ZERO, [stake(1, worth=None)]).unpriced == ("ACME",)


def test_a_cash_account_has_what_it_has_not_spent() -> None:
    """Bought 30 at 90, 5 of them sold at 120; worth 100 by now."""
    realised, unrealised = Decimal(5 * 30), Decimal(25 * 10)

    power = buying_power(CASH, realised + unrealised, [stake(25)])

    assert power.free == 10_000 - 30 * 90 + 5 * 120


@pytest.mark.parametrize(
    ("model", "held", "quantity", "price", "adds"),
    [
        (CASH, stake(), 10, 100, 1_000),
        (CASH, stake(), 10, 104, 1_040),  # to the last cent of its limit
        (CASH, stake(), 10, 90, 1_000),
        (CASH, stake(), 10, None, 1_000),
        (CASH, stake(50), -10, 90, 0),
        (MARGIN, stake(), 10, 100, 250),
        (MARGIN, stake(), 10, 104, 290),
        (MARGIN, stake(), -10, 96, 290),
        (MARGIN, stake(), -10, 104, 250),
        (MARGIN, stake(50), -50, None, 0),
        (MARGIN, stake(50), -120, None, 500),  # through zero only what lies beyond is more
        (MARGIN, stake(50, selling=50), -10, None, 0),
        (MARGIN, stake(-50, buying=100), 10, None, 250),
        (MARGIN, stake(worth=None), 10, 100, None),
        (MARGIN, stake(50, worth=None), -10, 100, None),
    ],
)
def test_an_order_takes_what_it_ties_up_and_what_it_gives_away(
    model: MarginModel, held: Stake, quantity: int, price: int | None, adds: int | None
) -> None:
    wanted = None if price is None else Decimal(price)

    assert added(model, held, Decimal(quantity), wanted) == (None if adds is None else Decimal(adds))


OWES = BuyingPower(Decimal(100), Decimal(400))
HAS = BuyingPower(Decimal(1_000), ZERO)


@pytest.mark.parametrize(
    ("model", "power", "held", "quantity", "shortfall"),
    [
        (CASH, HAS, stake(), 10, None),
        (CASH, HAS, stake(), 11, Shortfall(Lack.FUNDS, Decimal(1_100), Decimal(1_000))),
        (CASH, HAS, stake(10), -10, None),
        (CASH, HAS, stake(10, selling=5), -6, Shortfall(Lack.SHORT, Decimal(6), Decimal(5))),
        (CASH, HAS, stake(-1), -6, Shortfall(Lack.SHORT, Decimal(6), ZERO)),
        (CASH, OWES, stake(10), -10, None),
        (MARGIN, HAS, stake(), 40, None),
        (MARGIN, HAS, stake(), -41, Shortfall(Lack.FUNDS, Decimal(1_025), Decimal(1_000))),
        (MARGIN, OWES, stake(16), -16, None),  # an account has to be able to get out
        (MARGIN, OWES, stake(16), 1, Shortfall(Lack.FUNDS, Decimal(25), Decimal(-300))),
        (MARGIN, HAS, stake(worth=None), 1, Shortfall(Lack.PRICE)),
        (MARGIN, HAS, replace(stake(), currency="EUR"), 1, Shortfall(Lack.CURRENCY)),
    ],
)
def test_an_order_is_refused_for_what_is_lacking(
    model: MarginModel, power: BuyingPower, held: Stake, quantity: int, shortfall: Shortfall | None
) -> None:
    assert lacking(model, power, held, Decimal(quantity), None) == shortfall


_QUANTITIES = st.integers(-500, 500)
_OPEN = st.integers(0, 500)


@given(st.sampled_from([CASH, MARGIN]), _QUANTITIES, _OPEN, _OPEN, _QUANTITIES.filter(bool))
def test_what_an_order_adds_is_the_difference_that_it_makes(
    model: MarginModel, quantity: int, buying: int, selling: int, order: int
) -> None:
    before = stake(quantity, buying, selling)
    after = stake(quantity, buying + max(order, 0), selling + max(-order, 0))

    ties, tied_then = tied(model, before), tied(model, after)
    assert ties is not None
    assert tied_then is not None
    assert added(model, before, Decimal(order), None) == tied_then - ties >= 0
