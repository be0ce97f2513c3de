"""What one venue does with orders, as far as it differs from another: what it takes, and how it is to be asked."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from fairlead_server.domain.terms import NewOrder, OrderType, TimeInForce
from fairlead_server.domain.vocabulary import Word


class ChainMode(Word):
    """What a request for an order does whose last amend is unanswered; cancels are sent at once in any of them."""

    SERIAL = "SERIAL"  # an amend is held; OrigClOrdID(41) names the last that was not refused (FIX 4.4 vol. 4, App. D)
    CHAINED = "CHAINED"  # it is sent, and names likewise
    ACCEPTED = "ACCEPTED"  # it is sent, and OrigClOrdID(41) names the last that was accepted


class ReplaceQuantity(Word):
    """What OrderQty(38) of an OrderCancelReplaceRequest(G) and its answer means."""

    TOTAL = "TOTAL"  # the whole order, filled and open, as FIX has it
    WORKING = "WORKING"  # what is to be open from now on


class ExecIdScope(Word):
    """Within what an ExecID(17) names one execution of an order; the day is that of the session's schedule."""

    SESSION = "SESSION"  # for as long as the order lives
    DAY = "DAY"
    SYMBOL_DAY = "SYMBOL_DAY"  # of an order, which has one symbol, the same


class Capabilities(Struct, frozen=True):
    """What the venue takes, beside what its version of FIX can say."""

    order_types: frozenset[OrderType] = frozenset(OrderType)
    times_in_force: frozenset[TimeInForce] = frozenset(TimeInForce)
    amend: bool = True
    display_quantity: bool = True
    min_quantity: bool = True
    post_only: bool = True

    def missing(self, new: NewOrder) -> str | None:
        """What ``new`` asks for and the venue does not take."""
        terms = new.terms
        if new.order_type not in self.order_types:
            return f"ORDER_TYPE_{new.order_type.name}"
        if terms.time_in_force not in self.times_in_force:
            return f"TIME_IN_FORCE_{terms.time_in_force.name}"
        if terms.display_quantity is not None and not self.display_quantity:
            return "DISPLAY_QUANTITY"
        if new.min_quantity is not None and not self.min_quantity:
            return "MIN_QUANTITY"
        return "POST_ONLY" if new.post_only and not self.post_only else None


class VenueRules(Struct, frozen=True):
    """``inflight_warn`` after a message without any answer the venue is asked how the order stands, and
    ``inflight_alarm`` after it the order is in doubt; zero: never. ``mass_status`` says that it answers an
    OrderMassStatusRequest(AF), where its version has one; ``mass_cancel``, that an OrderMassCancelRequest(q) ends the
    orders of the session that it comes over, and no others; ``replace_filled``, that it takes an increase of an order that
    is filled; ``dont_know_trade``, that it is told so when it reports a fill of an order that nobody submitted here;
    ``live_gate``, that nothing new goes to it before two persons have opened the gate. An
    OrderMassCancelRequest(q) that has no effect for ``inflight_warn`` is given up.
    """

    inflight_warn: timedelta = timedelta(seconds=5)
    inflight_alarm: timedelta = timedelta(seconds=30)
    mass_status: bool = False
    mass_cancel: bool = False
    chain_mode: ChainMode = ChainMode.SERIAL
    replace_quantity: ReplaceQuantity = ReplaceQuantity.TOTAL
    replace_filled: bool = False
    capabilities: Capabilities = Capabilities()
    exec_id_scope: ExecIdScope = ExecIdScope.SESSION
    dont_know_trade: bool = False
    live_gate: bool = False
