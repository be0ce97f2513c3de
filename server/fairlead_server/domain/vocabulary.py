"""The base of the domain's enums."""

from __future__ import annotations

from enum import Enum


class Word(Enum):
    """An enum that is looked up in tables for every order.

    Its members are singletons, so they hash by identity; Enum hashes their names, in Python, each time.
    """

    __hash__ = object.__hash__

    def __lt__(self, other: Word) -> bool:
        """By the word, so that a set of them, which has no order of its own, can be written in one."""
        return str(self.value) < str(other.value)
