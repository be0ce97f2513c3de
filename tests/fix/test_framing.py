"""The framer against streams that are cut anywhere, damaged anywhere, or never messages at all."""

import tracemalloc
from collections.abc import Sequence
from itertools import pairwise

import pytest
from fairlead_server.fix.events import Garbled
from fairlead_server.fix.framing import Framer
from hypothesis import given
from hypothesis import strategies as st

from tests.fix.transcript import START, frame

FIRST = frame("35=0|34=1", "FIX.4.4", START)
SECOND = frame("35=8|34=2|58=10=000 8=FIX.4.4", "FIX.4.4", START)
RAW = frame("35=8|34=3|95=11|96=\x0110=000\x018=FI", "FIXT.1.1", START)


def reasons(items: Sequence[object]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Garbled)]


def test_frames_come_out_as_they_went_in() -> None:
    assert Framer().feed(FIRST + SECOND + RAW) == [FIRST, SECOND, RAW]


@given(st.lists(st.integers(0, len(FIRST + SECOND + RAW)), max_size=20))
def test_it_does_not_matter_where_the_stream_is_cut(cuts: list[int]) -> None:
    # given
    framer, stream = Framer(), FIRST + SECOND + RAW
    edges = [0, *sorted(cuts), len(stream)]

    # when
    items = [item for a, b in pairwise(edges) for item in framer.feed(stream[a:b])]

    # then
    assert items == [FIRST, SECOND, RAW]


@given(st.integers(0, len(SECOND) - 1), st.integers(1, 255))
def test_one_damaged_byte_never_passes_and_the_messages_behind_it_are_found_again(
    at: int, change: int
) -> None:
    # given
    damaged = bytearray(SECOND)
    damaged[at] ^= change

    # when: enough good messages follow to fill any length that the damage may have made up
    items = Framer(1000).feed(FIRST + damaged + RAW * 30)

    # then
    frames = [item for item in items if not isinstance(item, Garbled)]
    assert frames[0] == FIRST
    assert set(frames[1:]) == {RAW}
    assert reasons(items)


@pytest.mark.parametrize("kept", [25, 40, len(SECOND) - 1])
def test_a_message_that_was_cut_short_costs_none_but_itself(kept: int) -> None:
    items = Framer().feed(SECOND[:kept] + FIRST + RAW + FIRST * 5)

    assert [item for item in items if not isinstance(item, Garbled)] == [FIRST, RAW, *[FIRST] * 5]


@pytest.mark.parametrize("more", [1, 5, 20])
def test_a_message_that_says_it_is_longer_than_it_is_takes_what_it_claims(more: int) -> None:
    length = FIRST.index(b"35=0")
    end = len(FIRST) - len("10=123|")
    body = FIRST[length:end]
    longer = b"8=FIX.4.4\x019=%d\x01" % (len(body) + len("10=123|") + more) + body + b"10=123\x01"

    items = Framer().feed(longer + FIRST + RAW)

    assert reasons(items) == ["BodyLength(9) does not lead to CheckSum(10)"]
    assert items[1:] == [RAW]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_what_follows_junk_is_found(junk: bytes, cuts: list[int]) -> None:
    framer = Framer(1000)
    edges = [0, *sorted(cut for cut in cuts if cut < len(junk)), len(junk)]
    for a, b in pairwise(edges):
        framer.feed(junk[a:b])

    assert FIRST in framer.feed(b"\x01" * 30 + FIRST * 30)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello, world", "not the start of a message"),
        (b"8=FIX.4.4|35=0|34=1|10=123|...", "BeginString(8) or BodyLength(9) out of place"),
        (b"8=FIX.4.4|9=x|35=0|34=1|10=123|", "BeginString(8) or BodyLength(9) out of place"),
        (b"8=FIX.4.4|9=1001|35=0|34=1|10=123|", "BodyLength(9) above the limit"),
        (b"8=FIX.4.4|9=9|35=0|34=1|10=123|", "BodyLength(9) does not lead to CheckSum(10)"),
        (b"8=FIX.4.4|9=10|35=0|34=1|10=1234|", "BodyLength(9) does not lead to CheckSum(10)"),
        (b"8=FIX.4.4|9=10|34=1|35=0|10=123|", "MsgType(35) is not the third field"),
        (b"8=FIX.4.4|9=10|35=0|34=1|10=123|", "CheckSum(10) is wrong"),
    ],
)
def test_what_is_garbled_is_named_and_skipped(data: bytes, reason: str) -> None:
    # given
    data = data.replace(b"|", b"\x01")

    # when
    items = Framer(1000).feed(data + FIRST)

    # then
    assert reasons(items) == [reason]
    assert items[-1] == FIRST
    assert isinstance(items[0], Garbled)
    assert data.startswith(items[0].data_prefix)


def test_a_run_of_junk_is_reported_once() -> None:
    framer = Framer()

    assert len(framer.feed(b"8=FIXation 8=FIXture " * 100)) == 1
    assert framer.feed(b"junk" * 100) == []
    assert framer.feed(b" 8=F") == []
    assert framer.feed(FIRST) == [FIRST]
    assert reasons(framer.feed(b"junk")) == ["not the start of a message"]


def test_a_message_may_begin_in_one_read_and_end_in_another() -> None:
    framer = Framer()

    assert framer.feed(b"8") == []
    assert framer.feed(b"=FIX.4.4\x01") == []
    assert framer.feed(FIRST[10:]) == [FIRST]


def test_no_secret_is_shown() -> None:
    # given
    logon = frame("35=A|34=1|98=0|108=30|554=hush", "FIX.4.4", START)

    # when
    shown = Framer().feed(logon[:-4] + b"000\x01" + b"junk\x01554=hush")

    # then
    assert len(shown) == 2
    assert not any(b"hush" in item.data_prefix for item in shown if isinstance(item, Garbled))


@pytest.mark.parametrize(
    "start", [b"", b"8=FIX.4.4", b"8=FIX.4.4\x019=99999\x01", b"8=FIX.4.4\x019=999999999\x01"]
)
def test_a_hundred_megabytes_without_an_end_are_not_kept(start: bytes) -> None:
    # given
    framer, block = Framer(), b"x" * 65536
    tracemalloc.start()

    # when
    framer.feed(start)
    for _ in range(1600):
        framer.feed(block)

    # then
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert framer.feed(b"\x01" + FIRST)[-1] == FIRST
