"""A session's life as bytes, any bytes, played against a session while its promises are checked.

The first line says by its bytes which session it is (see ``_config``) and how far its life has come. Each other line
is one thing that happens, so that what a fuzzer finds can be read and written by hand; ``|`` stands for SOH:

    =35=0|112=x     the peer sends this with the number that is due, the rest of its header and a right envelope
    +<35=0          the same, with a number too high by as much as ``<`` is above ``0``
    -135=0          the same, too low by as much as ``1`` is above ``0``
    @a              so many seconds pass as the byte says, then the session is woken
    ?               the journal answers what the peer has asked for
    !               we send
    ~               we refuse what arrived last
    $text           we log out
    ^               the connection breaks and there is a new one
    anything else   arrives as it stands
"""

import re
from datetime import datetime, timedelta
from typing import Final

from fairlead_server.fix import events
from fairlead_server.fix.framing import Framer
from fairlead_server.fix.message import Message, decode, sendable
from fairlead_server.fix.session import Numbers, Ready, Role, Sent, Session, SessionConfig, Validation
from fairlead_server.fix.terms import ResetOn, UnaskedReset

from tests.fix.transcript import PEER, START, US

_VERSIONS: Final = (
    ("FIX.4.4", None),
    ("FIX.4.2", None),
    ("FIXT.1.1", "9"),
    ("FIX.4.0", None),
    ("FIX.4.1", None),
    ("FIX.4.3", None),
    ("FIXT.1.1", "7"),
    ("FIXT.1.1", "8"),
)
_TEST_REQ_ID: Final = re.compile(rb"\x01112=([^\x01]*)\x01")
BEFORE_LOGON, ACTIVE, GAP = 0, 1, 2
"""How far its life has come."""


def play(data: bytes) -> None:
    """Raises AssertionError if the session breaks a promise, and whatever the session raises."""
    first, *lines = data.split(b"\n")
    choices = bytes(first[:8]).ljust(8, b"\0")
    life = _Life(_config(choices), stepwise=bool(choices[7] & 1))
    life.connect()
    if choices[0] % 3 != BEFORE_LOGON:
        life.log_on()
    if choices[0] % 3 == GAP:
        life.arrive_with(b"35=0", ahead=3)
    for line in lines:
        life.happen(line)


def _config(choices: bytes) -> SessionConfig:
    begin_string, appl_ver_id = _VERSIONS[choices[1] % len(_VERSIONS)]
    resets, more = choices[4], choices[6]
    reset_on = {reset for bit, reset in enumerate(ResetOn) if resets >> bit & 1}
    if begin_string == "FIX.4.0":
        reset_on.discard(ResetOn.LOGON)  # it has no ResetSeqNumFlag(141)
    return SessionConfig(
        begin_string,
        US,
        PEER,
        tuple(Role)[choices[2] % 2],
        validation=tuple(Validation)[choices[3] % 2],
        default_appl_ver_id=appl_ver_id,
        reset_on=frozenset(reset_on),
        unasked_reset=tuple(UnaskedReset)[(resets >> 3) % 3],
        trust_peer=bool(resets & 64),
        too_low_reject=bool(resets & 128),
        time_digits=(3, 0, 6)[choices[5] % 3],
        resend_chunk=(choices[5] >> 2) % 4,
        resend_max=(10_000, 2)[choices[5] >> 4 & 1],
        sending_time_accuracy=None if choices[5] & 32 else timedelta(seconds=120),
        user_defined_tags=bool(more & 1),
        password="secret" if more & 2 and begin_string >= "FIX.4.3" else None,  # which brought Password(554)
        last_processed=bool(more & 4) and begin_string >= "FIX.4.2",
        next_expected=bool(more & 8) and begin_string >= "FIX.4.4",
    )


