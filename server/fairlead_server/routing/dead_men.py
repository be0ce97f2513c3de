"""Dead man's switches: who has armed one must say so again within its time, else its scope is cancelled and paused.

That it is armed is stored, a sign of life is not: after a restart, and when the store has failed, each has its whole time
again. With a store that takes no writes nothing is done; when it is back, the time begins anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from msgspec.structs import replace

from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.dead_man import DeadManSwitch
from fairlead_server.domain.errors import NotStorable, UnknownDeadManSwitch
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_state import TradingState, selection_of
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock, Operator
from fairlead_server.routing.trading_states import TradingStates
from fairlead_server.store.batch import AuditRow

_log = logging.getLogger(__name__)

_NAMESPACE = UUID("0c5c1b5e-8d0c-5c34-9a83-9f8f7a6c2d11")  # of the requests that follow from a switch


class DeadMen:
    """Belongs to one event loop."""

    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        pipeline: Pipeline,
        mass_cancels: MassCancels,
        states: TradingStates,
        clock: Clock,
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._mass_cancels = mass_cancels
        self._states = states
        self._clock = clock
        self._armed: dict[Scope, DeadManSwitch] = {}
        self._timers: dict[Scope, asyncio.TimerHandle] = {}
        self._over = False

    def load(self, armed: Iterable[DeadManSwitch]) -> None:
        """Begin again from what is committed."""
        self._stop_timers()
        self._armed = {switch.scope: switch for switch in armed}
        for scope in self._armed:
            self._count_down(scope)

    def arm(self, scope: Scope, timeout: timedelta, by: Operator, now: datetime) -> DeadManSwitch:
        """Armed already, this is a sign of life."""
        known = self._armed.get(scope)
        if known is None or known.timeout != timeout:
            known = DeadManSwitch(scope, timeout, by.principal, by.reason, now)
            with self._pipeline.deciding():
                self._armed[scope] = known
                self._put(known, "arm", by, f"{timeout.total_seconds():g} s")
        self._count_down(scope)
        return known

    def disarm(self, scope: Scope, by: Operator, now: datetime) -> DeadManSwitch:
        known = self._armed.get(scope)
        if known is None:
            raise UnknownDeadManSwitch(str(scope))
        with self._pipeline.deciding():
            return self._end(known, "disarm", by, now)

    def all(self) -> list[DeadManSwitch]:
        return sorted(self._armed.values(), key=lambda switch: switch.scope)

    def left(self, switch: DeadManSwitch) -> timedelta:
        """How long until it fires."""
        timer = self._timers.get(switch.scope)
        if timer is None:
            return timedelta()
        return timedelta(seconds=max(timer.when() - asyncio.get_running_loop().time(), 0.0))

    def drain(self) -> None:
        """The process ends: who gives a sign of life in time after the next start has lost nothing."""
        self._over = True
        self._stop_timers()

    def _count_down(self, scope: Scope) -> None:
        timer = self._timers.pop(scope, None)
        if timer is not None:
            timer.cancel()
        if not self._over:
            seconds = self._armed[scope].timeout.total_seconds()
            self._timers[scope] = asyncio.get_running_loop().call_later(seconds, self._fire, scope)

    def _fire(self, scope: Scope) -> None:
        del self._timers[scope]
        if self._pipeline.broken:
            return
        switch, now = self._armed[scope], self._clock()
        _log.error("no sign of life of %s for %s: it is cancelled and paused", switch.principal, scope)
        by = Operator(switch.principal, f"no sign of life for {switch.timeout.total_seconds():g} s")
        halt, key = self._book.halts.of(scope), f"{scope} {now.isoformat()}"
        if halt is None or halt.state is TradingState.REDUCE_ONLY:
            request_id = str(uuid5(_NAMESPACE, f"pause {key}"))
            self._states.set(scope, TradingState.PAUSED, request_id, by, now)
        request_id = str(uuid5(_NAMESPACE, f"cancel {key}"))
        try:
            self._mass_cancels.cancel(request_id, selection_of(scope), Cause(Initiator.SYSTEM), now)
        except NotStorable as error:
            _log.error("the dead man's switch of %s: %s", scope, error)  # the scope is paused all the same
        with self._pipeline.deciding():
            self._end(switch, "fire", by, now)

    def _end(self, switch: DeadManSwitch, action: str, by: Operator, now: datetime) -> DeadManSwitch:
        over = replace(switch, armed=False, time=now)
        del self._armed[switch.scope]
        timer = self._timers.pop(switch.scope, None)
        if timer is not None:
            timer.cancel()
        self._put(over, action, by, "")
        return over

    def _put(self, switch: DeadManSwitch, action: str, by: Operator, after: str) -> None:
        self._ledger.remember_dead_man(switch)
        row = AuditRow(
            switch.time, by.principal, f"dead_man.{action}", str(switch.scope), by.reason, "", after
        )
        self._ledger.audit(row)

    def _stop_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers = {}
