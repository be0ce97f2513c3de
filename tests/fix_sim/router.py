"""The other side for the simulator's tests: an initiator of our own session core over a real connection."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from fairlead_server.fix import tags
from fairlead_server.fix.events import Event, LoggedOn, Received, ResendWanted
from fairlead_server.fix.message import Fields, Message
from fairlead_server.fix.session import Session
from fairlead_server.fix.terms import Numbers, Ready, Role, Sent, SessionConfig
from fairlead_server.fix.values import write_utc_timestamp
from fix_sim.app import Running, running, wall_clock
from fix_sim.config import IN_MEMORY, Settings
from fix_sim.rules import Rule

from tests.fix.versions import SPOKEN

_Event = TypeVar("_Event", bound=Event)


def initiator(
    version: str = "FIX.4.4",
    sender: str = "FAIRLEAD",
    numbers: Numbers | None = None,
    target: str = "SIM",
) -> Session:
    begin_string, appl_ver_id = SPOKEN[version]
    config = SessionConfig(begin_string, sender, target, Role.INITIATOR, default_appl_ver_id=appl_ver_id)
    return Session(config, numbers or Numbers())


def settings(*rules: Rule, store: Path | str = IN_MEMORY, peers: tuple[str, ...] = ("FAIRLEAD",)) -> Settings:
    return Settings(port=0, control_port=0, store=str(store), rules=rules, peers=peers, seed=7)


@asynccontextmanager
async def simulator(wanted: Settings | None = None) -> AsyncIterator[Running]:
    async with running(wanted or settings(), wall_clock()) as up:
        yield up


class Router:
    """Drives one session over one connection; keeps what it sent, and what happened until a test asks for it."""

    def __init__(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.session = session
        self.sent: list[Sent] = []
        self.writer = writer
        self._reader = reader
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()

    async def pump(self) -> None:
        self._take(self.session.connected(_now()))
        try:
            while data := await self._reader.read(1 << 16):
                self._take(self.session.receive(data, _now()))
        except OSError:
            pass  # as good an end as any
        self.session.disconnected()
        self._events.put_nowait(None)

    def send(self, msg_type: str, fields: Fields) -> None:
        self._take(self.session.send(msg_type, fields, _now()))

    def log_out(self) -> None:
        self._take(self.session.logout(None, _now()))

    async def event(self, kind: type[_Event]) -> _Event:
        """The next event of this kind; those before it are forgotten."""
        while event := await self._events.get():
            if isinstance(event, kind):
                return event
        raise EOFError(kind)

    async def report(self) -> Message:
        return (await self.event(Received)).message

    async def told(self, reports: int) -> list[str]:
        return [line(await self.report()) for _ in range(reports)]

    async def end(self) -> list[Event]:
        """Wait for the simulator to close the connection."""
        events = []
        while event := await self._events.get():
            events.append(event)
        return events

    def _take(self, ready: Ready) -> None:
        self.sent += ready.journal
        self.writer.write(ready.wire)
        for event in ready.events:
            self._events.put_nowait(event)
            if isinstance(event, ResendWanted):
                again = [sent for sent in self.sent if event.begin <= sent.msg_seq_num <= event.end]
                self._take(self.session.resend(event, again, _now()))


@asynccontextmanager
async def connected(
    up: Running, session: Session | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Router]:
    """A router whose connection is open; it need not get as far as being logged on."""
    reader, writer = await asyncio.open_connection(up.settings.host, up.port, ssl=tls)
    router = Router(session or initiator(), reader, writer)
    pump = asyncio.create_task(router.pump())
    try:
        yield router
    finally:
        writer.close()
        await pump


@asynccontextmanager
async def logged_on(
    up: Running, session: Session | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Router]:
    async with connected(up, session, tls) as router:
        await router.event(LoggedOn)
        yield router


def new_order(cl_ord_id: str, qty: str = "100", price: str | None = None, **more: str) -> Fields:
    """A body that is right in both versions; ``more`` by tag, as in ``t59="3"``."""
    body = {
        tags.CL_ORD_ID: cl_ord_id,
        tags.HANDL_INST: "1",
        tags.SYMBOL: "AAPL",
        tags.SIDE: "1",
        tags.TRANSACT_TIME: write_utc_timestamp(_now()),
        tags.ORDER_QTY: qty,
        tags.ORD_TYPE: "2" if price else "1",
    }
    if price:
        body[tags.PRICE] = price
    body |= {int(name.removeprefix("t")): text for name, text in more.items()}
    return [(tag, text) for tag, text in body.items() if text]


def follow_up(cl_ord_id: str, orig_cl_ord_id: str, qty: str = "100", price: str | None = None) -> Fields:
    """The body of an OrderCancelRequest(F), or of an OrderCancelReplaceRequest(G)."""
    return [(tags.ORIG_CL_ORD_ID, orig_cl_ord_id), *new_order(cl_ord_id, qty, price)]


def line(message: Message, *shown: int) -> str:
    """A report in a line: its type, ClOrdID(11), what happened, how the order stands, CumQty(14) of OrderQty(38)."""
    if shown:
        return "|".join(f"{tag}={message.get(tag)}" for tag in shown)
    cl_ord_id = message.get(tags.CL_ORD_ID)
    if message.msg_type != "8":
        return f"{message.msg_type} {cl_ord_id}"
    what, stands = message.get(tags.EXEC_TYPE) or "", message[tags.ORD_STATUS]
    return f"8 {cl_ord_id} {what}{stands} {message[tags.CUM_QTY]}/{message[tags.ORDER_QTY]}"


def _now() -> datetime:
    return datetime.now(UTC)
