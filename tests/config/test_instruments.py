"""The universe of instruments: each fault is named by its line and its column."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.config.instruments import InstrumentsError, read_instruments
from fairlead_server.domain.instrument import Calendar, Instrument, ReferencePrice

from tests.domain.builders import NOW

ALL_DAY = Calendar("ALL", ZoneInfo("UTC"), ())
FULL = "instrument_id,symbol,currency,tick_size,lot_size,min_quantity,reference_price,reference_time,calendar,halted"
SHORT = "instrument_id,symbol,currency,tick_size,lot_size"


def read(*lines: str) -> dict[str, Instrument]:
    return read_instruments("\n".join(lines), {"ALL": ALL_DAY}, NOW)


def test_an_instrument_with_all_that_can_be_said() -> None:
    found = read(FULL, "EURUSD,EUR/USD,USD,0.00001,1000,5000,1.08450,2026-11-19T21:00:00Z,ALL,TRUE")
    price = ReferencePrice(Decimal("1.08450"), datetime(2026, 11, 19, 21, tzinfo=UTC), "instruments file")
    assert found == {
        "EURUSD": Instrument(
            "EURUSD",
            "EUR/USD",
            "USD",
            Decimal("0.00001"),
            Decimal(1000),
            Decimal(5000),
            halted=True,
            reference=price,
            calendar=ALL_DAY,
        )
    }


def test_what_may_be_left_out() -> None:
    found = read(SHORT, "AAPL,AAPL,USD,0.01,5")["AAPL"]
    assert found == Instrument("AAPL", "AAPL", "USD", Decimal("0.01"), Decimal(5), Decimal(5))
    assert read(FULL, "AAPL,AAPL,USD,0.01,5,,,,,") == {"AAPL": found}


def test_a_price_without_a_time_is_of_now() -> None:
    reference = read(f"{SHORT},reference_price", " AAPL , AAPL,USD,0.01,5,230.10 ")["AAPL"].reference
    assert reference == ReferencePrice(Decimal("230.10"), NOW, "instruments file")


def test_an_empty_universe() -> None:
    assert read(SHORT) == {}


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        (",AAPL,USD,0.01,1,,,,,", "instrument_id", "''"),
        ("A B,AAPL,USD,0.01,1,,,,,", "instrument_id", "1 to 36"),
        (f"{'A' * 37},AAPL,USD,0.01,1,,,,,", "instrument_id", "1 to 36"),
        ("AAPL,A\x01B,USD,0.01,1,,,,,", "symbol", "printable"),
        ("AAPL,A B,USD,0.01,1,,,,,", "symbol", "without blanks"),
        ("AAPL,AAPL,usd,0.01,1,,,,,", "currency", "three capital letters"),
        ("AAPL,AAPL,USD,0,1,,,,,", "tick_size", "above zero"),
        ("AAPL,AAPL,USD,-0.01,1,,,,,", "tick_size", "decimal number"),
        ("AAPL,AAPL,USD,1e-2,1,,,,,", "tick_size", "decimal number"),
        ("AAPL,AAPL,USD,NaN,1,,,,,", "tick_size", "decimal number"),
        ("AAPL,AAPL,USD,.01,1,,,,,", "tick_size", "decimal number"),
        ("AAPL,AAPL,USD,0.01,,,,,,", "lot_size", "decimal number"),
        ("AAPL,AAPL,USD,0.01,0.0,,,,,", "lot_size", "above zero"),
        ("AAPL,AAPL,USD,0.01,1,few,,,,", "min_quantity", "decimal number"),
        ("AAPL,AAPL,USD,0.01,1,,dear,,,", "reference_price", "decimal number"),
        ("AAPL,AAPL,USD,0.01,1,,1,yesterday,,", "reference_time", "such as"),
        ("AAPL,AAPL,USD,0.01,1,,1,2026-11-19T21:00:00,,", "reference_time", "no time zone"),
        ("AAPL,AAPL,USD,0.01,1,,,,NYSE,", "calendar", "NYSE is not configured; there are ALL"),
        ("AAPL,AAPL,USD,0.01,1,,,,,maybe", "halted", "true or false"),
        ("AAPL,AAPL,USD", "lot_size", "''"),
        ("MSFT,OTHER,USD,0.01,1,,,,,", "instrument_id", "MSFT stands here twice"),
        ("OTHER,MSFT,USD,0.01,1,,,,,", "symbol", "MSFT stands here twice"),
        ("AAPL,AAPL,USD,0.01,1,,,,,,1", "halted", "more cells"),
    ],
)
def test_a_fault_is_named_by_line_and_column(row: str, column: str, problem: str) -> None:
    with pytest.raises(InstrumentsError) as caught:
        read(FULL, "MSFT,MSFT,USD,0.01,1,,,,,", row)
    assert (caught.value.line, caught.value.column) == (3, column)
    assert problem in caught.value.problem
    assert str(caught.value) == f"line 3: {column}: {caught.value.problem}"


@pytest.mark.parametrize(
    ("header", "column", "problem"),
    [
        ("", "instrument_id", "the column is missing"),
        ("instrument_id,symbol,currency,tick_size", "lot_size", "the column is missing"),
        (f"{SHORT},price", "price", "is no column"),
        (f"{SHORT},symbol", "symbol", "stands here twice"),
    ],
)
def test_a_header_that_is_wrong(header: str, column: str, problem: str) -> None:
    with pytest.raises(InstrumentsError) as caught:
        read(header, "AAPL,AAPL,USD,0.01,1")
    assert (caught.value.line, caught.value.column) == (1, column)
    assert problem in caught.value.problem


@pytest.mark.parametrize("row", ['"AAPL,AAPL,USD,0.01,1', '"AAPL"x,AAPL,USD,0.01,1', f"{'A' * 200_000},AAPL"])
def test_what_is_not_csv(row: str) -> None:
    with pytest.raises(InstrumentsError, match="line 2: is not CSV"):
        read(SHORT, row)
