"""Brings what the peer sends into the order of MsgSeqNum(34): holds what came early, knows what is missing.

One request is outstanding at a time, on a clock of its own; progress winds the clock up again.
"""

import heapq
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fairlead_server.fix.message import Message

MAX_HELD: Final = 10_000
MAX_HELD_BYTES: Final = 16 * 1024 * 1024


@dataclass(slots=True)
class Request:
    """Our ResendRequest(2) for ``begin`` to ``end``; ``begin`` follows what has arrived of it."""

    begin: int
    end: int
    asked_at: datetime
    tries: int = 1


class Inbox:
    def __init__(self, next_in: int) -> None:
        self.next_in = next_in
        self.request: Request | None = None
        self._early: dict[int, Message | None] = {}
        self._order: list[int] = []  # a heap of the numbers in _early
        self._bytes = 0
        self._floor = next_in

    def hold(self, number: int, message: Message | None) -> None:
        """Keep a message that came early; None if it has been acted on and only its number is wanted.

        Beyond the limits it is dropped: the peer will be asked for it.
        """
        size = 0 if message is None else len(message.raw)
        full = len(self._early) >= MAX_HELD or self._bytes + size > MAX_HELD_BYTES
        if number in self._early or full:
            return
        self._early[number] = message
        heapq.heappush(self._order, number)
        self._bytes += size

    def skip_to(self, new_seq_no: int) -> None:
        """The peer will not send what is missing below this number. What is already held still counts."""
        self._floor = max(self._floor, new_seq_no)

    def take(self) -> Message | None:
        """The held message that is due now, if there is one; its number is next_in, which the caller moves on."""
        while True:
            lowest = self._order[0] if self._order else None
            if lowest == self.next_in:
                heapq.heappop(self._order)
                message = self._early.pop(lowest)
                if message is not None:
                    self._bytes -= len(message.raw)
                    return message
                self.next_in += 1
            elif self.next_in < self._floor:
                self.next_in = self._floor if lowest is None else min(self._floor, lowest)
            else:
                return None

    def missing(self) -> tuple[int, int] | None:
        """First and last number of the gap before what is held."""
        return (self.next_in, self._order[0] - 1) if self._order else None

    def settle(self, now: datetime) -> None:
        """After next_in has moved: is our request met, or at least progressing?"""
        request = self.request
        if request is None:
            return
        if self.next_in > request.end:
            self.request = None
        elif self.next_in > request.begin:
            self.request = Request(self.next_in, request.end, now)
