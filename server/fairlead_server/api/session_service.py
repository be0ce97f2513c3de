"""SessionService: how the FIX sessions stand, what they say, and what operators do to them. Knows no transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from fairlead.v1 import session_service_pb2 as pb

from fairlead_server.api import consistency, framing, requests, sessions
from fairlead_server.api.caller import Caller
from fairlead_server.api.expiry import EXPIRED
from fairlead_server.api.session_watch import SessionWatch
from fairlead_server.api.tokens import TokenError, Tokens
from fairlead_server.api.validation import validate
from fairlead_server.domain.errors import ConfigInvalid, UnknownSession
from fairlead_server.fix.terms import Numbers
from fairlead_server.routing.inquiries import Inquiries
from fairlead_server.routing.news import News
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock, Operated, Operator, Reloads
from fairlead_server.store.archive import MESSAGES_FLOOR
from fairlead_server.store.columns import from_micros, micros
from fairlead_server.store.journal import MessageQuery, StoredMessage

_OnOne = pb.StartSessionRequest | pb.StopSessionRequest | pb.ResetSessionSequenceRequest
_DAYS, _MOST_DAYS = 7, 366  # of a plan


class JournalReader(Protocol):
    def messages(self, query: MessageQuery) -> list[StoredMessage]: ...

    def counters(self, names: Iterable[str]) -> dict[str, int]: ...


class SessionService:
    """``reloads`` is None where there is no file to read anew."""

    def __init__(
        self,
        configured: Mapping[str, Operated],
        inquiries: Inquiries,
        reloads: Reloads | None,
        journal: JournalReader,
        pipeline: Pipeline,
        news: News,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._configured = configured
        self._inquiries = inquiries
        self._reloads = reloads
        self._journal = journal
        self._pipeline = pipeline
        self._news = news
        self._tokens = tokens
        self._clock = clock

    # How they stand.

    async def list_sessions(
        self,
        request: pb.ListSessionsRequest,
        caller: Caller,
    ) -> pb.ListSessionsResponse:
        validate(request)
        after = self._tokens.open_page(request.page_token, 0, str)[0] if request.page_token else ""
        size = requests.page_size(request.page_size)
        names = [name for name in sorted(self._configured) if name > after]
        shown = [sessions.session(self._configured[name].view()) for name in names[:size]]
        token = self._tokens.page(0, names[size - 1]) if len(names) > size else ""
        return pb.ListSessionsResponse(sessions=shown, next_page_token=token)

    async def get_session(
        self,
        request: pb.GetSessionRequest,
        caller: Caller,
    ) -> pb.GetSessionResponse:
        validate(request)
        found = self._session(request.session_id)
        session = sessions.session(found.view())
        session.venue_rules.CopyFrom(sessions.venue_rules(found.abilities()))
        return pb.GetSessionResponse(session=session)

    async def watch_sessions(
        self,
        request: pb.WatchSessionsRequest,
        caller: Caller,
    ) -> SessionWatch:
        validate(request)
        for session_id in request.session_ids:
            self._session(session_id)
        heartbeat = requests.heartbeat(request)
        wanted = frozenset(request.session_ids)
        return SessionWatch(self._configured, wanted, heartbeat, self._news, self._clock)

    async def get_session_schedule(
        self,
        request: pb.GetSessionScheduleRequest,
        caller: Caller,
    ) -> pb.GetSessionScheduleResponse:
        validate(request)
        consistency.check_plan(request)
        schedule, now = self._session(request.session_id).schedule(), self._clock()
        until = now + timedelta(days=min(request.days or _DAYS, _MOST_DAYS))
        return await asyncio.to_thread(sessions.plan, schedule, now, until)

    # What they say.

    async def list_session_messages(
        self,
        request: pb.ListSessionMessagesRequest,
        caller: Caller,
    ) -> pb.ListSessionMessagesResponse:
        validate(request)
        consistency.check_messages(request)
        size, same = requests.page_size(request.page_size), requests.same_messages(request)
        query = requests.message_query(request, limit=size + 1)
        if request.page_token:
            query = requests.after_message(query, *self._tokens.open_page(request.page_token, same, int, int))
        found = await asyncio.to_thread(self._journal.messages, query)
        if query.after is not None:
            await self._check_kept(query.after[0])
        shown = await asyncio.to_thread(framing.fitting, map(sessions.message, found[:size]))
        response = pb.ListSessionMessagesResponse(messages=shown)
        if len(found) > len(shown):
            last = found[len(shown) - 1]
            response.next_page_token = self._tokens.page(same, *requests.message_key(last))
        return response

    async def _check_kept(self, page: datetime) -> None:
        """Whether a page that begins at that time is one of messages that are all there."""
        floor = (await asyncio.to_thread(self._journal.counters, [MESSAGES_FLOOR])).get(MESSAGES_FLOOR, 0)
        if micros(page) < floor:
            text = "older than what the journal keeps; begin with the first page"
            time = from_micros(floor).isoformat()
            raise TokenError("page_token", EXPIRED, text, earliest_time=time)

    # What operators do.

    async def start_session(
        self,
        request: pb.StartSessionRequest,
        caller: Caller,
    ) -> pb.StartSessionResponse:
        validate(request)
        session = await self._operate(request, caller, lambda it, by, now: it.start(by, now))
        return pb.StartSessionResponse(session=session)

    async def stop_session(
        self,
        request: pb.StopSessionRequest,
        caller: Caller,
    ) -> pb.StopSessionResponse:
        validate(request)
        session = await self._operate(request, caller, lambda it, by, now: it.stop(by, now))
        return pb.StopSessionResponse(session=session)

    async def reset_session_sequence(
        self,
        request: pb.ResetSessionSequenceRequest,
        caller: Caller,
    ) -> pb.ResetSessionSequenceResponse:
        validate(request)
        consistency.check_reset(request)
        expected = Numbers(request.expected_next_in, request.expected_next_out)
        wanted = Numbers(request.next_in or 1, request.next_out or 1)
        session = await self._operate(
            request, caller, lambda it, by, now: it.reset(expected, wanted, by, now)
        )
        return pb.ResetSessionSequenceResponse(session=session)

    async def request_order_status(
        self,
        request: pb.RequestOrderStatusRequest,
        caller: Caller,
    ) -> pb.RequestOrderStatusResponse:
        validate(request)
        consistency.check_status(request)
        by, now = caller.operator(request.reason), self._clock()
        if request.HasField("order"):
            asked = self._inquiries.of_order(requests.order_ref(request.order), by, now)
        else:
            asked = self._inquiries.of_session(request.session_id, by, now)
        await self._pipeline.durable()
        return pb.RequestOrderStatusResponse(asked=asked)

    async def reload_sessions(
        self,
        request: pb.ReloadSessionsRequest,
        caller: Caller,
    ) -> pb.ReloadSessionsResponse:
        validate(request)
        if self._reloads is None:
            raise ConfigInvalid("", "", "this server does not read its configuration anew")
        done = await self._reloads.reload(caller.operator(request.reason), self._clock())
        await self._pipeline.durable()
        return pb.ReloadSessionsResponse(
            added_session_ids=done.added,
            changed_session_ids=done.changed,
            removed_session_ids=done.removed,
            restart_parts=done.restart,
            changed_instrument_count=done.instruments,
            changed_calendar_count=done.calendars,
        )

    async def _operate(
        self, request: _OnOne, caller: Caller, act: Callable[[Operated, Operator, datetime], None]
    ) -> pb.Session:
        """Decide, and answer when it is durable with how the session stands then."""
        session = self._session(request.session_id)
        act(session, caller.operator(request.reason), self._clock())
        await self._pipeline.durable()
        return sessions.session(session.view())

    def _session(self, session_id: str) -> Operated:
        found = self._configured.get(session_id)
        if found is None:
            raise UnknownSession(session_id)
        return found
