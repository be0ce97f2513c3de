"""Identifiers that we give out. Where chance is needed it comes in from outside."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime

_DIGITS = string.digits + string.ascii_uppercase
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_DAY_PLACES = 3  # 36**3 days: 127 years
_ROUTER = re.compile(r"[0-9A-Z]{1,9}")


class ClOrdIds:
    """Makes ClOrdID(11): router, day, shard and a counter, such as ``FL1XV00000001``; at most 20 characters.

    The counter goes on over days and restarts: :attr:`last` is stored in the transaction of the order that used it,
    and nothing is sent before that commits, so a crash can only forget numbers that nobody has seen.
    """

    def __init__(self, router: str, shard: int, last: int = 0) -> None:
        if not _ROUTER.fullmatch(router):
            raise ValueError(f"a router is named by 1 to 9 digits and capital letters, not {router!r}")
        self._router = router
        self._shard = _base36(shard, 1)
        self.last = last

    def next(self, now: datetime) -> str:
        self.last += 1
        day = _base36((now - _EPOCH).days, _DAY_PLACES)
        return f"{self._router}{day}{self._shard}{_base36(self.last, 7)}"


def _base36(number: int, places: int) -> str:
    if not 0 <= number < 36**places:
        raise ValueError(f"{number} does not fit {places} places of base 36")
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text.rjust(places, "0")
