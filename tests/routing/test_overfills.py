"""An overfill is booked; where it is to halt, its account opens nothing in its instrument until an operator settles it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import OrderTerminal
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.order import Flag, Order, OrderState
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.reconciliation import Ruling, Verdict
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.terms import Side
from fairlead_server.store.database import Store

from tests.domain.builders import NOW, account, bust, new_order, policy, trade
from tests.domain.builders import terms as of
from tests.routing.desk import Desk, FakeGateway, about, ref

OPS = Cause(Initiator.ADMIN, "ops")
STANDS = Ruling(Verdict.STANDS, "the broker lets us keep it", "OPS-9")


def opened(store: Store, *, by_account: bool = False, by_all: bool = False) -> Desk:
    own, other = account(halt_on_overfill=by_account), account(account_id="ACC2")
    return Desk(store, policy=policy(own, other, version="v1", halt_on_overfill=by_all))


def overfilled(desk: Desk, client_order_id: str = "over") -> Order:
    return desk.filled(desk.working(new_order(client_order_id=client_order_id)), 110, f"E-{client_order_id}")


def settle(desk: Desk, order: Order, ruling: Ruling = STANDS, key: str = "key") -> Order:
    return desk.reconciliations.reconcile(ref(order), key, ruling, OPS, NOW).order


def refusal(order: Order) -> tuple[RejectReason, str] | None:
    return None if order.reject is None else (order.reject.reason, order.reject.text)


async def test_by_itself_an_overfill_halts_nothing(store: Store) -> None:
    desk = opened(store)

    order = overfilled(desk)

    assert (order.state, int(order.cum_qty), order.flags) == (
        OrderState.FILLED,
        110,
        frozenset({Flag.OVERFILLED}),
    )
    assert refusal(desk.sent(new_order(client_order_id="next"))) is None
    await desk.end()


@pytest.mark.parametrize("wide", [False, True])
async def test_where_it_halts_only_its_account_and_instrument_open_no_more(store: Store, wide: bool) -> None:
    desk = opened(store, by_account=not wide, by_all=wide)

    order = overfilled(desk)

    text = f"order {order.order_id} was overfilled; nothing is opened until an operator has settled it"
    refused = desk.sent(new_order(client_order_id="next"))
    assert refusal(refused) == (RejectReason.RISK_SYMBOL_BLOCKED, text)
    assert desk.exposure().position == 110
    assert refusal(desk.sent(new_order(client_order_id="elsewhere", account_id="ACC2"))) is None
    await desk.end()


async def test_what_waits_for_its_turn_is_not_sent_after_it(store: Store) -> None:
    bucket = TokenBucket(10, 1, NOW - timedelta(minutes=1))
    gateway = FakeGateway(bucket=bucket, max_queue=timedelta(seconds=9))
    desk = Desk(
        store, policy=policy(account(halt_on_overfill=True), version="v1"), gateways={"BROKER": gateway}
    )
    first = desk.sent(new_order(client_order_id="first"))
    waiting = desk.sent(new_order(client_order_id="waiting"))
    assert (first.held, waiting.held) == (False, True)

    desk.hear(trade("E1", 110, cl_ord_id=first.cl_ord_id))
    desk.entry.dispatch(gateway, NOW + timedelta(seconds=1))

    refused = desk.now(waiting)
    assert (refused.state, refused.held) == (OrderState.REJECTED, True)
    assert refused.reject is not None
    assert refused.reject.reason is RejectReason.RISK_SYMBOL_BLOCKED
    assert first.order_id in refused.reject.text
    await desk.end()


async def test_what_closes_the_position_and_cancels_pass(store: Store) -> None:
    desk = opened(store, by_account=True)
    resting = desk.working(new_order(client_order_id="resting"))

    overfilled(desk)

    closing = new_order(client_order_id="close", side=Side.SELL, terms=of(110))
    assert refusal(desk.sent(closing)) is None
    turning = new_order(client_order_id="turn", side=Side.SELL, terms=of(20))
    assert refusal(desk.sent(turning)) is not None
    assert desk.cancel(resting).reject is None
    await desk.end()


async def test_an_operator_settles_it_once_and_it_is_audited(store: Store) -> None:
    desk = opened(store, by_account=True)
    order = overfilled(desk)

    settled = settle(desk, order)

    assert (settled.state, settled.flags) == (OrderState.FILLED, frozenset({Flag.OVERFILLED}))
    assert desk.kinds(order)[-1] is EventKind.RECONCILED
    assert refusal(desk.sent(new_order(client_order_id="next"))) is None
    await desk.pipeline.durable()
    [row] = store.audit(order.order_id, 10)
    assert (row.principal, row.action, row.reason) == ("ops", "order.reconcile", str(STANDS))
    assert settle(desk, order) == settled
    with pytest.raises(OrderTerminal):
        settle(desk, order, key="other")
    await desk.end()


async def test_no_other_verdict_and_no_bust_settles_it(store: Store) -> None:
    desk = opened(store, by_account=True)
    order = overfilled(desk)

    with pytest.raises(OrderTerminal):
        settle(desk, order, Ruling(Verdict.CANCELED, "no", "OPS-9", forced=True))
    desk.hear(about(order, bust("9", "E-over")))

    assert desk.now(order).cum_qty == 0
    assert refusal(desk.sent(new_order(client_order_id="next"))) is not None
    settle(desk, order)
    assert refusal(desk.sent(new_order(client_order_id="after"))) is None
    await desk.end()


async def test_each_overfill_is_settled_by_itself(store: Store) -> None:
    desk = opened(store, by_account=True)
    first, second = (desk.working(new_order(client_order_id=name)) for name in ("first", "second"))
    desk.filled(first, 110, "E1")
    desk.filled(second, 110, "E2")

    settle(desk, second, key="one")
    refused = desk.sent(new_order(client_order_id="next"))
    settle(desk, first, key="two")

    assert refused.reject is not None
    assert first.order_id in refused.reject.text
    assert refusal(desk.sent(new_order(client_order_id="after"))) is None
    await desk.end()


async def test_it_outlives_the_process_until_it_is_settled(store: Store) -> None:
    desk = opened(store, by_account=True)
    order = overfilled(desk)

    later = await desk.restarted()
    refused = later.sent(new_order(client_order_id="next"))
    settle(later, later.now(order))
    latest = await later.restarted()

    assert refused.reject is not None
    assert refusal(latest.sent(new_order(client_order_id="after"))) is None
    await latest.end()


async def test_an_order_that_nobody_submitted_halts_too(store: Store) -> None:
    desk = opened(store, by_account=True)

    desk.hear(
        trade("E1", 110, cl_ord_id="theirs", venue_order_id="V9", order_qty=Decimal(100), account="ACC1")
    )

    assert refusal(desk.sent()) is not None
    await desk.end()
