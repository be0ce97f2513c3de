"""SessionService: how the FIX sessions stand. Knows no transport."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead.v1 import session_service_pb2 as pb

from fairlead_server.api import reference
from fairlead_server.api.caller import Caller
from fairlead_server.api.requests import page_size
from fairlead_server.api.tokens import Tokens
from fairlead_server.api.validation import validate
from fairlead_server.domain.errors import UnknownSession
from fairlead_server.routing.ports import Viewed


class SessionService:
    def __init__(self, sessions: Mapping[str, Viewed], tokens: Tokens) -> None:
        self._sessions = sessions
        self._tokens = tokens

    async def list_sessions(
        self,
        request: pb.ListSessionsRequest,
        caller: Caller,
    ) -> pb.ListSessionsResponse:
        validate(request)
        after = self._tokens.open_page(request.page_token, 0, str)[0] if request.page_token else ""
        size = page_size(request.page_size)
        names = [name for name in sorted(self._sessions) if name > after]
        shown = [reference.session(self._sessions[name].view()) for name in names[:size]]
        token = self._tokens.page(0, names[size - 1]) if len(names) > size else ""
        return pb.ListSessionsResponse(sessions=shown, next_page_token=token)

    async def get_session(
        self,
        request: pb.GetSessionRequest,
        caller: Caller,
    ) -> pb.GetSessionResponse:
        validate(request)
        found = self._sessions.get(request.session_id)
        if found is None:
            raise UnknownSession(request.session_id)
        return pb.GetSessionResponse(session=reference.session(found.view()))
