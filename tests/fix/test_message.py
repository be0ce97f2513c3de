"""Decoding and encoding against simplefix, and against what FIX cannot carry; masking against a canary."""

from decimal import Decimal

import pytest
import simplefix
from fairlead_server.fix import tags
from fairlead_server.fix.errors import BadValue, MissingTag, Undecodable, UnsendableValue
from fairlead_server.fix.framing import Framer
from fairlead_server.fix.message import Fields, conceal, decode, encode, mask, sendable
from hypothesis import given
from hypothesis import strategies as st

from tests.fix.transcript import START, frame

VALUE = st.text(st.characters(max_codepoint=255, exclude_characters="\x00\x01\r\n"), min_size=1, max_size=30)
TAG = st.integers(11, 40_000).filter(lambda tag: tag not in tags.HEADER | tags.TRAILER)
RAW = st.tuples(
    st.sampled_from([(95, 96), (90, 91), (93, 89), (212, 213), (354, 355), (618, 619), (1401, 1402)]),
    st.binary(min_size=1, max_size=30),
)


def message(*fields: tuple[int, str], msg_type: str = "8") -> bytes:
    return encode("FIX.4.4", msg_type, "US", "THEM", 7, "20260302-14:30:00.000", fields)


def by_simplefix(data: bytes) -> list[tuple[int, str]]:
    parser = simplefix.FixParser(allow_empty_values=True)
    parser.append_buffer(data)
    parsed = parser.get_message()
    assert parsed is not None
    return [(int(tag), value.decode("latin-1")) for tag, value in parsed.pairs]


@given(st.lists(st.tuples(TAG, VALUE), max_size=30), RAW)
def test_the_decoder_equals_simplefix(fields: Fields, raw: tuple[tuple[int, int], bytes]) -> None:
    (length_tag, data_tag), data = raw
    data_fields = [(length_tag, str(len(data))), (data_tag, data.decode("latin-1"))]
    plain = [field for field in fields if field[0] not in LENGTHS]

    for body in (plain, [*plain, *data_fields], [*data_fields, *plain]):
        whole = message(*body)
        assert Framer().feed(whole) == [whole]
        assert decode(whole).fields == by_simplefix(whole)
        assert [field for field in decode(whole).fields if field[0] not in ENVELOPE] == [
            *(field for field in body if field[0] in tags.HEADER),
            *(field for field in body if field[0] not in tags.HEADER),
        ]


@given(st.lists(st.tuples(st.one_of(TAG, st.sampled_from([43, 97, 115, 122])), VALUE), max_size=30), RAW)
def test_the_encoder_equals_simplefix(fields: Fields, raw: tuple[tuple[int, int], bytes]) -> None:
    (length_tag, data_tag), data = raw
    data_fields = [(length_tag, str(len(data))), (data_tag, data.decode("latin-1"))]
    plain = [field for field in fields if field[0] not in LENGTHS]

    for body in (plain, [*plain, *data_fields], [*data_fields, *plain]):
        whole = message(*body)
        again = simplefix.FixMessage()
        for tag, value in decode(whole).fields:
            again.append_pair(tag, value.encode("latin-1"))
        assert whole == again.encode()


def test_length_and_checksum_are_the_encoders_to_fill_in() -> None:
    assert message((58, "a"), (9, "1"), (10, "000")) == message((58, "a"))


ENVELOPE = {8, 9, 35, 34, 49, 52, 56, 10}
LENGTHS = {length for length, _ in simplefix.data.RAW_DATA}


def test_a_message_has_its_header_in_order() -> None:
    assert message((58, "a"), (122, "x"), (11, "a"), (43, "Y")) == frame(
        "35=8|34=7|43=Y|49=US|52=20260302-14:30:00.000|56=THEM|122=x|58=a|11=a", "FIX.4.4", START
    )


def test_the_first_of_several_fields_is_found() -> None:
    decoded = decode(
        message((448, "first"), (448, "second"), (44, "1.50"), (38, "100"), (60, "20260302-14:30:00"))
    )

    assert decoded[448] == decoded.get(448) == "first"
    assert 448 in decoded
    assert [value for tag, value in decoded.fields if tag == 448] == ["first", "second"]
    assert (decoded.decimal(44), decoded.integer(38), decoded.utc_timestamp(60)) == (
        Decimal("1.50"),
        100,
        START,
    )


def test_a_missing_field_is_named() -> None:
    decoded = decode(message())

    assert decoded.get(tags.PRICE) is None
    assert tags.PRICE not in decoded
    with pytest.raises(MissingTag) as caught:
        decoded.decimal(tags.PRICE)
    assert caught.value.tag == tags.PRICE


