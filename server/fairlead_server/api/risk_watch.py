"""One watcher's stream of risk events: read from the store, in pages, for as long as there are more; then it waits for news."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from typing import Protocol

from fairlead.v1 import risk_service_pb2 as pb

from fairlead_server.api import risk
from fairlead_server.api.session_watch import DRAINING
from fairlead_server.domain.errors import Draining
from fairlead_server.domain.risk.events import RiskEvent
from fairlead_server.routing.news import News

_PAGE = 500


class RiskReader(Protocol):
    def risk_events_after(
        self, sequence: int, limit: int, account_ids: Collection[str] = ()
    ) -> list[RiskEvent]: ...


class RiskWatch:
    cursor = ""  # the sequence of the last message says where to resume

    def __init__(
        self, reader: RiskReader, after: int, account_ids: frozenset[str], heartbeat: float, news: News
    ) -> None:
        self._reader = reader
        self._sequence = after
        self._account_ids = account_ids
        self._heartbeat = heartbeat
        self._news = news

    @property
    def lag(self) -> int:
        """Of how many it does not know: they are in the store."""
        return 0

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Serialised responses without an end; raises Draining when the server goes down.

        The first says at once where it begins, so that whoever has asked from now on can resume there.
        """
        yield self._message([])
        while not self._news.closed:
            seen = self._news.count
            found = await asyncio.to_thread(
                self._reader.risk_events_after, self._sequence, _PAGE, self._account_ids
            )
            if found:
                self._sequence = found[-1].sequence
                yield self._message(found)
            elif not await self._news.beyond(seen, self._heartbeat) and not self._news.closed:
                yield self._message([])
        last = pb.WatchRiskEventsResponse(sequence=self._sequence, ending=DRAINING)
        yield last.SerializeToString()
        raise Draining

    def _message(self, found: list[RiskEvent]) -> bytes:
        message = pb.WatchRiskEventsResponse(events=risk.events(found), sequence=self._sequence)
        return message.SerializeToString()
