"""What the use cases need of the world below and beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from fairlead_server.domain.amendments import RequestRecord
from fairlead_server.domain.event import OrderEvent
from fairlead_server.domain.execution import ExecutionReport
from fairlead_server.domain.mass_scope import MassScope
from fairlead_server.domain.order import Order, Request
from fairlead_server.domain.terms import NewOrder, OrderCapacity, TimeInForce
from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.fix.schedule import Schedule
from fairlead_server.fix.session import Numbers
from fairlead_server.routing.holdings import TradeArchive
from fairlead_server.store.batch import MessageRow

Clock = Callable[[], datetime]
NewId = Callable[[datetime], str]  # at the time given; sortable, and unique over processes
EncodeEvent = Callable[[OrderEvent], bytes]


class Outbound(Struct, frozen=True):
    """What a session decided: rows and numbers for the transaction, bytes for the socket once that has committed."""

    session_id: str
    rows: Sequence[MessageRow]
    numbers: Numbers
    write: Callable[[bytes], None]
    data: bytes


class Gateway(Protocol):
    """One FIX session as the use cases see it. Nothing here waits, and nothing reaches the wire before the commit."""

    @property
    def session_id(self) -> str: ...

    @property
    def available(self) -> bool:
        """Whether orders may be sent now."""

    def wait(self, now: datetime, *, cancel: bool = False) -> timedelta:
        """How long until the session's throttle lets a message pass; zero: it may go now. A ``cancel`` may go before others."""

    @property
    def max_queue(self) -> timedelta:
        """How long an order or an amend may wait for that."""

    def wake(self) -> None:
        """Something waits: :meth:`~fairlead_server.routing.order_entry.OrderEntry.dispatch` is due at its ``deadline``."""

    @property
    def rules(self) -> VenueRules: ...

    @property
    def epoch(self) -> int:
        """Counts how often the session's numbers began anew."""

    @property
    def down_since(self) -> datetime | None: ...

    def missing_capability(self, new: NewOrder) -> str | None:
        """What the order asks for that this session's version of FIX cannot say."""

    def new_order(self, order: Order, now: datetime) -> Outbound: ...

    def replace_order(self, order: Order, request: Request, now: datetime) -> Outbound: ...

    def cancel_order(self, order: Order, request: Request, now: datetime) -> Outbound: ...

    def request_status(self, order: Order, now: datetime) -> Outbound: ...

    @property
    def has_mass_status(self) -> bool:
        """Whether the venue, and its version of FIX, take a question about all orders at once."""

    def request_mass_status(self, now: datetime) -> Outbound: ...

    @property
    def has_mass_cancel(self) -> bool:
        """Whether the venue, and its version of FIX, take one request for many cancels."""

    def mass_cancel(self, scope: MassScope, cl_ord_id: str, now: datetime) -> Outbound: ...

    def dont_know_trade(self, order: Order, report: ExecutionReport, now: datetime) -> Outbound | None:
        """That a fill is of an order which nobody submitted here; None where the venue is not told."""


class Archive(TradeArchive, Protocol):
    """Committed orders and requests that memory no longer holds. Read in place: it is rare, and one indexed row."""

    def order(self, order_id: str) -> Order | None: ...

    def order_by_client_order_id(self, account_id: str, client_order_id: str) -> Order | None: ...

    def order_by_cl_ord_id(self, session_id: str, cl_ord_id: str) -> Order | None: ...

    def order_by_venue_order_id(self, session_id: str, venue_order_id: str) -> Order | None: ...

    def request(self, request_id: str) -> RequestRecord | None: ...


class SessionView(Struct, frozen=True):
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
    queued: int = 0  # orders and requests that wait for the throttle or the session
    unsent_bytes: int = 0
    repair: str = ""  # the command that gets a HALTED session going again
    tls: bool = False
    opens: datetime | None = None
    closes: datetime | None = None
    next_reset: datetime | None = None
    stopped: bool = False


class Abilities(Struct, frozen=True):
    """What a venue does with orders; of times in force and capacities, those that its version of FIX can say, too."""

    rules: VenueRules
    times_in_force: frozenset[TimeInForce]
    order_capacities: frozenset[OrderCapacity]


class Viewed(Protocol):
    """A venue session, for whoever looks at it."""

    def view(self) -> SessionView: ...


class Operator(Struct, frozen=True):
    """Who acts on a session, and why; both are audited."""

    principal: str
    reason: str


class Operated(Viewed, Protocol):
    """A venue session, for whoever acts on it. Each is one decision, in force when it is durable."""

    def start(self, by: Operator, now: datetime) -> None:
        """Let it connect; one that is HALTED tries again."""

    def stop(self, by: Operator, now: datetime) -> None:
        """Log out and stay away until started, also after the process has begun anew."""

    def reset(self, expected: Numbers, wanted: Numbers, by: Operator, now: datetime) -> None:
        """Replace the numbers; raises SessionConnected, or SessionNumbersMoved where they are not as expected.

        The epochs of both are not looked at: which one the new numbers belong to is the session's to say.
        """

    def schedule(self) -> Schedule: ...

    def abilities(self) -> Abilities: ...


class Reloaded(Struct, frozen=True):
    """Which sessions are new, other and gone, by their ids, and how much else is other than before."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    # Other parts of the configuration that have changed, for a restart to take up.
    restart: tuple[str, ...] = ()
    instruments: int = 0  # how many are other than before
    calendars: int = 0


class Reloads(Protocol):
    async def reload(self, by: Operator, now: datetime) -> Reloaded:
        """Apply sessions, routes, instruments and calendars of the configuration as it is now; raises ConfigInvalid before anything is changed."""
