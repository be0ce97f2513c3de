"""What befalls frames between their session and the connection, and how long answers take."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from fairlead_server.fix.events import Garbled
from fairlead_server.fix.framing import Framer
from fairlead_server.fix.message import decode, encode
from fix_sim.edits import Edits, OnWire
from fix_sim.line import Line, rewritten
from fix_sim.network import Latency, Network, Queue
from fix_sim.translate import Outgoing

from tests.fix_sim.desk import START, at


@dataclass
class Wire:
    wire: bytearray = field(default_factory=bytearray)
    cuts: list[int] = field(default_factory=list)
    close: str = ""


def frame(number: int = 1, msg_type: str = "8") -> bytes:
    return encode(
        "FIX.4.4", msg_type, "SIM", "FAIRLEAD", number, "20260302-14:30:00.000", [(11, "A"), (58, "x")]
    )


FRAME = frame()


def test_a_line_that_nothing_has_broken_changes_nothing() -> None:
    wire = Wire()
    Line().write(wire, FRAME)
    assert (bytes(wire.wire), wire.cuts, wire.close) == (FRAME, [], "")


@pytest.mark.parametrize(
    ("on_wire", "written"),
    [(OnWire.LOST, b""), (OnWire.TWICE, FRAME * 2), (OnWire.CUT, FRAME[: len(FRAME) // 2])],
)
def test_a_frame_is_lost_or_comes_twice_or_is_cut(on_wire: OnWire, written: bytes) -> None:
    wire = Wire()
    Line().write(wire, FRAME, on_wire)
    assert bytes(wire.wire) == written
    assert bool(wire.close) is (on_wire is OnWire.CUT)


def test_a_split_frame_is_whole_in_three_pieces_or_a_few_more() -> None:
    wire = Wire()
    Line().write(wire, FRAME, OnWire.SPLIT)
    assert bytes(wire.wire) == FRAME
    assert wire.cuts == list(range(len(FRAME) // 3, len(FRAME), len(FRAME) // 3))


@pytest.mark.parametrize("on_wire", [OnWire.BAD_CHECKSUM, OnWire.BAD_LENGTH])
def test_a_garbled_frame_is_one_that_the_framer_skips(on_wire: OnWire) -> None:
    wire = Wire()
    Line().write(wire, FRAME, on_wire)
    first, *rest = Framer().feed(bytes(wire.wire) + frame(2))
    assert isinstance(first, Garbled)
    assert rest[-1] == frame(2)


def test_the_connection_ends_after_so_many_frames_and_nothing_follows() -> None:
    line, wire = Line(left=2), Wire()
    line.write(wire, frame(1) + frame(2) + frame(3))
    line.write(wire, frame(4))
    assert bytes(wire.wire) == frame(1) + frame(2)
    assert wire.close == "a scenario ends the connection after so many messages"
    assert line.left is None


def test_a_skew_moves_the_sending_time() -> None:
    wire = Wire()
    Line(skew=timedelta(minutes=5)).write(wire, FRAME)
    assert decode(bytes(wire.wire))[52] == "20260302-14:35:00.000"


def test_the_next_logon_and_no_other_message_resets_the_numbers() -> None:
    line, wire = Line(reset=True), Wire()
    for each in (FRAME, frame(2, "A"), frame(3, "A")):
        line.write(wire, each)
    flags = [decode(each).get(141) for each in Framer().feed(bytes(wire.wire)) if isinstance(each, bytes)]
    assert flags == [None, "Y", None]


def test_a_stall_keeps_both_directions_until_it_is_over() -> None:
    line, wire = Line(stalled_until=START), Wire()
    line.write(wire, FRAME)
    assert (line.read(b"abc"), bytes(wire.wire)) == (b"", b"")
    assert line.resume(wire) == b"abc"
    assert bytes(wire.wire) == FRAME
    assert line.read(b"def") == b"def"


def test_a_stall_ends_with_its_connection_and_what_was_kept_is_gone() -> None:
    line, wire = Line(stalled_until=START), Wire()
    line.write(wire, FRAME)
    line.read(b"abc")
    line.disconnected()
    assert line.read(b"def") == b"def"
    assert line.resume(wire) == b""
    assert bytes(wire.wire) == b""


def test_a_rewritten_frame_is_right_again() -> None:
    changed = decode(rewritten(FRAME, msg_type="5", number=9, fields=[(58, "bye")], more=[(354, "3")]))
    assert (changed.msg_type, changed.msg_seq_num, changed[58], changed[354]) == ("5", 9, "bye", "3")
    assert 11 not in changed


def test_edits_replace_add_and_leave_out() -> None:
    edits = Edits(((14, "9"), (999, "x")), frozenset({11}))
    assert edits.apply([(11, "A"), (14, "1"), (58, "t")]) == [(14, "9"), (58, "t"), (999, "x")]


def test_the_same_seed_takes_the_same_time() -> None:
    network = Network(timedelta(milliseconds=10), timedelta(milliseconds=5), seed=7)
    one, other = Latency(network), Latency(network)
    times = [one.next() for _ in range(100)]
    assert times == [other.next() for _ in range(100)]
    assert all(timedelta(milliseconds=10) <= time <= timedelta(milliseconds=15) for time in times)
    assert len(set(times)) > 50


def test_nothing_overtakes_what_came_before_it() -> None:
    queue = Queue([Outgoing("8", [(11, "old")])])
    queue.put(Outgoing("8", [(11, "A")]), at(20), OnWire.WHOLE)
    queue.put(Outgoing("8", [(11, "B")]), at(10), OnWire.LOST)
    assert queue.due() is None
    assert queue.pop(START) == (Outgoing("8", [(11, "old")]), OnWire.WHOLE)
    assert (queue.due(), queue.pop(at(19))) == (at(20), None)
    assert queue.pop(at(20)) == (Outgoing("8", [(11, "A")]), OnWire.WHOLE)
    assert queue.pop(at(20)) == (Outgoing("8", [(11, "B")]), OnWire.LOST)
    assert (len(queue), queue.pop(at(99))) == (0, None)
