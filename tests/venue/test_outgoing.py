"""What goes out: each message field by field, in both versions, with the caller's digits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from fairlead_server.domain.order import Order, Request
from fairlead_server.domain.terms import NewOrder, OrderCapacity, OrderType, Side, TimeInForce
from fairlead_server.fix import tags
from fairlead_server.fix.message import Fields
from fairlead_server.venue import outgoing
from fairlead_server.venue.outgoing import FIX_42, FIX_44

from tests.domain.builders import NOW, amending, canceling, new_order, sent_order, terms, working_order

VERSIONS = [FIX_42, FIX_44]
AT = "60=20261120-15:00:00.000"


def shown(fields: Fields) -> str:
    return "|".join(f"{tag}={value}" for tag, value in fields)


def single(begin_string: str = FIX_44, **changes: Any) -> str:
    return shown(outgoing.new_order_single(sent_order(new_order(**changes)), begin_string, NOW))


def pending(order: Order) -> Request:
    return order.pending[-1]


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_a_limit_order(begin_string: str) -> None:
    assert single(begin_string) == f"11=X|1=ACC1|21=1|55=ACME|54=1|{AT}|38=100|40=2|44=50|59=0"


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_everything_that_an_order_can_say(begin_string: str) -> None:
    full = terms(
        "100.50",
        "50.10",
        stop_price=Decimal("49.90"),
        display_quantity=Decimal("10.0"),
        time_in_force=TimeInForce.GTD,
        expire_time=datetime(2026, 12, 31, 21, 0, 0, 123456, tzinfo=UTC),
    )
    found = single(
        begin_string,
        order_type=OrderType.STOP_LIMIT,
        terms=full,
        min_quantity=Decimal("5.00"),
        post_only=True,
        capacity=OrderCapacity.AGENCY,
    )
    capacity = "47=A" if begin_string == FIX_42 else "528=A"
    assert found == (
        f"11=X|1=ACC1|21=1|110=5.00|18=6|55=ACME|54=1|{AT}|38=100.50|40=4|44=50.10|99=49.90|111=10.0|59=6"
        f"|126=20261231-21:00:00.123|{capacity}"
    )


@pytest.mark.parametrize(
    ("side", "char"),
    [(Side.BUY, "1"), (Side.SELL, "2"), (Side.SELL_SHORT, "5"), (Side.SELL_SHORT_EXEMPT, "6")],
)
def test_sides(side: Side, char: str) -> None:
    assert f"|54={char}|" in single(side=side)


@pytest.mark.parametrize(
    ("order_type", "price", "stop_price", "expected"),
    [
        (OrderType.MARKET, None, None, "40=1|59=0"),
        (OrderType.LIMIT, "50.0", None, "40=2|44=50.0|59=0"),
        (OrderType.STOP, None, "49.5", "40=3|99=49.5|59=0"),
        (OrderType.STOP_LIMIT, "50", "49.5", "40=4|44=50|99=49.5|59=0"),
    ],
)
def test_order_types(order_type: OrderType, price: str | None, stop_price: str | None, expected: str) -> None:
    wanted = terms(100, price, stop_price=None if stop_price is None else Decimal(stop_price))
    assert single(order_type=order_type, terms=wanted).endswith(expected)


@pytest.mark.parametrize(("time_in_force", "char"), list(zip(TimeInForce, "0134627", strict=True)))
def test_times_in_force(time_in_force: TimeInForce, char: str) -> None:
    assert single(terms=terms(time_in_force=time_in_force)).endswith(f"|59={char}")


@pytest.mark.parametrize(
    ("digits", "written"),
    [
        ("100", "100"),
        ("100.000", "100.000"),
        ("1E+3", "1000"),
        ("0.000000000001", "0.000000000001"),
        ("1E-7", "0.0000001"),
    ],
)
def test_digits_go_out_as_they_came(digits: str, written: str) -> None:
    assert f"|38={written}|" in single(terms=terms(digits))


@pytest.mark.parametrize(
    ("begin_string", "changes", "missing"),
    [
        (FIX_42, {}, None),
        (FIX_44, {}, None),
        (FIX_42, {"terms": terms(time_in_force=TimeInForce.CLS)}, "TIME_IN_FORCE_CLS"),
        (FIX_44, {"terms": terms(time_in_force=TimeInForce.CLS)}, None),
        (FIX_42, {"capacity": OrderCapacity.RISKLESS_PRINCIPAL}, "ORDER_CAPACITY_RISKLESS_PRINCIPAL"),
        (FIX_44, {"capacity": OrderCapacity.RISKLESS_PRINCIPAL}, None),
        (FIX_42, {"self_match_id": "desk"}, "SELF_MATCH_ID"),
        (FIX_44, {"self_match_id": "desk"}, "SELF_MATCH_ID"),
    ],
)
def test_what_a_version_cannot_say_is_named(
    begin_string: str, changes: dict[str, Any], missing: str | None
) -> None:
    assert outgoing.missing_capability(new_order(**changes), begin_string) == missing


def _possible(begin_string: str) -> list[NewOrder]:
    every = [
        new_order(order_type=order_type, capacity=capacity, terms=terms(time_in_force=time_in_force))
        for order_type in OrderType
        for capacity in (None, *OrderCapacity)
        for time_in_force in TimeInForce
    ]
    return [new for new in every if outgoing.missing_capability(new, begin_string) is None]


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_whatever_is_not_missing_can_be_said(begin_string: str) -> None:
    for new in _possible(begin_string):
        order = sent_order(new)
        request = pending(amending(order, terms(200)))
        for fields in (
            outgoing.new_order_single(order, begin_string, NOW),
            outgoing.order_cancel_replace_request(order, request, begin_string, NOW),
        ):
            said = [tag for tag, _ in fields]
            assert len(set(said)) == len(said)
            capacity = tags.RULE80A if begin_string == FIX_42 else tags.ORDER_CAPACITY
            assert (capacity in said) is (new.capacity is not None)


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_a_replace_repeats_all_terms(begin_string: str) -> None:
    new = new_order(min_quantity=Decimal(20), post_only=True, capacity=OrderCapacity.PRINCIPAL)
    order = amending(working_order(new), terms("200.0", "50.05"))
    found = shown(outgoing.order_cancel_replace_request(order, pending(order), begin_string, NOW))
    capacity = "47=P" if begin_string == FIX_42 else "528=P"
    assert found == (
        f"37=V1|41=X|11=Y|1=ACC1|21=1|110=20|18=6|55=ACME|54=1|{AT}|38=200.0|40=2|44=50.05|59=0|{capacity}"
    )


def test_a_cancel() -> None:
    order = canceling(working_order())
    found = shown(outgoing.order_cancel_request(order, pending(order), NOW))
    assert found == f"37=V1|41=X|11=Z|1=ACC1|55=ACME|54=1|{AT}|38=100"


def test_a_cancel_before_the_venue_has_named_the_order() -> None:
    order = canceling(sent_order())
    assert shown(outgoing.order_cancel_request(order, pending(order), NOW)).startswith("41=X|11=Z|1=ACC1")


def test_a_cancel_behind_an_amend_names_the_amend() -> None:
    order = canceling(amending(working_order(), terms(200)))
    assert "41=Y|11=Z" in shown(outgoing.order_cancel_request(order, pending(order), NOW))


def test_a_status_request() -> None:
    assert shown(outgoing.order_status_request(sent_order())) == "11=X|1=ACC1|55=ACME|54=1"
    assert shown(outgoing.order_status_request(working_order())) == "37=V1|11=X|1=ACC1|55=ACME|54=1"


def test_an_order_that_has_no_cl_ord_id_is_named_by_the_venues() -> None:
    external = replace(working_order(), cl_ord_id="", cl_ord_ids=())
    assert shown(outgoing.order_status_request(external)).startswith("37=V1|11=NONE|")
    order = canceling(external)
    assert "37=V1|41=NONE|11=Z" in shown(outgoing.order_cancel_request(order, pending(order), NOW))
