"""Pause, reduce-only and the kill switch: in force at once, kept, pursued to the end, and released by two."""

from __future__ import annotations

import asyncio

import pytest
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.errors import (
    AnotherPersonNeeded,
    KillSwitchOff,
    KillSwitchOn,
    RequestIdConflict,
    StoreUnavailable,
)
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import OrderState
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.domain.terms import Side
from fairlead_server.domain.trading_state import Halt, TradingState
from fairlead_server.routing.ports import Operator
from fairlead_server.routing.trading_states import Left, Said
from fairlead_server.store.database import Store

from tests.domain.builders import (
    NOW,
    bust,
    cancel_reject,
    instrument,
    limits,
    new_order,
    policy,
    report,
    terms,
)
from tests.routing.desk import SECOND, Desk, about
from tests.routing.test_mass_cancel import numbered
from tests.routing.test_mass_requests import make_able
from tests.routing.test_unanswered import down, up

ANN, BOB = Operator("ann", "the feed is wrong"), Operator("bob", "the feed is right again")
ACTIVE, REDUCE_ONLY, PAUSED, KILLED = TradingState
_ids = iter(range(1, 1_000_000))


def key() -> str:
    return f"00000000-0000-4000-8000-{next(_ids):012}"


def say(desk: Desk, state: TradingState, scope: Scope = EVERYTHING) -> Said:
    return desk.trading_states.set(scope, state, key(), ANN, NOW)


def kill(desk: Desk, scope: Scope = EVERYTHING, request_id: str = "") -> Halt:
    return desk.trading_states.kill(scope, request_id or key(), ANN, NOW).halt


def refusal(desk: Desk, client_order_id: str = "refused", **changes: object) -> RejectReason | None:
    order = desk.sent(new_order(client_order_id=client_order_id, **changes))
    return order.reject.reason if order.reject else None


def left(desk: Desk, halt: Halt) -> list[Left]:
    return [each.how for each in desk.trading_states.progress(halt).left]


def canceled(desk: Desk, order_id: str) -> None:
    desk.hear(about(desk.find(order_id), report(ReportKind.CANCELED)))


async def settled(desk: Desk) -> None:
    """What follows a commit is decided after it, and is durable."""
    await desk.pipeline.durable()
    await asyncio.sleep(0)
    await desk.pipeline.durable()


def audited(desk: Desk) -> list[str]:
    return [row.action for row in desk.store.audit("", 100)][::-1]


# States.


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (PAUSED, RejectReason.RISK_TRADING_PAUSED),
        (REDUCE_ONLY, RejectReason.RISK_REDUCE_ONLY),
    ],
)
async def test_a_state_holds_for_its_scope_until_the_scope_is_active_again(
    desk: Desk, state: TradingState, reason: RejectReason
) -> None:
    said = say(desk, state, Scope("ACC1"))
    assert (said.halt.number, said.duplicate) == (1, False)
    assert refusal(desk, "first") is reason
    say(desk, ACTIVE, Scope("ACC1"))
    assert refusal(desk, "second") is None
    await desk.pipeline.durable()
    [first, *_] = desk.store.audit("", 100)[::-1]
    assert (first.principal, first.reason, first.subject) == ("ann", ANN.reason, "account_id=ACC1")
    assert (first.before, first.after) == ("ACTIVE", state.value)


async def test_it_is_about_the_session_that_the_order_would_go_to(desk: Desk) -> None:
    say(desk, PAUSED, Scope(session_id="BROKER"))
    assert refusal(desk) is RejectReason.RISK_TRADING_PAUSED


async def test_amends_that_add_are_refused_and_those_that_take_away_pass(desk: Desk) -> None:
    order = desk.working()
    say(desk, PAUSED)
    assert desk.amend(order, 200).outcome is RequestOutcome.REJECTED
    assert desk.amend(order, 50, request_id="amend-2").outcome is RequestOutcome.PENDING
    assert desk.cancel(order).outcome is RequestOutcome.PENDING


async def test_reduce_only_lets_pass_what_reduces(desk: Desk) -> None:
    desk.filled(desk.working(), 100)
    say(desk, REDUCE_ONLY)
    assert refusal(desk, "a", side=Side.SELL, terms=terms(60)) is None
    assert refusal(desk, "b", side=Side.SELL, terms=terms(41)) is RejectReason.RISK_REDUCE_ONLY
    assert refusal(desk, "c", side=Side.BUY, terms=terms(1)) is RejectReason.RISK_REDUCE_ONLY


