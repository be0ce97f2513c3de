"""What an account's table says beside its limits: when its day begins, and what it can pay with."""

from __future__ import annotations

from pathlib import Path

from fairlead_server.config.schema import AccountTable, MarginTable
from fairlead_server.config.tables import ConfigError, read_zone
from fairlead_server.domain.buying_power import AccountKind, MarginModel
from fairlead_server.domain.trading_day import TradingDay


def read_day(path: Path, name: str, row: AccountTable) -> TradingDay:
    return TradingDay(read_zone(path, f"accounts.{name}.day_zone", row.day_zone), row.day_start)


def read_margin(path: Path, name: str, row: MarginTable) -> MarginModel:
    key = f"accounts.{name}.margin"
    kind = AccountKind[row.kind.upper()]
    if not row.cash.is_finite() or row.cash < 0:
        raise ConfigError(str(path), f"{key}.cash", f"{row.cash} must not be negative")
    if kind is AccountKind.CASH:
        if row.rate is not None:
            raise ConfigError(
                str(path), f"{key}.rate", "goes with kind margin: an account of cash pays in full"
            )
        return MarginModel(kind, row.currency, row.cash)
    if row.rate is None:
        raise ConfigError(
            str(path), f"{key}.rate", "is missing: the part of a value that is tied up, 0.25 is a quarter"
        )
    if not (row.rate.is_finite() and 0 < row.rate <= 1):
        raise ConfigError(str(path), f"{key}.rate", f"{row.rate} must be above 0, and 1 at most")
    return MarginModel(kind, row.currency, row.cash, row.rate)
