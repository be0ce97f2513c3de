"""Who brought a change about."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_server.domain.vocabulary import Word


class Initiator(Word):
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
