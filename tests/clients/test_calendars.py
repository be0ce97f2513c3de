"""Calendars from the clients and the command line, which reads them as the server's configuration has them."""

from pathlib import Path

import pytest
from fairlead import AsyncClient, Client
from fairlead.cli.calendar_file import CalendarError, read_calendar
from fairlead.v1 import reference_service_pb2 as pb

from tests.clients.cli import Cli
from tests.clients.conftest import QUICK
from tests.clients.fakes import FakeRouter

FILE = """
zone = "America/New_York"
spans = [{ days = ["MON", "FRI"], start = 09:30:00, end = 16:00:00 }]
holidays = [2026-12-25]
special_days = [{ date = 2026-11-27, spans = [{ start = 09:30:00, end = 13:00:00 }], cut_off = 12:45:00 }]
cut_off = 15:50:00
"""
XNYS = pb.Calendar(
    calendar_id="XNYS",
    time_zone="America/New_York",
    spans=[
        pb.TradingSpan(
            days=[pb.DAY_OF_WEEK_MONDAY, pb.DAY_OF_WEEK_FRIDAY], opens="09:30:00", closes="16:00:00"
        )
    ],
    holidays=["2026-12-25"],
    special_days=[
        pb.SpecialDay(
            date="2026-11-27", hours=[pb.TradingHour(opens="09:30:00", closes="13:00:00")], cut_off="12:45:00"
        )
    ],
    cut_off="15:50:00",
)


def fill_answers(router: FakeRouter) -> None:
    router.answers["ListCalendars"] = [pb.ListCalendarsResponse(calendars=[XNYS])]
    router.answers["GetCalendar"] = [pb.GetCalendarResponse(calendar=XNYS)]
    router.answers["PutCalendar"] = [pb.PutCalendarResponse(calendar=XNYS)]
    router.answers["DeleteCalendar"] = [pb.DeleteCalendarResponse(calendar=XNYS), pb.DeleteCalendarResponse()]


async def test_what_both_clients_ask_for(router: FakeRouter, target: str) -> None:
    fill_answers(router)
    with Client(target, retry=QUICK) as client:
        assert client.list_calendars() == [XNYS]
        assert client.get_calendar("XNYS") == XNYS
        assert client.put_calendar(XNYS, reason="why") == XNYS
        assert client.delete_calendar("XNYS", reason="why", etag="e1") == XNYS
        assert client.delete_calendar("XNYS", reason="why") is None
    asked = {name: list(requests) for name, requests in router.received.items()}
    router.received.clear()
    fill_answers(router)
    async with AsyncClient(target, retry=QUICK) as awaited:
        assert await awaited.list_calendars() == [XNYS]
        assert await awaited.get_calendar("XNYS") == XNYS
        assert await awaited.put_calendar(XNYS, reason="why") == XNYS
        assert await awaited.delete_calendar("XNYS", reason="why", etag="e1") == XNYS
        assert await awaited.delete_calendar("XNYS", reason="why") is None

    assert router.received == asked
    assert asked["PutCalendar"] == [pb.PutCalendarRequest(calendar=XNYS, reason="why")]


def test_a_calendar_is_read_as_the_configuration_has_it() -> None:
    assert read_calendar("XNYS", FILE) == XNYS


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("zone =", "zone", "is not TOML"),
        ('zone = "America/New_York"', "", "zone: must be a time zone"),
        ("cut_off = 15:50:00", "cutoff = 15:50:00", "cutoff: is no key of this table; there are zone"),
        ("cut_off = 15:50:00", "cut_off = 15", "cut_off: must be a time"),
        ('["MON", "FRI"]', '["MO"]', "spans[0].days[0]: must be one of MON"),
        ("end = 16:00:00", "end = 16", "spans[0].end: must be a time"),
        ("[{ days", "[7, { days", "spans[0]: must be a table with the keys days, start, end"),
        ("[2026-12-25]", '["Christmas"]', "holidays[0]: must be a date"),
        ("[2026-12-25]", "2026-12-25", "holidays: must be a list"),
        ("date = 2026-11-27", "date = 1", "special_days[0].date: must be a date"),
        ("end = 13:00:00", "end = 1", "special_days[0].spans[0].end: must be a time"),
    ],
)
def test_a_file_that_is_wrong_names_the_key(old: str, new: str, told: str) -> None:
    assert old in FILE

    with pytest.raises(CalendarError) as caught:
        read_calendar("XNYS", FILE.replace(old, new))

    assert told in str(caught.value)


def test_calendars_on_the_command_line(router: FakeRouter, cli: Cli, tmp_path: Path) -> None:
    fill_answers(router)
    file = tmp_path / "xnys.toml"
    file.write_text(FILE)

    assert cli("calendar", "list") == 0
    assert cli.out.splitlines()[1].split() == ["XNYS", "America/New_York", "closed", "unspecified"]
    assert cli("calendar", "show", "XNYS") == 0
    facts = dict(line.rstrip().split(maxsplit=1) for line in cli.out.splitlines()[1:])
    assert facts["spans"] == "mon/fri 09:30:00-16:00:00"
    assert facts["special_days"] == "2026-11-27 09:30:00-13:00:00 cut off 12:45:00"
    assert cli("calendar", "put", "XNYS", str(file), "--reason", "why", "--etag", "e1") == 0
    (put,) = router.received["PutCalendar"]
    assert (put.calendar.etag, put.calendar.spans, put.reason) == ("e1", XNYS.spans, "why")
    assert cli("calendar", "delete", "XNYS", "--reason", "why") == 0


def test_a_file_that_cannot_be_used_is_one_line_and_2(router: FakeRouter, cli: Cli, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("zone = 3")

    for file in (wrong, tmp_path / "nowhere.toml"):
        assert cli("calendar", "put", "XNYS", str(file), "--reason", "why") == 2
        assert cli.err.count("\n") == 1
        assert file.name in cli.err
    assert router.received["PutCalendar"] == []


def test_the_example_is_a_calendar() -> None:
    example = Path(__file__).parents[2] / "examples" / "xnys.toml"

    found = read_calendar("XNYS", example.read_text())

    assert (found.time_zone, found.cut_off) == ("America/New_York", "15:50:00")
    assert [day.date for day in found.special_days] == ["2026-11-27", "2026-12-24"]
