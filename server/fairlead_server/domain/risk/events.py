"""What risk has to tell: refusals, warnings, and changes of what is allowed."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from fairlead_server.domain.reject import Breach
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.vocabulary import Word


class RiskEventKind(Word):
    REFUSED = "REFUSED"  # an order or an amend, by limits in force
    WARNED = "WARNED"  # it has passed, against limits that only warn
    SHADOWED = "SHADOWED"  # it has passed, against limits that are only tried
    LIMITS_CHANGED = "LIMITS_CHANGED"
    ENABLED = "ENABLED"  # a person has looked at what had traded too often


class RiskEvent(Struct, frozen=True):
    """``sequence`` is dense from 1. ``scope`` is the order's own, or that of the limits that have changed."""

    sequence: int
    time: datetime
    kind: RiskEventKind
    scope: Scope
    order_id: str = ""
    request_id: str = ""  # of the amend
    breaches: tuple[Breach, ...] = ()
    limit_id: str = ""  # that has changed
    text: str = ""
    principal: str = ""
    policy_version: str = ""
