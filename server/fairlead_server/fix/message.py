"""One FIX message: decoding a frame into its fields, encoding fields into a frame, masking its secrets.

Decoding splits at SOH and ``=``, which is ten times faster than a parser that looks at each byte; a message that
carries raw data, which may contain SOH, goes through simplefix. Encoding joins; simplefix is its oracle in the tests.
Text is Latin-1 both ways, so that every byte survives.
"""

import re
from collections.abc import Collection, KeysView, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import repeat
from typing import Final
from zlib import adler32

import simplefix
from msgspec import Struct
from simplefix.data import RAW_DATA
from simplefix.errors import ParsingError

from fairlead_server.fix import tags, values
from fairlead_server.fix.errors import BadValue, FixError, MissingTag, Undecodable, UnsendableValue

Fields = Sequence[tuple[int, str]]
"""A message's body in order, with optional fields of the header anywhere in it, without a trailer."""

# Text forms of all tags that are likely, so that a tag costs one look-up.
_TAGS: Final = {str(tag): tag for tag in range(1, 1200)}
_TAG: Final = re.compile(r"-?[0-9]{1,9}")
RAW_LENGTHS: Final = frozenset(length for length, _ in RAW_DATA)
"""Fields that say how long the raw data behind them is."""
_RAW_DATA: Final = {data: length for length, data in RAW_DATA}

_MAX_SEQ_NUM_DIGITS: Final = 18  # fits the 64 bits of a database's integer
_UNSENDABLE: Final = re.compile(r"[\x00\x01\r\n]|[^\x00-\xff]")

_FILLED_IN: Final = frozenset({tags.BODY_LENGTH, tags.CHECK_SUM})
# How each field of a body begins. Not of the header, which has an order of its own, nor of what is filled in.
_BEGINNINGS: Final = {tag: f"{tag}=" for tag in _TAGS.values() if tag not in tags.HEADER | _FILLED_IN}
_SUMMED: Final = 256  # bytes whose sum is below Adler-32's modulus, 65,521

_MASK: Final = "***"
_TELLING: Final = 4  # characters; what is shorter is in many a number
_SECRETS: Final = (
    tags.PASSWORD,
    tags.NEW_PASSWORD,
    tags.SECURE_DATA,
    tags.ENCRYPTED_PASSWORD,
    tags.ENCRYPTED_NEW_PASSWORD,
)
_SECRET: Final = re.compile(rb"\x01(?:%b)=" % b"|".join(b"%d" % tag for tag in _SECRETS))
_SECRET_TEXT: Final = re.compile(rb"(\x01(?:554|925)=)[^\x01]*")
_SECRET_DATA: Final = re.compile(rb"(\x01(?:91|96|1402|1404)=).*", re.DOTALL)


class Fieldset(Struct, frozen=True):
    """Fields by tag; of several with the same tag the first. Its repr shows none: there may be secrets."""

    _first: dict[int, str]

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @property
    def tags(self) -> KeysView[int]:
        return self._first.keys()

    def get(self, tag: int) -> str | None:
        return self._first.get(tag)

    def __getitem__(self, tag: int) -> str:
        try:
            return self._first[tag]
        except KeyError:
            raise MissingTag(tag) from None

    def __contains__(self, tag: int) -> bool:
        return tag in self._first

    def integer(self, tag: int) -> int:
        return values.read_int(tag, self[tag])

    def decimal(self, tag: int) -> Decimal:
        return values.read_decimal(tag, self[tag])

    def utc_timestamp(self, tag: int) -> datetime:
        return values.read_utc_timestamp(tag, self[tag])


class Message(Fieldset, frozen=True):
    """A decoded message; its fields in the order of arrival, as text."""

    msg_type: str
    msg_seq_num: int
    fields: Fields
    raw: bytes

    def __repr__(self) -> str:
        return f"Message(msg_type={self.msg_type!r}, msg_seq_num={self.msg_seq_num})"

    @property
    def poss_dup(self) -> bool:
        return self._first.get(tags.POSS_DUP_FLAG) == "Y"

    @property
    def poss_resend(self) -> bool:
        return self._first.get(tags.POSS_RESEND) == "Y"


