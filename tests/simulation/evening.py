"""The end of a day: an operator ends a session, both sides begin their numbers anew where nothing is outstanding."""

from __future__ import annotations

from collections.abc import Callable

from fairlead_server.fix.terms import Numbers
from fairlead_server.router import Router
from fairlead_server.routing.ports import Operator
from fairlead_server.venue.operations import Operations
from fix_sim.scenario import Break, Fault

from tests.simulation.venue import Venue
from tests.simulation.world import World

_NIGHT = 6.0  # seconds
_LOOK_EVERY = 1.0
_TRIES = 5
_BY = Operator("night shift", "a new day")
_FORGET = Break(Fault.FORGET_NUMBERS)


class Evening:
    """The stop is stored: whatever dies in between, the session stays away until both have begun anew, or neither."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._over = True
        self._session = ""
        self._epoch = 0
        self._tries = 0

    def begin(self) -> None:
        if self._over:
            self._over = False
            self._session = self._world.chance.choice(self._world.sessions)
            self._world.tell(f"the day of {self._session} ends")
            self._operate(lambda operated: operated.stop(_BY, self._world.now()))
            self._world.outside(_NIGHT, self._reset)

    def _reset(self) -> None:
        """Only where both stand alike: what one has and the other not could never be asked for again."""
        router, venue = self._world.router, self._world.venue
        if router is None or venue is None or router.sessions.gateways[self._session].is_connected:
            self._morning()
            return
        ours = router.sessions.gateways[self._session].session.numbers
        theirs = venue.numbers(self._session)
        if (ours.next_in, ours.next_out) != (theirs.next_out, theirs.next_in):
            self._morning()
            return
        self._world.tell("the numbers begin anew")
        self._epoch, self._tries = ours.epoch, 0
        self._operate(lambda operated: operated.reset(ours, Numbers(), _BY, self._world.now()))
        self._world.outside(_LOOK_EVERY, self._forget)

    def _forget(self) -> None:
        """The venue follows when the router's reset is durable."""
        world, self._tries = self._world, self._tries + 1
        stored = world.disk.truth(world.now()).sessions.get(
            self._session, Numbers()
        )  # none before the first logon
        done = stored.epoch > self._epoch
        if done and world.venue is not None and world.venue.numbers(self._session).epoch > self._epoch:
            self._morning()
            return
        if not done and self._tries > _TRIES:
            self._morning()
            return
        if done:
            world.in_venue(self._venue_forgets)
        world.outside(_LOOK_EVERY, self._forget)

    def _venue_forgets(self, venue: Venue) -> None:
        client = venue.clients[self._session]
        venue.desk.act(venue.broker.break_session(client, _FORGET, self._world.now()))

    def _morning(self) -> None:
        router = self._world.router
        if router is not None and not router.pipeline.broken and not self._stopped(router):
            self._world.tell("the day has begun")
            self._over = True
            return
        self._operate(lambda operated: operated.start(_BY, self._world.now()))
        self._world.outside(_LOOK_EVERY, self._morning)

    def _stopped(self, router: Router) -> bool:
        """As the store has it, and not only memory."""
        world = self._world
        return bool(world.disk.failing or self._session in world.disk.load(world.now()).stopped)

    def _operate(self, act: Callable[[Operations], None]) -> None:
        self._world.in_router(lambda router: act(router.sessions.operated[self._session]))
