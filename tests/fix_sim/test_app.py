import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from fairlead_server.fix.events import LoggedOn, Received
from fairlead_server.fix.session import Session
from fairlead_server.fix.terms import Numbers, Role, SessionConfig
from fix_sim.errors import JournalFailed, StartError
from fix_sim.journal import FILE_NAME
from fix_sim.rules import Action, Rule
from msgspec.structs import replace

from tests.fix_sim.router import connected, follow_up, initiator, logged_on, new_order, settings, simulator

MANUAL = Rule(Action.MANUAL)


async def test_a_simulator_that_starts_again_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async with simulator(settings(store=tmp_path)) as up:
        async with logged_on(up) as router:
            router.send("D", new_order("A", "100", "229"))
            await router.report()
        numbers = router.session.numbers

    async with simulator(settings(store=tmp_path)) as up, logged_on(up, initiator(numbers=numbers)) as router:
        router.send("D", new_order("A"))
        router.send("H", new_order("A"))
        duplicate, status = [await router.report() for _ in range(2)]

        up.desk.set_price("AAPL", Decimal(229))
        fill = await router.report()
    assert [message[150] for message in (duplicate, status, fill)] == ["8", "I", "F"]
    assert [message[17] for message in (duplicate, status, fill)] == ["7-E2", "0", "7-E3"]
    assert fill[37] == status[37] == "7-O1"


async def test_after_a_restart_it_sends_again_what_was_lost(tmp_path: Path) -> None:
    async with simulator(settings(store=tmp_path)) as up:
        async with logged_on(up) as router:
            before = router.session.numbers
            router.send("D", new_order("A"))
            await router.told(2)
        after = router.session.numbers

    forgetful = initiator(numbers=Numbers(before.next_in, after.next_out))
    async with simulator(settings(store=tmp_path)) as up, connected(up, forgetful) as router:
        again = [await router.report(), await router.report()]
        await router.event(LoggedOn)
    assert [(message.poss_dup, message[17]) for message in again] == [(True, "7-E1"), (True, "7-E2")]


async def test_what_nobody_was_there_to_hear_survives_a_restart(tmp_path: Path) -> None:
    async with simulator(settings(MANUAL, store=tmp_path)) as up:
        async with logged_on(up) as router:
            router.send("D", new_order("A"))
            await router.report()
        up.desk.fill("7-O1", Decimal(40), None)
    async with simulator(settings(MANUAL, store=tmp_path)) as up:
        up.desk.fill("7-O1", None, None)

        async with connected(up, router.session) as back:
            assert await back.told(2) == ["8 A F1 40/100", "8 A F2 100/100"]


async def test_a_report_is_written_in_the_version_of_the_last_logon_also_after_a_restart(
    tmp_path: Path,
) -> None:
    config = SessionConfig("FIXT.1.1", "FAIRLEAD", "SIM", Role.INITIATOR, default_appl_ver_id="4")
    async with simulator(settings(MANUAL, store=tmp_path)) as up:
        async with logged_on(up, Session(config, Numbers())) as router:
            router.send("D", new_order("A"))
            assert (await router.report())[20] == "0"
        up.desk.fill("7-O1", Decimal(40), None)
    async with simulator(settings(MANUAL, store=tmp_path)) as up:
        up.desk.fill("7-O1", None, None)

        async with connected(up, router.session) as back:
            assert await back.told(2) == ["8 A 11 40/100", "8 A 22 100/100"]


async def test_numbers_are_contiguous_over_restarts_and_the_file_has_every_request_once(
    tmp_path: Path,
) -> None:
    session = initiator()
    for run in range(3):
        async with simulator(settings(store=tmp_path)) as up, logged_on(up, session) as router:
            router.send("D", new_order(f"A{run}", "100", "1"))
            router.send("F", follow_up(f"C{run}", f"A{run}"))
            await router.told(2)

    lines = [json.loads(line) for line in (tmp_path / FILE_NAME).read_text().splitlines()]
    parts = [part for line in lines for part in line.get("sessions", {}).values()]
    numbers = [sent["seq"] for part in parts for sent in part["sent"]]
    asked = [(seen["type"], seen["cl_ord_id"]) for part in parts for seen in part["received"]]
    exec_ids = [execution["exec_id"] for line in lines for execution in line.get("executions", ())]
    assert numbers == list(range(1, len(numbers) + 1))
    assert asked == [("D", "A0"), ("F", "C0"), ("D", "A1"), ("F", "C1"), ("D", "A2"), ("F", "C2")]
    assert exec_ids == [f"7-E{number}" for number in range(1, 7)]


