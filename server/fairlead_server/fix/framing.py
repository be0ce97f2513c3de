"""Splits a byte stream into FIX frames and checks each frame's envelope.

A frame's length comes from BodyLength(9), never from a search for ``10=``, which a data field may contain
(FIX 4.4 vol. 1, "Message Format"). Whatever fails is *garbled*: skipped, its MsgSeqNum(34) not consumed, and the peer
finds the gap. The buffer never holds more than one frame of the greatest length allowed, and what one read brought.
"""

import re
from typing import Final, NewType

from fairlead_server.fix.events import Garbled
from fairlead_server.fix.message import check_sum, mask

Frame = NewType("Frame", bytes)
"""A whole message, from ``8=`` to the SOH after CheckSum(10), its length and checksum verified."""

MAX_BODY_LENGTH: Final = 256 * 1024
MAX_LOGON_LENGTH: Final = 8 * 1024

_START: Final = b"8=FIX"
_ENVELOPE: Final = re.compile(rb"8=FIXT?\.[0-9]\.[0-9]\x019=([0-9]{1,9})\x01")
_ENVELOPE_LENGTH: Final = len("8=FIXT.1.1|9=123456789|")
_TRAILER: Final = re.compile(rb"\x0110=([0-9]{3})\x01")
_TRAILER_LENGTH: Final = len("10=123|")
_SHOWN: Final = 64
_MASKED: Final = 1024  # mask before cutting, so that no half of a secret is shown


class Framer:
    """Keeps what is left of one connection's bytes. ``max_body_length`` may be raised once the peer is known."""

    def __init__(self, max_body_length: int = MAX_BODY_LENGTH) -> None:
        self.max_body_length = max_body_length
        self._buffer = bytearray()
        self._in_junk = False  # one run of junk is reported once, however many reads it spans

    def feed(self, data: bytes) -> list[Frame | Garbled]:
        self.push(data)
        return list(iter(self.pop, None))

    def push(self, data: bytes) -> None:
        self._buffer += data

    def pop(self) -> Frame | Garbled | None:
        """The next frame, or what was skipped on the way to it; None until more is pushed."""
        while self._buffer:
            start = self._buffer.find(_START)
            if start != 0:
                junk = start if start > 0 else len(self._buffer) - self._partial_start()
                skipped = self._skip(junk, "not the start of a message")
                if skipped is not None:
                    return skipped
                if start < 0:
                    return None
            envelope = _ENVELOPE.match(self._buffer)
            if envelope is not None:
                return self._frame(envelope.end(), int(envelope[1]))
            if len(self._buffer) < _ENVELOPE_LENGTH:
                return None
            skipped = self._skip(len(_START), "BeginString(8) or BodyLength(9) out of place")
            if skipped is not None:
                return skipped
        return None

    def _frame(self, body: int, length: int) -> Frame | Garbled | None:
        end = body + length
        if length > self.max_body_length:
            return self._garbled("BodyLength(9) above the limit")
        if len(self._buffer) < end + _TRAILER_LENGTH:
            return None
        trailer = _TRAILER.match(self._buffer, end - 1)
        if trailer is None:
            return self._garbled("BodyLength(9) does not lead to CheckSum(10)", self._claimed(body, end))
        claimed = int(trailer[1])
        frame = bytes(self._buffer[: end + _TRAILER_LENGTH])
        # All of it, right or wrong: its length was right, and what it holds need not be searched.
        del self._buffer[: len(frame)]
        self._in_junk = False
        if not frame.startswith(b"35=", body):
            return Garbled(mask(frame)[:_SHOWN], "MsgType(35) is not the third field")
        if check_sum(frame[:-_TRAILER_LENGTH]) != claimed:
            return Garbled(mask(frame)[:_SHOWN], "CheckSum(10) is wrong")
        return Frame(frame)

    def _partial_start(self) -> int:
        """How many of the last bytes could begin a message."""
        return next((n for n in range(len(_START) - 1, 0, -1) if self._buffer.endswith(_START[:n])), 0)

    def _claimed(self, body: int, end: int) -> int:
        """How much a message whose BodyLength(9) is wrong takes with it.

        One that was cut short, nothing: another message begins in what is missing. One that is whole and says that it
        is longer, all that it says, for it may be that the start in it is data (so do peers).
        """
        following = self._buffer.find(_START, body, end + len(_START) - 1)
        whole = following > 0 and _TRAILER.match(self._buffer, following - _TRAILER_LENGTH - 1) is not None
        return end if whole else len(_START)

    def _garbled(self, reason: str, length: int = len(_START)) -> Garbled | None:
        """The message at hand is wrong; up to the next start, the rest of it is no news."""
        self._in_junk = False
        return self._skip(length, reason)

    def _skip(self, length: int, reason: str) -> Garbled | None:
        if not length:
            return None
        garbled = None
        if not self._in_junk:
            shown = mask(bytes(self._buffer[:_MASKED])).partition(_START)
            garbled = Garbled((shown[0] or _START + shown[2].partition(_START)[0])[:_SHOWN], reason)
        self._in_junk = True
        del self._buffer[:length]
        return garbled
