"""What waits to be sent on one session, and in which order it leaves.

What takes risk away goes before what adds some: mass cancels, single ones, then amends that only reduce, other amends, questions about
orders in doubt, and new orders last; within each of them first in, first out. What adds risk has a deadline, so that it is
never sent later than its sender would want it; a cancel has none.

An entry names its order, and does not keep it: whether it still makes sense is seen when its turn has come.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from enum import IntEnum

from msgspec import Struct

from fairlead_server.domain.order import Request
from fairlead_server.domain.reject import RejectReason


class Turn(IntEnum):
    MASS_CANCEL = 0  # a cancel that may go out with others of its mass cancel, in one message
    CANCEL = 1
    REDUCE = 2
    AMEND = 3
    INQUIRY = 4
    NEW = 5
    ASKED = 6  # an operator wants to know, and no order has to wait for that


class Waiting(Struct, frozen=True):
    """``request_id`` is empty where the order itself is meant; ``reason`` is why it is refused when it is late."""

    turn: Turn
    order_id: str
    request_id: str = ""
    deadline: datetime | None = None
    reason: RejectReason = RejectReason.ROUTER_SESSION_THROTTLED


def cancel_waiting(order_id: str, cancel: Request) -> Waiting:
    """One that has not gone out in any way."""
    turn = Turn.MASS_CANCEL if cancel.mass_cancel_id else Turn.CANCEL
    return Waiting(turn, order_id, cancel.request_id)


_CANCELS = (Turn.MASS_CANCEL, Turn.CANCEL)
_Key = tuple[str, str]  # order_id, request_id


class Queue:
    """Each entry once. Costs the same however many wait."""

    def __init__(self) -> None:
        self._turns: dict[Turn, OrderedDict[_Key, Waiting]] = {turn: OrderedDict() for turn in Turn}
        # A heap; entries that have left go when reached.
        self._deadlines: list[tuple[datetime, int, Waiting]] = []
        self._count = 0  # of all that ever had a deadline, which keeps the heap from comparing entries
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, waiting: Waiting) -> None:
        entries = self._turns[waiting.turn]
        if _key(waiting) in entries:
            return
        entries[_key(waiting)] = waiting
        self._size += 1
        if waiting.deadline is not None:
            self._count += 1
            heapq.heappush(self._deadlines, (waiting.deadline, self._count, waiting))

    @property
    def cancel_is_next(self) -> bool:
        return any(self._turns[turn] for turn in _CANCELS)

    def pop(self) -> Waiting:
        """The one whose turn it is. There must be one."""
        entries = next(filter(None, self._turns.values()))
        self._size -= 1
        return entries.popitem(last=False)[1]

    def has(self, order_id: str, request_id: str) -> bool:
        return any((order_id, request_id) in entries for entries in self._turns.values())

    def drop(self, turn: Turn, order_id: str, request_id: str = "") -> None:
        if self._turns[turn].pop((order_id, request_id), None) is not None:
            self._size -= 1

    def late(self, now: datetime) -> Iterator[Waiting]:
        """Take out what has reached its deadline."""
        while (due := self.deadline()) is not None and due <= now:
            waiting = heapq.heappop(self._deadlines)[2]
            self.drop(waiting.turn, waiting.order_id, waiting.request_id)
            yield waiting

    def all_but_cancels(self) -> list[Waiting]:
        """Take them out: only cancels outlive a connection."""
        taken = [waiting for turn in Turn if turn not in _CANCELS for waiting in self._turns[turn].values()]
        for waiting in taken:
            self.drop(waiting.turn, waiting.order_id, waiting.request_id)
        return taken

    def deadline(self) -> datetime | None:
        """The earliest of those that wait."""
        while self._deadlines:
            deadline, _, waiting = self._deadlines[0]
            if self._turns[waiting.turn].get(_key(waiting)) is waiting:
                return deadline
            heapq.heappop(self._deadlines)
        return None


def _key(waiting: Waiting) -> _Key:
    return waiting.order_id, waiting.request_id
