"""The prices of an instrument over the last while: how low, how high, and what was its mean over the time.

What a price is compared with that may move, but not at once. Kept in a bounded number of slices, however many prices come:
what has left the window is forgotten to the slice. A slice is a :data:`SLICES`-th of the window, or as long as one price held.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Final

SLICES: Final = 30
_MICROSECOND: Final = timedelta(microseconds=1)


class _Slice:
    """From ``begin`` to the next one's. ``area`` is price times microseconds, as far as it has been counted."""

    __slots__ = ("area", "begin", "high", "low")

    def __init__(self, begin: datetime, price: Decimal) -> None:
        self.begin = begin
        self.low = self.high = price
        self.area = Decimal(0)


class MovingReference:
    """Each price holds until the next. Of one instrument; times only go on."""

    def __init__(self, window: timedelta, price: Decimal, time: datetime) -> None:
        self.window = window
        self._width = window / SLICES
        self._begin(price, time)

    def _begin(self, price: Decimal, time: datetime) -> None:
        self._slices = deque([_Slice(time, price)])
        self._price, self._time = price, time

    def add(self, price: Decimal, time: datetime) -> None:
        """One that is older than the last, which somebody has then forced, begins anew with it."""
        if time < self._time:
            self._begin(price, time)
            return
        last = self._slices[-1]
        edge = last.begin + self._width
        if time > edge:  # what has held so far goes on from there by itself, however long it did
            last.area += self._price * _micros(edge - self._time)
            self._time, last = edge, _Slice(edge, self._price)
            self._slices.append(last)
        last.area += self._price * _micros(time - self._time)
        if time - last.begin >= self._width:
            self._slices.append(_Slice(time, price))
        else:
            last.low, last.high = min(last.low, price), max(last.high, price)
        self._forget(time)
        self._price, self._time = price, time

    def low(self, now: datetime) -> Decimal:
        return min(slice_.low for slice_ in self._within(now))

    def high(self, now: datetime) -> Decimal:
        return max(slice_.high for slice_ in self._within(now))

    def mean(self, now: datetime) -> Decimal:
        """Each price weighs as much as the time for which it held within the window."""
        area, counted, since = Decimal(0), 0, now - self.window
        slices = self._within(now)
        ends = [*(each.begin for each in slices[1:]), max(now, self._time)]
        for each, end in zip(slices, ends, strict=True):
            whole, within = _micros(end - each.begin), _micros(end - max(each.begin, since))
            if whole > 0:
                held = self._price * _micros(end - self._time) if each is slices[-1] else 0
                area += (each.area + held) * within / whole
                counted += within
        return area / counted if counted else self._price

    def _within(self, now: datetime) -> list[_Slice]:
        """Those that reach into the window; of the last, what holds still is all that does in the end."""
        self._forget(now)
        last = self._slices[-1]
        if last.begin + self._width <= now - self.window:
            last = _Slice(self._time, self._price)
        return [*islice(self._slices, len(self._slices) - 1), last]

    def _forget(self, now: datetime) -> None:
        since = now - self.window
        while len(self._slices) > 1 and self._slices[1].begin <= since:
            self._slices.popleft()


def _micros(span: timedelta) -> int:
    return span // _MICROSECOND
