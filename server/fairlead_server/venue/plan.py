"""What a schedule says next, worked out once for as long as it holds: to look a year ahead takes milliseconds.

Every look at a session asks for it, and there may be a hundred sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fairlead_server.fix.schedule import Schedule

_LONGEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """Holds from ``since`` to before ``until``."""

    schedule: Schedule
    since: datetime
    until: datetime
    opens: datetime | None
    closes: datetime | None
    next_reset: datetime | None

    @classmethod
    def at(cls, schedule: Schedule, now: datetime) -> Plan:
        change, reset = schedule.next_change(now), schedule.next_reset(now)
        after = None if change is None else schedule.next_change(change)
        opens, closes = (after, change) if schedule.is_open(now) else (change, after)
        until = min(time for time in (change, reset, now + _LONGEST) if time is not None)
        return cls(schedule, now, until, opens, closes, reset)

    def holds(self, schedule: Schedule, now: datetime) -> bool:
        """Not for another schedule, nor when the clock was set back."""
        return self.schedule is schedule and self.since <= now < self.until

    @property
    def next_change(self) -> datetime | None:
        times = (self.opens, self.closes, self.next_reset)
        return min((time for time in times if time is not None), default=None)
