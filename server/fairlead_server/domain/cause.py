"""Who brought a change about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Initiator(Enum):
    CLIENT = "CLIENT"
    VENUE = "VENUE"
    RISK = "RISK"
    ADMIN = "ADMIN"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Cause:
    """Who brought it about. ``request_id`` is the client's for an amend or cancel."""

    initiator: Initiator
    principal: str = ""
    request_id: str = ""
    traceparent: str = ""
