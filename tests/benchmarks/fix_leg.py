"""The FIX leg by itself: session, journal and store as the router has them, and nothing that an order means.

``python -m tests.benchmarks.fix_leg PORT FOLDER`` logs on to the venue at that port and says so. Each line of stdin is a
number of orders; it is answered, when the last of them is filled, with a line of JSON: how many a second. Each message,
either way, and the numbers after it are durable before anything is written or acted on, and validated by the dictionary.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from functools import partial
from time import perf_counter

from fairlead_server.fix import events, tags
from fairlead_server.fix.session import Numbers, Ready, Role, Session, SessionConfig, Validation
from fairlead_server.fix.values import write_utc_timestamp
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.store.batch import Batch, Direction, MessageRow
from fairlead_server.store.database import Store, open_store

WINDOW = 64
_CONFIG = SessionConfig("FIX.4.4", "FAIRLEAD", "VENUE", Role.INITIATOR, validation=Validation.STRICT)


class Leg(asyncio.Protocol):
    def __init__(self, store: Store) -> None:
        self.active = asyncio.Event()
        self._lost: BaseException | None = None
        self._session = Session(_CONFIG, Numbers())
        self._pipeline = Pipeline(store.begin, _nothing, self._fail)
        self._row = partial(MessageRow, "VENUE")
        self._transport: asyncio.WriteTransport | None = None
        self._sent = self._filled = self._wanted = 0
        self._done = asyncio.Event()

    async def orders(self, count: int) -> float:
        """So many a second."""
        self.check()
        self._done.clear()
        self._wanted = self._filled + count
        began = perf_counter()
        with self._pipeline.deciding():
            for _ in range(min(WINDOW, count)):
                self._send()
        await self._done.wait()
        self.check()
        await self._pipeline.durable()
        return count / (perf_counter() - began)

    def check(self) -> None:
        """Raises what has ended the connection, or the store."""
        if self._lost is not None:
            raise self._lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._absorb(self._session.connected(datetime.now(UTC)))

    def data_received(self, data: bytes) -> None:
        self._absorb(self._session.receive(data, datetime.now(UTC)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the venue has closed the connection"))

    def _absorb(self, ready: Ready) -> None:
        with self._pipeline.deciding():
            self._take(ready)
            for event in ready.events:
                if isinstance(event, events.LoggedOn):
                    self.active.set()
                elif isinstance(event, events.Received):
                    self._heard(event)

    def _heard(self, event: events.Received) -> None:
        if event.message[tags.ORD_STATUS] != "2":
            return
        self._filled += 1
        if self._sent < self._wanted:
            self._send()
        elif self._filled == self._wanted:
            self._done.set()

    def _send(self) -> None:
        self._sent += 1
        now = datetime.now(UTC)
        fields = [
            (11, f"LEG-{self._sent:08}"),
            (1, "BENCH1"),
            (55, "SYM0001"),
            (54, "1"),
            (60, write_utc_timestamp(now)),
            (38, "100"),
            (40, "2"),
            (44, "50.25"),
            (59, "0"),
        ]
        self._take(self._session.send("D", fields, now))

    def _take(self, ready: Ready) -> None:
        now, epoch, batch = datetime.now(UTC), self._session.epoch, self._pipeline.batch
        for heard in ready.heard:
            batch.messages.append(
                self._row(epoch, Direction.IN, heard.msg_seq_num, heard.msg_type, now, heard.raw)
            )
        for sent in ready.journal:
            batch.messages.append(
                self._row(sent.epoch, Direction.OUT, sent.msg_seq_num, sent.msg_type, now, sent.frame)
            )
        batch.sessions["VENUE"] = self._session.numbers
        if ready.wire and self._transport is not None:
            self._pipeline.then_write(self._transport.write, bytes(ready.wire))

    def _fail(self, error: BaseException) -> None:
        self._lost = error
        self.active.set()
        self._done.set()


def _nothing(_: Batch) -> None: ...


async def _run(port: int, url: str) -> None:
    store, loop = open_store(url), asyncio.get_running_loop()
    leg = Leg(store)
    await loop.create_connection(lambda: leg, "127.0.0.1", port)
    await leg.active.wait()
    leg.check()
    print("logged on", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        rate = await leg.orders(int(line))
        print(json.dumps({"orders/s": rate}), flush=True)


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), f"sqlite:///{sys.argv[2]}/leg.db"))
