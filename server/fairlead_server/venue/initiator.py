"""Keeps one venue session connected, whenever it is to be: endpoints in turn, full-jitter backoff, the schedule.

Whether it is to be connected is for :mod:`~fairlead_server.venue.operations` to say; this asks again at each turn of the
schedule, and whenever it is told that something has changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from fairlead_server.routing.ports import Clock
from fairlead_server.venue.connection import USUAL, Connection, Timing
from fairlead_server.venue.operations import Operations
from fairlead_server.venue.settings import Endpoint

_log = logging.getLogger(__name__)

_LONGEST_NAP = 60.0  # seconds between two looks at the schedule: clocks are set, and machines sleep

Chance = Callable[[], float]  # in [0, 1)


class Initiator:
    """Waits between rounds of all endpoints, twice as long each time, short again after a minute of being active."""

    def __init__(self, operations: Operations, clock: Clock, chance: Chance, timing: Timing = USUAL) -> None:
        self._operations = operations
        self._venue = operations.venue
        self._clock = clock
        self._chance = chance
        self._timing = timing
        self._wait = timing.first_wait  # seconds, before the next round
        self._connection: Connection | None = None
        self._good: Endpoint | None = None  # the last that was active
        self._news = operations.news
        self._suspended = self._stopping = False

    async def run(self) -> None:
        """Until :meth:`stop`. What dies here is logged and tried again: no session may end unheard."""
        while not self._stopping:
            try:
                await self._keep_connected()
            except Exception as error:  # noqa: BLE001 - and logged
                _log.exception("%s: died while it was kept connected", self._venue.session_id)
                self._venue.facts.reason = f"a fault of the router: {error!r}"
                await self._back_off()

    async def _keep_connected(self) -> None:
        while not self._stopping:
            self._operations.renew()
            if not self._wanted():
                await self._nap(self._next_look())
                continue
            self._operations.prepare()
            if await self._round():
                self._wait = self._timing.first_wait
            if self._wanted():
                await self._back_off()

    async def _back_off(self) -> None:
        delay = self._wait * self._chance()
        _log.info("%s: %s; next try in %.1f s", self._venue.session_id, self._venue.facts.reason, delay)
        await self._nap(delay)
        self._wait = min(self._wait * 2, self._venue.settings.reconnect_max.total_seconds())

    async def stop(self, text: str, timeout: float) -> None:
        """Log out, wait for the answer, close."""
        self._stopping = True
        self._news.set()
        connection = self._connection
        if connection is None or connection.ended.done():
            return
        self._venue.log_out(text)
        _, pending = await asyncio.wait([connection.ended], timeout=timeout)
        if pending:
            connection.abort("the peer did not log out in time")
            await connection.ended

    def suspend(self, reason: str) -> None:
        """Drop the connection and make no other until :meth:`resume`."""
        self._suspended = True
        if self._connection is not None:
            self._connection.abort(reason)

    def resume(self) -> None:
        self._suspended = False
        self._news.set()

    def _wanted(self) -> bool:
        return not (self._stopping or self._suspended or self._operations.hindrance())

    def _next_look(self) -> float:
        change = self._operations.next_change()
        return _LONGEST_NAP if change is None else min(change, _LONGEST_NAP)

    async def _nap(self, seconds: float) -> None:
        """Until something has changed; at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()

    async def _round(self) -> bool:
        """Each endpoint, the last good one first, until one has been active; whether it was so for a while."""
        endpoints = self._venue.settings.endpoints
        for endpoint in sorted(endpoints, key=lambda each: each != self._good):
            if not self._wanted():
                break
            if (active := await self._connect(endpoint)) is not None:
                self._good = endpoint
                return active >= self._timing.settled
        return False

    async def _connect(self, endpoint: Endpoint) -> float | None:
        """One connection from its beginning to its end; for how many seconds it was active, None if it never was."""
        self._venue.connecting(endpoint)
        try:
            connection = await self._connected(endpoint)
        except (OSError, TimeoutError, ValueError) as error:
            # The last for a name that cannot even be looked up.
            cause = str(error) or "timed out"
            self._venue.disconnected(f"cannot connect to {endpoint.host}:{endpoint.port}: {cause}")
            return None
        self._connection = connection
        try:
            await self._attend(connection)
        finally:
            connection.abort("shut down")
        active = self._venue.facts.active_time
        return None if active is None else (self._clock() - active).total_seconds()

    async def _connected(self, endpoint: Endpoint) -> Connection:
        tls = self._venue.settings.tls
        async with asyncio.timeout(self._timing.connect_timeout):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._venue, self._clock, self._timing),
                endpoint.host,
                endpoint.port,
                ssl=None if tls is None else tls.context,
                server_hostname=None if tls is None else tls.server_name or endpoint.host,
            )
        return connection

    async def _attend(self, connection: Connection) -> None:
        """Until the connection has ended; if it is not wanted any more it is ended in good order."""
        if self._suspended or self._stopping:
            connection.abort("not wanted any more")
        while not connection.ended.done():
            if (text := self._operations.farewell()) is not None:
                self._venue.log_out(text)
                break
            news = asyncio.ensure_future(self._nap(self._next_look()))
            await asyncio.wait([connection.ended, news], return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
        await asyncio.shield(connection.ended)
