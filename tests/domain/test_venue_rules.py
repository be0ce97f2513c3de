"""What a venue takes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fairlead_server.domain.terms import NewOrder, OrderType, TimeInForce
from fairlead_server.domain.venue_rules import Capabilities

from tests.domain.builders import new_order, terms

LITTLE = Capabilities(
    frozenset({OrderType.LIMIT}),
    frozenset({TimeInForce.DAY}),
    amend=False,
    display_quantity=False,
    min_quantity=False,
    post_only=False,
)


@pytest.mark.parametrize(
    ("new", "missing"),
    [
        (new_order(), None),
        (new_order(order_type=OrderType.STOP), "ORDER_TYPE_STOP"),
        (new_order(terms=terms(time_in_force=TimeInForce.GTC)), "TIME_IN_FORCE_GTC"),
        (new_order(terms=terms(display_quantity=Decimal(10))), "DISPLAY_QUANTITY"),
        (new_order(min_quantity=Decimal(10)), "MIN_QUANTITY"),
        (new_order(post_only=True), "POST_ONLY"),
    ],
)
def test_what_a_venue_does_not_take_is_named(new: NewOrder, missing: str | None) -> None:
    assert LITTLE.missing(new) == missing
    assert Capabilities().missing(new) is None
