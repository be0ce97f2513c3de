"""Numbers, encodes and orders all that one connection sends.

A number is either written live or inside a frozen resend range, never both (quickfix#268): while a
ResendRequest(2) waits for its answer, what is sent is numbered and journalled, and its bytes wait behind the answer.
So numbers reach the wire in their order, and the peer's wish for "all up to the last" has an end.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from fairlead_server.fix import resend
from fairlead_server.fix.events import ResendWanted
from fairlead_server.fix.message import Fields, encode, mask
from fairlead_server.fix.terms import Numbers, Ready, Sent, SessionConfig
from fairlead_server.fix.values import write_utc_timestamp


class Outbox:
    def __init__(self, config: SessionConfig, connection: int, numbers: Numbers, now: datetime) -> None:
        self.next_out = numbers.next_out
        self.written_at = now
        self._config = config
        self._connection = connection
        self._epoch = numbers.epoch
        self._written = numbers.next_out - 1
        self._asked: deque[tuple[int, ResendWanted]] = deque()  # with where the peer's wish begins
        self._held = bytearray()

    @property
    def answering(self) -> bool:
        return bool(self._asked)

    def put(self, ready: Ready, msg_type: str, fields: Fields, now: datetime) -> None:
        """Raises UnsendableValue, before anything has changed, if a value cannot be sent."""
        config = self._config
        frame = encode(
            config.begin_string,
            msg_type,
            config.sender_comp_id,
            config.target_comp_id,
            self.next_out,
            write_utc_timestamp(now, digits=config.time_digits),
            fields,
        )
        ready.journal.append(Sent(self.next_out, msg_type, now, mask(frame, config.secret_tags), self._epoch))
        if self._asked:
            self._held += frame
        else:
            ready.wire += frame
            self._written = self.next_out
        self.next_out += 1
        self.written_at = now

    @property
    def last_written(self) -> int:
        """The highest number that a ResendRequest(2) may mean."""
        return self._written

    def freeze(self, begin: int, end: int) -> ResendWanted:
        """What is too old to be sent again need not be read."""
        oldest = min(max(begin, self._oldest(end)), end)
        wanted = ResendWanted(oldest, end, self._epoch, self._connection, oldest - begin)
        self._asked.append((begin, wanted))
        return wanted

    def _oldest(self, end: int) -> int:
        return end - self._config.resend_max + 1

    def answer(
        self, ready: Ready, wanted: ResendWanted, stored: Sequence[Sent], header: Fields, now: datetime
    ) -> None:
        """Answer the oldest range, or the first part of it; ignore what this connection did not ask for."""
        if not self._asked or not _starts(wanted, self._asked[0][1]):
            return
        begin, asked = self._asked.popleft()
        recent = [sent for sent in stored if sent.msg_seq_num >= self._oldest(asked.end)]
        ready.wire += resend.replay(self._config, begin, wanted.end, recent, header, now)
        self.written_at = now
        if wanted.end < asked.end:
            begin = wanted.end + 1
            self._asked.appendleft((begin, replace(asked, begin=begin)))
        elif not self._asked:
            ready.wire += self._held
            self._held.clear()
            self._written = self.next_out - 1


def _starts(part: ResendWanted, whole: ResendWanted) -> bool:
    return replace(part, end=whole.end) == whole and part.begin <= part.end <= whole.end
