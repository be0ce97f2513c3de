"""ReferenceService: what can be traded, and by which rules. Knows no transport."""

from __future__ import annotations

from fairlead.v1 import reference_service_pb2 as pb

from fairlead_server.api import reference
from fairlead_server.api.calendars import CalendarOperations
from fairlead_server.api.caller import Caller
from fairlead_server.api.instrument_operations import InstrumentOperations
from fairlead_server.api.reference_prices import ReferencePrices
from fairlead_server.api.requests import page_size
from fairlead_server.api.tokens import Tokens, filter_id
from fairlead_server.api.validation import validate
from fairlead_server.domain.errors import UnknownInstrument
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.reference import Reference


class ReferenceService:
    def __init__(
        self,
        known: Reference,
        operations: InstrumentOperations,
        calendars: CalendarOperations,
        prices: ReferencePrices,
        pipeline: Pipeline,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._known = known
        self._operations = operations
        self._calendars = calendars
        self._prices = prices
        self._clock = clock
        self._pipeline = pipeline
        self._tokens = tokens

    async def list_instruments(
        self,
        request: pb.ListInstrumentsRequest,
        caller: Caller,
    ) -> pb.ListInstrumentsResponse:
        validate(request)
        wanted = frozenset(request.instrument_ids)
        digest = filter_id(pb.ListInstrumentsRequest(instrument_ids=wanted))
        after = self._tokens.open_page(request.page_token, digest, str)[0] if request.page_token else ""
        size = page_size(request.page_size)
        found = [
            instrument
            for instrument in self._known.instruments()
            if instrument.instrument_id > after and (not wanted or instrument.instrument_id in wanted)
        ]
        now = self._clock()
        shown = [reference.instrument(instrument, self._known, now) for instrument in found[:size]]
        token = self._tokens.page(digest, found[size - 1].instrument_id) if len(found) > size else ""
        await self._pipeline.durable()
        return pb.ListInstrumentsResponse(instruments=shown, next_page_token=token)

    async def get_instrument(
        self,
        request: pb.GetInstrumentRequest,
        caller: Caller,
    ) -> pb.GetInstrumentResponse:
        validate(request)
        found = self._known.get(request.instrument_id)
        if found is None:
            raise UnknownInstrument(request.instrument_id)
        shown = reference.instrument(found, self._known, self._clock())
        await self._pipeline.durable()
        return pb.GetInstrumentResponse(instrument=shown)

    async def update_reference_prices(
        self,
        request: pb.UpdateReferencePricesRequest,
        caller: Caller,
    ) -> pb.UpdateReferencePricesResponse:
        return await self._prices.update(request, caller)

    async def create_instrument(
        self,
        request: pb.CreateInstrumentRequest,
        caller: Caller,
    ) -> pb.CreateInstrumentResponse:
        return await self._operations.create(request, caller)

    async def update_instrument(
        self,
        request: pb.UpdateInstrumentRequest,
        caller: Caller,
    ) -> pb.UpdateInstrumentResponse:
        return await self._operations.update(request, caller)

    async def delete_instrument(
        self,
        request: pb.DeleteInstrumentRequest,
        caller: Caller,
    ) -> pb.DeleteInstrumentResponse:
        return await self._operations.delete(request, caller)

    async def import_instruments(
        self,
        request: pb.ImportInstrumentsRequest,
        caller: Caller,
    ) -> pb.ImportInstrumentsResponse:
        return await self._operations.import_(request, caller)

    async def export_instruments(
        self,
        request: pb.ExportInstrumentsRequest,
        caller: Caller,
    ) -> pb.ExportInstrumentsResponse:
        return await self._operations.export()

    async def list_instrument_backups(
        self,
        request: pb.ListInstrumentBackupsRequest,
        caller: Caller,
    ) -> pb.ListInstrumentBackupsResponse:
        return await self._operations.list_backups(request)

    async def get_instrument_backup(
        self,
        request: pb.GetInstrumentBackupRequest,
        caller: Caller,
    ) -> pb.GetInstrumentBackupResponse:
        return await self._operations.get_backup(request)

    async def list_calendars(
        self,
        request: pb.ListCalendarsRequest,
        caller: Caller,
    ) -> pb.ListCalendarsResponse:
        return await self._calendars.list_all(request)

    async def get_calendar(
        self,
        request: pb.GetCalendarRequest,
        caller: Caller,
    ) -> pb.GetCalendarResponse:
        return await self._calendars.get(request)

    async def put_calendar(
        self,
        request: pb.PutCalendarRequest,
        caller: Caller,
    ) -> pb.PutCalendarResponse:
        return await self._calendars.put(request, caller)

    async def delete_calendar(
        self,
        request: pb.DeleteCalendarRequest,
        caller: Caller,
    ) -> pb.DeleteCalendarResponse:
        return await self._calendars.delete(request, caller)
