"""A venue that is never the bottleneck: takes every order, fills it whole at once, one connection at a time.

It answers what a FIX 4.4 session needs to live (FIX 4.4 vol. 2) and each NewOrderSingle(D) with two ExecutionReports(8),
New and Trade, rendered by one substitution into bytes prepared at import. It is strict where leniency would flatter the
figures: a wrong CheckSum(10) or a gap in MsgSeqNum(34) ends it, and a ResendRequest(2) is answered with a gap fill, so
that reports which were not taken the first time show as orders that were lost.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

SOH = b"\x01"

_HEARTBEAT_SECONDS = 30.0
_READ = 1 << 18
_BEGIN = b"8=FIX.4.4\x019="
_TRAILER = len(b"10=123\x01")

_HEADER = b"35=%b\x0149=VENUE\x0156=FAIRLEAD\x0134=%d\x0152=%b\x01"
_REPORT = (
    b"35=8\x0149=VENUE\x0156=FAIRLEAD\x0134=%d\x0152=%b\x01"
    b"37=V%d\x0111=%b\x0117=%b%d\x01150=%b\x0139=%b\x011=%b\x0155=%b\x0154=%b\x0138=%b\x0140=2\x0144=%b\x01"
    b"32=%b\x0131=%b\x01151=%b\x0114=%b\x016=%b\x0160=%b\x01"
)

Fields = dict[bytes, bytes]


class BrokenSession(Exception):
    """The router broke a rule of the session; what was measured then is worth nothing."""


class Venue:
    """The session and its orders, without a socket."""

    def __init__(self, next_in: int, next_out: int) -> None:
        self.orders = 0
        self._next_in = next_in
        self._next_out = next_out
        self._buffer = bytearray()

    def connected(self) -> None:
        self._buffer.clear()

    def receive(self, data: bytes, now: bytes) -> bytes:
        """The bytes to send in answer. ``now`` is a UTCTimestamp."""
        self._buffer += data
        return b"".join([self._answer(fields, now) for fields in self._messages()])

    def heartbeat(self, now: bytes) -> bytes:
        return self._message(b"0", b"", now)

    def _messages(self) -> Iterator[Fields]:
        while (frame := self._frame()) is not None:
            fields = dict(part.split(b"=", 1) for part in frame[:-1].split(SOH))
            if b"%03d" % (sum(frame[:-_TRAILER]) % 256) != fields[b"10"]:
                raise BrokenSession(f"CheckSum(10) is wrong: {frame!r}")
            if int(fields[b"34"]) != self._next_in:
                raise BrokenSession(f"MsgSeqNum(34) is not {self._next_in}: {frame!r}")
            self._next_in += 1
            yield fields

    def _frame(self) -> bytes | None:
        length_end = self._buffer.find(SOH, len(_BEGIN))
        if length_end < 0:
            return None
        if not self._buffer.startswith(_BEGIN):
            raise BrokenSession(f"not the start of a message: {bytes(self._buffer[:64])!r}")
        end = length_end + 1 + int(self._buffer[len(_BEGIN) : length_end]) + _TRAILER
        if len(self._buffer) < end:
            return None
        frame = bytes(self._buffer[:end])
        del self._buffer[:end]
        return frame

    def _answer(self, fields: Fields, now: bytes) -> bytes:
        match fields[b"35"]:
            case b"D":
                return self._fill(fields, now)
            case b"0":
                return b""
            case b"1":
                return self._message(b"0", b"112=%b\x01" % fields[b"112"], now)
            case b"A":
                return self._message(b"A", b"98=0\x01108=%b\x01" % fields[b"108"], now)
            case b"2":
                return self._gap_fill(int(fields[b"7"]), now)
            case b"5":
                return self._message(b"5", b"", now)
            case other:
                raise BrokenSession(f"MsgType(35) {other!r} has no place in this benchmark")

    def _fill(self, order: Fields, now: bytes) -> bytes:
        self.orders += 1
        quantity, price = order[b"38"], order[b"44"]
        new = self._report(order, now, b"N", b"0", b"0", (b"0", b"0", quantity, b"0", b"0"))
        return new + self._report(order, now, b"T", b"F", b"2", (quantity, price, b"0", quantity, price))

    def _report(
        self,
        order: Fields,
        now: bytes,
        exec_id: bytes,
        exec_type: bytes,
        ord_status: bytes,
        amounts: tuple[bytes, bytes, bytes, bytes, bytes],
    ) -> bytes:
        """``amounts`` are LastQty(32), LastPx(31), LeavesQty(151), CumQty(14), AvgPx(6)."""
        number, self._next_out = self._next_out, self._next_out + 1
        return _framed(
            _REPORT
            % (
                number,
                now,
                self.orders,
                order[b"11"],
                exec_id,
                self.orders,
                exec_type,
                ord_status,
                order[b"1"],
                order[b"55"],
                order[b"54"],
                order[b"38"],
                order[b"44"],
                *amounts,
                now,
            )
        )

    def _gap_fill(self, begin: int, now: bytes) -> bytes:
        fields = b"43=Y\x01122=%b\x01123=Y\x0136=%d\x01" % (now, self._next_out)
        return _framed(_HEADER % (b"4", begin, now) + fields)

    def _message(self, msg_type: bytes, fields: bytes, now: bytes) -> bytes:
        number, self._next_out = self._next_out, self._next_out + 1
        return _framed(_HEADER % (msg_type, number, now) + fields)


def _framed(body: bytes) -> bytes:
    head = b"%b%d\x01%b" % (_BEGIN, len(body), body)
    return b"%b10=%03d\x01" % (head, sum(head) % 256)


def _now() -> bytes:
    return datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3].encode()


def _converse(connection: socket.socket, venue: Venue) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(_HEARTBEAT_SECONDS)
    venue.connected()
    while True:
        try:
            data = connection.recv(_READ)
        except TimeoutError:
            connection.sendall(venue.heartbeat(_now()))
            continue
        if not data:
            return
        connection.sendall(venue.receive(data, _now()))


def _serve(port: int, venue: Venue) -> None:
    with socket.create_server(("127.0.0.1", port)) as listener:
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
        while True:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):
                _converse(connection, venue)


def main() -> None:
    """Until SIGTERM; then says how many orders there were."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.venue", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--next-in", type=int, default=1)
    parser.add_argument("--next-out", type=int, default=1)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    venue = Venue(arguments.next_in, arguments.next_out)
    try:
        _serve(arguments.port, venue)
    finally:
        print(json.dumps({"orders": venue.orders}), flush=True)


if __name__ == "__main__":
    main()
