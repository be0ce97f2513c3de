"""Signatures first; the machine follows."""

from collections.abc import Sequence
from datetime import datetime

from fairlead_server.fix.errors import NotActive
from fairlead_server.fix.events import ResendWanted
from fairlead_server.fix.message import Fields
from fairlead_server.fix.terms import Numbers, Ready, Role, Sent, SessionConfig, State

__all__ = ["NotActive", "Numbers", "Ready", "Role", "Sent", "Session", "SessionConfig", "State"]


class Session:
    def __init__(self, config: SessionConfig, numbers: Numbers) -> None:
        raise NotImplementedError

    @property
    def numbers(self) -> Numbers:
        raise NotImplementedError

    @property
    def state(self) -> State:
        raise NotImplementedError

    @property
    def active(self) -> bool:
        raise NotImplementedError

    def connected(self, now: datetime) -> Ready:
        raise NotImplementedError

    def receive(self, data: bytes, now: datetime) -> Ready:
        raise NotImplementedError

    def send(self, msg_type: str, fields: Fields, now: datetime) -> Ready:
        raise NotImplementedError

    def resend(self, wanted: ResendWanted, stored: Sequence[Sent], now: datetime) -> Ready:
        raise NotImplementedError

    def tick(self, now: datetime) -> Ready:
        raise NotImplementedError

    def deadline(self) -> datetime | None:
        raise NotImplementedError

    def logout(self, text: str | None, now: datetime) -> Ready:
        raise NotImplementedError

    def disconnected(self) -> None:
        raise NotImplementedError
