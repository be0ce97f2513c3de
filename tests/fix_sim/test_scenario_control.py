"""Scenarios over gRPC and from the command line, against a simulator that really listens."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from fairlead_server.fix.message import Message
from fix_sim.__main__ import main
from fix_sim.app import Running
from fix_sim.errors import StartError
from fix_sim.rules import Action, Rule
from fix_sim.v1 import sim_control_pb2 as pb
from msgspec.structs import replace

from tests.fix_sim.router import connected, follow_up, logged_on, new_order, settings, simulator
from tests.fix_sim.test_control import operator

MANUAL = Rule(Action.MANUAL)
SLOW = """
- name: slow
  match: {cl_ord_id_prefix: S}
  steps: [new, {await: cancel}, pending_cancel, {cancel_reject: 3}]
- name: other
  steps: [pending_new]
"""


async def test_scenarios_are_loaded_and_their_plays_listed() -> None:
    async with simulator() as up, logged_on(up) as router, operator(up) as stub:
        loaded = await stub.LoadScenarios(pb.LoadScenariosRequest(text=SLOW, names=["slow"], times=1))
        router.send("D", new_order("S1"))
        await router.report()
        playing = (await stub.ListPlays(pb.ListPlaysRequest())).plays
        router.send("F", follow_up("C1", "S1"))
        answers = [await router.report(), await router.report()]
        passed = (await stub.ListPlays(pb.ListPlaysRequest(scenario="slow"))).plays
        router.send("D", new_order("S2"))
        again = await router.told(2)

    assert list(loaded.names) == ["slow"]
    assert list(playing) == [
        pb.Play(scenario="slow", order_id="7-O1", state=pb.PLAY_STATE_PLAYING, taken=1, steps=4)
    ]
    assert [(answer.msg_type, answer[11]) for answer in answers] == [("8", "C1"), ("9", "C1")]
    assert [(play.state, play.taken) for play in passed] == [(pb.PLAY_STATE_PASSED, 4)]
    assert again == ["8 S2 00 0/100", "8 S2 F2 100/100"]


@pytest.mark.parametrize(
    ("request_", "code", "details"),
    [
        (pb.LoadScenariosRequest(text="- {name: x}", file="my.yaml"), grpc.StatusCode.INVALID_ARGUMENT,
         "my.yaml line 1: steps is missing; write steps: ..."),
        (pb.LoadScenariosRequest(text=SLOW, names=["quick"]), grpc.StatusCode.NOT_FOUND,
         "there is no scenario 'quick' in it"),
        (pb.LoadScenariosRequest(text=SLOW, times=-1), grpc.StatusCode.INVALID_ARGUMENT, "times: is below 0"),
    ],
)  # fmt: skip
async def test_scenarios_that_are_not_right_are_refused(
    request_: pb.LoadScenariosRequest, code: grpc.StatusCode, details: str
) -> None:
    async with simulator() as up, operator(up) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.LoadScenarios(request_)
    assert (refused.value.code(), refused.value.details()) == (code, details)


async def test_steps_are_taken_by_hand() -> None:
    async with simulator(settings(MANUAL)) as up, logged_on(up) as router, operator(up) as stub:
        router.send("D", new_order("A"))
        await router.report()
        steps = "[{trade: {qty: 40, price: 9}}, {trade_correct: {qty: 30}}, {canceled: {reason: 4}}]"
        done = await stub.Perform(pb.PerformRequest(cl_ord_id="A", steps=steps))
        told = await router.told(3)

    assert (done.order.order_id, done.order.cum_qty, done.order.ord_status) == ("7-O1", "30", "4")
    assert list(done.exec_ids) == ["7-E2", "7-E3", "7-E4"]
    assert told == ["8 A F1 40/100", "8 A G1 30/100", "8 A 44 30/100"]


@pytest.mark.parametrize(
    ("request_", "code", "details"),
    [
        (pb.PerformRequest(order_id="7-O1", steps="fill"), grpc.StatusCode.INVALID_ARGUMENT, "steps line 1: 'fill'"),
        (pb.PerformRequest(order_id="7-O9", steps="new"), grpc.StatusCode.NOT_FOUND, "no order '7-O9'"),
        (pb.PerformRequest(session="X", steps="disconnect"), grpc.StatusCode.NOT_FOUND, "no session 'X'"),
        (pb.PerformRequest(session="X", steps="new"), grpc.StatusCode.FAILED_PRECONDITION,
         "a step cannot be played: a session has no orders to report; name one"),
        (pb.PerformRequest(order_id="7-O1", steps="trade_cancel"), grpc.StatusCode.FAILED_PRECONDITION,
         "trade_cancel cannot be played: the order has 0 fills"),
    ],
)  # fmt: skip
async def test_steps_that_make_no_sense_are_refused(
    request_: pb.PerformRequest, code: grpc.StatusCode, details: str
) -> None:
    async with simulator(settings(MANUAL)) as up, logged_on(up) as router, operator(up) as stub:
        router.send("D", new_order("A"))
        await router.report()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Perform(request_)
    assert refused.value.code() is code
    assert (refused.value.details() or "").startswith(details)


async def test_a_session_is_broken_by_hand_and_a_split_message_arrives_whole() -> None:
    async with simulator(settings(MANUAL)) as up, operator(up) as stub:
        async with logged_on(up) as router:
            router.send("D", new_order("A"))
            await router.report()
            await stub.Perform(pb.PerformRequest(cl_ord_id="A", steps="trade: {qty: 1, on_wire: split}"))
            assert await router.told(1) == ["8 A F1 1/100"]
            await stub.Perform(pb.PerformRequest(session="FIX.4.4:SIM:FAIRLEAD", steps="disconnect"))
            await router.end()
        async with connected(up, router.session) as again:
            await stub.Perform(pb.PerformRequest(cl_ord_id="A", steps="trade: 9"))
            assert await again.told(1) == ["8 A F1 10/100"]


async def test_a_paused_simulator_answers_when_it_is_resumed() -> None:
    async with simulator() as up, logged_on(up) as router, operator(up) as stub:
        await stub.Pause(pb.PauseRequest())
        router.send("D", new_order("A"))
        router.send("D", new_order("B"))
        while len(up.desk.broker.engine._kept) < 2:  # noqa: ASYNC110 - nothing tells that they have come
            await asyncio.sleep(0)
        assert not up.desk.broker.engine.orders
        await stub.Resume(pb.ResumeRequest())
        assert await router.told(4) == ["8 A 00 0/100", "8 A F2 100/100", "8 B 00 0/100", "8 B F2 100/100"]


async def test_a_simulator_with_a_delay_answers_in_order() -> None:
    late = replace(settings(), delay_ms=20, jitter_ms=20)
    async with simulator(late) as up, logged_on(up) as router:
        for number in range(5):
            router.send("D", new_order(f"A{number}"))
        told = await router.told(10)
    assert told == [
        line for number in range(5) for line in (f"8 A{number} 00 0/100", f"8 A{number} F2 100/100")
    ]


async def test_a_simulator_reads_its_scenarios_when_it_starts(tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    async with simulator(replace(settings(), scenarios=str(tmp_path))) as up, logged_on(up) as router:
        router.send("D", new_order("X"))
        assert await router.told(1) == ["8 X AA 0/100"]
    (tmp_path / "slow.yaml").write_text("- name: x")
    with pytest.raises(StartError, match="line 1: steps is missing"):
        async with simulator(replace(settings(), scenarios=str(tmp_path))):
            pass


# The command line.


def asking(up: Running, capsys: pytest.CaptureFixture[str]) -> Callable[..., Awaitable[tuple[int, str]]]:
    async def ask(*arguments: str) -> tuple[int, str]:
        code = await asyncio.to_thread(main, [*arguments, "--control-port", str(up.control_port)])
        said = capsys.readouterr()
        return code, (said.out or said.err).strip()

    return ask


def shown(message: Message) -> str:
    return f"{message[150]}{message[39]} {message[14]}"


async def test_a_matrix_is_loaded_played_and_expected(capsys: pytest.CaptureFixture[str]) -> None:
    async with simulator() as up, logged_on(up) as router:
        ask = asking(up, capsys)
        assert await ask("load", "D5 B.1.c", "--times", "1") == (0, "1 loaded: D5 B.1.c")
        assert await ask("expect", "D5 B.1.c", "--within", "0") == (
            1, "D5 B.1.c: passed 0 of 1 within 0 s, 0 begun"
        )  # fmt: skip
        router.send("D", new_order("A", "10000"))
        told = [shown(await router.report()) for _ in range(2)]
        router.send("F", follow_up("C", "A", "10000"))
        told += [shown(await router.report()) for _ in range(3)]
        refusal = await router.report()
        assert await ask("expect", "D5 B.1.c") == (0, "D5 B.1.c: passed 1 of 1")
        plays = await ask("plays")

    assert told == ["00 0", "F1 2000", "F1 5000", "66 5000", "F6 10000"]
    assert (refusal.msg_type, refusal[39], refusal[102]) == ("9", "2", "0")
    assert plays[1].splitlines()[1].split() == ["D5", "B.1.c", "7-O1", "7/7", "PASSED"]


async def test_an_expectation_that_fails_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    async with simulator() as up, logged_on(up) as router:
        ask = asking(up, capsys)
        await ask("load", "D3 B.1.a")
        router.send("D", new_order("A"))
        await router.report()
        router.send("G", follow_up("B", "A", "50"))
        code, text = await ask("expect", "D3 B.1.a")

    assert code == 1
    assert text == "D3 B.1.a: failed with order 7-O1: step 2: a replace came instead of a cancel"


async def test_operators_bust_correct_cancel_pause_and_resume(capsys: pytest.CaptureFixture[str]) -> None:
    async with simulator(settings(MANUAL)) as up, logged_on(up) as router:
        ask = asking(up, capsys)
        router.send("D", new_order("A"))
        await router.report()
        done = [
            await ask("perform", "7-O1", "[{trade: 40}, {trade: 20}]"),
            await ask("bust", "A", "--cl-ord-id", "--fill", "1"),
            await ask("correct", "7-O1", "--qty", "25", "--price", "9.5"),
            await ask("cancel", "7-O1", "--reason", "4", "--text", "closed: for today"),
            await ask("perform", "--session", "FIX.4.4:SIM:FAIRLEAD", "clock_skew: 1s"),
            await ask("pause"),
            await ask("resume"),
        ]
        told = [await router.report() for _ in range(5)]

    assert [code for code, _ in done] == [0] * 7
    assert done[0][1].splitlines()[:2] == ["execution 7-E2", "execution 7-E3"]
    assert [text for _, text in done[4:]] == ["done", "paused", "resumed"]
    assert [shown(report) for report in told] == ["F1 40", "F1 60", "H1 20", "G1 25", "44 25"]
    assert (told[2][19], told[4][58], told[4][378]) == ("7-E2", "closed: for today", "4")


def test_without_a_simulator_an_expectation_cannot_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["expect", "D3", "--control-port", "1"]) == 2
    assert "no simulator answers" in capsys.readouterr().err


def test_the_scenarios_that_come_with_the_simulator_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios"]) == 0
    assert "D34 J.1.a" in capsys.readouterr().out


def test_a_scenario_that_is_not_in_the_file_is_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["load", "D99", "--control-port", "1"]) == 2
    assert "there is no scenario 'D99' in it; name one of its own" in capsys.readouterr().err
