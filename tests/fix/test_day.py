"""Days in the life of a session, under a clock of their own: from Thursday over a change of the clocks to Tuesday.

Router and broker keep the same schedule. Nothing is polled: the clock goes from what is due to what is due next, so
five days with all their heartbeats take as long as their few hundred messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from fairlead_server.fix import events
from fairlead_server.fix.schedule import Hours, Reset, Schedule
from fairlead_server.fix.session import Numbers, Session

from tests.fix.driver import Driver, pair

NEW_YORK = ZoneInfo("America/New_York")
WEEKDAYS = frozenset(range(5))
FRIDAY, SATURDAY = 4, 5
DAILY = Schedule(
    hours=(Hours(WEEKDAYS, time(8, tzinfo=NEW_YORK), time(17, tzinfo=NEW_YORK)),),
    reset_times=(Reset(WEEKDAYS, time(7, tzinfo=NEW_YORK)),),
)
WEEKLY = Schedule(
    hours=(
        Hours(
            frozenset({SATURDAY}), time(18, tzinfo=NEW_YORK), time(17, tzinfo=NEW_YORK), end_weekday=FRIDAY
        ),
    ),
    reset_times=(Reset(frozenset({SATURDAY}), time(17, 30, tzinfo=NEW_YORK)),),
)
HALF_AN_HOUR = 1800
"""HeartBtInt(108): enough of them in a day to count, and few enough to read."""


@dataclass
class World:
    """Two drivers, the schedule they share, and what is going to happen to them."""

    schedule: Schedule
    now: datetime
    plan: list[tuple[datetime, Callable[[], None]]] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)
    instants: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.router, self.broker = (
            Driver(replace(side.config, heart_bt_int=HALF_AN_HOUR)) for side in pair()
        )
        self.change = self.schedule.next_change(self.now)
        self.reset_at = self.schedule.next_reset(self.now)

    def at(self, local: datetime, act: Callable[[], None]) -> None:
        self.plan.append((local.astimezone(UTC), act))
        self.plan.sort(key=lambda planned: planned[0])

    def run(self, until: datetime) -> None:
        while (due := min(self._due())) < until:
            assert due > self.now or self.plan, "what is due stays due"
            self.now = due
            self._step()

    def order(self, cl_ord_id: str) -> None:
        self.router.send(cl_ord_id, self.now)

    def report(self, cl_ord_id: str) -> None:
        fields = [(37, "1"), (11, cl_ord_id), (17, cl_ord_id), (150, "0"), (39, "0"), (55, "X"), (54, "1")]
        body = [*fields, (151, "1"), (14, "0"), (6, "0")]
        self.broker.sent.append(cl_ord_id)
        self.broker.commit(self.broker.session.send("8", body, self.now))

    def cut(self) -> None:
        """The router hears of it at once, the broker when there is a new connection."""
        self.router.disconnect()
        self.broker.outbox.clear()
        self._note("cut")
        self.at(self.now + timedelta(seconds=5), self._connect)

    def _due(self) -> Iterator[datetime]:
        deadlines = (driver.session.deadline() for driver in (self.router, self.broker))
        yield from filter(None, (self.change, self.reset_at, *deadlines))
        yield from (when for when, _ in self.plan[:1])

    def _step(self) -> None:
        if self.now == self.reset_at:
            self._reset()
        if self.now == self.change:
            self._open_or_close()
        while self.plan and self.plan[0][0] <= self.now:
            self.plan.pop(0)[1]()
        for driver in (self.router, self.broker):
            driver.commit(driver.session.tick(self.now))
        self._exchange()

    def _reset(self) -> None:
        self._mark("reset")
        assert self.router.closed
        assert self.broker.closed
        for driver in (self.router, self.broker):
            driver.numbers = Numbers(epoch=driver.numbers.epoch + 1)
            driver.session = Session(driver.config, driver.numbers)
        self.reset_at = self.schedule.next_reset(self.now)

    def _open_or_close(self) -> None:
        if self.schedule.is_open(self.now):
            self._mark("open")
            self._connect()
        else:
            self._mark("close")
            self.router.commit(self.router.session.logout(None, self.now))
        self.change = self.schedule.next_change(self.now)

    def _connect(self) -> None:
        self.broker.disconnect()
        self.broker.connect(self.now)
        self.router.connect(self.now)

    def _exchange(self) -> None:
        """Over a link that takes no time, unless it is cut."""
        while not self.router.closed and any(d.outbox or d.wanted for d in (self.router, self.broker)):
            for driver, peer in ((self.broker, self.router), (self.router, self.broker)):
                driver.answer(self.now)
                data = bytes(peer.outbox)
                peer.outbox.clear()
                driver.receive(data, self.now)
            self._tell()
        for driver in (self.router, self.broker):
            if driver.closed:
                driver.disconnect()

    def _tell(self) -> None:
        """The router's view of it."""
        for event in self.router.told:
            match event:
                case events.LoggedOn():
                    self._note("logged on")
                case events.GapDetected(begin, end):
                    self._note(f"misses {begin} to {end}")
                case events.Received(message):
                    self._note(f"{message[11]}{' again' if message.poss_dup else ''}")
                case events.LoggedOut():
                    numbers = self.router.session.numbers
                    self._note(
                        f"logged out, epoch {numbers.epoch} at {numbers.next_in} in, {numbers.next_out} out"
                    )
                case _:
                    pass
        self.router.told.clear()

    def _note(self, text: str) -> None:
        self.diary.append(f"{self.now.astimezone(NEW_YORK):%a %H:%M:%S} {text}")

    def _mark(self, what: str) -> None:
        self.instants.append(f"{self.now:%a %H:%M} {what}")


