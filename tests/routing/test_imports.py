"""Instruments from CSV: what becomes of each line is said first, then done, all of it or nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from fairlead_server.domain.errors import InstrumentsInvalid
from fairlead_server.domain.instrument import ReferencePrice
from fairlead_server.domain.instrument_rows import write_instruments
from fairlead_server.routing.imports import MOST, Import, ImportOutcome, Imports
from fairlead_server.routing.instruments import Instruments
from fairlead_server.routing.ports import Operator

from tests.domain.builders import NOW, instrument
from tests.routing.desk import Desk

BY = Operator("ops", "the new universe")
HEAD = "instrument_id,symbol,currency,tick_size,lot_size"
OTHER = "OTHER,OTH,USD,0.01,1"
THIRD = "THIRD,THI,USD,0.01,1"


def of(desk: Desk) -> Imports:
    instruments = Instruments(desk.reference, desk.book, desk.pipeline)
    return Imports(desk.reference, instruments, desk.pipeline, desk.new_id)


def text(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def plan(desk: Desk, *lines: str, prune: bool = False) -> Import:
    return of(desk).plan(text(*lines), NOW, delete_missing=prune)


def take(desk: Desk, *lines: str, prune: bool = False) -> Import:
    return of(desk).take(text(*lines), BY, NOW, delete_missing=prune)


def told(done: Import) -> list[tuple[int, str, str, tuple[str, ...]]]:
    return [
        (line.line, line.instrument.instrument_id, line.outcome.value, line.columns) for line in done.lines
    ]


async def test_each_line_is_told_what_becomes_of_it_and_nothing_is_changed(desk: Desk) -> None:
    take(desk, HEAD, OTHER)

    found = plan(desk, f"{HEAD},halted", "ACME,ACME,USD,0.05,10,true", f"{OTHER},", f"{THIRD},")

    assert told(found) == [
        (2, "ACME", "UPDATED", ("halted",)),
        (3, "OTHER", "UNCHANGED", ()),
        (4, "THIRD", "CREATED", ("instrument_id", "symbol", "currency", "tick_size", "lot_size")),
    ]
    assert [found.count(outcome) for outcome in ImportOutcome] == [1, 1, 1, 0]
    assert (found.problems, found.backup_id) == ([], "")
    assert desk.reference.get("ACME") == instrument()
    assert desk.reference.get("THIRD") is None


async def test_it_is_taken_with_a_backup_and_a_row_of_the_audit_log(desk: Desk) -> None:
    done = take(desk, f"{HEAD},halted", "ACME,ACME,USD,0.05,10,true", f"{OTHER},")

    await desk.pipeline.durable()
    assert desk.reference.get("ACME") == instrument(halted=True)  # what the text does not have stays
    backup = desk.store.backup(done.backup_id)
    assert backup is not None
    assert (backup.principal, backup.reason, backup.count) == ("ops", "the new universe", 1)
    assert backup.text == write_instruments([instrument()])
    (row,) = desk.store.audit(done.backup_id, 9)
    assert (row.action, row.after) == (
        "instruments.import",
        "1 created, 1 updated, 0 unchanged, 0 deleted",
    )


async def test_what_changes_nothing_makes_no_backup(desk: Desk) -> None:
    done = take(desk, *write_instruments([instrument()]).splitlines())

    await desk.pipeline.durable()
    assert told(done) == [(2, "ACME", "UNCHANGED", ())]
    assert done.backup_id == ""
    assert desk.store.backups("", 9) == []


async def test_all_that_is_wrong_is_named_and_nothing_is_taken(desk: Desk) -> None:
    lines = (
        f"{HEAD},calendar,reference_price",
        "ACME,ACME,USD,zero,10,,",
        f"{OTHER},NYSE,",
        f"{THIRD},,-1",
        f"{THIRD},,",
        f"{THIRD},,",
        "FOURTH,THI,USD,1,1,,",
    )

    with pytest.raises(InstrumentsInvalid, match=r"line 2: tick_size: .*and 4 more") as caught:
        take(desk, *lines)

    assert [(line, column) for line, column, _ in caught.value.problems] == [
        (2, "tick_size"),
        (3, "calendar"),
        (4, "reference_price"),
        (6, "instrument_id"),
        (7, "symbol"),
    ]
    assert plan(desk, *lines).problems == list(caught.value.problems)
    await desk.pipeline.durable()
    assert desk.reference.instruments() == [instrument()]
    assert desk.store.backups("", 9) == []


@pytest.mark.parametrize(
    ("lines", "line", "column"),
    [
        ((), 1, "instrument_id"),
        ((HEAD, f"{OTHER},1"), 2, "lot_size"),
        ((HEAD, OTHER, '"THIRD'), 3, ""),
        ((HEAD, *(f"I{n},S{n},USD,1,1" for n in range(MOST + 1))), MOST + 2, ""),
    ],
)
async def test_what_cannot_be_read_to_its_end(
    desk: Desk, lines: tuple[str, ...], line: int, column: str
) -> None:
    assert [problem[:2] for problem in plan(desk, *lines).problems] == [(line, column)]


async def test_two_may_change_their_symbols_with_each_other(desk: Desk) -> None:
    take(desk, HEAD, OTHER, THIRD)

    take(desk, HEAD, "OTHER,THI,USD,0.01,1", "THIRD,OTH,USD,0.01,1")

    assert desk.reference.by_symbol("THI") == "OTHER"
    assert desk.reference.by_symbol("OTH") == "THIRD"


async def test_what_is_traded_keeps_what_it_is_counted_in(desk: Desk) -> None:
    desk.working()

    found = plan(desk, HEAD, "ACME,ACME,EUR,0.01,10")

    assert [problem[:2] for problem in found.problems] == [(2, "currency")]


async def test_a_price_takes_the_place_of_an_older_one_only(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.reference.put_price("ACME", ReferencePrice(Decimal(50), NOW, "feed"))
    head, row = f"{HEAD},reference_price,reference_time,reference_source", "ACME,ACME,USD,0.05,10"

    assert told(plan(desk, head, f"{row},51,2026-11-20T15:00:00Z,x")) == [(2, "ACME", "UNCHANGED", ())]
    assert told(plan(desk, head, f"{row},50,,")) == [(2, "ACME", "UNCHANGED", ())]
    done = take(desk, head, f"{row},51,2026-11-20T15:00:01Z,")

    assert told(done) == [(2, "ACME", "UPDATED", ("reference_price",))]
    later = ReferencePrice(Decimal(51), NOW + timedelta(seconds=1), "import")
    assert desk.reference.get("ACME") == instrument(reference=later)


async def test_what_is_not_in_the_text_goes_if_that_is_wanted_and_the_file_does_not_have_it(
    desk: Desk,
) -> None:
    take(desk, HEAD, OTHER, THIRD)

    assert told(plan(desk, HEAD, OTHER)) == [(2, "OTHER", "UNCHANGED", ())]
    done = take(desk, HEAD, OTHER, prune=True)

    assert told(done) == [(2, "OTHER", "UNCHANGED", ()), (0, "THIRD", "DELETED", ())]
    assert [one.instrument_id for one in desk.reference.instruments()] == ["ACME", "OTHER"]


async def test_a_backup_brings_back_what_was(desk: Desk) -> None:
    take(desk, HEAD, OTHER)
    before = desk.reference.instruments()
    done = take(desk, f"{HEAD},halted", "ACME,ACME,USD,0.01,10,true", "OTHER,NEW,EUR,1,1,", f"{THIRD},")
    await desk.pipeline.durable()
    backup = desk.store.backup(done.backup_id)
    assert backup is not None

    of(desk).take(backup.text, BY, NOW, delete_missing=True)

    assert desk.reference.instruments() == before
    await desk.pipeline.durable()
    newest = desk.store.backups("", 9)
    assert [row.count for row in newest] == [3, 2, 1]
    assert desk.store.backups(newest[0].backup_id, 1) == newest[1:2]
    assert {row.text for row in newest} == {""}


async def test_the_file_shows_through_what_an_import_did_not_change(desk: Desk) -> None:
    take(desk, f"{HEAD},halted", "ACME,ACME,USD,0.05,10,true")

    assert desk.reference.changed_columns("ACME") == ("halted",)
