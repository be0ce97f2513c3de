"""Which orders wait for a word of their venue, and when something is to be done about it.

An order waits while a message about it has no answer at all, while it is in doubt, and while it has been asked about and
nothing has come. It is asked about, then doubted, then asked about and shown to a person again and again, at intervals that
double. Only deadlines are kept here: what is unanswered follows from the orders, and waits begin anew at each logon, so
that time counts only while the venue could have answered.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from fairlead_server.domain.venue_rules import VenueRules

ASK, DOUBT, AGAIN = 0, 1, 2  # the steps of a wait; whatever comes after them is AGAIN, too
_NEVER = timedelta()
_LONGEST = timedelta(hours=1)
_DOUBLINGS = 12  # more would be longer than the longest in any case


class Wait(Struct, frozen=True):
    """``about`` is the ClOrdID(11) that is unanswered, empty where some other word is waited for."""

    order_id: str
    about: str
    since: datetime
    step: int
    due: datetime


StillWaits = Callable[[Wait], bool]


class InFlight:
    """Of one session. One wait an order; ``asked`` are those that were asked about after a reset and not heard of since."""

    def __init__(self, still: StillWaits) -> None:
        self._still = still
        self._waits: dict[str, Wait] = {}
        self._heap: list[tuple[datetime, int, Wait]] = []  # what is over goes when it is reached
        self._count = 0  # of all waits ever, which keeps the heap from comparing them
        self.asked: set[str] = set()

    def clear(self) -> None:
        """The connection is gone, and with it the chance of an answer."""
        self._waits.clear()
        self._heap.clear()
        self.asked.clear()

    def begin(self, order_id: str, about: str, rules: VenueRules, now: datetime, step: int = ASK) -> None:
        """Unless the order waits already, is due earlier, and nothing else has become the oldest that is unanswered."""
        wait = _wait(order_id, about, now, step, rules, now)
        known = self._waits.get(order_id)
        if wait is not None and (known is None or known.due > wait.due or about not in ("", known.about)):
            self._put(wait)

    def deadline(self) -> datetime | None:
        """The earliest of those that still wait."""
        while self._heap:
            due, _, wait = self._heap[0]
            if self._waits.get(wait.order_id) is wait:
                if self._still(wait):
                    return due
                del self._waits[wait.order_id]
            heapq.heappop(self._heap)
        return None

    def take(self, rules: VenueRules, now: datetime) -> Wait | None:
        """One that is due, and has its next step ahead of it from now on."""
        due = self.deadline()
        if due is None or due > now:
            return None
        wait = heapq.heappop(self._heap)[2]
        del self._waits[wait.order_id]
        then = _wait(wait.order_id, wait.about, wait.since, wait.step + 1, rules, now)
        if then is not None:
            self._put(then)
        return wait

    def _put(self, wait: Wait) -> None:
        self._waits[wait.order_id] = wait
        self._count += 1
        heapq.heappush(self._heap, (wait.due, self._count, wait))


def _wait(
    order_id: str, about: str, since: datetime, step: int, rules: VenueRules, now: datetime
) -> Wait | None:
    """None where nothing more is to be done."""
    warn, alarm = rules.inflight_warn, rules.inflight_alarm
    if step == ASK and warn > _NEVER:
        return Wait(order_id, about, since, ASK, now + warn)
    if alarm <= _NEVER:
        return None
    if step <= DOUBT:
        return Wait(order_id, about, since, DOUBT, max(since + alarm, now))
    longer = alarm * 2 ** min(step - AGAIN, _DOUBLINGS)
    return Wait(order_id, about, since, step, now + min(longer, max(alarm, _LONGEST)))
