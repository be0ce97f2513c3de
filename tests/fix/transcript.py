"""Runs a protocol rule that is written as a transcript.

``|`` stands for SOH. A stimulus is followed by all that it must bring, and nothing else may come:

    > 35=1|34=2|112=x         the peer sends; 8 9 10 49 56 52 are put in unless given, ``-52`` leaves 52 out,
                              ``52=-121`` and ``122=-5`` are seconds from now, ``raw ...`` sends bytes as they stand
    >> 35=1|34=2|112=x        the same, but delivered in one read with the next ``>``
    @ 36                      seconds pass, then the session is woken
    $ connect | disconnect | resume | logout [text] | send 35=D|11=a | refuse | resend [without 3 4] | deadline
    < 35=0|34=2|112=x         we answer; 8 9 10 49 56 are verified and not shown, 52 only if it is not now, 122 in seconds
    ! 35=D|34=2|11=a          reaches the application; other events are shown by name
    = ACTIVE 3 3              state, next_in, next_out[, epoch]
    [4.4-] < ...              a line of some versions alone; ``in 4.4-`` before ``given``: all of it
    {order} {appl}            the body of a NewOrderSingle(D); what FIXT.1.1 adds to a Logon(A), which the peer does itself

``given`` opens a transcript: ``given initiator|acceptor [next_in next_out] [option ...]`` before any connection, or
``given active`` for either role with both logons done and both next numbers at 3.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fairlead_server.fix import events, tags
from fairlead_server.fix.message import Message, decode
from fairlead_server.fix.session import (
    Numbers,
    Ready,
    ResetOn,
    Role,
    Sent,
    Session,
    SessionConfig,
    UnaskedReset,
    Validation,
)
from fairlead_server.fix.values import read_utc_timestamp

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
US, PEER = "FAIRLEAD", "BROKER"
_HIDDEN = {8, 9, 10, 49, 56}
_VERSIONS: dict[str, tuple[str, str | None]] = {
    "4.2": ("FIX.4.2", None),
    "4.4": ("FIX.4.4", None),
    "5.0SP2": ("FIXT.1.1", "9"),
}
VERSIONS = tuple(_VERSIONS)
_ORDER = "11=a|21=1|55=X|54=1|60=20260302-14:29:59|40=1"
_LINE = re.compile(r"(?:\[(?P<versions>\S+)\] )?(?P<text>.*)")
_FOLDER = Path(__file__).parent / "transcripts"


@dataclass(frozen=True)
class Transcript:
    title: str
    lines: tuple[str, ...]
    versions: tuple[str, ...] = VERSIONS

    @property
    def cases(self) -> frozenset[str]:
        """Of the published test cases, which the title begins with."""
        return frozenset(self.title.partition(". ")[0].split(", "))

    def of(self, version: str) -> "Transcript":
        """What it says for this version."""
        matches = (_LINE.fullmatch(line) for line in self.lines)
        appl = "" if _VERSIONS[version][1] is None else f"|1137={_VERSIONS[version][1]}"
        lines = [m["text"] for m in matches if m and (not m["versions"] or version in _span(m["versions"]))]
        return replace(
            self, lines=tuple(line.replace("{appl}", appl).replace("{order}", _ORDER) for line in lines)
        )

    @property
    def roles(self) -> tuple[Role, ...]:
        words = self.lines[0].split()
        assert words[0] == "given", self.lines[0]
        return tuple(Role) if words[1] == "active" else (Role[words[1].upper()],)


def read(name: str) -> Iterator[Transcript]:
    for paragraph in (_FOLDER / name).read_text().split("\n\n"):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        title = " ".join(line[1:].strip() for line in lines if line.startswith("#"))
        rest = tuple(line for line in lines if not line.startswith("#"))
        if rest and rest[0].startswith("in "):
            yield Transcript(title, rest[1:], _span(rest[0][3:]))
        elif rest:
            yield Transcript(title, rest)


def _span(text: str) -> tuple[str, ...]:
    if text.endswith("-"):
        return VERSIONS[VERSIONS.index(text[:-1]) :]
    return tuple(text.split(","))


def frame(text: str, begin_string: str, now: datetime, sender: str = PEER, target: str = US) -> bytes:
    """A frame of the peer's, made without the code under test."""
    given = [part for part in text.split("|") if not part.startswith("-")]
    absent = {part[1:] for part in text.split("|") if part.startswith("-")}
    body = [_timed(part, now) for part in given]
    stated = {part.partition("=")[0] for part in body}
    header = {"49": sender, "56": target, "52": _time(now)}
    head = [f"{tag}={value}" for tag, value in header.items() if tag not in stated | absent]
    begin = next((part[2:] for part in body if part.startswith("8=")), begin_string)
    first = [part for part in body if not part.startswith("8=")]
    inner = "".join(f"{part}\x01" for part in [first[0], *head, *first[1:]]).encode("latin-1")
    whole = f"8={begin}\x019={len(inner)}\x01".encode() + inner
    return whole + f"10={sum(whole) % 256:03}\x01".encode()


