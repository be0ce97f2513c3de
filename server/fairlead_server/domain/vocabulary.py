"""The base of the domain's enums."""

from __future__ import annotations

from enum import Enum


class Word(Enum):
    """An enum that is looked up in tables for every order.

    Its members are singletons, so they hash by identity; Enum hashes their names, in Python, each time.
    """

    __hash__ = object.__hash__
