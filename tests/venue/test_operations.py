"""Whether a session is to be connected, and what those who operate it may do; on a wire in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from fairlead_server.domain.errors import SessionConnected, SessionNumbersMoved
from fairlead_server.domain.order import Flag
from fairlead_server.fix.schedule import Hours, Reset, Schedule
from fairlead_server.fix.session import Numbers
from fairlead_server.routing.ports import Operator
from fairlead_server.store.database import Store
from fairlead_server.venue.operations import Operations

from tests.domain.builders import NOW
from tests.venue.link import Link

DESK = Operator("desk", "ticket 7")
EVERY_DAY = frozenset(range(7))
MORNING = Hours(EVERY_DAY, time(8, tzinfo=UTC), time(12, tzinfo=UTC))
AFTERNOON = Schedule((Hours(EVERY_DAY, time(12, tzinfo=UTC), time(18, tzinfo=UTC)),))
AT_SIX = Reset(EVERY_DAY, time(6, tzinfo=UTC))


class Desk:
    """A link, and the operations of its session, loaded from the store as at a start."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.load()

    def load(self) -> None:
        stored = self.link.store.load(self.link.clock.now)
        self.operations = Operations(self.link.venue, self.link.pipeline, self.link.clock)
        self.operations.load(stored.stopped.get("BROKER", ""), stored.counters)

    def settle(self, **changes: Any) -> None:
        self.link.venue.settings = replace(self.link.venue.settings, **changes)

    def at(self, hour: int, minute: int = 0, *, days: int = 0) -> None:
        self.link.clock.now = datetime(NOW.year, NOW.month, NOW.day, hour, minute, tzinfo=UTC) + timedelta(
            days=days
        )

    @property
    def numbers(self) -> Numbers:
        return self.link.venue.session.numbers

    async def begin_anew(self) -> None:
        """The process ends and starts again."""
        await self.link.pipeline.durable()
        self.link.venue.disconnected("ended")
        self.link.load()
        self.load()


@pytest.fixture
async def desk(link: Link) -> Desk:
    return Desk(link)


async def test_around_the_clock_nothing_hinders(desk: Desk) -> None:
    assert desk.operations.hindrance() == ""
    assert desk.operations.farewell() is None
    assert desk.operations.next_change() is None


# The schedule.


async def test_outside_its_hours_it_stays_away(desk: Desk) -> None:
    desk.settle(schedule=Schedule((MORNING,)))
    desk.at(7, 59)
    assert desk.operations.hindrance() == "OUT_OF_WINDOW"
    assert desk.operations.next_change() == 60
    desk.at(8)
    assert desk.operations.hindrance() == ""
    assert desk.operations.next_change() == 4 * 3600
    desk.at(12)
    assert desk.operations.farewell() == "end of the session's hours"


async def test_the_hours_are_there_to_see(desk: Desk) -> None:
    desk.settle(schedule=Schedule((MORNING,), (AT_SIX,)))
    desk.at(13)
    view = desk.operations.view()
    assert view.state == "OUT_OF_WINDOW"
    assert view.opens is not None
    assert view.closes is not None
    assert view.next_reset is not None
    assert [t - desk.link.clock.now for t in (view.opens, view.closes, view.next_reset)] == [
        timedelta(hours=19),
        timedelta(hours=23),
        timedelta(hours=17),
    ]


async def test_numbers_begin_anew_at_their_time_and_what_was_sent_is_kept(desk: Desk) -> None:
    desk.settle(schedule=Schedule((MORNING,), (AT_SIX,)))
    desk.at(9)
    desk.operations.prepare()
    await desk.link.up()
    order = desk.link.submit()
    await desk.link.settle()
    assert desk.operations.farewell() is None
    desk.link.cut()
    desk.at(8, days=1)
    assert desk.operations.farewell() == "the sequence numbers begin anew"
    desk.operations.prepare()
    await desk.link.pipeline.durable()
    assert desk.numbers == Numbers(1, 1, epoch=2)
    assert desk.operations.farewell() is None
    assert desk.link.store.sent("BROKER", 1, 1, 100)[-1].msg_type == "D"
    assert Flag.IN_DOUBT in desk.link.now(order).flags


