"""Prices by RPC: in force when the call returns, each with an answer of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from fairlead.v1.common_pb2 import ORDER_TYPE_MARKET, OrderState
from fairlead.v1.reference_service_pb2 import (
    GetInstrumentRequest,
    PriceUpdate,
    UpdateReferencePricesRequest,
    UpdateReferencePricesResponse,
)
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from tests.api.refusals import refused
from tests.api.router import Router, new_order

LONG_AGO = Timestamp(seconds=1_600_000_000)


async def update(router: Router, *prices: PriceUpdate, **changes: Any) -> UpdateReferencePricesResponse:
    ordinary = {"prices": prices, "source": "feed"}
    return await router.reference.UpdateReferencePrices(
        UpdateReferencePricesRequest(**{**ordinary, **changes})
    )


async def test_a_price_is_in_force_when_the_call_returns(router: Router) -> None:
    answer = await update(router, PriceUpdate(instrument_id="ACME", price="51.123", bid="51.1", ask="51.2"))

    assert answer == UpdateReferencePricesResponse(updated_count=1)
    got = await router.reference.GetInstrument(GetInstrumentRequest(instrument_id="ACME"))
    price = got.instrument.reference_price
    assert (price.price, price.source, price.bid, price.ask) == ("51.123", "feed", "51.1", "51.2")
    assert not price.HasField("last")
    assert price.age.ToTimedelta() < timedelta(minutes=1)


async def test_a_stale_price_refuses_a_market_order_until_it_is_fresh(router: Router) -> None:
    market = {"order_type": ORDER_TYPE_MARKET, "price": None}
    await update(router, PriceUpdate(instrument_id="ACME", price="50", price_time=LONG_AGO))
    stale = await router.orders.SubmitOrder(new_order(**market))
    assert stale.order.reject.rule_id == "reference_age"

    await update(router, PriceUpdate(instrument_id="ACME", price="50"))

    fresh = await router.orders.SubmitOrder(new_order(**market))
    assert fresh.order.state == OrderState.ORDER_STATE_PENDING_NEW


async def test_what_is_wrong_with_one_leaves_the_others_alone(router: Router) -> None:
    far = Timestamp()
    far.FromDatetime(datetime.now(UTC) + timedelta(hours=1))

    answer = await update(
        router,
        PriceUpdate(instrument_id="ACME", price="51"),
        PriceUpdate(instrument_id="NOBODY", price="51"),
        PriceUpdate(instrument_id="ACME", price="0"),
        PriceUpdate(instrument_id="ACME", price="51", bid="52", ask="51"),
        PriceUpdate(instrument_id="ACME", price="51", price_time=far),
        PriceUpdate(instrument_id="ACME", price="51", price_time=LONG_AGO),
        PriceUpdate(instrument_id="FAR", price="7"),
    )

    assert answer.updated_count == 2
    told = []
    for failure in answer.failures:
        info = error_details_pb2.ErrorInfo()
        failure.error.details[0].Unpack(info)
        told.append((failure.index, info.reason, info.metadata.get("field", "")))
    assert told == [
        (1, "INSTRUMENT_NOT_FOUND", ""),
        (2, "REQUEST_INVALID", "prices[2].price"),
        (3, "REQUEST_INVALID", "prices[3].ask"),
        (4, "REQUEST_INVALID", "prices[4].price_time"),
        (5, "PRICE_OUTDATED", ""),
    ]


async def test_a_person_says_why(router: Router) -> None:
    price = PriceUpdate(instrument_id="ACME", price="51")

    refusal = await refused(update(router, price, source="manual"))
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["reason"])

    assert (await update(router, price, source="manual", reason="no feed today")).updated_count == 1
    (row,) = router.app._store.audit("ACME", 9)
    assert (row.action, row.reason) == ("price.set", "no feed today")


async def test_a_call_without_source_or_prices_is_refused(router: Router) -> None:
    refusal = await refused(update(router, source=""))
    assert refusal.fields == ["prices", "source"]
