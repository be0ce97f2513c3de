"""One session between the use cases and the wire: what a step decides is durable before a byte of it is written."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from decimal import Decimal
from typing import Any

import pytest
from fairlead_server.domain.amendments import Amendment
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import StoreUnavailable, VenueUnavailable
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.order import Flag, OrderState
from fairlead_server.domain.reject import RejectReason
from fairlead_server.fix import events
from fairlead_server.fix.session import Numbers, ResetOn, Sent, Validation
from fairlead_server.routing.order_entry import OrderRef
from fairlead_server.store.batch import Direction
from fairlead_server.store.database import Store
from fairlead_server.store.errors import StoreError
from msgspec.structs import replace

from tests.domain.builders import NOW, new_order
from tests.venue.link import SECOND, Link

_TRADES = {"FIX.4.0": [(20, "0")], "FIX.4.1": [(20, "0"), (150, "2")], "FIX.4.2": [(20, "0"), (150, "2")]}


async def test_an_order_goes_out_and_its_fill_comes_back(store: Store, version: str) -> None:
    link = Link(store, version)
    await link.up()
    order = link.submit()
    await link.exchange()
    assert link.broker.heard_types() == ["D"]
    assert link.broker.heard[0][11] == order.cl_ord_id
    link.report(order, "0")
    trade = _TRADES.get(version, [(150, "F")])
    link.report(order, "", *trade, (39, "2"), (32, "100"), (31, "49.95"))
    await link.exchange()
    after = link.now(order)
    assert (after.state, after.avg_px) == (OrderState.FILLED, Decimal("49.95"))
    assert store.order(order.order_id) == after
    link.cut()
    await link.pipeline.close()


async def test_every_byte_follows_the_commit_of_what_it_carries(link: Link) -> None:
    await link.up()
    link.trace.clear()
    order = link.submit()
    link.submit(2)
    await link.exchange()
    link.report(order, "0")
    link.broker.take(link.broker.session.logout(None, link.clock.now))
    await link.exchange()
    assert link.trace == ["commit OUT D OUT D", "write D", "write D", "commit IN 8 IN 5 OUT 5", "write 5"]
    logon = Link(link.store)
    logon.connect()
    assert logon.wire.data == b""
    await logon.settle()
    assert logon.trace == ["commit OUT A", "write A"]
    logon.cut()
    await logon.pipeline.close()


async def test_what_comes_is_kept_in_the_order_of_its_arrival(link: Link) -> None:
    await link.up()
    link.venue.received(link.by_hand("0", [(112, "too high")], number=9))
    link.venue.received(link.by_hand("8", [], number=2))
    await link.settle()
    kept = [
        (m.msg_type, m.msg_seq_num) for b in link.batches for m in b.messages if m.direction is Direction.IN
    ]
    assert kept == [("A", 1), ("0", 2), ("0", 9), ("8", 2)]


async def test_one_read_is_one_transaction(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    link.report(order, "0")
    link.fill(order, 30)
    link.fill(order, 30)
    before = len(link.batches)
    await link.exchange()
    [batch] = link.batches[before:]
    assert [message.msg_type for message in batch.messages] == ["8", "8", "8"]
    assert batch.sessions["BROKER"] == link.venue.session.numbers
    assert [event.kind for event in batch.events] == [
        EventKind.VENUE_ACCEPTED,
        EventKind.FILLED,
        EventKind.FILLED,
    ]
    assert batch.orders[order.order_id].cum_qty == 60


async def test_the_numbers_go_on_after_a_restart(link: Link) -> None:
    await link.up()
    link.submit()
    await link.exchange()
    link.cut()
    numbers = link.venue.session.numbers
    later = Link(link.store)
    assert later.venue.session.numbers == numbers
    later.broker = link.broker
    await later.up()
    assert later.venue.session.numbers.next_in == link.broker.session.numbers.next_out
    later.cut()
    await later.pipeline.close()


async def test_before_the_logon_no_order_is_taken(link: Link) -> None:
    with pytest.raises(VenueUnavailable) as caught:
        link.submit()
    assert caught.value.down_since is None
    link.connect()
    with pytest.raises(VenueUnavailable):
        link.submit()
    link.venue.disconnected("cut")
    with pytest.raises(VenueUnavailable) as caught:
        link.submit()
    assert caught.value.down_since == NOW


async def test_what_a_version_cannot_say_is_asked_of_the_session(link: Link) -> None:
    assert link.venue.missing_capability(new_order(self_match_id="desk")) == "SELF_MATCH_ID"


# The connection is lost.


async def test_the_end_of_an_old_connection_does_not_end_a_new_one(link: Link) -> None:
    await link.up()
    old = link.wire
    link.cut()
    await link.up()
    link.venue.disconnected("the connection was lost", old)
    assert link.venue.available
    link.venue.disconnected("the connection was lost", link.wire)
    assert not link.venue.is_connected


async def test_bytes_of_an_old_connection_are_never_written_to_a_new_one(link: Link) -> None:
    await link.up()
    order = link.submit()
    old = link.wire
    link.cut()
    link.connect()
    await link.settle()
    assert old.data == b""
    assert link.trace[-2:] == ["commit OUT D OUT A", "write A"]
    await link.exchange()
    number = link.batches[-1].sessions["BROKER"].next_out - 4
    assert link.broker.wire_types[-5:] == ["A 4", "1 5", "D 3 again", "4 4-5", "1 6"]
    assert (link.broker.heard[-1][11], number) == (order.cl_ord_id, 3)


async def test_an_order_that_was_committed_and_not_written_is_asked_for_and_sent_again(link: Link) -> None:
    await link.up()
    order = link.submit()
    link.cut()
    link.clock.now += 2 * SECOND
    await link.up()
    assert link.broker.heard_types() == ["D"]
    message = link.broker.heard[0]
    assert (message.poss_dup, message[11]) == (True, order.cl_ord_id)
    assert Flag.IN_DOUBT not in link.now(order).flags


async def test_a_stale_order_is_gap_filled_in_doubt_and_asked_about(link: Link) -> None:
    await link.up()
    order = link.submit()
    link.cut()
    link.clock.now += 4 * SECOND
    await link.up()
    assert not any(text.startswith("D") for text in link.broker.wire_types)
    assert link.broker.heard_types() == ["H"]
    assert link.broker.heard[0][11] == order.cl_ord_id
    assert Flag.IN_DOUBT in link.now(order).flags
    assert link.now(order).live
    unknown = [(17, "0"), (39, "8"), (103, "5"), (37, "NONE")]
    link.report(order, "I", *unknown)
    await link.exchange()
    assert link.now(order).state is OrderState.REJECTED
    assert EventKind.RECONCILED in [event.kind for event in link.events]


async def test_a_stale_amend_is_gap_filled_and_refused(link: Link) -> None:

    await link.up()
    order = link.submit()
    await link.exchange()
    link.report(order, "0")
    await link.exchange()
    amendment = Amendment(quantity=Decimal(200))
    link.entry.amend(OrderRef(order.order_id), "amend-1", amendment, Cause(Initiator.CLIENT), link.clock.now)
    link.cut()
    link.clock.now += 4 * SECOND
    await link.up()
    assert link.broker.heard_types() == ["D", "H"]
    assert link.now(order).pending == ()


async def test_an_amend_that_is_withheld_because_its_order_has_ended_is_over(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    amendment = Amendment(quantity=Decimal(60))
    link.entry.amend(OrderRef(order.order_id), "amend-1", amendment, Cause(Initiator.CLIENT), link.clock.now)
    link.fill(order, 100)
    link.venue.received(bytes(link.broker.out))  # and what we wrote is lost
    await link.settle()
    link.cut()
    await link.up()
    assert link.broker.heard_types() == ["D"]
    assert (link.now(order).state, link.now(order).pending) == (OrderState.FILLED, ())
    assert link.events[-1].kind is EventKind.AMEND_REJECTED
    assert link.events[-1].reject is not None
    assert link.events[-1].reject.reason is RejectReason.ROUTER_ORDER_TERMINAL


async def test_a_cancel_is_always_sent_again(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    canceling = link.cancel(order)
    link.cut()
    link.clock.now += 3600 * SECOND
    await link.up()
    assert link.broker.heard_types() == ["D", "F"]
    assert link.broker.heard[-1][11] == canceling.pending[0].cl_ord_id


async def test_a_status_request_is_never_sent_again(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    link.venue._on(events.NumbersReset(1, 9, "by the test"), link.clock.now)  # asks about the order
    link.cut()
    await link.up()
    texts = [text for text in link.broker.wire_types if text.startswith("H")]
    assert [text.endswith("again") for text in texts] == [False]
    assert link.broker.heard[-1][11] == order.cl_ord_id


async def test_a_waiting_cancel_goes_out_with_the_logon(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    link.cut()
    assert link.cancel(order).pending[0].cl_ord_id == ""
    await link.up()
    assert link.broker.heard_types() == ["D", "F"]


async def test_a_resend_waits_for_what_is_decided_and_not_committed(link: Link) -> None:
    await link.up()
    first = link.venue.session.numbers.next_out
    link.gate.clear()
    link.submit()
    # The peer asks for it before the commit: by hand, for it cannot know of it.
    link.venue.received(link.by_hand("2", [(7, str(first)), (16, "0")]))
    task = link.venue._resending.last
    assert task is not None
    await asyncio.wait([task], timeout=0.05)  # time enough to read too early
    assert link.wire.data == b""
    link.gate.set()
    await link.exchange()
    sent = [text for text in link.broker.wire_types if text.startswith("D")]
    assert sent == [f"D {first}", f"D {first} again"]


class SlowFirst:
    """Reads the journal; the first reader has to wait."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.second = threading.Event()
        self.reads = 0

    def sent(self, session_id: str, epoch: int, begin: int, end: int) -> list[Sent]:
        self.reads += 1
        if self.reads == 1:
            self.second.wait(0.05)  # for one that would overtake
        else:
            self.second.set()
        return self.store.sent(session_id, epoch, begin, end)