async def test_what_waits_for_its_turn_is_refused_when_that_comes(desk: Desk) -> None:
    desk.gateway.bucket, desk.gateway.max_queue = TokenBucket(1, 1, NOW), 10 * SECOND
    order = desk.sent()
    assert order.held
    say(desk, PAUSED)
    desk.entry.dispatch(desk.gateway, NOW + SECOND)
    reject = desk.now(order).reject
    assert reject is not None
    assert reject.reason is RejectReason.RISK_TRADING_PAUSED
    assert desk.gateway.decided == []


async def test_an_amend_that_waits_is_refused_when_its_turn_comes(desk: Desk) -> None:
    order = desk.working()
    desk.gateway.bucket, desk.gateway.max_queue = TokenBucket(1, 1, NOW), 10 * SECOND
    desk.amend(order, 200)
    say(desk, PAUSED)
    desk.entry.dispatch(desk.gateway, NOW + SECOND)
    assert desk.kinds(order)[-1] is EventKind.AMEND_REJECTED


async def test_an_amend_that_waits_is_refused_when_its_instrument_was_halted(desk: Desk) -> None:
    order, other = desk.working(), desk.working(new_order(client_order_id="other"))
    desk.gateway.bucket, desk.gateway.max_queue = TokenBucket(1, 1, NOW), 10 * SECOND
    desk.amend(order, 200)
    desk.amend(other, 50, request_id="less")
    with desk.pipeline.deciding():
        desk.reference.put(instrument(halted=True))
    for second in (1, 2):
        desk.entry.dispatch(desk.gateway, NOW + second * SECOND)
    assert desk.kinds(order)[-1] is EventKind.AMEND_REJECTED
    assert [text[0] for text in desk.gateway.decided[2:]] == ["G"]  # that takes quantity away


async def test_an_amend_that_waits_does_not_count_twice_because_others_are_paused(store: Store) -> None:
    desk = Desk(store, policy=policy(values=limits(max_message_rate=1, message_burst=2)))
    order = desk.working()
    desk.gateway.bucket, desk.gateway.max_queue = TokenBucket(10, 1, NOW), 10 * SECOND
    desk.amend(order, 200)
    say(desk, PAUSED, Scope("ACC2"))
    desk.entry.dispatch(desk.gateway, NOW + SECOND / 10)
    assert desk.gateway.decided[-1][0] == "G"
    await desk.end()


async def test_the_same_request_again_changes_nothing(desk: Desk) -> None:
    said = say(desk, PAUSED)
    say(desk, ACTIVE)
    again = desk.trading_states.set(EVERYTHING, PAUSED, said.halt.request_id, ANN, NOW)
    assert (again.halt, again.duplicate) == (said.halt, True)
    assert refusal(desk) is None
    with pytest.raises(RequestIdConflict):
        desk.trading_states.set(Scope("ACC1"), PAUSED, said.halt.request_id, ANN, NOW)


# The kill.


async def test_a_kill_is_in_force_and_every_cancel_decided_in_one_commit(desk: Desk) -> None:
    numbered(desk, 3)
    await desk.pipeline.durable()
    before = len(desk.writer.batches)

    halt = kill(desk)
    assert refusal(desk) is RejectReason.RISK_KILL_SWITCH
    await desk.pipeline.durable()

    assert len(desk.writer.batches) == before + 1
    assert [text.split()[0] for text in desk.gateway.wire] == ["D"] * 3 + ["F"] * 3
    progress = desk.trading_states.progress(halt)
    assert (progress.halt.matched, progress.ended) == (3, 0)
    assert left(desk, halt) == [Left.REQUESTED] * 3


async def test_what_was_held_is_cancelled_with_it_and_never_sent(desk: Desk) -> None:
    desk.gateway.bucket, desk.gateway.max_queue = TokenBucket(1, 1, NOW), 10 * SECOND
    order = desk.sent()
    halt = kill(desk)
    assert desk.now(order).state is OrderState.CANCELED
    assert desk.trading_states.progress(halt).halt.complete_time == NOW
    desk.entry.dispatch(desk.gateway, NOW + SECOND)
    assert desk.gateway.decided == []


async def test_a_kill_of_a_scope_leaves_the_others_alone(desk: Desk) -> None:
    ours = desk.working(new_order(client_order_id="ours", strategy_id="S1"))
    other = desk.working(new_order(client_order_id="other", strategy_id="S2"))
    kill(desk, Scope(strategy_id="S1"))
    assert desk.now(ours).pending
    assert not desk.now(other).pending
    assert refusal(desk, "a", strategy_id="S1") is RejectReason.RISK_KILL_SWITCH
    assert refusal(desk, "b", strategy_id="S2") is None


