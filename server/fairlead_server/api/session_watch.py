"""One watcher's stream of sessions: all of them, then each again whenever it looks different from what was sent last.

What a slow reader has missed is never caught up with step by step: it is sent how the sessions stand when it reads on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from fairlead.v1 import execution_service_pb2
from fairlead.v1 import session_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from fairlead_server.api import sessions
from fairlead_server.api.times import timestamp
from fairlead_server.domain.errors import Draining
from fairlead_server.routing.news import News
from fairlead_server.routing.ports import Clock, Viewed

GAP = 0.1  # seconds within which changes make one message

_Shown = dict[str, pb.Session]


class SessionWatch:
    """``wanted`` holds the ids of the sessions; empty is all there are, whenever they come."""

    cursor = ""  # a watch begins anew, it does not resume

    def __init__(
        self,
        configured: Mapping[str, Viewed],
        wanted: frozenset[str],
        heartbeat: float,
        news: News,
        clock: Clock,
    ) -> None:
        self._configured = configured
        self._wanted = wanted
        self._heartbeat = heartbeat
        self._news = news
        self._clock = clock
        self._stream_sequence = 0
        self._heartbeat_at = 0.0  # by the event loop's clock
        self._sent: _Shown = {}

    @property
    def lag(self) -> int:
        """Sessions that have changed since what was sent last."""
        changes = self._changes(self._look())
        return len(changes.sessions) + len(changes.removed_session_ids)

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Serialised responses without an end; raises Draining when the server goes down."""
        seen = self._news.count
        self._sent = self._look()
        yield self._message(snapshot=pb.SessionSnapshot(sessions=self._sent.values()))
        while not self._news.closed:
            patience = self._heartbeat_at - asyncio.get_running_loop().time()
            told = await self._news.beyond(seen, patience)
            seen = self._news.count
            found = self._look()
            changes = self._changes(found)
            if changes.ByteSize():
                self._sent = found
                yield self._message(changes=changes)
                await asyncio.sleep(GAP)
            elif not told and not self._news.closed:
                yield self._message(heartbeat=pb.SessionHeartbeat(server_time=timestamp(self._clock())))
        yield self._message(ending=DRAINING)
        raise Draining

    def _look(self) -> _Shown:
        names = sorted(self._configured)
        return {
            name: sessions.session(self._configured[name].view())
            for name in names
            if not self._wanted or name in self._wanted
        }

    def _changes(self, found: _Shown) -> pb.SessionChanges:
        return pb.SessionChanges(
            sessions=[session for name, session in found.items() if session != self._sent.get(name)],
            removed_session_ids=[name for name in self._sent if name not in found],
        )

    def _message(self, **payload: Any) -> bytes:
        self._stream_sequence += 1
        self._heartbeat_at = asyncio.get_running_loop().time() + self._heartbeat
        message = pb.WatchSessionsResponse(
            stream_sequence=self._stream_sequence, send_time=timestamp(self._clock()), **payload
        )
        return message.SerializeToString()


DRAINING = execution_service_pb2.StreamEnding(
    reason=execution_service_pb2.STREAM_ENDING_REASON_DRAINING, retry_after=Duration(seconds=1)
)