def decode(frame: bytes) -> Message:
    """Take a frame from the framer, or from the journal, apart.

    Raises Undecodable if its fields are not fields, and MissingTag or BadValue if it has no usable MsgSeqNum(34).
    """
    fields = _split(frame)
    first = dict(fields)
    if not RAW_LENGTHS.isdisjoint(first):
        fields = _split_raw_data(frame)
        first = dict(fields)
    if len(first) < len(fields):
        first = dict(reversed(fields))
    if len(fields) < 4 or (fields[0][0], fields[1][0], fields[2][0], fields[-1][0]) != (8, 9, 35, 10):  # noqa: PLR2004 - tag numbers
        raise Undecodable("BeginString(8), BodyLength(9), MsgType(35) or CheckSum(10) out of place")
    seq_num = first.get(tags.MSG_SEQ_NUM)
    if seq_num is None:
        raise MissingTag(tags.MSG_SEQ_NUM)
    if not seq_num.isdecimal() or len(seq_num) > _MAX_SEQ_NUM_DIGITS:
        raise BadValue(tags.MSG_SEQ_NUM, seq_num, "a SeqNum")
    return Message(first, fields[2][1], int(seq_num), fields, frame)


def encode(
    begin_string: str,
    msg_type: str,
    sender_comp_id: str,
    target_comp_id: str,
    msg_seq_num: int,
    sending_time: str,
    fields: Fields = (),
) -> bytes:
    """A whole frame: 8, 9, 35, the rest of the header by ascending tag, then the body as given.

    Raises UnsendableValue for a value that is empty or that FIX cannot carry.
    """
    try:
        body = "\x01".join([_BEGINNINGS[tag] + value for tag, value in fields])
    except KeyError:  # a tag that is rare, or one of the header
        body = ""
    head = f"35={msg_type}\x0134={msg_seq_num}\x0149={sender_comp_id}\x0152={sending_time}\x0156={target_comp_id}\x01"
    rest = f"{head}{body}\x01"
    if body and _regular(rest, 5 + len(fields)):
        return _enveloped(begin_string, rest)
    header = [
        (tags.MSG_SEQ_NUM, str(msg_seq_num)),
        (tags.SENDER_COMP_ID, sender_comp_id),
        (tags.SENDING_TIME, sending_time),
        (tags.TARGET_COMP_ID, target_comp_id),
    ]
    return _encode_carefully(begin_string, msg_type, header, fields)


def _encode_carefully(begin_string: str, msg_type: str, header: Fields, fields: Fields) -> bytes:
    """The header has more fields, or one of the values is such that each has to be looked at."""
    more = [field for field in fields if field[0] in tags.HEADER]
    body = [field for field in fields if field[0] not in tags.HEADER]
    whole = [(tags.BEGIN_STRING, begin_string), (tags.MSG_TYPE, msg_type)]
    whole += [*sorted([*header, *more], key=_tag), *body]
    _check(whole)
    return _render(whole)


def check_sum(data: bytes) -> int:
    """CheckSum(10). Adler-32's lower half is one more than the sum of the bytes, for which Python alone takes twice as long."""
    return sum([(adler32(data[at : at + _SUMMED]) & 0xFFFF) - 1 for at in range(0, len(data), _SUMMED)]) % 256


def sendable(text: str) -> bool:
    """Whether ``encode`` takes this value."""
    return bool(text) and _UNSENDABLE.search(text) is None


def mask(data: bytes, more: Collection[int] = ()) -> bytes:
    """The same bytes with every secret replaced by ``***``: for journal, log, metric and error alike.

    ``more`` are tags that hold secrets in this session. A frame stays a frame, its length and checksum right. In anything
    else raw data is cut off where it begins.
    """
    logon = b"\x0135=A\x01" in data
    if not (_SECRET.search(data) or (logon and (more or b"\x0196=" in data))):
        return data
    try:
        fields = decode(data).fields
    except FixError:
        return _SECRET_DATA.sub(rb"\1***", _SECRET_TEXT.sub(rb"\1***", data))
    return _render(_masked(fields, (*_SECRETS, *more, tags.RAW_DATA) if logon else _SECRETS))


