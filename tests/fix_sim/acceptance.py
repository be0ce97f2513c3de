"""Runs a case of the published session test cases, written as a transcript, against the reflector in memory.

A case says in which versions it is run, ``in 4.2-``, and so may any line: ``[-4.1] < ...``. It opens with both Logons
done, ``given logon``, or with a connection alone, ``given connection``. ``|`` stands for SOH.

    > 35=1|34=2|112=x         the peer sends; 8 9 10 49 52 56 are put in unless given, ``-56`` leaves 56 out, ``9=+5``
                              makes the message say that it is longer than it is, ``10=...`` is taken as it stands
    > raw ...                 bytes as they stand
    @ 3                       seconds pass, one by one
    < 35=0|34=2|112=x         the whole answer, field by field in its order; 8 9 10 49 52 56 are verified and not shown
    = closed                  the connection is closed

``{order}`` is the body of a NewOrderSingle(D) that is right in the version, ``{now}`` a time, ``52=-5`` and ``122=+5``
are seconds from now. An answer shows 122 in seconds from now as well.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fairlead_server.fix import tags
from fairlead_server.fix.framing import Framer
from fairlead_server.fix.message import Fields, decode
from fairlead_server.fix.values import read_utc_timestamp
from fix_sim.broker import Turn
from fix_sim.reflector import SESSIONS, US, Reflector, config

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
VERSIONS: tuple[str, ...] = ("4.0", "4.1", "4.2", "4.3", "4.4", "5.0", "5.0SP1", "5.0SP2")
_FOLDER = Path(__file__).parent / "acceptance"
_LINE = re.compile(r"(?:\[(?P<versions>\S+)\] )?(?P<text>.*)")


@dataclass(frozen=True)
class Case:
    title: str
    versions: tuple[str, ...]
    lines: tuple[str, ...]

    def of(self, version: str) -> list[str]:
        """The lines that concern this version."""
        matches = (_LINE.fullmatch(line) for line in self.lines)
        return [
            match["text"]
            for match in matches
            if match and (not match["versions"] or version in _span(match["versions"]))
        ]


def cases() -> Iterator[Case]:
    for path in sorted(_FOLDER.glob("*.txt")):
        for paragraph in path.read_text().split("\n\n"):
            lines = [line.strip() for line in paragraph.strip().splitlines()]
            title = " ".join(line[1:].strip() for line in lines if line.startswith("#"))
            rest = [line for line in lines if not line.startswith("#")]
            versions = VERSIONS
            if rest and rest[0].startswith("in "):
                versions = _span(rest.pop(0)[3:])
            if rest:
                yield Case(title, versions, tuple(rest))


def _span(text: str) -> tuple[str, ...]:
    first, dash, last = text.partition("-")
    begin = VERSIONS.index(first) if first else 0
    end = VERSIONS.index(last) if last else len(VERSIONS) - 1 if dash else begin
    return VERSIONS[begin : end + 1]


class Runner:
    def __init__(self, version: str) -> None:
        self.now = START
        self.begin_string, self.peer, self.appl_ver_id = SESSIONS[VERSIONS.index(version)]
        self.old = version < "4.2"
        self.reflector = Reflector([config(self.begin_string, US, self.peer, self.appl_ver_id)])
        (self.client,) = self.reflector.clients
        self.closed = False

    def run(self, lines: list[str]) -> list[str]:
        shown: list[str] = []
        for line in lines:
            if line[0] not in "<=":
                shown += [line, *self.stimulate(line)]
        return shown

    def stimulate(self, line: str) -> list[str]:
        kind, _, rest = line.partition(" ")
        match kind:
            case "given":
                self.closed = False
                answer = self.show(self.reflector.connected(self.client, self.now))
                if rest.startswith("logon"):
                    answer = self.log_on(rest.removeprefix("logon").strip() or "108=30")
                return answer
            case ">":
                return self.show(self.reflector.received(self.client, self.bytes(rest), self.now))
            case "@":
                return [line for _ in range(int(rest)) for line in self.second()]
            case _:
                raise AssertionError(line)

    def log_on(self, heart_bt_int: str) -> list[str]:
        answer = self.stimulate(f"> 35=A|34=1|98=0|{heart_bt_int}")
        appl = "" if self.appl_ver_id is None else f"|1137={self.appl_ver_id}"
        assert answer == [f"< 35=A|34=1|98=0|{heart_bt_int}{appl}"]
        return []

    def second(self) -> list[str]:
        self.now += timedelta(seconds=1)
        return self.show(self.reflector.tick(self.now))

    # What the peer sends, made without the code under test.

    def bytes(self, text: str) -> bytes:
        text = text.replace("{order}", self.order()).replace("{now}", self.time(0))
        if text.startswith("raw "):
            return text[4:].replace("|", "\x01").encode("latin-1")
        given = [self.timed(part) for part in text.split("|")]
        if given[0] == "35=A" and self.appl_ver_id is not None and "-1137" not in given:
            given.append(f"1137={self.appl_ver_id}")
        absent = {part[1:] for part in given if part.startswith("-") and "=" not in part}
        fields = [part for part in given if part[1:] not in absent]
        stated = {part.partition("=")[0] for part in fields} | absent
        header = {"49": self.peer, "52": self.time(0), "56": US}
        head = [f"{tag}={value}" for tag, value in header.items() if tag not in stated]
        begin = next((part[2:] for part in fields if part.startswith("8=")), self.begin_string)
        longer = next((int(part[2:]) for part in fields if part.startswith("9=")), 0)
        check_sum = next((part[3:] for part in fields if part.startswith("10=")), None)
        first = [part for part in fields if part.partition("=")[0] not in {"8", "9", "10"}]
        inner = "".join(f"{part}\x01" for part in [first[0], *head, *first[1:]]).encode("latin-1")
        whole = f"8={begin}\x019={len(inner) + longer}\x01".encode() + inner
        return whole + f"10={check_sum or format(sum(whole) % 256, '03')}\x01".encode()

    def order(self) -> str:
        """TransactTime(60) came with FIX.4.2, OrderQty(38) was required before it."""
        return "11=ID|21=3|40=1|54=1|55=INTC|" + ("38=100" if self.old else "60=20260302-14:29:59")

    def time(self, seconds: int) -> str:
        return f"{self.now + timedelta(seconds=seconds):%Y%m%d-%H:%M:%S}"

    def timed(self, part: str) -> str:
        match = re.fullmatch(r"(52|122)=([+-]\d+)", part)
        return part if match is None else f"{match[1]}={self.time(int(match[2]))}"

    # What we answer.

    def show(self, turn: Turn) -> list[str]:
        (part,) = turn.parts.values()
        if self.closed:
            assert not part.wire
            return []
        frames = [frame for frame in Framer().feed(bytes(part.wire)) if isinstance(frame, bytes)]
        assert b"".join(frames) == part.wire
        answer = [f"< {self.flat(decode(frame).fields)}" for frame in frames]
        if part.close:
            self.closed = True
            self.reflector.disconnected(self.client)
            answer.append("= closed")
        return answer

    def flat(self, fields: Fields) -> str:
        numbers = [tag for tag, _ in fields]
        header = [tag for tag in numbers if tag in tags.HEADER]
        assert numbers[: len(header)] == header == [8, 9, 35, *sorted(header[3:])]
        first = dict(reversed(fields))
        assert (first[8], first[49], first[56]) == (self.begin_string, US, self.peer)
        assert len(first[52]) == (17 if self.old else 21)
        assert read_utc_timestamp(52, first[52]) == self.now
        hidden = {8, 9, 10, 49, 52, 56}
        return "|".join(f"{tag}={self.value(tag, text)}" for tag, text in fields if tag not in hidden)

    def value(self, tag: int, text: str) -> str:
        if tag != tags.ORIG_SENDING_TIME:
            return text
        return f"{(read_utc_timestamp(tag, text) - self.now).total_seconds():+g}"
