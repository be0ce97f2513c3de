"""The operations desk: now and then it kills a scope, and mostly lets it go again, whatever dies meanwhile."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.router import Router
from fairlead_server.routing.ports import Operator

from tests.simulation.clients import SYMBOLS, Clients
from tests.simulation.world import ACCOUNT, World

_ANN, _BOB = Operator("ann", "why not"), Operator("bob", "enough of it")
_AGAIN = 1.0  # seconds


class Kills:
    def __init__(self, world: World, clients: Clients) -> None:
        self._world = world
        self._clients = clients

    def begin(self) -> None:
        chance = self._world.chance
        symbol, session_id = chance.choice(SYMBOLS), chance.choice(self._world.sessions)
        scopes = [EVERYTHING, Scope(ACCOUNT), Scope(instrument_id=symbol), Scope(session_id=session_id)]
        scope, key = chance.choice(scopes), self._key()
        self._clients.in_router(f"kill {scope}", partial(self._killed, scope, key))
        if chance.random() < 0.8:
            self._world.outside(chance.choice([0.1, 2.0, 10.0]), partial(self._release, scope, self._key()))

    def _release(self, scope: Scope, key: str) -> None:
        """As often as it takes: who is to release it may find nobody there."""
        router = self._world.router
        if router is None or router.pipeline.broken:
            self._world.outside(_AGAIN, partial(self._release, scope, key))
        else:
            self._clients.in_router(f"release {scope}", partial(self._released, scope, key))

    async def _killed(self, scope: Scope, key: str, router: Router) -> str:
        said = router.trading_states.kill(scope, key, _ANN, self._world.now())
        await router.pipeline.durable()
        progress = router.trading_states.progress(said.halt)
        return f"{progress.ended} of {progress.halt.matched} ended"

    async def _released(self, scope: Scope, key: str, router: Router) -> str:
        said = router.trading_states.release(scope, key, _BOB, self._world.now())
        await router.pipeline.durable()
        return said.halt.state.value

    def _key(self) -> str:
        self._clients.requests += 1
        return str(UUID(int=self._clients.requests))
