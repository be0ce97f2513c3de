"""What an instrument says of itself is what the controls go by: its ticks, its multiplier, how old its price may be."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from fairlead_server.domain.instrument import TickBand
from fairlead_server.domain.risk import examine_new
from fairlead_server.domain.terms import OrderType

from tests.domain.builders import instrument, new_order, proposal, terms

TICKS = (TickBand(Decimal(40), Decimal("0.5")), TickBand(Decimal(60), Decimal(1)))


def refused_by(own: Any, **terms_: Any) -> list[tuple[str, str]]:
    asked = terms(**terms_)
    kind = OrderType.MARKET if asked.price is None else OrderType.LIMIT
    found = examine_new(proposal(new=new_order(order_type=kind, terms=asked), instrument=own)).breaches
    return [(breach.rule_id, breach.limit) for breach in found]


@pytest.mark.parametrize(
    ("price", "refused"),
    [("39.95", []), ("40.5", []), ("40.05", [("tick_size", "0.5")]), ("60.5", [("tick_size", "1")])],
)
def test_a_price_is_a_multiple_of_the_tick_of_its_band(price: str, refused: list[tuple[str, str]]) -> None:
    assert refused_by(instrument(tick_table=TICKS), price=price) == refused


def test_an_order_is_worth_its_contracts() -> None:
    assert refused_by(instrument(multiplier=Decimal(20))) == []
    assert refused_by(instrument(multiplier=Decimal(21))) == [("max_notional", "100000")]


def test_an_instrument_may_want_its_price_fresher_than_the_policy_does() -> None:
    assert refused_by(instrument(), price=None) == []
    assert refused_by(instrument(max_reference_age=timedelta(minutes=1)), price=None) == []
    assert refused_by(instrument(max_reference_age=timedelta(seconds=59)), price=None) == [
        ("reference_age", "0:00:59")
    ]
