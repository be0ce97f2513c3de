"""When an account's day begins: daily totals and daily limits start anew then."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from msgspec import Struct

_DAY = timedelta(days=1)


class TradingDay(Struct, frozen=True):
    """A day begins at ``start``, local time, and has the date on which it does.

    It ends where the next begins, so that a change of the clocks makes it longer or shorter and never gives an instant
    two days.
    """

    zone: tzinfo = UTC
    start: time = time()

    def of(self, now: datetime) -> date:
        found = now.astimezone(self.zone).date()
        while now < self.begin(found):
            found -= _DAY
        while now >= self.end(found):
            found += _DAY
        return found

    def begin(self, day: date) -> datetime:
        return datetime.combine(day, self.start, self.zone).astimezone(UTC)

    def end(self, day: date) -> datetime:
        """The first moment that is not in it any more."""
        return self.begin(day + _DAY)
