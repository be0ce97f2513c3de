from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from fairlead_server.fix.errors import BadValue
from fairlead_server.fix.values import (
    read_boolean,
    read_decimal,
    read_int,
    read_utc_timestamp,
    write_decimal,
    write_utc_timestamp,
)
from hypothesis import given
from hypothesis import strategies as st

TAG = 44


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_a_decimal_is_read_as_it_was_written(value: Decimal) -> None:
    assert read_decimal(TAG, write_decimal(TAG, value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+3", "1000"), ("1.50", "1.50"), ("1E-7", "0.0000001"), ("-2.0", "-2.0"), ("100", "100")],
)
def test_a_decimal_is_written_without_exponent_and_with_its_digits(value: str, text: str) -> None:
    assert write_decimal(TAG, Decimal(value)) == text


@pytest.mark.parametrize("text", ["23.23", "0023.23", "23.", ".5", "-0.25", "0"])
def test_a_decimal_may_have_what_the_specification_allows(text: str) -> None:
    assert read_decimal(TAG, text) == Decimal(text)


@pytest.mark.parametrize(
    "text", ["", "-", ".", "+1", "1e5", "1E5", "NaN", "inf", " 1", "1 ", "1_0", "1,5", "\u0661", "9" * 41]
)
def test_a_decimal_may_have_nothing_else(text: str) -> None:
    with pytest.raises(BadValue) as caught:
        read_decimal(TAG, text)

    assert (caught.value.tag, caught.value.text) == (TAG, text)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_is_not_written(value: str) -> None:
    with pytest.raises(BadValue):
        write_decimal(TAG, Decimal(value))


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("007", 7), ("-12", -12)])
def test_an_int_is_digits(text: str, value: int) -> None:
    assert read_int(TAG, text) == value


@pytest.mark.parametrize("text", ["", "-", "+1", "1.0", " 1", "1_0", "\xb2", "1" * 19])
def test_an_int_is_nothing_else(text: str) -> None:
    with pytest.raises(BadValue):
        read_int(TAG, text)


def test_a_boolean_is_y_or_n() -> None:
    assert read_boolean(TAG, "Y") is True
    assert read_boolean(TAG, "N") is False
    with pytest.raises(BadValue):
        read_boolean(TAG, "y")


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("", 0), (".250", 250_000), (".250001", 250_001), (".250001999", 250_001)],
)
def test_a_time_is_read_in_each_precision(text: str, microsecond: int) -> None:
    time = read_utc_timestamp(TAG, f"20260302-14:30:05{text}")

    assert time == datetime(2026, 3, 2, 14, 30, 5, microsecond, UTC)


def test_a_leap_second_is_the_first_of_the_next_day() -> None:
    assert read_utc_timestamp(TAG, "20161231-23:59:60.500") == datetime(2017, 1, 1, 0, 0, 0, 500_000, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20260302",
        "20260302 14:30:05",
        "20260302-14:30",
        "20260302-14:30:05.",
        "20260302-14:30:05.25",
        "20260302-24:00:00",
        "20261302-14:30:05",
        "20260230-14:30:05",
        "20260302-14:30:61",
        "00000101-00:00:00",
        "99991231-23:59:60",
        "2026030\xb2-14:30:05",
        "20260302-14:30:05Z",
    ],
)
def test_a_time_is_nothing_else(text: str) -> None:
    with pytest.raises(BadValue):
        read_utc_timestamp(TAG, text)


def test_a_time_is_written_in_utc_and_cut_to_its_precision() -> None:
    time = datetime(2026, 3, 2, 9, 30, 5, 123_999, timezone(timedelta(hours=-5)))

    assert write_utc_timestamp(time) == "20260302-14:30:05.123"
    assert write_utc_timestamp(time, digits=6) == "20260302-14:30:05.123999"
    assert write_utc_timestamp(time, digits=0) == "20260302-14:30:05"


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        write_utc_timestamp(datetime(2026, 3, 2))


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_read_as_it_was_written(time: datetime) -> None:
    assert read_utc_timestamp(TAG, write_utc_timestamp(time, digits=6)) == time
