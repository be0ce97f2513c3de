"""What an order and its events look like to a client: digits, marks, fills, and what is absent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import ORDER_TYPE_STOP_LIMIT, TIME_IN_FORCE_GTD
from fairlead.v1.execution_service_pb2 import (
    EXECUTION_KIND_CANCELED,
    EXECUTION_KIND_FILLED,
    EXECUTION_KIND_ORPHAN_EXECUTION,
    EXECUTION_KIND_TRADE_BUSTED,
    LIQUIDITY_REMOVED,
)
from fairlead_server.api.messages import canonical
from fairlead_server.fix import tags
from google.protobuf.timestamp_pb2 import Timestamp

from tests.api import broker as venue
from tests.api.router import Router, new_order

IN_A_YEAR = Timestamp(seconds=1_900_000_000, nanos=123_456_000)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("100", "100"),
        ("100.50", "100.5"),
        ("1E+3", "1000"),
        ("0.000", "0"),
        ("1E-12", "0.000000000001"),
    ],
)
def test_what_we_compute_has_no_trailing_zeros_and_no_exponent(value: str, text: str) -> None:
    assert canonical(Decimal(value)) == text


async def test_everything_that_a_client_asked_for_is_echoed(router: Router) -> None:
    asked: dict[str, Any] = {
        "side": common_pb2.SIDE_SELL_SHORT,
        "order_type": ORDER_TYPE_STOP_LIMIT,
        "price": "50.10",
        "stop_price": "50.00",
        "time_in_force": TIME_IN_FORCE_GTD,
        "expire_time": IN_A_YEAR,
        "display_quantity": "10.0",
        "min_quantity": "5",
        "strategy_id": "alpha",
        "route_id": "NEAR",
        "tags": {"desk": "7", "empty": ""},
        "note": "gr\u00fc\u00dfe",
        "capacity": common_pb2.ORDER_CAPACITY_PRINCIPAL,
        "manual_indicator": common_pb2.MANUAL_INDICATOR_AUTOMATED,
        "route_before": IN_A_YEAR,
    }
    request = new_order(**asked)

    order = await router.working(**{**asked, "client_order_id": request.client_order_id})

    for name in [*asked, "account_id", "client_order_id", "instrument_id", "quantity"]:
        assert getattr(order, name) == getattr(request, name), name


async def test_what_was_not_asked_for_is_absent(router: Router) -> None:
    order = await router.working(price=None, order_type=common_pb2.ORDER_TYPE_MARKET)

    for name in (
        "price",
        "stop_price",
        "expire_time",
        "display_quantity",
        "average_price",
        "reject",
        "terminal_time",
    ):
        assert not order.HasField(name), name
    assert order.time_in_force == common_pb2.TIME_IN_FORCE_DAY
    assert (order.cum_quantity, order.leaves_quantity) == ("0", "100")


async def test_fills_add_up_and_a_bust_takes_one_back(router: Router) -> None:
    await router.working(quantity="30.0")
    resting = router.broker.only()
    _, taken = venue.fill(router.broker, resting, Decimal(10), "50.10")
    router.broker.say(("8", [*taken, (tags.LAST_LIQUIDITY_IND, "2"), (tags.LAST_MKT, "XNYS")]))
    router.broker.say(venue.fill(router.broker, resting, Decimal(20), "50.25"))
    bust = [(tags.EXEC_REF_ID, dict(taken)[tags.EXEC_ID]), (tags.LAST_QTY, "10"), (tags.LAST_PX, "50.10")]
    router.broker.say(venue.report(router.broker, resting, "H", "1", *bust))

    events = await router.subscribe(position="START_POSITION_EARLIEST").events(6)

    first, second, busted = events[3:6]  # its broker does not count the bust, which is told behind it
    assert [event.kind for event in events[3:6]] == [EXECUTION_KIND_FILLED] * 2 + [
        EXECUTION_KIND_TRADE_BUSTED
    ]
    assert (first.fill.quantity, first.fill.price) == ("10", "50.10")
    assert (first.fill.liquidity, first.fill.last_market) == (LIQUIDITY_REMOVED, "XNYS")
    assert second.order.average_price == "50.2"
    assert second.order.state == common_pb2.ORDER_STATE_FILLED
    assert busted.fill.ref_execution_id == first.fill.execution_id
    assert (busted.order.cum_quantity, busted.order.busted) == ("20", True)
    assert first.venue.exec_id == dict(taken)[tags.EXEC_ID]
    assert first.venue.msg_seq_num < second.venue.msg_seq_num


async def test_a_cancel_that_nobody_asked_for_says_so(router: Router) -> None:
    await router.working()
    resting = router.broker.only()
    resting.ended = True
    router.broker.say(venue.report(router.broker, resting, "4", "4", (tags.TEXT, "end of \u00fc")))

    *_, event = await router.subscribe(position="START_POSITION_EARLIEST").events(4)

    assert (event.kind, event.unsolicited) == (EXECUTION_KIND_CANCELED, True)
    assert event.cause.initiator == common_pb2.INITIATOR_VENUE
    assert event.order.HasField("terminal_time")


async def test_an_order_of_which_only_the_venue_knows_is_shown_as_external(router: Router) -> None:
    by_telephone = venue.Resting("V99", "PHONE-1", "ACME", "1", Decimal(10), "50")
    router.broker.say(venue.fill(router.broker, by_telephone))

    (event,) = await router.subscribe(position="START_POSITION_EARLIEST").events(1)

    assert event.kind == EXECUTION_KIND_ORPHAN_EXECUTION
    assert event.order.external
    assert (event.order.account_id, event.order.cum_quantity) == ("ACC1", "10")
    assert event.fill.quantity == "10"
