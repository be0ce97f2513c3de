"""Keeping a session connected, over TCP on loopback; what would be waited for takes no time here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from fairlead_server.fix.session import Session, SessionConfig
from fairlead_server.store.database import Store
from fairlead_server.venue.initiator import Initiator, Timing
from fairlead_server.venue.settings import Endpoint

from tests.venue.link import Broker, Link

PATIENT = 30.0  # seconds; far longer than anything here takes


class Desk(asyncio.Protocol):
    """One connection at the broker's end; the session is the broker's own, over all connections."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.house.connections.append(self)
        if self.house.greets:
            self.house.broker.session.connected(self.house.link.clock())
        else:
            transport.close()
        self.house.changed()

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        broker = self.house.broker
        if self.house.answers:
            broker.receive(data)
            self.transport.write(bytes(broker.out))
            broker.out.clear()
        self.house.changed()

    def connection_lost(self, exc: Exception | None) -> None:
        self.house.broker.session.disconnected()
        self.house.changed()


class House:
    """The broker's side, and a router's session that an initiator keeps connected to it."""

    def __init__(self, store: Store) -> None:
        self.link = Link(store)
        self.broker: Broker = self.link.broker
        self.connections: list[Desk] = []
        self.greets = self.answers = True
        self.chances = 0
        self.server: asyncio.Server | None = None
        self.initiator = self.new_initiator()
        self.running: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def new_initiator(self, timing: Timing | None = None, chance: float = 0.0) -> Initiator:
        def next_chance() -> float:
            self.chances += 1
            self.changed()
            return chance

        return Initiator(self.link.venue, self.link.clock, next_chance, timing or Timing())

    async def open(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Desk(self), "127.0.0.1", port)
        bound: int = self.server.sockets[0].getsockname()[1]
        settings = self.link.venue.settings
        self.link.venue.settings = type(settings)(
            settings.session_id, settings.config, Endpoint("127.0.0.1", bound), settings.default_account
        )

    def run(self) -> None:
        self.running = asyncio.create_task(self.initiator.run())

    def changed(self) -> None:
        self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Look again whenever anything happens at the broker's end, and soon anyway: ours tells nobody."""
        async with asyncio.timeout(PATIENT):
            while not true():
                self._news.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.01)

    async def active(self) -> None:
        await self.until(lambda: self.link.venue.available)

    @property
    def view_reason(self) -> str:
        return self.link.venue.facts.reason

    async def close(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.wait([self.running])
        if self.server is not None:
            self.server.close()
        for desk in self.connections:
            assert desk.transport is not None
            desk.transport.abort()
        await self.until(lambda: not self.link.venue._wire)
        await self.link.pipeline.close()


@pytest.fixture
async def house(store: Store) -> AsyncIterator[House]:
    made = House(store)
    await made.open()
    yield made
    await made.close()


async def test_it_connects_and_logs_on(house: House) -> None:
    house.run()
    await house.active()
    order = house.link.submit()
    await house.until(lambda: house.broker.heard_types() == ["D"])
    assert house.broker.heard[0][11] == order.cl_ord_id


async def test_a_lost_connection_is_made_again(house: House) -> None:
    house.run()
    await house.active()
    [first] = house.connections
    assert first.transport is not None
    first.transport.abort()
    await house.until(lambda: len(house.connections) == 2 and house.link.venue.available)
    assert house.link.venue.view().connection_number == 2
    assert house.chances == 1


async def test_it_tries_until_somebody_listens(house: House) -> None:
    assert house.server is not None
    port = house.link.venue.settings.endpoint.port
    house.server.close()
    await house.server.wait_closed()
    house.run()
    await house.until(lambda: house.chances >= 3)
    assert house.view_reason.startswith(f"cannot connect to 127.0.0.1:{port}: ")
    assert house.link.venue.down_since is not None
    await house.open(port)
    await house.active()


async def test_a_name_that_is_none_is_a_reason_like_any_other(house: House) -> None:
    settings = house.link.venue.settings
    house.link.venue.settings = type(settings)(
        settings.session_id, settings.config, Endpoint("no such host.invalid", 1), settings.default_account
    )
    house.run()
    await house.until(lambda: house.chances >= 1)
    assert house.view_reason.startswith("cannot connect to no such host.invalid:1: ")


async def test_connecting_has_a_time(house: House) -> None:
    house.initiator = house.new_initiator(Timing(connect_timeout=0.0))
    house.run()
    await house.until(lambda: house.chances >= 1)
    assert house.view_reason.endswith(": timed out")


def _waits(timing: Timing, lives: list[bool]) -> list[float]:
    """How long it waits after connections that were active long enough, or were not."""
    waits, wait = [], timing.first_wait
    for settled in lives:
        wait = timing.first_wait if settled else wait
        waits.append(wait)
        wait = min(wait * 2, timing.longest_wait)
    return waits


async def test_waits_grow_until_the_session_has_settled(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    house.initiator = house.new_initiator(Timing(first_wait=0.001, longest_wait=0.004), chance=1.0)
    house.greets = False
    house.run()
    await house.until(lambda: house.chances == 4)
    house.greets = True
    await house.active()
    house.link.clock.now += timedelta(minutes=2)
    house.greets = False
    before = house.chances
    house.connections[-1].transport.abort()  # type: ignore[union-attr]
    await house.until(lambda: house.chances == before + 2)
    house.initiator._stopping = True
    assert house.running is not None
    await house.running
    tries = [record.args for record in caplog.records if "next try" in record.msg]
    waits = [args[2] for args in tries if isinstance(args, tuple)]
    assert waits[:4] == _waits(Timing(0.001, 0.004), [False] * 4)
    assert waits[before : before + 2] == [0.001, 0.002]  # settled, and then not: what was active once is past


async def test_suspended_it_stays_away_until_resumed(house: House) -> None:
    house.run()
    await house.active()
    house.initiator.suspend("nothing can be made durable")
    await house.until(lambda: house.chances == 1)
    assert house.view_reason == "nothing can be made durable"
    assert not house.link.venue.available
    await house.until(lambda: house.broker.session.state.name == "DISCONNECTED")
    assert len(house.connections) == 1
    house.initiator.resume()
    await house.active()
    assert len(house.connections) == 2


async def test_suspended_before_the_first_connection_it_makes_none(house: House) -> None:
    house.initiator.suspend("not yet")
    house.run()
    await asyncio.sleep(0)
    assert house.connections == []
    house.initiator.resume()
    await house.active()


async def test_suspended_while_connecting_it_drops_what_comes(house: House) -> None:
    house.run()
    await house.until(lambda: house.link.venue.facts.connection == 1 or bool(house.connections))
    house.initiator.suspend("not now")
    await house.until(lambda: house.link.venue._wire is None)
    house.initiator.resume()
    await house.active()


async def test_stopping_logs_out(house: House) -> None:
    house.run()
    await house.active()
    await house.initiator.stop("shutting down", PATIENT)
    assert house.broker.wire_types[-1].startswith("5 ")
    assert house.view_reason == "logged out"
    assert house.running is not None
    await house.running
    assert len(house.connections) == 1
    await house.initiator.stop("again", PATIENT)


async def test_stopping_does_not_wait_for_ever(house: House) -> None:
    house.run()
    await house.active()
    house.answers = False
    await house.initiator.stop("shutting down", 0.0)
    assert house.view_reason == "the peer did not log out in time"


async def test_stopping_what_never_connected_is_nothing(house: House) -> None:
    await house.initiator.stop("shutting down", PATIENT)
    assert house.connections == []


async def test_a_halted_session_stays_away(house: House) -> None:
    house.link.venue.halted = "an operator must act"
    house.greets = False
    house.run()
    assert house.running is not None
    await house.running
    assert house.view_reason == "an operator must act"


async def test_a_peer_that_does_not_read_is_dropped(house: House) -> None:
    house.initiator = house.new_initiator(Timing(stalled=0.0, write_buffer=1024))
    house.run()
    await house.active()
    [desk] = house.connections
    assert desk.transport is not None
    desk.transport.pause_reading()
    connection = house.initiator._connection
    assert connection is not None
    connection.write(b"x" * (32 << 20))  # more than the kernel takes
    await house.until(lambda: house.chances >= 1)
    assert house.view_reason == "the peer does not read"


async def test_a_peer_that_reads_in_time_is_kept(house: House) -> None:
    house.initiator = house.new_initiator(Timing(write_buffer=1024))
    house.answers = True
    house.run()
    await house.active()
    connection = house.initiator._connection
    assert connection is not None
    connection.write(b"x" * (4 << 20))  # junk, which is passed over
    order = house.link.submit()
    await house.until(lambda: bool(house.broker.heard))
    assert house.broker.heard[0][11] == order.cl_ord_id
    assert connection._stalled is not None
    assert connection._stalled.cancelled()


async def test_a_peer_that_does_not_take_the_last_words_is_dropped(house: House) -> None:
    house.initiator = house.new_initiator(Timing(stalled=0.0))
    house.run()
    await house.active()
    [desk] = house.connections
    assert desk.transport is not None
    desk.transport.pause_reading()
    connection = house.initiator._connection
    assert connection is not None
    connection.write(b"x" * (32 << 20))
    connection.close("halted")
    connection.write(b"nothing more is written")
    await house.until(lambda: house.chances >= 1)
    assert house.view_reason == "halted"


async def test_the_time_is_kept(house: House) -> None:
    """A heartbeat is due when the clock says so; the timer of the loop only wakes us to look."""
    config = house.link.venue.settings.config
    short = SessionConfig(
        config.begin_string, config.sender_comp_id, config.target_comp_id, config.role, heart_bt_int=1
    )
    house.link.venue.session = Session(short, house.link.venue.session.numbers)
    house.run()
    await house.active()
    house.link.clock.now += timedelta(seconds=1)
    connection = house.initiator._connection
    assert connection is not None
    connection._set_timer()
    await house.until(lambda: any(text.startswith("0 ") for text in house.broker.wire_types))
