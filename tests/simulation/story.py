"""What happens while a run is lively: one act after the other, each drawn from the world's own chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

from fix_sim.acceptor import Desk
from fix_sim.edits import NO_EDITS, Edits, OnWire
from fix_sim.errors import NotFillable
from fix_sim.orders import ExecType, Order, OrdStatus
from fix_sim.scenario import Break, Fault, Repeat, Step, Tell

from tests.simulation.clients import LIMITS, SYMBOLS, Clients
from tests.simulation.evening import Evening
from tests.simulation.kills import Kills
from tests.simulation.venue import Venue
from tests.simulation.world import World

_FIFTY = Decimal(50)
_RECENT = 8  # orders


class Story:
    def __init__(self, world: World, clients: Clients) -> None:
        self._world = world
        self._chance = world.chance
        acts: dict[Callable[[], None], int] = {
            clients.submit: 12,
            clients.basket: 4,
            clients.repeat: 5,
            clients.amend: 5,
            clients.cancel: 6,
            clients.sweep: 3,
            Kills(world, clients).begin: 1,
            self._move_price: 4,
            self._fill: 4,
            self._turn: 4,
            self._break_session: 2,
            self._cut: 2,
            self._doom_router: 3,
            self._doom_venue: 1,
            self._break_disk: 1,
            Evening(world).begin: 1,
        }
        self._acts, self._weights = list(acts), list(acts.values())

    def go_on(self) -> None:
        (act,) = self._chance.choices(self._acts, self._weights)
        act()

    # What the broker does.

    def _move_price(self) -> None:
        symbol, price = self._chance.choice(SYMBOLS), self._chance.choice(LIMITS)
        self._at_desk(f"{symbol} trades at {price}", lambda desk: desk.set_price(symbol, price))

    def _fill(self) -> None:
        order = self._any()
        if order is not None and order.live and order.symbol != "REST":
            quantity = max(order.leaves_qty // 2, Decimal(1)) if self._chance.random() < 0.5 else None
            self._at_desk(
                f"fill {order.cl_ord_id}: {quantity or 'all'}",
                lambda desk: desk.fill(order.order_id, quantity, _FIFTY),
            )

    def _turn(self) -> None:
        """What was not asked for: an end, a fill, a bust, a correction."""
        order = self._any()
        steps = self._turns(order) if order is not None else []
        if order is not None and steps:
            step, order_id = self._chance.choice(steps), order.order_id
            told = [step, Repeat()] if self._chance.random() < 0.2 else [step]
            text = f"{order.cl_ord_id}: {step}{', told twice' if len(told) > 1 else ''}"
            self._at_desk(text, lambda desk: _perform(desk, order_id, told, self._world))

    def _turns(self, order: Order) -> list[Step]:
        lossy = self._chance.random() < 0.3
        edits = Edits(on_wire=self._chance.choice([OnWire.LOST, OnWire.SPLIT])) if lossy else NO_EDITS
        steps: list[Step] = []
        if order.live:
            half = max(order.leaves_qty // 2, Decimal(1))
            steps += [Tell(ExecType.CANCELED, edits=edits), Tell(ExecType.EXPIRED, edits=edits)]
            steps += [Tell(ExecType.TRADE, qty=half, price=_FIFTY, edits=edits)] * 2
        elif order.cum_qty < order.terms.order_qty and order.done in (OrdStatus.CANCELED, OrdStatus.EXPIRED):
            late = max((order.terms.order_qty - order.cum_qty) // 2, Decimal(1))
            steps.append(Tell(ExecType.TRADE, qty=late, price=_FIFTY, edits=edits))
        for number, fill in enumerate(order.fills, start=1):
            corrected = Tell(ExecType.TRADE_CORRECT, fill.qty, Decimal(49), fill=number, edits=edits)
            steps += [Tell(ExecType.TRADE_CANCEL, fill=number, edits=edits), corrected]
        return steps

    def _break_session(self) -> None:
        venue = self._world.venue
        if venue is not None:
            client = venue.clients[self._chance.choice(self._world.sessions)]
            fault = self._chance.choice([Fault.DISCONNECT, Fault.DISCONNECT_AFTER, Fault.STALL])
            seconds = self._chance.choice([0.1, 3])
            step = Break(fault, timedelta(seconds=seconds), self._chance.randint(1, 5))
            self._world.stalled += seconds if fault is Fault.STALL else 0
            self._at_desk(
                f"the venue does {fault.value}",
                lambda desk: desk.act(desk.broker.break_session(client, step, self._world.now())),
            )

    def _any(self) -> Order | None:
        venue = self._world.venue
        orders = list(venue.engine.orders.values())[-_RECENT:] if venue is not None else []
        return self._chance.choice(orders) if orders else None

    def _at_desk(self, text: str, act: Callable[[Desk], object]) -> None:
        world, venue = self._world, self._world.venue
        if venue is not None:
            world.tell(text)
            world.loop.call_soon(_do, act, venue, context=venue.process.context)

    # What befalls both.

    def _cut(self) -> None:
        self._world.tell("connections are cut")
        self._world.network.cut()

    def _doom_router(self) -> None:
        self._world.doom(self._world.router_process, self._chance.randint(1, 15))

    def _doom_venue(self) -> None:
        if self._world.venue is not None:
            self._world.doom(self._world.venue.process, self._chance.randint(1, 15))

    def _break_disk(self) -> None:
        disk = self._world.disk
        disk.failing, disk.written = self._chance.randint(1, 3), self._chance.random() < 0.3
        self._world.tell(f"{disk.failing} commits will fail{', but be written' if disk.written else ''}")


def _do(act: Callable[[Desk], object], venue: Venue) -> None:
    try:
        act(venue.desk)
    except NotFillable:
        return  # the order has changed meanwhile


def _perform(desk: Desk, order_id: str, steps: Sequence[Step], world: World) -> None:
    turn, _ = desk.broker.perform(order_id, steps, world.now())
    desk.act(turn)
