"""Every published case of the session, in each version that it concerns; then the same reflector over TCP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fairlead_server.fix.message import Message, decode
from fix_sim.app import reflecting
from fix_sim.reflector import SESSIONS, US, config

from tests.fix_sim.acceptance import START, VERSIONS, Case, Runner, cases

_CASES = [
    pytest.param(case, version, id=f"{version}: {case.title}")
    for case in cases()
    for version in case.versions
]


@pytest.mark.parametrize(("case", "version"), _CASES)
def test_the_reflector_does_as_the_case_says(case: Case, version: str) -> None:
    expected = case.of(version)

    assert Runner(version).run(expected) == expected


async def test_all_sessions_share_the_port() -> None:
    async with reflector() as port:
        for version in VERSIONS:
            peer = Runner(version)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                peer.bytes("35=A|34=1|98=0|108=30|141=Y" if version != "4.0" else "35=A|34=1|98=0|108=30")
            )
            assert (await frame(reader))[35] == "A"
            writer.write(peer.bytes("35=D|34=2|{order}") + peer.bytes("35=1|34=3|112=x"))
            assert [(await frame(reader))[35], (await frame(reader))[35]] == ["D", "0"]
            writer.write(peer.bytes("35=5|34=4"))
            assert (await frame(reader))[35] == "5"
            assert await reader.read() == b""
            writer.close()


async def test_a_second_connection_of_a_session_is_closed_and_the_first_goes_on() -> None:
    peer = Runner("4.4")
    async with reflector() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(peer.bytes("35=A|34=1|98=0|108=30"))
        await frame(reader)

        second, second_writer = await asyncio.open_connection("127.0.0.1", port)
        second_writer.write(peer.bytes("35=A|34=1|98=0|108=30"))
        assert await second.read() == b""

        writer.write(peer.bytes("35=1|34=2|112=x"))
        assert (await frame(reader))[112] == "x"
        second_writer.close()
        writer.close()


@pytest.mark.parametrize(
    "first",
    [
        "raw ",
        "raw GET / HTTP/1.1",
        "35=A|34=1|49=STRANGER|98=0|108=30",
        "35=A|34=1|56=STRANGER|98=0|108=30",
        "8=FIX.3.9|35=A|34=1|98=0|108=30",
        "9=-20|35=A|34=1|98=0|108=30",
        "35=0|34=1",
    ],
)
async def test_who_does_not_log_on_is_closed_at_once_and_harms_nobody(first: str) -> None:
    peer = Runner("4.4")
    async with reflector() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(peer.bytes(first))
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()

        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(peer.bytes("35=A|34=1|98=0|108=30"))
        assert (await frame(reader))[35] == "A"
        writer.close()


@asynccontextmanager
async def reflector() -> AsyncIterator[int]:
    configs = [config(begin, US, peer, appl_ver_id) for begin, peer, appl_ver_id in SESSIONS]
    async with reflecting("127.0.0.1", 0, configs, lambda: START) as port:
        yield port


async def frame(reader: asyncio.StreamReader) -> Message:
    head = await reader.readuntil(b"\x019=")
    length = await reader.readuntil(b"\x01")
    return decode(head + length + await reader.readexactly(int(length[:-1]) + len("10=123|")))
