"""A token bucket: how many things may happen within a time, exact to the microsecond.

A bucket holds at most ``burst`` tokens and gains ``rate`` of them a second, so that whoever takes only what is there takes
at most ``burst + rate x t`` within any ``t`` seconds. It begins empty, where what the process before us has taken is not
known and matters, or full.
Whole numbers only: a second's worth of a token's millionth is one microsecond's gain, and nothing is ever rounded away.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_TOKEN = 1_000_000  # the parts of one token: at one a second, a microsecond brings one part
_SET_BACK = -1_000_000  # microseconds: a second is waited for again, an hour is not
_MICROSECOND = timedelta(microseconds=1)
_NO_WAIT = timedelta()


class TokenBucket:
    """One owner. The same time again brings nothing, and a clock that was set back goes on from there."""

    def __init__(self, rate: int, burst: int, now: datetime, *, full: bool = False) -> None:
        if rate < 1 or burst < 1:
            raise ValueError(f"a bucket needs a rate and a burst of at least 1, not {rate} and {burst}")
        self._rate = rate
        self._most = burst * _TOKEN
        self._parts = self._most if full else 0
        self._at = now

    def take(self, now: datetime) -> None:
        """Take a token. One that is not there is owed: it is for the caller to :meth:`wait`, or to have a reason."""
        self._gain(now)
        self._parts -= _TOKEN

    def wait(self, now: datetime) -> timedelta:
        """How long until there is a token; zero: there is one."""
        self._gain(now)
        missing = _TOKEN - self._parts
        return -(-missing // self._rate) * _MICROSECOND if missing > 0 else _NO_WAIT

    def tokens(self, now: datetime) -> int:
        """How many whole ones there are; below zero where more were taken."""
        self._gain(now)
        return self._parts // _TOKEN

    def _gain(self, now: datetime) -> None:
        passed = (now - self._at) // _MICROSECOND
        if passed > 0:
            self._parts = min(self._parts + passed * self._rate, self._most)
        if passed > 0 or passed < _SET_BACK:
            self._at = now


class Pace:
    """How many messages a session takes, and how many cancels beyond those: what takes risk away need not wait for what adds it."""

    def __init__(self, messages: TokenBucket, cancels: TokenBucket | None = None) -> None:
        self._messages = messages
        self._cancels = cancels

    def wait(self, now: datetime, *, cancel: bool) -> timedelta:
        """How long until a message may go; zero: it may now."""
        usual = self._messages.wait(now)
        if not usual or not cancel or self._cancels is None:
            return usual
        return min(usual, self._cancels.wait(now))

    def take(self, now: datetime, *, cancel: bool) -> None:
        """A message goes. A cancel takes what is its own only when nothing else is left."""
        own = self._cancels if cancel and self._messages.wait(now) else None
        (own or self._messages).take(now)
