"""A plan is what the schedule says, for as long as it is said to hold."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from fairlead_server.fix.schedule import Hours, Reset, Schedule
from fairlead_server.venue.plan import Plan

WORKDAYS = frozenset(range(5))
HOURS = Hours(WORKDAYS, time(7, tzinfo=UTC), time(19, tzinfo=UTC))
OFFICE = Schedule((HOURS,), (Reset(WORKDAYS, time(20, tzinfo=UTC)),))
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("schedule", [OFFICE, Schedule.always(), Schedule((HOURS,)), Schedule(())])
@pytest.mark.parametrize("hour", range(0, 24 * 7, 5))
def test_it_says_the_same_until_it_holds_no_more(schedule: Schedule, hour: int) -> None:
    now = MONDAY + hour * HOUR
    plan = Plan.at(schedule, now)
    last = plan.until - timedelta.resolution
    assert plan.holds(schedule, last)
    later = Plan.at(schedule, last)
    assert (plan.opens, plan.closes, plan.next_reset) == (later.opens, later.closes, later.next_reset)
    assert not plan.holds(schedule, plan.until)


def test_it_holds_neither_for_another_schedule_nor_for_a_clock_that_was_set_back() -> None:
    plan = Plan.at(OFFICE, MONDAY)
    assert plan.holds(OFFICE, MONDAY)
    assert not plan.holds(Schedule((HOURS,)), MONDAY)
    assert not plan.holds(OFFICE, MONDAY - timedelta.resolution)


def test_what_comes_next_is_the_earliest() -> None:
    assert Plan.at(OFFICE, MONDAY).next_change == MONDAY + 7 * HOUR
    assert Plan.at(OFFICE, MONDAY + 19 * HOUR).next_change == MONDAY + 20 * HOUR
    assert Plan.at(Schedule.always(), MONDAY).next_change is None
