"""The base of the domain's enums, and how an amount is written."""

from __future__ import annotations

import re
from enum import Enum

UNSIGNED = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,12})?")  # 101.25; no sign and no exponent


class Word(Enum):
    """An enum that is looked up in tables for every order.

    Its members are singletons, so they hash by identity; Enum hashes their names, in Python, each time.
    """

    __hash__ = object.__hash__

    def __lt__(self, other: Word) -> bool:
        """By the word, so that a set of them, which has no order of its own, can be written in one."""
        return str(self.value) < str(other.value)
