"""What an account's table says beside its limits: when its day begins and ends, and what it can pay with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from fairlead_server.config.schema import DAYS, AccountTable, EndOfDayTable, MarginTable
from fairlead_server.config.tables import ConfigError, must_be_known, read_zone
from fairlead_server.domain.buying_power import AccountKind, MarginModel
from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.end_of_day import EndOfDay
from fairlead_server.domain.trading_day import TradingDay

_DAY = timedelta(days=1)
_WORKDAYS = ("MON", "TUE", "WED", "THU", "FRI")


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


def read_end_of_day(
    path: Path, name: str, row: EndOfDayTable, day: TradingDay, calendars: Mapping[str, Calendar]
) -> EndOfDay:
    key = f"accounts.{name}.end_of_day"
    if row.days == []:
        raise ConfigError(str(path), f"{key}.days", "is empty: it would never be; leave the whole table out")
    days: Sequence[str] | None = row.days
    if row.calendar is None:
        if row.zone is None:
            raise ConfigError(
                str(path), f"{key}.zone", "is missing: an IANA time zone, or instead of it a calendar"
            )
        if row.at is None:
            raise ConfigError(
                str(path),
                f"{key}.at",
                "is missing: a local time such as 15:25:00, or a calendar with a cut_off",
            )
        zone, days = read_zone(path, f"{key}.zone", row.zone), days or _WORKDAYS
    else:
        if row.zone is not None:
            raise ConfigError(
                str(path),
                f"{key}.zone",
                "does not go with calendar, which has its own: leave one of them out",
            )
        must_be_known(path, f"{key}.calendar", [row.calendar], calendars, "calendar")
        zone = calendars[row.calendar].zone
    made = EndOfDay(
        name,
        zone,
        row.at,
        row.calendar or "",
        frozenset(map(DAYS.index, days or DAYS)),
        row.flatten,
        timedelta(minutes=row.grace_minutes),
        row.resume,
        day,
    )
    if row.calendar is not None:
        field = "calendar" if row.at is None else "at"
        for problem in _misfits(made, calendars[row.calendar]):
            raise ConfigError(str(path), f"{key}.{field}", problem)
    return made


_WEEK = tuple(date(2001, 6, 4) + n * _DAY for n in range(7))  # that no holiday is likely to be in


def _misfits(made: EndOfDay, calendar: Calendar) -> Iterator[str]:
    """The days on which its market would be closed already, or not open yet."""
    special = {each.day + n * _DAY for each in calendar.special_days for n in (0, 1)}
    for day in (*_WEEK, *sorted(special)):
        time, closes = made.time_on(day, calendar), calendar.close_time(day)
        if time is None or closes is None:
            continue
        name = f"{day:%A}s" if day in _WEEK else f"{day}"
        local = closes.astimezone(calendar.zone)
        if time >= closes:
            where = f"calendars.{calendar.calendar_id}"
            where += ".cut_off" if day in _WEEK else ".special_days"
            yield (
                f"{calendar.calendar_id} closes at {local:%H:%M} on {name}, and no time before that is said: "
                f"set an earlier at, or a cut_off in {where}"
            )
        elif not calendar.is_open(time):
            shown = time.astimezone(calendar.zone)
            yield f"{calendar.calendar_id} is not open at {shown:%H:%M} on {name}: it must be within its hours"
