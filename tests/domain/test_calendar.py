"""Trading hours as instants: over midnight, on half days, on days on which the clocks change; and when a day ends for orders."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.calendar import Calendar, Hours, Span, SpecialDay
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

WEEKDAYS = frozenset(range(5))
NEW_YORK, CHICAGO, KOLKATA = (
    ZoneInfo("America/New_York"),
    ZoneInfo("America/Chicago"),
    ZoneInfo("Asia/Kolkata"),
)
HALF = SpecialDay(date(2026, 11, 27), (Hours(time(9, 30), time(13)),), time(12, 45))
SHARES = Calendar(
    "XNYS",
    NEW_YORK,
    (Span(WEEKDAYS, time(9, 30), time(16)),),
    frozenset({date(2026, 11, 26), date(2026, 12, 25)}),
    (HALF,),
    time(15, 50),
)
INDIA = Calendar("XNSE", KOLKATA, (Span(WEEKDAYS, time(9, 15), time(15, 30)),), cut_off=time(15, 25))
FUTURES = Calendar(
    "CME", CHICAGO, (Span(frozenset({6, 0, 1, 2, 3}), time(17), time(16)),), cut_off=time(15, 45)
)
NON_STOP = Calendar("FX", ZoneInfo("UTC"), (Span(frozenset(range(7)), time(0), time(0)),))
LUNCH = Calendar(
    "XTKS",
    ZoneInfo("Asia/Tokyo"),
    (Span(WEEKDAYS, time(12, 30), time(15, 30)), Span(WEEKDAYS, time(9), time(11, 30))),
    cut_off=time(15, 20),
)


def at(text: str, zone: ZoneInfo | None = None) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone or UTC).astimezone(UTC)


@pytest.mark.parametrize(
    ("calendar", "local", "is_open", "is_cut_off"),
    [
        (SHARES, "2026-11-25T15:49:59", True, False),
        (SHARES, "2026-11-25T15:50:00", True, True),
        (SHARES, "2026-11-25T16:00:00", False, False),  # closed is no matter of the cut-off
        (SHARES, "2026-11-26T12:00:00", False, False),  # a holiday
        (SHARES, "2026-11-27T12:44:59", True, False),  # half a day
        (SHARES, "2026-11-27T12:45:00", True, True),
        (SHARES, "2026-11-27T13:00:00", False, False),
        (SHARES, "2026-11-30T15:00:00", True, False),
        (INDIA, "2026-11-20T15:24:59", True, False),
        (INDIA, "2026-11-20T15:25:00", True, True),
        (FUTURES, "2026-11-22T17:00:00", True, False),  # Sunday evening, over midnight
        (FUTURES, "2026-11-22T23:59:59", True, False),
        (FUTURES, "2026-11-23T15:44:59", True, False),
        (FUTURES, "2026-11-23T15:45:00", True, True),
        (FUTURES, "2026-11-23T16:30:00", False, False),
        (FUTURES, "2026-11-23T17:00:00", True, False),  # the next day
        (FUTURES, "2026-11-27T17:00:00", False, False),
        (LUNCH, "2026-11-20T11:29:59", True, False),  # the morning has no end of its own
        (LUNCH, "2026-11-20T12:00:00", False, False),
        (LUNCH, "2026-11-20T15:20:00", True, True),
    ],
)
def test_open_closed_and_cut_off(calendar: Calendar, local: str, *, is_open: bool, is_cut_off: bool) -> None:
    now = at(local, calendar.zone)

    assert (calendar.is_open(now), calendar.after_cut_off(now)) == (is_open, is_cut_off)


@pytest.mark.parametrize(
    ("calendar", "now", "opens", "closes"),
    [
        (SHARES, "2026-11-25T12:00:00", "2026-11-27T09:30:00", "2026-11-25T16:00:00"),
        (SHARES, "2026-11-25T16:00:00", "2026-11-27T09:30:00", "2026-11-27T13:00:00"),
        (SHARES, "2026-11-27T09:30:00", "2026-11-30T09:30:00", "2026-11-27T13:00:00"),
        (SHARES, "2026-11-27T09:29:59", "2026-11-27T09:30:00", "2026-11-27T13:00:00"),
        (FUTURES, "2026-11-23T12:00:00", "2026-11-23T17:00:00", "2026-11-23T16:00:00"),
        (FUTURES, "2026-11-28T12:00:00", "2026-11-29T17:00:00", "2026-11-30T16:00:00"),
        (LUNCH, "2026-11-20T10:00:00", "2026-11-20T12:30:00", "2026-11-20T11:30:00"),
        # The clocks go forward on 8 March and back on 1 November.
        (SHARES, "2026-03-06T16:00:00", "2026-03-09T09:30:00", "2026-03-09T16:00:00"),
        (SHARES, "2026-10-30T16:00:00", "2026-11-02T09:30:00", "2026-11-02T16:00:00"),
    ],
)
def test_the_next_opening_and_closing(calendar: Calendar, now: str, opens: str, closes: str) -> None:
    found = calendar.next_open(at(now, calendar.zone)), calendar.next_close(at(now, calendar.zone))

    assert found == (at(opens, calendar.zone), at(closes, calendar.zone))


def test_what_never_closes_and_what_never_opens_again() -> None:
    now = at("2026-11-20T12:00:00")
    once = Calendar("ONCE", NEW_YORK, (), special_days=(HALF,))

    assert NON_STOP.is_open(now)
    assert (NON_STOP.next_open(now), NON_STOP.next_close(now)) == (None, None)
    assert once.next_open(now) == at("2026-11-27T09:30:00", NEW_YORK)
    assert once.next_open(at("2026-12-01T00:00:00")) is None
    assert once.next_close(at("2026-12-01T00:00:00")) is None


@pytest.mark.parametrize(
    ("calendar", "day", "cut_off"),
    [
        (SHARES, "2026-11-25", "2026-11-25T15:50:00"),
        (SHARES, "2026-11-26", None),
        (SHARES, "2026-11-27", "2026-11-27T12:45:00"),
        (SHARES, "2026-11-28", None),
        (FUTURES, "2026-11-22", None),  # what opens on Sunday closes on Monday
        (FUTURES, "2026-11-23", "2026-11-23T15:45:00"),
        (FUTURES, "2026-11-27", "2026-11-27T15:45:00"),
        (LUNCH, "2026-11-20", "2026-11-20T15:20:00"),
        (NON_STOP, "2026-11-20", None),
        (SHARES, "2026-03-09", "2026-03-09T15:50:00"),
    ],
)
def test_when_a_day_ends_for_orders(calendar: Calendar, day: str, cut_off: str | None) -> None:
    found = calendar.cut_off_time(date.fromisoformat(day))

    assert found == (None if cut_off is None else at(cut_off, calendar.zone))


@pytest.mark.parametrize("special", [None, time(13, 30)])
def test_a_cut_off_that_is_not_before_the_end_cuts_nothing(special: time | None) -> None:
    other = replace(SHARES, special_days=(replace(HALF, cut_off=special),))

    assert other.cut_off_time(HALF.day) is None
    assert not other.after_cut_off(at("2026-11-27T12:59:59", NEW_YORK))


@pytest.mark.parametrize(
    ("start", "end", "opens", "closes"),
    [
        ((1, 30), (3, 30), "2026-03-08T06:30:00", "2026-03-08T07:30:00"),  # one hour, not two
        ((2, 30), (4, 0), "2026-03-08T07:00:00", "2026-03-08T08:00:00"),  # the start is skipped
        ((1, 0), (2, 30), "2026-03-08T06:00:00", "2026-03-08T07:00:00"),  # the end is
    ],
)
def test_hours_over_a_night_in_which_an_hour_is_skipped(
    start: tuple[int, int], end: tuple[int, int], opens: str, closes: str
) -> None:
    night = Calendar("NIGHT", NEW_YORK, (Span(frozenset({6}), time(*start), time(*end)),))

    (window,) = night.windows(date(2026, 3, 8))

    assert (window.start, window.end) == (at(opens), at(closes))


def test_hours_that_are_skipped_do_not_open_and_those_that_come_twice_are_longer() -> None:
    skipped = Calendar("NIGHT", NEW_YORK, (Span(frozenset({6}), time(2, 10), time(2, 50)),))
    twice = Calendar(
        "NIGHT", NEW_YORK, (Span(frozenset({6}), time(0, 30), time(1, 30)),), cut_off=time(1, 15)
    )
    over = Calendar("NIGHT", NEW_YORK, (Span(frozenset({6}), time(0, 30), time(3)),))

    assert skipped.windows(date(2026, 3, 8)) == ()
    (window,) = twice.windows(date(2026, 11, 1))
    assert (window.start, window.end) == (
        at("2026-11-01T04:30:00"),
        at("2026-11-01T05:30:00"),
    )  # the first 01:30
    assert window.cut_off == at("2026-11-01T05:15:00")
    (window,) = over.windows(date(2026, 11, 1))
    assert window.end - window.start == timedelta(hours=3, minutes=30)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"special_days": (HALF, HALF)}, ("special_days", "2026-11-27 stands here twice")),
        ({"holidays": frozenset({HALF.day})}, ("special_days", "2026-11-27 is a holiday")),
        ({"spans": (), "special_days": ()}, ("spans", "is empty: it would never open")),
    ],
)
def test_what_cannot_be_meant(changes: dict[str, object], problem: tuple[str, str]) -> None:
    assert list(replace(SHARES, **changes).problems()) == [problem]
    assert list(SHARES.problems()) == []


@given(
    st.sampled_from([SHARES, FUTURES, INDIA, LUNCH]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)
def test_it_is_open_from_each_opening_to_the_next_closing(calendar: Calendar, now: datetime) -> None:
    opens, closes, instant = calendar.next_open(now), calendar.next_close(now), timedelta.resolution

    assert opens is not None
    assert closes is not None
    assert calendar.is_open(now) is (closes < opens)
    assert calendar.is_open(opens)
    assert not calendar.is_open(opens - instant)
    assert calendar.is_open(closes - instant)
    assert not calendar.is_open(closes)