async def test_two_resend_requests_are_answered_in_turn(link: Link) -> None:
    await link.up()
    first = link.venue.session.numbers.next_out
    link.submit()
    link.submit(2)
    await link.exchange()
    link.venue._resending._journal = SlowFirst(link.store)
    link.venue.received(link.by_hand("2", [(7, str(first)), (16, str(first))]))
    link.venue.received(link.by_hand("2", [(7, str(first + 1)), (16, "0")]))
    await link.exchange()
    assert link.broker.wire_types[-2:] == [f"D {first} again", f"D {first + 1} again"]


async def test_a_long_resend_is_read_in_steps(link: Link) -> None:
    link.clock.now += SECOND
    await link.up()
    first = link.venue.session.numbers.next_out
    orders = 300
    with link.pipeline.deciding():
        for number in range(orders):
            link.ledger.send(link.venue._send("D", [(11, f"C{number}")], link.clock.now))
    await link.exchange()
    link.venue.received(link.by_hand("2", [(7, str(first)), (16, "0")]))
    assert not link.venue.available  # a new order would wait behind all of it
    await link.exchange()
    again = [text for text in link.broker.wire_types if text.endswith("again")]
    assert again == [f"D {first + n} again" for n in range(orders)]
    assert not link.venue._behind


async def test_a_slow_resend_is_read_in_steps_of_a_second(link: Link) -> None:
    await link.up()
    ranges: list[tuple[int, int]] = []

    class Empty:
        def sent(self, session_id: str, epoch: int, begin: int, end: int) -> list[Any]:
            ranges.append((begin, end))
            return []

    link.venue.settings = dataclasses.replace(link.venue.settings, resend_rate=1)
    link.venue._resending._journal = Empty()
    link.venue.received(link.by_hand("2", [(7, "1"), (16, "0")]))
    await link.exchange()
    assert ranges == [(1, 1), (2, 2)]


