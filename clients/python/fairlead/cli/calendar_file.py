"""Reads a calendar from TOML, as a table `calendars.NAME` of the server's configuration has it. Pure: text in, message out."""

import tomllib
from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any

from fairlead.v1.reference_service_pb2 import Calendar, DayOfWeek, SpecialDay, TradingHour, TradingSpan

_DAYS = {name.removeprefix("DAY_OF_WEEK_")[:3]: number for name, number in DayOfWeek.items() if number}


class CalendarError(Exception):
    """`key` is a path into the file; empty for the whole of it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(": ".join(filter(None, (key, problem))))


def read_calendar(calendar_id: str, text: str) -> Calendar:
    """Raises :class:`CalendarError`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CalendarError("", f"is not TOML: {error}") from None
    row = _Row("", table, ("zone", "spans", "holidays", "special_days", "cut_off"))
    return Calendar(
        calendar_id=calendar_id,
        time_zone=row.get("zone", str, 'a time zone such as "America/New_York"'),
        spans=[_span(each) for each in row.rows("spans", ("days", "start", "end"))],
        holidays=row.each("holidays", _date),
        special_days=[_special(each) for each in row.rows("special_days", ("date", "spans", "cut_off"))],
        cut_off=row.time("cut_off", required=False),
    )


class _Row:
    def __init__(self, path: str, table: Any, known: tuple[str, ...]) -> None:
        self._path = path
        if not isinstance(table, Mapping):
            raise CalendarError(path, f"must be a table with the keys {', '.join(known)}")
        for key in table:
            if key not in known:
                raise CalendarError(self._key(key), f"is no key of this table; there are {', '.join(known)}")
        self._table = table

    def get(self, key: str, kind: type, expected: str) -> Any:
        value = self._table.get(key)
        if not isinstance(value, kind):
            raise CalendarError(self._key(key), f"must be {expected}")
        return value

    def time(self, key: str, *, required: bool = True) -> str:
        if not required and key not in self._table:
            return ""
        found: time = self.get(key, time, "a time such as 09:30:00")
        return f"{found:%H:%M:%S}"

    def date(self, key: str) -> str:
        return _date(self._key(key), self._table.get(key))

    def each(self, key: str, read: Callable[[str, Any], Any]) -> list[Any]:
        values = self.get(key, list, "a list") if key in self._table else []
        return [read(f"{self._key(key)}[{index}]", value) for index, value in enumerate(values)]

    def rows(self, key: str, known: tuple[str, ...]) -> list["_Row"]:
        return self.each(key, lambda path, value: _Row(path, value, known))

    def _key(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def _span(row: _Row) -> TradingSpan:
    return TradingSpan(days=row.each("days", _day), opens=row.time("start"), closes=row.time("end"))


def _special(row: _Row) -> SpecialDay:
    hours = [
        TradingHour(opens=each.time("start"), closes=each.time("end"))
        for each in row.rows("spans", ("start", "end"))
    ]
    return SpecialDay(date=row.date("date"), hours=hours, cut_off=row.time("cut_off", required=False))


def _day(path: str, value: Any) -> int:
    if value not in _DAYS:
        raise CalendarError(path, f"must be one of {', '.join(_DAYS)}")
    return _DAYS[value]


def _date(path: str, value: Any) -> str:
    if not isinstance(value, date):
        raise CalendarError(path, "must be a date such as 2026-12-25")
    return value.isoformat()
