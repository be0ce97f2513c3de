"""Which names were ever given, in so little memory that all of them fit: the store is asked only for those that were.

A name is known by a digest of it. Absent: it was never given. Present: nearly always it was, so whoever finds one asks
the store.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from sys import getsizeof

_BUCKETS = 1 << 12
_LOW = (1 << 32) - 1


@lru_cache(8192)
def client_key(account_id: str, client_order_id: str) -> int:
    """64 bits of the pair, signed as a BIGINT. Kept, for it is asked whenever the order is written."""
    return _key(f"{len(account_id)}:{account_id}{client_order_id}")  # no two pairs give one text


def request_key(request_id: str) -> int:
    return _key(request_id)


def _key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def _bucket() -> array[int]:
    return array("I")


class Keys:
    """A set of keys at some five bytes each, of which 44 bits are kept: one new key in a million is taken for one of
    ten million that are there. To add one moves those behind it in its bucket, microseconds even then.
    """

    def __init__(self, keys: Iterable[int] = ()) -> None:
        self._buckets: defaultdict[int, array[int]] = defaultdict(_bucket)
        for key in keys:
            self._buckets[key >> 32 & _BUCKETS - 1].append(key & _LOW)
        for number, bucket in self._buckets.items():
            if len(bucket) > 1:
                self._buckets[number] = array("I", sorted(set(bucket)))

    def __contains__(self, key: int) -> bool:
        bucket, low = self._buckets.get(key >> 32 & _BUCKETS - 1), key & _LOW
        if bucket is None:
            return False
        place = bisect_left(bucket, low)
        return place < len(bucket) and bucket[place] == low

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keys) and self._buckets == other._buckets

    __hash__ = None  # type: ignore[assignment] # it grows

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def __sizeof__(self) -> int:
        return sum(map(getsizeof, self._buckets.values()))

    def add(self, key: int) -> None:
        bucket, low = self._buckets[key >> 32 & _BUCKETS - 1], key & _LOW
        place = bisect_left(bucket, low)
        if place == len(bucket) or bucket[place] != low:
            bucket.insert(place, low)
