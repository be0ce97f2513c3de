"""The universe of instruments: each fault is named by its line and its column."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.instrument import Instrument, ReferencePrice, Shorting, TickBand
from fairlead_server.domain.instrument_rows import InstrumentsError, read_instruments, write_instruments
from fairlead_server.domain.terms import OrderType, TimeInForce
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.domain.builders import NOW, instrument

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
        ("AAPL,AAPL,USD,0.01,1,,,,NYSE,", "calendar", "NYSE is not known; there are ALL"),
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


ALL_OF_IT = replace(
    instrument(),
    kind="future",
    multiplier=Decimal(50),
    tick_table=(TickBand(Decimal(0), Decimal("0.0001")), TickBand(Decimal(1), Decimal("0.01"))),
    shorting=Shorting.LOCATE,
    short_sale_restricted=True,
    average_daily_volume=Decimal(1_000_000),
    order_types=frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT}),
    times_in_force=frozenset({TimeInForce.DAY}),
    margin_rate=Decimal("0.05"),
    max_reference_age=timedelta(minutes=5),
)


def test_what_risk_wants_to_know_of_an_instrument() -> None:
    header = (
        f"{SHORT},min_quantity,reference_price,reference_time,reference_source,kind,multiplier,tick_table,"
        "shortable,short_sale_restricted,average_daily_volume,order_types,times_in_force,margin_rate,"
        "max_reference_age_seconds"
    )
    row = (
        "ACME,ACME,USD,0.05,10,20,50,2026-11-20T14:59:00Z,file,future,50,0:0.0001;1:0.01,"
        "LOCATE,true,1000000,limit; STOP_LIMIT,DAY,0.05,300"
    )

    assert read(header, row) == {"ACME": ALL_OF_IT}


@pytest.mark.parametrize(
    ("column", "text", "problem"),
    [
        ("kind", "a b", "1 to 36"),
        ("multiplier", "0", "above zero"),
        ("tick_table", "1", "PRICE:TICK"),
        ("tick_table", "1:0", "PRICE:TICK"),
        ("tick_table", "1:0.01;1:0.05", "ascending"),
        ("tick_table", ";".join(f"{n}:1" for n in range(33)), "at most 32"),
        ("shortable", "perhaps", "one of yes, locate, no"),
        ("short_sale_restricted", "2", "true or false"),
        ("average_daily_volume", "many", "decimal number"),
        ("order_types", "LIMIT;PEGGED", "'PEGGED' is none of MARKET, LIMIT"),
        ("times_in_force", "DAY,GTC", "'DAY,GTC' is none of DAY, GTC"),
        ("margin_rate", "-1", "decimal number"),
        ("max_reference_age_seconds", "1.5", "whole number"),
        ("max_reference_age_seconds", "0", "between 1 and"),
        ("max_reference_age_seconds", "40000000", "between 1 and"),
        ("reference_source", "a\x01b", "1 to 36 characters"),
    ],
)
def test_a_fault_of_these_is_named_likewise(column: str, text: str, problem: str) -> None:
    with pytest.raises(InstrumentsError) as caught:
        read(f"{SHORT},reference_price,{column}", f'AAPL,AAPL,USD,0.01,1,230,"{text}"')
    assert (caught.value.line, caught.value.column) == (2, column)
    assert problem in caught.value.problem


def decimals(least: str = "0.01") -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(least), Decimal(10**9), places=2)


def words(kind: type[OrderType | TimeInForce]) -> st.SearchStrategy[Any]:
    return st.frozensets(st.sampled_from(list(kind)))


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    begins = sorted(draw(st.sets(decimals("0"), max_size=4)))
    price = st.builds(
        ReferencePrice,
        decimals(),
        st.datetimes(timezones=st.just(UTC)),
        st.sampled_from(["feed", 'a "b", c']),
    )
    return Instrument(
        draw(st.from_regex(r"[A-Za-z0-9._:-]{1,36}", fullmatch=True)),
        draw(st.from_regex(r"[\x21-\x7e]{1,32}", fullmatch=True)),
        draw(st.sampled_from(["USD", "EUR"])),
        draw(decimals()),
        draw(decimals()),
        draw(decimals()),
        draw(st.booleans()),
        draw(st.none() | price),
        draw(st.sampled_from([None, ALL_DAY])),
        draw(st.sampled_from(["", "equity", "fx"])),
        draw(decimals()),
        tuple(TickBand(begin, draw(decimals())) for begin in begins),
        draw(st.sampled_from(list(Shorting))),
        draw(st.booleans()),
        draw(st.none() | decimals()),
        draw(words(OrderType)),
        draw(words(TimeInForce)),
        draw(st.none() | decimals()),
        draw(st.none() | st.integers(1, 31_536_000).map(lambda n: timedelta(seconds=n))),
    )


@given(st.lists(instruments(), max_size=5, unique_by=(lambda one: one.instrument_id, lambda one: one.symbol)))
def test_what_is_written_is_read_the_same(written: list[Instrument]) -> None:
    text = write_instruments(written)

    found = read_instruments(text, {"ALL": ALL_DAY}, NOW)

    assert list(found.values()) == written
    assert write_instruments(found.values()) == text
