"""What a limit, a halt or a sum is about: everything, or the orders that agree with it in each dimension that it names."""

from __future__ import annotations

from msgspec import Struct

DIMENSIONS = ("account_id", "principal", "instrument_id", "strategy_id", "session_id")


class Scope(Struct, frozen=True, order=True):
    """Each dimension is a name, or empty where any will do; all of them empty is everything.

    ``principal`` is who has asked for the order, the client of RTS 6 Art. 12.
    """

    account_id: str = ""
    principal: str = ""
    instrument_id: str = ""
    strategy_id: str = ""
    session_id: str = ""

    @property
    def specificity(self) -> int:
        """How many dimensions it names: the narrower of two scopes has more."""
        return sum(bool(name) for name in self._names())

    def holds(self, of: Scope) -> bool:
        """Whether what belongs to ``of``, such as one order's names, belongs here too."""
        return all(own in ("", name) for own, name in zip(self._names(), of._names(), strict=True))

    def _names(self) -> tuple[str, ...]:
        return self.account_id, self.principal, self.instrument_id, self.strategy_id, self.session_id

    def __str__(self) -> str:
        """Such as ``account_id=ACC-1 instrument_id=AAPL``."""
        named = zip(DIMENSIONS, self._names(), strict=True)
        return " ".join(f"{dimension}={name}" for dimension, name in named if name) or "everything"


EVERYTHING = Scope()
