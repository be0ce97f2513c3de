"""The levers of the operations desk: pause, reduce-only and the kill switch, each of one scope.

What is said is in force in the decision in which it is said, and durable with it. A kill cancels in that same decision: what
was held is withdrawn, and each order at a venue gets a cancel, which waits where its session is down. It is complete when none
of the scope's orders is live any more. How far it has come follows from the orders; a router that has died meanwhile goes on
with it, and what comes to be live in a killed scope, as a venue may report, is cancelled likewise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import (
    AnotherPersonNeeded,
    KillSwitchOff,
    KillSwitchOn,
    NotStorable,
    RequestIdConflict,
)
from fairlead_server.domain.order import Flag, Order, PendingAction
from fairlead_server.domain.reject import Reject
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_state import Halt, Halts, TradingState, selection_of, spares
from fairlead_server.domain.vocabulary import Word
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.news import News
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock, Operator
from fairlead_server.store.batch import AuditRow, Batch

_log = logging.getLogger(__name__)


class Left(Word):
    """How an order stands that is still live in a killed scope."""

    WAITING = "WAITING"  # its cancel has not gone out: the session is down, or has to keep to its rate
    REQUESTED = "REQUESTED"  # the venue has not said what becomes of it
    REFUSED = "REFUSED"  # the venue does not cancel it
    IN_DOUBT = "IN_DOUBT"  # whether the venue has it at all is not known


class LeftOrder(Struct, frozen=True):
    order: Order
    how: Left
    reject: Reject | None = None  # the venue's refusal to cancel it


class Progress(Struct, frozen=True):
    """How far a kill has come; ``left`` holds what is still live, oldest first."""

    halt: Halt
    left: tuple[LeftOrder, ...] = ()

    @property
    def ended(self) -> int:
        return max(self.halt.matched - len(self.left), 0)


class Said(Struct, frozen=True):
    """What a request came to; of one that was made before how it was then."""

    halt: Halt
    duplicate: bool = False


class TradingStates:
    """``two_persons``: whether a kill switch is released by another person only than the one who has set it."""

    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        pipeline: Pipeline,
        mass_cancels: MassCancels,
        clock: Clock,
        *,
        two_persons: bool = True,
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._mass_cancels = mass_cancels
        self._clock = clock
        self._two_persons = two_persons
        self.news = News()  # of states, and of how far kills have come
        self._durable = Halts()  # those that may be shown
        self._number = 0
        self._said: dict[str, Halt] = {}  # by request_id
        self._left: dict[
            int, dict[str, None]
        ] = {}  # by number of a kill: its orders that are live, oldest first

    def load(self, halts: Iterable[Halt]) -> None:
        """Begin again from what is committed; the book has been loaded."""
        said = list(halts)
        self._said = {halt.request_id: halt for halt in said}
        self._durable = Halts(said)
        self._number = max((halt.number for halt in said), default=0)
        self._left = {halt.number: self._live(halt) for halt in self._kills()}

    def recover(self, now: datetime) -> None:
        """Go on with the kills that were under way when memory was lost."""
        for halt in self._kills():
            self._pursue(halt, now)

    # What operators say.

    def all(self) -> list[Halt]:
        """Every scope that is not ACTIVE, the wider ones first."""
        return list(self._durable)

    def of(self, scope: Scope) -> Halt | None:
        return self._durable.of(scope)

    def set(self, scope: Scope, state: TradingState, request_id: str, by: Operator, now: datetime) -> Said:
        """ACTIVE, REDUCE_ONLY or PAUSED; raises KillSwitchOn where only a release can do that."""
        with self._pipeline.deciding(f"request {request_id}"):
            known = self._known(request_id, scope, state)
            if known is not None:
                return known
            before = self._state(scope)
            if before is TradingState.KILLED:
                raise KillSwitchOn(str(scope))
            return Said(self._say(_ACTIONS[state], scope, state, before, request_id, by, now))

    def kill(self, scope: Scope, request_id: str, by: Operator, now: datetime) -> Said:
        """Said again of a scope that is killed already, it tries once more to cancel what a venue has refused to."""
        with self._pipeline.deciding(f"request {request_id}"):
            known = self._known(request_id, scope, TradingState.KILLED)
            if known is not None:
                return known
            last = self._book.halts.of(scope)
            again = last is not None and last.state is TradingState.KILLED
            before = last.before if last is not None and again else self._state(scope)
            halt = self._say("kill", scope, TradingState.KILLED, before, request_id, by, now)
            if last is not None:
                self._left.pop(last.number, None)
            self._left[halt.number] = {}
        return Said(self._sweep(halt, now))

    def release(self, scope: Scope, request_id: str, by: Operator, now: datetime) -> Said:
        """The scope is again what it was before it was killed."""
        with self._pipeline.deciding(f"request {request_id}"):
            repeated = self._said.get(request_id)
            if repeated is not None:
                if (repeated.scope, repeated.before) != (scope, TradingState.KILLED):
                    raise RequestIdConflict(request_id, "")
                return Said(repeated, duplicate=True)
            halt = self._book.halts.of(scope)
            if halt is None or halt.state is not TradingState.KILLED:
                raise KillSwitchOff(str(scope))
            if self._two_persons and by.principal in ("", halt.principal):
                raise AnotherPersonNeeded("release", halt.principal)
            released = self._say("release", scope, halt.before, TradingState.KILLED, request_id, by, now)
            self._left.pop(halt.number, None)
            return Said(released)

    def _state(self, scope: Scope) -> TradingState:
        halt = self._book.halts.of(scope)
        return TradingState.ACTIVE if halt is None else halt.state

    def _known(self, request_id: str, scope: Scope, state: TradingState) -> Said | None:
        halt = self._said.get(request_id)
        if halt is None:
            return None
        if (halt.scope, halt.state) != (scope, state):
            raise RequestIdConflict(request_id, "")
        return Said(halt, duplicate=True)

    def _say(
        self,
        action: str,
        scope: Scope,
        state: TradingState,
        before: TradingState,
        request_id: str,
        by: Operator,
        now: datetime,
    ) -> Halt:
        self._number += 1
        halt = Halt(self._number, scope, state, now, by.principal, by.reason, request_id, before)
        self._put(halt)
        words = f"trading.{action}", str(scope), by.reason, before.value, state.value
        self._ledger.audit(AuditRow(now, by.principal, *words))
        _log.warning("%s is %s: %s (%s)", scope, state.value, by.reason, by.principal or "nobody named")
        return halt

    def _put(self, halt: Halt) -> None:
        self._said[halt.request_id] = halt
        self._ledger.remember_halt(halt)

    # What becomes of a kill.

    def progress(self, halt: Halt) -> Progress:
        """As far as it is decided."""
        current = self._said.get(halt.request_id, halt)
        orders = (self._book.order(order_id) for order_id in self._left.get(halt.number, ()))
        left = tuple(self._how(current, order) for order in orders if order is not None and order.live)
        return Progress(current, left)

    async def ending(self, halt: Halt, timeout: float) -> None:
        """Wait until it is complete, or all that is left is in doubt, but no longer than so many seconds."""
        end = asyncio.get_running_loop().time() + timeout
        while self._pending(halt) and not self.news.closed:
            seen, left = self.news.count, end - asyncio.get_running_loop().time()
            if left <= 0 or not await self.news.beyond(seen, left):
                return

    def _pending(self, halt: Halt) -> bool:
        orders = (self._book.order(order_id) for order_id in self._left.get(halt.number, ()))
        return any(order is not None and order.live and Flag.IN_DOUBT not in order.flags for order in orders)

    def committed(self, batch: Batch) -> None:
        """These images are durable; call when the book knows."""
        for halt in batch.halts.values():
            self._durable.put(halt)
        if batch.halts:
            self.news.tell()
        if not self._left:
            return
        touched = [(halt, o) for o in batch.orders.values() for halt in self._book.halts.kills(o)]
        due = {halt.number: halt for halt, order in touched if self._note(halt, order)}
        for halt in due.values():  # not now: what is being acted on is the commit before
            asyncio.get_running_loop().call_soon(self._go_on, halt)
        if touched:
            self.news.tell()

    def _note(self, halt: Halt, order: Order) -> bool:
        """Whether something is to be done about it: it has come to be live, or was the last that was."""
        left = self._left[halt.number]
        known = order.order_id in left
        if order.live:
            return not known
        left.pop(order.order_id, None)
        return known and not left

    def _go_on(self, halt: Halt) -> None:
        current = self._book.halts.of(halt.scope)
        if current is not None and current.number == halt.number and not self._pipeline.broken:
            self._pursue(current, self._clock())

    def _pursue(self, halt: Halt, now: datetime) -> None:
        """Cancel what has come to be live since, and say when nothing is."""
        left = self._live(halt)
        live = [self._book.order(order_id) for order_id in left]
        if any(o is not None and o.pending_action is not PendingAction.CANCEL for o in live):
            self._sweep(halt, now, spared=partial(spares, halt))
            return
        self._left[halt.number] = left  # also what has come back with its cancel under way
        if not live and halt.complete_time is None:
            with self._pipeline.deciding():
                self._complete(halt, now)

    def _sweep(self, halt: Halt, now: datetime, spared: Callable[[Order], bool] = lambda _: False) -> Halt:
        """Cancel all that is live and not ``spared``; what cannot be durable stays in the report."""
        selection, sweep = selection_of(halt.scope), halt.sweeps + 1
        known = self._left.get(halt.number, {})
        live = self._live(halt)
        fresh = len(live.keys() - known.keys())
        with self._pipeline.deciding():
            halt = replace(halt, sweeps=sweep, matched=halt.matched + fresh, complete_time=None)
            self._put(halt)
        try:
            cause = Cause(Initiator.ADMIN, halt.principal)
            self._mass_cancels.cancel(_key(halt), selection, cause, now, spared)
        except NotStorable as error:
            _log.error("%s is killed, but %s", halt.scope, error)
        self._left[halt.number] = self._live(halt)
        if not self._left[halt.number]:
            with self._pipeline.deciding():
                halt = self._complete(halt, now)
        return halt

    def _complete(self, halt: Halt, now: datetime) -> Halt:
        halt = replace(halt, complete_time=now)
        self._put(halt)
        after = f"{halt.matched} orders, none of them live, after {(now - halt.time).total_seconds():.3f} s"
        self._ledger.audit(AuditRow(now, "", "trading.killed", str(halt.scope), halt.reason, "", after))
        _log.warning("%s: the kill is complete: %s", halt.scope, after)
        return halt

    def _kills(self) -> list[Halt]:
        return [halt for halt in self._book.halts if halt.state is TradingState.KILLED]

    def _live(self, halt: Halt) -> dict[str, None]:
        live = self._mass_cancels.matching(selection_of(halt.scope))
        return dict.fromkeys(order.order_id for order in live if not spares(halt, order))

    def _how(self, halt: Halt, order: Order) -> LeftOrder:
        cancel = next((request for request in order.pending if request.is_cancel), None)
        if Flag.IN_DOUBT in order.flags:
            return LeftOrder(order, Left.IN_DOUBT)
        if cancel is not None:
            return LeftOrder(order, Left.WAITING if cancel.waits else Left.REQUESTED)
        record = self._book.request(str(uuid5(UUID(_key(halt)), order.order_id)))
        return LeftOrder(order, Left.REFUSED, record.reject if record is not None else None)


_ACTIONS: Mapping[TradingState, str] = {
    TradingState.ACTIVE: "resume",
    TradingState.REDUCE_ONLY: "reduce_only",
    TradingState.PAUSED: "pause",
}


def _key(halt: Halt) -> str:
    """The request_id of the mass cancel of the latest sweep."""
    return str(uuid5(UUID(halt.request_id), f"sweep {halt.sweeps}"))
