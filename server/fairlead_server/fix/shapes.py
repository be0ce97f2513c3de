"""Messages that are known by heart.

Of one type of message a peer sends nearly all with the same tags in the same order: a shape. Once a shape has often been
right, one regular expression takes its messages apart and judges their values, which is three times as fast as to do the
one after the other. What matches none is read and judged as any message is, and the outcome is the same.

A peer may say what it likes: what is long has no shape, and of shapes there are so many and no more.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fairlead_server.fix import tags
from fairlead_server.fix.formats import PATTERNS
from fairlead_server.fix.message import RAW_LENGTHS, Message

Pattern = Callable[[int, str], str]
"""What the values of a tag must match, given one that was right. Without groups, and without going back."""

_OFTEN: Final = 4  # how many have been right before an expression is made, for it takes milliseconds
_MOST: Final = 64  # expressions
_MOST_ALIKE: Final = 8  # of as many fields, which are tried one after the other
_MOST_COUNTED: Final = 256  # shapes that have not been right often enough
_MOST_FIELDS: Final = 100
_LONGEST: Final = 2_048  # bytes of a message


@dataclass(frozen=True, slots=True)
class _Shape:
    tags: Sequence[int]
    match: Callable[[str], re.Match[str] | None]
    repeats: bool  # a tag

    def read(self, text: str, frame: bytes) -> Message | None:
        match = self.match(text)
        if match is None:
            return None
        fields = list(zip(self.tags, match.groups(), strict=True))
        first = dict(reversed(fields)) if self.repeats else dict(fields)
        return Message(first, first[tags.MSG_TYPE], int(first[tags.MSG_SEQ_NUM]), fields, frame)


class Shapes:
    """Those that one connection has brought. What is wrong with a message must depend on nothing but its tags and ``patterns``."""

    def __init__(self, patterns: Callable[[str], Pattern]) -> None:
        """``patterns`` are by MsgType(35)."""
        self._patterns = patterns
        self._known: dict[int, list[_Shape]] = {}  # by the number of fields
        self._count = 0
        self._heard: dict[tuple[object, ...], int] = {}  # how often it was right, by type and tags

    def read(self, frame: bytes) -> Message | None:
        """The message, which is right; None if it has no shape that is known."""
        shapes = self._known.get(frame.count(b"\x01"))
        if shapes is None or len(frame) > _LONGEST:
            return None
        text = frame.decode("latin-1")
        for shape in shapes:
            message = shape.read(text, frame)
            if message is not None:
                return message
        return None

    def learn(self, message: Message) -> None:
        """It was right. One with raw data has no shape, nor has one that says which dictionary it is judged by."""
        size = len(message.fields)
        full = self._count == _MOST or len(self._known.get(size, ())) == _MOST_ALIKE
        if full or size > _MOST_FIELDS or len(message.raw) > _LONGEST:
            return
        if tags.APPL_VER_ID in message or not RAW_LENGTHS.isdisjoint(message.tags):
            return
        shape = (message.msg_type, *[tag for tag, _ in message.fields])
        if len(self._heard) >= _MOST_COUNTED:
            self._heard.clear()
        self._heard[shape] = often = self._heard.get(shape, 0) + 1
        if often == _OFTEN:
            self._known.setdefault(size, []).append(self._made(message))
            self._count += 1

    def _made(self, message: Message) -> _Shape:
        given = self._patterns(message.msg_type)

        def pattern(tag: int, value: str) -> str:
            if tag == tags.MSG_SEQ_NUM:
                return PATTERNS["SEQNUM"]  # whatever the dictionary says, ``decode`` takes no other
            return re.escape(value) if tag == tags.MSG_TYPE else given(tag, value)

        whole = "".join(f"{tag}=({pattern(tag, value)})\x01" for tag, value in message.fields)
        present = [tag for tag, _ in message.fields]
        return _Shape(present, re.compile(whole).fullmatch, len(message.tags) < len(present))
