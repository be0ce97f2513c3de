"""What an operator has changed is laid over the file, and comes back with the store."""

from __future__ import annotations

import logging
import random
from datetime import time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.calendar import Calendar, Span
from fairlead_server.domain.instrument import Instrument, ReferencePrice
from fairlead_server.routing.reference import Reference
from fairlead_server.store.database import Store
from msgspec.structs import replace

from tests.domain.builders import NOW, instrument
from tests.routing.desk import Desk

HOURS = Calendar("XNYS", ZoneInfo("America/New_York"), (Span(frozenset(range(5)), time(9, 30), time(16)),))
LONGER = replace(HOURS, spans=(Span(frozenset(range(5)), time(8), time(20)),))
OTHER = instrument(instrument_id="OTHER", symbol="OTH", reference=None)


def price(amount: int, minutes: int = 0) -> ReferencePrice:
    return ReferencePrice(Decimal(amount), NOW + timedelta(minutes=minutes), "feed")


async def again(desk: Desk, *configured: Instrument) -> Reference:
    """Memory of another process on the same store, whose file says this."""
    await desk.pipeline.durable()
    later = Reference(desk.pipeline, {each.instrument_id: each for each in configured or (instrument(),)})
    later.load(desk.store.load(NOW))
    return later


async def test_without_changes_there_is_what_the_file_says(desk: Desk) -> None:
    assert desk.reference.get("ACME") == instrument()
    assert desk.reference.get("OTHER") is None
    assert desk.reference.by_symbol("ACME") == "ACME"
    assert desk.reference.by_symbol("GONE") == "GONE"


async def test_what_was_changed_and_made_is_there_after_a_restart(desk: Desk) -> None:
    changed = replace(instrument(), halted=True, lot_size=Decimal(5), reference=price(51))

    with desk.pipeline.deciding():
        desk.reference.put(changed)
        desk.reference.put(OTHER)
        desk.reference.put_price("ACME", price(51))

    assert (await again(desk)).instruments() == desk.reference.instruments() == [changed, OTHER]
    assert desk.reference.changed_columns("ACME") == ("lot_size", "halted")
    assert desk.reference.by_symbol("OTH") == "OTHER"