def _time(time: datetime) -> str:
    return f"{time:%Y%m%d-%H:%M:%S}.{time.microsecond // 1000:03}"


def _timed(part: str, now: datetime) -> str:
    match = re.fullmatch(r"(52|122)=([+-][0-9.]+)", part)
    return part if match is None else f"{match[1]}={_time(now + timedelta(seconds=float(match[2])))}"


class Runner:
    """A driver that does as the contract says, but shows everything."""

    def __init__(self, role: Role, begin_string: str, given: str, appl_ver_id: str | None = None) -> None:
        self.now = START
        self.config = SessionConfig(begin_string, US, PEER, role)
        self.received: list[Message] = []
        self.journal: dict[int, Sent] = {}
        self.wanted: list[events.ResendWanted] = []
        self.unread = b""
        words = given.split()[1:]
        numbers = [int(word) for word in words if word.isdigit()]
        options = dict(word.split("=") for word in words if "=" in word)
        self.config = replace(
            self.config,
            username=options.get("username"),
            password=options.get("password"),
            reset_on=frozenset(ResetOn[name] for name in options.get("reset_on", "").split(",") if name),
            unasked_reset=UnaskedReset[options.get("unasked_reset", "REFUSE")],
            trust_peer="trust_peer" in options,
            too_low_reject="too_low_reject" in options,
            next_expected="next_expected" in options,
            last_processed="last_processed" in options,
            resend_chunk=int(options.get("resend_chunk", "0")),
            resend_max=int(options.get("resend_max", "10000")),
            validation=Validation.STRICT if "strict" in options else Validation.LENIENT,
            user_defined_tags="user_defined_tags" in options,
            begin_string=options.get("begin", begin_string),
            default_appl_ver_id=options.get("appl", appl_ver_id),
            logout_gap_timeout=timedelta(seconds=int(options.get("logout_gap", "5"))),
        )
        self.names_version = appl_ver_id is not None
        self.session = Session(self.config, Numbers(*numbers))
        if words[0] == "active":
            self.log_on()

    def log_on(self) -> None:
        sync = "0" if self.config.role is Role.INITIATOR else "1"
        self.shown(self.session.connected(self.now))
        for text in ("35=A|34=1|98=0|108=30", f"35={sync}|34=2|112=SYNC-1-2"):
            self.shown(self.session.receive(self.peer(text), self.now))
        assert self.session.active
        assert self.session.numbers == Numbers(3, 3)

    def peer(self, text: str) -> bytes:
        if text.startswith("raw "):
            return text[4:].replace("|", "\x01").encode("latin-1")
        if self.names_version and text.startswith("35=A|") and "1137" not in text:
            text += f"|1137={self.config.default_appl_ver_id}"
        return frame(text, self.config.begin_string, self.now)

    def stimulate(self, line: str) -> list[str]:
        kind, _, rest = line.partition(" ")
        match kind:
            case ">>":
                self.unread += self.peer(rest)
                return []
            case ">":
                data, self.unread = self.unread + self.peer(rest), b""
                return self.shown(self.session.receive(data, self.now))
            case "@":
                self.now += timedelta(seconds=float(rest))
                return self.shown(self.session.tick(self.now))
            case "=":
                return []
            case _:
                return self.command(*rest.split(" ", 1))

    def command(self, name: str, rest: str = "") -> list[str]:  # noqa: PLR0911 - an arm a command
        match name:
            case "connect":
                return self.shown(self.session.connected(self.now))
            case "disconnect":
                self.session.disconnected()
                return []
            case "resume":
                self.session.resume()
                return []
            case "logout":
                return self.shown(self.session.logout(rest or None, self.now))
            case "send":
                fields = [(int(tag), value) for tag, value in (part.split("=") for part in rest.split("|"))]
                return self.shown(self.session.send(fields[0][1], fields[1:], self.now))
            case "refuse":
                return self.shown(self.session.refuse(self.received[-1], self.now))
            case "deadline":
                due = self.session.deadline()
                assert rest == ("None" if due is None else f"{(due - self.now).total_seconds():g}")
                return []
            case _:
                assert name == "resend", name
                return self.resend(rest)

    def resend(self, rest: str) -> list[str]:
        wanted = self.wanted.pop(0)
        withheld = {int(word) for word in rest.split()[1:]}
        stored = [
            sent
            for number, sent in sorted(self.journal.items())
            if wanted.begin <= number <= wanted.end and number not in withheld
        ]
        return self.shown(self.session.resend(wanted, stored, self.now))

    def shown(self, ready: Ready) -> list[str]:
        self.journal.update({sent.msg_seq_num: sent for sent in ready.journal})
        self.received += [event.message for event in ready.events if isinstance(event, events.Received)]
        self.wanted += [event for event in ready.events if isinstance(event, events.ResendWanted)]
        wire = bytes(ready.wire)
        cut = re.findall(rb"8=FIX.*?\x0110=\d{3}\x01", wire, re.DOTALL)
        assert b"".join(cut) == wire
        return [self.wire_line(part) for part in cut] + [f"! {self.event(event)}" for event in ready.events]

    def wire_line(self, data: bytes) -> str:
        message = decode(data)
        config = self.config
        inner = re.fullmatch(rb"8=FIXT?.\d.\d\x019=\d+\x01(.*)10=\d{3}\x01", data, re.DOTALL)
        assert inner is not None
        assert message[tags.BODY_LENGTH] == str(len(inner[1]))
        assert message[tags.CHECK_SUM] == f"{sum(data[:-7]) % 256:03}"
        assert message[tags.BEGIN_STRING] == config.begin_string
        assert (message[tags.SENDER_COMP_ID], message[tags.TARGET_COMP_ID]) == (US, PEER)
        return "< " + self.flat(data)

    def flat(self, data: bytes) -> str:
        shown = []
        for tag, value in decode(data).fields:
            if tag in {tags.SENDING_TIME, tags.ORIG_SENDING_TIME}:
                offset = (read_utc_timestamp(tag, value) - self.now).total_seconds()
                if offset or tag == tags.ORIG_SENDING_TIME:
                    shown.append(f"{tag}={offset:+g}")
            elif tag not in _HIDDEN:
                shown.append(f"{tag}={value}")
        return "|".join(shown)

    def event(self, event: events.Event) -> str:  # noqa: PLR0911 - an arm an event
        match event:
            case events.Received(message):
                return self.flat(message.raw)
            case events.LoggedOn(heart_bt_int):
                return f"LoggedOn {heart_bt_int}"
            case events.ResendWanted(begin, end):
                return f"ResendWanted {begin}-{end}"
            case events.Violation(reason, text, number):
                return f"Violation {reason} of {number}: {text}"
            case events.Garbled(_, reason):
                return f"Garbled {reason}"
            case events.GapDetected(begin, end):
                return f"GapDetected {begin}-{end}"
            case events.StormBroken(begin, end):
                return f"StormBroken {begin}-{end}"
            case events.NumbersReset(epoch, next_in, reason):
                return f"NumbersReset epoch {epoch} next_in {next_in}: {reason}"
            case events.LoggedOut(text):
                return f"LoggedOut {text}".rstrip()
            case events.Disconnect(reason):
                return f"Disconnect {reason}"
            case events.Halted(reason):
                return f"Halted {reason}"

    def state(self, line: str) -> str:
        numbers = self.session.numbers
        shown = [self.session.state.name, str(numbers.next_in), str(numbers.next_out), str(numbers.epoch)]
        return " ".join(["=", *shown[: len(line.split()) - 1]])


def run_version(transcript: Transcript, role: Role, version: str) -> None:
    begin_string, appl_ver_id = _VERSIONS[version]
    run(transcript.of(version), role, begin_string, appl_ver_id)


def run(transcript: Transcript, role: Role, begin_string: str, appl_ver_id: str | None = None) -> None:
    runner = Runner(role, begin_string, transcript.lines[0], appl_ver_id)
    expected = list(transcript.lines[1:])
    actual: list[str] = []
    for line in expected:
        if line[0] in "<!":
            continue
        actual.append(runner.state(line) if line[0] == "=" else line)
        actual += runner.stimulate(line)
    assert actual == expected