async def test_one_message_cancels_all_where_a_venue_takes_it(desk: Desk) -> None:
    make_able(desk)
    numbered(desk, 3)
    kill(desk)
    assert [text.split()[0] for text in desk.gateway.decided[3:]] == ["q"]


async def test_it_is_complete_when_none_is_live_any_more(desk: Desk) -> None:
    first, second = numbered(desk, 2)
    halt = kill(desk)
    canceled(desk, first)
    await settled(desk)
    assert desk.trading_states.progress(halt).ended == 1
    desk.filled(desk.find(second), 100)
    await settled(desk)
    progress = desk.trading_states.progress(halt)
    assert (progress.left, progress.ended, progress.halt.complete_time) == ((), 2, NOW)
    assert audited(desk) == ["trading.kill", "trading.killed"]


async def test_whoever_waits_for_the_end_is_told_of_it(desk: Desk) -> None:
    [order_id] = numbered(desk, 1)
    halt = kill(desk)
    waits = asyncio.create_task(desk.trading_states.ending(halt, 60))
    await asyncio.sleep(0)
    canceled(desk, order_id)
    await waits
    assert not desk.trading_states.progress(halt).left


async def test_the_wait_ends_with_its_time_and_where_all_that_is_left_is_in_doubt(desk: Desk) -> None:
    [order_id] = numbered(desk, 1)
    halt = kill(desk)
    await desk.trading_states.ending(halt, 0)
    order = desk.find(order_id)
    waits = asyncio.create_task(desk.trading_states.ending(halt, 60))
    with desk.pipeline.deciding():
        desk.executions.in_doubt(order.cl_ord_id, desk.gateway, "lost", NOW)
    await waits
    assert left(desk, halt) == [Left.IN_DOUBT]


async def test_a_venue_that_refuses_is_shown_and_asked_once_more_by_the_next_kill(desk: Desk) -> None:
    [order_id] = numbered(desk, 1)
    halt = kill(desk)
    [request] = desk.find(order_id).pending
    with desk.pipeline.deciding():
        desk.executions.cancel_rejected(cancel_reject(request.cl_ord_id), desk.gateway, NOW)
    [shown] = desk.trading_states.progress(halt).left
    assert shown.how is Left.REFUSED
    assert shown.reject is not None
    again = kill(desk)
    assert left(desk, again) == [Left.REQUESTED]
    assert again.before is ACTIVE


async def test_where_a_session_is_down_the_cancels_wait_and_go_first(desk: Desk) -> None:
    numbered(desk, 2)
    down(desk)
    halt = kill(desk)
    assert left(desk, halt) == [Left.WAITING] * 2
    up(desk)
    assert left(desk, halt) == [Left.REQUESTED] * 2
    assert [text.split()[0] for text in desk.gateway.decided] == ["D", "D", "F", "F"]


async def test_an_order_that_comes_to_life_in_a_killed_scope_is_cancelled(desk: Desk) -> None:
    halt = kill(desk)
    await settled(desk)
    heard = report(ReportKind.NEW, cl_ord_id="FOREIGN", venue_order_id="V9", symbol="ACME")
    desk.hear(heard)
    await settled(desk)
    assert left(desk, halt) == [Left.REQUESTED]
    assert desk.trading_states.progress(halt).halt.matched == 1


async def test_it_is_complete_only_without_what_came_back_with_its_cancel_under_way(desk: Desk) -> None:
    back = desk.working(new_order(client_order_id="back"))
    other = desk.working(new_order(client_order_id="other"))
    desk.cancel(back)
    desk.filled(back, 100, "E1")
    halt = kill(desk)
    desk.hear(about(desk.now(back), bust("B1", "E1")))
    await settled(desk)
    assert left(desk, halt) == [Left.REQUESTED, Left.REQUESTED]
    canceled(desk, other.order_id)
    await settled(desk)
    canceled(desk, back.order_id)
    await settled(desk)
    assert desk.trading_states.progress(halt).halt.complete_time == NOW


async def test_what_was_decided_before_it_is_not_sent_again_behind_it(desk: Desk) -> None:
    silent = desk.sent()
    confirmed = desk.working(new_order(client_order_id="confirmed"))
    assert not desk.executions.lapsed(silent.cl_ord_id, desk.gateway, NOW)
    kill(desk)
    assert desk.executions.lapsed(silent.cl_ord_id, desk.gateway, NOW)
    assert not desk.executions.lapsed(confirmed.cl_ord_id, desk.gateway, NOW)


# Its release.