async def test_the_file_shows_where_nothing_was_changed(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.reference.put(replace(instrument(), halted=True))

    found = (await again(desk, instrument(tick_size=Decimal("0.01")))).get("ACME")

    assert found == instrument(tick_size=Decimal("0.01"), halted=True)


async def test_what_was_changed_to_the_default_stays_so(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.reference.rebase({"ACME": instrument(kind="equity", multiplier=Decimal(10))}, {})
        desk.reference.put(instrument(multiplier=Decimal(10)))

    found = (await again(desk, instrument(kind="equity", multiplier=Decimal(10)))).get("ACME")
    assert found == instrument(multiplier=Decimal(10))


async def test_forgotten_it_is_as_the_file_has_it_or_gone(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.reference.put(replace(instrument(), halted=True))
        desk.reference.put_price("ACME", price(51))
        desk.reference.put(OTHER)

    with desk.pipeline.deciding():
        desk.reference.forget("ACME")
        desk.reference.forget("OTHER")

    assert (await again(desk)).instruments() == desk.reference.instruments() == [instrument()]
    assert desk.reference.by_symbol("OTH") == "OTH"


async def test_a_change_that_does_not_fit_the_file_any_more_halts(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with desk.pipeline.deciding():
        desk.reference.rebase({"ACME": instrument()}, {"XNYS": HOURS})
        desk.reference.put(instrument(calendar=HOURS))
        desk.reference.put(replace(OTHER, calendar=HOURS))

    with caplog.at_level(logging.CRITICAL):
        later = await again(desk)

    assert later.instruments() == [instrument(halted=True)]
    assert "ACME does not fit any more: calendar: XNYS is not known" in caplog.text


async def test_a_calendar_that_was_put_is_that_of_its_instruments_until_it_is_taken_away(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.reference.rebase({"ACME": instrument(calendar=HOURS)}, {"XNYS": HOURS})
        desk.reference.put_calendar("XNYS", LONGER)
    assert desk.reference.get("ACME") == instrument(calendar=LONGER)
    await desk.check()  # after a restart, too

    with desk.pipeline.deciding():
        desk.reference.put_calendar("XNYS", None)
    assert desk.reference.get("ACME") == instrument(calendar=HOURS)


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_was_done_is_the_same_after_a_restart(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    names = ["ACME", "OTHER", "THIRD"]

    def some(name: str) -> Instrument:
        """Of a symbol of its own, for that no two may have one."""
        return instrument(
            instrument_id=name,
            symbol=f"{name}{chance.randrange(3)}",
            halted=chance.random() < 0.5,
            lot_size=Decimal(chance.choice(["1", "10", "10.0"])),
            kind=chance.choice(["", "equity"]),
            reference=chance.choice([None, price(50)]),
            calendar=chance.choice([None, HOURS]),
        )

    with desk.pipeline.deciding():
        desk.reference.rebase({"ACME": instrument()}, {"XNYS": HOURS})
    for step in range(30):
        name, known = chance.choice(names), desk.reference
        with desk.pipeline.deciding():
            match chance.randrange(5):
                case 0:
                    known.put(some(name))
                case 1:
                    known.forget(name)
                case 2 if name in known:
                    known.put_price(name, price(50 + step, step))
                case 3:
                    known.put_calendar("XNYS", chance.choice([None, LONGER]))
                case _:
                    file = {each: some(each) for each in names if chance.random() < 0.6}
                    known.rebase(file, {"XNYS": HOURS})
        if chance.random() < 0.3:
            await desk.check()


async def test_listeners_hear_of_each_change_and_end(desk: Desk) -> None:
    heard: list[tuple[str, Instrument | None]] = []
    desk.reference.listeners.append(lambda name, one: heard.append((name, one)))

    with desk.pipeline.deciding():
        desk.reference.put_price("ACME", price(51))
        desk.reference.put(OTHER)
        desk.reference.forget("OTHER")

    assert heard == [("ACME", instrument(reference=price(51))), ("OTHER", OTHER), ("OTHER", None)]


async def test_many_prices_of_one_group_are_written_once(desk: Desk) -> None:
    with desk.pipeline.deciding():
        for minute in range(5):
            desk.reference.put_price("ACME", price(50 + minute, minute))

    await desk.pipeline.durable()
    assert [batch.prices for batch in desk.writer.batches] == [{"ACME": price(54, 4)}]


async def test_another_file_is_taken_up_under_the_changes(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.reference.put(replace(instrument(), halted=True))
        desk.reference.rebase({"ACME": instrument(lot_size=Decimal(5)), "OTHER": OTHER}, {})
    assert desk.reference.instruments() == [
        instrument(lot_size=Decimal(5), halted=True),
        OTHER,
    ]

    with desk.pipeline.deciding():
        desk.reference.rebase({"OTHER": OTHER}, {})
    assert desk.reference.instruments() == [OTHER]


async def test_an_order_is_checked_against_what_was_changed(desk: Desk) -> None:
    with desk.pipeline.deciding():
        desk.reference.put(replace(instrument(), halted=True))

    reject = desk.sent().reject

    assert reject is not None
    assert reject.breaches[0].rule_id == "instrument_halted"


async def test_a_failed_commit_takes_the_change_back(store: Store) -> None:
    desk = Desk(store)
    desk.writer.failure = OSError("disk full")
    with desk.pipeline.deciding():
        desk.reference.put(replace(instrument(), halted=True))
    with pytest.raises(Exception, match="nothing was acknowledged"):
        await desk.pipeline.durable()

    desk.load()

    assert desk.reference.get("ACME") == instrument()
    await desk.end()
