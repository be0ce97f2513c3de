"""The FIX port: decide, commit, act, without an await in between.

A connection belongs to the session that its first frame names by BeginString(8), SenderCompID(49) and
TargetCompID(56). One that names no session of ours, or one that is connected already, is closed without a reply,
for a reply would consume a number. What a connection may occupy is bounded on the way in and on the way out.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from fairlead_server.fix import tags
from fairlead_server.fix.errors import FixError
from fairlead_server.fix.events import Garbled, Received
from fairlead_server.fix.framing import MAX_LOGON_LENGTH, Framer
from fairlead_server.fix.message import decode

from fix_sim.broker import Broker, Turn, client_name
from fix_sim.errors import JournalFailed
from fix_sim.journal import Journal
from fix_sim.scenario import Break, Step

_LOGON_TIMEOUT = 10.0  # seconds for the first frame
_FLUSH_TIMEOUT = 2.0  # seconds for the last bytes to leave
_MAX_UNREAD = 64 * 1024 * 1024  # bytes that wait for a slow peer
_LONGEST_NAP = timedelta(hours=1)

_log = logging.getLogger(__name__)


class House(Protocol):
    """Who is behind the door: clients come and go, each by name, and say something; time passes."""

    def connected(self, client: str, now: datetime) -> Turn: ...

    def received(self, client: str, data: bytes, now: datetime) -> Turn: ...

    def disconnected(self, client: str) -> None: ...

    def logout(self, client: str, now: datetime) -> Turn: ...

    def tick(self, now: datetime) -> Turn: ...

    def deadline(self) -> datetime | None: ...


class Door:
    """Owns the connections of those who may come in; whatever happens goes through :meth:`act`."""

    def __init__(
        self,
        house: House,
        write: Callable[[Turn], None],
        clients: Collection[str],
        clock: Callable[[], datetime],
    ) -> None:
        """``write`` makes a turn durable, or raises JournalFailed."""
        loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[JournalFailed] = loop.create_future()
        self._house = house
        self._loop = loop
        self._write = write
        self._clients = clients
        self._clock = clock
        self._connections: dict[str, Connection] = {}
        self._open: set[Connection] = set()
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._alarm: asyncio.TimerHandle | None = None
        self._set_alarm()

    def act(self, turn: Turn) -> None:
        """Make the turn durable, then write and close. Once the journal has failed, nothing is done any more."""
        if self.failed.done():
            raise self.failed.result()
        try:
            self._write(turn)
        except JournalFailed as failed:
            self.failed.set_result(failed)
            self.abort()
            raise
        for client, part in turn.parts.items():
            for event in part.events:
                _log.log(
                    logging.DEBUG if isinstance(event, Received) else logging.INFO, "%s %s", client, event
                )
            connection = self._connections.get(client)
            if connection is not None:
                for piece in part.writes():
                    connection.write(piece)
                if part.close:
                    connection.close()
        self._set_alarm()

    async def log_out(self, patience: float) -> None:
        """End every session in good order; after ``patience`` seconds, in any order."""
        for client in list(self._connections):
            self._drive(self._house.logout(client, self._clock()))
        for connection in self._open - set(self._connections.values()):
            connection.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_closed.wait(), patience)
        self.abort()
        await self._all_closed.wait()
        if self._alarm:
            self._alarm.cancel()

    def abort(self) -> None:
        for connection in self._open:
            connection.abort()

    # What connections tell.

    def opened(self, connection: "Connection") -> None:
        self._open.add(connection)
        self._all_closed.clear()

    def named(self, connection: "Connection", client: str) -> bool:
        """Whether the connection may be this client's."""
        if client not in self._clients or client in self._connections:
            _log.warning(
                "refused %r: %s", client, "connected already" if client in self._clients else "unknown"
            )
            return False
        self._connections[client] = connection
        self._drive(self._house.connected(client, self._clock()))
        return True

    def received(self, client: str, data: bytes) -> None:
        self._drive(self._house.received(client, data, self._clock()))

    def closed(self, connection: "Connection", client: str) -> None:
        self._open.discard(connection)
        if client:
            del self._connections[client]
            self._house.disconnected(client)
        if not self._open:
            self._all_closed.set()

    # Time.

    def _set_alarm(self) -> None:
        deadline = self._house.deadline()
        if self._alarm:
            self._alarm.cancel()
        nap = _LONGEST_NAP if deadline is None else min(deadline - self._clock(), _LONGEST_NAP)
        self._alarm = self._loop.call_later(max(nap.total_seconds(), 0), self._tick)

    def _tick(self) -> None:
        self._drive(self._house.tick(self._clock()))

    def _drive(self, turn: Turn) -> None:
        with suppress(JournalFailed):  # whoever waits for `failed` ends the process
            self.act(turn)


