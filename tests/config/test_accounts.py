"""What an account's table says beside its limits: when its day begins, and what it can pay with."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.buying_power import AccountKind, MarginModel
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
