"""A driver in memory that keeps the contract of :mod:`fairlead_server.fix.session`, and can crash."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fairlead_server.fix import events
from fairlead_server.fix.message import Fields
from fairlead_server.fix.session import Numbers, Ready, Role, Sent, Session, SessionConfig

ORDERED = "20260302-14:29:59"


def pair(begin_string: str = "FIX.4.4", **options: Any) -> tuple["Driver", "Driver"]:
    return (
        Driver(SessionConfig(begin_string, "FAIRLEAD", "BROKER", Role.INITIATOR, **options)),
        Driver(SessionConfig(begin_string, "BROKER", "FAIRLEAD", Role.ACCEPTOR, **options)),
    )


@dataclass
class Driver:
    config: SessionConfig
    # What is durable.
    numbers: Numbers = field(default_factory=Numbers)
    journal: dict[tuple[int, int], Sent] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    # What is not.
    told: list[events.Event] = field(default_factory=list)
    outbox: bytearray = field(default_factory=bytearray)
    wanted: list[events.ResendWanted] = field(default_factory=list)
    closed: bool = True

    def __post_init__(self) -> None:
        self.session = Session(self.config, self.numbers)

    def commit(self, ready: Ready) -> None:
        """One transaction, then the wire."""
        for sent in ready.journal:
            key = (sent.epoch, sent.msg_seq_num)
            assert key not in self.journal, f"{key} is used twice"
            self.journal[key] = sent
        self.numbers = self.session.numbers
        for event in ready.events:
            match event:
                case events.Received(message):
                    self.received.append(message[11])
                case events.ResendWanted():
                    self.wanted.append(event)
                case events.Disconnect():
                    self.closed = True
                case _:
                    pass
        self.told += ready.events
        self.outbox += ready.wire

    def connect(self, now: datetime) -> None:
        self.outbox.clear()
        self.wanted.clear()
        self.closed = False
        self.commit(self.session.connected(now))

    def disconnect(self) -> None:
        self.closed = True
        self.session.disconnected()

    def crash(self) -> None:
        """All that is not durable is gone."""
        self.closed = True
        self.session = Session(self.config, self.numbers)

    def receive(self, data: bytes, now: datetime) -> None:
        self.commit(self.session.receive(data, now))

    def send(self, cl_ord_id: str, now: datetime, *fields: tuple[int, str]) -> None:
        body: Fields = [(11, cl_ord_id), (21, "1"), (55, "X"), (54, "1"), (60, ORDERED), (40, "1"), *fields]
        self.sent.append(cl_ord_id)
        self.commit(self.session.send("D", body, now))

    def answer(self, now: datetime, *, most: int = 1_000_000) -> None:
        """Answer what the peer wants, at most so many numbers at a time."""
        while self.wanted:
            wanted = self.wanted.pop(0)
            for begin in range(wanted.begin, wanted.end + 1, most):
                end = min(begin + most - 1, wanted.end)
                part = events.ResendWanted(begin, end, wanted.epoch, wanted.connection)
                rows = [self.journal[wanted.epoch, n] for n in range(begin, end + 1)]
                self.commit(self.session.resend(part, rows, now))