@pytest.mark.parametrize("age", [0, 60])
async def test_a_damaged_row_is_passed_over_and_the_others_sent_again(link: Link, age: int) -> None:
    await link.up()
    damaged = link.submit(1)
    await link.exchange()
    link.cancel(link.now(damaged))
    await link.exchange()

    class Damaged:
        def sent(self, *wanted: Any) -> list[Sent]:
            rows = link.store.sent(*wanted)
            return [replace(row, frame=b"8=FIX") if row.msg_type == "D" else row for row in rows]

    link.venue._resending._journal = Damaged()
    link.clock.now += age * SECOND
    link.venue.received(link.by_hand("2", [(7, "3"), (16, "0")]))
    await link.exchange()
    assert link.broker.wire_types[-2:] == ["4 3-3", "F 4 again"]
    assert link.wire.closed is None


async def test_orders_that_are_too_many_to_be_sent_again_are_in_doubt_and_cancels_sent_anew(
    store: Store,
) -> None:
    link = Link(store, resend_max=1)
    await link.up()
    order, other = link.submit(1), link.submit(2)
    canceling = link.cancel(link.now(order))
    link.submit(3)
    link.cut()
    link.clock.now += SECOND
    await link.up()
    assert Flag.IN_DOUBT in link.now(order).flags
    assert Flag.IN_DOUBT in link.now(other).flags
    anew = [message for message in link.broker.heard if message.msg_type == "F"]
    assert [message[41] for message in anew] == [order.cl_ord_id]
    assert anew[0][11] != canceling.pending[0].cl_ord_id
    link.cut()
    await link.pipeline.close()


