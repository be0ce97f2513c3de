"""Watches of the FIX sessions, over as many streams as it takes.

Each stream begins with all sessions. What a watch yields is only what is news to its reader: sessions that look
different from when they were last yielded, and those that are gone.
"""

from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from contextlib import aclosing
from typing import NamedTuple, TypeAlias

from fairlead.errors import FairleadError, StreamLost
from fairlead.following import Resumption
from fairlead.retry import Retry
from fairlead.streams import AsyncStreams, Streams
from fairlead.v1.session_service_pb2 import Session, WatchSessionsRequest, WatchSessionsResponse


class SessionRemoved(NamedTuple):
    """The session is not configured any more."""

    session_id: str


SessionUpdate: TypeAlias = Session | SessionRemoved


class SessionFollower:
    """What one watcher knows. Owned by one watch."""

    finished = False  # a watch has no end of its own

    def __init__(self, request: WatchSessionsRequest, retry: Retry) -> None:
        self._request = request
        self._streams = Resumption(retry)
        self._known: dict[str, Session] = {}

    def opening(self) -> WatchSessionsRequest:
        self._streams.begin()
        return self._request

    def deliver(self, message: WatchSessionsResponse) -> Iterator[SessionUpdate]:
        self._streams.count(message.stream_sequence)
        self._streams.came_through()
        match message.WhichOneof("payload"):
            case "snapshot":
                self._streams.opened()
                present = {session.session_id for session in message.snapshot.sessions}
                yield from self._changed(message.snapshot.sessions)
                yield from self._removed(sorted(self._known.keys() - present))
            case "changes":
                yield from self._changed(message.changes.sessions)
                yield from self._removed(message.changes.removed_session_ids)
            case "ending":
                self._streams.ending(message.ending)
            case _:  # a heartbeat, or what a newer server adds
                return

    def ended(self) -> None:
        raise StreamLost("the server ended the stream")

    def failed(self, error: FairleadError) -> float:
        return self._streams.failed(error)

    def _changed(self, sessions: Iterable[Session]) -> Iterator[Session]:
        for session in sessions:
            if session != self._known.get(session.session_id):
                self._known[session.session_id] = session
                yield session

    def _removed(self, session_ids: Iterable[str]) -> Iterator[SessionRemoved]:
        for session_id in session_ids:
            if self._known.pop(session_id, None) is not None:
                yield SessionRemoved(session_id)


class AsyncSessionWatch(AsyncStreams[WatchSessionsRequest, WatchSessionsResponse, SessionUpdate]):
    """Follows the sessions in asyncio; iterating leaves out those that are removed, ``updates()`` does not."""

    async def __aiter__(self) -> AsyncGenerator[Session, None]:
        async with aclosing(self.updates()) as updates:
            async for update in updates:
                if isinstance(update, Session):
                    yield update


class SessionWatch(Streams[WatchSessionsRequest, WatchSessionsResponse, SessionUpdate]):
    """Follows the sessions in the calling thread; iterating leaves out those that are removed, ``updates()`` does not."""

    def __iter__(self) -> Generator[Session, None, None]:
        for update in self.updates():
            if isinstance(update, Session):
                yield update
