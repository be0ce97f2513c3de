"""No interleaving of orders, amends, cancels, fills, late fills, busts and changes of limits brings more than the limits allow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from fairlead_server.domain.errors import RouterError
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import Order
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import OrderType, Side
from fairlead_server.routing.book import Book
from fairlead_server.routing.ports import Operator
from fairlead_server.store.database import Store

from tests.domain.builders import NOW, bust, limit_set, new_order, policy, report, terms, trade
from tests.routing.desk import Desk
from tests.stores import in_memory

OPS = Operator("ops", "as agreed")
ACCOUNT, STRATEGY = Scope("ACC1"), Scope("ACC1", strategy_id="a")
SETS = (
    limit_set(
        ACCOUNT,
        "account",
        values={
            "max_position": Decimal(600),
            "max_open_orders": Decimal(6),
            "max_open_notional": Decimal(30_000),
            "max_gross_exposure": Decimal(30_000),
        },
    ),
    limit_set(STRATEGY, "strategy", values={"max_position": Decimal(300), "max_open_orders": Decimal(4)}),
)
SIDES = (Side.BUY, Side.SELL, Side.SELL_SHORT)


@dataclass
class Life:
    """One desk and what happens at it, all chance from one seed."""

    desk: Desk
    chance: Random
    orders: list[Order] = field(default_factory=list)
    fills: dict[str, list[str]] = field(default_factory=dict)  # ExecIDs by order_id
    accepted: int = 0
    refused: int = 0
    number: int = 0
    was: list[Order] = field(default_factory=list)  # how the orders stood before this step

    def step(self) -> None:
        happenings = (
            *[self.submit] * 5,
            *[self.amend] * 3,
            self.cancel,
            *[self.fill] * 4,
            self.confirm,
            self.end,
            self.bust,
            self.limits,
        )
        self.was = self.now()
        self.chance.choice(happenings)()

    # What clients and operators do: what is accepted is within the limits.

    def submit(self) -> None:
        self.number += 1
        market = self.chance.random() < 0.2
        new = new_order(
            client_order_id=f"order-{self.number}",
            side=self.chance.choice(SIDES),
            order_type=OrderType.MARKET if market else OrderType.LIMIT,
            terms=terms(
                self.chance.randrange(20, 400, 10), None if market else self.chance.choice((48, 50, 52))
            ),
            strategy_id=self.chance.choice("ab"),
        )
        order = self.desk.submit(new).order
        self.counted(order, accepted=order.reject is None)
        if order.reject is None:
            self.orders.append(order)

    def amend(self) -> None:
        order = self.some(live=True)
        if order is None:
            return
        self.number += 1
        quantity = self.chance.randrange(20, 500, 10)
        try:
            answer = self.desk.amend(order, quantity, request_id=f"amend-{self.number}")
        except RouterError:  # it has ended, or something is pending
            return
        self.counted(answer.order, accepted=answer.reject is None)

    def cancel(self) -> None:
        order = self.some(live=True)
        if order is not None:
            self.number += 1
            self.desk.cancel(order, request_id=f"cancel-{self.number}")

    def limits(self) -> None:
        """For the strategy of its own, a tighter one or none."""
        if self.chance.random() < 0.5:
            value = Decimal(self.chance.randrange(50, 400, 10))
            own = limit_set(STRATEGY, "changed", values={"max_position": value})
            self.desk.limits.put(own, None, OPS, NOW)
        elif any(each.limit_id == "changed" for each in self.desk.limits):
            self.desk.limits.delete("changed", None, OPS, NOW)

    # What the venue says.

    def confirm(self) -> None:
        order = self.some(live=True)
        if order is not None:
            self.desk.hear(report(ReportKind.NEW, cl_ord_id=order.cl_ord_id))

    def fill(self) -> None:
        """Also of an order that has ended: the venue was faster. No more than it asks for."""
        order = self.some(live=self.chance.random() < 0.8)
        if order is None or order.cum_qty >= order.terms.quantity:
            return
        self.number += 1
        rest = int(order.terms.quantity - order.cum_qty)
        quantity = rest if self.chance.random() < 0.4 else self.chance.randint(1, rest)
        exec_id = f"E{self.number}"
        self.fills.setdefault(order.order_id, []).append(exec_id)
        self.desk.hear(trade(exec_id, quantity, cl_ord_id=order.cl_ord_id, side=order.request.side))

    def end(self) -> None:
        order = self.some(live=True)
        if order is not None:
            self.number += 1
            self.desk.hear(report(ReportKind.CANCELED, exec_id=f"C{self.number}", cl_ord_id=order.cl_ord_id))

    def bust(self) -> None:
        busted = [order for order in self.orders if self.fills.get(order.order_id)]
        if busted:
            order = self.chance.choice(busted)
            self.number += 1
            exec_id = self.fills[order.order_id].pop()
            self.desk.hear(bust(f"B{self.number}", exec_id, cl_ord_id=self.desk.now(order).cl_ord_id))

    def some(self, *, live: bool) -> Order | None:
        known = [self.desk.now(order) for order in self.orders]
        fitting = [order for order in known if order.live or not live]
        return self.chance.choice(fitting) if fitting else None

    # The laws.

    def counted(self, order: Order, *, accepted: bool) -> None:
        """What fills and busts have brought beyond a limit, an order that is accepted does not bring further."""
        self.accepted += accepted
        self.refused += not accepted
        if accepted:
            before, after = measured(self.was, order, self.desk), measured(self.now(order), order, self.desk)
            assert all(after[each] <= max(each[2], before[each]) for each in after), (before, after)

    def now(self, *more: Order) -> list[Order]:
        return [
            self.desk.now(order)
            for order in {order.order_id: order for order in (*self.orders, *more)}.values()
        ]


Limit = tuple[str, str, Decimal]  # limit_id, what it limits, and to how much


def measured(orders: list[Order], asked: Order, desk: Desk) -> dict[Limit, Decimal]:
    """What counts against each limit of the order that is asked for, recomputed from all orders, on the side of that order."""
    sign, found = asked.request.side.sign, dict[Limit, Decimal]()
    for limits in desk.limits:
        if limits.scope.strategy_id not in ("", asked.request.strategy_id):
            continue
        mine = [order for order in orders if limits.scope.strategy_id in ("", order.request.strategy_id)]
        live = [order for order in mine if order.live]
        position = sum((order.cum_qty * order.request.side.sign for order in mine), Decimal(0))
        side = [order for order in live if order.request.side.sign == sign]
        counts = {
            "max_position": position * sign + sum((rest(order) for order in side), Decimal(0)),
            "max_open_orders": Decimal(len(live)),
            "max_open_notional": sum((rest(order) * price(order) for order in live), Decimal(0)),
        }
        for name, value in limits.values.items():
            if name in counts:
                found[limits.limit_id, name, value] = counts[name]
    return found


def rest(order: Order) -> Decimal:
    return order.worst_quantity - order.cum_qty


def price(order: Order) -> Decimal:
    """The fixed reference price where it has none."""
    return order.terms.price if order.terms.price is not None else Decimal(50)


def lived(seed: int, steps: int) -> Life:
    with in_memory() as store:
        return asyncio.run(_lived(store, seed, steps))


async def _lived(store: Store, seed: int, steps: int) -> Life:
    desk = Desk(store, policy=policy(sets=SETS, version="v1"), keep=10_000)
    life = Life(desk, Random(seed))
    for _ in range(steps):
        life.step()
    await desk.pipeline.durable()
    again = Book(store.in_place)
    again.track(desk.book.exposures.tracked)
    again.load(store.load(NOW, timedelta()))
    for scope in (ACCOUNT, STRATEGY, Scope("ACC1", strategy_id="b")):
        assert again.exposures.within(scope, "ACME") == desk.book.exposures.within(scope, "ACME")
        assert again.exposures.open_orders(scope) == desk.book.exposures.open_orders(scope)
    await desk.end()
    return life


@pytest.mark.parametrize("seed", range(12))
def test_what_is_accepted_never_exceeds_a_limit_and_usage_is_what_the_store_says(seed: int) -> None:
    life = lived(seed, 120)

    assert life.accepted > 10
    assert life.refused > 10


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(12, 500))
def test_the_same_for_much_longer(seed: int) -> None:
    lived(seed, 600)
