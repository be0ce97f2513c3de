"""What amends and mass cancels ask for, and what becomes of each request that is made for an order."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import fields, replace

from fairlead_server.domain.order import Order
from fairlead_server.domain.reconciliation import Ruling
from fairlead_server.domain.reject import Reject
from fairlead_server.domain.terms import Side, Terms, TimeInForce
from fairlead_server.domain.vocabulary import Word


class Amendment(Struct, frozen=True):
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


class RequestRecord(Struct, frozen=True):
    """An amend (``amendment`` is set), a ruling or a cancel, remembered so that a repeat is answered alike."""

    request_id: str
    order_id: str
    time: datetime
    amendment: Amendment | None
    outcome: RequestOutcome
    reject: Reject | None = None
    ruling: Ruling | None = None

    def repeats(self, order_id: str, asked: Amendment | Ruling | None) -> bool:
        """``asked`` is None for a cancel."""
        return (self.order_id, self.amendment or self.ruling) == (order_id, asked)


class Selection(Struct, frozen=True):
    """Which live orders. An empty part is any."""

    account_id: str = ""
    instrument_ids: tuple[str, ...] = ()
    strategy_ids: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    side: Side | None = None
    trade_session: str = ""

    def matches(self, order: Order) -> bool:
        new = order.request
        return (
            order.live
            and self.account_id in ("", new.account_id)
            and (not self.instrument_ids or new.instrument_id in self.instrument_ids)
            and (not self.strategy_ids or new.strategy_id in self.strategy_ids)
            and (not self.session_ids or order.session_id in self.session_ids)
            and self.side in (None, new.side)
            and self.trade_session in ("", new.trade_session)
        )


class MassCancel(Struct, frozen=True):
    """A cancel of all that ``selection`` matched, and what it came to."""

    request_id: str
    mass_cancel_id: str
    time: datetime
    selection: Selection
    requested: int = 0  # of so many orders a cancel is under way now, ...
    canceled: int = 0  # ... so many had not been sent, ...
    pending: int = 0  # ... and so many had one under way before

    @property
    def matched(self) -> int:
        return self.requested + self.canceled + self.pending


class CancelOnDisconnect(Struct, frozen=True):
    """What is to become of a trade session's orders ``grace`` after its client has gone; nothing if not ``armed``."""

    session_key: str
    grace: timedelta
    armed: bool
    time: datetime  # since when
