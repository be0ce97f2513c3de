"""A secret is told to the venue and to nobody else, not even when the venue says it back in every way it can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from fairlead_server.fix.framing import Framer
from fairlead_server.fix.message import decode, encode
from fairlead_server.fix.values import write_utc_timestamp

from tests.system.world import PATIENCE, World

PASSWORD = "canary-5d1f8c"
API_KEY = "canary-77e0ab"
SECRETS = (PASSWORD, API_KEY)


@dataclass
class Parrot:
    """A broker that says back what it is told: a way of doing so for each connection, the last for all others."""

    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    number: int = 0  # of its last message

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        say = WAYS[min(self.connections, len(WAYS) - 1)]
        self.connections += 1
        framer = Framer()
        while data := await reader.read(65536):
            self.heard += data
            for frame in framer.feed(data):
                if isinstance(frame, bytes) and decode(frame).msg_type == "A":
                    writer.write(say(self.said))
        writer.close()
        if self.connections >= len(WAYS):
            self.done.set()

    def said(self, msg_type: str, *fields: tuple[int, str]) -> bytes:
        self.number += 1
        time = write_utc_timestamp(datetime.now(UTC))
        return encode("FIX.4.4", msg_type, "SIM", "FAIRLEAD", self.number, time, fields)


Say = Callable[..., bytes]


def refusal(said: Say) -> bytes:
    return said("5", (58, f"wrong password {PASSWORD} or key {API_KEY}"))


def garbled(said: Say) -> bytes:
    frame = said("A", (98, "0"), (108, "30"), (554, PASSWORD), (9001, API_KEY))
    return frame[:-4] + b"000\x01" + refusal(said)


def welcome_and_all_kinds_of_text(said: Say) -> bytes:
    text = (58, f"you said {PASSWORD} and {API_KEY}")
    unknown = [(37, "V1"), (11, "X1"), (17, "E1"), (150, "0"), (39, "0"), (55, "AAPL"), (54, "1"), (38, "5")]
    amounts = [(151, "5"), (14, "0"), (6, "0")]
    return b"".join(
        (
            said("A", (98, "0"), (108, "30"), (554, PASSWORD)),
            said("3", (45, "1"), (372, "A"), text),
            said("j", (45, "1"), (372, "A"), (380, "0"), text),
            said("8", *unknown, *amounts, text),
            said("B", (148, PASSWORD), text),
            said("5", text),
        )
    )


WAYS: list[Callable[[Say], bytes]] = [refusal, garbled, welcome_and_all_kinds_of_text, refusal]


@asynccontextmanager
async def parrot(port: int) -> AsyncIterator[Parrot]:
    broker = Parrot()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", port)
    try:
        yield broker
    finally:
        server.close()
        for writer in broker.writers:
            writer.transport.abort()


async def test_no_sink_holds_a_secret(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_PASSWORD", PASSWORD)
    monkeypatch.setenv("CANARY_KEY", API_KEY)
    session = "sessions.SIM44"
    async with parrot(world.fix_port) as broker:
        router = await world.start_router(
            "log.level=debug",
            "sessions.SIM42.enabled=false",
            f"{session}.password=env:CANARY_PASSWORD",
            f'{session}.logon_fields={{ "9001" = "env:CANARY_KEY" }}',
            f"{session}.user_defined_tags=true",
        )
        async with asyncio.timeout(PATIENCE):
            await broker.done.wait()
        shown = [
            await world.cli(*arguments)
            for arguments in (
                ("session", "list"),
                ("--output", "json", "session", "get", "SIM44"),
                ("session", "messages", "SIM44"),
                ("--output", "json", "session", "messages", "SIM44"),
                ("--output", "json", "order", "list"),
                ("--output", "json", "exec", "list"),
            )
        ]
        assert await router.stop() == 0

    assert {code for code, _, _ in shown} == {0}
    for secret in SECRETS:
        assert secret.encode() in broker.heard  # else the test shows nothing
        assert secret not in router.log.read_text()
        assert not [text for text in shown if secret in repr(text)]
        for file in world.folder.iterdir():
            assert secret.encode() not in file.read_bytes(), file.name
    assert "you said *** and ***" in shown[2][1]
