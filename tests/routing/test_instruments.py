"""Operators make, change and forget instruments; nothing is changed under those who trade."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.calendar import Calendar, Span
from fairlead_server.domain.errors import (
    ConfigInvalid,
    EtagMismatch,
    InstrumentConfigured,
    InstrumentExists,
    InstrumentInUse,
    RouterError,
    UnknownInstrument,
)
from fairlead_server.domain.instrument import Instrument, ReferencePrice
from fairlead_server.domain.instrument_rows import CellError, etag_of
from fairlead_server.domain.order import OrderState
from fairlead_server.routing.instruments import Instruments
from fairlead_server.routing.ports import Operator

from tests.domain.builders import NOW, instrument
from tests.routing.desk import Desk

BY = Operator("ops", "asked for by the desk")
ROW = {"instrument_id": "OTHER", "symbol": "OTH", "currency": "USD", "tick_size": "0.01", "lot_size": "1"}


def of(desk: Desk) -> Instruments:
    return Instruments(desk.reference, desk.book, desk.pipeline)


async def audited(desk: Desk, subject: str) -> list[tuple[str, str, str, str]]:
    await desk.pipeline.durable()
    rows = desk.store.audit(subject, 9)
    assert {(row.principal, row.reason) for row in rows} <= {("ops", "asked for by the desk")}
    return [(row.action, row.subject, row.before, row.after) for row in rows]


async def test_an_instrument_is_made_and_traded(desk: Desk) -> None:
    made = of(desk).create({**ROW, "kind": "equity"}, BY, NOW)

    assert made == desk.reference.get("OTHER")
    assert (made.symbol, made.kind, made.lot_size) == ("OTH", "equity", Decimal(1))
    assert await audited(desk, "OTHER") == [
        (
            "instrument.create",
            "OTHER",
            "",
            "instrument_id=OTHER symbol=OTH currency=USD tick_size=0.01 lot_size=1 kind=equity",
        )
    ]


async def test_to_make_the_same_again_is_answered_alike(desk: Desk) -> None:
    made = of(desk).create(ROW, BY, NOW)

    assert of(desk).create({**ROW, "halted": "false", "multiplier": "1"}, BY, NOW) == made
    assert len(await audited(desk, "OTHER")) == 1


async def test_a_name_and_a_symbol_are_given_once(desk: Desk) -> None:
    instruments = of(desk)
    instruments.create(ROW, BY, NOW)

    with pytest.raises(InstrumentExists, match="OTHER exists, and is another"):
        instruments.create({**ROW, "lot_size": "5"}, BY, NOW)
    with pytest.raises(InstrumentExists, match="THIRD has the symbol ACME of ACME"):
        instruments.create({**ROW, "instrument_id": "THIRD", "symbol": "ACME"}, BY, NOW)
    with pytest.raises(InstrumentExists, match="OTHER has the symbol ACME of ACME"):
        instruments.update("OTHER", {"symbol": "ACME"}, "", BY, NOW)


async def test_what_no_column_can_hold_is_refused_before_anything_is_changed(desk: Desk) -> None:
    with pytest.raises(CellError, match="calendar: NYSE is not known"):
        of(desk).create({**ROW, "calendar": "NYSE"}, BY, NOW)
    with pytest.raises(CellError, match="tick_size: '' must be a decimal"):
        of(desk).update("ACME", {"tick_size": ""}, "", BY, NOW)

    assert await audited(desk, "") == []


async def test_a_halt_is_in_force_at_once_and_ends_likewise(desk: Desk) -> None:
    halted = of(desk).update("ACME", {"halted": "true"}, etag_of(instrument()), BY, NOW)
    assert halted == instrument(halted=True)
    assert desk.sent().state is OrderState.REJECTED

    of(desk).update("ACME", {"halted": ""}, etag_of(halted), BY, NOW)

    assert desk.reference.get("ACME") == instrument()
    assert desk.reference.changed_columns("ACME") == ()
    assert await audited(desk, "ACME") == [
        ("instrument.update", "ACME", "halted=true", "halted="),
        ("instrument.update", "ACME", "halted=", "halted=true"),
    ]


async def test_whoever_has_seen_another_is_told(desk: Desk) -> None:
    seen = etag_of(instrument())
    of(desk).update("ACME", {"halted": "true"}, seen, BY, NOW)

    with pytest.raises(EtagMismatch):
        of(desk).update("ACME", {"kind": "equity"}, seen, BY, NOW)
    with pytest.raises(EtagMismatch):
        of(desk).delete("ACME", seen, BY, NOW)


async def test_a_price_is_not_part_of_what_one_has_seen(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.reference.put_price("ACME", ReferencePrice(Decimal(51), NOW, "feed"))

    of(desk).update("ACME", {"halted": "true"}, etag_of(instrument()), BY, NOW)


async def test_to_change_nothing_is_nothing(desk: Desk) -> None:
    assert of(desk).update("ACME", {"halted": ""}, "", BY, NOW) == instrument()
    assert await audited(desk, "ACME") == []


async def test_nobody_knows_it(desk: Desk) -> None:
    with pytest.raises(UnknownInstrument):
        of(desk).update("NOBODY", {"halted": "true"}, "", BY, NOW)
    with pytest.raises(UnknownInstrument):
        of(desk).delete("NOBODY", "", BY, NOW)


async def test_forgotten_it_is_as_the_file_has_it_or_gone(desk: Desk) -> None:
    instruments = of(desk)
    instruments.create(ROW, BY, NOW)
    instruments.update("ACME", {"halted": "true"}, "", BY, NOW)

    assert instruments.delete("ACME", "", BY, NOW) == instrument()
    assert instruments.delete("OTHER", "", BY, NOW) is None

    assert desk.reference.instruments() == [instrument()]
    assert (await audited(desk, "ACME"))[0] == ("instrument.delete", "ACME", "halted=true", "halted=")
    with pytest.raises(InstrumentConfigured):
        instruments.delete("ACME", "", BY, NOW)


@pytest.mark.parametrize("traded", [False, True])
async def test_what_orders_and_positions_are_counted_in_stays(desk: Desk, *, traded: bool) -> None:
    order = desk.working()
    if traded:
        desk.filled(order, 100)
    instruments = of(desk)

    for column, text in (("symbol", "NEW"), ("currency", "EUR"), ("multiplier", "10")):
        with pytest.raises(InstrumentInUse):
            instruments.update("ACME", {column: text}, "", BY, NOW)
    instruments.update("ACME", {"tick_size": "0.01"}, "", BY, NOW)

    assert desk.reference.get("ACME") == instrument(tick_size=Decimal("0.01"))


async def test_what_is_traded_is_not_deleted_under_those_who_trade_it(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.reference.rebase({}, {})
        desk.reference.put(instrument())
        desk.reference.put_price("ACME", ReferencePrice(Decimal(50), NOW, "feed"))
    order = desk.working()

    with pytest.raises(InstrumentInUse):
        of(desk).delete("ACME", "", BY, NOW)

    desk.cancel(order)
    assert desk.reference.get("ACME") is not None


async def test_nothing_is_changed_with_a_store_that_takes_nothing(desk: Desk) -> None:
    desk.writer.failure = OSError("disk full")
    of(desk).create(ROW, BY, NOW)
    with pytest.raises(RouterError):
        await desk.pipeline.durable()

    with pytest.raises(RouterError):
        of(desk).update("ACME", {"halted": "true"}, "", BY, NOW)
    desk.load()

    assert desk.reference.instruments() == [instrument()]


# The file, read anew.

SHIFTED = instrument(tick_size=Decimal("0.01"))
NIGHT = Calendar("NIGHT", ZoneInfo("UTC"), (Span(frozenset({0}), time(18), time(6)),))


def check(desk: Desk, *instruments: Instrument, calendars: tuple[Calendar, ...] = ()) -> tuple[int, int]:
    named = {each.instrument_id: each for each in instruments}
    return of(desk).check(named, {each.calendar_id: each for each in calendars})


async def test_what_another_file_would_change_is_counted(desk: Desk) -> None:
    other = instrument(instrument_id="OTHER", symbol="OTH")
    newer = ReferencePrice(Decimal(50), NOW, "instruments file")

    assert check(desk, instrument()) == (0, 0)
    assert check(desk, instrument(reference=newer)) == (0, 0)  # an undated price is of the time of reading
    assert check(desk, SHIFTED, other) == (2, 0)
    assert check(desk) == (1, 0)
    assert check(desk, instrument(calendar=NIGHT), calendars=(NIGHT,)) == (1, 1)
    assert desk.reference.instruments() == [instrument()]


async def test_what_was_changed_stays_under_another_file(desk: Desk) -> None:
    of(desk).update("ACME", {"halted": "true", "tick_size": "0.01"}, "", BY, NOW)

    assert check(desk, SHIFTED) == (0, 0)


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ((), "ACME is gone, and has live orders"),
        ((instrument(symbol="NEW"),), "ACME has other symbol or currency or multiplier"),
        ((instrument(multiplier=Decimal(5)),), "ACME has other symbol or currency or multiplier"),
    ],
)
async def test_a_file_is_not_taken_that_changes_what_is_traded(
    desk: Desk, file: tuple[Instrument, ...], problem: str
) -> None:
    desk.working()

    with pytest.raises(ConfigInvalid, match=f"instruments_file: {problem}"):
        check(desk, *file)
    assert check(desk, SHIFTED) == (1, 0)


async def test_a_file_is_not_taken_that_what_was_changed_does_not_fit(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.reference.rebase({"ACME": instrument()}, {"NIGHT": NIGHT})
    of(desk).update("ACME", {"calendar": "NIGHT"}, "", BY, NOW)
    of(desk).create(ROW, BY, NOW)

    with pytest.raises(ConfigInvalid, match=r"what was changed of ACME does not fit .* NIGHT is not known"):
        check(desk, instrument())
    same = instrument(instrument_id="THIRD", symbol="OTH")
    with pytest.raises(ConfigInvalid, match="THIRD has the symbol OTH of OTHER"):
        check(desk, instrument(), same, calendars=(NIGHT,))
