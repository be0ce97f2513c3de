"""CancelAll: each live order that matches gets a cancel, whatever stands in its way."""

from __future__ import annotations

from uuid import UUID, uuid5

import pytest
from fairlead_server.domain.amendments import MassCancel, RequestOutcome, Selection
from fairlead_server.domain.errors import NotStorable, RequestIdConflict, StoreUnavailable
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.execution import ReportKind
from fairlead_server.domain.order import OrderState
from fairlead_server.domain.pace import TokenBucket
from fairlead_server.domain.terms import Side
from fairlead_server.routing.suspects import TRIES
from fairlead_server.store.database import Store

from tests.domain.builders import NOW, cancel_reject, new_order, report
from tests.routing.desk import CLIENT, SECOND, Desk, about

KEY = "123e4567-e89b-12d3-a456-426614174000"
OTHER = "00000000-0000-0000-0000-000000000001"
ALL = Selection()


def cancel_all(desk: Desk, selection: Selection = ALL, key: str = KEY) -> MassCancel:
    return desk.mass_cancels.known(key, selection) or desk.mass_cancels.cancel(key, selection, CLIENT, NOW)


def numbered(desk: Desk, count: int, **changes: object) -> list[str]:
    return [desk.working(new_order(client_order_id=f"key-{n}", **changes)).order_id for n in range(count)]


async def test_every_live_order_is_cancelled_in_one_commit(desk: Desk) -> None:
    numbered(desk, 3)
    await desk.pipeline.durable()
    before = len(desk.writer.batches)

    done = cancel_all(desk)
    await desk.pipeline.durable()

    assert (done.matched, done.requested) == (3, 3)
    assert [text.split()[0] for text in desk.gateway.wire] == ["D"] * 3 + ["F"] * 3
    assert len(desk.writer.batches) == before + 1


async def test_only_what_is_selected_is_cancelled(desk: Desk) -> None:
    selling = desk.working(new_order(client_order_id="sell", side=Side.SELL))
    buying = desk.working(new_order(client_order_id="buy"))

    assert cancel_all(desk, Selection(side=Side.SELL)).matched == 1
    assert desk.now(selling).pending
    assert not desk.now(buying).pending


async def test_each_event_of_a_cancel_names_the_mass_cancel(desk: Desk) -> None:
    order = desk.working()

    done = cancel_all(desk)
    asked = desk.now(order)
    desk.hear(about(order, report(ReportKind.PENDING_CANCEL), cl_ord_id=asked.pending[0].cl_ord_id))
    desk.hear(about(order, report(ReportKind.CANCELED), cl_ord_id=asked.pending[0].cl_ord_id))

    named = [event.kind for event in desk.events if event.cause.mass_cancel_id == done.mass_cancel_id]
    assert named == [EventKind.CANCEL_REQUESTED, EventKind.CANCEL_PENDING, EventKind.CANCELED]
    assert desk.events[-1].cause.initiator.value == "VENUE"


async def test_a_refused_cancel_names_the_mass_cancel_too(desk: Desk) -> None:
    order = desk.working()
    done = cancel_all(desk)

    answer = cancel_reject(desk.now(order).pending[0].cl_ord_id)
    with desk.pipeline.deciding():
        desk.executions.cancel_rejected(answer, desk.gateway, NOW)

    assert desk.events[-1].kind is EventKind.CANCEL_REJECTED
    assert desk.events[-1].cause.mass_cancel_id == done.mass_cancel_id


async def test_a_cancel_under_way_is_counted_and_not_sent_again(desk: Desk) -> None:
    order = desk.working()
    desk.cancel(order)
    sent = len(desk.gateway.decided)

    done = cancel_all(desk)

    assert (done.matched, done.requested, done.pending) == (1, 0, 1)
    assert len(desk.gateway.decided) == sent


async def test_an_order_that_was_not_sent_is_cancelled_at_once(desk: Desk) -> None:
    desk.gateway.bucket = TokenBucket(1, 1, NOW - SECOND)
    desk.sent(new_order(client_order_id="first"))
    held = desk.sent(new_order(client_order_id="second"))

    done = cancel_all(desk)

    assert (done.matched, done.requested, done.canceled) == (2, 1, 1)
    assert desk.now(held).state is OrderState.CANCELED
    assert desk.events[-1].cause.mass_cancel_id == done.mass_cancel_id


async def test_with_the_session_down_cancels_wait_and_go_out_first(desk: Desk) -> None:
    numbered(desk, 2)
    desk.gateway.available = False
    done = cancel_all(desk)
    assert done.requested == 2
    desk.gateway.available = True

    with desk.pipeline.deciding():
        desk.entry.session_up(desk.gateway, NOW)

    assert [text.split()[0] for text in desk.gateway.decided[-2:]] == ["F", "F"]
    late = desk.events[-2:]
    assert {event.cause.mass_cancel_id for event in late} == {done.mass_cancel_id}


