"""What operators do to calendars: have one just so, and forget what was said of it."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.errors import CalendarConfigured, CalendarInUse, EtagMismatch, UnknownCalendar
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Operator
from fairlead_server.routing.reference import Reference
from fairlead_server.store.batch import AuditRow
from fairlead_server.store.reference_tables import CALENDAR


class Calendars:
    def __init__(self, reference: Reference, pipeline: Pipeline) -> None:
        self._reference = reference
        self._pipeline = pipeline

    def put(self, wanted: Calendar, etag: str, by: Operator, now: datetime) -> Calendar:
        """An empty ``etag`` is any."""
        known = self._reference.calendars().get(wanted.calendar_id)
        _expect(wanted.calendar_id, known, etag)
        if known != wanted:
            as_configured = self._reference.configured_calendar(wanted.calendar_id) == wanted
            with self._pipeline.deciding():
                self._reference.put_calendar(wanted.calendar_id, None if as_configured else wanted)
                self._audit("calendar.put", known, wanted, by, now)
        return wanted

    def delete(self, calendar_id: str, etag: str, by: Operator, now: datetime) -> Calendar | None:
        """None where nothing is left, for the file does not have it."""
        known = self._reference.calendars().get(calendar_id)
        if known is None:
            raise UnknownCalendar(calendar_id)
        _expect(calendar_id, known, etag)
        left = self._reference.configured_calendar(calendar_id)
        if left == known:
            raise CalendarConfigured(calendar_id)
        users = self._users(calendar_id) if left is None else []
        if users:
            raise CalendarInUse(calendar_id, users)
        with self._pipeline.deciding():
            self._reference.put_calendar(calendar_id, None)
            self._audit("calendar.delete", known, left, by, now)
        return left

    def _users(self, calendar_id: str) -> list[str]:
        return [
            instrument.instrument_id
            for instrument in self._reference.instruments()
            if instrument.calendar is not None and instrument.calendar.calendar_id == calendar_id
        ]

    def _audit(
        self, action: str, before: Calendar | None, after: Calendar | None, by: Operator, now: datetime
    ) -> None:
        subject = after or before
        assert subject is not None  # noqa: S101 - one of them there is
        shown = [CALENDAR.encode(each) if each is not None else "" for each in (before, after)]
        row = AuditRow(now, by.principal, action, subject.calendar_id, by.reason, *shown)
        self._pipeline.batch.audit.append(row)


def etag_of(calendar: Calendar) -> str:
    """A digest of all of it."""
    return blake2b(CALENDAR.encode(calendar).encode(), digest_size=8).hexdigest()


def _expect(calendar_id: str, known: Calendar | None, etag: str) -> None:
    actual = "" if known is None else etag_of(known)
    if etag not in ("", actual):
        raise EtagMismatch("calendar", calendar_id, etag, actual)
