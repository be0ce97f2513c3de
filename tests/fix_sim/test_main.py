import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fairlead_server.fix.message import decode, encode
from fairlead_server.fix.values import write_utc_timestamp
from fix_sim.__main__ import main
from fix_sim.app import Running
from fix_sim.rules import Action, Rule

from tests.fix_sim.router import logged_on, new_order, settings, simulator

SERVE = ["serve", "--port", "0", "--control-port", "0"]


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error, when there is nothing else."""
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_a_broken_config_file_is_one_line_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "sim.toml"
    config.write_text('port = "many"')

    assert main([*SERVE, "--config", str(config)]) == 2
    assert complaint(capsys) == (
        f"fix_sim: {config} port: 'many' will not do; write a whole number from 0 to 65535"
    )


def test_a_broken_universe_is_one_line_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    universe = tmp_path / "universe.csv"
    universe.write_text("symbol,last_price\nAAPL,free\n")

    assert main([*SERVE, "--universe", str(universe), "--store", ":memory:"]) == 2
    assert complaint(capsys).startswith(f"fix_sim: {universe} line 2: 'free' is not a price; write")


def test_a_store_that_cannot_be_written_is_one_line_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")

    assert main([*SERVE, "--store", str(tmp_path / "file")]) == 2
    assert complaint(capsys) == (
        f"fix_sim: store {tmp_path / 'file'}: cannot be used (File exists); "
        "name a folder that can be written to with --store"
    )


async def test_a_port_that_is_taken_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    async with simulator() as up:
        arguments = ["serve", "--port", str(up.port), "--control-port", "0", "--store", ":memory:"]
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fix_sim", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await done.communicate()

    assert (done.returncode, out) == (2, b"")
    assert err.decode() == (
        f"fix_sim: --port 127.0.0.1:{up.port}: cannot be listened on (Address already in use); "
        "choose another one, 0 for any that is free\n"
    )


def test_no_simulator_to_ask_is_one_line_and_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "--control-port", "1"]) == 1
    assert complaint(capsys) == (
        "fix_sim: prices: no simulator answers at 127.0.0.1:1; start one, or name its --control-port"
    )


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A simulator of its own, with its two ports, read from the line that it prints when it is ready."""
    command = [sys.executable, "-m", "fix_sim", *SERVE, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as started:
        try:
            assert started.stdout is not None
            ready = started.stdout.readline()
            port, control_port = (int(part.rpartition(":")[2]) for part in ready.split(" · ")[:2])
            yield started, port, control_port
        finally:
            started.kill()


@pytest.mark.parametrize(
    ("options", "begin_string", "us", "peer", "appl_ver_id"),
    [
        ([], "FIX.4.2", "ISLD", "TW42", None),
        (["--begin", "FIX.4.4", "--sender", "ME", "--target", "YOU"], "FIX.4.4", "ME", "YOU", None),
        (
            ["--begin", "FIXT.1.1", "--target", "YOU", "--applver", "FIX.5.0SP1"],
            "FIXT.1.1",
            "ISLD",
            "YOU",
            "8",
        ),
    ],
)
async def test_the_reflector_serves_the_sessions_that_are_asked_for_until_a_signal(
    options: list[str], begin_string: str, us: str, peer: str, appl_ver_id: str | None
) -> None:
    with reflecting(*options) as (started, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        appl = [] if appl_ver_id is None else [(1137, appl_ver_id)]
        now = write_utc_timestamp(datetime.now(UTC))
        writer.write(encode(begin_string, "A", peer, us, 1, now, [(98, "0"), (108, "30"), *appl]))

        answer = decode(await reader.readuntil(b"\x0110=") + await reader.readexactly(4))
        assert (answer[35], answer.get(1137)) == ("A", appl_ver_id)

        started.send_signal(signal.SIGTERM)
        assert b"\x0135=5\x01" in await reader.read()
        writer.close()
        assert started.wait(timeout=5) == 0


@contextmanager
def reflecting(*options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "fix_sim", "reflect", "--port", "0", *options]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            yield started, int(started.stdout.readline().split(" · ")[0].rpartition(":")[2])
        finally:
            started.kill()


def test_a_reflector_whose_port_is_taken_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert main(["reflect", "--port", str(port)]) == 2

    assert complaint(capsys).startswith(f"fix_sim: --port 127.0.0.1:{port}: cannot be listened on")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(number: signal.Signals) -> None:
    with process("--store", ":memory:") as (started, _, _):
        started.send_signal(number)

        assert started.wait(timeout=10) == 0


async def test_after_kill_9_it_remembers_what_it_told(tmp_path: Path) -> None:
    store = ["--store", str(tmp_path), "--seed", "7"]
    with process(*store) as (started, port, control_port):
        async with logged_on(Running(None, settings(), port, control_port)) as router:  # type: ignore[arg-type]  # nobody asks its desk
            router.send("D", new_order("A"))
            told = await router.told(2)
            os.kill(started.pid, signal.SIGKILL)
            await router.end()

    with process(*store) as (_, port, control_port):
        async with logged_on(Running(None, settings(), port, control_port), router.session) as router:  # type: ignore[arg-type]
            router.send("H", new_order("A"))
            router.send("D", new_order("B"))

            assert told == ["8 A 00 0/100", "8 A F2 100/100"]
            assert await router.told(3) == ["8 A I2 100/100", "8 B 00 0/100", "8 B F2 100/100"]


async def test_the_operators_commands(capsys: pytest.CaptureFixture[str]) -> None:
    async with simulator(settings(Rule(Action.MANUAL))) as up, logged_on(up) as router:
        router.send("D", new_order("A", "100", "229"))
        await router.report()

        async def ask(*arguments: str) -> list[str]:
            code = await asyncio.to_thread(main, [*arguments, "--control-port", str(up.control_port)])
            assert code == 0
            return capsys.readouterr().out.splitlines()

        listed = await ask("orders", "--open")
        priced = await ask("price", "AAPL", "230.50")
        filled = await ask("fill", "A", "--cl-ord-id", "--qty", "40", "--price", "229.25")
        rest = await ask("fill", "7-O1")
        prices = await ask("prices")

    assert [line.split() for line in listed] == [
        [
            "ORDER",
            "CL_ORD_ID",
            "SYMBOL",
            "SIDE",
            "TYPE",
            "TIF",
            "QTY",
            "PRICE",
            "FILLED",
            "AVG",
            "STATUS",
            "SESSION",
        ],
        ["7-O1", "A", "AAPL", "BUY", "LIMIT", "DAY", "100", "229", "0", "0", "NEW", "FIX.4.4:SIM:FAIRLEAD"],
    ]
    assert priced == ["AAPL 230.50"]
    assert filled[0] == "execution 7-E2"
    assert "PARTIALLY_FILLED" in filled[2]
    assert "FILLED" in rest[2]
    assert "AAPL    230.50" in prices


async def test_a_command_that_is_refused_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    async with simulator() as up:
        arguments = ["fill", "7-O1", "--control-port", str(up.control_port)]
        code = await asyncio.to_thread(main, arguments)

    assert code == 1
    assert complaint(capsys) == "fix_sim: fill: no order '7-O1'"
