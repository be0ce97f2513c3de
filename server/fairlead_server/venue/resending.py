"""Answers ResendRequest(2) from the journal: one request after the other, each in steps of bounded size.

Reading the journal takes time, and what was decided last may not be committed yet, so this is the one thing that a
session waits for. Meanwhile the session itself holds back what it sends (see :mod:`fairlead_server.fix.session`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from fairlead_server.domain.errors import StoreUnavailable
from fairlead_server.fix import tags
from fairlead_server.fix.errors import FixError
from fairlead_server.fix.events import ResendWanted
from fairlead_server.fix.message import decode
from fairlead_server.fix.session import Sent
from fairlead_server.store.database import StoreError

_log = logging.getLogger(__name__)

STEP = 256  # journal rows read at once


class Journal(Protocol):
    """What was sent, as the store has it."""

    def sent(self, session_id: str, epoch: int, begin: int, end: int) -> list[Sent]: ...


class Resending:
    """``answer`` is given each part with its rows; ``give_up`` is told why no answer can be had.

    ``rate`` is how many messages a second are sent again.
    """

    def __init__(
        self,
        session_id: str,
        journal: Journal,
        durable: Callable[[], Awaitable[None]],
        answer: Callable[[ResendWanted, Sequence[Sent]], None],
        give_up: Callable[[Exception], None],
        rate: Callable[[], int],
    ) -> None:
        self._session_id = session_id
        self._journal = journal
        self._durable = durable
        self._answer = answer
        self._give_up = give_up
        self._rate = rate
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
            step = min(
                STEP, self._rate()
            )  # so that no pause is longer than a second: heartbeats wait behind it
            for begin in range(wanted.begin, wanted.end + 1, step):
                part = replace(wanted, begin=begin, end=min(begin + step - 1, wanted.end))
                rows = await self._rows(part)
                self._answer(part, rows)
                if part.end < wanted.end:  # a flood at once would have a broker close the connection
                    await asyncio.sleep(len(rows) / self._rate())
        except (StoreUnavailable, StoreError) as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001 - and logged
            _log.exception("%s: the answer to a resend request died", self._session_id)
            self._give_up(error)  # else the session would hold back for ever what it sends

    async def _rows(self, part: ResendWanted) -> Sequence[Sent]:
        return await asyncio.to_thread(self._journal.sent, self._session_id, part.epoch, part.begin, part.end)


def cl_ord_id(sent: Sent) -> str:
    """Empty if the row is damaged: that is never sent again, and its order asked about as one that nobody answers."""
    try:
        return decode(sent.frame).get(tags.CL_ORD_ID) or ""
    except FixError:
        _log.error("message %d of the journal, epoch %d, is damaged", sent.msg_seq_num, sent.epoch)
        return ""