class Desk(Door):
    """The door of a broker, with a window for its operator."""

    def __init__(
        self, broker: Broker, journal: Journal, clients: Collection[str], clock: Callable[[], datetime]
    ) -> None:
        super().__init__(broker, self._record, clients, clock)
        self.broker = broker
        self._journal = journal

    def fill(self, order_id: str, qty: Decimal | None, price: Decimal | None) -> Turn:
        turn = self.broker.fill(order_id, qty, price, self._clock())
        self.act(turn)
        return turn

    def perform(self, order_id: str, steps: Sequence[Step]) -> tuple[Turn, str]:
        """The problem with the step at which they ended, if they did; those before it were taken."""
        turn, problem = self.broker.perform(order_id, steps, self._clock())
        self.act(turn)
        return turn, problem

    def break_session(self, session: str, step: Break) -> None:
        self.act(self.broker.break_session(session, step, self._clock()))

    def pause(self) -> None:
        self.broker.engine.pause()

    def resume(self) -> None:
        self.act(self.broker.resume(self._clock()))

    def set_price(self, symbol: str, price: Decimal) -> None:
        self.act(self.broker.set_price(symbol, price, self._clock()))

    def _record(self, turn: Turn) -> None:
        self._journal.write(turn, self.broker.engine.ids)


class Connection(asyncio.Protocol):
    def __init__(self, desk: Door) -> None:
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._client = ""
        self._framer = Framer(MAX_LOGON_LENGTH)
        self._unnamed = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server makes no other
        self._transport = transport
        self._desk.opened(self)
        self._abort_after(_LOGON_TIMEOUT)

    def data_received(self, data: bytes) -> None:
        if self._client:
            self._desk.received(self._client, data)
            return
        self._unnamed += data
        client = self._find_name(data)
        if client and self._desk.named(self, client):
            self._client = client
            self._set_timeout(None)
            self._desk.received(client, bytes(self._unnamed))
            self._unnamed.clear()
        elif client is not None:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._set_timeout(None)
        self._desk.closed(self, self._client)

    def write(self, wire: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or not wire:
            return
        transport.write(wire)
        if transport.get_write_buffer_size() > _MAX_UNREAD:
            _log.warning("%s reads too slowly", self._client)
            self.abort()

    def close(self) -> None:
        """Once what was written has left, or not much later."""
        if self._transport:
            self._transport.close()
            self._abort_after(_FLUSH_TIMEOUT)

    def abort(self) -> None:
        if self._transport:
            self._transport.abort()

    def _find_name(self, data: bytes) -> str | None:
        """The session that the first frame names, none as long as that is not whole, "" if it is no message."""
        self._framer.push(data)
        item = self._framer.pop()
        if item is None:
            return None
        if not isinstance(item, Garbled):
            with suppress(FixError):
                message = decode(item)
                names = (
                    message.get(tag) or ""
                    for tag in (tags.BEGIN_STRING, tags.TARGET_COMP_ID, tags.SENDER_COMP_ID)
                )
                return client_name(*names)
        return ""

    def _abort_after(self, seconds: float) -> None:
        self._set_timeout(self._loop.call_later(seconds, self.abort))

    def _set_timeout(self, timeout: asyncio.TimerHandle | None) -> None:
        if self._timeout:
            self._timeout.cancel()
        self._timeout = timeout