def local(day: date, text: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(text), NEW_YORK)


def at_midnight(day: date) -> datetime:
    return local(day, "00:00").astimezone(UTC)


CHANGES = {
    "spring": (
        date(2026, 3, 5),
        ["Thu 12:00 reset", "Thu 13:00 open", "Thu 22:00 close", "Fri 12:00 reset", "Fri 13:00 open", "Fri 22:00 close"],
        ["Mon 11:00 reset", "Mon 12:00 open", "Mon 21:00 close", "Tue 11:00 reset", "Tue 12:00 open", "Tue 21:00 close"],
    ),
    "autumn": (
        date(2026, 10, 29),
        ["Thu 11:00 reset", "Thu 12:00 open", "Thu 21:00 close", "Fri 11:00 reset", "Fri 12:00 open", "Fri 21:00 close"],
        ["Mon 12:00 reset", "Mon 13:00 open", "Mon 22:00 close", "Tue 12:00 reset", "Tue 13:00 open", "Tue 22:00 close"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("thursday", "before", "after"), CHANGES.values(), ids=CHANGES)
def test_four_days_of_trading_and_the_weekend_on_which_the_clocks_change(
    thursday: date, before: list[str], after: list[str]
) -> None:
    world = World(DAILY, at_midnight(thursday))
    monday, tuesday = thursday + timedelta(days=4), thursday + timedelta(days=5)
    # Thursday: an order, its report; then two reports into a connection that is no more.
    world.at(local(thursday, "09:30"), lambda: world.order("order-1"))
    world.at(local(thursday, "09:31"), lambda: world.report("report-1"))
    world.at(local(thursday, "11:00"), world.cut)
    world.at(local(thursday, "11:00:01"), lambda: world.report("report-2"))
    world.at(local(thursday, "11:00:02"), lambda: world.report("report-3"))
    world.at(local(thursday, "11:00:02"), world.broker.outbox.clear)
    # And one more on each side of the weekend.
    world.at(local(thursday + timedelta(days=1), "16:59:59"), lambda: world.order("order-2"))
    world.at(local(monday, "08:00:01"), lambda: world.report("report-4"))
    world.at(local(tuesday, "12:00"), lambda: world.order("order-3"))

    world.run(until=at_midnight(tuesday + timedelta(days=1)))

    assert world.instants == before + after
    assert world.diary == [
        "Thu 08:00:00 logged on",
        "Thu 09:31:00 report-1",
        "Thu 11:00:00 cut",
        "Thu 11:00:05 misses 9 to 10",
        "Thu 11:00:05 report-2 again",
        "Thu 11:00:05 report-3 again",
        "Thu 11:00:05 logged on",
        "Thu 17:00:00 logged out, epoch 2 at 25 in, 23 out",
        "Fri 08:00:00 logged on",
        "Fri 17:00:00 logged out, epoch 3 at 22 in, 22 out",
        "Mon 08:00:00 logged on",
        "Mon 08:00:01 report-4",
        "Mon 17:00:00 logged out, epoch 4 at 22 in, 21 out",
        "Tue 08:00:00 logged on",
        "Tue 17:00:00 logged out, epoch 5 at 22 in, 21 out",
    ]
    check_nothing_is_lost(world)


def test_a_week_is_one_session_over_midnight_and_over_the_change_of_the_clocks() -> None:
    change = date(2026, 3, 8)
    wednesday = change + timedelta(days=3)
    world = World(WEEKLY, at_midnight(change - timedelta(days=8)))
    world.at(local(change - timedelta(days=1), "23:59:59"), lambda: world.order("order-1"))
    world.at(local(change, "01:59:59"), lambda: world.order("order-2"))
    world.at(local(change, "03:00"), lambda: world.report("report-1"))
    world.at(local(wednesday, "00:00"), world.cut)
    world.at(local(wednesday, "00:00:01"), lambda: world.report("report-2"))

    world.run(until=at_midnight(change + timedelta(days=6)))

    assert world.instants == [
        *("Sat 22:30 reset", "Sat 23:00 open", "Fri 22:00 close"),
        *("Sat 22:30 reset", "Sat 23:00 open", "Fri 21:00 close"),
    ]
    assert world.diary == [
        "Sat 18:00:00 logged on",
        "Fri 17:00:00 logged out, epoch 2 at 290 in, 289 out",  # 143 hours
        "Sat 18:00:00 logged on",
        "Sun 03:00:00 report-1",
        "Wed 00:00:00 cut",
        "Wed 00:00:05 misses 156 to 157",  # 77 hours, and not 78
        "Wed 00:00:05 report-2 again",
        "Wed 00:00:05 logged on",
        "Fri 17:00:00 logged out, epoch 3 at 290 in, 290 out",
    ]
    check_nothing_is_lost(world)


def check_nothing_is_lost(world: World) -> None:
    """And no number of any epoch is missing from the journal, none is in it twice."""
    assert world.broker.received == world.router.sent
    assert world.router.received == world.broker.sent
    for driver, peer in ((world.router, world.broker), (world.broker, world.router)):
        assert driver.numbers.next_in == peer.numbers.next_out
        for epoch in range(2, driver.numbers.epoch + 1):
            numbers = [number for of, number in driver.journal if of == epoch]
            assert numbers == list(range(1, len(numbers) + 1))