async def test_a_kill_is_released_by_another_person_alone(desk: Desk) -> None:
    kill(desk)
    for person in (ANN, Operator("", "nobody")):
        with pytest.raises(AnotherPersonNeeded):
            desk.trading_states.release(EVERYTHING, key(), person, NOW)
    request_id = key()
    released = desk.trading_states.release(EVERYTHING, request_id, BOB, NOW)
    assert released.halt.state is ACTIVE
    assert refusal(desk) is None
    assert desk.trading_states.release(EVERYTHING, request_id, BOB, NOW).duplicate


async def test_one_person_will_do_where_that_is_configured(store: Store) -> None:
    desk = Desk(store, two_persons=False)
    kill(desk)
    desk.trading_states.release(EVERYTHING, key(), ANN, NOW)
    assert refusal(desk) is None
    await desk.end()


async def test_a_scope_that_was_paused_is_paused_again(desk: Desk) -> None:
    say(desk, PAUSED)
    kill(desk)
    kill(desk)
    desk.trading_states.release(EVERYTHING, key(), BOB, NOW)
    assert refusal(desk) is RejectReason.RISK_TRADING_PAUSED


@pytest.mark.parametrize("state", [ACTIVE, PAUSED, REDUCE_ONLY])
async def test_nothing_but_a_release_ends_a_kill(desk: Desk, state: TradingState) -> None:
    kill(desk)
    with pytest.raises(KillSwitchOn):
        say(desk, state)


async def test_only_a_kill_is_released_and_by_the_scope_it_was_set_for(desk: Desk) -> None:
    kill(desk, Scope("ACC1"))
    say(desk, PAUSED)
    for scope in (EVERYTHING, Scope("ACC2")):
        with pytest.raises(KillSwitchOff):
            desk.trading_states.release(scope, key(), BOB, NOW)


async def test_a_request_that_was_for_something_else_is_a_conflict(desk: Desk) -> None:
    halt = kill(desk)
    with pytest.raises(RequestIdConflict):
        desk.trading_states.release(EVERYTHING, halt.request_id, BOB, NOW)
    with pytest.raises(RequestIdConflict):
        desk.trading_states.kill(Scope("ACC1"), halt.request_id, ANN, NOW)
    assert desk.trading_states.kill(EVERYTHING, halt.request_id, ANN, NOW).duplicate


# What outlives the router.


async def test_states_outlive_the_router(desk: Desk) -> None:
    say(desk, PAUSED, Scope("ACC1"))
    said = kill(desk, Scope(session_id="BROKER"))
    later = await desk.restarted()
    assert [halt.state for halt in later.trading_states.all()] == [KILLED, PAUSED]
    assert refusal(later) is RejectReason.RISK_KILL_SWITCH
    assert later.trading_states.kill(said.scope, said.request_id, ANN, NOW).duplicate
    assert say(later, REDUCE_ONLY, Scope("ACC1")).halt.number == 3
    await later.end()


async def test_a_restart_goes_on_with_a_kill(desk: Desk) -> None:
    first, second = numbered(desk, 2)
    halt = kill(desk)
    canceled(desk, first)
    later = await desk.restarted()
    assert [each.order.order_id for each in later.trading_states.progress(halt).left] == [second]
    canceled(later, second)
    await settled(later)
    progress = later.trading_states.progress(halt)
    assert (progress.left, progress.ended) == ((), 2)
    assert progress.halt.complete_time is not None
    await later.end()


async def test_cancels_that_had_not_been_decided_are_decided_at_the_start(desk: Desk) -> None:
    """As where each decision is a commit by itself, and the router dies between the kill and its cancels."""
    numbered(desk, 2)
    halt = Halt(1, EVERYTHING, KILLED, NOW, "ann", "why", key(), sweeps=1, matched=2)
    with desk.pipeline.deciding():
        desk.ledger.remember_halt(halt)
    later = await desk.restarted()
    assert left(later, halt) == [Left.REQUESTED] * 2
    await later.end()


async def test_a_kill_whose_commit_fails_was_never_in_force(desk: Desk) -> None:
    desk.writer.failure = OSError("disk full")
    kill(desk)
    with pytest.raises(StoreUnavailable):
        await desk.pipeline.durable()
    desk.writer.failure = None
    desk.load()
    desk.pipeline.resume()
    assert refusal(desk) is None
    assert desk.trading_states.all() == []


async def test_nothing_is_shown_before_it_is_durable(desk: Desk) -> None:
    kill(desk)
    assert desk.trading_states.of(EVERYTHING) is None
    seen = desk.trading_states.news.count
    await desk.pipeline.durable()
    assert desk.trading_states.of(EVERYTHING) is not None
    assert desk.trading_states.news.count > seen
