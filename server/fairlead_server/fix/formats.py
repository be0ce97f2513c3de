"""The data types of FIX as tests of a field's text (FIX 5.0 SP2 vol. 1, "Data Types").

A test says whether a text can be a value of the type at all, not whether it makes sense. An empty text passes none.
Types that are missing here hold any text.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

Test = Callable[[str], object]
"""Truth is what counts."""

# More than any number of a real message has; hostile text must not become huge integers.
_INT: Final = re.compile(r"-?[0-9]{1,18}").fullmatch
_COUNT: Final = re.compile(r"[0-9]{1,18}").fullmatch
_FLOAT: Final = re.compile(r"-?(?=\.?[0-9])[0-9]{0,30}(?:\.[0-9]{0,30})?").fullmatch

_MONTH: Final = r"[0-9]{4}(?:0[1-9]|1[0-2])"
_DAY: Final = r"(?:0[1-9]|[12][0-9]|3[01])"
_TIME: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.(?:[0-9]{3}|[0-9]{6}|[0-9]{9}))?"
_DATE: Final = re.compile(_MONTH + _DAY).fullmatch

TESTS: Final[Mapping[str, Test]] = {
    "INT": _INT,
    "LENGTH": _COUNT,
    "NUMINGROUP": _COUNT,
    "SEQNUM": _COUNT,
    "TAGNUM": _COUNT,
    "DAYOFMONTH": re.compile(r"0?[1-9]|[12][0-9]|3[01]").fullmatch,
    "FLOAT": _FLOAT,
    "QTY": _FLOAT,
    "PRICE": _FLOAT,
    "PRICEOFFSET": _FLOAT,
    "AMT": _FLOAT,
    "PERCENTAGE": _FLOAT,
    "BOOLEAN": frozenset({"Y", "N"}).__contains__,
    "CHAR": re.compile(r".", re.DOTALL).fullmatch,
    "MONTHYEAR": re.compile(rf"{_MONTH}(?:{_DAY}|w[1-5])?").fullmatch,
    "UTCTIMESTAMP": re.compile(rf"{_MONTH}{_DAY}-{_TIME}").fullmatch,
    "TIME": re.compile(rf"{_MONTH}{_DAY}-{_TIME}").fullmatch,  # of FIX.4.0 and FIX.4.1
    "UTCTIMEONLY": re.compile(_TIME).fullmatch,
    "DATE": _DATE,
    "UTCDATE": _DATE,
    "UTCDATEONLY": _DATE,
    "LOCALMKTDATE": _DATE,
}
MULTIPLE: Final = frozenset({"MULTIPLEVALUESTRING", "MULTIPLESTRINGVALUE", "MULTIPLECHARVALUE"})
"""Several values with blanks between them."""


def any_text(text: str) -> bool:
    return bool(text)
