"""What a venue leaves unanswered: asked about, then in doubt, and never decided without its word.

A lost answer looks like a slow one, so silence ends nothing: only the venue, or a person, says how an order stands. After
the numbers began anew nothing of the old epoch can be asked for again, and every live order is asked about once.
"""

from __future__ import annotations

import logging
from datetime import datetime

from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.event import Change, EventKind
from fairlead_server.domain.order import Flag, Order
from fairlead_server.routing.book import Book
from fairlead_server.routing.chains import release
from fairlead_server.routing.in_flight import AGAIN, DOUBT, Wait
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.ports import Gateway
from fairlead_server.routing.queue import Turn, Waiting

_log = logging.getLogger(__name__)
_SYSTEM = Cause(Initiator.SYSTEM)


class Unanswered:
    def __init__(self, book: Book, ledger: Ledger) -> None:
        self._book = book
        self._ledger = ledger

    def session_up(self, gateway: Gateway, now: datetime) -> None:
        """Part of a decision: the waits begin, and after a reset each live order is asked about."""
        in_flight = self._book.in_flight(gateway.session_id)
        for order in self._book.live(gateway.session_id):
            if Flag.IN_DOUBT in order.flags:
                in_flight.begin(order.order_id, "", gateway.rules, now, AGAIN)
            elif order.unanswered:
                in_flight.begin(order.order_id, order.unanswered, gateway.rules, now)
        if gateway.epoch > self._book.asked_epoch(gateway.session_id) and not in_flight.asked:
            ask_all(self._book, self._ledger, gateway, now)

    def session_down(self, session_id: str) -> None:
        self._book.in_flight(session_id).clear()

    def refused_mass_status(self, gateway: Gateway, now: datetime) -> None:
        """Part of a decision: the venue does not know OrderMassStatusRequest(AF); each order is asked about by itself."""
        for order_id in sorted(self._book.in_flight(gateway.session_id).asked):
            inquire(self._book, self._ledger, self._order(order_id), gateway, now)

    def deadline(self, gateway: Gateway) -> datetime | None:
        """When :meth:`dispatch` next has something to do."""
        return self._book.in_flight(gateway.session_id).deadline() if gateway.available else None

    def dispatch(self, gateway: Gateway, now: datetime) -> None:
        """Part of a decision: do what is due by now."""
        in_flight = self._book.in_flight(gateway.session_id)
        while gateway.available and (wait := in_flight.take(gateway.rules, now)) is not None:
            self._pursue(wait, gateway, now)

    def _pursue(self, wait: Wait, gateway: Gateway, now: datetime) -> None:
        order = self._order(wait.order_id)
        if order.unanswered not in ("", wait.about) and Flag.IN_DOUBT not in order.flags:
            in_flight = self._book.in_flight(gateway.session_id)
            in_flight.begin(order.order_id, order.unanswered, gateway.rules, now)
            return  # that was answered, and something was sent since
        if wait.step >= DOUBT:
            order = self._doubt(order, wait, gateway, now)
            heard_of(
                self._book, self._ledger, order.order_id, gateway
            )  # no more is expected of that question
        else:
            _log.warning("%s: order %s: no answer to %s yet", gateway.session_id, order.order_id, wait.about)
        _ask(self._book, self._ledger, order, gateway, now, Turn.INQUIRY)

    def _doubt(self, order: Order, wait: Wait, gateway: Gateway, now: datetime) -> Order:
        what = f"to {wait.about}" if wait.about else "on how it stands"
        silence = f"the venue has said nothing {what} for {(now - wait.since).total_seconds():.0f} s"
        _log.error("%s: order %s is in doubt: %s", order.session_id, order.order_id, silence)
        if Flag.IN_DOUBT in order.flags:
            return order
        change = Change(order.in_doubt(now), EventKind.IN_DOUBT, text=silence)
        order = self._ledger.enter(order, change, _SYSTEM, now)
        release(self._book, self._ledger, order, gateway, now)
        return self._order(order.order_id)

    def _order(self, order_id: str) -> Order:
        order = self._book.order(order_id)
        assert order is not None  # noqa: S101 - it was there when it began to wait
        return order


def ask_all(book: Book, ledger: Ledger, gateway: Gateway, now: datetime) -> None:
    """Ask how every live order stands, of those in doubt beside what is asked about them anyway.

    By one OrderMassStatusRequest(AF) where the venue takes it. The answers are compared, and never book a fill.
    """
    live = [o for o in book.live(gateway.session_id) if not o.held and (o.cl_ord_id or o.venue_order_id)]
    in_flight = book.in_flight(gateway.session_id)
    in_flight.asked = {order.order_id for order in live}
    if not live:
        ledger.asked_all(gateway.session_id, gateway.epoch)
    for order in live:
        in_flight.begin(order.order_id, "", gateway.rules, now, DOUBT)
    certain = [order for order in live if Flag.IN_DOUBT not in order.flags]
    if not (certain and gateway.has_mass_status):
        for order in certain:
            inquire(book, ledger, order, gateway, now)
    elif free(book, gateway, now):
        ledger.send(gateway.request_mass_status(now))
    else:
        book.queue(gateway.session_id).put(Waiting(Turn.INQUIRY, ""))
        ledger.then(gateway.wake)


def heard_of(book: Book, ledger: Ledger, order_id: str, gateway: Gateway) -> None:
    """Part of a decision: a report about the order has come."""
    asked = book.in_flight(gateway.session_id).asked
    if order_id in asked:
        asked.remove(order_id)
        if not asked:
            ledger.asked_all(gateway.session_id, gateway.epoch)


def inquire(
    book: Book,
    ledger: Ledger,
    order: Order,
    gateway: Gateway,
    now: datetime,
    turn: Turn = Turn.INQUIRY,
) -> None:
    """Ask the venue how an order stands, in its turn; with the session down, orders in doubt are when it is up again."""
    if not gateway.available:
        return
    if Flag.IN_DOUBT in order.flags:
        book.in_flight(gateway.session_id).begin(order.order_id, "", gateway.rules, now, AGAIN)
    _ask(book, ledger, order, gateway, now, turn)


def _ask(book: Book, ledger: Ledger, order: Order, gateway: Gateway, now: datetime, turn: Turn) -> None:
    if free(book, gateway, now):
        ledger.send(gateway.request_status(order, now))
        return
    book.queue(gateway.session_id).put(Waiting(turn, order.order_id))
    ledger.then(gateway.wake)


def free(book: Book, gateway: Gateway, now: datetime) -> bool:
    """Whether a message may go at once: there is a token, and nobody before us waits for one."""
    return not (book.queue(gateway.session_id) or gateway.wait(now))