class _Life:
    def __init__(self, config: SessionConfig, *, stepwise: bool) -> None:
        self._config = config
        self._stepwise = stepwise
        self._session = Session(config, Numbers(next_in=3, next_out=3))
        self._now: datetime = START
        self._framer = Framer()
        self._journal: dict[tuple[int, int], Sent] = {}
        self._wanted: list[events.ResendWanted] = []
        self._received: Message | None = None
        self._written = b""

    def happen(self, line: bytes) -> None:
        match line[:1]:
            case b"=":
                self.arrive_with(line[1:])
            case b"+" | b"-":
                distance = line[1] - ord("0") if len(line) > 1 else 1
                self.arrive_with(line[2:], ahead=distance if line[:1] == b"+" else -distance)
            case b"@":
                self._pass(line[1] if len(line) > 1 else 0)
            case b"?":
                self._answer()
            case b"!":
                self._send()
            case b"~":
                self._refuse()
            case b"$":
                self._log_out(line[1:].decode("latin-1"))
            case b"^":
                self.connect()
            case _:
                self._arrive(line)

    def connect(self) -> None:
        self._framer = Framer()
        self._wanted.clear()
        before = self._session.numbers
        self._due(before, self._session.connected(self._now))

    def log_on(self) -> None:
        appl_ver_id = self._config.default_appl_ver_id
        reset = b"|141=Y" if ResetOn.LOGON in self._config.reset_on else b""
        fields = b"35=A|98=0|108=30" + reset + (b"|1137=%b" % appl_ver_id.encode() if appl_ver_id else b"")
        self.arrive_with(fields + (b"|554=secret" if self._config.password else b""))
        if self._config.role is Role.INITIATOR:
            fences = _TEST_REQ_ID.findall(self._written)
            assert fences, "no fence after the Logon(A)"
            self.arrive_with(b"35=0|112=" + fences[-1])
        assert self._session.active, self._session.state

    def arrive_with(self, fields: bytes, *, ahead: int = 0) -> None:
        """Behind the first field, which ought to be MsgType(35), comes what the header has to have."""
        msg_type, _, rest = fields.replace(b"|", b"\x01").partition(b"\x01")
        reset = msg_type == b"35=A" and b"141=Y" in rest
        due = 1 if reset else self._session.numbers.next_in
        header = b"34=%d\x0149=%b\x0152=%b\x0156=%b" % (
            max(due + ahead, 0),
            PEER.encode(),
            self._now.strftime("%Y%m%d-%H:%M:%S").encode(),
            US.encode(),
        )
        body = b"\x01".join(part for part in (msg_type, header, rest) if part) + b"\x01"
        whole = b"8=%b\x019=%d\x01%b" % (self._config.begin_string.encode(), len(body), body)
        self._arrive(b"%b10=%03d\x01" % (whole, sum(whole) % 256))

    def _arrive(self, data: bytes) -> None:
        while True:
            before = self._session.numbers
            ready = self._session.receive(data, self._now, stepwise=self._stepwise)
            self._due(before, ready)
            data = b""
            if not self._stepwise or not any(isinstance(event, events.Received) for event in ready.events):
                return

    def _pass(self, seconds: int) -> None:
        self._now += timedelta(seconds=seconds)
        before = self._session.numbers
        self._due(before, self._session.tick(self._now))
        deadline = self._session.deadline()
        assert deadline is None or deadline > self._now, "what is due stays due: its driver would spin"

    def _answer(self) -> None:
        wanted, self._wanted = self._wanted, []
        for one in wanted:
            keys = ((one.epoch, number) for number in range(one.begin, one.end + 1))
            rows = [self._journal[key] for key in keys if key in self._journal]
            before = self._session.numbers
            self._due(before, self._session.resend(one, rows, self._now))

    def _send(self) -> None:
        if self._session.active:
            before = self._session.numbers
            self._due(before, self._session.send("B", [(148, "news"), (33, "1"), (58, "x")], self._now))

    def _refuse(self) -> None:
        if self._session.active and self._received is not None:
            before = self._session.numbers
            self._due(before, self._session.refuse(self._received, self._now))

    def _log_out(self, text: str) -> None:
        before = self._session.numbers
        self._due(before, self._session.logout(text if sendable(text) else None, self._now))

    def _due(self, before: Numbers, ready: Ready) -> None:
        """What holds after every step."""
        after = self._session.numbers
        assert after.epoch > before.epoch or after.next_in >= before.next_in, (before, after)
        epoch, due = before.epoch, before.next_out
        for sent in ready.journal:
            if sent.epoch > epoch:
                epoch, due = sent.epoch, 1
            assert (sent.epoch, sent.msg_seq_num) == (epoch, due), (before, sent)
            due += 1
            self._journal[sent.epoch, sent.msg_seq_num] = sent
            _decodes(sent.frame)
        if after.epoch > epoch:
            epoch, due = after.epoch, 1
        adopted = self._config.trust_peer and after.next_out > due  # "expecting N" was said, and is believed
        assert after.epoch == epoch, (before, after)
        assert after.next_out == due or adopted, (before, after)
        for frame in self._framer.feed(bytes(ready.wire)):
            assert not isinstance(frame, events.Garbled), frame
            _decodes(frame)
        for event in ready.events:
            if isinstance(event, events.ResendWanted):
                self._wanted.append(event)
            elif isinstance(event, events.Received):
                self._received = event.message
        self._written = bytes(ready.wire)


def _decodes(frame: bytes) -> None:
    assert Framer().feed(frame) == [frame], frame
    assert decode(frame).msg_seq_num > 0
