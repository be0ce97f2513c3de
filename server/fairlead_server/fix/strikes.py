"""What goes wrong again and again, counted over the connections of a session, so that no loop is endless.

A peer that thrice in a row found numbers too low, or five times in a row no Logon(A) to its liking, will not like the
next one either: an operator must act.
"""

from datetime import timedelta
from typing import Final

_MAX_TOO_LOW: Final = 3  # connections in a row that lived for less than ...
_TOO_LOW_WINDOW: Final = timedelta(minutes=1)
MAX_REFUSED: Final = 5


class Strikes:
    def __init__(self) -> None:
        self._too_low = 0
        self._refused = 0
        self._well = False  # whether this connection has been logged on, and no number has been too low on it

    def clear(self) -> None:
        self._too_low = self._refused = 0

    def too_low(self, lived: timedelta) -> bool:
        """Once more, on a connection that lived so long. Is it enough?"""
        self._well = False
        self._too_low = self._too_low + 1 if lived <= _TOO_LOW_WINDOW else 1
        return self._too_low >= _MAX_TOO_LOW

    def refused(self) -> bool:
        """One more Logon(A), the peer's or ours. Is it enough?"""
        self._refused += 1
        return self._refused >= MAX_REFUSED

    def accepted(self) -> None:
        self._refused = 0
        self._well = True

    def ended(self) -> None:
        """The connection is over; one that went well ends the row of those that did not."""
        if self._well:
            self._too_low = 0
        self._well = False
