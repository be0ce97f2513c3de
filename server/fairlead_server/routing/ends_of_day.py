"""The end of an account's day: nothing new, cancel what is live, flatten, tell what came of it; open again with the next day.

Which dates are settled is stored by account, as counters; a run that was missed is made late within its grace, else told
and given up. All that a run does has its request_id from the account and the date, so a router that died in the middle of it
goes on and does nothing twice. What was paused here, and by nobody since, is all that is opened again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.end_of_day import EndOfDay, Run
from fairlead_server.domain.errors import NotStorable, RouterError
from fairlead_server.domain.flatten import Flatten, Stage
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_state import Halt, TradingState, selection_of
from fairlead_server.routing.book import Book
from fairlead_server.routing.flattens import Flattens, derived
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock, Operator
from fairlead_server.routing.trading_states import TradingStates
from fairlead_server.store.batch import AuditRow, Batch

_log = logging.getLogger(__name__)

_NAMESPACE = UUID("5b0d6a52-3f2e-5d0b-9c27-6f1c6b1f4e90")  # of the requests that follow from an end of day
_DAY = timedelta(days=1)
_LOOK = 60.0  # seconds between two looks at most: a calendar may be changed, and a clock be set


def key_of(account_id: str, day: date) -> str:
    """The request_id of its run, and of its flatten."""
    return str(uuid5(_NAMESPACE, f"{account_id} {day}"))


class EndsOfDay:
    """Belongs to one event loop; ``calendars`` gives those that are in force."""

    def __init__(
        self,
        wanted: Sequence[EndOfDay],
        book: Book,
        ledger: Ledger,
        pipeline: Pipeline,
        mass_cancels: MassCancels,
        states: TradingStates,
        flattens: Flattens,
        calendars: Callable[[], Mapping[str, Calendar]],
        clock: Clock,
    ) -> None:
        self._wanted = wanted
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._mass_cancels = mass_cancels
        self._states = states
        self._flattens = flattens
        self._calendars = calendars
        self._clock = clock
        self._settled: dict[str, date] = {}  # by account_id: the last date of which nothing is to be done
        self._told: dict[str, date] = {}  # ... and the last of which it was told what came of it
        self._known = dict(calendars())
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False  # it is going to look, for something was committed
        self._over = False

    def load(self, counters: Mapping[str, int]) -> None:
        """Begin again from what is committed."""
        self._stop_timer()
        self._settled, self._told = {}, {}
        for end in self._wanted:
            for name, dates in ((_settled(end), self._settled), (_told(end), self._told)):
                if name in counters:
                    dates[end.account_id] = date.fromordinal(counters[name])

    def recover(self) -> None:
        """Make up for what was missed, and wait for what comes."""
        self._look()

    def committed(self, batch: Batch) -> None:
        """These images are durable; call when the book knows."""
        waits = batch.flattens or (batch.orders and self._told != self._settled)
        if waits and self._wanted and not (self._soon or self._over):
            self._soon = True  # and not now: what is being acted on is the commit before
            asyncio.get_running_loop().call_soon(self._look)

    def drain(self) -> None:
        """The process ends: what comes due is for the next one."""
        self._over = True
        self._stop_timer()

    # Looking what is due.

    def _look(self) -> None:
        self._soon = False
        self._stop_timer()
        if self._over or self._pipeline.broken or not self._wanted:
            return
        now = self._clock()
        for end in self._wanted:
            try:
                self._attend(end, now)
            except RouterError as error:  # the next look tries again
                _log.critical("the end of day of %s: %s", end.account_id, error)
        moments = [moment for end in self._wanted for moment in self._ahead(end, now)]
        seconds = min([_LOOK, *((moment - now).total_seconds() for moment in moments)])
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _ahead(self, end: EndOfDay, now: datetime) -> list[datetime]:
        run, halt = end.next_run(now, self._calendar(end)), self._paused(end)
        moments = [] if run is None else [run.time]
        if halt is not None and end.resume:
            moments.append(end.resumes(halt.time))
        return [moment for moment in moments if moment > now]

    def _attend(self, end: EndOfDay, now: datetime) -> None:
        settled, calendar = self._settled.get(end.account_id), self._calendar(end)
        if settled is None:
            self._begin(end, calendar, now)
            return
        self._tell(end, now)
        self._resume(end, now)
        for run in end.due(settled, now, calendar):
            if now >= end.lapses(run):
                self._miss(end, run, now)
            elif self._may_run(end, run):
                self._run(end, run, now)
                self._tell(end, now)

    def _begin(self, end: EndOfDay, calendar: Calendar | None, now: datetime) -> None:
        """It was not configured before, so nothing was missed."""
        with self._pipeline.deciding():
            self._settle(end, end.settled_before(now, calendar), told=True)
        run = end.next_run(now, calendar)
        moment = "not within a year" if run is None else f"on {run.day}, {run.time:%Y-%m-%d %H:%M:%S} UTC"
        _log.warning("the end of day of %s is kept from now on: first %s", end.account_id, moment)

    def _may_run(self, end: EndOfDay, run: Run) -> bool:
        """The pause of the account would refuse what another flatten of a part of it has to close."""
        others = [
            each
            for each in self._flattens.under_way(end.account_id)
            if each.flatten_id != key_of(end.account_id, run.day)
        ]
        for each in others:
            _log.warning(
                "the end of day of %s waits for the flatten %s of %s",
                end.account_id,
                each.flatten_id,
                each.scope,
            )
        return not others

    # What is done.

    def _run(self, end: EndOfDay, run: Run, now: datetime) -> None:
        """Again after a crash, it does only what was not durable."""
        key, scope = key_of(end.account_id, run.day), Scope(end.account_id)
        by = Operator("", f"end of day {run.day}")
        late = now - run.time
        _log.warning("the end of day of %s, %s: flatten=%s", end.account_id, run.day, end.flatten)
        self._tell(end, now, final=True)
        if end.flatten:
            self._flattens.begin(scope, key, by, now)
        else:
            self._cancel(scope, key, by, now)
        with self._pipeline.deciding():
            self._settle(end, run.day)
            how = "flatten" if end.flatten else "cancel"
            after = f"{how} {key}, {late.total_seconds():.0f} s after its time"
            self._ledger.audit(AuditRow(now, "", "end_of_day.begin", str(scope), by.reason, "", after))

    def _cancel(self, scope: Scope, key: str, by: Operator, now: datetime) -> None:
        halt = self._book.halts.of(scope)
        if halt is None or halt.state is TradingState.REDUCE_ONLY:
            self._states.set(scope, TradingState.PAUSED, derived(key, "pause"), by, now)
        if self._book.mass_cancel(derived(key, "cancel")) is not None:
            return
        try:
            self._mass_cancels.cancel(
                derived(key, "cancel"), selection_of(scope), Cause(Initiator.SYSTEM), now
            )
        except NotStorable as error:
            _log.error("the end of day of %s: %s", scope, error)  # the order is told as what is left

    def _miss(self, end: EndOfDay, run: Run, now: datetime) -> None:
        text = f"missed: it was due at {run.time:%Y-%m-%d %H:%M:%S} UTC, and it is too late now; nothing was done"
        with self._pipeline.deciding():
            self._settle(end, run.day, told=True)
            words = str(Scope(end.account_id)), f"end of day {run.day}", "", text
            self._ledger.audit(AuditRow(now, "", "end_of_day.missed", *words))
        _log.critical("the end of day of %s, %s, was %s", end.account_id, run.day, text)

    def _resume(self, end: EndOfDay, now: datetime) -> None:
        halt = self._paused(end)
        if halt is None or not end.resume or now < end.resumes(halt.time):
            return
        if self._flattens.under_way(end.account_id):
            return  # what it has to close must not grow
        self._tell(end, now, final=True)
        by = Operator("", "the next day has begun")
        self._states.set(halt.scope, halt.before, derived(halt.request_id, "resume"), by, now)

    def _paused(self, end: EndOfDay) -> Halt | None:
        """What a run has said, as long as nobody has said anything since."""
        halt = self._book.halts.of(Scope(end.account_id))
        if halt is None or halt.state is not TradingState.PAUSED:
            return None
        said = end.date_of(halt.time)
        keys = (key_of(end.account_id, said + n * _DAY) for n in (-1, 0, 1))  # it may have been late
        return halt if any(halt.request_id == derived(key, "pause") for key in keys) else None

    # What came of it.

    def _tell(self, end: EndOfDay, now: datetime, *, final: bool = False) -> None:
        """Once, when it is over; ``final``: now at the latest."""
        day, scope = self._settled[end.account_id], Scope(end.account_id)
        if self._told.get(end.account_id) == day:
            return
        flatten = self._flattens.known(key_of(end.account_id, day))
        live = self._mass_cancels.matching(selection_of(scope))
        if flatten is not None and not flatten.stage.over:
            return
        if flatten is None and live and not final:
            return
        left = [f"order {order.order_id}" for order in live]
        text = f"{len(left)} orders left" if flatten is None else self._words(flatten)
        text += "".join(f", {each}" for each in left)
        with self._pipeline.deciding():
            self._settle(end, day, told=True)
            words = str(scope), f"end of day {day}", "", text
            self._ledger.audit(AuditRow(now, "", "end_of_day.end", *words))
        clean = not left and (flatten is None or flatten.stage is Stage.FLAT)
        _log.log(
            logging.WARNING if clean else logging.ERROR, "the end of day of %s, %s: %s", scope, day, text
        )

    def _words(self, flatten: Flatten) -> str:
        closed: dict[Scope, Decimal] = {}
        for closing in flatten.closings:
            order = self._book.order(closing.order_id) if closing.order_id else None
            if order is not None and order.cum_qty:
                closed[closing.holding] = closed.get(closing.holding, Decimal(0)) + order.cum_qty
        done = ", ".join(f"{_name(holding)} {quantity}" for holding, quantity in closed.items())
        left = ", ".join(
            f"{_name(each.holding)} {each.quantity}" + (f" ({each.problem})" if each.problem else "")
            for each in flatten.residuals
        )
        return f"{flatten.stage.value}, closed: {done or 'nothing'}, left: {left or 'nothing'}"

    def _settle(self, end: EndOfDay, day: date, *, told: bool = False) -> None:
        """Part of a decision."""
        counters = self._pipeline.batch.counters
        self._settled[end.account_id] = day
        counters[_settled(end)] = day.toordinal()
        if told:
            self._told[end.account_id] = day
            counters[_told(end)] = day.toordinal()

    def _calendar(self, end: EndOfDay) -> Calendar | None:
        """As it is in force; one that a reload has taken away is kept to as it was, for so is the end of day."""
        if not end.calendar_id:
            return None
        found = self._calendars().get(end.calendar_id) or self._known[end.calendar_id]
        self._known[end.calendar_id] = found
        return found

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _name(holding: Scope) -> str:
    return "/".join(filter(None, (holding.instrument_id, holding.strategy_id)))


def _settled(end: EndOfDay) -> str:
    return f"end_of_day:{end.account_id}"


def _told(end: EndOfDay) -> str:
    return f"end_of_day_told:{end.account_id}"
