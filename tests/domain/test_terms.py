"""Two requests under one key are the same order when they agree in all that is traded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from fairlead_server.domain.terms import OrderCapacity, OrderType, Side, Terms, TimeInForce

from tests.domain.builders import NOW, new_order, terms


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"account_id": "ACC2"}, ["account_id"]),
        ({"instrument_id": "OTHER"}, ["instrument_id"]),
        ({"side": Side.SELL}, ["side"]),
        ({"order_type": OrderType.MARKET}, ["order_type"]),
        ({"min_quantity": Decimal(1)}, ["min_quantity"]),
        ({"post_only": True}, ["post_only"]),
        ({"strategy_id": "s"}, ["strategy_id"]),
        ({"route_id": "r"}, ["route_id"]),
        ({"capacity": OrderCapacity.AGENCY}, ["capacity"]),
        ({"self_match_id": "m"}, ["self_match_id"]),
        ({"terms": terms(101)}, ["quantity"]),
        ({"terms": terms(price=None)}, ["price"]),
        ({"terms": terms(time_in_force=TimeInForce.GTD, expire_time=NOW)}, ["time_in_force", "expire_time"]),
        ({"side": Side.SELL, "terms": terms(101, 51)}, ["side", "quantity", "price"]),
    ],
)
def test_what_differs_is_named(changes: dict[str, Any], names: list[str]) -> None:
    other = new_order(**changes)

    assert new_order().differing_fields(other) == names
    assert other.differing_fields(new_order()) == names


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"terms": terms(Decimal("100.00"), "50.0")},
        {"route_before": NOW},
        {"tags": (("desk", "a"),)},
        {"note": "again"},
        {"client_order_id": "client-2"},
    ],
)
def test_what_a_retry_may_say_otherwise_does_not_count(changes: dict[str, Any]) -> None:
    assert new_order().differing_fields(new_order(**changes)) == []


def test_only_a_purchase_adds_to_the_position() -> None:
    assert {side: side.sign for side in Side} == {
        Side.BUY: 1,
        Side.SELL: -1,
        Side.SELL_SHORT: -1,
        Side.SELL_SHORT_EXEMPT: -1,
    }


def test_each_order_type_needs_its_prices() -> None:
    assert [t for t in OrderType if t.needs_price] == [OrderType.LIMIT, OrderType.STOP_LIMIT]
    assert [t for t in OrderType if t.needs_stop_price] == [OrderType.STOP, OrderType.STOP_LIMIT]


@pytest.mark.parametrize(
    ("wanted", "reduces"),
    [
        (terms(90), True),
        (terms(100), True),
        (terms(90, time_in_force=TimeInForce.GTC), False),
        (terms(90, expire_time=NOW), False),
        (terms(101), False),
        (terms(90, 49), False),
        (terms(90, stop_price=Decimal(49)), False),
    ],
)
def test_only_less_at_the_same_price_for_the_same_time_reduces(wanted: Terms, *, reduces: bool) -> None:
    assert wanted.only_reduce(terms(100)) is reduces
