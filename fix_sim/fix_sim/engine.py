"""The broker's desk: orders, prices and how the one fills the other. Pure: values and `now` in, a Decision out.

Liquidity is endless at the reference price, so every fill is at the reference and never worse than the limit:
* a marketable order fills at once, a limit order rests until :meth:`Engine.set_price` touches its limit;
* a rule slices the fills over time, keeps them back for an operator, or refuses the order (rules.py);
* IOC fills what it can, FOK all or nothing, and the rest is cancelled: "the proper response to kill the order
  is an ExecutionRpt with ExecType(150)=Canceled" (FIX app. D, Order State Change Matrices). The answers to
  cancels and replaces that cross with fills are those of the same appendix.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from fix_sim import masses
from fix_sim.book import Book
from fix_sim.director import Director
from fix_sim.errors import NotFillable, NotPlayable, UnknownOrder, UnknownSymbol
from fix_sim.masses import MassPolicy
from fix_sim.orders import (
    NO_ORDER_ID,
    ZERO,
    CancelOrder,
    CxlRejReason,
    CxlRejResponseTo,
    ExecType,
    ExecutionReport,
    MassCancel,
    MassCancelReport,
    MassStatus,
    NewOrder,
    Order,
    OrderCancelReject,
    OrdRejReason,
    OrdStatus,
    OrdType,
    ReplaceOrder,
    Report,
    Request,
    StatusRequest,
    Terms,
    TimeInForce,
)
from fix_sim.plays import Said
from fix_sim.rules import Action, Rule, first_match
from fix_sim.scenario import Scenario, Step


@dataclass(slots=True)
class Ids:
    """OrderID(37) and ExecID(17) from counters: unique as long as seed and counters are kept together."""

    seed: str
    orders: int = 0
    executions: int = 0

    def order_id(self) -> str:
        self.orders += 1
        return f"{self.seed}-O{self.orders}"

    def exec_id(self) -> str:
        self.executions += 1
        return f"{self.seed}-E{self.executions}"


class Price(Struct, frozen=True):
    """A symbol's reference price; ``set_at`` is None while it is the universe's."""

    value: Decimal
    set_at: datetime | None = None


@dataclass(slots=True)
class Decision:
    """What one input brought about: what to send, in this order, and whatever has changed."""

    said: list[Said] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)

    @property
    def reports(self) -> list[Report]:
        return [said for said in self.said if isinstance(said, Report)]


class _Refusal(Struct, frozen=True):
    reason: CxlRejReason
    text: str
    order: Order | None = None


class Engine:
    """Orders of all clients. One owner; it hears the time from outside and remembers in memory only."""

    def __init__(
        self,
        ids: Ids,
        prices: Mapping[str, Decimal],
        rules: Sequence[Rule],
        scenarios: Sequence[Scenario] = (),
        mass_policy: MassPolicy = MassPolicy.ACCEPT,
    ) -> None:
        self.ids = ids
        self.prices = {symbol: Price(price) for symbol, price in prices.items()}
        self._rules = rules
        self._mass_policy = mass_policy
        self._book = Book()
        self._decision = Decision()
        self.director = Director(self, scenarios)
        self.paused = False
        self._kept: list[Request] = []  # while paused

    @property
    def orders(self) -> Mapping[str, Order]:
        """Every order by OrderID(37), the oldest first."""
        return self._book.orders

    def restore(self, orders: Iterable[Order], prices: Mapping[str, Price]) -> None:
        """Take the book and the prices as the journal left them."""
        self.prices.update((symbol, price) for symbol, price in prices.items() if symbol in self.prices)
        for order in orders:
            self._book.keep(order)

    def handle(self, request: Request, now: datetime) -> Decision:
        if self.paused:
            self._kept.append(request)
        elif not self.director.take(request, now):
            self.answer(request, now)
        return self._decided()

    def pause(self) -> None:
        """Answer no request and let no time pass for orders until :meth:`resume`; operators may still move them."""
        self.paused = True

    def resume(self, now: datetime) -> Decision:
        """Take what was asked meanwhile, in its order."""
        self.paused = False
        kept, self._kept = self._kept, []
        for request in kept:
            if not self.director.take(request, now):
                self.answer(request, now)
        return self._decided()

    def perform(self, order_id: str, steps: Sequence[Step], now: datetime) -> tuple[Decision, str]:
        """Steps of a scenario by hand, and the problem with the one at which they ended, if they did."""
        problem = self.director.perform(order_id, steps, now)
        return self._decided(), problem

    def answer(self, request: Request, now: datetime) -> None:
        match request:
            case NewOrder():
                self._new(request, now)
            case CancelOrder():
                self._cancel(request, now)
            case ReplaceOrder():
                self._replace(request, now)
            case StatusRequest():
                self._status(request, now)
            case MassCancel():
                self._mass_cancel(request, now)
            case MassStatus():
                self._mass_status(request, now)
            case _:
                assert_never(request)

    def set_price(self, symbol: str, price: Decimal, now: datetime) -> Decision:
        """Move the reference price, above zero; whatever it touches trades, in the order of arrival."""
        if symbol not in self.prices:
            raise UnknownSymbol(symbol)
        self.prices[symbol] = self._decision.prices[symbol] = Price(price, now)
        for order in self._book.working(symbol):
            self._meet_market(order, now)
        return self._decided()

    def fill(self, order_id: str, qty: Decimal | None, price: Decimal | None, now: datetime) -> Decision:
        """Fill by hand: all that is left, at the limit or else the reference, unless the operator says otherwise.

        ``qty`` and ``price``, if given, are above zero.
        """
        order = self.order(order_id)
        if not order.live:
            raise NotFillable(order_id, f"it is {order.ord_status.name}")
        if order.rule.action is Action.NEVER_FILL:
            raise NotFillable(order_id, "a rule says never_fill")
        if qty is not None and qty > order.leaves_qty:
            raise NotFillable(order_id, f"{qty} is more than LeavesQty(151) {order.leaves_qty}")
        price = price or order.terms.price or self._reference(order)
        if price is None:
            raise NotFillable(order_id, f"{order.symbol} is no longer in the universe")
        self._trade(order, qty or order.leaves_qty, price, now)
        return self._decided()

    def tick(self, now: datetime) -> Decision:
        """Do what has become due: the next slice of a partial fill, the expiry of a GTD order."""
        if not self.paused:
            for order in self._book.due(now):
                self._wake(order, now)
            self.director.tick(now)
        return self._decided()

    def find(self, client: str, cl_ord_id: str) -> Order | None:
        """The order that goes, or went before a replace, by this ClOrdID(11)."""
        return self._book.find(client, cl_ord_id)

    def deadline(self) -> datetime | None:
        """When :meth:`tick` next may have something to do."""
        if self.paused:
            return None
        alarms = self._book.next_alarm(), self.director.deadline()
        return min((at for at in alarms if at is not None), default=None)

    # What a play needs, see director.Desk.

    def order(self, order_id: str) -> Order:
        order = self.orders.get(order_id)
        if order is None:
            raise UnknownOrder(order_id)
        return order

    def accept(self, new: NewOrder, now: datetime) -> Order:
        order = _order(new, self.ids.order_id(), Rule(Action.MANUAL), now)
        self._keep(order)
        return order

    def price_of(self, order: Order) -> Decimal:
        price = self._reference(order)
        if price is None:
            raise NotPlayable("trade", f"{order.symbol} has no price; say at what")
        return price

    def say(self, said: Said) -> None:
        self._decision.said.append(said)

    # The requests.

    def _new(self, new: NewOrder, now: datetime) -> None:
        known = self.find(new.client, new.cl_ord_id)
        if known and new.poss_resend:  # asked again, not ordered again
            self.emit(ExecutionReport(known, ExecType.ORDER_STATUS, now))
            return None
        if known:
            return self._reject(
                _absent(new, new.terms, now), OrdRejReason.DUPLICATE_ORDER, "ClOrdID(11) used before", now
            )
        rule = first_match(self._rules, symbol=new.symbol, account=new.account, cl_ord_id=new.cl_ord_id)
        order = _order(new, self.ids.order_id(), rule, now)
        if new.symbol not in self.prices:
            return self._reject(order, OrdRejReason.UNKNOWN_SYMBOL, "unknown symbol", now)
        if rule.action is Action.REJECT:
            return self._reject(order, rule.reason, rule.text, now)
        if fault := new.terms.fault(now):
            return self._reject(order, *fault, now)
        self.emit(ExecutionReport(order, ExecType.NEW, now))
        return self._expose(order, now)

    def _cancel(self, request: CancelOrder, now: datetime) -> None:
        order = self._target(request)
        if isinstance(order, _Refusal):
            return self._refuse(request, order, now)
        canceled = replace(order, cl_ord_ids=(*order.cl_ord_ids, request.cl_ord_id), done=OrdStatus.CANCELED)
        self.emit(ExecutionReport(canceled, ExecType.CANCELED, now, orig_cl_ord_id=request.orig_cl_ord_id))
        return None

    def _replace(self, request: ReplaceOrder, now: datetime) -> None:
        order = self._target(request)
        if isinstance(order, _Refusal):
            return self._refuse(request, order, now)
        if fault := request.terms.fault(now):
            return self._refuse(request, _Refusal(CxlRejReason.BROKER_OPTION, fault[1], order), now)
        replaced = replace(
            order,
            cl_ord_ids=(*order.cl_ord_ids, request.cl_ord_id),
            # Asked for less than is filled already: OrderQty(38) becomes CumQty(14) and the order is done (app. D).
            terms=replace(request.terms, order_qty=max(request.terms.order_qty, order.cum_qty)),
            triggered=order.triggered and order.terms.stop_px == request.terms.stop_px,
        )
        self.emit(ExecutionReport(replaced, ExecType.REPLACED, now, orig_cl_ord_id=request.orig_cl_ord_id))
        return self._expose(replaced, now)

    def _status(self, request: StatusRequest, now: datetime) -> None:
        order = self.find(request.client, request.cl_ord_id)
        report = ExecutionReport(
            order or replace(_absent(request, Terms(ZERO, OrdType.MARKET), now), done=OrdStatus.REJECTED),
            ExecType.ORDER_STATUS,
            now,
            ord_rej_reason=None if order else OrdRejReason.UNKNOWN_ORDER,
            text="" if order else "no order goes by ClOrdID(11)",
            ord_status_req_id=request.ord_status_req_id,
        )
        self.emit(report)

    def _mass_cancel(self, request: MassCancel, now: datetime) -> None:
        """Orders in a scenario are left to it, and so is the answer where one has awaited the request."""
        reached = masses.reached(request, self.orders.values())
        orders = [order for order in reached if self.director.play_of(order.order_id) is None]
        if not self.director.take_mass_cancel(request, reached, now):
            if self._mass_policy is MassPolicy.SILENT:
                return
            refusal = masses.refusal(self._mass_policy, request, self.prices, now)
            if refusal is not None:
                self.say(refusal)
                return
            if self._mass_policy is MassPolicy.PARTIAL:
                orders = orders[::2]
            self.say(MassCancelReport(request, now, len(orders)))
        for order in orders:
            self.emit(masses.canceled(order, now))

    def _mass_status(self, request: MassStatus, now: datetime) -> None:
        orders = masses.reached(request, self.orders.values())
        told = [order for order in orders if not self.director.is_silent(order.order_id)]
        for report in masses.statuses(request, told, now):
            self.emit(report)

    def _target(self, request: CancelOrder | ReplaceOrder) -> Order | _Refusal:
        order = self.find(request.client, request.orig_cl_ord_id)
        if order is None:
            return _Refusal(CxlRejReason.UNKNOWN_ORDER, "no order goes by OrigClOrdID(41)")
        if self.find(request.client, request.cl_ord_id):
            return _Refusal(CxlRejReason.DUPLICATE_CL_ORD_ID, "ClOrdID(11) used before", order)
        if not order.live:
            return _Refusal(CxlRejReason.TOO_LATE, f"too late: {order.ord_status.name}", order)
        if (order.symbol, order.side) != (request.symbol, request.side):
            return _Refusal(CxlRejReason.BROKER_OPTION, "Symbol(55) or Side(54) is not the order's", order)
        return order

    # How an order meets the market.

    def _expose(self, order: Order, now: datetime) -> None:
        """A new or replaced order: trade what can be traded, then cancel what may not rest."""
        self._meet_market(order, now)
        left = self.orders[order.order_id]
        if left.live and left.terms.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            killed = replace(left, done=OrdStatus.CANCELED)
            text = f"{left.terms.time_in_force.name}: nothing more to be had"
            self.emit(ExecutionReport(killed, ExecType.CANCELED, now, text=text))

    def _meet_market(self, order: Order, now: datetime) -> None:
        reference = self._reference(order)
        if reference is None:
            return
        if order.terms.ord_type.has_stop_px and not order.triggered and order.triggered_by(reference):
            order = replace(order, triggered=True)
            self.emit(ExecutionReport(order, ExecType.TRIGGERED, now))
        if not order.live or not order.marketable_at(reference):
            return
        if order.rule.action is Action.FILL:
            self._trade(order, order.leaves_qty, reference, now)
        elif order.rule.action is Action.PARTIAL and order.next_slice_at is None:
            self._trade_slice(order, reference, now)

    def _reference(self, order: Order) -> Decimal | None:
        """None for an order that is older than the universe."""
        price = self.prices.get(order.symbol)
        return None if price is None else price.value

    def _trade_slice(self, order: Order, reference: Decimal, now: datetime) -> None:
        quantity = order.even_slice()
        if order.terms.time_in_force is TimeInForce.FOK and quantity < order.leaves_qty:
            return
        left = max(order.slices_left - 1, 1)
        self._trade(
            replace(order, slices_left=left, next_slice_at=now + order.rule.interval),
            quantity,
            reference,
            now,
        )

    def _trade(self, order: Order, quantity: Decimal, price: Decimal, now: datetime) -> None:
        traded = replace(
            order, cum_qty=order.cum_qty + quantity, cum_value=order.cum_value + quantity * price
        )
        self.emit(ExecutionReport(traded, ExecType.TRADE, now, last_qty=quantity, last_px=price))

    def _wake(self, order: Order, now: datetime) -> None:
        if order.terms.expire_time and order.terms.expire_time <= now:
            expired = replace(order, done=OrdStatus.EXPIRED)
            self.emit(ExecutionReport(expired, ExecType.EXPIRED, now, text="its ExpireTime(126) has come"))
        elif order.next_slice_at and order.next_slice_at <= now:
            rested = replace(order, next_slice_at=None)
            self._keep(rested)
            self._meet_market(rested, now)

    # What comes of it.

    def _reject(self, order: Order, reason: int, text: str, now: datetime) -> None:
        rejected = replace(order, done=OrdStatus.REJECTED)
        self.emit(ExecutionReport(rejected, ExecType.REJECTED, now, ord_rej_reason=reason, text=text))

    def _refuse(self, request: CancelOrder | ReplaceOrder, refusal: _Refusal, now: datetime) -> None:
        self._decision.said.append(
            OrderCancelReject(
                client=request.client,
                order=refusal.order,
                cl_ord_id=request.cl_ord_id,
                orig_cl_ord_id=request.orig_cl_ord_id,
                response_to=CxlRejResponseTo.of(request),
                reason=refusal.reason,
                transact_time=now,
                text=refusal.text,
            )
        )

    def emit(self, report: ExecutionReport) -> ExecutionReport:
        """Number the report, unless it only repeats how an order stands, and keep the order it brings."""
        if report.exec_type is not ExecType.ORDER_STATUS:
            report = replace(report, exec_id=self.ids.exec_id()).recorded()
            if report.order.order_id != NO_ORDER_ID:
                self._keep(report.order)
        self._decision.said.append(report)
        return report

    def _keep(self, order: Order) -> None:
        self._book.keep(order)
        self._decision.orders[order.order_id] = order

    def _decided(self) -> Decision:
        decision, self._decision = self._decision, Decision()
        return decision


def _order(new: NewOrder, order_id: str, rule: Rule, now: datetime) -> Order:
    return Order(
        client=new.client,
        order_id=order_id,
        cl_ord_ids=(new.cl_ord_id,),
        symbol=new.symbol,
        side=new.side,
        terms=new.terms,
        received_at=now,
        account=new.account,
        rule=rule,
        slices_left=rule.slices,
    )


def _absent(request: NewOrder | StatusRequest, terms: Terms, now: datetime) -> Order:
    """Stands in a report for an order that is not in the book."""
    return Order(request.client, NO_ORDER_ID, (request.cl_ord_id,), request.symbol, request.side, terms, now)
