"""What memory keeps of things that the store has as well: all that is still to change, and the latest of the others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

KEEP = 10_000  # that have ended: what comes late is mostly about them, and they take some 20 MiB


class Shelf(Generic[T]):
    """By id. Whoever puts a value here says when it is durable and has ended, and takes away what is too many then."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._values: dict[str, T] = {}
        # The longest ago first. To find the first of a plain dict takes as long as many have been taken out before it.
        self._ended: OrderedDict[str, T] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> T | None:
        return self._values.get(key)

    def values(self) -> Iterator[T]:
        return iter(self._values.values())

    def put(self, key: str, value: T) -> None:
        self._values[key] = value

    def end(self, key: str, value: T) -> None:
        """It is durable and nothing waits for it. One that has changed since is not over."""
        if self._values.get(key) is value:
            self._ended[key] = value
            self._ended.move_to_end(key)

    def surplus(self) -> Iterator[T]:
        """Take out those that ended the longest ago; one that came back to life in between stays."""
        while len(self._ended) > self._keep:
            key, value = self._ended.popitem(last=False)
            if self._values[key] is value:
                del self._values[key]
                yield value
