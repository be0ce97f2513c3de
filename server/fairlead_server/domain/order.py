"""An order as facts; its state is derived, never stored.

What is kept: the terms in force, the fills, whether the venue has acknowledged, how it ended, the requests that are
still unanswered. From these :attr:`Order.state` follows, so a refused cancel cannot set a part-filled order back to
new, and a fill that crosses a cancel is never lost (FIX 4.4 vol. 4, App. D: Filled outranks Canceled).

Every change to an order is a method that returns the next order; none of them looks at a clock.
"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.domain.cause import Cause
from fairlead_server.domain.execution import Execution
from fairlead_server.domain.reject import Reject
from fairlead_server.domain.terms import NewOrder, Terms
from fairlead_server.domain.vocabulary import Word

ZERO = Decimal(0)
_EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_PRICE_PLACES = Decimal(1).scaleb(-12)  # as many decimals as the API's grammar allows


class OrderState(Word):
    PENDING_NEW = "PENDING_NEW"
    WORKING = "WORKING"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    SUSPENDED = "SUSPENDED"


class Terminal(Word):
    """How the venue, or our own checks, ended an order. Being filled is not here: it follows from the fills."""

    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    DONE_FOR_DAY = "DONE_FOR_DAY"


class RouteState(Word):
    NONE = "NONE"  # refused before it had a route
    HELD = "HELD"  # waits for its turn, no message has been made; or ended so
    SENT = "SENT"
    ACKED = "ACKED"


class Flag(Word):
    IN_DOUBT = "IN_DOUBT"  # whether the venue has it is unknown and being asked
    OVERFILLED = "OVERFILLED"
    BUSTED = "BUSTED"
    SUSPENDED = "SUSPENDED"
    STOPPED = "STOPPED"
    CALCULATED = "CALCULATED"
    TRIGGERED = "TRIGGERED"
    EXTERNAL = "EXTERNAL"  # first heard of from a venue


class PendingAction(Word):
    NONE = "NONE"
    NEW = "NEW"
    AMEND = "AMEND"
    CANCEL = "CANCEL"


class Request(Struct, frozen=True):
    """A cancel (``terms`` is None) or an amend that the venue has not answered.

    ``cl_ord_id`` is empty while the request waits: for its turn, and a cancel also for the session to come up. It is empty,
    too, where an OrderMassCancelRequest(q) asks for the cancel, among others: ``mass_cl_ord_id`` is then the ClOrdID(11) of that.
    """

    request_id: str
    request_time: datetime
    terms: Terms | None = None
    cl_ord_id: str = ""
    orig_cl_ord_id: str = ""
    pending_at_venue: bool = False  # Pending Cancel / Pending Replace was reported
    mass_cancel_id: str = ""  # of the mass cancel that a cancel is part of
    mass_cl_ord_id: str = ""

    @property
    def is_cancel(self) -> bool:
        return self.terms is None

    @property
    def is_sent(self) -> bool:
        """Whether it went out in a message of its own."""
        return bool(self.cl_ord_id)

    @property
    def waits(self) -> bool:
        """Whether nothing has gone out that asks for it."""
        return not (self.cl_ord_id or self.mass_cl_ord_id)


class Order(Struct, frozen=True):
    order_id: str
    request: NewOrder
    symbol: str  # Symbol(55) at the venue
    create_time: datetime
    update_time: datetime
    terms: Terms  # in force: the request's, or those of the last accepted amend
    version: int = 1
    sequence: int = 0  # of its last event in the log
    last_cause: Cause | None = None  # of that event
    session_id: str = ""
    cl_ord_ids: tuple[str, ...] = ()  # every ClOrdID(11) that the venue was given, oldest first
    cl_ord_id: str = ""  # the one by which the venue knows the order now
    venue_order_id: str = ""
    ord_status: str = ""  # OrdStatus(39) as last reported
    acked: bool = False
    terminal: Terminal | None = None
    executions: tuple[Execution, ...] = ()
    busts_ahead: tuple[str, ...] = ()  # keys of executions that were busted before they were told
    cum_qty: Decimal = ZERO  # over the live executions
    traded_value: Decimal = ZERO  # sum of quantity x price over them
    pending: tuple[Request, ...] = ()
    flags: frozenset[Flag] = frozenset()
    reject: Reject | None = None
    route_time: datetime | None = None
    venue_ack_time: datetime | None = None
    terminal_time: datetime | None = None

    # What follows from the facts.

    @property
    def filled(self) -> bool:
        return self.cum_qty > 0 and self.cum_qty >= self.terms.quantity

    @property
    def live(self) -> bool:
        """Whether the venue may still fill it, as far as we know; an increase that it has not answered counts.

        Between two of its days an order is open, too: it counts, and can be cancelled (App. D, H.1.a).
        """
        if self.terminal is not None and not self._overnight:
            return False
        return not self.cum_qty or self.worst_quantity > self.cum_qty

    @property
    def _overnight(self) -> bool:
        return self.terminal is Terminal.DONE_FOR_DAY and self.terms.time_in_force.multi_day

    @property
    def state(self) -> OrderState:
        if self.filled:
            return OrderState.FILLED
        if self.terminal is not None:
            return OrderState(self.terminal.value)
        if Flag.SUSPENDED in self.flags:
            return OrderState.SUSPENDED
        if self.cum_qty > 0:
            return OrderState.PARTIALLY_FILLED
        return OrderState.WORKING if self.acked else OrderState.PENDING_NEW

    @property
    def pending_action(self) -> PendingAction:
        if self.pending:
            cancels = any(request.is_cancel for request in self.pending)
            return PendingAction.CANCEL if cancels else PendingAction.AMEND
        if self.state is OrderState.PENDING_NEW:
            return PendingAction.NEW
        return PendingAction.NONE

    @property
    def held(self) -> bool:
        """Whether it has a route but was never sent: it waits for its turn, or has ended while it did."""
        return bool(self.session_id) and self.route_time is None and Flag.EXTERNAL not in self.flags

    @property
    def route_state(self) -> RouteState:
        if not self.session_id:
            return RouteState.NONE
        if self.held:
            return RouteState.HELD
        return RouteState.SENT if self.venue_ack_time is None else RouteState.ACKED

    @property
    def unanswered(self) -> str:
        """The ClOrdID(11) of the oldest message about it of which the venue has not said anything, empty without one.

        That a request is pending is a word, too.
        """
        if not self.live:
            return ""
        if self.route_time is not None and self.venue_ack_time is None:
            return self.cl_ord_ids[0]
        silent = (r.cl_ord_id for r in self.pending if r.is_sent and not r.pending_at_venue)
        return next(silent, "")

    @property
    def leaves_qty(self) -> Decimal:
        return max(self.terms.quantity - self.cum_qty, ZERO) if self.live else ZERO

    @property
    def avg_px(self) -> Decimal | None:
        """Over the live executions, rounded half even to twelve decimals; None without any."""
        if not self.cum_qty:
            return None
        average = _EXACT.divide(self.traded_value, self.cum_qty)
        return average.quantize(_PRICE_PLACES, context=_EXACT)

    @property
    def last_execution(self) -> Execution | None:
        if not self.executions:
            return None
        return next((e for e in reversed(self.executions) if e.stands), None)

    @property
    def worst_quantity(self) -> Decimal:
        """The most that it may come to be: an unanswered amend is counted."""
        if not self.pending:
            return self.terms.quantity
        return max([self.terms.quantity, *(r.terms.quantity for r in self.pending if r.terms is not None)])

    def find_request(self, cl_ord_id: str) -> Request | None:
        return next((r for r in self.pending if r.cl_ord_id == cl_ord_id), None) if cl_ord_id else None

    def find_waiting(self, request_id: str) -> Request | None:
        """The request of that id, if no message of its own has been sent yet."""
        return next((r for r in self.pending if r.request_id == request_id and not r.is_sent), None)

    @property
    def mass_canceled(self) -> Request | None:
        """The cancel that an OrderMassCancelRequest(q) asks for, whose answers carry the order's ClOrdID(11), or none."""
        return next((r for r in self.pending if r.mass_cl_ord_id), None)

    def find_execution(self, exec_id: str, exec_day: str = "") -> Execution | None:
        """The latest that ExecID(17) names, on that day where it and its own are known."""
        days = (exec_day, "") if exec_day else ()
        named = (e for e in reversed(self.executions) if e.exec_id == exec_id)
        return next((e for e in named if not days or e.exec_day in days), None)

    @property
    def last_sent_amend(self) -> Request | None:
        """Of those that the venue has not answered."""
        return next((r for r in reversed(self.pending) if r.is_sent and not r.is_cancel), None)

    @property
    def waiting_amend(self) -> Request | None:
        """The one that is not sent yet: it waits for its turn, or for the answer to another."""
        return next((r for r in self.pending if not (r.is_sent or r.is_cancel)), None)

    @property
    def last_sent_cl_ord_id(self) -> str:
        """What OrigClOrdID(41) names: the last request that the venue has not refused (FIX 4.4 vol. 4, App. D)."""
        sent = self.last_sent_amend
        return self.cl_ord_id if sent is None else sent.cl_ord_id

    @property
    def asked(self) -> tuple[Terms, ...]:
        """Those that it has, and those of each amend that is unanswered or waits: it may come to have any of them."""
        if not self.pending:
            return (self.terms,)
        return self.terms, *(request.terms for request in self.pending if request.terms is not None)

    @property
    def asked_terms(self) -> Terms:
        """Those that it has if the venue grants all that was sent; an amend changes them."""
        sent = self.last_sent_amend
        return self.terms if sent is None or sent.terms is None else sent.terms

    # How it comes to be and what we do to it.

    def next(self, now: datetime, **changes: object) -> Order:
        """The order after one change: the version counts up by one, and its end is dated when it ends.

        What waits to be sent then has become pointless; what was sent is the venue's to answer. Of an order that has ended
        an OrderMassCancelRequest(q) gets no answer.
        """
        order = replace(self, version=self.version + 1, update_time=now, **changes)
        if order.live:
            return order if order.terminal_time is None else replace(order, terminal_time=None)
        if not all(request.is_sent for request in order.pending):
            order = replace(order, pending=tuple(request for request in order.pending if request.is_sent))
        return order if order.terminal_time is not None else replace(order, terminal_time=now)

    def routed(self, session_id: str, cl_ord_id: str, now: datetime) -> Order:
        return self.next(
            now, session_id=session_id, cl_ord_id=cl_ord_id, cl_ord_ids=(cl_ord_id,), route_time=now
        )

    def requested(self, request: Request, now: datetime) -> Order:
        """A cancel or amend is under way. It is sent where it carries a ClOrdID(11), else it waits to be."""
        return self.next(now, pending=(*self.pending, request), cl_ord_ids=self._named_by(request))

    def sent(self, waiting: Request, request: Request, now: datetime) -> Order:
        """A waiting request went out as ``request``."""
        pending = tuple(request if r is waiting else r for r in self.pending)
        return self.next(now, pending=pending, cl_ord_ids=self._named_by(request))

    def _named_by(self, request: Request) -> tuple[str, ...]:
        return (*self.cl_ord_ids, request.cl_ord_id) if request.cl_ord_id else self.cl_ord_ids

    def without(self, request: Request, now: datetime) -> Order:
        """The request was refused; everything else stands as the facts say."""
        return self.next(now, pending=tuple(r for r in self.pending if r is not request))

    def in_doubt(self, now: datetime) -> Order:
        return self.next(now, flags=self.flags | {Flag.IN_DOUBT})

    # While it is held nobody but us knows of it: what we do to it takes effect at once.

    def amended(self, terms: Terms, now: datetime) -> Order:
        return self.next(now, terms=terms)

    def withdrawn(self, now: datetime) -> Order:
        return self.next(now, terminal=Terminal.CANCELED)

    def turned_down(self, reject: Reject, now: datetime) -> Order:
        return self.next(now, terminal=Terminal.REJECTED, reject=reject)


def pending_new(order_id: str, request: NewOrder, symbol: str, now: datetime, session_id: str = "") -> Order:
    """``session_id`` is that of the session on which it has to wait for its turn, if it has to."""
    return Order(
        order_id,
        request,
        symbol,
        create_time=now,
        update_time=now,
        terms=request.terms,
        session_id=session_id,
    )


def refused(order_id: str, request: NewOrder, symbol: str, reject: Reject, now: datetime) -> Order:
    """An order that we turned down ourselves: stored and shown, but never sent."""
    new = pending_new(order_id, request, symbol, now)
    return replace(new, terminal=Terminal.REJECTED, reject=reject, terminal_time=now)
