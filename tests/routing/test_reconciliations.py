"""A person settles how an order in doubt stands; it is told, audited, and asked of nobody."""

from __future__ import annotations

import pytest
from fairlead_server.domain.amendments import RequestOutcome, Selection
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import (
    NotInDoubt,
    OrderTerminal,
    RequestIdConflict,
    UnknownOrder,
    VersionMismatch,
)
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.order import Flag, Order, OrderState
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.reconciliation import Ruling, Verdict
from fairlead_server.routing.order_entry import Answer, OrderRef
from msgspec.structs import replace

from tests.domain.builders import NOW, new_order
from tests.routing.desk import CLIENT, SECOND, Desk, ref

ADMIN = Cause(Initiator.ADMIN, "ops")
KEY = "123e4567-e89b-12d3-a456-426614174000"
CANCELED = Ruling(Verdict.CANCELED, "the broker has cancelled it by phone", "OPS-7")
STANDS = replace(CANCELED, verdict=Verdict.STANDS)


def doubtful(desk: Desk) -> Order:
    order = desk.working()
    with desk.pipeline.deciding():
        desk.executions.in_doubt(order.cl_ord_id, desk.gateway, "not sent again", NOW)
    return desk.now(order)


def reconcile(
    desk: Desk, order: Order, ruling: Ruling = CANCELED, *, key: str = KEY, version: int | None = None
) -> Answer:
    return desk.reconciliations.reconcile(ref(order), key, ruling, ADMIN, NOW, version)


async def test_it_is_told_audited_and_sent_to_nobody(desk: Desk) -> None:
    order = doubtful(desk)
    sent = len(desk.gateway.decided)

    answer = reconcile(desk, order)
    stored = await desk.stored(order)

    assert stored == answer.order
    assert (stored.state, stored.flags) == (OrderState.CANCELED, frozenset())
    event = desk.events[-1]
    assert (event.kind, event.cause) == (EventKind.RECONCILED, ADMIN)
    assert event.text == "the broker has cancelled it by phone (OPS-7)"
    [row] = desk.store.audit(order.order_id, 10)
    assert (row.time, row.principal, row.action) == (NOW, "ops", "order.reconcile")
    assert row.reason == event.text
    assert row.before == "WORKING in doubt, 0 of 100 filled"
    assert row.after == "CANCELED, 0 of 100 filled"
    assert len(desk.gateway.decided) == sent


async def test_the_doubt_may_be_all_that_ends(desk: Desk) -> None:
    order = doubtful(desk)

    answer = reconcile(desk, order, STANDS)

    assert (answer.order.state, answer.order.flags) == (OrderState.WORKING, frozenset())


async def test_what_the_order_may_still_trade_counts_no_more(desk: Desk) -> None:
    order = doubtful(desk)
    assert desk.exposure().buying

    reconcile(desk, order)

    assert not desk.exposure().buying


async def test_a_request_that_nobody_will_answer_has_its_outcome(desk: Desk) -> None:
    order = desk.working()
    desk.cancel(order)
    reconcile(desk, order, replace(CANCELED, forced=True))

    assert desk.cancel(order).outcome is RequestOutcome.DONE


async def test_an_order_that_is_not_in_doubt_is_settled_by_force_only(desk: Desk) -> None:
    order = desk.working()

    with pytest.raises(NotInDoubt, match="is not in doubt"):
        reconcile(desk, order)
    assert reconcile(desk, order, replace(CANCELED, forced=True)).order.state is OrderState.CANCELED


async def test_an_order_that_has_ended_is_not_settled_anew(desk: Desk) -> None:
    order = doubtful(desk)
    reconcile(desk, order)

    with pytest.raises(OrderTerminal):
        reconcile(desk, order, replace(CANCELED, forced=True), key="another")


async def test_a_doubt_about_an_order_that_has_ended_can_be_cleared(desk: Desk) -> None:
    order = desk.filled(doubtful(desk), 100)
    shown = desk.book.order(order.order_id)
    assert shown is not None
    desk.book.put(replace(shown, flags=frozenset({Flag.IN_DOUBT})))

    assert reconcile(desk, order, STANDS).order.state is OrderState.FILLED


async def test_an_order_that_was_never_sent_is_cancelled_instead(desk: Desk) -> None:
    desk.gateway.bucket = TokenBucket(1, 1, NOW - SECOND)
    desk.sent(new_order(client_order_id="first"))
    held = desk.sent(new_order(client_order_id="second"))

    with pytest.raises(NotInDoubt, match="never sent; cancel it"):
        reconcile(desk, held, replace(CANCELED, forced=True))


async def test_a_repeat_is_answered_and_changes_nothing(desk: Desk) -> None:
    order = doubtful(desk)
    first = reconcile(desk, order)
    events = len(desk.events)

    again = reconcile(desk, order)

    assert again == Answer(first.order, duplicate=True)
    assert len(desk.events) == events


async def test_a_key_is_for_one_request(desk: Desk) -> None:
    order = doubtful(desk)
    reconcile(desk, order, STANDS)

    with pytest.raises(RequestIdConflict):
        reconcile(desk, order, replace(STANDS, ticket="OPS-8"))
    with pytest.raises(RequestIdConflict):
        desk.cancel(order, request_id=KEY)
    with pytest.raises(RequestIdConflict):
        desk.mass_cancels.known(KEY, Selection())
    desk.mass_cancels.cancel("00000000-0000-0000-0000-000000000001", Selection(), CLIENT, NOW)
    with pytest.raises(RequestIdConflict):
        reconcile(desk, order, key="00000000-0000-0000-0000-000000000001")


async def test_the_order_must_be_as_the_person_has_seen_it(desk: Desk) -> None:
    order = doubtful(desk)

    with pytest.raises(VersionMismatch):
        reconcile(desk, order, version=order.version - 1)
    assert reconcile(desk, order, version=order.version).order.version == order.version + 1


async def test_an_order_that_nobody_knows_is_not_settled(desk: Desk) -> None:
    with pytest.raises(UnknownOrder):
        desk.reconciliations.reconcile(OrderRef("nobody"), KEY, CANCELED, ADMIN, NOW)
