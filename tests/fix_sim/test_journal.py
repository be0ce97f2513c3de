import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from fairlead_server.fix.events import ResendWanted
from fairlead_server.fix.terms import Numbers, Sent
from fix_sim.broker import Part, Turn
from fix_sim.config import IN_MEMORY
from fix_sim.engine import Ids, Price
from fix_sim.errors import JournalFailed, StartError
from fix_sim.journal import FILE_NAME, Journal, open_journal
from fix_sim.orders import ExecutionReport, OrdStatus, Request, TimeInForce
from fix_sim.records import Memory
from fix_sim.rules import Action, Rule
from fix_sim.translate import Outgoing
from msgspec.structs import replace

from tests.fix_sim.desk import CLIENT, START, amend, at, cancel, engine, order, terms


@contextmanager
def journal(store: Path | str) -> Iterator[tuple[Journal, Memory]]:
    opened = open_journal(str(store))
    try:
        yield opened, opened.replay()
    finally:
        opened.close()


def turn(part: Part | None = None) -> Turn:
    return Turn(START, parts={CLIENT: part} if part else {})


def sent(number: int, epoch: int = 1, frame: bytes = b"8=FIX.4.4\x01\xe9") -> Sent:
    return Sent(number, "8", START, frame, epoch)


def test_what_was_written_is_remembered(tmp_path: Path) -> None:
    desk = engine(Rule(Action.PARTIAL, symbol="AAPL", slices=3, interval=timedelta(milliseconds=250)))
    made = turn(Part(Numbers(5, 9, 2), queued=[Outgoing("8", [(11, "A")])]))
    requests: list[Request] = [
        order(account="ACC"),
        order(terms("7.5", "1", stop="2", tif=TimeInForce.GTD, expires=at(999)), cl_ord_id="G"),
        order(terms(price="1"), cl_ord_id="X", symbol="EURUSD"),
        amend(terms("0.05", "2"), orig="G"),
        cancel(orig="X"),
    ]
    for request in requests:
        decision = desk.handle(request, START)
        made.orders |= decision.orders
        made.executions += (report for report in decision.reports if isinstance(report, ExecutionReport))
    made.prices = desk.set_price("EURUSD", Decimal("1.2"), START).prices
    with journal(tmp_path) as (writer, _):
        writer.write(made, desk.ids)

    with journal(tmp_path) as (_, memory):
        assert list(memory.orders.values()) == [
            replace(kept, rule=Rule(kept.rule.action, interval=kept.rule.interval))
            for kept in desk.orders.values()
        ]
        assert memory.prices == {"EURUSD": Price(Decimal("1.2"), START)}
        assert memory.numbers == {CLIENT: Numbers(5, 9, 2)}
        assert list(memory.queues[CLIENT]) == [Outgoing("8", [(11, "A")])]
        assert memory.ids == desk.ids


def test_the_queue_is_what_was_queued_and_not_sent_since(tmp_path: Path) -> None:
    first, second, third = (Outgoing("8", [(11, name)]) for name in "ABC")
    with journal(tmp_path) as (writer, _):
        writer.write(turn(Part(Numbers(), queued=[first, second])), Ids("T"))
        writer.write(turn(Part(Numbers(), queued=[third], dequeued=2)), Ids("T"))

    with journal(tmp_path) as (_, memory):
        assert list(memory.queues[CLIENT]) == [third]


@pytest.mark.parametrize("again", [False, True], ids=["the same run", "the next run"])
def test_sent_messages_are_found_by_epoch_and_number(tmp_path: Path, *, again: bool) -> None:
    with journal(tmp_path) as (writer, _):
        writer.write(turn(Part(Numbers(1, 3), sent=[sent(1), sent(2)])), Ids("T"))
        writer.write(turn(Part(Numbers(1, 4), sent=[sent(3)])), Ids("T"))
        writer.write(turn(Part(Numbers(1, 2, 2), sent=[sent(1, 2, b"x" * 200_000)])), Ids("T"))
        if not again:
            assert writer.sent(CLIENT, ResendWanted(2, 9)) == [sent(2), sent(3)]

    with journal(tmp_path) as (reader, _):
        assert reader.sent(CLIENT, ResendWanted(2, 9)) == [sent(2), sent(3)]
        assert reader.sent(CLIENT, ResendWanted(1, 9, epoch=2)) == [sent(1, 2, b"x" * 200_000)]
        assert reader.sent("nobody", ResendWanted(1, 9)) == []


