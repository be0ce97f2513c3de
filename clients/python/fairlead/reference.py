"""The calls of both clients about what can be traded: instruments, their prices, their calendars."""

from collections.abc import Iterable, Mapping

import grpc
from grpc import aio

from fairlead import requests
from fairlead.calling import AsyncCalls, Calls
from fairlead.pages import AsyncListing, Listing, Page
from fairlead.retry import LIST, PRICES, READ, Retry
from fairlead.v1.reference_service_pb2 import (
    GetInstrumentRequest,
    Instrument,
    ListInstrumentsRequest,
    UpdateReferencePricesResponse,
)
from fairlead.v1.reference_service_pb2_grpc import ReferenceServiceStub
from fairlead.values import PriceUpdate


class ReferenceCalls(Calls):
    def __init__(self, channel: grpc.Channel, metadata: Mapping[str, str], retry: Retry) -> None:
        super().__init__(channel, metadata, retry)
        self._reference = ReferenceServiceStub(channel)

    def list_instruments(self, *, page_size: int = 0, timeout: float | None = None) -> Listing[Instrument]:
        request = ListInstrumentsRequest(page_size=page_size)

        def fetch(page_token: str) -> Page[Instrument]:
            request.page_token = page_token
            page = self._call(self._reference.ListInstruments, request, LIST, timeout)
            return Page(page.instruments, page.next_page_token)

        return Listing(fetch)

    def get_instrument(self, instrument_id: str, *, timeout: float | None = None) -> Instrument:
        request = GetInstrumentRequest(instrument_id=instrument_id)
        return self._call(self._reference.GetInstrument, request, READ, timeout).instrument

    def update_reference_prices(
        self,
        prices: Iterable[PriceUpdate],
        *,
        source: str,
        reason: str = "",
        force: bool = False,
        timeout: float | None = None,
    ) -> UpdateReferencePricesResponse:
        """Set up to 1,000 prices; what became of each that was not set, :func:`fairlead.errors.from_status` makes of its error.

        `source` is `manual` for what a person sets, which needs a `reason`, else the name of a feed.
        """
        request = requests.update_prices(prices, source, reason, force=force)
        return self._call(self._reference.UpdateReferencePrices, request, PRICES, timeout)


class AsyncReferenceCalls(AsyncCalls):
    def __init__(self, channel: aio.Channel, metadata: Mapping[str, str], retry: Retry) -> None:
        super().__init__(channel, metadata, retry)
        self._reference = ReferenceServiceStub(channel)

    def list_instruments(
        self, *, page_size: int = 0, timeout: float | None = None
    ) -> AsyncListing[Instrument]:
        request = ListInstrumentsRequest(page_size=page_size)

        async def fetch(page_token: str) -> Page[Instrument]:
            request.page_token = page_token
            page = await self._call(self._reference.ListInstruments, request, LIST, timeout)
            return Page(page.instruments, page.next_page_token)

        return AsyncListing(fetch)

    async def get_instrument(self, instrument_id: str, *, timeout: float | None = None) -> Instrument:
        request = GetInstrumentRequest(instrument_id=instrument_id)
        return (await self._call(self._reference.GetInstrument, request, READ, timeout)).instrument

    async def update_reference_prices(
        self,
        prices: Iterable[PriceUpdate],
        *,
        source: str,
        reason: str = "",
        force: bool = False,
        timeout: float | None = None,
    ) -> UpdateReferencePricesResponse:
        """Set up to 1,000 prices; what became of each that was not set, :func:`fairlead.errors.from_status` makes of its error.

        `source` is `manual` for what a person sets, which needs a `reason`, else the name of a feed.
        """
        request = requests.update_prices(prices, source, reason, force=force)
        return await self._call(self._reference.UpdateReferencePrices, request, PRICES, timeout)
