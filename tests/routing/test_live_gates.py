"""Live gates: closed until two persons have opened one, kept over a restart, and closed again at once."""

from __future__ import annotations

import pytest
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.errors import AnotherPersonNeeded, LiveNotRequested
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.live_gate import LiveGate, LiveState
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.scope import Scope
from fairlead_server.routing.ports import Operator
from fairlead_server.store.database import Store
from msgspec.structs import replace

from tests.domain.builders import NOW, account, policy
from tests.routing.desk import PATIENT, SECOND, Desk, FakeGateway
from tests.routing.test_trading_states import ANN, BOB, audited, refusal

ACCOUNT, SESSION = Scope("ACC1"), Scope(session_id="BROKER")
GATED = policy(account(live_gate=True))
DISABLED = RejectReason.RISK_LIVE_DISABLED
NOBODY = Operator("", "why")


def of_account(store: Store, **changes: object) -> Desk:
    return Desk(store, policy=GATED, **changes)  # type: ignore[arg-type]


def of_session(store: Store) -> Desk:
    return Desk(store, gateways={"BROKER": FakeGateway(rules=replace(PATIENT, live_gate=True))})


def opened(desk: Desk, scope: Scope) -> LiveGate:
    desk.live.request(scope, ANN, NOW)
    return desk.live.approve(scope, BOB, NOW + SECOND)


@pytest.mark.parametrize(("make", "scope"), [(of_account, ACCOUNT), (of_session, SESSION)])
async def test_nothing_new_passes_until_another_person_has_approved(
    store: Store, make: type[Desk], scope: Scope
) -> None:
    desk = make(store)
    assert desk.live.all() == [LiveGate(scope)]
    assert refusal(desk, "before") is DISABLED
    desk.live.request(scope, ANN, NOW)
    assert refusal(desk, "asked") is DISABLED
    gate = desk.live.approve(scope, BOB, NOW + SECOND)
    assert (gate.state, gate.principal, gate.approver) == (LiveState.LIVE, "ann", "bob")
    assert refusal(desk, "live") is None
    desk.live.revoke(scope, ANN, NOW)
    assert refusal(desk, "revoked") is DISABLED
    with pytest.raises(LiveNotRequested):
        desk.live.approve(scope, BOB, NOW)
    await desk.pipeline.durable()
    assert audited(desk) == ["live.request", "live.approve", "live.revoke"]
    await desk.end()


async def test_an_open_set_up_needs_nobody(desk: Desk) -> None:
    assert desk.live.all() == []
    assert refusal(desk) is None


async def test_one_person_or_one_without_a_name_does_not_open_it(store: Store) -> None:
    desk = of_account(store)
    with pytest.raises(LiveNotRequested):
        desk.live.approve(ACCOUNT, BOB, NOW)
    desk.live.request(ACCOUNT, ANN, NOW)
    for by in (ANN, NOBODY):
        with pytest.raises(AnotherPersonNeeded):
            desk.live.approve(ACCOUNT, by, NOW)
    desk.live.request(ACCOUNT, NOBODY, NOW)
    with pytest.raises(AnotherPersonNeeded):
        desk.live.approve(ACCOUNT, BOB, NOW)
    assert refusal(desk) is DISABLED
    await desk.end()


async def test_what_is_said_again_changes_and_writes_nothing(store: Store) -> None:
    desk = of_account(store)
    assert desk.live.revoke(ACCOUNT, ANN, NOW) == LiveGate(ACCOUNT)
    gate = opened(desk, ACCOUNT)
    assert desk.live.request(ACCOUNT, BOB, NOW) == desk.live.approve(ACCOUNT, ANN, NOW) == gate
    await desk.pipeline.durable()
    assert audited(desk) == ["live.request", "live.approve"]
    await desk.end()


async def test_each_state_outlives_the_router(store: Store) -> None:
    desk = of_account(store)
    desk.live.request(ACCOUNT, ANN, NOW)
    await desk.end()
    desk = of_account(store, ids=desk.new_id)
    assert refusal(desk, "asked") is DISABLED
    with pytest.raises(AnotherPersonNeeded):
        desk.live.approve(ACCOUNT, ANN, NOW)
    gate = desk.live.approve(ACCOUNT, BOB, NOW)
    await desk.end()
    desk = of_account(store, ids=desk.new_id)
    assert desk.live.all() == [gate]
    assert refusal(desk, "live") is None
    desk.live.revoke(ACCOUNT, BOB, NOW)
    await desk.end()
    desk = of_account(store, ids=desk.new_id)
    assert refusal(desk, "revoked") is DISABLED
    await desk.end()


async def test_what_is_at_a_venue_may_be_made_smaller_and_cancelled(store: Store) -> None:
    desk = of_account(store)
    opened(desk, ACCOUNT)
    order = desk.working()
    desk.live.revoke(ACCOUNT, ANN, NOW)
    assert desk.amend(order, 110).outcome is RequestOutcome.REJECTED
    assert desk.amend(order, 90, request_id="less").outcome is RequestOutcome.PENDING
    assert desk.cancel(order).outcome is RequestOutcome.PENDING
    await desk.end()


async def test_what_waits_for_its_turn_is_refused_when_that_comes(store: Store) -> None:
    desk = of_account(store)
    opened(desk, ACCOUNT)
    desk.gateway.bucket, desk.gateway.max_queue = TokenBucket(1, 1, NOW), 10 * SECOND
    order = desk.sent()
    assert order.held
    desk.live.revoke(ACCOUNT, ANN, NOW)
    desk.entry.dispatch(desk.gateway, NOW + SECOND)
    reject = desk.now(order).reject
    assert reject is not None
    assert reject.reason is DISABLED
    assert desk.gateway.decided == []
    await desk.end()


async def test_an_amend_that_waits_is_refused_when_its_turn_comes(store: Store) -> None:
    desk = of_account(store)
    opened(desk, ACCOUNT)
    order = desk.working()
    desk.gateway.bucket, desk.gateway.max_queue = TokenBucket(1, 1, NOW), 10 * SECOND
    assert desk.amend(order, 200).outcome is RequestOutcome.PENDING
    desk.live.revoke(ACCOUNT, ANN, NOW)
    desk.entry.dispatch(desk.gateway, NOW + SECOND)
    assert desk.kinds(order)[-1] is EventKind.AMEND_REJECTED
    await desk.end()
