"""What lies between a client's session and its connection: nothing, until a scenario breaks something. Pure.

A frame is numbered and journalled before it comes here, so whatever befalls it here the peer may ask for it again.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from fairlead_server.fix.framing import Framer
from fairlead_server.fix.message import Fields, decode, encode
from fairlead_server.fix.values import write_utc_timestamp

from fix_sim.edits import OnWire

_SENDING_TIME = 52
_HEADER = (8, 9, 35, 49, 56, 34, _SENDING_TIME)
_CHECKSUM = 10
_PIECES = 3


class Wire(Protocol):
    """Bytes to write; each of ``cuts`` ends a write of its own. ``close`` says why the connection ends behind them."""

    wire: bytearray
    cuts: list[int]
    close: str


@dataclass(slots=True)
class Line:
    """One owner: the broker. What is broken stays so over connections, but a stall ends with its connection."""

    skew: timedelta = timedelta()  # added to SendingTime(52)
    left: int | None = None  # frames until the connection ends
    stalled_until: datetime | None = None
    reset: bool = False  # the next Logon(A) says ResetSeqNumFlag(141)=Y
    _unread: bytearray = field(default_factory=bytearray)
    _unwritten: bytearray = field(default_factory=bytearray)

    def write(self, to: Wire, data: bytes | bytearray, on_wire: OnWire = OnWire.WHOLE) -> None:
        """Nothing follows the end of a connection."""
        if to.close or not data:
            return
        if not self._faultless or on_wire is not OnWire.WHOLE:
            for frame in _frames(bytes(data)):
                self._write_frame(to, frame, on_wire)
            return
        to.wire += data

    def read(self, data: bytes) -> bytes:
        """What of it is heard now."""
        if self.stalled_until is None:
            return data
        self._unread += data
        return b""

    def resume(self, to: Wire) -> bytes:
        """A stall is over: write what has waited; what has been heard meanwhile is returned."""
        self.stalled_until = None
        to.wire += self._unwritten
        unread = bytes(self._unread)
        self._forget()
        return unread

    def disconnected(self) -> None:
        self.stalled_until = self.left = None
        self._forget()

    @property
    def _faultless(self) -> bool:
        return not (self.skew or self.left is not None or self.stalled_until or self.reset)

    def _forget(self) -> None:
        self._unread.clear()
        self._unwritten.clear()

    def _write_frame(self, to: Wire, frame: bytes, on_wire: OnWire) -> None:
        if to.close:
            return
        frame = self._altered(frame)
        if self.stalled_until is not None:
            self._unwritten += b"" if on_wire is OnWire.LOST else frame
            return
        begin = len(to.wire)
        to.wire += _on_wire(frame, on_wire)
        if on_wire is OnWire.SPLIT:
            step = max(len(frame) // _PIECES, 1)
            to.cuts += range(begin + step, len(to.wire), step)
        if on_wire is OnWire.CUT:
            to.close = "a scenario cuts a message in two"
        self._count(to)

    def _count(self, to: Wire) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.left = None
                to.close = to.close or "a scenario ends the connection after so many messages"

    def _altered(self, frame: bytes) -> bytes:
        if self.skew:
            sent = decode(frame).utc_timestamp(_SENDING_TIME)
            frame = rewritten(frame, sending_time=sent + self.skew)
        if self.reset and decode(frame).msg_type == "A":
            self.reset = False
            frame = rewritten(frame, more=[(141, "Y")])
        return frame


def rewritten(
    frame: bytes,
    *,
    msg_type: str | None = None,
    number: int | None = None,
    sending_time: datetime | None = None,
    fields: Fields | None = None,
    more: Fields = (),
) -> bytes:
    """The same message saying something else, its length and checksum right."""
    message = decode(frame)
    body = [(tag, text) for tag, text in message.fields if tag not in (*_HEADER, _CHECKSUM)]
    return encode(
        message[8],
        msg_type or message.msg_type,
        message[49],
        message[56],
        number or message.msg_seq_num,
        message[_SENDING_TIME] if sending_time is None else write_utc_timestamp(sending_time),
        [*(body if fields is None else fields), *more],
    )


def _on_wire(frame: bytes, on_wire: OnWire) -> bytes:
    match on_wire:
        case OnWire.LOST:
            return b""
        case OnWire.TWICE:
            return frame + frame
        case OnWire.CUT:
            return frame[: len(frame) // 2]
        case OnWire.BAD_CHECKSUM:
            return frame[:-4] + b"%03d\x01" % ((int(frame[-4:-1]) + 1) % 256)
        case OnWire.BAD_LENGTH:
            begin = frame.index(b"\x019=") + 3
            end = frame.index(b"\x01", begin)
            return frame[:begin] + b"%d" % (int(frame[begin:end]) + 1) + frame[end:]
        case _:
            return frame


def _frames(data: bytes) -> list[bytes]:
    return [frame for frame in Framer().feed(data) if isinstance(frame, bytes)]
