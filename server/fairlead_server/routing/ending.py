"""What becomes of orders when the process ends: they stay, are cancelled, or what was asked of the venues is answered first.

New orders are refused already. What has not been answered in time goes on at the next start like after any other end.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import NotStorable, StoreUnavailable
from fairlead_server.domain.order import Flag, Order, PendingAction
from fairlead_server.domain.scope import EVERYTHING
from fairlead_server.domain.trading_state import selection_of
from fairlead_server.domain.vocabulary import Word
from fairlead_server.routing.book import Book
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.news import News
from fairlead_server.routing.pipeline import Pipeline

_log = logging.getLogger(__name__)


class OnShutdown(Word):
    LEAVE = "LEAVE"
    CANCEL_ALL = "CANCEL_ALL"
    DRAIN = "DRAIN"  # until what was asked is answered


class Ending:
    def __init__(self, book: Book, pipeline: Pipeline, mass_cancels: MassCancels) -> None:
        self._book = book
        self._pipeline = pipeline
        self._mass_cancels = mass_cancels
        self._news = News()

    def committed(self) -> None:
        """Call when the book knows."""
        self._news.tell()

    async def settle(self, wanted: OnShutdown, seconds: float, request_id: str, now: datetime) -> None:
        """Takes no longer than ``seconds``; ``request_id`` is that of the mass cancel."""
        if wanted is OnShutdown.LEAVE:
            return
        if wanted is OnShutdown.CANCEL_ALL:
            self._cancel(request_id, now)
        end = asyncio.get_running_loop().time() + seconds
        while self._open() and not self._pipeline.broken:
            seen, left = self._news.count, end - asyncio.get_running_loop().time()
            if left <= 0 or not await self._news.beyond(seen, left):
                break
        if unanswered := self._open():
            _log.error("%d orders are unanswered at the end: %s", len(unanswered), ", ".join(unanswered[:20]))

    def _cancel(self, request_id: str, now: datetime) -> None:
        try:
            done = self._mass_cancels.cancel(
                request_id, selection_of(EVERYTHING), Cause(Initiator.SYSTEM), now
            )
        except (NotStorable, StoreUnavailable) as error:
            _log.error("not every order is cancelled at the end: %s", error)
        else:
            _log.warning("the process ends: %d cancels are asked for", done.requested)

    def _open(self) -> list[str]:
        """The orders that a venue has yet to say something of."""
        return [order.order_id for order in self._book.all_live() if _waits(order)]


def _waits(order: Order) -> bool:
    return order.pending_action is not PendingAction.NONE and Flag.IN_DOUBT not in order.flags
