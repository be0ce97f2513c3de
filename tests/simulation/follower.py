"""A subscriber that follows the feed over all lives of the router, as :mod:`fairlead_server.api.subscription` does."""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_server.router import Router
from fairlead_server.store.batch import EventRow

from tests.simulation.world import World

_MANY = 100
_LONG = 30.0  # seconds


class Follower:
    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: list[EventRow] = []

    def begin(self, router: Router) -> None:
        self._world.loop.create_task(self._follow(router))

    async def _follow(self, router: Router) -> None:
        """Nothing is read that is not in the store already: a subscriber must never see what may be forgotten."""
        feed, store = router.feed, self._world.disk
        while True:
            after = self._seen[-1].sequence if self._seen else 0
            found: Sequence[EventRow] | None = feed.recent(after, _MANY)
            if found is None:
                found = store.events_after(after, _MANY)
            self._seen += found
            for row in found:
                self._world.tell(f"  event {row.sequence} {row.kind.value} {row.order_id}")
            if not found:
                await feed.beyond(after, _LONG)

    def problems(self) -> list[str]:
        stored = self._world.disk.events_after(0, 1_000_000)
        return (
            [] if self._seen == stored else [f"of {len(stored)} events others, {len(self._seen)}, were seen"]
        )
