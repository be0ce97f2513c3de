"""Identifiers that we give out. Where chance is needed it comes in from outside."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta

_DIGITS = string.digits + string.ascii_uppercase
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_DAY_PLACES = 3  # 36**3 days: 127 years
_COUNTER_PLACES = 7
_ROUTER = re.compile(r"[0-9A-Z]{1,9}")
_REACH = 1_000_000  # numbers: more than a store lacks that was put back to earlier this day

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _CROCKFORD for second in _CROCKFORD]
_SHIFTS = range(100, -1, -10)


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
        places = f"([0-9A-Z]{{{_DAY_PLACES}}}){self._shard}([0-9A-Z]{{{_COUNTER_PLACES}}})"
        self._ours = re.compile(router + places)
        self.last = last

    def next(self, now: datetime) -> str:
        self.last += 1
        return f"{self._router}{_day(now)}{self._shard}{_base36(self.last, _COUNTER_PLACES)}"

    def heard(self, cl_ord_id: str, now: datetime) -> bool:
        """A venue says this name. Whether it is still to be given out, and the counter has gone on to it.

        So it is one that the store has forgotten, for it was put back to an earlier time: to give the same name again would
        have the venue refuse an order, or tell of the one what is true of the other. Those of other days cannot come again.
        """
        found = self._ours.fullmatch(cl_ord_id)
        if found is None:
            return False
        number = int(found[2], 36)
        ahead = self.last < number <= self.last + _REACH and found[1] == _day(now)
        if ahead:
            self.last = number
        return ahead


class Ulids:
    """Makes ULIDs: 26 characters that sort by the millisecond of their making, and within one process in their order.

    ``chance`` is 48 random bits that no other process has; a counter behind it tells those of one process apart, so
    that no number has to be drawn for each.
    """

    def __init__(self, chance: int) -> None:
        self._tail = chance << 32
        self._now = _UNIX, 0
        self._known = -1, ""

    def next(self, now: datetime) -> str:
        """All but the last four characters, which twenty bits make, are mostly those of the one before.

        One decision makes several at one time.
        """
        tail = self._tail = (self._tail + 1) % (1 << 80)
        known_now, time = self._now
        if now is not known_now:
            time = (now - _UNIX) // _MILLISECOND << 60
            self._now = now, time
        high = time + (tail >> 20)
        known, text = self._known
        if high != known:
            text = "".join([_PAIRS[high >> shift & 1023] for shift in _SHIFTS])
            self._known = high, text
        return text + _PAIRS[tail >> 10 & 1023] + _PAIRS[tail & 1023]


def _day(now: datetime) -> str:
    return _base36((now - _EPOCH).days, _DAY_PLACES)


def _base36(number: int, places: int) -> str:
    if not 0 <= number < 36**places:
        raise ValueError(f"{number} does not fit {places} places of base 36")
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text.rjust(places, "0")
