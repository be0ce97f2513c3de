"""Who brought a change about."""

from __future__ import annotations

from msgspec import Struct

from fairlead_server.domain.vocabulary import Word


class Initiator(Word):
    CLIENT = "CLIENT"
    VENUE = "VENUE"
    RISK = "RISK"
    ADMIN = "ADMIN"
    SYSTEM = "SYSTEM"


class Cause(Struct, frozen=True):
    """Who brought it about. ``request_id`` is the caller's for an amend, a cancel or a reconciliation."""

    initiator: Initiator
    principal: str = ""
    request_id: str = ""
    traceparent: str = ""
    mass_cancel_id: str = ""  # of the mass cancel that it is part of
