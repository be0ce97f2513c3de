"""Bad bytes, at the venue's door and at the router's: ignored or the connection closed, and memory stays bounded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
from fairlead import AckLevel, ClientOrder, NewOrder, OrderState
from fairlead_server.fix.message import encode

from tests.system.crowd import ACCOUNT, order_number
from tests.system.processes import Process
from tests.system.proxy import Proxy, proxy
from tests.system.world import PATIENCE, World, at_rest

MIB = 1 << 20
HUGE = 100 * MIB
MORE = 48 * MIB  # what a process may have needed in addition, at most
ORDER: NewOrder = {**order_number(0), "ack_level": AckLevel.VENUE}


def logon(check_sum: bytes = b"") -> bytes:
    frame = encode("FIX.4.4", "A", "FAIRLEAD", "SIM", 1, "20260101-00:00:00.000", [(98, "0"), (108, "30")])
    return frame if not check_sum else frame[:-4] + check_sum + b"\x01"


def chance(length: int) -> bytes:
    return random.Random(7).randbytes(length)


FEW = ("random bytes", "a wrong checksum", "100 MB without SOH")
JUNK: dict[str, Callable[[], bytes]] = {
    "random bytes": lambda: chance(MIB),
    "a message cut short": lambda: logon()[:-20],
    "a wrong checksum": lambda: logon(b"000"),
    "a length that leads nowhere": lambda: b"8=FIX.4.4\x019=50\x0135=D\x01" + b"x" * 200,
    "a length beyond all limits": lambda: b"8=FIX.4.4\x019=999999999\x0135=D\x01" + b"x" * MIB,
    "another protocol": lambda: b"GET / HTTP/1.1\r\nHost: venue\r\n\r\n",
    "starts and nothing after": lambda: b"8=FIX" * 50_000,
    "100 MB without SOH": lambda: b"x" * HUGE,
    "100 MB behind a start": lambda: b"8=FIX.4.4\x019=200000\x0135=D\x01" + b"x" * HUGE,
}


async def throw(port: int, junk: bytes) -> None:
    """To whoever listens there, until it has taken all of it or closes; then hang up."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(junk)
            await writer.drain()
    except ConnectionError:
        pass  # it would not listen
    finally:
        writer.transport.abort()


async def trades(world: World, key: str) -> None:
    async with world.client() as client:
        order: NewOrder = {**ORDER, "client_order_id": key}
        await client.submit_order(**order)
        await world.until(at_rest)
        found = await client.get_order(ClientOrder(ACCOUNT, key))
    assert OrderState(found.state) == OrderState.FILLED


async def test_the_venue_takes_any_bytes_before_a_logon(world: World) -> None:
    venue = await world.start_venue()
    before = venue.most_resident()
    for junk in JUNK.values():
        await throw(world.fix_port, junk())

    assert venue.running
    assert venue.most_resident() - before < MORE
    router = await world.start_router()
    await world.until_serving()
    await trades(world, "good")
    await world.balanced(router, venue)


def inject(between: Proxy, name: str, junk: bytes) -> asyncio.Event:
    """Put it between two messages, once."""
    done = asyncio.Event()

    def look(data: bytes) -> bytes:
        if not data.startswith(b"8=FIX"):
            return data
        setattr(between, name, bytes)
        done.set()
        return junk + data

    setattr(between, name, look)
    return done


async def bad_bytes_within_a_session(world: World, direction: str, names: Iterable[str]) -> None:
    venue = await world.start_venue()
    async with proxy(world.fix_port) as between:
        world.venue_port = between.port
        router = await world.start_router(
            "sessions.SIM44.heart_bt_int=1", "sessions.SIM44.resend_stale_ms=60000"
        )
        await world.until_serving()
        victim = venue if direction == "to_server" else router
        before = victim.most_resident()
        for name in names:
            done = inject(between, direction, JUNK[name]())
            async with asyncio.timeout(PATIENCE):
                await done.wait()
            await world.until_serving()
            await trades(world, name.replace(" ", "-"))

        assert victim.most_resident() - before < MORE
        await world.balanced(router, venue)


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_bad_bytes_within_a_session_lose_nothing(world: World, direction: str) -> None:
    """To the venue and to the router: what is garbled is skipped, and what it hid is asked for again."""
    await bad_bytes_within_a_session(world, direction, FEW)


@pytest.mark.soak
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_bad_bytes_of_all_kinds_within_a_session_lose_nothing(world: World, direction: str) -> None:
    await bad_bytes_within_a_session(world, direction, JUNK)


class Hostile:
    """Listens as a venue, answers each connection with the next of its bytes, and hangs up."""

    def __init__(self, answers: list[Callable[[], bytes]]) -> None:
        self.port = 0
        self.done = asyncio.Event()
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(1)  # the beginning of its Logon(A)
            if self._answers:
                writer.write(self._answers.pop(0)())
                await writer.drain()
        except ConnectionError:
            pass  # it would not listen
        finally:
            writer.transport.abort()
        if not self._answers:
            self.done.set()


@asynccontextmanager
async def hostile(answers: list[Callable[[], bytes]]) -> AsyncIterator[Hostile]:
    venue = Hostile(answers)
    server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
    venue.port = server.sockets[0].getsockname()[1]
    async with server:
        yield venue


async def any_answer_to_a_logon(world: World, names: Iterable[str]) -> None:
    async with hostile([JUNK[name] for name in names]) as impostor:
        world.venue_port = impostor.port
        # One session is enough, and there must be none that is served at the same time.
        router: Process = await world.start_router("sessions.SIM42.port=1")
        before = router.most_resident()
        async with asyncio.timeout(PATIENCE):
            await impostor.done.wait()
        await world.until_serving(serving=False)
        assert router.most_resident() - before < MORE
        assert await router.stop() == 0

    world.venue_port = world.fix_port
    venue, router = await world.start_venue(), await world.start_router()
    await world.until_serving()
    await trades(world, "good")
    await world.balanced(router, venue)


async def test_the_router_takes_bad_answers_to_its_logon(world: World) -> None:
    await any_answer_to_a_logon(world, FEW)


@pytest.mark.soak
async def test_the_router_takes_any_answer_to_its_logon(world: World) -> None:
    await any_answer_to_a_logon(world, JUNK)
