"""What an amend asks for, and what becomes of the request."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal

from fairlead_server.domain.reject import Reject
from fairlead_server.domain.terms import Terms, TimeInForce
from fairlead_server.domain.vocabulary import Word


@dataclass(frozen=True, slots=True)
class Amendment:
    """The terms to change; None leaves as it is. ``quantity`` is the new total, filled part included."""

    quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    display_quantity: Decimal | None = None
    time_in_force: TimeInForce | None = None
    expire_time: datetime | None = None

    def applied_to(self, terms: Terms) -> Terms:
        changes = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        wanted = replace(terms, **changes)
        if self.time_in_force in (None, TimeInForce.GTD):
            return wanted
        return replace(
            wanted, expire_time=self.expire_time
        )  # the old one belonged to the old TimeInForce(59)


class RequestOutcome(Word):
    """How an amend or cancel stands."""

    PENDING = "PENDING"
    DONE = "DONE"  # replaced, or canceled
    REJECTED = "REJECTED"
    NO_CHANGE = "NO_CHANGE"  # the amend asks for what is in force
    ALREADY_TERMINAL = "ALREADY_TERMINAL"  # nothing left to cancel


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """An amend (``amendment`` is set) or cancel, remembered by its request_id so that a repeat is answered alike."""

    request_id: str
    order_id: str
    time: datetime
    amendment: Amendment | None
    outcome: RequestOutcome
    reject: Reject | None = None

    def repeats(self, order_id: str, amendment: Amendment | None) -> bool:
        return (self.order_id, self.amendment) == (order_id, amendment)
