"""Which order plays which scenario, and what becomes of a request: a play's, or the engine's. Pure."""

import heapq
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from fix_sim.errors import NotPlayable
from fix_sim.orders import (
    CancelOrder,
    MassCancel,
    MassStatus,
    NewOrder,
    Order,
    ReplaceOrder,
    Request,
    StatusRequest,
)
from fix_sim.plays import Floor, Play
from fix_sim.scenario import Outcome, Scenario, Step

_REMEMBERED = 10_000  # plays, for whoever asks what became of them


class Desk(Floor, Protocol):
    """The engine, as the director sees it."""

    def accept(self, new: NewOrder, now: datetime) -> Order:
        """Take an order into the book without a word; nothing but a play or an operator moves it."""

    def find(self, client: str, cl_ord_id: str) -> Order | None: ...

    def answer(self, request: Request, now: datetime) -> None:
        """As without any scenario."""


class Director:
    """One owner: the engine. Plays are in memory only; after a restart their orders wait for an operator."""

    def __init__(self, desk: Desk, scenarios: Sequence[Scenario]) -> None:
        self._desk = desk
        self.scenarios = list(scenarios)
        self.plays: deque[Play] = deque(maxlen=_REMEMBERED)  # the oldest first
        self._begun: Counter[str] = Counter()  # by the scenario's name
        self._playing: dict[str, Play] = {}  # by OrderID(37)
        self._alarms: list[tuple[datetime, str]] = []  # a heap; one that has gone stale wakes to no effect

    def load(self, scenarios: Sequence[Scenario]) -> None:
        """From now on, and before those that there are; one of the same name is replaced.

        Orders that are on their way through a scenario go on as they began.
        """
        names = {scenario.name for scenario in scenarios}
        for name in names:
            del self._begun[name]
        self.scenarios = [*scenarios, *(each for each in self.scenarios if each.name not in names)]

    def take(self, request: Request, now: datetime) -> bool:
        """Whether the request is a play's."""
        if isinstance(request, MassCancel | MassStatus):
            return False  # of no one order
        play = self._begin(request, now) if isinstance(request, NewOrder) else self._play_of(request)
        if play is None:
            return False
        play.hear(request)
        self._go_on(play, now)
        return True

    def take_mass_cancel(self, request: MassCancel, orders: Sequence[Order], now: datetime) -> bool:
        """Whether a scenario of one of these orders has awaited it, which then also answers it."""
        plays = [
            play for order in orders if (play := self.play_of(order.order_id)) and play.awaits_mass_cancel
        ]
        for play in plays:
            play.hear(request)
            self._go_on(play, now)
        return bool(plays)

    def play_of(self, order_id: str) -> Play | None:
        """None also for one that is over."""
        return self._playing.get(order_id)

    def is_silent(self, order_id: str) -> bool:
        play = self.play_of(order_id)
        return play is not None and play.silent

    def tick(self, now: datetime) -> None:
        while self._alarms and self._alarms[0][0] <= now:
            play = self._playing.get(heapq.heappop(self._alarms)[1])
            if play is not None and play.wake_at is not None and play.wake_at <= now:
                self._go_on(play, now)

    def deadline(self) -> datetime | None:
        return self._alarms[0][0] if self._alarms else None

    def perform(self, order_id: str, steps: Sequence[Step], now: datetime) -> str:
        """Put steps in by hand; the problem with the one at which it ended, if it did. Raises UnknownOrder."""
        play = self._playing.get(order_id)
        if play is None:
            order = self._desk.order(order_id)
            play = Play(Scenario("", ()), order.order_id, now, Outcome.PASSED)
        try:
            play.perform(steps, self._desk, now)
        except NotPlayable as error:
            return str(error)
        return ""

    def _begin(self, new: NewOrder, now: datetime) -> Play | None:
        if self._desk.find(new.client, new.cl_ord_id) is not None:
            return None
        scenario = next((each for each in self.scenarios if self._fits(each, new)), None)
        if scenario is None:
            return None
        play = Play(scenario, self._desk.accept(new, now).order_id, now)
        self._playing[play.order_id] = play
        self.plays.append(play)
        self._begun[scenario.name] += 1
        return play

    def _fits(self, scenario: Scenario, new: NewOrder) -> bool:
        left = not scenario.times or self._begun[scenario.name] < scenario.times
        return left and scenario.match.fits(new)

    def _play_of(self, request: CancelOrder | ReplaceOrder | StatusRequest) -> Play | None:
        """By the ClOrdID(11) of the order, or of a request that is still in hand (app. D, D17)."""
        named = (
            request.orig_cl_ord_id if isinstance(request, CancelOrder | ReplaceOrder) else request.cl_ord_id
        )
        order = self._desk.find(request.client, named)
        if order is not None:
            return self._playing.get(order.order_id)
        found = (play for play in self._playing.values() if play.holds(request.client, named))
        return next(found, None)

    def _go_on(self, play: Play, now: datetime) -> None:
        before = play.wake_at
        play.go_on(self._desk, now)
        if play.wake_at not in (None, before):
            heapq.heappush(self._alarms, (play.wake_at, play.order_id))
        if play.over and not play.silent:
            self._playing.pop(play.order_id, None)
            for request in play.left_over():
                self._desk.answer(request, now)