def test_a_turn_that_changes_nothing_leaves_no_line(tmp_path: Path) -> None:
    with journal(tmp_path) as (writer, _):
        writer.write(turn(Part(Numbers(2, 1))), Ids("T"))
        writer.write(turn(Part(Numbers(2, 1))), Ids("T"))
        writer.write(turn(), Ids("T"))

    assert len((tmp_path / FILE_NAME).read_bytes().splitlines()) == 1


@pytest.mark.parametrize("torn", [b"{", b'{"at":"2026', b"\x00\x00", b'{"at":"2026-03-02T14:30:00+00:00"}'])
def test_a_last_line_without_its_end_is_cut_off_and_written_over(tmp_path: Path, torn: bytes) -> None:
    with journal(tmp_path) as (writer, _):
        writer.write(turn(Part(Numbers(2, 2), sent=[sent(1)])), Ids("T"))
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(torn)

    with journal(tmp_path) as (writer, memory):
        assert memory.numbers == {CLIENT: Numbers(2, 2)}
        writer.write(turn(Part(Numbers(2, 3), sent=[sent(2)])), Ids("T"))
        assert writer.sent(CLIENT, ResendWanted(1, 2)) == [sent(1), sent(2)]

    with journal(tmp_path) as (_, memory):
        assert memory.numbers == {CLIENT: Numbers(2, 3)}


def test_cut_anywhere_it_holds_a_number_of_whole_turns(tmp_path: Path) -> None:
    with journal(tmp_path) as (writer, _):
        for number in range(1, 4):
            writer.write(turn(Part(Numbers(1, number + 1), sent=[sent(number)])), Ids("T"))
    whole = (tmp_path / FILE_NAME).read_bytes()
    ends = [position for position, byte in enumerate(whole, start=1) if byte == ord("\n")]

    for length in range(len(whole)):
        (tmp_path / FILE_NAME).write_bytes(whole[:length])
        with journal(tmp_path) as (_, memory):
            turns = sum(end <= length for end in ends)
            assert memory.numbers == ({CLIENT: Numbers(1, turns + 1)} if turns else {})


@pytest.mark.parametrize(
    "damaged",
    [
        "nonsense",
        "[]",
        '{"orders":[{}]}',
        '{"at":"x","prices":{"A":"1"}}',
        '{"sessions":{"A":{"numbers":[1]}}}',
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_overwritten(tmp_path: Path, damaged: str) -> None:
    file = tmp_path / FILE_NAME
    content = f"{json.dumps({'at': START.isoformat()})}\n{damaged}\n"
    file.write_text(content)
    opened = open_journal(str(tmp_path))

    with pytest.raises(StartError, match=r"journal\.jsonl line 2: is damaged"):
        opened.replay()
    opened.close()
    assert file.read_text() == content


def test_two_simulators_do_not_share_a_store(tmp_path: Path) -> None:
    with journal(tmp_path), pytest.raises(StartError, match="another simulator uses it"):
        open_journal(str(tmp_path))


def test_a_store_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match=r"store .*/file/store: cannot be used"):
        open_journal(str(tmp_path / "file" / "store"))


def test_in_memory_nothing_is_left_behind() -> None:
    with journal(IN_MEMORY) as (writer, _):
        writer.write(turn(Part(Numbers(1, 2), sent=[sent(1)])), Ids("T"))
        assert writer.sent(CLIENT, ResendWanted(1, 1)) == [sent(1)]

    with journal(IN_MEMORY) as (_, memory):
        assert memory == Memory()


def test_a_write_that_fails_says_so(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "read only", os.O_RDONLY | os.O_CREAT)
    broken = Journal(fd, "journal")

    with pytest.raises(JournalFailed, match="journal: cannot be written"):
        broken.write(turn(Part(Numbers(2, 2))), Ids("T"))
    broken.close()


def test_a_line_tells_a_reader_what_came_and_what_went(tmp_path: Path) -> None:
    desk = engine()
    made = turn()
    decision = desk.handle(order(), START)
    made.executions = [report for report in decision.reports if isinstance(report, ExecutionReport)]
    with journal(tmp_path) as (writer, _):
        writer.write(made, desk.ids)

    (line,) = (tmp_path / FILE_NAME).read_text().splitlines()
    acknowledged, filled = json.loads(line)["executions"]
    assert acknowledged["exec_type"] == "0"
    assert filled == {
        "client": CLIENT,
        "exec_id": "T-E2",
        "exec_type": "F",
        "order_id": "T-O1",
        "cl_ord_id": "A",
        "symbol": "AAPL",
        "side": "1",
        "ord_status": OrdStatus.FILLED.value,
        "last_qty": "100",
        "last_px": "230.10",
        "cum_qty": "100",
        "leaves_qty": "0",
    }
