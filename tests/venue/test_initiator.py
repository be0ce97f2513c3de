"""Keeping a session connected, over TCP on loopback; what would be waited for takes no time here."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from fairlead_server.fix.schedule import Hours, Schedule
from fairlead_server.fix.session import Session, SessionConfig
from fairlead_server.routing.ports import Operator
from fairlead_server.store.database import Store
from fairlead_server.venue.connection import Timing
from fairlead_server.venue.initiator import Initiator
from fairlead_server.venue.operations import Operations
from fairlead_server.venue.settings import Endpoint, Tls

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
        self.operations = Operations(self.link.venue, self.link.pipeline, self.link.clock)
        self.initiator = self.new_initiator()
        self.running: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def new_initiator(self, timing: Timing | None = None, chance: float = 0.0) -> Initiator:
        def next_chance() -> float:
            self.chances += 1
            self.changed()
            return chance

        return Initiator(self.operations, self.link.clock, next_chance, timing or Timing())

    def settle(self, **changes: Any) -> None:
        """Other settings than the usual ones."""
        self.link.venue.settings = replace(self.link.venue.settings, **changes)

    async def open(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Desk(self), "127.0.0.1", port, ssl=tls)
        bound: int = self.server.sockets[0].getsockname()[1]
        self.settle(endpoints=(Endpoint("127.0.0.1", bound),))

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
    port = house.link.venue.settings.endpoints[0].port
    house.server.close()
    await house.server.wait_closed()
    house.run()
    await house.until(lambda: house.chances >= 3)
    assert house.view_reason.startswith(f"cannot connect to 127.0.0.1:{port}: ")
    assert house.link.venue.down_since is not None
    await house.open(port)
    await house.active()


async def test_a_name_that_is_none_is_a_reason_like_any_other(house: House) -> None:
    house.settle(endpoints=(Endpoint("no such host.invalid", 1),))
    house.run()
    await house.until(lambda: house.chances >= 1)
    assert house.view_reason.startswith("cannot connect to no such host.invalid:1: ")


async def test_a_name_that_cannot_be_looked_up_is_a_reason_too(house: House) -> None:
    house.settle(endpoints=(Endpoint("broker..example", 1),))
    house.run()
    await house.until(lambda: house.chances >= 1)
    assert house.view_reason.startswith("cannot connect to broker..example:1: ")


async def test_a_fault_of_ours_is_told_and_the_session_connected_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def die() -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as faulty:
        faulty.setattr(house.operations, "prepare", die)
        house.run()
        await house.until(lambda: house.chances >= 2)
        assert house.view_reason == "a fault of the router: ZeroDivisionError()"
    await house.active()
    assert "died while it was kept connected" in caplog.text


async def test_a_fault_at_the_end_of_a_connection_keeps_no_one_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(reason: str, wire: object) -> None:
        house.link.venue._wire = None
        raise ZeroDivisionError

    house.run()
    await house.active()
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    with monkeypatch.context() as faulty:
        faulty.setattr(house.link.venue, "disconnected", die)
        house.connections[-1].transport.abort()  # type: ignore[union-attr]
        await house.until(lambda: house.chances >= 1)
    assert isinstance(told[0], ZeroDivisionError)
    await house.active()


async def test_a_long_wait_is_not_cut_short(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.settle(reconnect_max=timedelta(minutes=10))
    naps: list[float | None] = []
    timeout = asyncio.timeout

    def told(seconds: float | None) -> asyncio.Timeout:
        naps.append(seconds)
        return timeout(seconds)

    house.initiator = house.new_initiator(Timing(first_wait=400.0), chance=1.0)
    house.greets = False
    monkeypatch.setattr("fairlead_server.venue.initiator.asyncio.timeout", told)
    house.run()
    await house.until(lambda: house.chances == 1)
    assert 400.0 in naps


async def test_connecting_has_a_time(house: House) -> None:
    house.initiator = house.new_initiator(Timing(connect_timeout=0.0))
    house.run()
    await house.until(lambda: house.chances >= 1)
    assert house.view_reason.endswith(": timed out")


def _waits(first: float, longest: float, lives: list[bool]) -> list[float]:
    """How long it waits after connections that were active long enough, or were not."""
    waits, wait = [], first
    for settled in lives:
        wait = first if settled else wait
        waits.append(wait)
        wait = min(wait * 2, longest)
    return waits


async def test_waits_grow_until_the_session_has_settled(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    house.settle(reconnect_max=timedelta(milliseconds=4))
    house.initiator = house.new_initiator(Timing(first_wait=0.001), chance=1.0)
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
    assert waits[:4] == _waits(0.001, 0.004, [False] * 4)
    assert waits[before : before + 2] == [0.001, 0.002]  # settled, and then not: what was active once is past


async def test_suspended_it_stays_away_until_resumed(house: House) -> None:
    house.run()
    await house.active()
    house.initiator.suspend("nothing can be made durable")
    await house.until(lambda: not house.link.venue.is_connected)
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
    house.run()
    await asyncio.sleep(0)
    assert house.connections == []
    assert house.operations.view().state == "HALTED"


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


async def test_a_peer_that_takes_some_of_the_last_words_gets_no_more_time(house: House) -> None:
    house.run()
    await house.active()
    [desk] = house.connections
    assert desk.transport is not None
    desk.transport.pause_reading()
    connection = house.initiator._connection
    assert connection is not None
    connection.write(b"x" * (32 << 20))
    connection.close("halted")
    connection.resume_writing()
    assert connection._stalled is not None
    assert not connection._stalled.cancelled()
    connection.abort("the test is over")


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


# Which endpoint, and whether at all.


async def test_endpoints_are_tried_in_turn_and_the_last_good_one_first(house: House) -> None:
    [good] = house.link.venue.settings.endpoints
    house.settle(endpoints=(Endpoint("127.0.0.1", 1), Endpoint("no such host.invalid", 1), good))
    house.run()
    await house.active()
    assert house.chances == 0  # no wait within a round
    assert house.link.venue.view().port == good.port
    house.connections[0].transport.abort()  # type: ignore[union-attr]
    await house.until(lambda: len(house.connections) == 2 and house.link.venue.available)
    assert house.link.venue.view().port == good.port


async def test_a_session_outside_its_hours_makes_no_connection_and_ends_the_one_it_has(house: House) -> None:
    morning = Schedule((Hours(frozenset(range(7)), time(8, tzinfo=UTC), time(12, tzinfo=UTC)),))
    house.settle(schedule=morning)
    house.link.clock.now = datetime(2026, 11, 20, 7, 59, tzinfo=UTC)
    house.run()
    await asyncio.sleep(0)
    assert house.connections == []
    house.link.clock.now = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    house.operations.news.set()
    await house.active()
    house.link.clock.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    house.operations.news.set()
    await house.until(lambda: house.operations.view().state == "OUT_OF_WINDOW")
    assert house.broker.wire_types[-1].startswith("5 ")
    assert len(house.connections) == 1


async def test_an_operator_stops_and_starts_it(house: House) -> None:
    house.run()
    await house.active()
    house.operations.stop(Operator("desk", "lunch"), house.link.clock())
    await house.until(lambda: house.operations.view().state == "DISABLED")
    assert house.broker.wire_types[-1].startswith("5 ")
    house.operations.start(Operator("desk", "back"), house.link.clock())
    await house.active()
    assert len(house.connections) == 2


# What is bounded.


async def test_a_peer_that_does_not_read_gets_no_more_orders_until_it_does(house: House) -> None:
    house.initiator = house.new_initiator(Timing(congested=0.0, write_buffer=1024))
    house.run()
    await house.active()
    [desk] = house.connections
    assert desk.transport is not None
    desk.transport.pause_reading()
    connection = house.initiator._connection
    assert connection is not None
    connection.write(b"x" * (32 << 20))
    await house.until(lambda: not house.link.venue.available)
    assert house.link.venue.view().unsent_bytes > 0
    assert house.view_reason == "the peer does not read"
    desk.transport.resume_reading()
    await house.active()
    assert house.view_reason == ""


async def test_a_peer_that_sends_faster_than_can_be_made_durable_is_not_read(house: House) -> None:
    house.initiator = house.new_initiator(Timing(unsaved=2))
    house.run()
    await house.active()
    order = house.link.submit()
    await house.until(lambda: house.broker.heard_types() == ["D"])
    house.link.gate.clear()
    for _ in range(9):
        house.link.fill(order, 1)
    desk = house.connections[-1]
    assert desk.transport is not None
    desk.transport.write(bytes(house.broker.out))
    house.broker.out.clear()
    connection = house.initiator._connection
    assert connection is not None
    transport = connection._transport
    assert transport is not None
    await house.until(lambda: not transport.is_reading())
    house.link.gate.set()
    await house.until(transport.is_reading)
    await house.until(lambda: house.link.now(order).cum_qty == 9)


# TLS.


@dataclass
class Certificates:
    """An authority that both ends trust, a certificate for the broker and one for us."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.own = self.authority.issue_cert("fairlead@desk.example")
        self.brokers = self.authority.issue_cert("broker.example")

    def brokers_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        self.authority.configure_trust(context)
        self.brokers.configure_cert(context)
        return context

    def own_context(self, *, certified: bool = True) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if certified:
            self.own.configure_cert(context)
        return context

    def pin(self, leaf: trustme.LeafCert) -> bytes:
        pem = leaf.cert_chain_pems[0].bytes().decode()
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()


