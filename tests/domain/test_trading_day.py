"""An account's day: when it begins, in its own zone, also where the clocks are changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.trading_day import TradingDay
from hypothesis import given
from hypothesis import strategies as st

NEW_YORK = TradingDay(ZoneInfo("America/New_York"), time(17))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "now", "found"),
    [
        (TradingDay(), "2026-11-20T00:00", date(2026, 11, 20)),
        (TradingDay(), "2026-11-19T23:59:59", date(2026, 11, 19)),
        (NEW_YORK, "2026-11-20T21:59", date(2026, 11, 19)),
        (NEW_YORK, "2026-11-20T22:00", date(2026, 11, 20)),
        (NEW_YORK, "2026-07-20T21:00", date(2026, 7, 20)),
        (TradingDay(ZoneInfo("Asia/Tokyo")), "2026-11-20T15:00", date(2026, 11, 21)),
        (TradingDay(ZoneInfo("Etc/GMT+12"), time(23, 59)), "2026-11-20T00:00", date(2026, 11, 18)),
    ],
)
def test_a_day_has_the_date_on_which_it_begins(day: TradingDay, now: str, found: date) -> None:
    assert day.of(at(now)) == found


def test_a_day_on_which_the_clocks_are_changed_is_longer_and_begins_once() -> None:
    twice = TradingDay(ZoneInfo("America/New_York"), time(1, 30))  # which it was twice on 1 November

    begins, ends = twice.begin(date(2026, 11, 1)), twice.end(date(2026, 11, 1))

    assert ends - begins == timedelta(hours=25)
    assert twice.of(at("2026-11-01T05:30")) == date(2026, 11, 1)
    assert twice.of(at("2026-11-01T06:10")) == date(2026, 11, 1)  # 01:10 for the second time


_ZONES = st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe"])


@given(
    st.builds(TradingDay, _ZONES.map(ZoneInfo), st.times()),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
)
def test_every_instant_lies_within_its_day(day: TradingDay, local: datetime) -> None:
    now = local.replace(tzinfo=UTC)

    found = day.of(now)

    assert day.begin(found) <= now < day.end(found)