def conceal(message: Message, secrets: Collection[str]) -> Message:
    """The message without our secrets, should the peer say them back; short ones are looked for in Text(58) alone."""
    if not secrets or not any(secret.encode("latin-1") in message.raw for secret in secrets):
        return message
    return decode(_render([(tag, _concealed(tag, value, secrets)) for tag, value in message.fields]))


def _concealed(tag: int, value: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        if len(secret) >= _TELLING or tag == tags.TEXT:
            value = value.replace(secret, _MASK)
    return value


def _masked(fields: Fields, secrets: tuple[int, ...]) -> Fields:
    shown: list[tuple[int, str]] = []
    for tag, value in fields:
        secret = tag in secrets
        if secret and shown and shown[-1][0] == _RAW_DATA.get(tag):
            shown[-1] = (shown[-1][0], str(len(_MASK)))
        shown.append((tag, _MASK if secret else value))
    return shown


def _tag(field: tuple[int, str]) -> int:
    return field[0]


def _regular(text: str, count: int) -> bool:
    """Whether these are so many fields of printable ASCII, none of them empty. If not they may be right all the same."""
    printable = text.isascii() and text.replace("\x01", "").isprintable()
    return printable and text.count("\x01") == count and "=\x01" not in text


def _check(fields: Fields) -> None:
    before = (0, "")
    for tag, value in fields:
        raw = tag in _RAW_DATA and before == (_RAW_DATA[tag], str(len(value)))
        if not raw and not sendable(value):
            raise UnsendableValue(tag, "empty, or holds a character that FIX cannot carry")
        before = (tag, value)


def _render(fields: Fields) -> bytes:
    """BodyLength(9) and CheckSum(10) are filled in, whatever ``fields``, which begin with BeginString(8), say of them."""
    rest = "".join([f"{tag}={value}\x01" for tag, value in fields[1:] if tag not in _FILLED_IN])
    return _enveloped(fields[0][1], rest)


def _enveloped(begin_string: str, rest: str) -> bytes:
    body = rest.encode("latin-1")
    counted = b"8=%b\x019=%d\x01%b" % (begin_string.encode("latin-1"), len(body), body)
    return b"%b10=%03d\x01" % (counted, check_sum(counted))


def _split(frame: bytes) -> list[tuple[int, str]]:
    parts = frame[:-1].decode("latin-1").split("\x01")
    try:
        fields = [
            (_TAGS[tag], value) for tag, equals, value in map(str.partition, parts, repeat("=")) if equals
        ]
    except KeyError:
        fields = []
    return fields if len(fields) == len(parts) else _split_carefully(frame, parts)


def _split_carefully(frame: bytes, parts: list[str]) -> list[tuple[int, str]]:
    """A tag that is rare or none, or a part without ``=``, which may be a piece of raw data."""
    fields: list[tuple[int, str]] = []
    for part in parts:
        tag, equals, value = part.partition("=")
        if not equals or _TAG.fullmatch(tag) is None:
            if RAW_LENGTHS.isdisjoint(dict(fields)):
                raise Undecodable("a field that is not tag=value")
            return _split_raw_data(frame)
        fields.append((int(tag), value))
    return fields


def _split_raw_data(frame: bytes) -> list[tuple[int, str]]:
    parser = simplefix.FixParser(allow_empty_values=True, strip_fields_before_begin_string=False)
    parser.append_buffer(frame)
    try:
        message = parser.get_message()
    except ParsingError:
        message = None
    if message is None or parser.get_buffer():
        raise Undecodable("raw data that does not have its length")
    return [(int(tag), value.decode("latin-1")) for tag, value in message.pairs]
