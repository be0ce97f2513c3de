"""What cannot be made durable by a fault of our own: found by committing apart, and passed over in the end.

A commit that fails so would fail again with whatever it holds of the same making, however often memory is rebuilt. So for
a while after it each decision is a commit by itself, and what has failed alone for a few times is convicted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from fairlead_server.store.errors import StoreError

_log = logging.getLogger(__name__)

TRIES = 3
WARY_SECONDS = 60.0  # after the last failure; venues have come back by then, and sent again what was lost


class Suspects:
    """Origins are texts, such as the name of a message or of a client's request."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: Counter[str] = Counter()
        self._wary_until: float | None = None

    @property
    def wary(self) -> bool:
        return self._wary_until is not None and self._clock() < self._wary_until

    def failed(self, origins: Sequence[str], error: BaseException) -> None:
        """A commit has. Of several origins nobody knows which it was."""
        if not _of_the_program(error):
            return
        self._wary_until = self._clock() + WARY_SECONDS
        for origin in origins if len(origins) == 1 else ():
            self._failures[origin] += 1
            if self.convicted(origin):
                _log.critical("%s cannot be made durable and is passed over from now on", origin)

    def committed(self, origins: Sequence[str]) -> None:
        if self._failures:
            for origin in origins:
                self._failures.pop(origin, None)

    def convicted(self, origin: str) -> bool:
        return self._failures.get(origin, 0) >= TRIES


def _of_the_program(error: BaseException) -> bool:
    if isinstance(error, StoreError):
        return error.is_fault_of_the_program
    return isinstance(error, Exception) and not isinstance(error, OSError)