def test_repeats_say_so() -> None:
    assert decode(message((43, "Y"))).poss_dup
    assert decode(message((97, "Y"))).poss_resend
    assert not decode(message((43, "N"), (97, "N"))).poss_dup
    assert not decode(message()).poss_resend


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"8=FIX.4.4\x019=5\x0135=0\x01",
        b"8=FIX.4.4\x019=5\x0134=1\x0135=0\x0110=000\x01",
        b"8=FIX.4.4\x019=5\x0135=0\x0134=1\x0111\x0110=000\x01",
        b"8=FIX.4.4\x019=5\x0135=0\x0134=1\x01\x0110=000\x01",
        b"8=FIX.4.4\x019=5\x0135=0\x0134=1\x01a=b\x0110=000\x01",
        b"8=FIX.4.4\x019=5\x0135=0\x0134=1\x01+1=b\x0110=000\x01",
        b"8=FIX.4.4\x019=5\x0135=0\x0134=1\x0195=9\x0196=abc\x0110=000\x01",
        b"8=FIX.4.4\x019=5\x0135=0\x0134=1\x0195=x\x0196=abc\x0110=000\x01",
        b"8=FIX.4.4\x019=5\x0135=0\x0134=1\x0195=1\x0196=a\x01x=1\x0110=000\x01",
        b"8=FIX.4.4\x019=5\x0135=0\x0134=1\x0195=1\x0196=a\x0110=000\x0158=x\x0110=000\x01",
    ],
)
def test_fields_that_are_no_fields(data: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(data)


def test_a_tag_may_be_any_number() -> None:
    decoded = decode(b"8=FIX.4.4\x019=5\x0135=0\x0134=1\x010=a\x01-1=b\x0120001=c\x0110=000\x01")

    assert [decoded[tag] for tag in (0, -1, 20001)] == ["a", "b", "c"]


@pytest.mark.parametrize("number", ["", "-1", "1.0", "x", "\xb2", "9" * 19])
def test_a_number_that_is_none(number: str) -> None:
    with pytest.raises(BadValue) as caught:
        decode(f"8=FIX.4.4\x019=5\x0135=0\x0134={number}\x0110=000\x01".encode("latin-1"))
    assert caught.value.tag == tags.MSG_SEQ_NUM


def test_no_number_at_all() -> None:
    with pytest.raises(MissingTag):
        decode(b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01")


@pytest.mark.parametrize("value", ["", "a\x01b", "a\r", "\n", "\x00", "\u20ac"])
def test_what_fix_cannot_carry_is_refused_and_not_repeated(value: str) -> None:
    assert not sendable(value)
    with pytest.raises(UnsendableValue) as caught:
        message((58, value))
    assert caught.value.tag == 58
    assert not value or value not in str(caught.value)


def test_a_data_field_may_hold_anything_but_must_have_its_length() -> None:
    assert decode(message((95, "3"), (96, "a\x01b")))[96] == "a\x01b"
    with pytest.raises(UnsendableValue):
        message((95, "4"), (96, "a\x01b"))
    with pytest.raises(UnsendableValue):
        message((96, "a\x01b"))


@given(st.binary(max_size=60))
def test_decoding_anything_gives_a_message_or_one_of_our_errors(body: bytes) -> None:
    try:
        decode(b"8=FIX.4.4\x019=5\x0135=0\x0134=1\x01" + body + b"\x0110=000\x01")
    except (Undecodable, MissingTag, BadValue):
        return


SECRETS: list[Fields] = [
    [(554, "canary")],
    [(925, "canary"), (58, "x")],
    [(95, "8"), (96, "x\x01canary")],
    [(90, "8"), (91, "x\x01canary")],
    [(1401, "8"), (1402, "x\x01canary")],
    [(1403, "8"), (1404, "x\x01canary")],
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_masked_logon_is_still_a_frame_and_shows_no_secret(secret: Fields) -> None:
    masked = mask(message((98, "0"), *secret, (108, "30"), msg_type="A"))

    assert b"canary" not in masked
    assert Framer().feed(masked) == [masked]
    assert decode(masked)[secret[-1][0] if secret[-1][0] != 58 else 925] == "***"
    assert decode(masked)[108] == "30"


@pytest.mark.parametrize("secret", SECRETS)
def test_a_piece_of_a_logon_shows_no_secret(secret: Fields) -> None:
    whole = message((98, "0"), *secret, msg_type="A")

    for end in range(len(whole)):
        assert b"canary" not in mask(whole[:end])


def test_what_holds_no_secret_stays_as_it_is() -> None:
    news = message((95, "3"), (96, "abc"), msg_type="B")

    assert mask(news) is news


def test_more_tags_of_a_logon_may_hold_secrets() -> None:
    logon = message((98, "0"), (9001, "canary"), msg_type="A")

    assert decode(mask(logon, {9001}))[9001] == "***"
    assert mask(logon) is logon
    assert b"canary" in mask(message((9001, "canary")), {9001})  # a Logon(A) alone has them


def test_what_the_peer_says_back_of_our_secrets_is_concealed() -> None:
    said = decode(message((37, "xcanaryx"), (58, "canary is wrong, so is 1"), (38, "1")))

    concealed = conceal(said, ("canary", "1"))

    assert (concealed[37], concealed[58], concealed[38]) == ("x***x", "*** is wrong, so is ***", "1")
    assert Framer().feed(concealed.raw) == [concealed.raw]
    assert conceal(said, ("other",)) is said


def test_the_repr_of_a_message_shows_no_field() -> None:
    assert "canary" not in repr(decode(message((554, "canary"))))
