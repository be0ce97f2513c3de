"""Messages that are known by heart.

Of one type of message a peer sends nearly all with the same tags in the same order: a shape. Once a shape has often been
right, one regular expression takes its messages apart and judges their values, which is three times as fast as to do the
one after the other. What matches none is read and judged as any message is, and the outcome is the same.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fairlead_server.fix import tags
from fairlead_server.fix.message import RAW_LENGTHS, Message

Pattern = Callable[[str, int, str], str]
"""What a value must match, by the MsgType(35), the tag, and a value that was right there."""

_OFTEN: Final = 16  # how many have been right before an expression is made, for it takes milliseconds
_MOST: Final = 64  # expressions
_MOST_ALIKE: Final = 8  # of as many fields, which are tried one after the other
_MOST_COUNTED: Final = 1_000  # shapes that have not been right often enough


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
    """Those of one dictionary, or of none. The verdict on a message must depend on nothing but what ``pattern`` is given."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._known: dict[int, list[_Shape]] = {}  # by the number of fields
        self._count = 0
        self._right: dict[tuple[object, ...], int] = {}  # how often, by type and tags

    def read(self, frame: bytes) -> Message | None:
        """The message, which is right; None if it has no shape that is known."""
        shapes = self._known.get(frame.count(b"\x01"))
        if shapes is None:
            return None
        text = frame.decode("latin-1")
        for shape in shapes:
            message = shape.read(text, frame)
            if message is not None:
                return message
        return None

    def learn(self, message: Message) -> None:
        """It was right. One with raw data has no shape, nor has one that says which dictionary it is judged by."""
        alike = self._known.get(len(message.fields), ())
        full = self._count == _MOST or len(alike) == _MOST_ALIKE
        if full or tags.APPL_VER_ID in message or not RAW_LENGTHS.isdisjoint(message.tags):
            return
        shape = (message.msg_type, *[tag for tag, _ in message.fields])
        if len(self._right) >= _MOST_COUNTED:
            self._right.clear()
        self._right[shape] = often = self._right.get(shape, 0) + 1
        if often == _OFTEN:
            self._known.setdefault(len(message.fields), []).append(self._made(message))
            self._count += 1

    def _made(self, message: Message) -> _Shape:
        patterns = [
            re.escape(value) if tag == tags.MSG_TYPE else self._pattern(message.msg_type, tag, value)
            for tag, value in message.fields
        ]
        present = [tag for tag, _ in message.fields]
        whole = "".join(f"{tag}=({pattern})\x01" for tag, pattern in zip(present, patterns, strict=True))
        return _Shape(present, re.compile(whole).fullmatch, len(message.tags) < len(present))
