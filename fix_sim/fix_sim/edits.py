"""What a scenario makes a message say otherwise: fields of it replaced, added or left out, and what befalls it on the wire."""

from enum import Enum

from fairlead_server.fix.message import Fields
from msgspec import Struct


class OnWire(Enum):
    """What becomes of one frame between its session, which has numbered and journalled it, and the peer."""

    WHOLE = "whole"
    LOST = "lost"  # never written: the peer finds a gap
    TWICE = (
        "twice"  # the second one comes with a number that is too low, and does not say that it is a repeat
    )
    SPLIT = "split"  # in pieces, each written by itself
    CUT = "cut"  # half of it, then the connection ends
    BAD_CHECKSUM = "bad_checksum"
    BAD_LENGTH = "bad_length"


class Edits(Struct, frozen=True):
    """``replaced`` fields take the place of those with the same tag, or go to the end."""

    replaced: tuple[tuple[int, str], ...] = ()
    left_out: frozenset[int] = frozenset()
    on_wire: OnWire = OnWire.WHOLE

    def apply(self, fields: Fields) -> Fields:
        new = dict(self.replaced)
        kept = [(tag, new.pop(tag, text)) for tag, text in fields if tag not in self.left_out]
        return [*kept, *new.items()]


NO_EDITS = Edits()
