"""Flatten: nothing new in a scope, cancel what is live, wait for its end, close what is held, look again, tell what is left.

Each step is stored before the next one begins, and a router that died goes on where it was. A closing order has its
client_order_id from the flatten, so it is one order whether it was submitted before the router died or not. It passes what
was said of its own scope, since it reduces; all other controls may refuse it, and what they refuse is a residual. Positions
are those of confirmed executions, hence the wait: what a cancel meets may have been filled. What has had to wait is looked
at again: never is more closed than is held by then, and never by two orders at once, also of two flattens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import (
    CapabilityMissing,
    NotStorable,
    RequestIdConflict,
    RouterError,
    UnknownFlatten,
)
from fairlead_server.domain.flatten import (
    ROUNDS,
    Closing,
    Flatten,
    Residual,
    Stage,
    closing_order,
    within,
)
from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.order import Order
from fairlead_server.domain.position import HoldingKey
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import OrderType
from fairlead_server.domain.trading_state import TradingState, selection_of
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.news import News
from fairlead_server.routing.order_entry import OrderEntry
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock, Gateway, Operator
from fairlead_server.routing.trading_states import TradingStates
from fairlead_server.store.batch import AuditRow, Batch

_log = logging.getLogger(__name__)

_AGAIN = 1.0  # seconds until a closing order is tried again that had to wait


class Begun(Struct, frozen=True):
    flatten: Flatten
    duplicate: bool = False


class Flattens:
    """``instrument`` finds one by its id."""

    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        pipeline: Pipeline,
        entry: OrderEntry,
        mass_cancels: MassCancels,
        states: TradingStates,
        instrument: Callable[[str], Instrument | None],
        gateways: Mapping[str, Gateway],
        clock: Clock,
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._entry = entry
        self._mass_cancels = mass_cancels
        self._states = states
        self._instrument = instrument
        self._gateways = gateways
        self._clock = clock
        self.news = News()
        self._all: dict[str, Flatten] = {}
        self._durable: dict[str, Flatten] = {}  # those that may be shown
        self._waits: dict[
            str, set[str]
        ] = {}  # of those that are not over: the orders whose end they wait for
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def load(self, flattens: Iterable[Flatten]) -> None:
        """Begin again from what is committed; the book has been loaded."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers = {}
        self._all = {each.flatten_id: each for each in flattens}
        self._durable = dict(self._all)
        self._waits = {name: set() for name, each in self._all.items() if not each.stage.over}

    def recover(self) -> None:
        for flatten_id in list(self._waits):
            flatten = self._all[flatten_id]
            if (
                flatten.stage is Stage.CANCELING
                and self._book.mass_cancel(derived(flatten_id, "cancel")) is None
            ):
                self._cancel(flatten, self._clock())
            self._go_on(flatten_id)

    # What operators ask.

    def begin(
        self, scope: Scope, request_id: str, by: Operator, now: datetime, *, force: bool = False
    ) -> Begun:
        known = self._all.get(request_id)
        if known is not None:
            if (known.scope, known.force) != (scope, force):
                raise RequestIdConflict(request_id, "")
            return Begun(known, duplicate=True)
        halt = self._book.halts.of(scope)
        if halt is None or halt.state is TradingState.REDUCE_ONLY:
            self._states.set(scope, TradingState.PAUSED, derived(request_id, "pause"), by, now)
        with self._pipeline.deciding(f"request {request_id}"):
            flatten = Flatten(request_id, scope, now, by.principal, by.reason, force)
            self._put(flatten)
            how = "forced" if force else ""
            self._ledger.audit(AuditRow(now, by.principal, "flatten.begin", str(scope), by.reason, "", how))
        self._cancel(flatten, now)
        self._go_on(request_id)
        return Begun(self._all[request_id])

    def get(self, flatten_id: str) -> Flatten:
        found = self._durable.get(flatten_id)
        if found is None:
            raise UnknownFlatten(flatten_id)
        return found

    def all(self) -> list[Flatten]:
        """Those under way and those of the last day, newest first."""
        return sorted(self._durable.values(), key=lambda each: each.time, reverse=True)

    def known(self, flatten_id: str) -> Flatten | None:
        """As it is decided, durable or not."""
        return self._all.get(flatten_id)

    def under_way(self, account_id: str) -> list[Flatten]:
        """Those of the account, of part of it, or of more than it."""
        under_way = (self._all[flatten_id] for flatten_id in self._waits)
        return [each for each in under_way if each.scope.account_id in ("", account_id)]

    def left(self, flatten: Flatten) -> list[Order]:
        """What is live in its scope, its own orders included, oldest first."""
        return [] if flatten.stage.over else self._mass_cancels.matching(selection_of(flatten.scope))

    async def ending(self, flatten_id: str, timeout: float) -> None:
        """Wait until it is over, but no longer than so many seconds."""
        end = asyncio.get_running_loop().time() + timeout
        while not self._all[flatten_id].stage.over and not self.news.closed:
            seen, left = self.news.count, end - asyncio.get_running_loop().time()
            if left <= 0 or not await self.news.beyond(seen, left):
                return

    # How it goes on.

    def committed(self, batch: Batch) -> None:
        """These images are durable; call when the book knows."""
        self._durable |= batch.flattens
        if batch.flattens:
            self.news.tell()
        if not self._waits:
            return
        for flatten_id, waits in self._waits.items():
            ended = {
                name for name in waits if (order := batch.orders.get(name)) is not None and not order.live
            }
            waits.difference_update(ended)
            if ended and not waits:  # not now: what is being acted on is the commit before
                asyncio.get_running_loop().call_soon(self._go_on, flatten_id)

    def _go_on(self, flatten_id: str) -> None:
        self._timers.pop(flatten_id, None)
        if flatten_id not in self._waits or self._pipeline.broken:
            return
        now = self._clock()
        flatten = self._all[flatten_id]
        if flatten.stage is Stage.CANCELING:
            live = {order.order_id for order in self.left(flatten)}
            if live and not flatten.force:
                self._waits[flatten_id] = live
                return
            flatten = self._plan(flatten, now)
        while flatten.stage is Stage.CLOSING:
            flatten = self._submit(flatten, now)
            if not self._is_closed(flatten):
                return
            flatten = self._look(flatten, now)

    def _plan(self, flatten: Flatten, now: datetime) -> Flatten:
        held = within(flatten.scope, self._book.holdings.quantities())
        if not held:
            return self._end(flatten, now)
        closings = (*flatten.closings, *flatten.wanted(held, derived))
        with self._pipeline.deciding():
            return self._put(
                replace(flatten, stage=Stage.CLOSING, round=flatten.round + 1, closings=closings)
            )

    def _submit(self, flatten: Flatten, now: datetime) -> Flatten:
        """Those of the round that have not been, of what is still held; where a session is down, later."""
        done = {}
        for closing in flatten.latest:
            if not (closing.order_id or closing.problem):
                done[closing.client_order_id] = self._submitted(flatten, closing, now)
        if not done:
            return flatten
        closings = tuple(done.get(closing.client_order_id, closing) for closing in flatten.closings)
        with self._pipeline.deciding():
            return self._put(replace(flatten, closings=closings))

    def _submitted(self, flatten: Flatten, closing: Closing, now: datetime) -> Closing:
        known = self._book.by_client_order_id(closing.holding.account_id, closing.client_order_id)
        if known is not None:
            return _with(closing, known)
        held, on_its_way = self._book.holdings.of(_key(closing.holding)).quantity, self._closes(closing)
        if on_its_way:
            _log.warning(
                "flatten of %s waits for another order that closes %s", flatten.scope, closing.holding
            )
            self._try_again(flatten)
            return closing
        if held * closing.quantity <= 0:
            return replace(closing, problem="it was closed meanwhile")
        if abs(held) < abs(closing.quantity):
            closing = replace(closing, quantity=held)
        return self._closed(flatten, closing, now)

    def _closed(self, flatten: Flatten, closing: Closing, now: datetime) -> Closing:
        instrument = self._instrument(closing.holding.instrument_id)
        market = closing_order(flatten, closing, OrderType.MARKET, instrument)
        assert market is not None  # noqa: S101 - it needs no price
        gateway = self._gateways.get(self._entry.session_for(market))
        takes = gateway is None or OrderType.MARKET in gateway.rules.capabilities.order_types
        new = market if takes else closing_order(flatten, closing, OrderType.LIMIT, instrument)
        if new is None:
            return replace(
                closing, problem="the venue takes no market orders, and no reference price bounds another"
            )
        cause = Cause(Initiator.ADMIN, flatten.principal, flatten.flatten_id)
        try:
            return _with(closing, self._entry.submit(new, cause, None, now).order)
        except (CapabilityMissing, NotStorable) as error:
            return replace(closing, problem=str(error))
        except RouterError as error:
            _log.warning("flatten of %s waits: %s", flatten.scope, error)
            self._try_again(flatten)
            return closing

    def _closes(self, closing: Closing) -> bool:
        """Whether an order of another flatten is live that closes the same: both together could take it through zero."""
        return any(
            order.request.flattens is not None
            and (order.request.account_id, order.request.strategy_id)
            == (closing.holding.account_id, closing.holding.strategy_id)
            for order in self._book.resting(closing.holding.instrument_id)
        )

    def _try_again(self, flatten: Flatten) -> None:
        if flatten.flatten_id not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[flatten.flatten_id] = loop.call_later(_AGAIN, self._go_on, flatten.flatten_id)

    def _is_closed(self, flatten: Flatten) -> bool:
        """Whether each closing order of the round has ended, or could not be."""
        orders = [self._book.order(closing.order_id) for closing in flatten.latest if closing.order_id]
        live = {order.order_id for order in orders if order is not None and order.live}
        self._waits[flatten.flatten_id] = live
        return not live and all(closing.order_id or closing.problem for closing in flatten.latest)

    def _look(self, flatten: Flatten, now: datetime) -> Flatten:
        """Flat, or once more where the round has brought it any nearer."""
        orders = [self._book.order(closing.order_id) for closing in flatten.latest if closing.order_id]
        moved = any(order is not None and order.cum_qty for order in orders)
        again = within(flatten.scope, self._book.holdings.quantities()) and moved and flatten.round < ROUNDS
        return self._plan(flatten, now) if again else self._end(flatten, now)

    def _end(self, flatten: Flatten, now: datetime) -> Flatten:
        problems = {closing.holding: closing.problem for closing in flatten.latest}
        residuals = tuple(
            Residual(holding, quantity, problems.get(holding, ""))
            for holding, quantity in within(flatten.scope, self._book.holdings.quantities())
        )
        stage = Stage.RESIDUAL if residuals else Stage.FLAT
        with self._pipeline.deciding():
            flatten = self._put(replace(flatten, stage=stage, residuals=residuals, end_time=now))
            after = f"{stage.value}, {len(flatten.closings)} orders, {len(residuals)} positions left"
            self._ledger.audit(
                AuditRow(now, "", "flatten.end", str(flatten.scope), flatten.reason, "", after)
            )
        del self._waits[flatten.flatten_id]
        _log.warning("flatten of %s: %s", flatten.scope, after)
        return flatten

    def _cancel(self, flatten: Flatten, now: datetime) -> None:
        try:
            self._mass_cancels.cancel(
                derived(flatten.flatten_id, "cancel"),
                selection_of(flatten.scope),
                Cause(Initiator.ADMIN, flatten.principal),
                now,
            )
        except NotStorable as error:
            _log.error("flatten of %s: %s", flatten.scope, error)  # the order is shown as what is left

    def _put(self, flatten: Flatten) -> Flatten:
        self._all[flatten.flatten_id] = flatten
        self._waits.setdefault(flatten.flatten_id, set())
        self._ledger.remember_flatten(flatten)
        return flatten


def _key(holding: Scope) -> HoldingKey:
    return holding.account_id, holding.instrument_id, holding.strategy_id


def _with(closing: Closing, order: Order) -> Closing:
    reject = order.reject
    return replace(
        closing,
        order_id=order.order_id,
        problem="" if reject is None else f"{reject.reason.value}: {reject.text}",
    )


def derived(request_id: str, what: str) -> str:
    """The request_id of what follows from a request."""
    return str(uuid5(UUID(request_id), what))
