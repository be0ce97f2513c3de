"""What one OrderMassCancelRequest(q) can be for, and when that is exactly what was asked for.

It can name a symbol and a side, and has no word for an account, a strategy or a client's session. The venue takes whatever it
has within what is named, also what it has from elsewhere: so a selection by anything else is no matter for it, even if all
orders that are known here happen to match.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct

from fairlead_server.domain.amendments import Selection
from fairlead_server.domain.order import Order, PendingAction
from fairlead_server.domain.terms import Side


class MassScope(Struct, frozen=True):
    """All orders of a session; of one symbol there, of one side, if these are set."""

    symbol: str = ""
    side: Side | None = None

    def reaches(self, order: Order) -> bool:
        """Whether the venue would take it to be meant. By Side(54) some mean the side of the market: short sales are sales."""
        if order.held or self.symbol not in ("", order.symbol):
            return False
        return self.side is None or (order.request.side is Side.BUY) is (self.side is Side.BUY)


def scope_of(selection: Selection, order: Order) -> MassScope | None:
    """By which q, if any, the selection reaches this order of it."""
    if selection.account_id or selection.strategy_ids or selection.trade_session:
        return None
    if not selection.instrument_ids:
        return MassScope(side=selection.side)
    return MassScope(order.symbol, selection.side) if order.symbol else None


def is_exact(
    scope: MassScope, selection: Selection, order_ids: Collection[str], live: Iterable[Order]
) -> bool:
    """Whether it reaches, of the session's ``live`` orders, no other than these and those that are being cancelled likewise."""
    return all(
        order.order_id in order_ids
        or (order.pending_action is PendingAction.CANCEL and selection.matches(order))
        for order in live
        if scope.reaches(order)
    )
