"""An account's end of day: at which moment it is to be cancelled and flat, and which of those moments have not been kept.

Each local date has one run at most. Which dates are settled, kept or given up, is remembered by the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

from fairlead_server.domain.calendar import Calendar, instant
from fairlead_server.domain.trading_day import TradingDay

_DAY: Final = timedelta(days=1)
_BACK: Final = 30  # days: of what was missed before, nothing is said
_HORIZON: Final = 400  # days


class Run(NamedTuple):
    day: date
    time: datetime


class EndOfDay(Struct, frozen=True):
    """``at`` is local time of the zone, or of the calendar; None is the calendar's cut-off."""

    account_id: str
    zone: ZoneInfo
    at: time | None = None
    calendar_id: str = ""  # of the days on which it closes; empty: every week alike
    weekdays: frozenset[int] = frozenset(range(7))  # Monday is 0
    flatten: bool = True  # else live orders are cancelled, and positions stay
    grace: timedelta = timedelta(minutes=30)  # for so long a run that was missed is still made
    resume: bool = True  # when the account's next day begins
    own_day: TradingDay = TradingDay()

    def time_on(self, day: date, calendar: Calendar | None) -> datetime | None:
        """None: that date has no run.

        Where a calendar closes before ``at``, as on half a day, it is that day's cut-off, and without one the close.
        """
        if day.weekday() not in self.weekdays:
            return None
        zone = self.zone if calendar is None else calendar.zone
        wanted = None if self.at is None else instant(zone, day, self.at)
        if calendar is None:
            return wanted
        closes = calendar.close_time(day)
        if closes is None or (wanted is not None and wanted < closes):
            return wanted if closes is not None else None
        return calendar.cut_off_time(day) or closes

    def next_run(self, now: datetime, calendar: Calendar | None) -> Run | None:
        """The first after ``now``; None: not within a year."""
        return next(
            (run for run in self._runs(self.date_of(now) - _DAY, _HORIZON, calendar) if run.time > now), None
        )

    def due(self, settled: date, now: datetime, calendar: Calendar | None) -> tuple[Run, ...]:
        """Those of later dates than ``settled`` whose time has come, oldest first; none that are older than a month."""
        today = self.date_of(now)
        first = max(settled + _DAY, today - _BACK * _DAY)
        runs = self._runs(first, (today - first).days + 2, calendar)
        return tuple(run for run in runs if run.time <= now)

    def settled_before(self, now: datetime, calendar: Calendar | None) -> date:
        """What counts as settled where nothing was watched up to ``now``."""
        today = self.date_of(now)
        runs = self.due(today - _BACK * _DAY, now, calendar)
        return max(runs[-1].day, today - _DAY) if runs else today - _DAY

    def date_of(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    def lapses(self, run: Run) -> datetime:
        """From when on it is too late: the grace is over, or the account's next day has begun."""
        return min(run.time + self.grace, self.resumes(run.time))

    def resumes(self, paused: datetime) -> datetime:
        return self.own_day.end(self.own_day.of(paused))

    def _runs(self, first: date, days: int, calendar: Calendar | None) -> Iterator[Run]:
        for day in (first + n * _DAY for n in range(days)):
            time = self.time_on(day, calendar)
            if time is not None:
                yield Run(day, time)