async def test_a_copy_of_the_store_at_any_moment_is_a_store(tmp_path: Path) -> None:
    """What `kill -9` leaves behind is what the file holds at that moment."""
    live, killed = tmp_path / "live", tmp_path / "killed"
    killed.mkdir()
    async with simulator(settings(store=live)) as up, logged_on(up) as router:
        before = router.session.numbers
        router.send("D", new_order("A"))
        await router.told(2)
        (killed / FILE_NAME).write_bytes((live / FILE_NAME).read_bytes() + b'{"at":')
        after = router.session.numbers

    async with (
        simulator(settings(store=killed)) as up,
        connected(up, initiator(numbers=Numbers(before.next_in, after.next_out))) as router,
    ):
        assert await router.told(2) == ["8 A 00 0/100", "8 A F2 100/100"]


async def test_a_client_that_is_no_longer_welcome_is_a_stranger_and_its_orders_stay(tmp_path: Path) -> None:
    before = settings(store=tmp_path, peers=("OLD",))
    async with simulator(before) as up, logged_on(up, initiator(sender="OLD")) as router:
        router.send("D", new_order("A", "100", "1"))
        await router.report()

    async with simulator(settings(store=tmp_path)) as up, connected(up, router.session) as refused:
        assert await refused.end() == []
        up.desk.set_price("AAPL", Decimal(1))
        assert up.desk.broker.engine.orders["7-O1"].cum_qty == 100


async def test_an_order_in_a_symbol_that_has_left_the_universe_rests(tmp_path: Path) -> None:
    store, universe = tmp_path / "store", tmp_path / "universe.csv"
    async with simulator(settings(store=store)) as up, logged_on(up) as router:
        router.send("D", new_order("A", "100", "1"))
        await router.report()
    universe.write_text("symbol,last_price\nMSFT,1\n")

    wanted = replace(settings(store=store), universe=str(universe))
    async with simulator(wanted) as up, logged_on(up, router.session) as router:
        router.send("G", follow_up("B", "A", "100", "500"))
        assert await router.told(1) == ["8 B 50 0/100"]


async def test_when_the_journal_fails_nothing_is_said_any_more(tmp_path: Path) -> None:
    async with simulator(settings(store=tmp_path)) as up, logged_on(up) as router:
        up.desk._journal.close()
        up.desk._journal._fd = os.open(tmp_path / FILE_NAME, os.O_RDONLY)

        router.send("D", new_order("A"))

        assert [event for event in await router.end() if isinstance(event, Received)] == []
        assert isinstance(await up.desk.failed, JournalFailed)
        with pytest.raises(JournalFailed):
            up.desk.set_price("AAPL", Decimal(1))


async def test_a_port_that_is_taken_is_named() -> None:
    async with simulator() as up:
        for taken in (
            replace(settings(), port=up.port),
            replace(settings(), control_port=up.control_port),
        ):
            with pytest.raises(StartError, match=r"port 127\.0\.0\.1:[0-9]+: cannot be listened on"):
                async with simulator(taken):
                    pass


async def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(StartError, match=r"256\.1\.1\.1:0: is no address"):
        async with simulator(replace(settings(), host="256.1.1.1")):
            pass


async def test_without_a_seed_every_store_has_its_own(tmp_path: Path) -> None:
    wanted = replace(settings(store=tmp_path), seed=None)
    async with simulator(wanted) as up, logged_on(up) as router:
        router.send("D", new_order("A"))
        first = [await router.report(), await router.report()]

    async with simulator(wanted) as up, logged_on(up, router.session) as router:
        router.send("D", new_order("B"))
        second = [await router.report(), await router.report()]

    heads = {message[17].partition("-")[0] for message in first + second}
    assert len(heads) == 1
    assert [message[17].partition("-")[2] for message in first + second] == ["E1", "E2", "E3", "E4"]