async def test_a_resend_of_a_connection_that_is_gone_is_forgotten(link: Link) -> None:
    await link.up()
    link.submit()
    await link.exchange()
    link.venue.received(link.by_hand("2", [(7, "1"), (16, "0")]))
    task = link.venue._resending.last
    assert task is not None
    link.cut()
    await asyncio.wait([task])
    assert link.wire.data == b""


# Messages that cannot be taken.


async def test_an_unreadable_report_is_answered_and_passed_over(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    number = link.broker.session.numbers.next_out
    link.broker.send("8", (11, order.cl_ord_id), (150, "F"), (32, "lots"))
    await link.exchange()
    answer, question = link.broker.heard[-2:]
    assert (answer.msg_type, answer[45], answer[372], answer[380]) == ("j", str(number), "8", "5")
    assert "tag 32" in answer[58]
    assert (question.msg_type, question[11]) == (
        "H",
        order.cl_ord_id,
    )  # it may have been a fill: ask, never guess
    assert Flag.IN_DOUBT in link.now(order).flags
    assert link.venue.session.numbers.next_in == number + 1
    assert link.now(order).cum_qty == 0


async def test_a_report_that_breaks_the_dictionary_leaves_its_order_in_doubt(store: Store) -> None:
    link = Link(store, validation=Validation.STRICT)
    await link.up()
    order = link.submit()
    await link.exchange()

    link.venue.received(link.by_hand("8", [(11, order.cl_ord_id), (150, "F"), (32, "10"), (4999, "own tag")]))
    await link.pipeline.durable()

    assert Flag.IN_DOUBT in link.now(order).flags
    assert [row.msg_type for row in link.batches[-1].messages] == ["8", "3", "H"]
    link.cut()
    await link.pipeline.close()


async def test_a_type_that_is_not_supported_is_answered(link: Link) -> None:
    await link.up()
    link.broker.send("AE", (571, "T1"))
    await link.exchange()
    answer = link.broker.heard[-1]
    assert (answer.msg_type, answer[372], answer[380]) == ("j", "AE", "3")


async def test_a_version_without_business_rejects_has_a_reject_for_all(store: Store) -> None:
    link = Link(store, "FIX.4.1")
    await link.up()
    number = link.broker.session.numbers.next_out
    link.broker.send("B", (148, "news"))
    link.broker.send("8", (11, "X"), (150, "2"), (32, "lots"))
    await link.exchange()
    assert [(heard.msg_type, heard[45]) for heard in link.broker.heard] == [
        ("3", str(number)),
        ("3", str(number + 1)),
    ]
    assert link.broker.heard[0][58] == "Unsupported Message Type"
    link.cut()
    await link.pipeline.close()


@pytest.mark.parametrize("msg_type", ["", "\x02", "\xff" * 300])
async def test_a_type_that_is_none_stops_nothing(link: Link, msg_type: str) -> None:
    await link.up()
    data = link.by_hand(msg_type or "?", [(58, "hello")])
    if not msg_type:
        data = data.replace(b"35=?", b"35=")
        data = _reframed(data)
    link.venue.received(data)
    await link.exchange()
    assert not link.pipeline.broken
    assert link.broker.heard_types() == ["j"]


def _reframed(data: bytes) -> bytes:
    """BodyLength(9) and CheckSum(10) made right again."""
    head, _, rest = data.partition(b"\x019=")
    body = rest.partition(b"\x01")[2].rpartition(b"10=")[0]
    data = head + b"\x019=%d\x01" % len(body) + body
    return data + b"10=%03d\x01" % (sum(data) % 256)


@pytest.mark.parametrize(
    ("msg_type", "fields"), [("j", [(45, "x"), (372, "D"), (380, "0")]), ("j", [(380, "x")])]
)
async def test_a_reject_is_never_answered_by_another(
    link: Link, msg_type: str, fields: list[tuple[int, str]]
) -> None:
    await link.up()
    link.broker.send(msg_type, *fields)
    link.venue.received(link.by_hand("3", [(58, "no number")], link.venue.session.numbers.next_in + 0))
    await link.exchange()
    assert link.broker.heard == []


async def test_a_rejected_order_is_found_by_its_number(link: Link) -> None:
    await link.up()
    number = link.venue.session.numbers.next_out
    order = link.submit()
    await link.exchange()
    link.venue.received(link.by_hand("3", [(45, str(number)), (58, "Required tag missing")]))
    await link.exchange()
    after = link.now(order)
    assert after.state is OrderState.REJECTED
    assert after.reject is not None
    assert after.reject.text == "Required tag missing"


async def test_a_reject_of_a_message_whose_row_is_damaged_harms_nothing(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()

    class Damaged:
        def sent(self, *wanted: Any) -> list[Sent]:
            return [replace(row, frame=b"8=FIX") for row in link.store.sent(*wanted)]

    link.venue._hearing._journal = Damaged()
    link.venue.received(link.by_hand("3", [(45, "3"), (58, "no")]))
    await link.exchange()
    assert link.now(order).state is OrderState.PENDING_NEW
    assert link.wire.closed is None


async def test_a_rejected_order_is_found_by_its_cl_ord_id(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    link.broker.send("j", (372, "D"), (379, order.cl_ord_id), (380, "4"))
    await link.exchange()
    assert link.now(order).state is OrderState.REJECTED


@pytest.mark.parametrize("by_number", [True, False])
async def test_a_refused_status_request_rejects_no_order(link: Link, *, by_number: bool) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    number = link.venue.session.numbers.next_out
    link.venue._on(events.NumbersReset(1, 9, "by the test"), link.clock.now)
    await link.exchange()
    assert link.broker.heard_types() == ["D", "H"]
    named = (45, str(number)) if by_number else (379, order.cl_ord_id)
    link.broker.send("j", named, (372, "H"), (380, "3"))
    await link.exchange()
    assert link.now(order).live


async def test_a_reject_of_something_unknown_is_left_alone(link: Link) -> None:
    await link.up()
    link.broker.send("j", (45, "4711"), (372, "D"), (380, "0"))
    link.broker.send("j", (45, "1"), (372, "A"), (380, "0"))  # our Logon(A): it has no ClOrdID(11)
    await link.exchange()
    assert link.events == []


async def test_a_cancel_reject_ends_the_cancel(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    request = link.cancel(order).pending[0]
    link.broker.send("9", (37, "V1"), (11, request.cl_ord_id), (41, order.cl_ord_id), (39, "0"), (102, "0"))
    await link.exchange()
    assert link.now(order).pending == ()


async def test_garbled_bytes_are_passed_over(link: Link) -> None:
    await link.up()
    link.venue.received(b"GET / HTTP/1.1\r\n\r\n")
    order = link.submit()
    await link.exchange()
    assert link.broker.heard[-1][11] == order.cl_ord_id


async def test_a_violation_is_answered_by_the_session(link: Link) -> None:
    await link.up()
    link.venue.received(link.by_hand("1", []))  # a TestRequest(1) without its id
    await link.exchange()
    assert link.broker.heard_types() == ["3"]


async def test_a_gap_is_asked_for_and_filled(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    link.report(order, "0")
    link.broker.out.clear()  # lost on the way
    link.fill(order, 40)
    await link.exchange()
    assert link.now(order).cum_qty == 40
    assert [e.kind for e in link.events][-2:] == [EventKind.VENUE_ACCEPTED, EventKind.FILLED]


# The end of a session, and its numbers.


async def test_logging_out_is_answered_and_closes(link: Link) -> None:
    await link.up()
    link.venue.log_out("good night")
    assert not link.venue.available
    await link.exchange()
    assert isinstance(link.broker.events[-1], events.Disconnect)
    assert link.wire.closed == "logged out"
    link.venue.disconnected("closed")
    link.venue.log_out("again")
    assert link.venue.view().state == "BACKOFF"


async def test_the_fence_and_a_logout_in_one_read_send_nothing_more(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    link.cut()
    link.cancel(order)
    link.connect()
    await link.settle()
    link.broker.receive(link.wire.take())
    link.venue.received(bytes(link.broker.out))
    link.broker.out.clear()
    await link.settle()
    link.broker.receive(link.wire.take())
    link.broker.take(link.broker.session.logout("not now", link.clock.now))
    link.venue.received(bytes(link.broker.out))
    await link.settle()
    assert not link.pipeline.broken
    assert link.now(order).pending[0].cl_ord_id == ""
    assert link.venue.view().reason != ""


async def test_numbers_that_too_often_are_too_low_halt_the_session(link: Link) -> None:
    await link.up()
    link.cut()
    link.broker.session = type(link.broker.session)(link.broker.session.config, Numbers(1, 1))
    for _ in range(3):
        link.connect()
        await link.settle()
        data = link.by_hand("A", [(98, "0"), (108, "30")], 1)
        link.venue.received(data)
        await link.settle()
        link.venue.disconnected("closed")
    assert "MsgSeqNum too low" in link.venue.halted
    assert link.venue.view().state == "HALTED"
    assert link.venue.view().reason == link.venue.halted


async def test_a_reset_session_doubts_what_was_unanswered(store: Store) -> None:
    link = Link(store, reset_on=frozenset({ResetOn.LOGON}))
    await link.up()
    order = link.submit()
    await link.exchange()
    link.cut()
    await link.up()
    assert Flag.IN_DOUBT in link.now(order).flags
    assert link.broker.heard_types() == ["D", "H"]
    assert link.venue.session.numbers.epoch == 3
    assert [m.epoch for batch in link.batches for m in batch.messages if m.msg_type == "A"] == [2, 2, 3, 3]
    link.cut()
    await link.pipeline.close()


async def test_a_cancel_that_a_reset_under_way_has_put_in_doubt_is_sent_anew_at_once(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    link.report(order, "0")
    await link.exchange()
    link.cancel(link.now(order))
    await link.exchange()
    assert link.broker.heard_types() == ["D", "F"]
    link.venue.received(link.by_hand("4", [(36, "50")]))
    await link.pipeline.durable()
    link.venue.tick()
    await link.exchange()
    assert link.broker.heard_types().count("F") == 2


async def test_what_there_is_to_see(link: Link) -> None:
    assert (link.venue.view().state, link.venue.view().reason) == ("BACKOFF", "not connected yet")
    link.connect()
    assert link.venue.view().state == "LOGON_SENT"
    await link.settle()
    link.broker.receive(link.wire.take())
    link.venue.received(bytes(link.broker.out))
    link.broker.out.clear()
    assert link.venue.view().state == "SYNCING"
    await link.exchange()
    view = link.venue.view()
    assert (view.state, view.reason, view.connection_number) == ("ACTIVE", "", 1)
    assert (view.next_in, view.next_out, view.epoch) == (3, 3, 1)
    assert view.active_time == view.connect_time == view.last_received_time == view.last_sent_time == NOW
    assert link.changes >= 3  # logging on, syncing, active
    link.venue.log_out("bye")
    assert link.venue.view().state == "LOGOUT_SENT"
    link.cut("gone")
    assert (link.venue.view().state, link.venue.view().reason, link.changes > 3) == ("BACKOFF", "gone", True)


async def test_the_time_makes_heartbeats_due(link: Link) -> None:
    assert link.venue.deadline() is None
    await link.up()
    due = link.venue.deadline()
    assert due == NOW + 30 * SECOND
    link.clock.now = due
    link.venue.tick()
    await link.settle()
    assert link.trace[-1] == "write 0"
    assert link.venue.deadline() == NOW + 36 * SECOND


# When the store fails.


async def test_what_cannot_be_made_durable_is_not_written_and_asked_for_again(link: Link) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    link.report(order, "0")
    link.fill(order, 40)
    data = bytes(link.broker.out)
    link.broker.out.clear()
    link.failure = OSError("disk full")
    link.venue.received(data)
    with pytest.raises(StoreUnavailable):
        await link.pipeline.durable()
    link.venue.received(link.by_hand("1", [(112, "ARE YOU THERE")]))  # not answered: it could not be durable
    link.venue.tick()
    assert link.wire.data == b""
    link.venue.connected(link.wire)
    assert link.wire.closed == "the store is not available"
    link.cut()
    link.failure = None
    link.load()
    link.pipeline.resume()
    assert link.now(order).cum_qty == 0
    await link.up()
    assert link.now(order).cum_qty == 40
    log = link.store.events_after(0, 100)
    assert [event.kind for event in log].count(EventKind.FILLED) == 1
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))


async def test_a_resend_that_cannot_be_read_closes_the_connection(link: Link) -> None:
    await link.up()
    link.submit()
    await link.exchange()

    class Unreadable:
        def sent(self, *_: object) -> list[Any]:
            raise StoreError("sqlite://", "disk I/O error", "check the disk")

    link.venue._resending._journal = Unreadable()
    link.venue.received(link.by_hand("2", [(7, "1"), (16, "0")]))
    await link.settle()
    assert link.wire.closed == "the store is not available"


async def test_a_resend_that_dies_closes_the_connection(link: Link) -> None:
    """Else all that is sent would be held back behind it for ever."""
    await link.up()

    class Faulty:
        def sent(self, *_: object) -> list[Any]:
            raise ZeroDivisionError

    link.venue._resending._journal = Faulty()
    link.venue.received(link.by_hand("2", [(7, "1"), (16, "0")]))
    await link.settle()
    assert link.wire.closed is not None


async def test_a_resend_while_the_store_fails_closes_the_connection(link: Link) -> None:
    await link.up()
    link.submit()
    await link.exchange()
    link.failure = OSError("disk full")
    link.venue.received(link.by_hand("2", [(7, "1"), (16, "0")]))
    with pytest.raises(StoreUnavailable):
        await link.settle()
    await link.settle_quietly()
    assert link.wire.closed == "the store is not available"


async def test_a_message_that_nothing_can_digest_is_passed_over_in_the_end(
    link: Link, caplog: pytest.LogCaptureFixture
) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    link.indigestible = "poison"
    link.report(order, "F", (17, "poison"), (32, "10"), (31, "50"))
    link.fill(order, 40)
    poison = link.venue.session.numbers.next_in
    deaths = 0
    while not link.now(order).cum_qty:
        try:
            await link.exchange()
        except ZeroDivisionError:
            deaths += 1
            await asyncio.sleep(0)  # the pipeline tells of it
        if link.pipeline.broken:
            link.cut()
            link.load()
            link.pipeline.resume()
            link.connect()
    assert deaths == len(link.told) == 3
    assert link.now(order).cum_qty == 40
    assert f"message {poison} is passed over" in caplog.text
    assert [type(error) for error in link.told] == [ZeroDivisionError] * 3
    kept = [m for batch in link.batches for m in batch.messages if b"17=poison" in m.frame]
    assert [message.msg_seq_num for message in kept] == [poison]


async def test_a_store_that_cannot_be_read_is_not_the_messages_fault(link: Link) -> None:
    await link.up()
    reads = 0

    class Unreadable:
        def sent(self, *_: object) -> list[Any]:
            nonlocal reads
            reads += 1
            raise StoreError("sqlite://", "disk I/O error", "check the disk")

    link.venue._hearing._journal = Unreadable()
    for count in range(1, 6):
        with pytest.raises(StoreError):
            link.venue.received(link.by_hand("3", [(45, "1")]))
        assert reads == count
        await asyncio.sleep(0)
        link.cut()
        link.load()
        link.pipeline.resume()
        await link.up()
