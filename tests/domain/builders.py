"""What the tests of orders are made of: an order, the reports of its venue, a proposal to the risk controls.

Each builder gives something complete and ordinary; a test names only what it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from fairlead_server.domain.buying_power import MarginModel, Shortfall
from fairlead_server.domain.event import Change
from fairlead_server.domain.execution import CancelReject, ExecutionReport, ReportKind, VenueMessage
from fairlead_server.domain.exposure import NOTHING, Exposure, Exposures, RecentOrders, Working, scope_of
from fairlead_server.domain.instrument import Instrument, ReferencePrice
from fairlead_server.domain.moving_reference import MovingReference
from fairlead_server.domain.order import Order, OrderState, Request, pending_new
from fairlead_server.domain.position import DayTotal
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.risk import AccountPolicy, Limits, LimitSet, Policy, Proposal, Rates, Standing
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.domain.terms import NewOrder, OrderType, Side, Terms
from fairlead_server.domain.transitions import apply
from msgspec import Struct, field
from msgspec.structs import replace

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
HUNDRED = Decimal(100)

_ORD_STATUS = {
    ReportKind.PENDING_NEW: "A",
    ReportKind.TRADE: "1",
    ReportKind.CANCELED: "4",
    ReportKind.PENDING_CANCEL: "6",
    ReportKind.PENDING_REPLACE: "E",
    ReportKind.REJECTED: "8",
    ReportKind.EXPIRED: "C",
    ReportKind.DONE_FOR_DAY: "3",
    ReportKind.STOPPED: "7",
    ReportKind.SUSPENDED: "9",
    ReportKind.CALCULATED: "B",
}


def numbered_ids() -> Callable[[datetime], str]:
    """ID000001, ID000002, ... whatever the time."""
    numbers = count(1)
    return lambda _: f"ID{next(numbers):06}"


def terms(
    quantity: Decimal | int | str = HUNDRED, price: Decimal | int | str | None = 50, **changes: Any
) -> Terms:
    return Terms(Decimal(quantity), None if price is None else Decimal(price), **changes)


def new_order(**changes: Any) -> NewOrder:
    """Buy 100 ACME at 50; ``terms=terms(...)`` for others."""
    ordinary = NewOrder("ACC1", "client-1", "ACME", Side.BUY, OrderType.LIMIT, terms())
    return replace(ordinary, **changes)


def held_order(new: NewOrder | None = None, order_id: str = "O1") -> Order:
    """It waits for its turn on the session."""
    new = new or new_order()
    return pending_new(order_id, new, new.instrument_id, NOW, "BROKER")


def sent_order(new: NewOrder | None = None, order_id: str = "O1", cl_ord_id: str = "X") -> Order:
    """On its way: the venue has not answered yet."""
    new = new or new_order()
    return pending_new(order_id, new, new.instrument_id, NOW).routed("BROKER", cl_ord_id, NOW)


def working_order(new: NewOrder | None = None, order_id: str = "O1", cl_ord_id: str = "X") -> Order:
    """Acknowledged as V1."""
    return after(sent_order(new, order_id, cl_ord_id), report(ReportKind.NEW, cl_ord_id=cl_ord_id))


def amending(order: Order, wanted: Terms, cl_ord_id: str = "Y") -> Order:
    """An amend to ``wanted`` is under way as ``cl_ord_id``."""
    orig = order.last_sent_cl_ord_id
    return order.requested(Request(f"amend-{cl_ord_id}", NOW, wanted, cl_ord_id, orig), NOW)


def canceling(order: Order, cl_ord_id: str = "Z") -> Order:
    """A cancel is under way as ``cl_ord_id``."""
    orig = order.last_sent_cl_ord_id
    return order.requested(Request(f"cancel-{cl_ord_id}", NOW, None, cl_ord_id, orig), NOW)


def message(**changes: Any) -> VenueMessage:
    return replace(VenueMessage("BROKER", 7, NOW, NOW), **changes)


def report(kind: ReportKind, **changes: Any) -> ExecutionReport:
    """An ExecutionReport(8) on order X that claims no quantities."""
    bare = ExecutionReport(
        kind=kind,
        message=message(),
        exec_id=f"E-{kind.value}",
        exec_type="",
        ord_status=_ORD_STATUS.get(kind, "0"),
        cl_ord_id="X",
        orig_cl_ord_id="",
        venue_order_id="V1",
        exec_ref_id="",
        account="",
        symbol="ACME",
        side=Side.BUY,
        order_qty=None,
        price=None,
        last_qty=None,
        last_px=None,
        cum_qty=None,
        leaves_qty=None,
        avg_px=None,
        transact_time=NOW,
        text="",
    )
    return replace(bare, **changes)


def trade(
    exec_id: str, quantity: Decimal | int, price: Decimal | int | str = 50, **changes: Any
) -> ExecutionReport:
    fill = report(ReportKind.TRADE, exec_id=exec_id, last_qty=Decimal(quantity), last_px=Decimal(price))
    return replace(fill, **changes)


def correction(
    exec_id: str, exec_ref_id: str, quantity: Decimal | int, price: Decimal | int | str = 50, **changes: Any
) -> ExecutionReport:
    kind = ReportKind.TRADE_CORRECT
    return trade(exec_id, quantity, price, kind=kind, exec_ref_id=exec_ref_id, **changes)


def bust(exec_id: str, exec_ref_id: str, **changes: Any) -> ExecutionReport:
    return report(ReportKind.TRADE_CANCEL, exec_id=exec_id, exec_ref_id=exec_ref_id, **changes)


def status(ord_status: str, cum_qty: Decimal | int | None = None, **changes: Any) -> ExecutionReport:
    """The answer to an OrderStatusRequest(H)."""
    claimed = None if cum_qty is None else Decimal(cum_qty)
    return report(ReportKind.STATUS, exec_id="0", ord_status=ord_status, cum_qty=claimed, **changes)


def venue_reject(reason: RejectReason = RejectReason.VENUE_OTHER, text: str = "no") -> Reject:
    return Reject(RejectSource.VENUE, reason, text)


def cancel_reject(cl_ord_id: str = "Z", **changes: Any) -> CancelReject:
    """An OrderCancelReject(9): too late."""
    reject = venue_reject(RejectReason.VENUE_CANCEL_TOO_LATE)
    answer = CancelReject(
        message(), cl_ord_id, "X", "V1", "", unknown_order=False, too_late=True, reject=reject
    )
    return replace(answer, **changes)


def change(order: Order, heard: ExecutionReport, now: datetime = LATER) -> Change:
    """What a report changes, where it must change something."""
    found = apply(order, heard, f"ours-{heard.exec_id}", now)
    assert found is not None
    return found


def heard(order: Order, reports: Iterable[ExecutionReport]) -> Order:
    """The order after these reports, whether or not they tell anything."""
    for each in reports:
        found = apply(order, each, f"ours-{each.exec_id}", LATER)
        order = order if found is None else found.order
    return order


def after(order: Order, *reports: ExecutionReport) -> Order:
    return heard(order, reports)


def figures(order: Order) -> tuple[OrderState, int, int]:
    """State, CumQty(14), LeavesQty(151)."""
    return order.state, int(order.cum_qty), int(order.leaves_qty)


def instrument(**changes: Any) -> Instrument:
    """ACME: lots of 10, at least 20, ticks of 0.05, last at 50 a minute ago, always open."""
    last = ReferencePrice(Decimal(50), NOW - timedelta(minutes=1), "file")
    ordinary = Instrument("ACME", "ACME", "USD", Decimal("0.05"), Decimal(10), Decimal(20), reference=last)
    return replace(ordinary, **changes)


def limits(**changes: Decimal | int | None) -> dict[str, Decimal]:
    """Wide enough for the ordinary order; what is required is set. None takes one away."""
    ordinary: dict[str, Decimal | int | None] = {
        "max_order_quantity": 1_000,
        "max_order_notional": 100_000,
        "max_position": 5_000,
        "max_open_orders": 10,
    }
    return {name: Decimal(value) for name, value in (ordinary | changes).items() if value is not None}


def limit_set(scope: Scope = EVERYTHING, limit_id: str = "set", **changes: Any) -> LimitSet:
    return replace(LimitSet(limit_id, scope), **changes)


def account(**changes: Any) -> AccountPolicy:
    return replace(AccountPolicy("ACC1"), **changes)


def policy(
    *accounts: AccountPolicy,
    values: Mapping[str, Decimal] | None = None,
    sets: Iterable[LimitSet] = (),
    **changes: Any,
) -> Policy:
    """Each account has the ordinary limits, or those of ``values``; ``sets`` are there beside them."""
    known = accounts or (account(),)
    wide = [
        limit_set(Scope(each.account_id), f"wide:{each.account_id}", values=values or limits())
        for each in known
    ]
    return replace(Policy({each.account_id: each for each in known}, (*wide, *sets)), **changes)


def duplicates(window: timedelta, most: int = 0) -> LimitSet:
    seconds = Decimal(str(window.total_seconds()))
    values = {"duplicate_window_seconds": seconds, "max_duplicates": Decimal(most)}
    return limit_set(limit_id="duplicates", values=values)


class Beside(Struct):
    """What there is beside an order, whatever the scope."""

    prices: Mapping[str, Decimal] = field(default_factory=lambda: {"ACME": HUNDRED / 2})
    contracts: Mapping[str, Decimal] = field(default_factory=dict)  # their multipliers
    doubtful: int = 0
    orders: tuple[Order, ...] = ()
    done: DayTotal = DayTotal()
    earned: Decimal = Decimal(0)
    best: Decimal = Decimal(0)
    fills: int = 0
    mean: Decimal | None = None
    shortfall: Shortfall | None = None

    def price(self, instrument_id: str) -> Decimal | None:
        return self.prices.get(instrument_id)

    def multiplier(self, instrument_id: str) -> Decimal:
        return self.contracts.get(instrument_id, Decimal(1))

    def moving(self, instrument_id: str) -> MovingReference | None:
        return None if self.mean is None else MovingReference(timedelta(minutes=1), self.mean, NOW)

    def in_doubt(self, scope: Scope) -> int:
        return self.doubtful

    def resting(self, instrument_id: str, sign: int) -> Iterable[Order]:
        return [order for order in self.orders if order.request.side.sign == sign]

    def today(self, scope: Scope, now: datetime) -> DayTotal:
        return self.done

    def profit(self, scope: Scope, now: datetime) -> Decimal:
        return self.earned

    def drawdown(self, scope: Scope, now: datetime) -> Decimal:
        return max(self.best - self.earned, Decimal(0))

    def lacking(
        self,
        model: MarginModel,
        account_id: str,
        instrument_id: str,
        quantity: Decimal,
        price: Decimal | None,
        exposures: Iterable[tuple[str, Exposure]],
    ) -> Shortfall | None:
        return self.shortfall

    def executions(self, limit_id: str) -> int:
        return self.fills


def standing(
    new: NewOrder,
    exposure: Exposure,
    open_orders: int,
    repeats: int,
    tracked: Iterable[Scope] = (),
    beside: Beside | None = None,
    rates: Rates | None = None,
) -> Standing:
    """What there is beside the order: ``open_orders`` are those of the account, without saying in what."""
    names = Scope(new.account_id, instrument_id=new.instrument_id, strategy_id=new.strategy_id)
    exposures = Exposures([(names, exposure.position)], tracked)
    at_work = replace(NOTHING, buying=exposure.buying, selling=exposure.selling, value=exposure.value)
    exposures.add(replace(names, principal=new.principal), replace(at_work, unpriced=exposure.unpriced))
    exposures.add(replace(names, principal=new.principal, instrument_id="ELSE"), Working(open=open_orders))
    recent = RecentOrders(timedelta(hours=1))
    for _ in range(repeats):
        recent.add(new, NOW)
    return Standing(exposures, recent, rates or Rates(), beside or Beside())


def proposal(
    sets: Iterable[LimitSet] | None = None,
    exposure: Exposure | None = None,
    open_orders: int = 0,
    repeats: int = 0,
    beside: Beside | None = None,
    rates: Rates | None = None,
    **changes: Any,
) -> Proposal:
    """The ordinary order, which passes. ``new`` also gives the terms unless they are named; ``sets`` replace all limits."""
    new = changes.get("new", new_order())
    own = account()
    known = Limits([limit_set(Scope("ACC1"), "wide", values=limits())] if sets is None else sets)
    scope = scope_of(new, "BROKER")
    there = standing(new, exposure or Exposure(), open_orders, repeats, known.scopes(), beside, rates)
    ordinary = Proposal(
        new=new,
        terms=new.terms,
        scope=scope,
        instrument=instrument(),
        policy=Policy({own.account_id: own}),
        account=own,
        bounds=known.binding(scope),
        standing=there,
        now=NOW,
    )
    return replace(ordinary, **changes)