async def test_where_messages_are_paced_cancels_go_out_turn_by_turn(desk: Desk) -> None:
    numbered(desk, 3)
    desk.gateway.bucket = TokenBucket(1, 1, NOW - SECOND)

    assert cancel_all(desk).requested == 3
    assert len(desk.gateway.decided) == 3 + 1
    desk.entry.dispatch(desk.gateway, NOW + SECOND)
    desk.entry.dispatch(desk.gateway, NOW + 2 * SECOND)

    assert len(desk.gateway.decided) == 3 + 3


async def test_a_pending_amend_does_not_hold_it_back(desk: Desk) -> None:
    order = desk.working()
    desk.amend(order, 200)

    assert cancel_all(desk).requested == 1


async def test_it_is_possible_while_the_server_drains(desk: Desk) -> None:
    desk.working()
    desk.entry.draining = True

    assert cancel_all(desk).requested == 1


async def test_a_repeat_is_answered_alike_and_cancels_nothing_more(desk: Desk) -> None:
    desk.working()
    done = cancel_all(desk)
    later = desk.working(new_order(client_order_id="later"))

    assert cancel_all(desk) == done
    assert not desk.now(later).pending


async def test_a_repeat_is_known_after_a_restart(desk: Desk) -> None:
    desk.working()
    done = cancel_all(desk)

    again = await desk.restarted()

    assert cancel_all(again) == done
    await again.end()


async def test_a_cancel_that_waits_is_part_of_its_mass_cancel_after_a_restart(store: Store) -> None:
    desk = Desk(store)
    order = desk.working()
    desk.gateway.available = False
    done = cancel_all(desk)

    again = await desk.restarted()

    assert [request.mass_cancel_id for request in again.now(order).pending] == [done.mass_cancel_id]
    await again.end()
    await desk.pipeline.close()


async def test_a_cancel_that_is_sent_anew_after_a_reset_is_part_of_it_still(desk: Desk) -> None:
    order = desk.working()
    done = cancel_all(desk)

    with desk.pipeline.deciding():
        desk.executions.session_reset(desk.gateway, "numbers were reset", NOW)

    [request] = desk.now(order).pending
    assert (request.is_sent, request.mass_cancel_id) == (False, done.mass_cancel_id)


async def test_a_key_is_for_one_request(desk: Desk) -> None:
    order = desk.working()
    cancel_all(desk)
    desk.cancel(order, request_id=OTHER)

    with pytest.raises(RequestIdConflict) as mass:
        cancel_all(desk, Selection("ACC1"))
    with pytest.raises(RequestIdConflict):
        cancel_all(desk, key=OTHER)
    with pytest.raises(RequestIdConflict):
        desk.cancel(order, request_id=KEY)

    assert mass.value.order_id == ""


async def test_nothing_to_cancel_is_remembered_too(desk: Desk) -> None:
    done = cancel_all(desk)
    order = desk.working()

    assert done.matched == 0
    assert cancel_all(desk) == done
    assert not desk.now(order).pending


async def test_the_cancel_of_each_order_has_a_key_of_its_own(desk: Desk) -> None:
    first, second = numbered(desk, 2)
    cancel_all(desk)

    keys = {desk.book.order(each).pending[0].request_id for each in (first, second)}  # type: ignore[union-attr] # just made
    assert len(keys) == 2
    assert {desk.book.request(key).outcome for key in keys} == {RequestOutcome.PENDING}  # type: ignore[union-attr] # likewise


async def test_a_store_that_fails_cancels_nothing(desk: Desk) -> None:
    desk.working()
    await desk.pipeline.durable()
    desk.writer.failure = OSError("no space")
    cancel_all(desk)
    with pytest.raises(StoreUnavailable):
        await desk.pipeline.durable()

    assert not [text for text in desk.gateway.wire if text.startswith("F")]
    with pytest.raises(StoreUnavailable):
        desk.mass_cancels.cancel(OTHER, ALL, CLIENT, NOW)


async def test_orders_of_a_session_that_is_gone_are_cancelled_as_far_as_can_be(desk: Desk) -> None:
    order = desk.working()
    del desk.gateways["BROKER"]

    done = cancel_all(desk)

    assert done.requested == 1
    assert not desk.now(order).pending[0].is_sent
    desk.gateways["BROKER"] = desk.gateway


async def test_an_order_whose_cancel_never_can_be_durable_takes_no_other_with_it(desk: Desk) -> None:
    first, poison, last = (
        desk.working(new_order(client_order_id=text)) for text in ("first", "poison", "last")
    )
    await desk.pipeline.durable()
    own = str(uuid5(UUID(KEY), poison.order_id))
    for _ in range(TRIES):
        desk.pipeline._suspects.failed([f"request {own}"], ValueError("it does not fit"))

    with pytest.raises(NotStorable):
        cancel_all(desk)
    await desk.pipeline.durable()

    assert desk.now(first).pending
    assert desk.now(last).pending
    assert not desk.now(poison).pending
