"""What the controls would say, and how the limits stand: the same chain as orders go through, without deciding anything."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_FLOOR, Context, Decimal

from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.domain.errors import InvalidRequest
from fairlead_server.domain.order import ZERO
from fairlead_server.domain.risk.chain import Line, explain, largest
from fairlead_server.domain.risk.limits import Mode
from fairlead_server.domain.risk.proposal import Proposal
from fairlead_server.domain.risk.stops import STOP
from fairlead_server.domain.risk.usage import Usage, usages
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import NewOrder, OrderType, Side, Terms
from fairlead_server.routing.order_entry import OrderEntry, OrderRef

_WIDE = Context(prec=50, rounding=ROUND_FLOOR)


class Explained(Struct, frozen=True):
    lines: tuple[Line, ...]
    largest: Decimal  # quantity that would pass
    session_id: str  # that it would go to; empty where no route fits

    @property
    def passed(self) -> bool:
        broken = any(line.mode is Mode.ENFORCE and not line.passed for line in self.lines)
        return bool(self.session_id) and not broken


class Size(Struct, frozen=True):
    quantity: Decimal
    by_risk: Decimal
    by_limits: Decimal
    risk: Decimal  # what is lost with ``quantity`` at the stop


class RiskInquiries:
    def __init__(self, entry: OrderEntry) -> None:
        self._entry = entry

    def check(self, new: NewOrder, now: datetime) -> Explained:
        proposal = self._proposal(new, now)
        return Explained(explain(proposal), largest(proposal), proposal.scope.session_id)

    def size(self, new: NewOrder, stop: Decimal, amount: Decimal, now: datetime) -> Size:
        """In whole lots, and no more than the quantity of ``new``, so that at ``stop`` no more than ``amount`` is lost.

        Nor more than the limits on a trade's risk, on the portfolio's heat and on the day's losses have left.
        """
        tags = [(name, value) for name, value in new.tags if name != STOP]
        proposal = self._proposal(replace(new, tags=(*tags, (STOP, f"{stop:f}"))), now)
        price = new.terms.price if new.terms.price is not None else proposal.reference_price
        if price is None:
            raise InvalidRequest([("order.price", "is needed: the instrument has no reference price")])
        distance = (price - stop) * new.side.sign
        if distance <= 0:
            side = "below" if new.side.sign > 0 else "above"
            raise InvalidRequest([("stop_price", f"must be {side} the price, which is {price:f}")])
        if proposal.instrument is not None:
            distance *= proposal.instrument.multiplier
        by_risk = _lots(_WIDE.divide(min([amount, *_left_to_lose(proposal)]), distance), proposal)
        by_limits = largest(proposal, new.terms.quantity)
        quantity = largest(proposal, min(by_risk, new.terms.quantity))
        return Size(quantity, by_risk, by_limits, quantity * distance)

    def must_be_known(self, order_id: str) -> None:
        self._entry.find(OrderRef(order_id))

    def state(self, scope: Scope, now: datetime) -> list[Usage]:
        """Of the limits that bind an order of that scope."""
        new = NewOrder(
            scope.account_id,
            "",
            scope.instrument_id,
            Side.BUY,
            OrderType.LIMIT,
            Terms(ZERO, ZERO),
            strategy_id=scope.strategy_id,
            principal=scope.principal,
        )
        return list(usages(self._entry.checks.proposal(new, scope.session_id, now)))

    def _proposal(self, new: NewOrder, now: datetime) -> Proposal:
        return self._entry.checks.proposal(new, self._entry.session_for(new), now)


def _left_to_lose(proposal: Proposal) -> list[Decimal]:
    """What the limits on the day's losses have left."""
    names = ("daily_loss", "drawdown")
    return [
        max(each.headroom, ZERO)
        for each in usages(replace(proposal, terms=replace(proposal.terms, quantity=ZERO)))
        if each.rule_id in names and each.mode is Mode.ENFORCE and each.headroom is not None
    ]


def _lots(quantity: Decimal, proposal: Proposal) -> Decimal:
    lot = proposal.instrument.lot_size if proposal.instrument is not None else Decimal(1)
    return _WIDE.divide_int(quantity, lot) * lot
