import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from fairlead_server.fix.events import Disconnect, LoggedOn, LoggedOut
from fairlead_server.fix.message import encode
from fairlead_server.fix.terms import Numbers
from fix_sim.app import Running
from fix_sim.rules import Action, Rule
from msgspec.structs import replace

from tests.fix.versions import SPOKEN
from tests.fix_sim.router import connected, follow_up, initiator, logged_on, new_order, settings, simulator

SLICED = Rule(Action.PARTIAL, slices=3, interval=timedelta(milliseconds=1))


_SAID = {"FIX.4.0": ("0", "2"), "FIX.4.1": ("00", "22"), "FIX.4.2": ("00", "22")}  # 150 and 39


@pytest.mark.parametrize("version", SPOKEN)
async def test_an_order_is_acknowledged_and_filled(version: str) -> None:
    async with simulator() as up, logged_on(up, initiator(version)) as router:
        router.send("D", new_order("A"))

        new, trade = _SAID.get(version, ("00", "F2"))
        assert await router.told(2) == [f"8 A {new} 0/100", f"8 A {trade} 100/100"]


async def test_before_4_2_what_is_wrong_with_an_order_is_said_in_a_reject() -> None:
    async with simulator() as up, logged_on(up, initiator("FIX.4.1")) as router:
        router.send("D", new_order("A", "-1e9"))

        reject = await router.report()
        assert (reject.msg_type, reject[45], reject[58]) == ("3", "3", "Incorrect data format for value (38)")


async def test_the_whole_life_of_an_order_over_the_wire() -> None:
    async with simulator() as up, logged_on(up) as router:
        router.send("D", new_order("A", "100", "229"))
        router.send("G", follow_up("B", "A", "60", "228"))
        router.send("F", follow_up("C", "B"))
        router.send("F", follow_up("D", "C"))
        router.send("H", new_order("A"))

        assert await router.told(5) == [
            "8 A 00 0/100",
            "8 B 50 0/60",
            "8 C 44 0/60",
            "9 D",
            "8 C I4 0/60",
        ]


async def test_slices_come_by_the_clock() -> None:
    async with simulator(settings(SLICED)) as up, logged_on(up) as router:
        router.send("D", new_order("A"))

        assert await router.told(4) == ["8 A 00 0/100", "8 A F1 33/100", "8 A F1 66/100", "8 A F2 100/100"]


async def test_a_price_that_an_operator_sets_reaches_the_client() -> None:
    async with simulator() as up, logged_on(up) as router:
        router.send("D", new_order("A", "100", "229"))
        await router.report()

        up.desk.set_price("AAPL", Decimal("228.75"))

        assert await router.told(1) == ["8 A F2 100/100"]


async def test_sessions_of_several_clients_and_versions_share_the_port() -> None:
    wanted = settings(peers=("ONE", "TWO"))
    async with (
        simulator(wanted) as up,
        logged_on(up, initiator("FIX.4.2", "ONE")) as one,
        logged_on(up, initiator("FIX.4.4", "ONE")) as one_44,
        logged_on(up, initiator("FIX.4.4", "TWO")) as two,
    ):
        for router in (one, one_44, two):
            router.send("D", new_order("A", "10"))

        assert await one.told(2) == ["8 A 00 0/10", "8 A 22 10/10"]
        assert await one_44.told(2) == ["8 A 00 0/10", "8 A F2 10/10"]
        assert await two.told(2) == ["8 A 00 0/10", "8 A F2 10/10"]


@pytest.mark.parametrize(
    ("begin_string", "sender", "target"),
    [("FIX.4.4", "NOBODY", "SIM"), ("FIX.4.2", "FAIRLEAD", "SIM"), ("FIX.4.4", "FAIRLEAD", "SOMEBODY")],
)
async def test_a_stranger_is_closed_without_a_word(begin_string: str, sender: str, target: str) -> None:
    stranger = initiator(begin_string, sender, target=target)

    only_one = replace(settings(), versions=("FIX.4.4",))
    async with simulator(only_one) as up, connected(up, stranger) as router:
        ended = await router.end()

    assert ended == []


async def test_a_second_connection_of_a_session_is_closed_and_the_first_goes_on() -> None:
    async with simulator() as up, logged_on(up) as first:
        async with connected(up) as second:
            assert await second.end() == []

        first.send("D", new_order("A"))
        assert await first.told(1) == ["8 A 00 0/100"]


async def test_what_happens_while_a_client_is_away_is_told_when_it_is_back() -> None:
    async with simulator() as up:
        async with logged_on(up) as router:
            router.send("D", new_order("A", "100", "229"))
            await router.report()
        up.desk.set_price("AAPL", Decimal(229))

        async with connected(up, router.session) as back:
            assert await back.told(1) == ["8 A F2 100/100"]


async def test_reports_that_got_lost_are_sent_again() -> None:
    async with simulator() as up:
        async with logged_on(up) as router:
            before = router.session.numbers
            router.send("D", new_order("A"))
            await router.told(2)
            after = router.session.numbers
        forgetful = initiator(numbers=Numbers(before.next_in, after.next_out))

        async with connected(up, forgetful) as back:
            again = [await back.report(), await back.report()]

            assert [message.poss_dup for message in again] == [True, True]
            assert [message.get(150) for message in again] == ["0", "F"]
            await back.event(LoggedOn)


async def test_a_logout_is_answered_and_the_connection_closed() -> None:
    async with simulator() as up, logged_on(up) as router:
        router.log_out()

        events = await router.end()
        assert [type(event) for event in events] == [LoggedOut, Disconnect]


async def test_an_end_in_good_order_logs_everybody_out() -> None:
    async with simulator() as up, logged_on(up) as router, connected(up, initiator(sender="NOBODY")):
        await up.desk.log_out(10)

        assert isinstance((await router.end())[0], LoggedOut)


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 100_000,
        b"8=FIX.4.4\x01" * 5_000,
        b"8=FIX.4.4\x019=999999999\x01" + b"x" * 100_000,
        encode("FIX.4.4", "0", "FAIRLEAD", "SIM", 1, "20260302-14:30:00.000"),
        encode("FIX.4.4", "A", "FAIRLEAD", "SIM", 1, "yesterday"),
    ],
    ids=["http", "nul", "starts", "huge", "heartbeat first", "bad logon"],
)
async def test_junk_instead_of_a_logon_harms_nobody_else(junk: bytes) -> None:
    async with simulator() as up, logged_on(up, initiator("FIX.4.2")) as router:
        async with connected_raw(up) as (reader, writer):
            writer.write(junk)
            writer.write_eof()
            assert b"35=8" not in await reader.read()

        router.send("D", new_order("A"))
        assert await router.told(1) == ["8 A 00 0/100"]


async def test_junk_after_the_logon_is_skipped_and_the_session_goes_on() -> None:
    async with simulator() as up, logged_on(up) as router:
        router.writer.write(b"8=FIX.4.4\x019=5\x01garbage\x0110=000\x01")
        router.send("D", new_order("A"))

        assert await router.told(1) == ["8 A 00 0/100"]


async def test_a_message_that_cannot_be_read_is_refused_and_the_next_one_is_not() -> None:
    async with simulator() as up, logged_on(up) as router:
        router.send("D", new_order("A", t54="Z"))
        router.send("D", new_order("B"))

        assert await router.told(2) == ["j None", "8 B 00 0/100"]


@asynccontextmanager
async def connected_raw(up: Running) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(up.settings.host, up.port)
    yield reader, writer
    writer.close()
