"""Messages for people to read: the specification's names of types and fields, and what enumerated values mean.

Names are those of the message's own version, since versions rename fields; what it does not have is looked for in the
newest one. Meanings are in ``dictionaries/meanings.txt``.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

from fairlead_server.fix import dictionaries, tags
from fairlead_server.fix.dictionary import Dictionary
from fairlead_server.fix.errors import FixError
from fairlead_server.fix.message import decode
from fairlead_server.fix.versions import FIXT

_NEWEST: Final = "FIX.5.0SP2"


@dataclass(frozen=True, slots=True)
class ReadField:
    """One field; ``name`` and ``meaning`` are empty where nobody knows."""

    tag: int
    name: str
    value: str
    meaning: str


def read(frame: bytes) -> list[ReadField]:
    """The fields in their order; none if the frame cannot be taken apart."""
    try:
        message = decode(frame)
    except FixError:
        return []
    begin_string = message[tags.BEGIN_STRING]
    return [
        ReadField(tag, _name(begin_string, tag), value, _meaning(tag, value)) for tag, value in message.fields
    ]


def type_name(begin_string: str, msg_type: str) -> str:
    """As ``NewOrderSingle``; empty for a type that the specification does not have."""
    names = (dictionary.names.get(msg_type, "") for dictionary in _dictionaries(begin_string))
    return next(filter(None, names), "")


def begin_string(frame: bytes) -> str:
    """BeginString(8) of a frame, which need not be whole otherwise."""
    first = frame.partition(b"\x01")[0].decode("latin-1")
    return first.removeprefix("8=")


@lru_cache(1 << 14)
def _name(begin_string: str, tag: int) -> str:
    for dictionary in _dictionaries(begin_string):
        if tag in dictionary.fields:
            return dictionary.fields[tag].name
    return ""


def _dictionaries(begin_string: str) -> list[Dictionary]:
    """An application message does not say which version it is of under FIXT.1.1: the newest knows them all."""
    known = begin_string in dictionaries.TRANSPORTS and begin_string != FIXT
    versions = [begin_string, _NEWEST] if known else [_NEWEST, FIXT]
    return [dictionaries.load(version) for version in versions]


def _meaning(tag: int, value: str) -> str:
    if tag == tags.MSG_TYPE:
        return type_name(_NEWEST, value)
    return _meanings().get((tag, value), "")


@lru_cache
def _meanings() -> dict[tuple[int, str], str]:
    text = (resources.files(dictionaries) / "meanings.txt").read_text(encoding="ascii")
    found: dict[tuple[int, str], str] = {}
    tag = 0
    for line in text.splitlines():
        if line.startswith(" "):
            value, _, meaning = line.strip().partition(" ")
            found[tag, value] = meaning
        elif line and not line.startswith("#"):
            tag = int(line.split()[0])
    return found
