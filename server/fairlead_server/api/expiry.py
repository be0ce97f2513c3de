"""What is told to somebody who asks for a part of the log that is not kept any more."""

from __future__ import annotations

import asyncio
from typing import Protocol

from fairlead_server.api.tokens import TokenError, Tokens
from fairlead_server.store.batch import EventRow
from fairlead_server.store.events import EventQuery

EXPIRED = "CURSOR_EXPIRED"


class Log(Protocol):
    def events_after(self, sequence: int, limit: int, query: EventQuery | None = None) -> list[EventRow]: ...


async def expired(log: Log, tokens: Tokens, floor: int, field: str, filter_id: int) -> TokenError:
    """The error, which names where the log begins."""
    (first,) = await asyncio.to_thread(log.events_after, floor, 1)  # the last event of all is always kept
    text = f"older than what the log keeps, which begins at {first.time.isoformat()}; begin with a snapshot"
    cursor, time = tokens.cursor(floor, filter_id), first.time.isoformat()
    return TokenError(field, EXPIRED, text, earliest_cursor=cursor, earliest_time=time)
