"""One seed from its beginning to its end, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fairlead_server.router import Router

from tests.simulation import laws
from tests.simulation.clients import Clients
from tests.simulation.disk import Disks
from tests.simulation.follower import Follower
from tests.simulation.story import Story
from tests.simulation.world import World, listening

_ACTS = (15, 50)
_REST = 40.0  # seconds, in which everything comes to its end that can


def simulate(seed: int, disks: Disks, trace: Callable[[str], None] | None = None) -> list[str]:
    """What is wrong with this run; nothing is as it should be."""
    world = World(seed, disks, trace)
    clients, follower = Clients(world), Follower(world)
    world.begun.append(follower.begin)
    try:
        with listening(world) as wrong:
            _live(world, clients)
            return [*_end(world, clients, follower), *wrong, *world.loop.uncaught]
    finally:
        world.close()


def _live(world: World, clients: Clients) -> None:
    chance, story = world.chance, Story(world, clients)
    world.tell(f"{world.around}")
    world.begin_venue()
    world.begin_router()
    world.run(chance.choice([0, 1, 1, 1]))
    pace = chance.choice([0.02, 0.3, 2])
    for _ in range(chance.randint(*_ACTS)):
        world.run(chance.expovariate(1 / pace))
        story.go_on()
    clients.sweep()
    world.run(chance.expovariate(1 / pace))
    world.tell("from here on nothing goes wrong any more")
    world.spare()
    world.run(_REST)


def _end(world: World, clients: Clients, follower: Follower) -> list[str]:
    if world.chance.random() < 0.5:
        for order_id in clients.answered.values():
            clients.cancel_by_id(order_id)
        world.run(_REST)
    router = world.router
    if router is None:
        return ["the router did not come back"]
    for name in world.sessions:
        session = router.sessions.gateways[name]
        if not session.available:
            return [f"{name} did not come back: {session.view().state} {session.view().reason}"]
    found = [
        *laws.memory(router, world.disk, world),
        *laws.positions(router, world.disk, world),
        *laws.known(router, world),
        *world.network.problems,
        *world.disk.problems,
    ]
    world.loop.call_soon(partial(_stop, world, router), context=world.router_process.context)
    world.run(_REST)
    store = world.disk
    return [
        *found,
        *laws.log(store),
        *laws.answers(clients, store),
        *laws.kills(store, router),
        *laws.both_sides(world),
        *follower.problems(),
    ]


def _stop(world: World, router: Router) -> None:
    world.tell("the router is stopped")
    world.loop.create_task(router.stop())
