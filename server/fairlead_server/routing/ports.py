"""What the use cases need of the world below and beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fairlead_server.domain.event import OrderEvent
from fairlead_server.domain.order import Order, Request
from fairlead_server.domain.terms import NewOrder
from fairlead_server.fix.session import Numbers
from fairlead_server.store.batch import MessageRow

Clock = Callable[[], datetime]
NewId = Callable[[], str]  # sortable and unique over processes
EncodeEvent = Callable[[OrderEvent], bytes]


@dataclass(frozen=True, slots=True)
class Outbound:
    """What a session decided: rows and numbers for the transaction, bytes for the socket once that has committed."""

    session_id: str
    rows: Sequence[MessageRow]
    numbers: Numbers
    write: Callable[[], None]


class Gateway(Protocol):
    """One FIX session as the use cases see it. Nothing here waits, and nothing reaches the wire before the commit."""

    @property
    def session_id(self) -> str: ...

    @property
    def available(self) -> bool:
        """Whether orders may be sent now."""

    @property
    def down_since(self) -> datetime | None: ...

    def missing_capability(self, new: NewOrder) -> str | None:
        """What the order asks for that this session's version of FIX cannot say."""

    def new_order(self, order: Order, now: datetime) -> Outbound: ...

    def replace_order(self, order: Order, request: Request, now: datetime) -> Outbound: ...

    def cancel_order(self, order: Order, request: Request, now: datetime) -> Outbound: ...

    def request_status(self, order: Order, now: datetime) -> Outbound: ...


class Archive(Protocol):
    """Committed orders that memory no longer holds. Read in place: it is rare, and one indexed row."""

    def order(self, order_id: str) -> Order | None: ...

    def order_by_client_order_id(self, account_id: str, client_order_id: str) -> Order | None: ...

    def order_by_cl_ord_id(self, session_id: str, cl_ord_id: str) -> Order | None: ...

    def order_by_venue_order_id(self, session_id: str, venue_order_id: str) -> Order | None: ...


@dataclass(frozen=True, slots=True)
class SessionView:
    """What operations see of one venue session. ``state`` is a SessionState of the API without its prefix."""

    session_id: str
    state: str
    reason: str
    begin_string: str
    sender_comp_id: str
    target_comp_id: str
    host: str
    port: int
    next_in: int
    next_out: int
    epoch: int
    connection_number: int
    heart_bt_int: int
    state_time: datetime | None
    connect_time: datetime | None
    active_time: datetime | None
    last_sent_time: datetime | None
    last_received_time: datetime | None


class Viewed(Protocol):
    """A venue session, for whoever looks at it."""

    def view(self) -> SessionView: ...
