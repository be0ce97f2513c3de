"""What an account can pay for, as its fills, its working orders and the prices have it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fairlead_server.domain.buying_power import AccountKind, Lack, MarginModel, Shortfall
from fairlead_server.domain.order import OrderState
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.terms import Side
from fairlead_server.routing.funds import Funds
from fairlead_server.routing.reference import Reference
from fairlead_server.store.database import Store

from tests.domain.builders import account, instrument, new_order, policy, terms, trade
from tests.routing.desk import Desk, about

CASH = MarginModel(AccountKind.CASH, "USD", Decimal(10_000))
MARGIN = MarginModel(AccountKind.MARGIN, "USD", Decimal(10_000), Decimal("0.5"))


def lacks(
    desk: Desk,
    model: MarginModel,
    quantity: int,
    price: int | None = None,
    name: str = "ACME",
    **changes: Any,
) -> Shortfall | None:
    """With ACME at 50 unless ``changes`` say otherwise."""
    reference = Reference(desk.pipeline, {"ACME": instrument(**changes)})
    exposures = [(each, desk.book.exposures.of("ACC1", each)) for each in sorted({"ACME", name})]
    worth = None if price is None else Decimal(price)
    return Funds(desk.book, reference).lacking(model, "ACC1", name, Decimal(quantity), worth, exposures)


def traded(desk: Desk, quantity: int, price: int, side: Side = Side.BUY, strategy_id: str = "") -> None:
    name = f"c{len(desk.events)}"
    new = new_order(client_order_id=name, side=side, strategy_id=strategy_id, terms=terms(quantity))
    desk.hear(about(desk.working(new), trade(f"E{name}", quantity, price)))


async def test_cash_is_spent_and_comes_back(desk: Desk) -> None:
    traded(desk, 100, 40, strategy_id="S1")
    traded(desk, 40, 60, Side.SELL, strategy_id="S2")
    desk.working(new_order(client_order_id="open", terms=terms(20, 49)))
    left = Decimal(10_000 - 100 * 40 + 40 * 60 - 20 * 50)

    assert lacks(desk, CASH, 140, 52) is None
    assert lacks(desk, CASH, 143, 52) == Shortfall(Lack.FUNDS, Decimal(143 * 52), left)
    assert lacks(desk, CASH, -60, 1) is None
    assert lacks(desk, CASH, -61, 1) == Shortfall(Lack.SHORT, Decimal(61), Decimal(60))


async def test_margin_is_by_the_instruments_rate_and_multiplier(desk: Desk) -> None:
    traded(desk, 100, 50)
    contract: dict[str, Any] = {"margin_rate": Decimal("0.1"), "multiplier": Decimal(10)}

    assert lacks(desk, MARGIN, -100, **contract) is None
    assert lacks(desk, MARGIN, 301) == Shortfall(Lack.FUNDS, Decimal(7_525), Decimal(7_500))
    assert lacks(desk, MARGIN, 300) is None


async def test_what_nobody_can_value_or_convert_is_not_paid_for(desk: Desk) -> None:
    traded(desk, 100, 40)

    assert lacks(desk, CASH, 1, reference=None) == Shortfall(Lack.PRICE)
    assert lacks(desk, CASH, 1, currency="EUR") == Shortfall(Lack.CURRENCY)
    assert lacks(desk, CASH, 1, name="FAR") == Shortfall(Lack.CURRENCY)


async def test_an_order_that_cannot_be_paid_for_is_refused(store: Store) -> None:
    poor = MarginModel(AccountKind.CASH, "USD", Decimal(6_000))
    desk = Desk(store, policy=policy(account(margin=poor)))

    bought = desk.working(new_order(terms=terms(100)))
    refused = desk.submit(new_order(client_order_id="c2", terms=terms(30))).order
    amended = desk.amend(bought, 120).order
    too_much = desk.amend(amended, 130, request_id="amend-2").order
    short = desk.submit(new_order(client_order_id="c3", side=Side.SELL)).order

    for order in (refused, short):
        assert order.state is OrderState.REJECTED
        assert order.reject is not None
        assert order.reject.reason is RejectReason.RISK_CREDIT
    assert refused.reject is not None
    [breach] = refused.reject.breaches
    assert (breach.rule_id, breach.limit, breach.observed) == ("buying_power", "1000", "1500")
    assert [each.terms.quantity for each in too_much.pending if each.terms] == [120]
    await desk.end()
