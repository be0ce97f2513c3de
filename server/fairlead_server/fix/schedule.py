"""When a session is to be connected, and when its numbers start again at 1, as instants.

What brokers publish are weekdays and local times ("Sunday 18:00 to Friday 17:00, New York"). They are turned into UTC
instants first and compared only then, so that neither midnight, nor two zones, nor the clocks' changes are cases of
their own. Two rules say what a local time means on the days on which the clocks change:

* a time that comes twice is the first of the two;
* a time that the clocks skip is the moment at which they jump. Hours that lie wholly in what is skipped do not open.

So what is later on the clock is never earlier in fact. All instants are aware and UTC; zones come in with the times.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, NamedTuple

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_REACH: Final = timedelta(days=9)  # the longest window is a week, and local dates differ from UTC's by one
_FORTNIGHT: Final = timedelta(days=14)
_HORIZON: Final = timedelta(
    days=400
)  # a year holds all that the clocks do; zones disagree for a few weeks of it


@dataclass(frozen=True, slots=True)
class Window:
    """Open at ``start``, closed at ``end``, which is later."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Hours:
    """Open from ``start`` on each of the weekdays (Monday is 0) to the next ``end``, each by the clocks of its zone.

    The next ``end`` may be on the next day, and is that of ``end_weekday`` if there is one: a week at the most.
    """

    weekdays: frozenset[int]  # of the start's zone
    start: time
    end: time
    end_weekday: int | None = None  # of the end's zone

    def __post_init__(self) -> None:
        _check_zone(self.start)
        _check_zone(self.end)

    def window(self, day: date) -> Window | None:
        """The one that starts on this day. None: the clocks skip all of it."""
        start = _Moment.of(day, self.start)
        end = self._end(start)
        return Window(start.instant, end.instant) if start.instant < end.instant else None

    def _end(self, start: _Moment) -> _Moment:
        day = start.instant.astimezone(self.end.tzinfo).date() - _DAY  # what is skipped may lie before it
        end = _Moment.of(day, self.end)
        while end <= start or self.end_weekday not in (None, day.weekday()):
            day += _DAY
            end = _Moment.of(day, self.end)
        return end


@dataclass(frozen=True, slots=True)
class Reset:
    """Both numbers go back to 1 at this time of the weekdays, holidays or not, whether connected or not."""

    weekdays: frozenset[int]
    at: time

    def __post_init__(self) -> None:
        _check_zone(self.at)


@dataclass(frozen=True, slots=True)
class Schedule:
    hours: tuple[Hours, ...]
    reset_times: tuple[Reset, ...] = ()
    holidays: frozenset[date] = frozenset()  # local dates on which no window starts

    @classmethod
    def always(cls, reset_times: tuple[Reset, ...] = ()) -> Schedule:
        midnight = time(0, tzinfo=UTC)
        return cls((Hours(frozenset({0}), midnight, midnight, end_weekday=0),), reset_times)

    def is_open(self, now: datetime) -> bool:
        return any(window.start <= now < window.end for window in self._starting(now - _REACH, now))

    def next_change(self, now: datetime) -> datetime | None:
        """The next opening or closing after ``now``. None: not for a year beyond the last holiday, so never."""
        for until in (now + _FORTNIGHT, max([now, *map(_midnight, self.holidays)]) + _HORIZON):
            for window in _merged(self._starting(now - _REACH, until)):
                for change in (window.start, window.end):
                    if now < change < until:
                        return change
        return None

    def windows(self, begin: datetime, end: datetime) -> list[Window]:
        """Those that overlap [begin, end), merged where they touch.

        Each is whole, but for what lies more than a fortnight outside: a session may never close.
        """
        first, last = begin - _FORTNIGHT, end + _FORTNIGHT
        return [
            Window(max(window.start, first), min(window.end, last))
            for window in _merged(self._starting(first - _REACH, last))
            if window.start < end and begin < window.end
        ]

    def resets(self, begin: datetime, end: datetime) -> list[datetime]:
        """The instants in [begin, end) at which the numbers start again, ascending."""
        instants = {
            _Moment.of(day, reset.at).instant
            for reset in self.reset_times
            for day in _days(begin, end)
            if day.weekday() in reset.weekdays
        }
        return sorted(instant for instant in instants if begin <= instant < end)

    def last_reset(self, now: datetime) -> datetime | None:
        """The latest that is not after ``now``: numbers that were last used before it are out of date."""
        return max(self.resets(now - _REACH, now + timedelta.resolution), default=None)

    def next_reset(self, now: datetime) -> datetime | None:
        return min(self.resets(now + timedelta.resolution, now + _REACH), default=None)

    def day_start(self, time: datetime) -> datetime:
        """When the day began that ``time`` is of.

        Days begin at the local times of the resets, or without any at those of the openings, on whatever weekday.
        """
        turns = [reset.at for reset in self.reset_times] or [hours.start for hours in self.hours]
        starts = (_Moment.of(day, at).instant for day in _days(time - _DAY, time) for at in turns)
        return max(start for start in starts if start <= time)

    def _starting(self, begin: datetime, end: datetime) -> Iterator[Window]:
        """All that start from ``begin`` to ``end``, perhaps a few more, in no order."""
        for day in _days(begin, end):
            for hours in self.hours:
                if day.weekday() in hours.weekdays and day not in self.holidays:
                    window = hours.window(day)
                    if window is not None:
                        yield window


class _Moment(NamedTuple):
    """A local time as an instant. Moments that the clocks skip share theirs and are still in order."""

    instant: datetime
    reading: datetime

    @classmethod
    def of(cls, day: date, at: time) -> _Moment:
        local = datetime.combine(day, at)
        old = local.replace(fold=0).astimezone(UTC)  # by the offset before a change of the clocks
        new = local.replace(fold=1).astimezone(UTC)  # by the one after it: earlier if they skip this time
        return cls(_jump(new, old, local.tzinfo) if new < old else old, min(old, new))


def _jump(begin: datetime, end: datetime, zone: tzinfo | None) -> datetime:
    """The second between the two, the later one included, at which the zone's clocks jump."""
    seconds = range((end - begin) // _SECOND)
    offset = begin.astimezone(zone).utcoffset()

    def jumped(second: int) -> bool:
        return (begin + second * _SECOND).astimezone(zone).utcoffset() != offset

    return begin + bisect_left(seconds, True, key=jumped) * _SECOND


def _merged(windows: Iterable[Window]) -> Iterator[Window]:
    ascending = iter(sorted(windows, key=lambda window: window.start))
    whole = next(ascending, None)
    if whole is None:
        return
    for window in ascending:
        if whole.end < window.start:
            yield whole
            whole = window
        else:
            whole = Window(whole.start, max(whole.end, window.end))
    yield whole


def _days(begin: datetime, end: datetime) -> Iterator[date]:
    """The local dates, of whatever zone, on which something between the two can lie."""
    first = begin.date() - _DAY
    return (first + timedelta(days=n) for n in range((end.date() - first).days + 2))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _check_zone(at: time) -> None:
    if at.tzinfo is None:
        raise ValueError(f"{at} is of no zone")