@pytest.fixture
async def secure(store: Store, tmp_path: Path) -> AsyncIterator[tuple[House, Certificates]]:
    certificates = Certificates(tmp_path)
    made = House(store)
    await made.open(tls=certificates.brokers_context())
    yield made, certificates
    await made.close()


async def test_over_tls_both_show_their_certificates(secure: tuple[House, Certificates]) -> None:
    house, certificates = secure
    pins = frozenset({certificates.pin(certificates.brokers)})
    house.settle(tls=Tls(certificates.own_context(), "", "broker.example", pins))
    house.run()
    await house.active()
    transport = house.connections[0].transport
    assert transport is not None
    assert transport.get_extra_info("ssl_object").version() in {"TLSv1.2", "TLSv1.3"}
    subject = transport.get_extra_info("peercert")["subjectAltName"]
    assert subject == (("email", "fairlead@desk.example"),)
    assert house.link.venue.view().tls


@pytest.mark.parametrize(
    ("server_name", "certified", "pinned", "reason"),
    [
        ("other.example", True, True, "Hostname mismatch"),
        ("broker.example", False, True, ""),
        ("broker.example", True, False, "the peer's certificate is none of those that are pinned"),
    ],
    ids=["another name", "no certificate of ours", "another pin"],
)
async def test_over_tls_a_stranger_hears_no_logon(
    secure: tuple[House, Certificates], server_name: str, certified: bool, pinned: bool, reason: str
) -> None:
    house, certificates = secure
    leaf = certificates.brokers if pinned else certificates.own
    context = certificates.own_context(certified=certified)
    house.settle(tls=Tls(context, "", server_name, frozenset({certificates.pin(leaf)})))
    house.run()
    await house.until(lambda: house.chances >= 2)
    assert reason in house.view_reason
    assert house.broker.wire_types == []
    assert not house.link.venue.available


async def test_a_peer_that_does_not_speak_tls_is_none(house: House) -> None:
    house.settle(tls=Tls(ssl.create_default_context(), "", "broker.example"))
    house.run()
    await house.until(lambda: house.chances >= 1)
    assert house.view_reason.startswith("cannot connect to 127.0.0.1")
