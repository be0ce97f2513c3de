"""ExecutionService: the log of what happened to orders, to follow and to read. Knows no transport."""

from __future__ import annotations

import asyncio
from datetime import datetime

from fairlead.v1 import execution_service_pb2 as pb
from msgspec.structs import replace

from fairlead_server.api import framing, messages, requests
from fairlead_server.api.caller import Caller
from fairlead_server.api.expiry import expired
from fairlead_server.api.subscription import LogReader, Subscription, Wanted
from fairlead_server.api.times import time_of
from fairlead_server.api.tokens import Tokens, filter_id
from fairlead_server.api.validation import validate
from fairlead_server.domain.errors import InvalidRequest
from fairlead_server.routing.feed import Feed
from fairlead_server.routing.ports import Clock, NewId

_BATCH, _MOST_BATCH = 64, 512  # events
_MOST_DELAY = 1.0  # seconds


class ExecutionService:
    def __init__(
        self, server_id: str, feed: Feed, reader: LogReader, tokens: Tokens, clock: Clock, new_id: NewId
    ) -> None:
        self._server_id = server_id
        self._feed = feed
        self._reader = reader
        self._tokens = tokens
        self._clock = clock
        self._new_id = new_id
        self._payloads = framing.Payloads()

    async def subscribe_executions(
        self,
        request: pb.SubscribeExecutionsRequest,
        caller: Caller,
    ) -> Subscription:
        """The stream, ready to be read; what is wrong with the request is raised here, before it begins."""
        validate(request)
        wanted = await self._wanted(request)
        return Subscription(
            wanted,
            self._new_id(self._clock()),
            self._server_id,
            self._feed,
            self._reader,
            self._tokens,
            self._clock,
            self._payloads,
        )

    async def list_executions(
        self,
        request: pb.ListExecutionsRequest,
        caller: Caller,
    ) -> pb.ListExecutionsResponse:
        validate(request)
        digest, size = filter_id(request.filter), requests.page_size(request.page_size)
        head = await asyncio.to_thread(self._reader.head)
        same = _same_list(request)
        after = await self._list_after(request, digest, same, head)
        until = head
        if request.HasField("until_time"):
            until = await asyncio.to_thread(self._reader.sequence_at, time_of(request.until_time))
        query = replace(requests.event_query(request.filter), until_sequence=until)
        rows = await asyncio.to_thread(self._reader.events_after, after, size + 1, query)
        field = "page_token" if request.page_token else request.WhichOneof("start") or "after_cursor"
        await self._kept(field, after, digest)
        shown = framing.that_fit(rows[:size])
        more = len(rows) > len(shown)
        end = shown[-1].sequence if more else max(until, after)
        return pb.ListExecutionsResponse(
            events=await asyncio.to_thread(messages.events_from, shown),
            next_page_token=self._tokens.page(same, end) if more else "",
            cursor=self._tokens.cursor(end, digest),
        )

    async def _list_after(self, request: pb.ListExecutionsRequest, digest: int, same: int, head: int) -> int:
        if request.page_token:
            after: int = self._tokens.open_page(request.page_token, same, int)[0]
            return after
        match request.WhichOneof("start"):
            case "after_cursor":
                return self._tokens.open_cursor("after_cursor", request.after_cursor, digest, head).sequence
            case "after_time":
                return await self._at(time_of(request.after_time))
            case None:
                return self._feed.floor

    async def _wanted(self, request: pb.SubscribeExecutionsRequest) -> Wanted:
        digest = filter_id(request.filter)
        head = await asyncio.to_thread(
            self._reader.head
        )  # the feed may not have heard of the last commit yet
        until = None
        if request.WhichOneof("end") == "until_cursor":
            until = self._tokens.open_cursor("until_cursor", request.until_cursor, digest, head).sequence
        return Wanted(
            request.filter,
            digest,
            requests.event_query(request.filter),
            await self._start(request, digest, head),
            until,
            request.until_caught_up,
            requests.heartbeat(request),
            _batch_size(request),
            requests.seconds(request, "max_batch_delay", 0.0, 0.0, _MOST_DELAY),
        )

    async def _start(self, request: pb.SubscribeExecutionsRequest, digest: int, head: int) -> int | None:
        """As :meth:`_after`; what has expired becomes a snapshot where that is wanted."""
        after = await self._after(request, digest, head)
        snapshot = request.cursor_expired_policy == pb.CURSOR_EXPIRED_POLICY_SNAPSHOT
        if after is not None and after < self._feed.floor and snapshot:
            return None
        return after if after is None else await self._kept(request.WhichOneof("start") or "", after, digest)

    async def _at(self, time: datetime) -> int:
        """The sequence of the last event before ``time``; below the floor where that may be archived."""
        if self._feed.since is not None and time < self._feed.since:
            return self._feed.floor - 1
        return max(await asyncio.to_thread(self._reader.sequence_at, time), self._feed.floor)

    async def _kept(self, field: str, after: int, digest: int) -> int:
        """``after``, if all that is beyond it is kept."""
        if after < self._feed.floor:
            raise await expired(self._reader, self._tokens, self._feed.floor, field, digest)
        return after

    async def _after(self, request: pb.SubscribeExecutionsRequest, digest: int, head: int) -> int | None:
        """The sequence to begin after; None for a snapshot."""
        match request.WhichOneof("start"):
            case "after_cursor":
                return self._tokens.open_cursor("after_cursor", request.after_cursor, digest, head).sequence
            case "after_time":
                return await self._at(time_of(request.after_time))
            case _ if request.position == pb.START_POSITION_EARLIEST:
                return self._feed.floor
            case _ if request.position == pb.START_POSITION_LIVE_ONLY:
                return head
            case _:
                return None


def _same_list(request: pb.ListExecutionsRequest) -> int:
    """A digest of what must be the same for each page of a list."""
    same = pb.ListExecutionsRequest()
    same.CopyFrom(request)
    for name in ("filter", "page_size", "page_token"):
        same.ClearField(name)
    return filter_id(request.filter) ^ filter_id(same)


def _batch_size(request: pb.SubscribeExecutionsRequest) -> int:
    if not request.HasField("max_batch_size"):
        return _BATCH
    if not 1 <= request.max_batch_size <= _MOST_BATCH:
        raise InvalidRequest([("max_batch_size", f"must be between 1 and {_MOST_BATCH}")])
    return request.max_batch_size
