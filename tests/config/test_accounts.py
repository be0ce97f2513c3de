"""What an account's table says beside its limits: when its day begins and ends, and what it can pay with."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.buying_power import AccountKind, MarginModel
from fairlead_server.domain.end_of_day import EndOfDay
from fairlead_server.domain.trading_day import TradingDay

from tests.config.test_load import GOOD, Folder

_FIRST = "duplicate_window_seconds = 2\n"


def folder(path: Path, *lines: str) -> Folder:
    """With these lines in the table of DEMO."""
    return Folder(path, GOOD.replace(_FIRST, _FIRST + "".join(f"{line}\n" for line in lines)))


def test_an_account_has_its_own_day(tmp_path: Path) -> None:
    day = folder(tmp_path, 'day_zone = "America/New_York"', "day_start = 17:00:00").load().days["DEMO"]

    assert day == TradingDay(ZoneInfo("America/New_York"), time(17))


def test_a_day_is_that_of_utc_where_nothing_is_said(tmp_path: Path) -> None:
    assert folder(tmp_path).load().days["DEMO"] == TradingDay(ZoneInfo("UTC"))
    assert folder(tmp_path).load().policy.accounts["DEMO"].margin is None


@pytest.mark.parametrize(
    ("table", "model"),
    [
        ('kind = "cash", currency = "USD", cash = 10', MarginModel(AccountKind.CASH, "USD", Decimal(10))),
        (
            'kind = "margin", currency = "EUR", cash = 0, rate = 0.25',
            MarginModel(AccountKind.MARGIN, "EUR", Decimal(0), Decimal("0.25")),
        ),
    ],
)
def test_an_account_can_pay_with_its_own_money(tmp_path: Path, table: str, model: MarginModel) -> None:
    accounts = folder(tmp_path, f"margin = {{ {table} }}").load().policy.accounts

    assert accounts["DEMO"].margin == model


@pytest.mark.parametrize(
    ("line", "key", "problem"),
    [
        ('day_zone = "Mars/Olympus"', "day_zone", "no IANA time zone"),
        ("day_start = 17", "day_start", "Expected time"),
        ('margin = { kind = "gold", currency = "USD", cash = 1 }', "margin.kind", "gold"),
        ('margin = { kind = "cash", currency = "usd", cash = 1 }', "margin.currency", "matching"),
        ('margin = { kind = "cash", currency = "USD" }', "margin.cash", "is missing"),
        ('margin = { kind = "cash", currency = "USD", cash = -1 }', "margin.cash", "must not be negative"),
        ('margin = { kind = "cash", currency = "USD", cash = nan }', "margin.cash", "must not be negative"),
        ('margin = { kind = "cash", currency = "USD", cash = 1, rate = 1 }', "margin.rate", "pays in full"),
        ('margin = { kind = "margin", currency = "USD", cash = 1 }', "margin.rate", "is missing"),
        ('margin = { kind = "margin", currency = "USD", cash = 1, rate = 0 }', "margin.rate", "above 0"),
        ('margin = { kind = "margin", currency = "USD", cash = 1, rate = 1.1 }', "margin.rate", "1 at most"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(tmp_path: Path, line: str, key: str, problem: str) -> None:
    error = folder(tmp_path, line).error()

    assert error.key == f"accounts.DEMO.{key}"
    assert problem in error.problem


# The end of its day.


def end_of_day(path: Path, table: str, calendar: str = "") -> Folder:
    made = folder(path, f"end_of_day = {{ {table} }}")
    made.replace("holidays = [2026-12-25]", f"holidays = [2026-12-25]\n{calendar}")
    return made


def test_a_day_has_an_end_where_one_is_said(tmp_path: Path) -> None:
    assert folder(tmp_path).load().ends_of_day == ()
    [end] = end_of_day(tmp_path, 'at = 15:25:00, zone = "Asia/Kolkata"').load().ends_of_day

    day = TradingDay(ZoneInfo("UTC"))
    assert end == EndOfDay(
        "DEMO", ZoneInfo("Asia/Kolkata"), time(15, 25), weekdays=frozenset(range(5)), own_day=day
    )
    assert (end.flatten, end.grace, end.resume) == (True, timedelta(minutes=30), True)


def test_a_day_may_end_by_a_calendar(tmp_path: Path) -> None:
    table = 'calendar = "NYSE", days = ["FRI"], flatten = false, grace_minutes = 5, resume = false'
    [end] = end_of_day(tmp_path, table, "cut_off = 15:45:00").load().ends_of_day

    assert (end.calendar_id, end.zone, end.at) == ("NYSE", ZoneInfo("America/New_York"), None)
    assert (end.weekdays, end.flatten, end.resume) == (frozenset({4}), False, False)
    assert end.grace == timedelta(minutes=5)


_HALF = "special_days = [{ date = 2026-11-27, spans = [{ start = 09:30:00, end = 13:00:00 }] }]"


@pytest.mark.parametrize(
    ("table", "calendar", "key", "problem"),
    [
        ("at = 15:25:00", "", ".zone", "or instead of it a calendar"),
        ('zone = "Asia/Kolkata"', "", ".at", "a local time such as 15:25:00"),
        ('at = 15:25:00, zone = "Mars/Olympus"', "", ".zone", "no IANA time zone"),
        ('at = "soon", zone = "UTC"', "", ".at", "time"),
        ('at = 15:25:00, zone = "UTC", days = []', "", ".days", "leave the whole table out"),
        ('at = 15:25:00, zone = "UTC", days = ["MOON"]', "", ".days[0]", "MOON"),
        ('at = 15:25:00, zone = "UTC", grace_minutes = 721', "", ".grace_minutes", "720"),
        ('at = 15:25:00, zone = "UTC", when = 1', "", ".when", "no key"),
        ('at = 15:25:00, zone = "UTC", calendar = "NYSE"', "", ".zone", "leave one of them out"),
        ('at = 15:25:00, calendar = "XNYS"', "", ".calendar", "there are NYSE"),
        ('calendar = "NYSE"', "", ".calendar", "a cut_off in calendars.NYSE.cut_off"),
        ('at = 16:00:00, calendar = "NYSE"', "", ".at", "closes at 16:00 on Mondays"),
        ('at = 09:00:00, calendar = "NYSE"', "", ".at", "not open at 09:00 on Mondays"),
        ('at = 15:45:00, calendar = "NYSE"', _HALF, ".at", "closes at 13:00 on 2026-11-27"),
    ],
)
def test_what_is_wrong_with_an_end_of_day_is_named(
    tmp_path: Path, table: str, calendar: str, key: str, problem: str
) -> None:
    error = end_of_day(tmp_path, table, calendar).error()

    assert (error.file, error.key) == (str(tmp_path / "fairlead.toml"), f"accounts.DEMO.end_of_day{key}")
    assert problem in error.problem
