"""A counterparty that sends orders back as they came, so that a session layer can be judged from outside.

What it reflects: NewOrderSingle(D), but not one with PossResend(97)=Y whose ClOrdID(11) it has seen since the Logon;
Email(C); SecurityDefinition(d) from FIX.4.2 on. What else is right and belongs to the application it refuses. All of
the rest, which is what is judged, is :mod:`fairlead_server.fix`. Without I/O: bytes and the time in, a Turn out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from fairlead_server.fix import dictionaries, groups, msg_types, tags
from fairlead_server.fix.events import Disconnect, Halted, LoggedOn, Received, ResendWanted
from fairlead_server.fix.message import Fields, Message
from fairlead_server.fix.session import Session
from fairlead_server.fix.terms import Numbers, Ready, ResetOn, Role, Sent, SessionConfig
from fairlead_server.fix.versions import FIX_4_2, FIXT, time_digits

from fix_sim.broker import Part, Turn, client_name

US = "ISLD"
SESSIONS: Final[Sequence[tuple[str, str, str | None]]] = (
    ("FIX.4.0", "TW40", None),
    ("FIX.4.1", "TW41", None),
    ("FIX.4.2", "TW42", None),
    ("FIX.4.3", "TW43", None),
    ("FIX.4.4", "TW44", None),
    (FIXT, "TW50", "7"),
    (FIXT, "TW50SP1", "8"),
    (FIXT, "TW50SP2", "9"),
)
"""Who may log on if nothing else is said: BeginString(8), the peer's CompID, DefaultApplVerID(1137)."""

_LOGOUT_TIMEOUT = timedelta(seconds=2)
_EMAIL, _SECURITY_DEFINITION = "C", "d"


def config(begin_string: str, us: str, peer: str, appl_ver_id: str | None) -> SessionConfig:
    return SessionConfig(
        begin_string,
        us,
        peer,
        Role.ACCEPTOR,
        reset_on=frozenset({ResetOn.LOGON}),
        logout_timeout=_LOGOUT_TIMEOUT,
        logout_gap_timeout=timedelta(0),
        time_digits=time_digits(begin_string),
        default_appl_ver_id=appl_ver_id,
    )


@dataclass(slots=True)
class _Seat:
    session: Session
    sent: list[Sent] = field(default_factory=list)  # since the Logon
    seen: set[str] = field(default_factory=set)  # ClOrdIDs, since the Logon


class Reflector:
    """One owner. Clients are known by BeginString(8), our CompID and theirs, joined by colons."""

    def __init__(self, configs: list[SessionConfig]) -> None:
        self._seats = {
            client_name(each.begin_string, each.sender_comp_id, each.target_comp_id): _Seat(
                Session(each, Numbers())
            )
            for each in configs
        }

    @property
    def clients(self) -> frozenset[str]:
        return frozenset(self._seats)

    def connected(self, client: str, now: datetime) -> Turn:
        return self._turn(client, self._seats[client].session.connected(now), now)

    def received(self, client: str, data: bytes, now: datetime) -> Turn:
        turn = Turn(now)
        more = True
        while more:
            ready = self._seats[client].session.receive(data, now, stepwise=True)
            self._take(turn, client, ready)
            more = any(isinstance(event, Received) for event in ready.events)
            data = b""
        return turn

    def disconnected(self, client: str) -> None:
        """Each Logon begins anew, whatever there was before, and even if that was past repair."""
        self._seats[client] = _Seat(Session(self._seats[client].session.config, Numbers()))

    def logout(self, client: str, now: datetime) -> Turn:
        return self._turn(client, self._seats[client].session.logout(None, now), now)

    def tick(self, now: datetime) -> Turn:
        turn = Turn(now)
        for client, seat in self._seats.items():
            self._take(turn, client, seat.session.tick(now))
        return turn

    def deadline(self) -> datetime | None:
        deadlines = (seat.session.deadline() for seat in self._seats.values())
        return min((at for at in deadlines if at is not None), default=None)

    def _turn(self, client: str, ready: Ready, now: datetime) -> Turn:
        turn = Turn(now)
        self._take(turn, client, ready)
        return turn

    def _take(self, turn: Turn, client: str, ready: Ready) -> None:
        seat = self._seats[client]
        part = turn.parts.setdefault(client, Part(seat.session.numbers))
        part.numbers = seat.session.numbers
        part.wire += ready.wire
        part.events += ready.events
        seat.sent += ready.journal
        for event in ready.events:
            match event:
                case LoggedOn():
                    epoch = seat.session.numbers.epoch
                    seat.sent = [sent for sent in seat.sent if sent.epoch == epoch]
                    seat.seen.clear()
                case Received(message):
                    self._answer(turn, client, message)
                case ResendWanted(begin, end):
                    stored = seat.sent[begin - 1 : end]
                    self._take(turn, client, seat.session.resend(event, stored, turn.at))
                case Disconnect(reason) | Halted(reason):
                    part.close = part.close or reason
                case _:
                    pass  # for the log of whoever acts on the turn

    def _answer(self, turn: Turn, client: str, message: Message) -> None:
        seat = self._seats[client]
        session = seat.session
        if message.msg_type == msg_types.REJECT or not session.active:
            return
        if not _reflected(message, session.config):
            self._take(turn, client, session.refuse(message, turn.at))
        elif not _known(message, seat.seen):
            self._take(turn, client, session.send(message.msg_type, _same(message, session.config), turn.at))


def _reflected(message: Message, config: SessionConfig) -> bool:
    if message.msg_type == _SECURITY_DEFINITION:
        return config.begin_string >= FIX_4_2
    return message.msg_type in {msg_types.NEW_ORDER_SINGLE, _EMAIL}


def _known(message: Message, seen: set[str]) -> bool:
    """Whether this order has been reflected already and is sent again; from now on it has."""
    if message.msg_type != msg_types.NEW_ORDER_SINGLE:
        return False
    cl_ord_id = message[tags.CL_ORD_ID]
    known = message.poss_resend and cl_ord_id in seen
    seen.add(cl_ord_id)
    return known


def _same(message: Message, config: SessionConfig) -> Fields:
    """The body by ascending tag, groups as they are, and of the header nothing but PossResend(97)."""
    outside = tags.HEADER - {tags.POSS_RESEND} | tags.TRAILER
    fields = [field for field in message.fields if field[0] not in outside]
    validator = dictionaries.validator(config.begin_string, config.default_appl_ver_id, user_defined=False)
    body = validator.body(message.msg_type)
    assert body is not None  # noqa: S101 - it has been validated
    return groups.ascending(groups.read(fields, body), body)
