"""Those who submit, amend and cancel, and remember what they were answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from uuid import UUID

from fairlead_server.domain.amendments import Amendment, Selection
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import RouterError
from fairlead_server.domain.order import Order, PendingAction
from fairlead_server.domain.terms import NewOrder, OrderType, Side, Terms, TimeInForce
from fairlead_server.router import Router
from fairlead_server.routing.batches import Batches
from fairlead_server.routing.order_entry import Answer, OrderRef

from tests.simulation.venue import PRICES
from tests.simulation.world import ACCOUNT, World

_CLIENT = Cause(Initiator.CLIENT, "desk")
SYMBOLS = tuple(PRICES)
LIMITS = tuple(Decimal(price) for price in ("48", "49", "50", "50.05", "51"))
_AMOUNTS = tuple(Decimal(quantity) for quantity in (20, 100, 130, 500))

Asks = Callable[[Router], Awaitable[str]]


@dataclass
class Clients:
    """What they asked for and what they were answered."""

    world: World
    submitted: list[NewOrder] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)  # order_id by client_order_id, as durable
    requests: int = 0
    problems: list[str] = field(default_factory=list)

    def submit(self) -> None:
        self._submit(self._new())

    def basket(self) -> None:
        """A few at once, as one decision; some of them may have been asked for before."""
        again = self.submitted[-2:] if self.world.chance.random() < 0.3 else []
        basket = [*again, *(self._new() for _ in range(self.world.chance.randint(2, 5)))]
        keys = ", ".join(new.client_order_id for new in basket)
        self.in_router(f"submit together {keys}", partial(self._submitted_together, basket))

    def _new(self) -> NewOrder:
        chance = self.world.chance
        tif = chance.choice([TimeInForce.DAY, TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC])
        wanted = Terms(chance.choice(_AMOUNTS), chance.choice(LIMITS), time_in_force=tif)
        side, symbol = chance.choice([Side.BUY, Side.SELL]), chance.choice(SYMBOLS)
        key = f"client-{len(self.submitted) + 1}"
        self.submitted.append(NewOrder(ACCOUNT, key, symbol, side, OrderType.LIMIT, wanted))
        return self.submitted[-1]

    def repeat(self) -> None:
        """Who has got no answer asks again, and who has got one may."""
        if self.submitted:
            late = self.world.chance.random() < 0.3
            self._submit(self.world.chance.choice(self.submitted if late else self.submitted[-6:]))

    def amend(self) -> None:
        if self.submitted:
            ref, chance = self._any(), self.world.chance
            change = Amendment(quantity=chance.choice(_AMOUNTS), price=chance.choice([None, *LIMITS]))
            self._ask("amend", ref, lambda router, key: self._amended(router, ref, key, change))

    def cancel(self) -> None:
        if self.submitted:
            self.cancel_one(self._any())

    def cancel_by_id(self, order_id: str) -> None:
        self.cancel_one(OrderRef(order_id))

    def cancel_one(self, ref: OrderRef) -> None:
        self._ask("cancel", ref, lambda router, key: self._canceled(router, ref, key))

    def sweep(self) -> None:
        """Cancel all, or all of one instrument, of one side, of the account."""
        chance, router = self.world.chance, self.world.router
        live = [order.request.instrument_id for order in router.book.all_live()] if router is not None else []
        instruments = (chance.choice(live or SYMBOLS),) if chance.random() < 0.5 else ()
        side = chance.choice([None, None, Side.BUY])
        selection = Selection(chance.choice(["", "", "", ACCOUNT]), instruments, side=side)
        self.requests += 1
        key = str(UUID(int=self.requests))
        names = ", ".join(selection.instrument_ids) or "all"
        self.in_router(f"cancel {names}", partial(self._swept, selection, key))

    def _any(self) -> OrderRef:
        """Mostly one that is open."""
        chance, router = self.world.chance, self.world.router
        live = router.book.all_live() if router is not None else []
        if live and chance.random() < 0.8:
            return OrderRef(chance.choice(live).order_id)
        new = chance.choice(self.submitted[-10:])
        return OrderRef("", new.account_id, new.client_order_id)

    def _submit(self, new: NewOrder) -> None:
        terms = new.terms
        wanted = f"{terms.quantity} {new.instrument_id} at {terms.price} {terms.time_in_force.value}"
        text = f"submit {new.client_order_id}: {new.side.value} {wanted}"
        self.in_router(text, partial(self._submitted, new))

    async def _submitted(self, new: NewOrder, router: Router) -> str:
        order = router.entry.submit(new, _CLIENT, None, self.world.now()).order
        await router.pipeline.durable()
        return self._told(new, order)

    async def _submitted_together(self, basket: list[NewOrder], router: Router) -> str:
        now = self.world.now()
        items = [partial(router.entry.submit, new, _CLIENT, None, now) for new in basket]
        batches = Batches(router.book, router.entry, router.pipeline)
        results = batches.each(items, lambda answer: answer.order.reject is not None, stop_on_error=False)
        await router.pipeline.durable()
        pairs = zip(basket, results, strict=True)
        return ", ".join(
            self._told(new, result.order) if isinstance(result, Answer) else f"{result}"
            for new, result in pairs
        )

    async def _swept(self, selection: Selection, key: str, router: Router) -> str:
        meant = [order.order_id for order in router.mass_cancels.matching(selection)]
        done = router.mass_cancels.cancel(key, selection, _CLIENT, self.world.now())
        left = [order for order in map(router.book.order, meant) if order is not None and order.live]
        await router.pipeline.durable()
        self.problems += [
            f"{order.order_id} was to be canceled with all others, and is not"
            for order in left
            if order.pending_action is not PendingAction.CANCEL
        ]
        return f"{done.requested} requested, {done.canceled} done, {done.pending} before"

    def _told(self, new: NewOrder, order: Order) -> str:
        before = self.answered.setdefault(new.client_order_id, order.order_id)
        if before != order.order_id:
            self.problems.append(f"{new.client_order_id} was {before} and is {order.order_id}")
        return f"{order.order_id} {order.state.value}"

    async def _amended(self, router: Router, ref: OrderRef, key: str, change: Amendment) -> str:
        answer = router.entry.amend(ref, key, change, _CLIENT, self.world.now())
        await router.pipeline.durable()
        return answer.outcome.value

    async def _canceled(self, router: Router, ref: OrderRef, key: str) -> str:
        answer = router.entry.cancel(ref, key, _CLIENT, self.world.now())
        await router.pipeline.durable()
        return answer.outcome.value

    def _ask(self, what: str, ref: OrderRef, ask: Callable[[Router, str], Awaitable[str]]) -> None:
        self.requests += 1
        key = f"request-{self.requests}"
        self.in_router(f"{what} {ref}", lambda router: ask(router, key))

    def in_router(self, text: str, ask: Asks) -> None:
        router = self.world.router
        self.world.tell(text)
        if router is not None:
            begin = partial(self._begin, text, ask, router)
            self.world.loop.call_soon(begin, context=self.world.router_process.context)

    def _begin(self, text: str, ask: Asks, router: Router) -> None:
        self.world.loop.create_task(self._heard(text, ask, router))

    async def _heard(self, text: str, ask: Asks, router: Router) -> None:
        try:
            answer = await ask(router)
        except RouterError as error:
            self.world.tell(f"{text} -> {type(error).__name__}: {error}")
        else:
            self.world.tell(f"{text} -> {answer}")
