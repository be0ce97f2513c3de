"""What an account can pay for, as its fills, its working orders and the prices have it."""

from __future__ import annotations

from decimal import Decimal

from fairlead_server.domain.buying_power import AccountKind, BuyingPower, Lack, MarginModel, Shortfall
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.exposure import working
from fairlead_server.domain.terms import Side
from fairlead_server.routing.funds import Funds
from fairlead_server.routing.reference import Reference
from msgspec.structs import replace

from tests.domain.builders import instrument, new_order, report, terms, trade
from tests.routing.desk import Desk, about

CASH = MarginModel(AccountKind.CASH, "USD", Decimal(10_000))
MARGIN = MarginModel(AccountKind.MARGIN, "USD", Decimal(10_000), Decimal("0.5"))
ZERO = Decimal(0)


def funds(desk: Desk, model: MarginModel = CASH, **changes: object) -> Funds:
    """With ACME at 50 unless ``changes`` say otherwise."""
    reference = Reference(desk.pipeline, {"ACME": instrument(**changes)})
    return Funds(desk.book, reference, {"ACC1": model})


def bought(desk: Desk, quantity: int, price: int, side: Side = Side.BUY, strategy_id: str = "") -> None:
    name = f"c{len(desk.events)}"
    order = desk.working(
        new_order(client_order_id=name, side=side, strategy_id=strategy_id, terms=terms(quantity))
    )
    desk.hear(about(order, trade(f"E{name}", quantity, price)))


async def test_an_account_of_which_nothing_is_known_is_refused_nothing(desk: Desk) -> None:
    other = funds(desk)

    assert other.power("ACC2") is None
    assert other.lacking("ACC2", "ACME", Decimal(1_000_000), None) is None


async def test_cash_is_spent_and_comes_back(desk: Desk) -> None:
    bought(desk, 100, 40, strategy_id="S1")
    bought(desk, 40, 60, Side.SELL, strategy_id="S2")
    desk.working(new_order(client_order_id="open", terms=terms(20, 49)))

    power = funds(desk).power("ACC1")

    assert power is not None
    assert power.free == 10_000 - 100 * 40 + 40 * 60 - 20 * 50
    assert funds(desk).lacking("ACC1", "ACME", Decimal(-60), Decimal(1)) is None
    short = Shortfall(Lack.SHORT, Decimal(61), Decimal(60))
    assert funds(desk).lacking("ACC1", "ACME", Decimal(-61), Decimal(1)) == short
    assert funds(desk).lacking("ACC1", "ACME", Decimal(140), Decimal(52)) is None
    found = funds(desk).lacking("ACC1", "ACME", Decimal(143), Decimal(52))
    assert found == Shortfall(Lack.FUNDS, Decimal(143 * 52), power.free)


async def test_margin_is_by_the_instruments_rate_and_multiplier(desk: Desk) -> None:
    bought(desk, 100, 50)

    contracts = funds(desk, MARGIN, margin_rate=Decimal("0.1"), multiplier=Decimal(10))

    assert contracts.lacking("ACC1", "ACME", Decimal(-100), None) is None
    power = contracts.power("ACC1")
    assert power is not None
    assert power.requirement == 100 * 50 * 10 / 10
    assert funds(desk, MARGIN).power("ACC1") == BuyingPower(Decimal(10_000), Decimal(2_500))


async def test_an_amend_makes_room_for_itself(desk: Desk) -> None:
    order = desk.working(new_order(terms=terms(100, 50)))
    desk.hear(about(order, report(ReportKind.NEW)))
    wanted = Decimal(200)

    assert funds(desk).lacking("ACC1", "ACME", wanted, Decimal(50), working(order)) is None
    assert funds(desk).lacking("ACC1", "ACME", wanted, Decimal(50)) is not None


async def test_what_nobody_can_value_or_convert_is_not_paid_for(desk: Desk) -> None:
    bought(desk, 100, 40)

    assert funds(desk, reference=None).lacking("ACC1", "ACME", Decimal(1), None) == Shortfall(Lack.PRICE)
    assert funds(desk, currency="EUR").lacking("ACC1", "ACME", Decimal(1), None) == Shortfall(Lack.CURRENCY)
    assert funds(desk).lacking("ACC1", "FAR", Decimal(1), None) == Shortfall(Lack.CURRENCY)
    power = funds(desk, reference=None).power("ACC1")
    assert power == replace(BuyingPower(Decimal(10_000), ZERO), unpriced=("ACME",))
