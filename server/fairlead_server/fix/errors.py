"""What a caller of this package can do wrong, and what a message's text can fail to be.

A peer that breaks the rules is none of these: that is an event (see :mod:`fairlead_server.fix.events`).

``FixError``: ``MissingTag``, ``BadValue``, ``Undecodable`` (reading); ``UnsendableValue``, ``NotActive`` (sending);
``UnknownVersion`` (setting up).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairlead_server.fix.terms import State

_SHOWN = 40


class FixError(Exception):
    """Root of the errors of this package."""


class MissingTag(FixError, LookupError):
    def __init__(self, tag: int) -> None:
        super().__init__(f"tag {tag} is missing")
        self.tag = tag


class BadValue(FixError, ValueError):
    """A field's text is not what its type allows, or a value cannot be written as one."""

    def __init__(self, tag: int, text: str, expected: str) -> None:
        super().__init__(f"tag {tag}: {text[:_SHOWN]!r} is not {expected}")
        self.tag = tag
        self.text = text
        self.expected = expected


class Undecodable(FixError, ValueError):
    """A frame whose envelope is right and whose fields are not fields."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsendableValue(FixError, ValueError):
    """A value that would break the message; it is not kept, for it may be a secret."""

    def __init__(self, tag: int, reason: str) -> None:
        super().__init__(f"tag {tag}: {reason}")
        self.tag = tag
        self.reason = reason


class UnknownVersion(FixError, ValueError):
    """A version of FIX that we have no dictionary of."""

    def __init__(self, version: str) -> None:
        super().__init__(f"no dictionary of {version}")
        self.version = version


class NotActive(FixError, RuntimeError):
    def __init__(self, state: State) -> None:
        super().__init__(f"the session is {state.name}, not ACTIVE")
        self.state = state
