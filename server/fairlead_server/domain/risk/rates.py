"""Rate limits: a bucket of tokens for each limit that is one, and where it is one of each symbol, for each symbol."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.risk.limits import Bound
from fairlead_server.domain.scope import Scope


class Rates:
    """Counts what was decided to be sent. A bucket begins full, at a restart and when its limit has changed."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, Scope], tuple[TokenBucket, Decimal, int]] = {}

    def taken(self, bound: Bound, name: str, scope: Scope, most: int, now: datetime) -> int:
        found = self._buckets.get((bound.limit_id, name, scope))
        if found is None or found[1:] != (bound.value, most):
            return 0
        return most - found[0].tokens(now)

    def take(self, bound: Bound, name: str, scope: Scope, most: int, now: datetime) -> None:
        self._bucket(bound, name, scope, most, now).take(now)

    def _bucket(self, bound: Bound, name: str, scope: Scope, most: int, now: datetime) -> TokenBucket:
        place = bound.limit_id, name, scope
        found = self._buckets.get(place)
        if found is None or found[1:] != (bound.value, most):
            found = TokenBucket(int(bound.value), most, now, full=True), bound.value, most
            self._buckets[place] = found
        return found[0]
