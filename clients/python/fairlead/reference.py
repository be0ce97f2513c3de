"""The calls of both clients about what can be traded: instruments, their prices, their calendars."""

from collections.abc import Iterable, Mapping
from typing import Unpack

import grpc
from grpc import aio

from fairlead import instrument_requests, requests
from fairlead.calling import AsyncCalls, Calls
from fairlead.pages import AsyncListing, Listing, Page
from fairlead.retry import IMPORT, LIST, OPERATION, PRICES, READ, Retry
from fairlead.v1.reference_service_pb2 import (
    Calendar,
    DeleteCalendarRequest,
    DeleteInstrumentRequest,
    ExportInstrumentsRequest,
    GetCalendarRequest,
    GetInstrumentBackupRequest,
    GetInstrumentRequest,
    ImportInstrumentsResponse,
    Instrument,
    InstrumentBackup,
    ListCalendarsRequest,
    ListInstrumentBackupsRequest,
    ListInstrumentsRequest,
    PutCalendarRequest,
    UpdateReferencePricesResponse,
)
from fairlead.v1.reference_service_pb2_grpc import ReferenceServiceStub
from fairlead.values import InstrumentTerms, PriceUpdate


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

    def create_instrument(
        self,
        instrument_id: str,
        *,
        reason: str,
        timeout: float | None = None,
        **terms: Unpack[InstrumentTerms],
    ) -> Instrument:
        """Make an instrument; `reason` is for the audit log, here and below. The same one again is no error."""
        request = instrument_requests.create_instrument(instrument_id, terms, reason)
        return self._call(self._reference.CreateInstrument, request, PRICES, timeout).instrument

    def update_instrument(
        self,
        instrument_id: str,
        *,
        reason: str,
        etag: str | None = None,
        timeout: float | None = None,
        **terms: Unpack[InstrumentTerms],
    ) -> Instrument:
        """Change the terms that are given, such as ``halted=True``; with `etag`, if it is as it was seen."""
        request = instrument_requests.update_instrument(instrument_id, terms, reason, etag)
        return self._call(self._reference.UpdateInstrument, request, OPERATION, timeout).instrument

    def delete_instrument(
        self, instrument_id: str, *, reason: str, etag: str = "", timeout: float | None = None
    ) -> Instrument | None:
        """Forget what calls have made and changed of it; returns it as the server's file has it, if that does."""
        request = DeleteInstrumentRequest(instrument_id=instrument_id, reason=reason, etag=etag)
        answer = self._call(self._reference.DeleteInstrument, request, OPERATION, timeout)
        return answer.instrument if answer.HasField("instrument") else None

    def import_instruments(
        self,
        csv: str | None = None,
        *,
        backup_id: str | None = None,
        reason: str = "",
        delete_missing: bool = False,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> ImportInstrumentsResponse:
        """Make and change instruments from CSV or from a backup, all of them or none; `validate_only` only says what would be."""
        request = instrument_requests.import_instruments(
            csv, backup_id, reason, delete_missing=delete_missing, validate_only=validate_only
        )
        return self._call(self._reference.ImportInstruments, request, IMPORT, timeout)

    def export_instruments(self, *, timeout: float | None = None) -> str:
        """All instruments as CSV."""
        return self._call(self._reference.ExportInstruments, ExportInstrumentsRequest(), LIST, timeout).csv

    def list_instrument_backups(
        self, *, page_size: int = 0, timeout: float | None = None
    ) -> Listing[InstrumentBackup]:
        """What imports have kept, the newest first, without the texts."""
        request = ListInstrumentBackupsRequest(page_size=page_size)

        def fetch(page_token: str) -> Page[InstrumentBackup]:
            request.page_token = page_token
            page = self._call(self._reference.ListInstrumentBackups, request, LIST, timeout)
            return Page(page.backups, page.next_page_token)

        return Listing(fetch)

    def get_instrument_backup(self, backup_id: str, *, timeout: float | None = None) -> InstrumentBackup:
        request = GetInstrumentBackupRequest(backup_id=backup_id)
        return self._call(self._reference.GetInstrumentBackup, request, READ, timeout).backup

    def list_calendars(self, *, timeout: float | None = None) -> list[Calendar]:
        return list(
            self._call(self._reference.ListCalendars, ListCalendarsRequest(), LIST, timeout).calendars
        )

    def get_calendar(self, calendar_id: str, *, timeout: float | None = None) -> Calendar:
        request = GetCalendarRequest(calendar_id=calendar_id)
        return self._call(self._reference.GetCalendar, request, READ, timeout).calendar

    def put_calendar(self, calendar: Calendar, *, reason: str, timeout: float | None = None) -> Calendar:
        """Have a calendar just so; one with an `etag`, as it is read, only if nobody has changed it since."""
        request = PutCalendarRequest(calendar=calendar, reason=reason)
        return self._call(self._reference.PutCalendar, request, OPERATION, timeout).calendar

    def delete_calendar(
        self, calendar_id: str, *, reason: str, etag: str = "", timeout: float | None = None
    ) -> Calendar | None:
        """Forget a calendar that was put; returns it as the server's file has it, if that does."""
        request = DeleteCalendarRequest(calendar_id=calendar_id, reason=reason, etag=etag)
        answer = self._call(self._reference.DeleteCalendar, request, OPERATION, timeout)
        return answer.calendar if answer.HasField("calendar") else None

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

    async def create_instrument(
        self,
        instrument_id: str,
        *,
        reason: str,
        timeout: float | None = None,
        **terms: Unpack[InstrumentTerms],
    ) -> Instrument:
        """Make an instrument; `reason` is for the audit log, here and below. The same one again is no error."""
        request = instrument_requests.create_instrument(instrument_id, terms, reason)
        return (await self._call(self._reference.CreateInstrument, request, PRICES, timeout)).instrument

    async def update_instrument(
        self,
        instrument_id: str,
        *,
        reason: str,
        etag: str | None = None,
        timeout: float | None = None,
        **terms: Unpack[InstrumentTerms],
    ) -> Instrument:
        """Change the terms that are given, such as ``halted=True``; with `etag`, if it is as it was seen."""
        request = instrument_requests.update_instrument(instrument_id, terms, reason, etag)
        return (await self._call(self._reference.UpdateInstrument, request, OPERATION, timeout)).instrument

    async def delete_instrument(
        self, instrument_id: str, *, reason: str, etag: str = "", timeout: float | None = None
    ) -> Instrument | None:
        """Forget what calls have made and changed of it; returns it as the server's file has it, if that does."""
        request = DeleteInstrumentRequest(instrument_id=instrument_id, reason=reason, etag=etag)
        answer = await self._call(self._reference.DeleteInstrument, request, OPERATION, timeout)
        return answer.instrument if answer.HasField("instrument") else None

    async def import_instruments(
        self,
        csv: str | None = None,
        *,
        backup_id: str | None = None,
        reason: str = "",
        delete_missing: bool = False,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> ImportInstrumentsResponse:
        """Make and change instruments from CSV or from a backup, all of them or none; `validate_only` only says what would be."""
        request = instrument_requests.import_instruments(
            csv, backup_id, reason, delete_missing=delete_missing, validate_only=validate_only
        )
        return await self._call(self._reference.ImportInstruments, request, IMPORT, timeout)

    async def export_instruments(self, *, timeout: float | None = None) -> str:
        """All instruments as CSV."""
        return (
            await self._call(self._reference.ExportInstruments, ExportInstrumentsRequest(), LIST, timeout)
        ).csv

    def list_instrument_backups(
        self, *, page_size: int = 0, timeout: float | None = None
    ) -> AsyncListing[InstrumentBackup]:
        """What imports have kept, the newest first, without the texts."""
        request = ListInstrumentBackupsRequest(page_size=page_size)

        async def fetch(page_token: str) -> Page[InstrumentBackup]:
            request.page_token = page_token
            page = await self._call(self._reference.ListInstrumentBackups, request, LIST, timeout)
            return Page(page.backups, page.next_page_token)

        return AsyncListing(fetch)

    async def get_instrument_backup(
        self, backup_id: str, *, timeout: float | None = None
    ) -> InstrumentBackup:
        request = GetInstrumentBackupRequest(backup_id=backup_id)
        return (await self._call(self._reference.GetInstrumentBackup, request, READ, timeout)).backup

    async def list_calendars(self, *, timeout: float | None = None) -> list[Calendar]:
        return list(
            (await self._call(self._reference.ListCalendars, ListCalendarsRequest(), LIST, timeout)).calendars
        )

    async def get_calendar(self, calendar_id: str, *, timeout: float | None = None) -> Calendar:
        request = GetCalendarRequest(calendar_id=calendar_id)
        return (await self._call(self._reference.GetCalendar, request, READ, timeout)).calendar

    async def put_calendar(
        self, calendar: Calendar, *, reason: str, timeout: float | None = None
    ) -> Calendar:
        """Have a calendar just so; one with an `etag`, as it is read, only if nobody has changed it since."""
        request = PutCalendarRequest(calendar=calendar, reason=reason)
        return (await self._call(self._reference.PutCalendar, request, OPERATION, timeout)).calendar

    async def delete_calendar(
        self, calendar_id: str, *, reason: str, etag: str = "", timeout: float | None = None
    ) -> Calendar | None:
        """Forget a calendar that was put; returns it as the server's file has it, if that does."""
        request = DeleteCalendarRequest(calendar_id=calendar_id, reason=reason, etag=etag)
        answer = await self._call(self._reference.DeleteCalendar, request, OPERATION, timeout)
        return answer.calendar if answer.HasField("calendar") else None

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
