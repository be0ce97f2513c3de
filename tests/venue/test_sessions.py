"""Sessions that come, change and go while the others work; on TCP, with one broker for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from fairlead_server.domain.errors import ConfigInvalid
from fairlead_server.fix.schedule import Reset, Schedule
from fairlead_server.fix.session import Numbers
from fairlead_server.routing.ports import Operator, Reloaded
from fairlead_server.store.database import Store
from fairlead_server.venue.gateway import VenueSession
from fairlead_server.venue.sessions import Sessions
from fairlead_server.venue.settings import Endpoint, VenueSettings

from tests.venue.test_initiator import House


class Hall:
    """Sessions of one router, each to a broker of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.houses: dict[str, House] = {}
        self.first = House(store)
        link = self.first.link
        self.sessions = Sessions(self._make, link.pipeline, link.clock, lambda: 0.0)

    def _make(self, settings: VenueSettings) -> VenueSession:
        """By the parts of the first, for a router has one pipeline."""
        link = self.first.link
        return VenueSession(
            settings,
            link.ledger,
            link.pipeline,
            self.store,
            link.entry,
            link.executions,
            link.clock,
            lambda: None,
        )

    async def open(self, name: str) -> VenueSettings:
        """A broker listens; what a session to it needs."""
        house = self.houses[name] = House(self.store)
        await house.open()
        [endpoint] = house.link.venue.settings.endpoints
        return self.settings(name, endpoint)

    def settings(self, name: str, endpoint: Endpoint) -> VenueSettings:
        return replace(self.first.link.venue.settings, session_id=name, endpoints=(endpoint,))

    async def until_active(self, *names: str) -> None:
        await self.first.until(lambda: all(self.sessions.gateways[name].available for name in names))

    def state(self, name: str) -> str:
        return self.houses[name].broker.session.state.name

    async def close(self) -> None:
        await self.sessions.stop("the test is over")
        for house in [self.first, *self.houses.values()]:
            await house.close()


@pytest.fixture
async def hall(store: Store) -> AsyncIterator[Hall]:
    made = Hall(store)
    yield made
    await made.close()


async def start(hall: Hall, *settings: VenueSettings) -> None:
    for each in settings:
        hall.sessions.add(each)
    hall.sessions.load(hall.store.load(hall.first.link.clock.now))
    hall.sessions.start()
    await hall.until_active(*(each.session_id for each in settings))


async def test_one_is_added_while_another_works(hall: Hall) -> None:
    one, two = await hall.open("ONE"), await hall.open("TWO")
    await start(hall, one)
    assert hall.sessions.apply([one, two]) == Reloaded(added=("TWO",))
    await hall.until_active("ONE", "TWO")
    assert len(hall.houses["ONE"].connections) == 1
    assert hall.sessions.default_accounts == {"ONE": "ACC1", "TWO": "ACC1"}