async def test_a_reset_that_was_slept_through_is_made_up_for_once(desk: Desk) -> None:
    desk.settle(schedule=Schedule((MORNING,), (AT_SIX,)))
    desk.at(9)
    desk.operations.prepare()
    await desk.link.up()
    await desk.begin_anew()
    desk.operations.prepare()
    assert desk.numbers.epoch == 1
    desk.at(9, days=3)
    await desk.begin_anew()
    desk.operations.prepare()
    await desk.begin_anew()
    desk.operations.prepare()
    assert desk.numbers == Numbers(1, 1, epoch=2)


async def test_a_reset_between_its_farewell_and_its_end_is_not_forgotten(desk: Desk) -> None:
    """Our Logout(5) is sent after the time of the reset; the numbers are still those of before."""
    desk.settle(schedule=Schedule((MORNING,), (Reset(EVERY_DAY, time(9, tzinfo=UTC)),)))
    desk.at(8)
    desk.operations.prepare()
    await desk.link.up()
    desk.at(9)
    assert desk.operations.farewell() is not None
    desk.link.venue.log_out("the sequence numbers begin anew")
    await desk.begin_anew()
    desk.operations.prepare()
    assert desk.numbers == Numbers(1, 1, epoch=2)


# Operators.


async def test_stopped_it_stays_away_also_after_a_restart_until_it_is_started(
    desk: Desk, store: Store
) -> None:
    desk.operations.stop(DESK, NOW)
    assert not desk.operations.news.is_set()
    await desk.link.pipeline.durable()
    assert desk.operations.news.is_set()
    assert desk.operations.farewell() == "stopped by its operator"
    await desk.begin_anew()
    assert desk.operations.hindrance() == "DISABLED"
    view = desk.operations.view()
    assert (view.state, view.reason, view.stopped) == ("DISABLED", "ticket 7", True)
    desk.operations.start(DESK, NOW)
    await desk.begin_anew()
    assert desk.operations.hindrance() == ""
    assert [
        (row.principal, row.action, row.subject, row.reason) for row in reversed(store.audit("BROKER", 9))
    ] == [
        ("desk", "session.stop", "BROKER", "ticket 7"),
        ("desk", "session.start", "BROKER", "ticket 7"),
    ]


async def test_switched_off_by_configuration_it_stays_away(desk: Desk) -> None:
    desk.settle(enabled=False)
    assert desk.operations.hindrance() == "DISABLED"


async def test_a_halt_outlives_the_process_until_somebody_ends_it(desk: Desk) -> None:
    await desk.link.up()
    for _ in range(3):
        desk.link.venue.received(desk.link.by_hand("0", [], number=1))
        await desk.link.settle()
        desk.link.cut()
        desk.link.connect()
        desk.link.venue.received(desk.link.by_hand("A", [(98, "0"), (108, "30")], number=1))
        await desk.link.settle()
    assert desk.operations.hindrance() == "HALTED"
    await desk.begin_anew()
    assert desk.operations.view().state == "HALTED"
    assert desk.operations.view().repair.startswith("fairlead session reset BROKER --expected-in 3")
    desk.operations.start(DESK, NOW)
    await desk.begin_anew()
    assert desk.operations.hindrance() == ""


async def test_a_halt_is_shown_when_it_is_durable_and_what_repairs_it_at_once(desk: Desk) -> None:
    await desk.link.up()
    too_low = [desk.link.by_hand("0", [], number=1)]
    too_low += 2 * [desk.link.by_hand("A", [(98, "0"), (108, "30")], number=1)]
    for data in too_low[:2]:
        desk.link.venue.received(data)
        await desk.link.settle()
        desk.link.cut()
        desk.link.connect()
    desk.link.venue.received(too_low[2])
    assert desk.operations.view().state != "HALTED"
    await desk.link.settle()
    view = desk.operations.view()
    assert desk.link.venue.is_connected
    assert (view.state, view.repair[:29]) == ("HALTED", "fairlead session reset BROKER")
    assert view.reason == desk.link.venue.halted


