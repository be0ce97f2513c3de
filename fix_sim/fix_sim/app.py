"""Puts the simulator together and runs it."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from fairlead_server.fix.session import Session
from fairlead_server.fix.terms import Numbers, Role, SessionConfig, Validation
from fairlead_server.fix.versions import FIXT, time_digits
from msgspec import Struct

from fix_sim.acceptor import Connection, Desk, Door
from fix_sim.broker import Broker, client_name
from fix_sim.config import Settings
from fix_sim.control import start_control
from fix_sim.engine import Engine, Ids
from fix_sim.errors import StartError
from fix_sim.journal import open_journal
from fix_sim.network import Latency, Network
from fix_sim.prices import read_universe
from fix_sim.records import Memory
from fix_sim.reflector import Reflector
from fix_sim.scenario_file import read_scenarios
from fix_sim.tls import server_context

Clock = Callable[[], datetime]

_NEWEST = "9"  # ApplVerID(1128) of FIX.5.0SP2, until a Logon(A) says otherwise
_LOGOUT_TIMEOUT = timedelta(seconds=2)
_HANDSHAKE_TIMEOUT = 10.0  # seconds
_PATIENCE = 3.0  # seconds for all sessions to log out
_GRACE = 0.5  # seconds for what an operator has asked


class Running(Struct, frozen=True):
    """A simulator that is up, and where."""

    desk: Desk
    settings: Settings
    port: int
    control_port: int

    def __str__(self) -> str:
        host = self.settings.host
        return f"fix_sim: FIX {host}:{self.port} · control {host}:{self.control_port} · store {self.settings.store}"


async def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError, or JournalFailed when there is no going on."""
    stopped = _stopped()
    async with running(settings, wall_clock()) as simulator:
        ready(str(simulator))
        failed = simulator.desk.failed
        failed.add_done_callback(lambda _: stopped.set())
        await stopped.wait()
        if failed.done():
            raise failed.result()


async def reflect(host: str, port: int, configs: list[SessionConfig], ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError."""
    stopped = _stopped()
    async with reflecting(host, port, configs, wall_clock()) as bound:
        ready(f"fix_sim: FIX {host}:{bound} · reflector")
        await stopped.wait()


@asynccontextmanager
async def reflecting(host: str, port: int, configs: list[SessionConfig], clock: Clock) -> AsyncIterator[int]:
    """The port that it has."""
    reflector = Reflector(configs)
    door = Door(reflector, lambda _: None, reflector.clients, clock)  # it has nothing to remember
    listener = _bound(host, port, "--port")
    server = await asyncio.get_running_loop().create_server(partial(Connection, door), sock=listener)
    try:
        yield listener.getsockname()[1]
    finally:
        server.close()
        await door.log_out(_PATIENCE)


def _stopped() -> asyncio.Event:
    """Set when the process is told to end."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


@asynccontextmanager
async def running(settings: Settings, clock: Clock) -> AsyncIterator[Running]:
    prices = read_universe(Path(settings.universe) if settings.universe else None)
    scenarios = read_scenarios(Path(settings.scenarios)) if settings.scenarios else []
    journal = open_journal(settings.store, fsync=settings.fsync)
    try:
        memory = journal.replay()
        engine = Engine(
            _ids(settings, memory, clock()), prices, settings.rules, scenarios, settings.mass_cancel
        )
        engine.restore(memory.orders.values(), memory.prices)
        welcome = [
            client_name(version, settings.comp_id, peer)
            for version in settings.versions
            for peer in settings.peers
        ]
        sessions = {
            client: _session(client, memory, settings.validation)
            for client in dict.fromkeys([*welcome, *memory.numbers])
        }
        broker = Broker(engine, sessions, memory.queues, journal.sent, _latency(settings))
        desk = Desk(broker, journal, welcome, clock)
        async with _listening(settings, desk) as simulator:
            yield simulator
    finally:
        journal.close()


def wall_clock() -> Clock:
    """UTC that never runs back, even when the machine's clock is set."""
    last = datetime.min.replace(tzinfo=UTC)

    def now() -> datetime:
        nonlocal last
        last = max(last, datetime.now(UTC))
        return last

    return now


@asynccontextmanager
async def _listening(settings: Settings, desk: Desk) -> AsyncIterator[Running]:
    loop = asyncio.get_running_loop()
    context = server_context(settings)
    with _bound(settings.host, settings.control_port, "--control-port"):
        pass  # when the port is taken gRPC says so at length and in several lines
    listener = _bound(settings.host, settings.port, "--port")
    server = await loop.create_server(
        partial(Connection, desk),
        sock=listener,
        ssl=context,
        ssl_handshake_timeout=_HANDSHAKE_TIMEOUT if context else None,
        ssl_shutdown_timeout=_PATIENCE if context else None,
    )
    try:
        control, control_port = await start_control(desk, settings.host, settings.control_port)
        try:
            yield Running(desk, settings, listener.getsockname()[1], control_port)
        finally:
            await control.stop(_GRACE)
    finally:
        server.close()
        await desk.log_out(_PATIENCE)


def _bound(host: str, port: int, option: str) -> socket.socket:
    where = f"{option} {host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartError(
            where, f"is no address ({error.strerror})", "name an address of this machine"
        ) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise StartError(
            where, f"cannot be listened on ({error.strerror})", "choose another one, 0 for any that is free"
        ) from None
    return listener


def _session(client: str, memory: Memory, validation: Validation) -> Session:
    begin_string, comp_id, peer = client.split(":")
    config = SessionConfig(
        begin_string,
        comp_id,
        peer,
        Role.ACCEPTOR,
        logout_timeout=_LOGOUT_TIMEOUT,
        time_digits=time_digits(begin_string),
        validation=validation,
        default_appl_ver_id=memory.appl_ver_ids.get(client, _NEWEST) if begin_string == FIXT else None,
    )
    return Session(config, memory.numbers.get(client, Numbers()))


def _latency(settings: Settings) -> Latency | None:
    delay, jitter = timedelta(milliseconds=settings.delay_ms), timedelta(milliseconds=settings.jitter_ms)
    return Latency(Network(delay, jitter, settings.seed or 0)) if delay or jitter else None


def _ids(settings: Settings, memory: Memory, now: datetime) -> Ids:
    """The seed given, or that of the store, or one that no other store has: our ids must never come again."""
    ids = memory.ids or Ids(f"{int(now.timestamp()):x}")
    return ids if settings.seed is None else Ids(str(settings.seed), ids.orders, ids.executions)
