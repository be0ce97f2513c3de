"""ReferenceService: what can be traded, and by which rules. Knows no transport."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead.v1 import reference_service_pb2 as pb

from fairlead_server.api import reference
from fairlead_server.api.caller import Caller
from fairlead_server.api.requests import page_size
from fairlead_server.api.tokens import Tokens, filter_id
from fairlead_server.api.validation import validate
from fairlead_server.domain.errors import UnknownInstrument
from fairlead_server.domain.instrument import Instrument


class ReferenceService:
    def __init__(self, instruments: Mapping[str, Instrument], tokens: Tokens) -> None:
        self._instruments = instruments
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
        names = [n for n in sorted(self._instruments) if n > after and (not wanted or n in wanted)]
        size = page_size(request.page_size)
        shown = [reference.instrument(self._instruments[name]) for name in names[:size]]
        token = self._tokens.page(digest, names[size - 1]) if len(names) > size else ""
        return pb.ListInstrumentsResponse(instruments=shown, next_page_token=token)

    async def get_instrument(
        self,
        request: pb.GetInstrumentRequest,
        caller: Caller,
    ) -> pb.GetInstrumentResponse:
        validate(request)
        found = self._instruments.get(request.instrument_id)
        if found is None:
            raise UnknownInstrument(request.instrument_id)
        return pb.GetInstrumentResponse(instrument=reference.instrument(found))
