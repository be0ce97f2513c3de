"""Amends one after the other: which of them is held behind another, and when it has its turn.

An amend that is held has no ClOrdID(11), so it can be replaced by a newer one, removed by a cancel, and refused without
asking anybody. It is sent in its turn when the one before it is answered, with the terms that it means by then.
"""

from __future__ import annotations

from datetime import datetime

from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.event import Change, EventKind
from fairlead_server.domain.order import Flag, Order, Request
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.venue_rules import ChainMode
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.ports import Gateway
from fairlead_server.routing.queue import Turn, Waiting


def release(book: Book, ledger: Ledger, order: Order, gateway: Gateway, now: datetime) -> None:
    """Part of a decision: an amend that was held behind another has its turn as soon as that is answered."""
    request, queue = order.waiting_amend, book.queue(gateway.session_id)
    if request is None or queue.has(order.order_id, request.request_id):
        return
    if Flag.IN_DOUBT in order.flags:
        text = "the order came to be in doubt while it waited; it was not sent"
        lost = Reject(RejectSource.ROUTER, RejectReason.ROUTER_SESSION_LOST, text)
        refuse_amend(ledger, order, request, lost, now)
    elif not behind_another(order, gateway):
        until = now + gateway.max_queue if gateway.max_queue else None
        queue.put(Waiting(turn_of(order, request), order.order_id, request.request_id, until))
        ledger.then(gateway.wake)


def refuse_amend(ledger: Ledger, order: Order, request: Request, reject: Reject, now: datetime) -> Order:
    """One that was not sent."""
    change = Change(order.without(request, now), EventKind.AMEND_REJECTED, reject=reject)
    cause = Cause(Initiator.SYSTEM, request_id=request.request_id)
    return ledger.enter(order, change, cause, now)


def behind_another(order: Order, gateway: Gateway) -> bool:
    return gateway.rules.chain_mode is ChainMode.SERIAL and order.last_sent_amend is not None


def turn_of(order: Order, request: Request) -> Turn:
    if request.terms is None:
        return Turn.CANCEL
    return Turn.REDUCE if request.terms.only_reduce(order.asked_terms) else Turn.AMEND
