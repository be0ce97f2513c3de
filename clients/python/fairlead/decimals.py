"""Prices and quantities travel as plain decimal strings; here they turn into Decimal and back.

The grammar is the API's (``proto/fairlead/v1/common.proto``). Floats are refused: 0.1 is not a tenth,
and nobody can say which price was meant.
"""

import re
from decimal import Decimal
from typing import TypeAlias

from google.protobuf.message import Message

from fairlead.errors import BadValue

Number: TypeAlias = Decimal | int | str

_GRAMMAR = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?")


def to_text(value: Number) -> str:
    """The value as the API writes it; a string stays as it is, digit for digit."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise TypeError(f"{value!r} is a {type(value).__name__}: give a Decimal, an int or a str")
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    if not _GRAMMAR.fullmatch(text):
        raise BadValue(f"{text!r} is not a decimal number of at most 18 digits and 12 decimals")
    return text


def to_decimal(message: Message, field: str) -> Decimal | None:
    """A decimal field of a message, as in ``to_decimal(order, "average_price")``; None if it is not set."""
    text: str = getattr(message, field)
    return Decimal(text) if text else None
