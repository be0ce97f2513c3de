"""Where an order goes: the first rule that fits it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from fairlead_server.domain.terms import NewOrder


class Route(Struct, frozen=True):
    """An empty set fits every account or instrument."""

    route_id: str
    session_id: str
    accounts: frozenset[str] = frozenset()
    instruments: frozenset[str] = frozenset()

    def fits(self, new: NewOrder) -> bool:
        return (
            new.route_id in ("", self.route_id)
            and (not self.accounts or new.account_id in self.accounts)
            and (not self.instruments or new.instrument_id in self.instruments)
        )


def choose(routes: Sequence[Route], new: NewOrder) -> Route | None:
    return next((route for route in routes if route.fits(new)), None)
