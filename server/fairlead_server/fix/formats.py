"""The data types of FIX as patterns, and as tests, of a field's text (FIX 5.0 SP2 vol. 1, "Data Types").

They say whether a text can be a value of the type at all, not whether it makes sense. An empty text passes none, and
none takes SOH. Types that are missing here hold any text.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

Test = Callable[[str], object]
"""Truth is what counts."""

# None goes back to try a shorter match: what follows a value is SOH, which no value holds.
ANY_TEXT: Final = r"[^\x01]++"
ANY_TEXT_OR_NONE: Final = r"[^\x01]*+"

# More than any number of a real message has; hostile text must not become huge integers.
_COUNT: Final = r"[0-9]{1,18}+"
_FLOAT: Final = r"-?+(?=\.?[0-9])[0-9]{0,30}+(?:\.[0-9]{0,30}+)?+"

_MONTH: Final = r"[0-9]{4}(?:0[1-9]|1[0-2])"
_DAY: Final = r"(?:0[1-9]|[12][0-9]|3[01])"
_TIME: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.(?:[0-9]{9}|[0-9]{6}|[0-9]{3}))?+"
_DATE: Final = _MONTH + _DAY

PATTERNS: Final[Mapping[str, str]] = {
    "INT": r"-?+[0-9]{1,18}+",
    "LENGTH": _COUNT,
    "NUMINGROUP": _COUNT,
    "SEQNUM": _COUNT,
    "TAGNUM": _COUNT,
    "DAYOFMONTH": r"(?:0?[1-9]|[12][0-9]|3[01])",
    "FLOAT": _FLOAT,
    "QTY": _FLOAT,
    "PRICE": _FLOAT,
    "PRICEOFFSET": _FLOAT,
    "AMT": _FLOAT,
    "PERCENTAGE": _FLOAT,
    "BOOLEAN": r"[YN]",
    "CHAR": r"[^\x01]",
    "MONTHYEAR": rf"{_MONTH}(?:{_DAY}|w[1-5])?+",
    "UTCTIMESTAMP": f"{_DATE}-{_TIME}",
    "TIME": f"{_DATE}-{_TIME}",  # of FIX.4.0 and FIX.4.1
    "UTCTIMEONLY": _TIME,
    "DATE": _DATE,
    "UTCDATE": _DATE,
    "UTCDATEONLY": _DATE,
    "LOCALMKTDATE": _DATE,
}
TESTS: Final[Mapping[str, Test]] = {kind: re.compile(pattern).fullmatch for kind, pattern in PATTERNS.items()}
MULTIPLE: Final = frozenset({"MULTIPLEVALUESTRING", "MULTIPLESTRINGVALUE", "MULTIPLECHARVALUE"})
"""Several values with blanks between them."""


def any_text(text: str) -> bool:
    return bool(text)
