"""ListCalendars, GetCalendar, PutCalendar, DeleteCalendar: when markets are open."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from fairlead.v1 import reference_service_pb2 as pb

from fairlead_server.api import reference
from fairlead_server.api.caller import Caller
from fairlead_server.api.times import timestamp
from fairlead_server.api.validation import Violation, validate
from fairlead_server.domain.calendar import Calendar, Hours, Span, SpecialDay
from fairlead_server.domain.errors import InvalidRequest, UnknownCalendar
from fairlead_server.routing.calendars import Calendars, etag_of
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.reference import Reference

_T = TypeVar("_T")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(r"\d\d:\d\d(:\d\d)?", re.ASCII)
_WEEK: Final = frozenset(range(7))


class CalendarOperations:
    def __init__(self, known: Reference, calendars: Calendars, pipeline: Pipeline, clock: Clock) -> None:
        self._known = known
        self._calendars = calendars
        self._pipeline = pipeline
        self._clock = clock

    async def list_all(self, request: pb.ListCalendarsRequest) -> pb.ListCalendarsResponse:
        validate(request)
        shown = [self._shown(calendar) for _, calendar in sorted(self._known.calendars().items())]
        await self._pipeline.durable()
        return pb.ListCalendarsResponse(calendars=shown)

    async def get(self, request: pb.GetCalendarRequest) -> pb.GetCalendarResponse:
        validate(request)
        found = self._known.calendars().get(request.calendar_id)
        if found is None:
            raise UnknownCalendar(request.calendar_id)
        shown = self._shown(found)
        await self._pipeline.durable()
        return pb.GetCalendarResponse(calendar=shown)

    async def put(self, request: pb.PutCalendarRequest, caller: Caller) -> pb.PutCalendarResponse:
        validate(request)
        wanted = _Reader().calendar(request.calendar)
        by = caller.operator(request.reason)
        shown = self._shown(self._calendars.put(wanted, request.calendar.etag, by, self._clock()))
        await self._pipeline.durable()
        return pb.PutCalendarResponse(calendar=shown)

    async def delete(self, request: pb.DeleteCalendarRequest, caller: Caller) -> pb.DeleteCalendarResponse:
        validate(request)
        by = caller.operator(request.reason)
        left = self._calendars.delete(request.calendar_id, request.etag, by, self._clock())
        shown = None if left is None else self._shown(left)
        await self._pipeline.durable()
        return pb.DeleteCalendarResponse(calendar=shown)

    def _shown(self, value: Calendar) -> pb.Calendar:
        now, configured = self._clock(), self._known.configured_calendar(value.calendar_id)
        return pb.Calendar(
            calendar_id=value.calendar_id,
            time_zone=value.zone.key,
            spans=[reference.span(span) for span in value.spans],
            holidays=[day.isoformat() for day in sorted(value.holidays)],
            special_days=[_special_day(each) for each in value.special_days],
            cut_off=_clock_time(value.cut_off),
            etag=etag_of(value),
            origin=reference.ORIGIN[configured is not None, configured != value],
            open=value.is_open(now),
            after_cut_off=value.after_cut_off(now),
            next_open_time=timestamp(value.next_open(now)),
            next_close_time=timestamp(value.next_close(now)),
        )


def _special_day(value: SpecialDay) -> pb.SpecialDay:
    hours = [pb.TradingHour(opens=_clock_time(h.start), closes=_clock_time(h.end)) for h in value.hours]
    return pb.SpecialDay(date=value.day.isoformat(), hours=hours, cut_off=_clock_time(value.cut_off))


def _clock_time(at: time | None) -> str:
    return "" if at is None else f"{at:%H:%M:%S}"


class _Reader:
    """Reads a calendar out of a request, and says of each field what is wrong with it."""

    def __init__(self) -> None:
        self._wrong: list[Violation] = []

    def calendar(self, message: pb.Calendar) -> Calendar:
        """Raises InvalidRequest."""
        if not message.calendar_id:
            self._wrong.append(("calendar.calendar_id", "is required"))
        zone = self._read("time_zone", message.time_zone, ZoneInfo, "an IANA time zone, such as Asia/Tokyo")
        spans = [self._span(f"spans[{n}]", each) for n, each in enumerate(message.spans)]
        holidays = [self._date(f"holidays[{n}]", each) for n, each in enumerate(message.holidays)]
        special = [self._special(f"special_days[{n}]", each) for n, each in enumerate(message.special_days)]
        cut_off = self._time("cut_off", message.cut_off) if message.cut_off else None
        if self._wrong or zone is None:
            raise InvalidRequest(self._wrong)
        found = Calendar(
            message.calendar_id,
            zone,
            tuple(filter(None, spans)),
            frozenset(filter(None, holidays)),
            tuple(sorted(filter(None, special), key=lambda each: each.day)),
            cut_off,
        )
        problems = [(f"calendar.{field}", problem) for field, problem in found.problems()]
        if problems:
            raise InvalidRequest(problems)
        return found

    def _span(self, path: str, message: pb.TradingSpan) -> Span | None:
        start, end = self._time(f"{path}.opens", message.opens), self._time(f"{path}.closes", message.closes)
        days = frozenset(number - 1 for number in message.days)  # the API counts from 1, Python from 0
        if not days or not days <= _WEEK:
            self._wrong.append((f"calendar.{path}.days", "must name one or more days of the week"))
        return None if start is None or end is None else Span(days, start, end)

    def _special(self, path: str, message: pb.SpecialDay) -> SpecialDay | None:
        day = self._date(f"{path}.date", message.date)
        hours = [
            (
                self._time(f"{path}.hours[{n}].opens", each.opens),
                self._time(f"{path}.hours[{n}].closes", each.closes),
            )
            for n, each in enumerate(message.hours)
        ]
        cut_off = self._time(f"{path}.cut_off", message.cut_off) if message.cut_off else None
        read = tuple(Hours(start, end) for start, end in hours if start is not None and end is not None)
        return None if day is None else SpecialDay(day, read, cut_off)

    def _date(self, path: str, text: str) -> date | None:
        return self._read(path, text, _matching(_DATE, date.fromisoformat), "a date such as 2026-12-25")

    def _time(self, path: str, text: str) -> time | None:
        return self._read(path, text, _matching(_TIME, time.fromisoformat), "a time such as 09:30:00")

    def _read(self, path: str, text: str, read: Callable[[str], _T], expected: str) -> _T | None:
        try:
            return read(text)
        except (KeyError, ValueError, OSError):
            self._wrong.append((f"calendar.{path}", f"must be {expected}"))
            return None


def _matching(pattern: re.Pattern[str], read: Callable[[str], Any]) -> Callable[[str], Any]:
    def checked(text: str) -> Any:
        if pattern.fullmatch(text) is None:
            raise ValueError(text)
        return read(text)

    return checked
