"""A schedule is what a broker publishes, turned into instants: over midnight, over zones, over changes of the clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.fix.schedule import Hours, Reset, Schedule, Window
from hypothesis import given
from hypothesis import strategies as st

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
WEEKDAYS = frozenset({MON, TUE, WED, THU, FRI})
EVERY_DAY = frozenset(range(7))
NEW_YORK = ZoneInfo("America/New_York")
MADRID = ZoneInfo("Europe/Madrid")
APIA = ZoneInfo("Pacific/Apia")
ZONES = [
    NEW_YORK,
    MADRID,
    ZoneInfo("Australia/Lord_Howe"),  # changes by half an hour
    ZoneInfo("Asia/Kolkata"),  # never changes
    ZoneInfo("Africa/Cairo"),  # skips midnight
    ZoneInfo("Pacific/Apia"),  # skipped a whole day in 2011
    ZoneInfo("UTC"),
]


def daily(start: str, end: str, zone: ZoneInfo = NEW_YORK, weekdays: frozenset[int] = WEEKDAYS) -> Schedule:
    return Schedule((Hours(weekdays, at(start, zone), at(end, zone)),))


def at(text: str, zone: ZoneInfo) -> time:
    return time.fromisoformat(text).replace(tzinfo=zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plan(schedule: Schedule, begin: str, end: str) -> list[str]:
    """``03-06 14:30 - 03-06 21:00``, in UTC."""
    return [
        f"{window.start:%m-%d %H:%M} - {window.end:%m-%d %H:%M}"
        for window in schedule.windows(utc(begin), utc(end))
    ]


def test_a_window_holds_its_start_and_not_its_end() -> None:
    shares = daily("09:30", "16:00")
    tick = timedelta(microseconds=1)
    opening, closing = utc("2026-11-20T14:30"), utc("2026-11-20T21:00")

    assert [shares.is_open(now) for now in (opening - tick, opening)] == [False, True]
    assert [shares.is_open(now) for now in (closing - tick, closing)] == [True, False]


def test_nothing_starts_on_a_day_that_is_not_named() -> None:
    assert plan(daily("09:30", "16:00"), "2026-11-20", "2026-11-24") == [
        "11-20 14:30 - 11-20 21:00",  # a Friday
        "11-23 14:30 - 11-23 21:00",
    ]


def test_hours_that_end_where_they_start_or_before_end_on_the_next_day() -> None:
    night = daily("18:00", "17:00", weekdays=frozenset({SUN, MON}))
    round_the_clock = daily("17:00", "17:00", weekdays=frozenset({MON, TUE}))

    assert plan(night, "2026-11-15", "2026-11-21") == [
        "11-15 23:00 - 11-16 22:00",
        "11-16 23:00 - 11-17 22:00",
    ]
    assert plan(round_the_clock, "2026-11-15", "2026-11-21") == ["11-16 22:00 - 11-18 22:00"]  # they touch


def test_a_week_is_one_window_if_its_last_day_is_named() -> None:
    week = Schedule((Hours(frozenset({SUN}), at("18:00", NEW_YORK), at("17:00", NEW_YORK), end_weekday=FRI),))

    assert plan(week, "2026-11-15", "2026-11-28") == [
        "11-15 23:00 - 11-20 22:00",
        "11-22 23:00 - 11-27 22:00",
    ]
    assert week.is_open(utc("2026-11-18T04:00"))
    assert not week.is_open(utc("2026-11-21T04:00"))


def test_a_week_that_ends_where_it_starts_is_always_open() -> None:
    week = Schedule((Hours(frozenset({SUN}), at("18:00", NEW_YORK), at("18:00", NEW_YORK), end_weekday=SUN),))

    assert week.is_open(utc("2026-11-15T22:59:59"))
    assert week.next_change(utc("2026-11-15T22:59:59")) is None


@pytest.mark.parametrize(
    ("day", "start", "end", "open_at", "closed_at"),
    [
        # Monday to Friday from 23:55 in Madrid to 17:05 in New York, which is on the next day in both.
        ("2022-05-09", at("23:55", MADRID), at("17:05", NEW_YORK), "2022-05-09T21:55", "2022-05-10T21:05"),
        # In the evening of New York's next day, over midnight in UTC.
        ("2025-11-04", at("23:30", ZoneInfo("UTC")), at("17:30", NEW_YORK), "2025-11-04T23:30", "2025-11-05T22:30"),
        # Starts on the date of Tokyo and ends on that of New York, which is still the day before.
        ("2026-11-17", at("08:00", ZoneInfo("Asia/Tokyo")), at("20:00", NEW_YORK), "2026-11-16T23:00", "2026-11-17T01:00"),
    ],
)  # fmt: skip
def test_the_end_is_the_next_such_time_in_its_own_zone(
    day: str, start: time, end: time, open_at: str, closed_at: str
) -> None:
    hours = Hours(WEEKDAYS, start, end)

    assert hours.window(date.fromisoformat(day)) == Window(utc(open_at), utc(closed_at))


def test_zones_that_change_their_clocks_on_different_days_are_each_right_in_between() -> None:
    overlap = Schedule((Hours(WEEKDAYS, at("14:30", MADRID), at("17:00", NEW_YORK)),))

    assert plan(overlap, "2026-03-06", "2026-03-10") == [
        "03-06 13:30 - 03-06 22:00",
        "03-09 13:30 - 03-09 21:00",
    ]
    assert plan(overlap, "2026-03-30", "2026-03-31") == ["03-30 12:30 - 03-30 21:00"]


def test_windows_follow_the_clocks_in_both_directions() -> None:
    night = daily("18:00", "17:00", weekdays=EVERY_DAY)

    assert plan(night, "2026-03-07T12:00", "2026-03-08T12:00") == [
        "03-06 23:00 - 03-07 22:00",
        "03-07 23:00 - 03-08 21:00",  # an hour short
    ]
    assert plan(night, "2026-10-31T12:00", "2026-11-01T12:00") == [
        "10-30 22:00 - 10-31 21:00",
        "10-31 22:00 - 11-01 22:00",  # an hour long
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("02:30", "04:00", ["03-08 07:00 - 03-08 08:00"]),  # opens when 01:59:59 is followed by 03:00
        ("01:30", "02:30", ["03-08 06:30 - 03-08 07:00"]),
        ("02:15", "02:45", []),
        ("02:00", "03:00", []),
        ("02:45", "02:15", ["03-08 07:00 - 03-09 06:15"]),
        ("03:00", "02:30", ["03-08 07:00 - 03-09 06:30"]),
        ("02:00", "02:00", ["03-08 07:00 - 03-09 06:00"]),
    ],
)
def test_a_time_that_the_clocks_skip_is_when_they_jump(start: str, end: str, expected: list[str]) -> None:
    assert plan(daily(start, end, weekdays=frozenset({SUN})), "2026-03-08", "2026-03-09") == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("01:30", "02:30", "11-01 05:30 - 11-01 07:30"),
        ("00:30", "01:30", "11-01 04:30 - 11-01 05:30"),
        ("01:15", "01:45", "11-01 05:15 - 11-01 05:45"),  # and not again an hour later
        ("01:30", "01:30", "11-01 05:30 - 11-02 06:30"),
    ],
)
def test_a_time_that_comes_twice_is_the_first(start: str, end: str, expected: str) -> None:
    assert plan(daily(start, end, weekdays=frozenset({SUN})), "2026-11-01", "2026-11-02") == [expected]


def test_an_end_in_an_hour_that_comes_twice_is_not_taken_for_its_own_start() -> None:
    day = Hours(frozenset({SUN}), at("05:30", ZoneInfo("UTC")), at("01:30", NEW_YORK))

    assert day.window(date(2026, 11, 1)) == Window(utc("2026-11-01T05:30"), utc("2026-11-02T06:30"))


def test_a_day_that_a_zone_leaves_out_does_not_open() -> None:
    assert plan(daily("09:00", "17:00", APIA), "2011-12-28T12:00", "2012-01-01") == [
        "12-28 19:00 - 12-29 03:00",
        "12-29 19:00 - 12-30 03:00",  # and the zone went from Thursday the 29th to Saturday the 31st
    ]


def test_a_window_that_starts_on_a_holiday_does_not_open_and_one_that_ends_there_does() -> None:
    night = replace(daily("18:00", "17:00", weekdays=EVERY_DAY), holidays=frozenset({date(2026, 11, 26)}))

    assert plan(night, "2026-11-25T12:00", "2026-11-28") == [
        "11-24 23:00 - 11-25 22:00",
        "11-25 23:00 - 11-26 22:00",
        "11-27 23:00 - 11-28 22:00",
    ]


def test_a_session_may_have_several_hours_in_a_day() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    lunch = Schedule(
        (
            Hours(WEEKDAYS, at("12:30", tokyo), at("15:30", tokyo)),
            Hours(WEEKDAYS, at("09:00", tokyo), at("11:30", tokyo)),
        )
    )

    assert plan(lunch, "2026-11-20", "2026-11-21") == [
        "11-20 00:00 - 11-20 02:30",
        "11-20 03:30 - 11-20 06:30",
    ]


def test_windows_are_whole_even_where_they_lie_half_outside() -> None:
    shares = daily("09:30", "16:00")

    assert plan(shares, "2026-11-20T15:00", "2026-11-20T15:01") == ["11-20 14:30 - 11-20 21:00"]
    assert plan(shares, "2026-11-20T21:00", "2026-11-23T14:30") == []


def test_the_next_change_is_an_opening_or_a_closing_that_is_still_to_come() -> None:
    shares = daily("09:30", "16:00")

    assert shares.next_change(utc("2026-11-20T14:29")) == utc("2026-11-20T14:30")
    assert shares.next_change(utc("2026-11-20T14:30")) == utc("2026-11-20T21:00")
    assert shares.next_change(utc("2026-11-20T21:00")) == utc("2026-11-23T14:30")


def test_the_next_change_may_be_beyond_weeks_of_holidays() -> None:
    closed = frozenset(date(2026, 11, 20) + timedelta(days=n) for n in range(500))

    assert replace(daily("09:30", "16:00"), holidays=closed).next_change(utc("2026-11-20T00:00")) == utc(
        "2028-04-03T13:30"
    )


def test_hours_that_touch_in_summer_only_change_when_summer_ends() -> None:
    until_utc = Schedule((Hours(EVERY_DAY, at("00:00", NEW_YORK), at("04:00", ZoneInfo("UTC"))),))

    assert until_utc.next_change(utc("2026-06-01T12:00")) == utc("2026-11-02T04:00")


def test_a_session_that_is_always_open_never_changes_and_still_may_reset() -> None:
    always = Schedule.always((Reset(EVERY_DAY, at("17:00", NEW_YORK)),))
    now = utc("2026-11-20T22:00")

    assert always.is_open(now)
    assert always.next_change(now) is None
    (window,) = always.windows(now, now + timedelta(days=1))
    assert window == Window(now - timedelta(days=14), now + timedelta(days=15))
    assert always.next_reset(now) == utc("2026-11-21T22:00")


def test_a_session_without_hours_never_opens() -> None:
    never = Schedule(())
    now = utc("2026-11-20T22:00")

    assert not never.is_open(now)
    assert never.next_change(now) is None
    assert never.windows(now, now + timedelta(days=30)) == []
    assert (never.last_reset(now), never.next_reset(now)) == (None, None)


def test_numbers_are_reset_at_times_of_their_own_whether_open_or_not() -> None:
    shares = replace(
        daily("09:30", "16:00"),
        reset_times=(Reset(frozenset({SUN}), at("12:00", NEW_YORK)), Reset(WEEKDAYS, at("17:30", NEW_YORK))),
        holidays=frozenset({date(2026, 11, 2)}),
    )
    begin, end = utc("2026-10-30T21:30"), utc("2026-11-03T22:30")

    assert shares.resets(begin, end) == [
        utc("2026-10-30T21:30"),
        utc("2026-11-01T17:00"),  # the clocks went back in the night
        utc("2026-11-02T22:30"),
    ]
    assert shares.last_reset(end) == end
    assert shares.last_reset(end - timedelta(microseconds=1)) == utc("2026-11-02T22:30")
    assert shares.next_reset(begin) == utc("2026-11-01T17:00")


def test_a_reset_comes_once_even_where_its_time_comes_twice_or_not_at_all() -> None:
    nightly = Schedule((), (Reset(EVERY_DAY, at("01:30", NEW_YORK)), Reset(EVERY_DAY, at("02:30", NEW_YORK))))

    assert nightly.resets(utc("2026-11-01"), utc("2026-11-02")) == [
        utc("2026-11-01T05:30"),
        utc("2026-11-01T07:30"),
    ]
    assert nightly.resets(utc("2026-03-08"), utc("2026-03-09")) == [
        utc("2026-03-08T06:30"),
        utc("2026-03-08T07:00"),
    ]


def test_two_resets_that_the_clocks_throw_together_are_one() -> None:
    night = Schedule((), (Reset(EVERY_DAY, at("02:15", NEW_YORK)), Reset(EVERY_DAY, at("02:45", NEW_YORK))))

    assert night.resets(utc("2026-03-08"), utc("2026-03-09")) == [utc("2026-03-08T07:00")]


@pytest.mark.parametrize("times", [(time(9), time(17, tzinfo=UTC)), (time(9, tzinfo=UTC), time(17))])
def test_a_time_of_no_zone_is_refused(times: tuple[time, time]) -> None:
    with pytest.raises(ValueError, match="is of no zone"):
        Hours(WEEKDAYS, *times)
    with pytest.raises(ValueError, match="09:00:00 is of no zone"):
        Reset(WEEKDAYS, time(9))


def local_times() -> st.SearchStrategy[time]:
    return st.builds(
        lambda minutes, zone: time(minutes // 60, minutes % 60, tzinfo=zone),
        # Mostly about midnight and the small hours, where clocks change.
        st.one_of(st.integers(0, 24 * 60 - 1), st.integers(0, 16).map(lambda n: n * 15)),
        st.sampled_from(ZONES),
    )


WEEKDAY_SETS = st.frozensets(st.integers(0, 6), min_size=1)
HOURS = st.builds(Hours, WEEKDAY_SETS, local_times(), local_times(), st.none() | st.integers(0, 6))
RESETS = st.builds(Reset, WEEKDAY_SETS, local_times())
INSTANTS = st.one_of(
    st.datetimes(datetime(2009, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC)),
    # About a change of the clocks, more often than chance would have it.
    st.builds(
        lambda change, seconds: change + timedelta(seconds=seconds),
        st.sampled_from([utc(text) for text in ("2026-03-08T07:00", "2026-11-01T06:00", "2011-12-30T10:00")]),
        st.integers(-3 * 86400, 3 * 86400),
    ),
)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, datetime]:
    """With an instant of which some day around it may be a holiday."""
    now = draw(INSTANTS)
    days = st.integers(-10, 10).map(lambda n: now.date() + timedelta(days=n))
    hours = draw(st.lists(HOURS, max_size=3).map(tuple))
    resets = draw(st.lists(RESETS, max_size=2).map(tuple))
    return Schedule(hours, resets, draw(st.frozensets(days, max_size=4))), now


@given(schedules(), st.integers(1, 30 * 86400), st.data())
def test_windows_are_in_order_and_apart_and_say_when_it_is_open(
    case: tuple[Schedule, datetime], seconds: int, data: st.DataObject
) -> None:
    schedule, begin = case
    end = begin + timedelta(seconds=seconds)

    windows = schedule.windows(begin, end)

    assert all(window.start < window.end for window in windows)
    assert all(window.start < end and begin < window.end for window in windows)
    assert all(earlier.end < later.start for earlier, later in pairwise(windows))
    instants = [begin + timedelta(seconds=data.draw(st.integers(0, seconds - 1))), begin]
    instants += [edge for window in windows for edge in (window.start, window.end) if begin <= edge < end]
    for now in instants:
        assert schedule.is_open(now) is any(window.start <= now < window.end for window in windows)


@given(schedules(), st.data())
def test_nothing_opens_or_closes_before_the_next_change_and_something_does_at_it(
    case: tuple[Schedule, datetime], data: st.DataObject
) -> None:
    schedule, now = case
    is_open = schedule.is_open(now)

    change = schedule.next_change(now)

    if change is not None:
        assert change > now
        assert schedule.is_open(change) is not is_open
    seconds = int(((change or now + timedelta(days=400)) - now).total_seconds())
    between = now + timedelta(seconds=data.draw(st.integers(0, max(seconds - 1, 0))))
    assert schedule.is_open(between) is is_open


@given(HOURS, st.dates(date(2009, 1, 1), date(2030, 12, 31)))
def test_an_instant_reads_as_it_was_meant_unless_the_clocks_skipped_it(hours: Hours, day: date) -> None:
    window = hours.window(day)

    if window is not None:
        assert window.start < window.end <= window.start + timedelta(days=9)
        for instant, meant in ((window.start, hours.start), (window.end, hours.end)):
            reads = instant.astimezone(meant.tzinfo)
            before = (instant - timedelta(microseconds=1)).astimezone(meant.tzinfo)
            jumped = reads.utcoffset() != before.utcoffset()
            assert jumped or (reads.replace(tzinfo=None).time(), reads.fold) == (
                meant.replace(tzinfo=None),
                0,
            )
        start = window.start.astimezone(hours.start.tzinfo)
        assert start.date() == day or start.utcoffset() != (start - timedelta(days=2)).utcoffset()


@given(schedules(), st.integers(1, 30 * 86400))
def test_resets_are_in_order_and_the_last_and_the_next_are_among_them(
    case: tuple[Schedule, datetime], seconds: int
) -> None:
    schedule, begin = case
    end = begin + timedelta(seconds=seconds)

    resets = schedule.resets(begin, end)

    assert resets == sorted(set(resets))
    assert all(begin <= reset < end for reset in resets)
    for reset in resets:
        assert schedule.last_reset(reset) == reset
        assert schedule.next_reset(reset - timedelta(microseconds=1)) == reset
    for earlier, later in pairwise(resets):
        assert schedule.next_reset(earlier) == later
        assert schedule.last_reset(later - timedelta(microseconds=1)) == earlier


def test_a_day_begins_when_the_numbers_do_or_else_when_it_opens() -> None:
    week = Schedule((Hours(frozenset({SUN}), at("18:00", NEW_YORK), at("17:00", NEW_YORK), FRI),))
    resets = replace(week, reset_times=(Reset(frozenset({SUN}), at("17:30", NEW_YORK)),))
    tick = timedelta(microseconds=1)

    assert week.day_start(utc("2026-11-18T12:00")) == utc("2026-11-17T23:00")
    assert week.day_start(utc("2026-11-18T23:00") - tick) == utc("2026-11-17T23:00")
    assert week.day_start(utc("2026-11-18T23:00")) == utc("2026-11-18T23:00")
    assert resets.day_start(utc("2026-11-18T22:30")) == utc("2026-11-18T22:30")
    assert Schedule.always().day_start(utc("2026-11-18T22:30")) == utc("2026-11-18T00:00")


@given(st.sampled_from(ZONES), st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)), st.times())
def test_a_day_has_begun_and_is_no_longer_than_two(zone: ZoneInfo, moment: datetime, opens: time) -> None:
    begins, now = opens.replace(tzinfo=zone), moment.replace(tzinfo=UTC)
    start = Schedule((Hours(EVERY_DAY, begins, begins),)).day_start(now)

    assert start <= now < start + timedelta(days=2)
