"""UpdateReferencePrices: many prices in one call, each with an answer of its own."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from fairlead.v1 import reference_service_pb2 as pb

from fairlead_server.api import consistency, errors
from fairlead_server.api.caller import Caller
from fairlead_server.api.times import time_of
from fairlead_server.api.validation import validate
from fairlead_server.domain.errors import InvalidRequest, RouterError
from fairlead_server.domain.instrument import ReferencePrice
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.prices import Prices, PriceUpdate


class ReferencePrices:
    def __init__(self, prices: Prices, pipeline: Pipeline, clock: Clock) -> None:
        self._prices = prices
        self._pipeline = pipeline
        self._clock = clock

    async def update(
        self, request: pb.UpdateReferencePricesRequest, caller: Caller
    ) -> pb.UpdateReferencePricesResponse:
        validate(request)
        consistency.check_prices(request)
        now, by = self._clock(), caller.operator(request.reason)
        updates = [_update(each, index, request.source, now) for index, each in enumerate(request.prices)]
        found = self._prices.update(updates, by, now, force=request.force)
        await self._pipeline.durable()
        failures = [
            pb.PriceFailure(
                index=index,
                instrument_id=request.prices[index].instrument_id[:36],
                error=errors.status(error),
            )
            for index, error in enumerate(found)
            if error is not None
        ]
        return pb.UpdateReferencePricesResponse(updated_count=len(found) - len(failures), failures=failures)


def _update(each: pb.PriceUpdate, index: int, source: str, now: datetime) -> PriceUpdate | RouterError:
    try:
        validate(each)
        consistency.check_price(each)
    except InvalidRequest as error:
        return InvalidRequest([(f"prices[{index}].{field}", text) for field, text in error.violations])
    price = ReferencePrice(
        Decimal(each.price),
        time_of(each.price_time) if each.HasField("price_time") else now,
        source,
        Decimal(each.bid) if each.HasField("bid") else None,
        Decimal(each.ask) if each.HasField("ask") else None,
        Decimal(each.last) if each.HasField("last") else None,
    )
    return PriceUpdate(each.instrument_id, price)
