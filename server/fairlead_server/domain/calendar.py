"""When a market is open: weekdays and local times, turned into instants day by day.

Times follow the clocks of the calendar's zone. On the days on which those change, a time that comes twice is the first of
the two, and one that is skipped is the moment at which they jump; hours that lie wholly in what is skipped do not open.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_HORIZON: Final = 400  # days: a year holds all that the clocks do


class Hours(Struct, frozen=True):
    """From ``start`` to ``end``, local time. An ``end`` that is not after ``start`` lies on the next day."""

    start: time
    end: time


class Span(Struct, frozen=True):
    """Hours that begin on each of the weekdays (Monday is 0)."""

    weekdays: frozenset[int]
    start: time
    end: time


class SpecialDay(Struct, frozen=True):
    """What begins on this local date instead of the spans, such as half a day."""

    day: date
    hours: tuple[Hours, ...]
    cut_off: time | None = None  # None: that of the calendar


class Window(NamedTuple):
    """Open at ``start``, closed at ``end``, and no new orders from ``cut_off`` on, if there is one between them."""

    start: datetime
    end: datetime
    cut_off: datetime | None


class Calendar(Struct, frozen=True):
    calendar_id: str
    zone: ZoneInfo
    spans: tuple[Span, ...]
    holidays: frozenset[date] = frozenset()  # local dates on which nothing begins
    special_days: tuple[SpecialDay, ...] = ()
    cut_off: time | None = None  # local time: the end of the day for new orders, before that of trading

    def __hash__(self) -> int:
        return hash((self.calendar_id, self.zone.key, len(self.holidays)))

    def is_open(self, now: datetime) -> bool:
        return self._current(now) is not None

    def after_cut_off(self, now: datetime) -> bool:
        """Whether it is open, and takes no new orders any more."""
        window = self._current(now)
        return window is not None and window.cut_off is not None and window.cut_off <= now

    def next_open(self, now: datetime) -> datetime | None:
        """When it opens next, after ``now``; None: not within a year."""
        return next((window.start for window in self._ahead(now) if now < window.start), None)

    def next_close(self, now: datetime) -> datetime | None:
        """When it closes next, after ``now``; None: not within a year, if it is open at all."""
        window = next(self._ahead(now), None)
        last = now + (_HORIZON - 2) * _DAY
        return None if window is None or window.end > last else window.end

    def cut_off_time(self, day: date) -> datetime | None:
        """When the hours that close on this local date take no new orders any more; None: there are none, or to the end."""
        cut_offs = [
            window.cut_off
            for begun in (day - _DAY, day)
            for window in self.windows(begun)
            if self._date(window.end - timedelta.resolution) == day
        ]
        return cut_offs[-1] if cut_offs else None

    def close_time(self, day: date) -> datetime | None:
        """When it closes for the last time on this local date; None: it does not."""
        ends = [window.end for begun in (day - _DAY, day) for window in self.windows(begun)]
        return max((end for end in ends if self._date(end - timedelta.resolution) == day), default=None)

    def windows(self, day: date) -> tuple[Window, ...]:
        """Those that begin on this local date, in order."""
        return _windows(self, day)

    def problems(self) -> Iterator[tuple[str, str]]:
        """What cannot be meant: field, and what is wrong with it."""
        special = [each.day for each in self.special_days]
        for day in sorted({day for day in special if special.count(day) > 1}):
            yield "special_days", f"{day} stands here twice"
        for day in sorted(self.holidays.intersection(special)):
            yield "special_days", f"{day} is a holiday"
        if not self.spans and not self.special_days:
            yield "spans", "is empty: it would never open"

    def _current(self, now: datetime) -> Window | None:
        today = self._date(now)
        for day in (today, today - _DAY):
            for window in self.windows(day):
                if window.start <= now < window.end:
                    return window
        return None

    def _date(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    def _ahead(self, now: datetime) -> Iterator[Window]:
        """Those that end after ``now``, merged where they touch."""
        first = self._date(now) - _DAY
        windows = (window for n in range(_HORIZON) for window in self.windows(first + n * _DAY))
        return (window for window in _merged(windows) if window.end > now)


@lru_cache(maxsize=4096)
def _windows(calendar: Calendar, day: date) -> tuple[Window, ...]:
    special = next((each for each in calendar.special_days if each.day == day), None)
    cut_off = calendar.cut_off
    hours: list[Hours | Span]
    if special is not None:
        hours, cut_off = [*special.hours], special.cut_off or cut_off
    elif day in calendar.holidays:
        return ()
    else:
        hours = [span for span in calendar.spans if day.weekday() in span.weekdays]
    found = (_window(calendar.zone, day, each, cut_off) for each in hours)
    return tuple(sorted(window for window in found if window is not None))


def _window(zone: ZoneInfo, day: date, hours: Hours | Span, cut_off: time | None) -> Window | None:
    last = day if hours.start < hours.end else day + _DAY
    start, end = instant(zone, day, hours.start), instant(zone, last, hours.end)
    if start >= end:
        return None
    cuts = [] if cut_off is None else [instant(zone, each, cut_off) for each in (day, last)]
    return Window(start, end, max((cut for cut in cuts if start <= cut < end), default=None))


def instant(zone: ZoneInfo, day: date, at: time) -> datetime:
    local = datetime.combine(day, at, zone)
    old = local.replace(fold=0).astimezone(UTC)  # by the offset before a change of the clocks
    new = local.replace(fold=1).astimezone(UTC)  # by the one after it: earlier if they skip this time
    return _jump(zone, new, old) if new < old else old


def _jump(zone: ZoneInfo, begin: datetime, end: datetime) -> datetime:
    """The second between the two at which the clocks jump."""
    before = begin.astimezone(zone).utcoffset()

    def jumped(second: int) -> bool:
        return (begin + second * _SECOND).astimezone(zone).utcoffset() != before

    return begin + bisect_left(range((end - begin) // _SECOND), True, key=jumped) * _SECOND


def _merged(windows: Iterable[Window]) -> Iterator[Window]:
    whole: Window | None = None
    for window in windows:
        if whole is None or whole.end < window.start:
            if whole is not None:
                yield whole
            whole = window
        else:
            whole = whole._replace(end=max(whole.end, window.end))
    if whole is not None:
        yield whole
