"""The end of an account's day: made once, made up for within its grace, told when missed, open again with the next day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.domain.calendar import Calendar, Span
from fairlead_server.domain.end_of_day import EndOfDay
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.flatten import Stage
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.domain.trading_state import TradingState
from fairlead_server.routing.ends_of_day import EndsOfDay
from fairlead_server.store.batch import AuditRow
from msgspec.structs import replace

from tests.domain.builders import NOW, new_order, report
from tests.domain.test_calendar import SHARES
from tests.routing.desk import Desk, about
from tests.routing.test_flattens import begin, bought, closers
from tests.routing.test_trading_states import kill, refusal, say, settled

OURS = Scope("ACC1")
END = EndOfDay("ACC1", ZoneInfo("UTC"), time(15), weekdays=frozenset(range(5)))  # Friday 15:00 is NOW
EARLY, MINUTE = NOW - timedelta(hours=1), timedelta(minutes=1)
TOMORROW = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = EARLY

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Watch:
    """A desk that keeps its end of day; whatever was made is drained in the end."""

    desk: Desk
    end: EndOfDay = END
    clock: Clock = field(default_factory=Clock)
    made: list[EndsOfDay] = field(default_factory=list)

    def start(self, now: datetime) -> None:
        """As the router does at its start."""
        for each in self.made:
            each.drain()
        desk, self.clock.now = self.desk, now
        ends = EndsOfDay(
            [self.end],
            desk.book,
            desk.ledger,
            desk.pipeline,
            desk.mass_cancels,
            desk.trading_states,
            desk.flattens,
            desk.reference.calendars,
            self.clock,
        )
        self.made.append(ends)
        desk.listeners[:] = [ends.committed]
        ends.load(desk.store.load(now).counters)
        ends.recover()

    async def restart(self, now: datetime) -> None:
        self.made[-1].drain()
        self.desk = await self.desk.restarted()
        self.start(now)
        await self.settled()

    async def at(self, now: datetime) -> None:
        """The time has come at which its timer fires."""
        self.clock.now = now
        self.made[-1]._look()
        await self.settled()

    async def settled(self) -> None:
        await settled(self.desk)
        await settled(self.desk)

    def audit(self, kind: str = "end_of_day.") -> list[AuditRow]:
        return [row for row in self.desk.store.audit("", 100)[::-1] if row.action.startswith(kind)]

    def actions(self) -> list[str]:
        return [row.action.removeprefix("end_of_day.") for row in self.audit()]

    def flattens(self) -> list[Stage]:
        return [each.stage for each in self.desk.flattens.all()]

    def state(self) -> TradingState:
        halt = self.desk.trading_states.of(OURS)
        return TradingState.ACTIVE if halt is None else halt.state


@pytest.fixture
async def watch(desk: Desk) -> AsyncIterator[Watch]:
    made = Watch(desk)
    yield made
    for each in made.made:
        each.drain()
    await made.desk.end()


async def test_at_its_time_the_account_is_paused_cancelled_and_flat_and_it_is_told(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = watch.desk
    bought(desk)
    resting = desk.working(new_order(client_order_id="resting"))
    watch.start(EARLY)
    await watch.settled()
    assert (watch.actions(), watch.state()) == ([], TradingState.ACTIVE)

    await watch.at(NOW)
    assert desk.now(resting).pending
    assert refusal(desk) is RejectReason.RISK_TRADING_PAUSED
    assert watch.actions() == ["begin"]

    desk.hear(about(resting, report(ReportKind.CANCELED)))
    await watch.settled()
    [order] = closers(desk)
    desk.filled(order, 100, "E-close")
    await watch.settled()
    assert watch.actions() == ["begin", "end"]
    [told] = watch.audit("end_of_day.end")
    assert told.after == "FLAT, closed: ACME 100, left: nothing"
    assert told.after in caplog.text
    assert watch.flattens() == [Stage.FLAT]


async def test_a_timer_brings_it(watch: Watch) -> None:
    watch.start(NOW - timedelta(milliseconds=1))
    watch.clock.now = NOW
    while not watch.flattens():  # noqa: ASYNC110 - nothing tells when the time is over
        await asyncio.sleep(0)
    await watch.settled()
    assert watch.actions() == ["begin", "end"]


async def test_it_may_be_the_cut_off_of_a_calendar_that_an_operator_has_put(watch: Watch) -> None:
    desk, cut_off = watch.desk, datetime(2026, 11, 20, 20, 50, tzinfo=UTC)
    with desk.pipeline.deciding():
        desk.reference.put_calendar("XNYS", SHARES)
    watch.end = EndOfDay("ACC1", SHARES.zone, calendar_id="XNYS")
    bought(desk)
    watch.start(cut_off - MINUTE)
    await watch.at(cut_off)
    assert [order.terms.quantity for order in closers(desk)] == [Decimal(100)]


async def test_what_is_left_is_told_as_an_error(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    bought(watch.desk)
    watch.start(EARLY)
    kill(watch.desk, EVERYTHING)
    await watch.at(NOW)
    [told] = watch.audit("end_of_day.end")
    assert told.after.startswith("RESIDUAL, closed: nothing, left: ACME 100 (RISK_KILL_SWITCH")
    assert [record.levelno for record in caplog.records if told.after in record.message] == [logging.ERROR]


async def test_it_may_only_cancel(watch: Watch) -> None:
    watch.end = replace(END, flatten=False)
    desk = watch.desk
    bought(desk)
    resting = desk.working(new_order(client_order_id="resting"))
    watch.start(EARLY)
    await watch.at(NOW)
    assert watch.state() is TradingState.PAUSED
    assert watch.actions() == ["begin"]
    desk.hear(about(resting, report(ReportKind.CANCELED)))
    await watch.settled()
    assert watch.actions() == ["begin", "end"]
    assert (watch.flattens(), closers(desk)) == ([], [])


async def test_what_was_not_cancelled_by_the_next_day_is_told_then(watch: Watch) -> None:
    watch.end = replace(END, flatten=False)
    resting = watch.desk.working()
    watch.start(EARLY)
    await watch.at(NOW)
    await watch.at(TOMORROW)
    assert [row.after for row in watch.audit("end_of_day.end")] == [
        f"1 orders left, order {resting.order_id}"
    ]


# Starts.


@pytest.mark.parametrize(
    ("down_until", "actions", "state"),
    [
        (NOW - MINUTE, [], TradingState.ACTIVE),
        (NOW, ["begin", "end"], TradingState.PAUSED),
        (NOW + 29 * MINUTE, ["begin", "end"], TradingState.PAUSED),
        (NOW + 30 * MINUTE, ["missed"], TradingState.ACTIVE),
        (NOW + timedelta(days=2), ["missed"], TradingState.ACTIVE),
        (NOW + timedelta(days=3), ["missed", "begin", "end"], TradingState.PAUSED),
    ],
)
async def test_a_run_that_was_missed_is_made_within_its_grace_and_else_told(
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
    down_until: datetime,
    actions: list[str],
    state: TradingState,
) -> None:
    watch.start(EARLY)
    await watch.restart(down_until)
    await watch.restart(down_until)  # and once more: nothing is done twice
    assert (watch.actions(), watch.state()) == (actions, state)
    critical = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(critical) == actions.count("missed")


async def test_a_restart_in_the_middle_goes_on_and_tells_once(watch: Watch) -> None:
    bought(watch.desk)
    watch.start(EARLY)
    await watch.at(NOW)
    [order] = closers(watch.desk)
    await watch.restart(NOW + MINUTE)
    assert [each.order_id for each in closers(watch.desk)] == [order.order_id]
    watch.desk.filled(order, 100, "E-close")
    await watch.settled()
    await watch.restart(NOW + 2 * MINUTE)
    assert watch.actions() == ["begin", "end"]
    assert watch.flattens() == [Stage.FLAT]


async def test_a_router_that_died_before_it_was_noted_makes_no_second_one(watch: Watch) -> None:
    bought(watch.desk)
    watch.start(EARLY)
    await watch.at(NOW)
    [order] = closers(watch.desk)
    with watch.desk.pipeline.deciding():  # as if that had not become durable
        watch.desk.pipeline.batch.counters["end_of_day:ACC1"] = NOW.date().toordinal() - 1
    await watch.restart(NOW + MINUTE)
    assert [each.order_id for each in closers(watch.desk)] == [order.order_id]
    assert watch.flattens() == [Stage.CLOSING]


async def test_what_is_configured_after_its_time_begins_with_the_next_day(watch: Watch) -> None:
    watch.start(NOW + MINUTE)
    await watch.settled()
    assert (watch.actions(), watch.state()) == ([], TradingState.ACTIVE)
    await watch.at(NOW + timedelta(days=3))
    assert watch.actions() == ["begin", "end"]


async def test_a_time_that_is_moved_on_the_same_day_gives_no_second_run(watch: Watch) -> None:
    watch.start(EARLY)
    await watch.at(NOW)
    watch.end = replace(END, at=time(15, 10))
    await watch.restart(NOW + 11 * MINUTE)
    assert watch.actions() == ["begin", "end"]


async def test_it_waits_for_a_flatten_that_somebody_has_begun(watch: Watch) -> None:
    desk = watch.desk
    bought(desk)
    watch.start(EARLY)
    begin(desk, Scope("ACC1", instrument_id="ACME"))
    [order] = closers(desk)
    await watch.at(NOW)
    assert watch.actions() == []
    desk.filled(order, 100, "E-close")
    await watch.settled()
    assert watch.actions() == ["begin", "end"]
    [told] = watch.audit("end_of_day.end")
    assert told.after == "FLAT, closed: nothing, left: nothing"


# The next day.


def _nothing(desk: Desk) -> None:
    pass


def _paused_by_a_person(desk: Desk) -> None:
    say(desk, TradingState.PAUSED, OURS)


def _killed(desk: Desk) -> None:
    kill(desk, OURS)


@pytest.mark.parametrize(
    ("end", "meanwhile", "state"),
    [
        (END, _nothing, TradingState.ACTIVE),
        (replace(END, flatten=False), _nothing, TradingState.ACTIVE),
        (replace(END, resume=False), _nothing, TradingState.PAUSED),
        (END, _paused_by_a_person, TradingState.PAUSED),
        (END, _killed, TradingState.KILLED),
    ],
)
async def test_it_trades_again_with_the_next_day_unless_somebody_has_said_otherwise(
    watch: Watch, end: EndOfDay, meanwhile: Callable[[Desk], None], state: TradingState
) -> None:
    watch.end = end
    watch.start(EARLY)
    await watch.at(NOW)
    meanwhile(watch.desk)
    await watch.at(TOMORROW - MINUTE)
    assert watch.state() is not TradingState.ACTIVE
    await watch.restart(TOMORROW)
    assert watch.state() is state


@pytest.mark.parametrize("before", [TradingState.REDUCE_ONLY, TradingState.PAUSED])
async def test_it_is_again_what_it_was_before(watch: Watch, before: TradingState) -> None:
    watch.start(EARLY)
    say(watch.desk, before, OURS)
    await watch.at(NOW)
    assert watch.state() is TradingState.PAUSED
    await watch.at(TOMORROW)
    assert watch.state() is before


async def test_it_stays_paused_as_long_as_its_flatten_is_under_way(watch: Watch) -> None:
    bought(watch.desk)
    watch.start(EARLY)
    await watch.at(NOW)
    await watch.at(TOMORROW)
    assert watch.state() is TradingState.PAUSED
    [order] = closers(watch.desk)
    watch.desk.filled(order, 100, "E-close")
    await watch.settled()
    assert (watch.state(), watch.actions()) == (TradingState.ACTIVE, ["begin", "end"])


async def test_with_a_store_that_takes_no_writes_nothing_is_done(watch: Watch) -> None:
    watch.start(EARLY)
    await watch.settled()
    watch.desk.pipeline.broken = True
    watch.clock.now = NOW
    watch.made[-1]._look()
    assert watch.made[-1]._settled["ACC1"] < NOW.date()
    watch.desk.pipeline.resume()
    watch.made[-1].recover()
    await watch.settled()
    assert watch.actions() == ["begin", "end"]


async def test_a_calendar_that_a_reload_takes_away_is_kept_to_until_the_restart(watch: Watch) -> None:
    reference = watch.desk.reference
    calendar = Calendar("XNAS", ZoneInfo("UTC"), (Span(frozenset(range(7)), time(9), time(18)),))
    with watch.desk.pipeline.deciding():
        reference.rebase(reference._file, {"XNAS": calendar})
    watch.end = replace(END, calendar_id="XNAS")
    watch.start(EARLY)
    with watch.desk.pipeline.deciding():
        reference.rebase(reference._file, {})
    await watch.at(NOW)
    assert watch.actions() == ["begin", "end"]
