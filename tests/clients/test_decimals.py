from decimal import Decimal

import pytest
from fairlead.decimals import to_decimal, to_text
from fairlead.v1.common_pb2 import Order
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("text", ["0", "-1", "100", "101.2500", "0.000000000001", "999999999999999999"])
def test_a_string_stays_as_it_is_digit_for_digit(text: str) -> None:
    assert to_text(text) == text


@pytest.mark.parametrize(
    "text", ["", "+1", "01", "1.", ".5", "1e3", "NaN", "Infinity", " 1", "1\n", "1,000", "\uff11", "1" * 19]
)
def test_what_is_not_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a decimal number"):
        to_text(text)


def test_a_decimal_with_an_exponent_is_written_out() -> None:
    assert to_text(Decimal("1E+3")) == "1000"
    assert to_text(Decimal("1E-3")) == "0.001"


@pytest.mark.parametrize("value", [0.1, True, None, b"1"])
def test_floats_and_strangers_are_type_errors(value: object) -> None:
    with pytest.raises(TypeError, match="give a Decimal, an int or a str"):
        to_text(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("-Infinity"), Decimal("1E+30"), Decimal("1E-13")])
def test_decimals_that_the_api_cannot_carry_are_refused(value: Decimal) -> None:
    with pytest.raises(ValueError, match="not a decimal number"):
        to_text(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**17), max_value=10**17))
def test_there_and_back_is_the_same_number(value: Decimal) -> None:
    order = Order(average_price=to_text(value + 0))  # + 0: the API has no negative zero

    assert to_decimal(order, "average_price") == value


def test_an_unset_field_is_none() -> None:
    assert to_decimal(Order(), "average_price") is None
