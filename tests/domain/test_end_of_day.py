"""When an account's day ends: weekdays, zones and calendars, half days, changes of the clocks; and what has come due."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.end_of_day import EndOfDay, Run
from fairlead_server.domain.trading_day import TradingDay
from msgspec.structs import replace

from tests.domain.test_calendar import FUTURES, KOLKATA, NEW_YORK, SHARES, WEEKDAYS, at

INDIA = EndOfDay("ACC1", KOLKATA, time(15, 25), weekdays=WEEKDAYS)
EVERY_NIGHT = EndOfDay("ACC1", NEW_YORK, time(1, 30))
LEAP = EndOfDay("ACC1", NEW_YORK, time(2, 30))
BY_CUT_OFF = EndOfDay("ACC1", NEW_YORK, calendar_id="XNYS")
LATE = EndOfDay("ACC1", NEW_YORK, time(15, 55), "XNYS")
FRIDAYS = EndOfDay("ACC1", NEW_YORK, calendar_id="XNYS", weekdays=frozenset({4}))
OVER_NIGHT = EndOfDay("ACC1", FUTURES.zone, calendar_id="CME")


@pytest.mark.parametrize(
    ("end", "calendar", "now", "day", "moment"),
    [
        (INDIA, None, "2026-11-20T09:54:59", date(2026, 11, 20), "2026-11-20T09:55"),
        (INDIA, None, "2026-11-20T09:55:00", date(2026, 11, 23), "2026-11-23T09:55"),  # over the weekend
        (
            EVERY_NIGHT,
            None,
            "2026-11-01T00:00",
            date(2026, 11, 1),
            "2026-11-01T05:30",
        ),  # comes twice: the first
        (EVERY_NIGHT, None, "2026-11-01T05:30", date(2026, 11, 2), "2026-11-02T06:30"),
        (LEAP, None, "2026-03-08T00:00", date(2026, 3, 8), "2026-03-08T07:00"),  # is skipped: the jump
        (
            BY_CUT_OFF,
            SHARES,
            "2026-11-25T20:50",
            date(2026, 11, 27),
            "2026-11-27T17:45",
        ),  # a holiday, half a day
        (BY_CUT_OFF, SHARES, "2026-11-27T17:45", date(2026, 11, 30), "2026-11-30T20:50"),
        (
            BY_CUT_OFF,
            SHARES,
            "2026-10-30T19:50",
            date(2026, 11, 2),
            "2026-11-02T20:50",
        ),  # summer time has ended
        (LATE, SHARES, "2026-11-25T00:00", date(2026, 11, 25), "2026-11-25T20:55"),
        (LATE, SHARES, "2026-11-27T00:00", date(2026, 11, 27), "2026-11-27T17:45"),  # closed by then
        (FRIDAYS, SHARES, "2026-11-23T00:00", date(2026, 11, 27), "2026-11-27T17:45"),
        (OVER_NIGHT, FUTURES, "2026-11-20T21:45", date(2026, 11, 23), "2026-11-23T21:45"),
    ],
)
def test_the_next_run(end: EndOfDay, calendar: Calendar | None, now: str, day: date, moment: str) -> None:
    assert end.next_run(at(now), calendar) == Run(day, at(moment))


def test_where_a_day_has_no_cut_off_the_close_is_the_last_moment_to_say_so() -> None:
    bare = replace(SHARES, cut_off=None, special_days=())
    assert BY_CUT_OFF.time_on(date(2026, 11, 25), bare) == at("2026-11-25T21:00")


def test_a_calendar_that_never_opens_has_no_run() -> None:
    assert BY_CUT_OFF.next_run(at("2026-11-25"), replace(SHARES, spans=(), special_days=())) is None


@pytest.mark.parametrize(
    ("settled", "now", "days"),
    [
        (date(2026, 11, 19), "2026-11-20T09:54:59", []),
        (date(2026, 11, 19), "2026-11-20T09:55:00", [20]),
        (date(2026, 11, 20), "2026-11-20T09:55:00", []),
        (date(2026, 11, 20), "2026-11-22T23:00:00", []),
        (date(2026, 11, 18), "2026-11-23T10:00:00", [19, 20, 23]),
        (date(2026, 11, 21), "2026-11-20T10:00:00", []),  # a clock that was set back
    ],
)
def test_what_is_due(settled: date, now: str, days: list[int]) -> None:
    assert [run.day.day for run in INDIA.due(settled, at(now), None)] == days


def test_of_what_is_older_than_a_month_nothing_is_said() -> None:
    runs = INDIA.due(date(2024, 1, 1), at("2026-11-20T10:00"), None)
    assert (runs[0].day, runs[-1].day) == (date(2026, 10, 21), date(2026, 11, 20))


@pytest.mark.parametrize("now", ["2026-11-20T09:54", "2026-11-20T09:55", "2026-11-22T12:00"])
def test_who_begins_to_watch_has_missed_nothing_and_misses_nothing(now: str) -> None:
    settled, following = INDIA.settled_before(at(now), None), INDIA.next_run(at(now), None)
    assert following is not None
    assert INDIA.due(settled, at(now), None) == ()
    assert INDIA.due(settled, following.time, None) == (following,)


@pytest.mark.parametrize(
    ("own_day", "lapses"),
    [
        (TradingDay(), "2026-11-20T10:25"),
        (TradingDay(ZoneInfo("Asia/Kolkata"), time(15, 30)), "2026-11-20T10:00"),  # its next day has begun
    ],
)
def test_when_it_is_too_late(own_day: TradingDay, lapses: str) -> None:
    end = replace(INDIA, own_day=own_day)
    assert end.lapses(Run(date(2026, 11, 20), at("2026-11-20T09:55"))) == at(lapses)


def test_it_opens_again_with_the_accounts_next_day() -> None:
    end = replace(INDIA, own_day=TradingDay(KOLKATA, time(8)))
    paused: datetime = at("2026-11-20T09:55") + timedelta(minutes=3)
    assert end.resumes(paused) == at("2026-11-21T08:00", KOLKATA)
