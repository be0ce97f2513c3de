"""What is known by heart is read and judged as it would be without."""

from collections.abc import Iterator

import pytest
from fairlead_server.fix import checks, dictionaries
from fairlead_server.fix.errors import FixError
from fairlead_server.fix.message import Message, decode
from fairlead_server.fix.shapes import Shapes
from fairlead_server.fix.validation import Validator
from hypothesis import given
from hypothesis import strategies as st

from tests.fix.transcript import START, frame

ORDER = "35=D|34=2|11=a|55=X|54=1|60=20260302-14:30:00|40=1|18=1 2"
PARTIES = ORDER + "|453=2|448=A|447=D|452=1|448=B|447=D|452=3"
ONE_PARTY = ORDER + "|453=1|448=A|447=D|452=1|802=1|523=x|803=4"
OWN = ORDER + "|5001=x|9001=y"
TEXTS = (ORDER, PARTIES, ONE_PARTY, OWN, "35=0|34=2", "35=2|34=2|7=1|16=0")


def of(version: str = "FIX.4.4") -> Validator:
    loaded = dictionaries.load(version)
    return Validator(loaded, loaded, user_defined=True)


def made(text: str, version: str = "FIX.4.4") -> bytes:
    return frame(text, version, START)


def learned(validator: Validator, *frames: bytes) -> Shapes:
    """Has heard each of them often."""
    shapes = Shapes(validator.patterns)
    for data in frames * 4:
        assert validator.problem(decode(data)) is None
        shapes.learn(decode(data))
    return shapes


def lenient(*frames: bytes) -> Shapes:
    shapes = Shapes(lambda _: checks.header_pattern)
    for data in frames * 4:
        shapes.learn(decode(data))
    return shapes


VALIDATOR = of()
LEARNED = learned(VALIDATOR, *map(made, TEXTS))
LENIENT = lenient(*map(made, TEXTS))


@pytest.mark.parametrize("text", TEXTS)
def test_what_has_often_been_right_is_read_by_its_shape(text: str) -> None:
    data = made(text.replace("34=2", "34=77"))
    assert LEARNED.read(data) == decode(data)
    assert LENIENT.read(data) == decode(data)


def test_what_has_not_is_not() -> None:
    shapes = Shapes(VALIDATOR.patterns)
    for _ in range(3):
        shapes.learn(decode(made(ORDER)))
    assert shapes.read(made(ORDER)) is None

    shapes.learn(decode(made(ORDER)))
    assert shapes.read(made(ORDER)) == decode(made(ORDER))


@pytest.mark.parametrize(
    "text",
    [
        ORDER.replace("54=1", "54=x"),  # not among its values
        ORDER.replace("60=20260302-14", "60=20260302-24"),  # of the wrong format
        ORDER.replace("18=1 2", "18=1  2"),
        ORDER.replace("11=a", "11="),
        ORDER.replace("35=D", "35=G"),  # another type, which lacks a field
        PARTIES.replace("453=2", "453=3"),
        ONE_PARTY.replace("802=1", "802=2"),
    ],
)
def test_what_is_wrong_fits_no_shape(text: str) -> None:
    assert VALIDATOR.problem(decode(made(text))) is not None
    assert LEARNED.read(made(text)) is None


@pytest.mark.parametrize("version", ["FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4"])
def test_a_number_that_is_none_fits_no_shape_of_any_version(version: str) -> None:
    """MsgSeqNum(34) was an int before it was a SeqNum."""
    shapes = learned(of(version), made("35=0|34=2", version))
    assert shapes.read(made("35=0|34=3", version)) is not None
    assert [shapes.read(made(f"35=0|34={number}", version)) for number in ("-3", "", "3.0", "9" * 19)] == [
        None
    ] * 4


def test_raw_data_may_hold_what_looks_like_fields_and_has_no_shape() -> None:
    data = made(ORDER + "|354=3|355=a=b")
    assert learned(VALIDATOR, data).read(data) is None


def test_nor_has_a_message_that_names_its_own_version() -> None:
    data = frame("35=D|34=2|1128=9|11=a", "FIXT.1.1", START)
    assert lenient(data).read(data) is None


@pytest.mark.parametrize(
    "text", [ORDER + "|58=" + "t" * 2_000, ORDER + "".join(f"|{5001 + n}=" for n in range(100))]
)
def test_nor_has_one_that_is_long(text: str) -> None:
    assert lenient(made(text)).read(made(text)) is None


def test_nor_has_one_that_is_longer_than_those_that_were_learned() -> None:
    short, long = made(ORDER + "|58=t"), made(ORDER + "|58=" + "t" * 2_000)
    shapes = learned(VALIDATOR, short)
    assert (shapes.read(short), shapes.read(long)) == (decode(short), None)


def test_a_peer_that_never_says_the_same_twice_costs_no_memory() -> None:
    shapes = Shapes(VALIDATOR.patterns)
    for first in range(5001, 5051):
        for second in range(5300, 5316):
            shapes.learn(decode(made(f"{ORDER}|{first}=x|{second}=y")))
    assert len(shapes._heard) <= 256

    for count in range(40):
        own = "".join(f"|{5001 + number}=x" for number in range(count))
        for text in (ORDER, f"{ORDER}|58=t", f"{ORDER}|44=1"):
            for _ in range(4):
                shapes.learn(decode(made(text + own)))
    assert shapes._count == sum(map(len, shapes._known.values())) == 64
    assert max(map(len, shapes._known.values())) <= 8


def mutations(fields: list[tuple[int, str]]) -> Iterator[st.SearchStrategy[list[tuple[int, str]]]]:
    at = st.integers(0, len(fields) - 1)
    values = st.one_of(
        st.text("0123456789.-YN :xA", max_size=8), st.sampled_from(["20260302-14:30:00.123", "1 2", "01"])
    )
    tags = st.sampled_from(
        [1, 11, 18, 34, 38, 44, 50, 54, 58, 59, 60, 115, 448, 453, 523, 627, 802, 5001, 9999]
    )
    yield st.tuples(at, values).map(lambda m: [*fields[: m[0]], (fields[m[0]][0], m[1]), *fields[m[0] + 1 :]])
    yield st.tuples(at, tags).map(lambda m: [*fields[: m[0]], (m[1], fields[m[0]][1]), *fields[m[0] + 1 :]])
    yield at.map(lambda m: [*fields[:m], *fields[m + 1 :]])
    yield st.tuples(at, at).map(lambda m: [*fields[: m[0]], fields[m[1]], *fields[m[0] :]])


@given(st.data())
def test_whatever_a_message_says_its_shape_says_the_same_or_nothing(data: st.DataObject) -> None:
    fields = list(decode(made(data.draw(st.sampled_from(TEXTS)))).fields)
    for _ in range(data.draw(st.integers(0, 2))):
        fields = data.draw(st.one_of(*mutations(fields))) or fields
    raw = ("\x01".join(f"{tag}={value}" for tag, value in fields) + "\x01").encode()
    seen, seen_leniently = LEARNED.read(raw), LENIENT.read(raw)
    try:
        message: Message | None = decode(raw)
    except FixError:
        message = None

    if seen is not None:
        assert message == seen
        assert VALIDATOR.problem(seen) is None
    if seen_leniently is not None:
        assert message == seen_leniently
        assert checks.header_there(seen_leniently) is None
