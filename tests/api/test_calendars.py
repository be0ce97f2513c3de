"""Calendars by RPC: put, and the instruments that have them go by them; forgotten, and the file's show again."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from fairlead.v1 import reference_service_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask

from tests.api.refusals import refused
from tests.api.router import Router, new_order

Code = grpc.StatusCode
EVERY_DAY = [
    pb.DAY_OF_WEEK_MONDAY,
    pb.DAY_OF_WEEK_TUESDAY,
    pb.DAY_OF_WEEK_WEDNESDAY,
    pb.DAY_OF_WEEK_THURSDAY,
    pb.DAY_OF_WEEK_FRIDAY,
    pb.DAY_OF_WEEK_SATURDAY,
    pb.DAY_OF_WEEK_SUNDAY,
]
ALWAYS = pb.TradingSpan(days=EVERY_DAY, opens="00:00:00", closes="00:00:00")
XNYS = pb.Calendar(
    calendar_id="XNYS",
    time_zone="America/New_York",
    spans=[pb.TradingSpan(days=EVERY_DAY[:5], opens="09:30:00", closes="16:00:00")],
    holidays=["2026-11-26", "2026-12-25"],
    special_days=[
        pb.SpecialDay(
            date="2026-11-27", hours=[pb.TradingHour(opens="09:30:00", closes="13:00:00")], cut_off="12:45:00"
        )
    ],
    cut_off="15:50:00",
)


async def put(router: Router, calendar: pb.Calendar, **changes: Any) -> pb.Calendar:
    wanted = pb.Calendar()
    wanted.CopyFrom(calendar)
    for name in changes:
        wanted.ClearField(name)  # type: ignore[arg-type] # one of its fields
    wanted.MergeFrom(pb.Calendar(**changes))
    request = pb.PutCalendarRequest(calendar=wanted, reason="a new holiday")
    return (await router.reference.PutCalendar(request)).calendar


async def delete(router: Router, name: str, etag: str = "") -> pb.DeleteCalendarResponse:
    return await router.reference.DeleteCalendar(
        pb.DeleteCalendarRequest(calendar_id=name, etag=etag, reason="no more")
    )


async def get(router: Router, name: str) -> pb.Calendar:
    return (await router.reference.GetCalendar(pb.GetCalendarRequest(calendar_id=name))).calendar


async def has(router: Router, calendar_id: str) -> None:
    """ACME does."""
    instrument = pb.Instrument(instrument_id="ACME", calendar_id=calendar_id)
    await router.reference.UpdateInstrument(
        pb.UpdateInstrumentRequest(
            instrument=instrument, update_mask=FieldMask(paths=["calendar_id"]), reason="its hours"
        )
    )


async def test_a_calendar_comes_back_as_it_was_put(router: Router) -> None:
    made = await put(router, XNYS)

    assert made == await get(router, "XNYS")
    assert made.origin == pb.INSTRUMENT_ORIGIN_MADE
    assert made.next_close_time.seconds > 0
    for name in ("etag", "origin", "open", "after_cut_off", "next_open_time", "next_close_time"):
        made.ClearField(name)
    assert made == XNYS
    listed = await router.reference.ListCalendars(pb.ListCalendarsRequest())
    assert [calendar.calendar_id for calendar in listed.calendars] == ["XNYS", "night"]
    (row,) = router.app._store.audit("XNYS", 9)
    assert (row.action, row.reason, row.before) == ("calendar.put", "a new holiday", "")
    assert "America/New_York" in row.after


async def test_its_instruments_go_by_it_when_the_call_returns(router: Router) -> None:
    await put(router, XNYS, spans=[ALWAYS], holidays=[], special_days=[], cut_off="")
    await has(router, "XNYS")
    await router.working()

    closed = [pb.SpecialDay(date="2026-01-01", hours=[pb.TradingHour(opens="00:00", closes="01:00")])]
    changed = await put(router, XNYS, spans=[], special_days=closed, cut_off="")

    assert not changed.open
    answer = await router.orders.SubmitOrder(new_order())
    assert answer.order.reject.rule_id == "trading_hours"
    await put(router, XNYS, spans=[ALWAYS], holidays=[], special_days=[], cut_off="00:00")
    answer = await router.orders.SubmitOrder(new_order())
    assert answer.order.reject.rule_id == "eod_cut_off"


async def test_whoever_has_seen_another_is_told(router: Router) -> None:
    first = await put(router, XNYS)
    second = await put(router, XNYS, cut_off="15:00", etag=first.etag)
    assert second.cut_off == "15:00:00"

    refusal = await refused(put(router, XNYS, etag=first.etag))
    assert (refusal.code, refusal.reason) == (Code.ABORTED, "ETAG_MISMATCH")
    assert refusal.facts == {
        "kind": "calendar",
        "name": "XNYS",
        "expected": first.etag,
        "actual": second.etag,
    }
    assert (await refused(delete(router, "XNYS", first.etag))).reason == "ETAG_MISMATCH"
    assert (await refused(put(router, XNYS, calendar_id="XLON", etag="e1"))).facts["actual"] == ""


async def test_what_was_put_is_forgotten(router: Router) -> None:
    configured = await get(router, "night")
    assert configured.origin == pb.INSTRUMENT_ORIGIN_FILE
    assert (await refused(delete(router, "night"))).reason == "CALENDAR_CONFIGURED"
    changed = await put(router, configured, cut_off="12:00", etag=configured.etag)
    assert changed.origin == pb.INSTRUMENT_ORIGIN_CHANGED

    assert (await delete(router, "night")).calendar.etag == configured.etag

    await put(router, XNYS)
    await has(router, "XNYS")
    refusal = await refused(delete(router, "XNYS"))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "CALENDAR_IN_USE")
    await has(router, "")
    assert not (await delete(router, "XNYS")).HasField("calendar")
    refusal = await refused(get(router, "XNYS"))
    assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "CALENDAR_NOT_FOUND")


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"calendar_id": ""}, ["calendar.calendar_id"]),
        ({"time_zone": "New York"}, ["calendar.time_zone"]),
        ({"time_zone": ""}, ["calendar.time_zone"]),
        ({"time_zone": "../etc/passwd"}, ["calendar.time_zone"]),
        ({"spans": [], "special_days": []}, ["calendar.spans"]),
        ({"spans": [pb.TradingSpan(opens="09:30", closes="16:00")]}, ["calendar.spans[0].days"]),
        (
            {"spans": [pb.TradingSpan(days=EVERY_DAY[:1], opens="9:30", closes="16:00:00.5")]},
            ["calendar.spans[0].opens", "calendar.spans[0].closes"],
        ),
        (
            {"spans": [pb.TradingSpan(days=EVERY_DAY[:1], opens="25:00", closes="16:00")]},
            ["calendar.spans[0].opens"],
        ),
        ({"holidays": ["2026-02-30"]}, ["calendar.holidays[0]"]),
        ({"holidays": ["20261225"]}, ["calendar.holidays[0]"]),
        ({"holidays": ["2026-11-27"]}, ["calendar.special_days"]),
        ({"special_days": [pb.SpecialDay(date="x")]}, ["calendar.special_days[0].date"]),
        (
            {"special_days": [pb.SpecialDay(date="2026-11-27", hours=[pb.TradingHour()], cut_off="x")]},
            [
                "calendar.special_days[0].hours[0].opens",
                "calendar.special_days[0].hours[0].closes",
                "calendar.special_days[0].cut_off",
            ],
        ),
        ({"cut_off": "noon"}, ["calendar.cut_off"]),
    ],
)
async def test_what_is_wrong_is_named_by_its_field(
    router: Router, changes: dict[str, Any], fields: list[str]
) -> None:
    refusal = await refused(put(router, XNYS, **changes))

    assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "REQUEST_INVALID")
    assert refusal.fields == fields
    assert (await refused(get(router, "XNYS"))).reason == "CALENDAR_NOT_FOUND"
