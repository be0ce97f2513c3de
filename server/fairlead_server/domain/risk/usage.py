"""How much of each limit is used that counts something beside the order itself."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.domain.order import ZERO
from fairlead_server.domain.risk.control import UNKNOWN, Cap
from fairlead_server.domain.risk.limits import Bound, Mode
from fairlead_server.domain.risk.proposal import Proposal
from fairlead_server.domain.risk.table import ALL_CAPS
from fairlead_server.domain.terms import Side


class Usage(Struct, frozen=True):
    rule_id: str
    limit_id: str
    mode: Mode
    limit: Decimal
    used: Decimal | None  # None: cannot be said, as for want of a price
    instrument_id: str = ""  # where it is asked of each by itself

    @property
    def headroom(self) -> Decimal | None:
        return None if self.used is None else self.limit - self.used


def usages(nothing: Proposal) -> Iterator[Usage]:
    """``nothing`` is a proposal whose quantity is zero; its instrument is empty where all of them are meant."""
    for cap in ALL_CAPS:
        if cap.counts:
            for bound in nothing.bounds.of(cap.limit):
                yield from _used(nothing, cap, bound)


def _used(nothing: Proposal, cap: Cap, bound: Bound) -> Iterator[Usage]:
    asked: list[str] = [nothing.new.instrument_id]
    if cap.each and not asked[0]:
        asked = sorted(name for name, _ in nothing.standing.exposures(bound.scope, "") if name)
    for instrument_id in asked:
        used = _either_side(nothing, cap, bound, instrument_id)
        named = instrument_id if cap.each else ""
        yield Usage(cap.rule_id, bound.limit_id, bound.mode, cap.most(bound), used, named)


def _either_side(nothing: Proposal, cap: Cap, bound: Bound, instrument_id: str) -> Decimal | None:
    """The more of what counts when buying and when selling."""
    found = []
    for side in (Side.BUY, Side.SELL):
        asked = replace(nothing, new=replace(nothing.new, instrument_id=instrument_id, side=side))
        observed = cap.observe(asked, bound)
        if observed is None or observed == UNKNOWN:
            return None
        found.append(Decimal(observed))
    return max(*found, ZERO)
