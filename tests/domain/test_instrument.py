"""Trading hours are local wall-clock times: they cross midnight, weeks and changes of daylight saving."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.calendar import Calendar, Span
from fairlead_server.domain.instrument import ReferencePrice, TickBand
from msgspec.structs import replace

from tests.domain.builders import instrument

WEEKDAYS = frozenset(range(5))
NEW_YORK = ZoneInfo("America/New_York")
SHARES = Calendar("XNYS", NEW_YORK, (Span(WEEKDAYS, time(9, 30), time(16)),))
FUTURES = Calendar(
    "CME", ZoneInfo("America/Chicago"), (Span(frozenset({6, 0, 1, 2, 3}), time(17), time(16)),)
)
"""Sunday 17:00 to Friday 16:00 with an hour's pause each day."""


def at(text: str, zone: ZoneInfo | None = None) -> datetime:
    local = datetime.fromisoformat(text)
    return local.replace(tzinfo=zone or UTC).astimezone(UTC)


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        ("2026-11-20T09:29:59.999999", False),
        ("2026-11-20T09:30:00", True),  # a Friday
        ("2026-11-20T15:59:59.999999", True),
        ("2026-11-20T16:00:00", False),
        ("2026-11-21T12:00:00", False),  # a Saturday
    ],
)
def test_a_span_holds_its_start_and_not_its_end(local: str, is_open: bool) -> None:
    assert SHARES.is_open(at(local, NEW_YORK)) is is_open


def test_hours_are_those_of_the_calendars_zone_whatever_zone_now_is_given_in() -> None:
    opening = at("2026-11-20T14:30:00")

    assert SHARES.is_open(opening)
    assert SHARES.is_open(opening.astimezone(ZoneInfo("Asia/Kolkata")))
    assert not SHARES.is_open(at("2026-11-20T09:30:00"))


@pytest.mark.parametrize(
    ("utc", "is_open"),
    [
        ("2026-03-06T14:29:00", False),
        ("2026-03-06T14:30:00", True),  # winter, UTC-5
        ("2026-03-09T13:30:00", True),  # the clocks went forward on the 8th, UTC-4
        ("2026-03-09T20:00:00", False),
        ("2026-10-30T13:30:00", True),  # summer still
        ("2026-11-02T13:30:00", False),  # the clocks went back on the 1st
        ("2026-11-02T14:30:00", True),
    ],
)
def test_hours_follow_daylight_saving_in_both_directions(utc: str, is_open: bool) -> None:
    assert SHARES.is_open(at(utc)) is is_open


def test_a_start_that_the_clocks_skip_opens_where_they_go_on() -> None:
    skipped = Calendar("NIGHT", NEW_YORK, (Span(frozenset({6}), time(2, 30), time(4)),))

    assert not skipped.is_open(at("2026-03-08T06:59:59"))  # 01:59:59, one second before 03:00
    assert skipped.is_open(at("2026-03-08T07:00:00"))


def test_an_hour_that_the_clocks_repeat_is_open_twice() -> None:
    repeated = Calendar("NIGHT", NEW_YORK, (Span(frozenset({6}), time(1), time(2)),))

    open_at = [hour for hour in range(4, 9) if repeated.is_open(at(f"2026-11-01T{hour:02}:30:00"))]

    assert open_at == [5, 6]


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        ("2026-11-22T16:59:59", False),  # Sunday
        ("2026-11-22T17:00:00", True),
        ("2026-11-23T00:00:00", True),  # the week wraps from Sunday to Monday
        ("2026-11-23T15:59:59", True),
        ("2026-11-23T16:00:00", False),  # the daily pause
        ("2026-11-23T17:00:00", True),
        ("2026-11-27T15:59:59", True),  # the tail of Thursday's span
        ("2026-11-27T16:00:00", False),
        ("2026-11-27T17:00:00", False),  # nothing starts on a Friday
        ("2026-11-28T03:00:00", False),
    ],
)
def test_a_span_over_midnight_belongs_to_the_day_on_which_it_starts(local: str, is_open: bool) -> None:
    assert FUTURES.is_open(at(local, FUTURES.zone)) is is_open


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        ("2026-11-26T03:00:00", True),  # the tail of the day before
        ("2026-11-26T15:59:59", True),
        ("2026-11-26T17:00:00", False),
        ("2026-11-27T03:00:00", False),  # the holiday's own tail
        ("2026-11-27T17:00:00", False),
    ],
)
def test_no_span_starts_on_a_holiday_and_so_its_night_is_closed_as_well(local: str, is_open: bool) -> None:
    holiday = replace(FUTURES, holidays=frozenset({date(2026, 11, 26)}))

    assert holiday.is_open(at(local, FUTURES.zone)) is is_open


def test_a_span_that_ends_where_it_starts_lasts_a_day() -> None:
    always = Calendar("24H", NEW_YORK, (Span(frozenset(range(7)), time(0), time(0)),))
    from_five = Calendar("24H", NEW_YORK, (Span(frozenset({0}), time(17), time(17)),))

    assert all(
        always.is_open(at(f"2026-11-{day}T{hour:02}:00:00")) for day in range(20, 28) for hour in range(24)
    )
    assert from_five.is_open(at("2026-11-24T16:59:00", NEW_YORK))
    assert not from_five.is_open(at("2026-11-24T17:00:00", NEW_YORK))


def test_a_calendar_may_have_several_spans() -> None:
    lunch = Calendar(
        "XTKS",
        ZoneInfo("Asia/Tokyo"),
        (Span(WEEKDAYS, time(9), time(11, 30)), Span(WEEKDAYS, time(12, 30), time(15, 30))),
    )

    opens = [lunch.is_open(at(f"2026-11-20T{local}:00", lunch.zone)) for local in ("11:29", "12:00", "12:30")]

    assert opens == [True, False, True]


def test_the_age_of_a_reference_price_is_counted_from_its_own_time() -> None:
    noon = at("2026-11-20T12:00:00")

    assert ReferencePrice(Decimal(50), noon, "file").age(noon + timedelta(hours=2)) == timedelta(hours=2)


@pytest.mark.parametrize(
    ("price", "tick"),
    [("0.0001", "0.05"), ("0.9999", "0.05"), ("1", "0.01"), ("9.99", "0.01"), ("10", "0.5"), ("1000", "0.5")],
)
def test_a_tick_depends_on_the_price(price: str, tick: str) -> None:
    bands = (TickBand(Decimal(1), Decimal("0.01")), TickBand(Decimal(10), Decimal("0.5")))

    assert instrument(tick_table=bands).tick_at(Decimal(price)) == Decimal(tick)
    assert instrument().tick_at(Decimal(price)) == Decimal("0.05")


def test_a_contract_is_worth_its_price_times_its_multiplier() -> None:
    assert instrument().value(Decimal("50.5"), Decimal(10)) == 505
    assert instrument(multiplier=Decimal(50)).value(Decimal("50.5"), Decimal(10)) == 25_250
