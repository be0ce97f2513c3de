"""What goes out: each message field by field, in every version, with the caller's digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from fairlead_server.domain.order import Order, Request
from fairlead_server.domain.terms import NewOrder, OrderCapacity, OrderType, Side, TimeInForce
from fairlead_server.domain.venue_rules import Capabilities, VenueRules
from fairlead_server.fix.message import Fields
from fairlead_server.venue import outgoing
from msgspec.structs import replace

from tests.domain.builders import NOW, amending, canceling, new_order, sent_order, terms, trade, working_order
from tests.fix.versions import SPOKEN, problem, spoken

FIX_44 = spoken("FIX.4.4")
AT = "60=20261120-15:00:00.000"


def shown(fields: Fields) -> str:
    return "|".join(f"{tag}={value}" for tag, value in fields)


def single(version: str = "FIX.4.4", **changes: Any) -> str:
    return shown(outgoing.new_order_single(sent_order(new_order(**changes)), spoken(version), NOW))


@pytest.mark.parametrize("version", SPOKEN)
def test_a_trade_that_is_not_known_is_denied_in_what_all_versions_have(version: str) -> None:
    executed = trade("7", 40, "50.10", cl_ord_id="theirs", venue_order_id="V9")
    said = outgoing.dont_know_trade(working_order(), executed)

    assert shown(said) == "37=V9|17=7|127=D|55=ACME|54=1|38=100|32=40|31=50.10"
    assert problem(version, "Q", said) is None


def test_what_a_venue_takes_is_shown_as_far_as_its_version_can_say_it() -> None:
    rules = VenueRules(
        capabilities=Capabilities(times_in_force=frozenset({TimeInForce.DAY, TimeInForce.CLS}))
    )
    old, new = (outgoing.abilities(rules, spoken(version)) for version in ("FIX.4.0", "FIX.4.4"))

    assert old.times_in_force == {TimeInForce.DAY}
    assert new.times_in_force == {TimeInForce.DAY, TimeInForce.CLS}
    assert OrderCapacity.RISKLESS_PRINCIPAL in new.order_capacities - old.order_capacities


def pending(order: Order) -> Request:
    return order.pending[-1]


@pytest.mark.parametrize("version", SPOKEN)
def test_a_limit_order(version: str) -> None:
    said = f"11=X|1=ACC1|21=1|55=ACME|54=1|{AT}|38=100|40=2|44=50|59=0"
    assert single(version) == (said.replace(f"|{AT}", "") if version < "FIX.4.2" else said)


@pytest.mark.parametrize(
    ("version", "at", "display", "expire_time", "capacity"),
    [
        ("FIX.4.0", "", 111, "20261231-21:00:00", "47=A"),
        ("FIX.4.1", "", 111, "20261231-21:00:00", "47=A"),
        ("FIX.4.2", f"|{AT}", 111, "20261231-21:00:00.123", "47=A"),
        ("FIX.4.3", f"|{AT}", 111, "20261231-21:00:00.123", "528=A"),
        ("FIX.4.4", f"|{AT}", 111, "20261231-21:00:00.123", "528=A"),
        ("FIX.5.0", f"|{AT}", 1138, "20261231-21:00:00.123", "528=A"),
        ("FIX.5.0SP2", f"|{AT}", 1138, "20261231-21:00:00.123", "528=A"),
    ],
)
def test_everything_that_an_order_can_say(
    version: str, at: str, display: int, expire_time: str, capacity: str
) -> None:
    full = terms(
        "100.50",
        "50.10",
        stop_price=Decimal("49.90"),
        display_quantity=Decimal("10.0"),
        time_in_force=TimeInForce.GTD,
        expire_time=datetime(2026, 12, 31, 21, 0, 0, 123456, tzinfo=UTC),
    )
    found = single(
        version,
        order_type=OrderType.STOP_LIMIT,
        terms=full,
        min_quantity=Decimal("5.00"),
        post_only=True,
        capacity=OrderCapacity.AGENCY,
    )
    assert found == (
        f"11=X|1=ACC1|21=1|110=5.00|18=6|55=ACME|54=1{at}|38=100.50|40=4|44=50.10|99=49.90|{display}=10.0|59=6"
        f"|126={expire_time}|{capacity}"
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


CLS = {"terms": terms(time_in_force=TimeInForce.CLS)}
PRINCIPAL = {"capacity": OrderCapacity.PRINCIPAL}
RISKLESS = {"capacity": OrderCapacity.RISKLESS_PRINCIPAL}
SELF_MATCH = {"self_match_id": "desk"}


@pytest.mark.parametrize(
    ("changes", "missing", "versions"),
    [
        ({}, None, []),
        (CLS, "TIME_IN_FORCE_CLS", ["FIX.4.0", "FIX.4.1", "FIX.4.2"]),
        (PRINCIPAL, "ORDER_CAPACITY_PRINCIPAL", ["FIX.4.0"]),
        (RISKLESS, "ORDER_CAPACITY_RISKLESS_PRINCIPAL", ["FIX.4.0", "FIX.4.1", "FIX.4.2"]),
        (SELF_MATCH, "SELF_MATCH_ID", list(SPOKEN)),
    ],
)
def test_what_a_version_cannot_say_is_named(
    changes: dict[str, Any], missing: str | None, versions: list[str]
) -> None:
    new = new_order(**changes)
    found = {version: outgoing.missing_capability(new, spoken(version)) for version in SPOKEN}
    assert found == {version: missing if version in versions else None for version in SPOKEN}


def _possible(version: str) -> Iterator[NewOrder]:
    for order_type, side, capacity, time_in_force in product(
        OrderType, Side, (None, *OrderCapacity), TimeInForce
    ):
        wanted = terms(
            100,
            "50" if order_type.needs_price else None,
            stop_price=Decimal("49.5") if order_type.needs_stop_price else None,
            display_quantity=Decimal(10),
            time_in_force=time_in_force,
            expire_time=NOW if time_in_force is TimeInForce.GTD else None,
        )
        new = new_order(
            side=side,
            order_type=order_type,
            capacity=capacity,
            terms=wanted,
            min_quantity=Decimal(5),
            post_only=True,
        )
        if outgoing.missing_capability(new, spoken(version)) is None:
            yield new


@pytest.mark.parametrize("version", SPOKEN)
def test_whatever_is_not_missing_is_said_as_the_dictionary_has_it(version: str) -> None:
    speech = spoken(version)
    for new in _possible(version):
        order = sent_order(new)
        amend = pending(amending(order, new.terms))
        for msg_type, fields in (
            ("D", outgoing.new_order_single(order, speech, NOW)),
            ("G", outgoing.order_cancel_replace_request(order, amend, speech, NOW)),
        ):
            assert problem(version, msg_type, fields) is None
            said = {tag for tag, _ in fields}
            assert said >= {110, 18}
            assert len(said & {47, 528}) == bool(new.capacity)
            assert len(said & {111, 1138}) == 1


@pytest.mark.parametrize("version", SPOKEN)
@pytest.mark.parametrize("make", [sent_order, working_order])
def test_what_is_said_about_an_order_is_as_the_dictionary_has_it(
    make: Callable[[], Order], version: str
) -> None:
    order = canceling(make())
    cancel = outgoing.order_cancel_request(order, pending(order), spoken(version), NOW)
    status = outgoing.order_status_request(order, spoken(version))

    assert problem(version, "F", cancel) is None
    assert problem(version, "H", status) is None


@pytest.mark.parametrize(
    ("version", "at", "capacity"),
    [("FIX.4.1", "", "47=P"), ("FIX.4.2", f"|{AT}", "47=P"), ("FIX.5.0SP2", f"|{AT}", "528=P")],
)
def test_a_replace_repeats_all_terms(version: str, at: str, capacity: str) -> None:
    new = new_order(min_quantity=Decimal(20), post_only=True, capacity=OrderCapacity.PRINCIPAL)
    order = amending(working_order(new), terms("200.0", "50.05"))
    found = shown(outgoing.order_cancel_replace_request(order, pending(order), spoken(version), NOW))
    assert found == (
        f"37=V1|41=X|11=Y|1=ACC1|21=1|110=20|18=6|55=ACME|54=1{at}|38=200.0|40=2|44=50.05|59=0|{capacity}"
    )


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("FIX.4.0", "125=F|55=ACME|54=1|38=100"),
        ("FIX.4.1", "55=ACME|54=1|38=100"),
        ("FIX.4.2", f"1=ACC1|55=ACME|54=1|{AT}|38=100"),
        ("FIX.5.0SP2", f"1=ACC1|55=ACME|54=1|{AT}|38=100"),
    ],
)
def test_a_cancel(version: str, said: str) -> None:
    order = canceling(working_order())
    found = shown(outgoing.order_cancel_request(order, pending(order), spoken(version), NOW))
    assert found == f"37=V1|41=X|11=Z|{said}"


def test_a_cancel_before_the_venue_has_named_the_order() -> None:
    order = canceling(sent_order())
    assert shown(outgoing.order_cancel_request(order, pending(order), FIX_44, NOW)).startswith(
        "41=X|11=Z|1=ACC1"
    )


def test_a_cancel_behind_an_amend_names_the_amend() -> None:
    order = canceling(amending(working_order(), terms(200)))
    assert "41=Y|11=Z" in shown(outgoing.order_cancel_request(order, pending(order), FIX_44, NOW))


def test_a_status_request() -> None:
    assert shown(outgoing.order_status_request(sent_order(), FIX_44)) == "11=X|1=ACC1|55=ACME|54=1"
    assert shown(outgoing.order_status_request(working_order(), FIX_44)) == "37=V1|11=X|1=ACC1|55=ACME|54=1"


def test_an_order_that_has_no_cl_ord_id_is_named_by_the_venues() -> None:
    external = replace(working_order(), cl_ord_id="", cl_ord_ids=())
    assert shown(outgoing.order_status_request(external, FIX_44)).startswith("37=V1|11=NONE|")
    order = canceling(external)
    assert "37=V1|41=NONE|11=Z" in shown(outgoing.order_cancel_request(order, pending(order), FIX_44, NOW))
