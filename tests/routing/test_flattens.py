"""Flatten: cancel, wait, close, look again; each step kept, and no order doubled."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fairlead_server.domain.errors import RequestIdConflict, UnknownFlatten
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.flatten import Flatten, Stage
from fairlead_server.domain.order import Order
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.domain.terms import OrderType, Side
from fairlead_server.domain.venue_rules import Capabilities
from msgspec.structs import replace

from tests.domain.builders import NOW, new_order, report, terms
from tests.routing.desk import PATIENT, Desk, about
from tests.routing.test_trading_states import ANN, key, kill, refusal, settled

OURS = Scope("ACC1")


def begin(desk: Desk, scope: Scope = OURS, *, request_id: str = "", force: bool = False) -> Flatten:
    return desk.flattens.begin(scope, request_id or key(), ANN, NOW, force=force).flatten


def as_is(desk: Desk, flatten: Flatten) -> Flatten:
    return desk.flattens.get(flatten.flatten_id)


def closers(desk: Desk) -> list[Order]:
    return [order for order in desk.book.in_memory() if order.request.flattens is not None]


def bought(desk: Desk, name: str = "bought", **changes: object) -> Order:
    return desk.filled(desk.working(new_order(client_order_id=name, **changes)), 100, f"E-{name}")


async def test_where_nothing_is_live_or_held_it_is_over_at_once(desk: Desk) -> None:
    flatten = begin(desk)
    await settled(desk)
    assert (as_is(desk, flatten).stage, closers(desk)) == (Stage.FLAT, [])
    assert refusal(desk) is RejectReason.RISK_TRADING_PAUSED


async def test_what_is_held_is_closed_by_a_market_order_of_its_strategy(desk: Desk) -> None:
    bought(desk, strategy_id="S1")
    flatten = begin(desk)
    await settled(desk)
    [order] = closers(desk)
    new = order.request
    assert (new.side, new.order_type, new.terms.quantity) == (Side.SELL, OrderType.MARKET, Decimal(100))
    assert (new.strategy_id, order.live) == ("S1", True)
    assert as_is(desk, flatten).stage is Stage.CLOSING

    desk.filled(order, 100, "E-close")
    await settled(desk)
    assert as_is(desk, flatten).stage is Stage.FLAT
    assert as_is(desk, flatten).residuals == ()


async def test_it_waits_for_the_end_of_what_was_live_and_counts_what_filled_meanwhile(desk: Desk) -> None:
    bought(desk)
    resting = desk.working(new_order(client_order_id="resting", terms=terms(50)))
    begin(desk)
    assert desk.now(resting).pending
    assert closers(desk) == []
    desk.filled(resting, 20, "E-crossed")
    desk.hear(about(resting, report(ReportKind.CANCELED)))
    await settled(desk)
    [order] = closers(desk)
    assert order.terms.quantity == Decimal(120)


async def test_forced_it_does_not_wait(desk: Desk) -> None:
    bought(desk)
    desk.working(new_order(client_order_id="resting"))
    begin(desk, force=True)
    assert [order.terms.quantity for order in closers(desk)] == [Decimal(100)]


async def test_its_orders_pass_a_kill_of_its_own_scope_and_of_none_that_is_wider(desk: Desk) -> None:
    bought(desk)
    kill(desk, OURS)
    begin(desk)
    [order] = closers(desk)
    assert order.live
    assert not order.pending
    desk.filled(order, 100, "E-close")
    await settled(desk)

    assert refusal(desk) is RejectReason.RISK_KILL_SWITCH


async def test_what_a_wider_halt_or_a_control_refuses_is_a_residual(desk: Desk) -> None:
    bought(desk)
    kill(desk, EVERYTHING)
    flatten = begin(desk, OURS)
    await settled(desk)
    [residual] = as_is(desk, flatten).residuals
    assert (residual.quantity, residual.holding) == (Decimal(100), Scope("ACC1", instrument_id="ACME"))
    assert residual.problem.startswith("RISK_KILL_SWITCH")
    assert as_is(desk, flatten).stage is Stage.RESIDUAL


async def test_a_client_cannot_make_more_of_a_closing_order(desk: Desk) -> None:
    bought(desk)
    begin(desk)
    [order] = closers(desk)
    desk.hear(about(order, report(ReportKind.NEW)))
    answer = desk.amend(order, 200)
    assert answer.reject is not None
    assert answer.reject.reason is RejectReason.RISK_TRADING_PAUSED


async def test_where_a_venue_takes_no_market_orders_a_limit_beyond_the_reference_is_sent(desk: Desk) -> None:
    takes = Capabilities(order_types=frozenset({OrderType.LIMIT}))
    desk.gateway.rules = replace(PATIENT, capabilities=takes)
    bought(desk)
    begin(desk)
    [order] = closers(desk)
    assert order.request.order_type is OrderType.LIMIT
    assert order.terms.price == Decimal("49.00")


async def test_a_part_of_it_is_closed_in_another_round(desk: Desk) -> None:
    bought(desk)
    flatten = begin(desk)
    [first] = closers(desk)
    desk.filled(first, 60, "E-part")
    desk.hear(about(first, report(ReportKind.CANCELED)))
    await settled(desk)
    second = next(order for order in closers(desk) if order.live)
    assert second.terms.quantity == Decimal(40)
    desk.hear(about(second, report(ReportKind.CANCELED)))
    await settled(desk)
    [residual] = as_is(desk, flatten).residuals
    assert residual.quantity == Decimal(40)


async def test_the_same_request_again_is_the_same_flatten(desk: Desk) -> None:
    flatten = begin(desk)
    assert desk.flattens.begin(OURS, flatten.flatten_id, ANN, NOW).duplicate
    with pytest.raises(RequestIdConflict):
        begin(desk, EVERYTHING, request_id=flatten.flatten_id)
    with pytest.raises(UnknownFlatten):
        desk.flattens.get(key())


async def test_a_restart_goes_on_at_each_step(desk: Desk) -> None:
    bought(desk)
    resting = desk.working(new_order(client_order_id="resting"))
    flatten = begin(desk)

    second = await desk.restarted()
    assert as_is(second, flatten).stage is Stage.CANCELING
    second.hear(about(resting, report(ReportKind.CANCELED)))
    await settled(second)
    [order] = closers(second)

    third = await second.restarted()
    assert [each.order_id for each in closers(third)] == [order.order_id]
    third.filled(order, 100, "E-close")
    await settled(third)
    assert as_is(third, flatten).stage is Stage.FLAT
    await third.end()


async def test_a_closing_order_that_was_submitted_and_not_noted_is_not_doubled(desk: Desk) -> None:
    bought(desk)
    flatten = begin(desk)
    [order] = closers(desk)
    [closing] = flatten.closings
    with desk.pipeline.deciding():
        desk.ledger.remember_flatten(replace(flatten, closings=(replace(closing, order_id=""),)))
    later = await desk.restarted()
    assert [each.order_id for each in closers(later)] == [order.order_id]
    assert later.flattens._all[flatten.flatten_id].closings == (closing,)
    await later.end()


async def test_cancels_that_were_not_decided_are_decided_at_the_start(desk: Desk) -> None:
    order = desk.working()
    flatten = Flatten(key(), OURS, NOW, "ann", "why")
    with desk.pipeline.deciding():
        desk.ledger.remember_flatten(flatten)
    later = await desk.restarted()
    assert later.now(order).pending
    await later.end()


# What comes between the plan and the order: a session that is down, or a second flatten.


async def retried(desk: Desk, *flattens: Flatten) -> None:
    """As after a second, with the session up."""
    desk.gateway.available = True
    for flatten in flattens:
        desk.flattens._go_on(flatten.flatten_id)
    await settled(desk)


async def test_two_that_have_waited_for_a_session_close_it_once(desk: Desk) -> None:
    bought(desk)
    desk.gateway.available = False
    first, second = begin(desk), begin(desk)
    await retried(desk, first, second)
    [order] = closers(desk)
    assert as_is(desk, second).stage is Stage.CLOSING

    desk.filled(order, 100, "E-close")
    await settled(desk)
    await retried(desk, second)
    assert [as_is(desk, each).stage for each in (first, second)] == [Stage.FLAT, Stage.FLAT]
    assert closers(desk) == []


async def test_a_forced_one_does_not_double_the_order_of_another(desk: Desk) -> None:
    bought(desk)
    begin(desk)
    [order] = closers(desk)
    forced = begin(desk, force=True)
    assert closers(desk) == [desk.now(order)]
    desk.filled(order, 30, "E-part")
    desk.hear(about(order, report(ReportKind.CANCELED)))
    await settled(desk)
    await retried(desk, forced)
    assert sum(each.leaves_qty for each in closers(desk)) == Decimal(70)


async def test_what_was_sold_while_it_waited_is_not_sold_again(desk: Desk) -> None:
    bought(desk)
    resting = desk.working(new_order(client_order_id="sells", side=Side.SELL))
    desk.gateway.available = False
    flatten = begin(desk, force=True)
    desk.filled(resting, 60, "E-crossed")
    await retried(desk, flatten)
    [order] = closers(desk)
    assert order.terms.quantity == Decimal(40)


async def test_what_was_closed_while_it_waited_is_left_alone(desk: Desk) -> None:
    bought(desk)
    resting = desk.working(new_order(client_order_id="sells", side=Side.SELL))
    desk.gateway.available = False
    flatten = begin(desk, force=True)
    desk.filled(resting, 100, "E-crossed")
    await retried(desk, flatten)
    assert (as_is(desk, flatten).stage, closers(desk)) == (Stage.FLAT, [])


async def test_a_kill_that_goes_on_leaves_closing_orders_alone(desk: Desk) -> None:
    bought(desk)
    kill(desk, OURS)
    flatten = begin(desk)
    [order] = closers(desk)
    desk.hear(report(ReportKind.NEW, cl_ord_id="FOREIGN", venue_order_id="V9", symbol="ACME"))
    await settled(desk)
    foreign = next(each for each in desk.book.all_live() if each.venue_order_id == "V9")
    assert foreign.pending
    assert not desk.now(order).pending
    assert as_is(desk, flatten).stage is Stage.CLOSING

    kill(desk, OURS)
    assert desk.now(order).pending
