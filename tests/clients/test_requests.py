from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fairlead import requests
from fairlead.v1 import common_pb2, execution_service_pb2, order_service_pb2
from fairlead.values import (
    AckLevel,
    ClientOrder,
    ExecutionKind,
    NewOrder,
    OrderState,
    OrderType,
    Side,
    StartPosition,
    TimeInForce,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINIMAL: NewOrder = {
    "account_id": "demo",
    "instrument_id": "AAPL",
    "side": Side.BUY,
    "quantity": 100,
    "order_type": OrderType.MARKET,
}


def test_a_submit_without_a_key_gets_one_of_its_own() -> None:
    first, second = requests.submit_order(MINIMAL), requests.submit_order(MINIMAL)

    assert first.client_order_id
    assert first.client_order_id != second.client_order_id


def test_what_is_not_given_is_absent() -> None:
    request = requests.submit_order({**MINIMAL, "client_order_id": "k1"})

    assert request == order_service_pb2.SubmitOrderRequest(
        account_id="demo",
        client_order_id="k1",
        instrument_id="AAPL",
        side=common_pb2.SIDE_BUY,
        quantity="100",
        order_type=common_pb2.ORDER_TYPE_MARKET,
    )


def test_every_part_of_an_order_reaches_its_field() -> None:
    request = requests.submit_order(
        {
            **MINIMAL,
            "client_order_id": "k1",
            "order_type": OrderType.STOP_LIMIT,
            "price": Decimal("230.10"),
            "stop_price": "229.5",
            "time_in_force": TimeInForce.GTD,
            "expire_time": NOON,
            "display_quantity": 10,
            "min_quantity": 5,
            "post_only": True,
            "strategy_id": "s",
            "route_id": "r",
            "route_before": NOON,
            "ack_level": AckLevel.VENUE,
            "tags": {"desk": "7"},
            "note": "n",
            "self_match_id": "m",
        }
    )

    unset = {field.name for field in request.DESCRIPTOR.fields} - {
        field.name for field, _ in request.ListFields()
    }
    assert unset == {"capacity", "manual_indicator"}
    assert (request.price, request.stop_price) == ("230.10", "229.5")
    assert request.expire_time.ToDatetime(UTC) == NOON


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        requests.submit_order({**MINIMAL, "expire_time": datetime(2026, 11, 20)})


def test_an_amend_carries_only_what_changes() -> None:
    request = requests.amend_order("o1", {"price": "1.5", "request_id": "r1"})

    assert {field.name for field, _ in request.ListFields()} == {"order", "request_id", "price"}


@pytest.mark.parametrize(
    ("order", "ref"),
    [
        ("o1", common_pb2.OrderRef(order_id="o1")),
        (common_pb2.Order(order_id="o1"), common_pb2.OrderRef(order_id="o1")),
        (
            ClientOrder("demo", "k1"),
            common_pb2.OrderRef(
                client_order=common_pb2.ClientOrderRef(account_id="demo", client_order_id="k1")
            ),
        ),
    ],
)
def test_an_order_is_named_in_any_of_three_ways(
    order: str | ClientOrder | common_pb2.Order, ref: common_pb2.OrderRef
) -> None:
    assert requests.order_ref(order) == ref


def test_one_name_is_as_good_as_a_list_of_one() -> None:
    one = requests.list_orders({"account_ids": "demo", "states": [OrderState.WORKING]}, 0)
    many = requests.list_orders({"account_ids": ["demo"], "states": [OrderState.WORKING]}, 0)

    assert one == many


def test_a_subscription_starts_live_unless_told_otherwise() -> None:
    assert requests.subscribe({}, 5.0).position == execution_service_pb2.START_POSITION_LIVE_ONLY
    assert requests.subscribe({"after_cursor": ""}, 5.0).WhichOneof("start") == "after_cursor"
    assert requests.subscribe({"after_time": NOON}, 5.0).WhichOneof("start") == "after_time"


def test_two_starts_are_refused() -> None:
    with pytest.raises(ValueError, match="only one of after_cursor, position"):
        requests.subscribe({"after_cursor": "c", "position": StartPosition.EARLIEST}, 5.0)


def test_a_filter_carries_its_kinds_and_a_fractional_heartbeat() -> None:
    request = requests.subscribe({"kinds": [ExecutionKind.FILLED]}, 1.5)

    assert list(request.filter.kinds) == [execution_service_pb2.EXECUTION_KIND_FILLED]
    assert request.heartbeat_interval.ToTimedelta().total_seconds() == 1.5