async def test_one_that_dies_when_it_is_to_end_keeps_no_other_from_ending(
    hall: Hall, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = await hall.open("ONE"), await hall.open("TWO")
    await start(hall, one, two)
    hall.sessions.gateways["ONE"].session = NoSession()  # type: ignore[assignment] # a bug

    await hall.sessions.stop("the process ends")

    assert hall.houses["TWO"].broker.wire_types[-1].startswith("5 ")
    assert "a session did not end as it should" in caplog.text
    assert all(task.done() for task in hall.sessions._tasks.values())


class NoSession:
    """Dies at whatever it is asked."""


async def test_one_is_let_go_and_later_goes_on_where_it_ended(hall: Hall) -> None:
    one, two = await hall.open("ONE"), await hall.open("TWO")
    await start(hall, one, two)
    leaving = hall.sessions.gateways["TWO"]
    assert hall.sessions.apply([one]) == Reloaded(removed=("TWO",))
    assert "TWO" not in hall.sessions.gateways
    assert "TWO" not in hall.sessions.operated
    await hall.first.until(lambda: not leaving.is_connected)
    assert hall.houses["TWO"].broker.wire_types[-1].startswith("5 ")
    await hall.first.until(lambda: not hall.sessions._leaving)
    hall.sessions.apply([one, two])
    await hall.until_active("ONE", "TWO")
    assert hall.sessions.gateways["TWO"].session.numbers.next_out == leaving.session.numbers.next_out + 2
    assert len(hall.houses["ONE"].connections) == 1


async def test_one_that_is_still_ending_is_not_taken_back(hall: Hall) -> None:
    one = await hall.open("ONE")
    await start(hall, one)
    hall.sessions.apply([])
    with pytest.raises(ConfigInvalid) as caught:
        hall.sessions.apply([one])
    assert caught.value.key == "sessions.ONE"


async def test_one_that_has_changed_comes_back_with_its_new_settings(hall: Hall) -> None:
    one = await hall.open("ONE")
    await start(hall, one)
    changed = replace(one, default_account="OTHER", config=replace(one.config, heart_bt_int=7))
    assert hall.sessions.apply([changed]) == Reloaded(changed=("ONE",))
    assert hall.sessions.apply([changed]) == Reloaded()
    await hall.first.until(lambda: len(hall.houses["ONE"].connections) == 2)
    await hall.until_active("ONE")
    assert hall.sessions.gateways["ONE"].view().heart_bt_int == 7
    assert hall.sessions.default_accounts == {"ONE": "OTHER"}


async def test_one_that_was_off_comes_up_when_it_is_switched_on(hall: Hall) -> None:
    one = await hall.open("ONE")
    hall.sessions.add(replace(one, enabled=False))
    hall.sessions.load(hall.store.load(hall.first.link.clock.now))
    hall.sessions.start()
    await asyncio.sleep(0)
    assert hall.sessions.operated["ONE"].view().state == "DISABLED"
    hall.sessions.apply([one])
    await hall.until_active("ONE")


async def test_one_that_comes_back_is_still_stopped_and_resets_no_second_time(hall: Hall) -> None:
    one = await hall.open("ONE")
    clock = hall.first.link.clock
    one = replace(one, schedule=Schedule.always((Reset(frozenset(range(7)), clock.now.timetz()),)))
    await start(hall, one)
    leaving = hall.sessions.gateways["ONE"]
    hall.sessions.operated["ONE"].stop(Operator("desk", "lunch"), clock.now)
    await hall.first.until(lambda: not leaving.is_connected)
    clock.now += timedelta(days=1)
    hall.sessions.operated["ONE"].prepare()
    assert leaving.session.numbers == Numbers(epoch=2)
    hall.sessions.apply([])
    await hall.first.until(lambda: not hall.sessions._leaving)
    hall.sessions.apply([one])
    assert hall.sessions.operated["ONE"].view().stopped
    hall.sessions.operated["ONE"].prepare()
    assert hall.sessions.gateways["ONE"].session.numbers == Numbers(epoch=2)


async def test_one_that_logs_out_for_good_still_books_what_nobody_submitted(hall: Hall) -> None:
    one = await hall.open("ONE")
    await start(hall, one)
    hall.sessions.apply([])
    assert hall.sessions.default_accounts == {"ONE": "ACC1"}
    await hall.first.until(lambda: not hall.sessions._leaving)
    assert hall.sessions.default_accounts == {}


async def test_a_store_that_fails_takes_one_that_logs_out_for_good_down_too(hall: Hall) -> None:
    one = await hall.open("ONE")
    await start(hall, one)
    stored = hall.store.load(hall.first.link.clock.now)
    leaving = hall.sessions.gateways["ONE"]
    hall.houses["ONE"].answers = False
    hall.sessions.apply([])
    hall.sessions.suspend("nothing can be made durable")
    await hall.first.until(lambda: not leaving.is_connected)
    assert leaving.facts.reason == "nothing can be made durable"
    hall.sessions.load(stored)
    hall.houses["ONE"].answers = True
    await hall.first.until(lambda: not hall.sessions._leaving)
    hall.sessions.resume()
    hall.sessions.apply([one])
    assert hall.sessions.gateways["ONE"].session.numbers == stored.sessions["ONE"]


async def test_one_that_is_added_before_the_others_start_is_kept_connected_once(hall: Hall) -> None:
    one = await hall.open("ONE")
    hall.sessions.load(hall.store.load(hall.first.link.clock.now))
    hall.sessions.apply([one])
    hall.sessions.start()
    await hall.until_active("ONE")
    assert len(hall.houses["ONE"].connections) == 1


async def test_a_store_that_fails_takes_all_of_them_down_until_it_is_back(hall: Hall) -> None:
    one, two = await hall.open("ONE"), await hall.open("TWO")
    await start(hall, one, two)
    hall.sessions.suspend("nothing can be made durable")
    await hall.first.until(lambda: not any(each.is_connected for each in hall.sessions.gateways.values()))
    hall.sessions.load(hall.store.load(hall.first.link.clock.now))
    hall.sessions.resume()
    await hall.until_active("ONE", "TWO")


async def test_what_was_stopped_stays_so_when_it_is_loaded(hall: Hall) -> None:
    one = await hall.open("ONE")
    hall.sessions.add(one)
    hall.sessions.load(hall.store.load(hall.first.link.clock.now))
    hall.sessions.operated["ONE"].stop(Operator("desk", "lunch"), hall.first.link.clock.now)
    await hall.first.link.pipeline.durable()
    hall.sessions.load(hall.store.load(hall.first.link.clock.now))
    hall.sessions.start()
    await asyncio.sleep(0)
    assert hall.sessions.operated["ONE"].view().state == "DISABLED"
    assert hall.sessions.gateways["ONE"].session.numbers == Numbers()
