"""Answers ResendRequest(2) from the journal: one request after the other, each in steps of bounded size.

Reading the journal takes time, and what was decided last may not be committed yet, so this is the one thing that a
session waits for. Meanwhile the session itself holds back what it sends (see :mod:`fairlead_server.fix.session`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from fairlead_server.domain.errors import StoreUnavailable
from fairlead_server.fix.events import ResendWanted
from fairlead_server.fix.session import Sent
from fairlead_server.store.database import StoreError

_STEP = 256  # journal rows read at once


class Journal(Protocol):
    """What was sent, as the store has it."""

    def sent(self, session_id: str, epoch: int, begin: int, end: int) -> list[Sent]: ...


class Resending:
    """``answer`` is given each part with its rows; ``give_up`` is told why no answer can be had."""

    def __init__(
        self,
        session_id: str,
        journal: Journal,
        durable: Callable[[], Awaitable[None]],
        answer: Callable[[ResendWanted, Sequence[Sent]], None],
        give_up: Callable[[Exception], None],
    ) -> None:
        self._session_id = session_id
        self._journal = journal
        self._durable = durable
        self._answer = answer
        self._give_up = give_up
        self.last: asyncio.Task[None] | None = None

    def begin(self, wanted: ResendWanted) -> None:
        self.last = asyncio.create_task(self._work(wanted, self.last))

    def stop(self) -> None:
        """The connection that wanted it is gone."""
        if self.last is not None:
            self.last.cancel()
            self.last = None

    async def _work(self, wanted: ResendWanted, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await previous
        try:
            await self._durable()
            for begin in range(wanted.begin, wanted.end + 1, _STEP):
                part = replace(wanted, begin=begin, end=min(begin + _STEP - 1, wanted.end))
                self._answer(part, await self._rows(part))
        except (StoreUnavailable, StoreError) as error:
            self._give_up(error)

    async def _rows(self, part: ResendWanted) -> Sequence[Sent]:
        return await asyncio.to_thread(self._journal.sent, self._session_id, part.epoch, part.begin, part.end)
