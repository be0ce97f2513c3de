"""All venue sessions of a router: each is made, loaded, kept connected, changed and let go by its own settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fairlead_server.domain.errors import ConfigInvalid
from fairlead_server.fix.session import Numbers
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock, Reloaded
from fairlead_server.store.snapshot import Snapshot
from fairlead_server.venue.gateway import VenueSession
from fairlead_server.venue.initiator import Chance, Initiator
from fairlead_server.venue.operations import Operations
from fairlead_server.venue.settings import VenueSettings

_log = logging.getLogger(__name__)

_LOGOUT_SECONDS = 3.0  # for a venue to answer our Logout(5)


@dataclass(frozen=True, slots=True)
class _Kept:
    session: VenueSession
    operations: Operations
    initiator: Initiator


class Sessions:
    """``gateways`` and ``operated`` hold the same sessions, by session_id, for whoever routes and whoever operates."""

    def __init__(
        self, make: Callable[[VenueSettings], VenueSession], pipeline: Pipeline, clock: Clock, chance: Chance
    ) -> None:
        self.gateways: dict[str, VenueSession] = {}
        self.operated: dict[str, Operations] = {}
        self.default_accounts: dict[str, str] = {}
        self._make = make
        self._pipeline = pipeline
        self._clock = clock
        self._chance = chance
        self._kept: dict[str, _Kept] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stored: Snapshot | None = None
        self._leaving: dict[str, tuple[_Kept, asyncio.Task[None]]] = {}
        self._left: dict[str, _Kept] = {}  # as those that were let go ended

    def add(self, settings: VenueSettings) -> None:
        name, session = settings.session_id, self._make(settings)
        operations = Operations(session, self._pipeline, self._clock)
        self._kept[name] = _Kept(session, operations, Initiator(operations, self._clock, self._chance))
        self.gateways[name] = session
        self.operated[name] = operations
        self.default_accounts[name] = settings.default_account

    def load(self, stored: Snapshot) -> None:
        """Begin anew from the store; no session may be connected."""
        self._stored = stored
        self._left.clear()
        for kept in self._all():
            self._load(kept, stored)

    def start(self) -> None:
        for name in self._kept:
            self._start(name)

    async def stop(self, text: str) -> None:
        """Whatever dies in one of them is logged: the others log out all the same, and their caller goes on."""
        stops = [_stop(kept, self._tasks.get(name), text) for name, kept in self._kept.items()]
        leaving = [task for _, task in self._leaving.values()]
        for died in await asyncio.gather(*stops, *leaving, return_exceptions=True):
            if isinstance(died, Exception):
                _log.error("a session did not end as it should", exc_info=died)

    def suspend(self, reason: str) -> None:
        for kept in self._all():
            kept.initiator.suspend(reason)

    def resume(self) -> None:
        for kept in self._all():
            kept.initiator.resume()

    def _all(self) -> list[_Kept]:
        """Those that are logging out for good included."""
        return [*self._kept.values(), *(kept for kept, _ in self._leaving.values())]

    def apply(self, wanted: Iterable[VenueSettings]) -> Reloaded:
        """Add, change and let go; a session whose settings have changed logs out and comes back with the new ones.

        Raises ConfigInvalid, and does nothing, for one that was let go a moment ago and has not logged out yet.
        """
        by_name = {settings.session_id: settings for settings in wanted}
        removed = sorted(self._kept.keys() - by_name.keys())
        added = sorted(by_name.keys() - self._kept.keys())
        for name in added:
            if name in self._leaving:
                raise ConfigInvalid("", f"sessions.{name}", "is still logging out; try again in a moment")
        changed = [name for name in sorted(self._kept) if self._differs(name, by_name)]
        for name in removed:
            self._let_go(name)
        for name in changed:
            self._kept[name].operations.change(by_name[name])
            self.default_accounts[name] = by_name[name].default_account
        for name in added:
            self._take_up(by_name[name])
        return Reloaded(tuple(added), tuple(changed), tuple(removed))

    def _differs(self, name: str, wanted: Mapping[str, VenueSettings]) -> bool:
        return name in wanted and self._kept[name].operations.settings != wanted[name]

    def _take_up(self, settings: VenueSettings) -> None:
        """One that was let go before goes on from where it ended: what was loaded is of an earlier time."""
        name = settings.session_id
        self.add(settings)
        previous = self._left.pop(name, None)
        if previous is not None:
            self._kept[name].operations.succeed(previous.operations)
        elif self._stored is not None:
            self._load(self._kept[name], self._stored)
        self._start(name)

    def _let_go(self, name: str) -> None:
        """No more orders from now on; it logs out by itself, and until then what the venue reports is booked."""
        del self.gateways[name], self.operated[name]
        kept, running = self._kept.pop(name), self._tasks.pop(name, None)
        self._leaving[name] = kept, asyncio.create_task(self._see_off(name, kept, running))

    async def _see_off(self, name: str, kept: _Kept, running: asyncio.Task[None] | None) -> None:
        try:
            await _stop(kept, running, "removed from the configuration")
        finally:
            self._left[name] = kept
            del self._leaving[name], self.default_accounts[name]

    def _load(self, kept: _Kept, stored: Snapshot) -> None:
        name = kept.session.session_id
        kept.session.load(stored.sessions.get(name, Numbers()))
        kept.operations.load(stored.stopped.get(name, ""), stored.counters)

    def _start(self, name: str) -> None:
        """Once, also if it was added before the others are started."""
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._kept[name].initiator.run())


async def _stop(kept: _Kept, running: asyncio.Task[None] | None, text: str) -> None:
    try:
        await kept.initiator.stop(text, _LOGOUT_SECONDS)
    finally:
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