@pytest.mark.parametrize(
    ("settings", "stands"),
    [({}, "running"), ({"enabled": False}, "DISABLED"), ({"schedule": AFTERNOON}, "OUT_OF_WINDOW")],
)
async def test_the_audit_says_how_a_session_stands_before_and_after(
    desk: Desk, settings: dict[str, Any], stands: str
) -> None:
    desk.settle(**settings)
    desk.at(9)
    desk.operations.stop(DESK, NOW)
    desk.operations.start(DESK, NOW)
    await desk.link.pipeline.durable()
    started, stopped = desk.link.store.audit("BROKER", 9)
    assert (stopped.action, stopped.before, stopped.after) == ("session.stop", stands, "stopped")
    assert (started.action, started.before, started.after) == ("session.start", "stopped", stands)


async def test_a_halted_session_says_what_repairs_it_and_is_started_again(desk: Desk) -> None:
    desk.link.venue.halted = "five logons in a row were refused"
    view = desk.operations.view()
    assert (view.state, view.repair) == ("HALTED", "fairlead session start BROKER --reason REASON")
    desk.operations.start(DESK, NOW)
    await desk.link.pipeline.durable()
    assert desk.operations.hindrance() == ""
    await desk.link.up()


@pytest.mark.parametrize(
    ("halted", "wanted"),
    [
        ("MsgSeqNum too low, expecting 12 but received 3", "--next-in 3 --next-out 1"),
        ("Logon(A) refused: MsgSeqNum too low, expecting 120 but received 7", "--next-in 1 --next-out 120"),
    ],
)
async def test_numbers_that_are_too_low_are_repaired_by_those_that_were_told(
    desk: Desk, halted: str, wanted: str
) -> None:
    desk.link.venue.halted = halted
    expected = "--expected-in 1 --expected-out 1"
    assert (
        desk.operations.view().repair == f"fairlead session reset BROKER {expected} {wanted} --reason REASON"
    )


async def test_numbers_that_go_back_open_a_new_epoch(desk: Desk) -> None:
    await desk.link.up()
    desk.link.cut()
    await desk.link.settle()
    before = desk.numbers
    desk.operations.reset(before, Numbers(1, 1), DESK, NOW)
    await desk.begin_anew()
    assert desk.numbers == Numbers(1, 1, epoch=2)
    [row] = desk.link.store.audit("BROKER", 9)
    assert (row.before, row.after) == ("next_in=3 next_out=3 epoch=1", "next_in=1 next_out=1 epoch=2")


async def test_numbers_that_go_on_stay_in_their_epoch(desk: Desk) -> None:
    desk.link.venue.halted = "MsgSeqNum too low, expecting 50 but received 1"
    desk.operations.reset(Numbers(), Numbers(1, 50), DESK, NOW)
    await desk.begin_anew()
    assert desk.numbers == Numbers(1, 50, epoch=1)
    assert desk.operations.hindrance() == ""


async def test_numbers_are_not_replaced_under_a_connection(desk: Desk) -> None:
    await desk.link.up()
    with pytest.raises(SessionConnected):
        desk.operations.reset(desk.numbers, Numbers(), DESK, NOW)
    assert desk.numbers.next_out == 3


async def test_numbers_are_replaced_only_by_who_knows_them(desk: Desk) -> None:
    with pytest.raises(SessionNumbersMoved) as caught:
        desk.operations.reset(Numbers(2, 1), Numbers(), DESK, NOW)
    assert (caught.value.actual_in, caught.value.actual_out) == (1, 1)
    assert not desk.link.pipeline.batch.audit


async def test_other_settings_take_their_place_between_two_connections(desk: Desk) -> None:
    await desk.link.up()
    changed = replace(desk.link.venue.settings, default_account="OTHER")
    desk.operations.change(changed)
    assert desk.operations.news.is_set()
    assert desk.operations.farewell() == "its settings have changed"
    desk.link.cut()
    desk.operations.renew()
    assert desk.link.venue.settings is changed
    assert desk.operations.farewell() is None
    await desk.link.up()
