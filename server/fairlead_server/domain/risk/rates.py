"""Rate limits: a bucket of tokens for each limit that is one, and where it is one of each symbol, for each symbol."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.risk.limits import Bound
from fairlead_server.domain.scope import Scope


class Rate(Struct, frozen=True):
    """One kind of rate limit: what it is called, and what it counts."""

    limit: str  # its name in a limit set
    parameter: str  # the name of the burst beside it
    by_instrument: bool = False

    def burst(self, bound: Bound) -> int:
        """How many may come at once: a second's worth unless the limit set says otherwise."""
        return max(int(bound.values.get(self.parameter, bound.value)), 1)

    def scope(self, bound: Bound, instrument_id: str) -> Scope:
        """What one bucket counts for."""
        return replace(bound.scope, instrument_id=instrument_id) if self.by_instrument else bound.scope


MESSAGES = Rate("max_message_rate", "message_burst")
SYMBOL_MESSAGES = Rate("max_symbol_rate", "symbol_burst", by_instrument=True)
RATES = (MESSAGES, SYMBOL_MESSAGES)


class Rates:
    """Counts what was decided to be sent. A bucket begins full, at a restart and when its limit has changed."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, Scope], tuple[TokenBucket, Decimal, int]] = {}

    def taken(self, rate: Rate, bound: Bound, instrument_id: str, now: datetime) -> int:
        """How many of those that may come at once are used up at the moment."""
        burst = rate.burst(bound)
        found = self._buckets.get((bound.limit_id, rate.limit, rate.scope(bound, instrument_id)))
        if found is None or found[1] != bound.value or found[2] != burst:
            return 0
        return burst - found[0].tokens(now)

    def take(self, rate: Rate, bound: Bound, instrument_id: str, now: datetime) -> None:
        """One more is sent."""
        burst, place = rate.burst(bound), (bound.limit_id, rate.limit, rate.scope(bound, instrument_id))
        found = self._buckets.get(place)
        if found is None or found[1] != bound.value or found[2] != burst:
            found = TokenBucket(int(bound.value), burst, now, full=True), bound.value, burst
            self._buckets[place] = found
        found[0].take(now)
