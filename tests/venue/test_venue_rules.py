"""What the rules of a venue change on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from fairlead_server.domain.amendments import Amendment
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.errors import CapabilityMissing
from fairlead_server.domain.order import Flag, Order, OrderState
from fairlead_server.domain.terms import TimeInForce
from fairlead_server.domain.venue_rules import Capabilities, ExecIdScope, ReplaceQuantity, VenueRules
from fairlead_server.fix.values import write_utc_timestamp
from fairlead_server.routing.order_entry import OrderRef
from fairlead_server.store.database import Store

from tests.domain.builders import NOW, figures, terms
from tests.venue.link import Link

WORKING = VenueRules(replace_quantity=ReplaceQuantity.WORKING, capabilities=Capabilities(post_only=False))


@pytest.fixture
async def link(store: Store) -> AsyncIterator[Link]:
    made = Link(store, rules=WORKING)
    await made.up()
    yield made
    made.cut()
    await made.pipeline.close()


async def part_filled(link: Link) -> Order:
    """40 of 100, and an amend to 90 is under way."""
    order = link.submit()
    await link.exchange()
    link.fill(order, 40)
    await link.exchange()
    amendment = Amendment(quantity=Decimal(90))
    link.entry.amend(OrderRef(order.order_id), "a1", amendment, Cause(Initiator.CLIENT), link.clock.now)
    await link.exchange()
    return link.now(order)


async def test_where_the_open_quantity_is_told_it_is_sent_and_read(link: Link) -> None:
    order = await part_filled(link)
    [request] = order.pending
    assert link.broker.heard[-1][38] == "50"
    assert request.terms is not None
    assert request.terms.quantity == 90
    named = (11, request.cl_ord_id)
    link.report(order, "5", named, (38, "50"), (14, "40"), (151, "50"))
    await link.exchange()
    assert figures(link.now(order)) == (OrderState.PARTIALLY_FILLED, 40, 50)
    assert link.now(order).terms.quantity == 90


async def test_a_fill_that_crosses_the_amend_makes_the_order_larger_as_the_venue_has_it(link: Link) -> None:
    order = await part_filled(link)
    link.fill(order, 10)
    named = (11, order.pending[0].cl_ord_id)
    link.report(order, "5", named, (38, "50"), (14, "50"))  # without LeavesQty(151)
    await link.exchange()
    assert figures(link.now(order)) == (OrderState.PARTIALLY_FILLED, 50, 50)


async def test_a_trade_that_is_not_known_is_denied_when_it_is_booked(store: Store) -> None:
    link = Link(store, rules=VenueRules(dont_know_trade=True))
    await link.up()
    named = (37, "V9"), (11, "theirs"), (17, "E9"), (55, "ACME"), (54, "1"), (38, "100")
    told = (150, "F"), (39, "1"), (32, "40"), (31, "50"), (14, "40"), (151, "60"), (6, "50")
    link.broker.send("8", *named, *told)
    await link.exchange()

    denial = link.broker.heard[-1]
    assert (denial.msg_type, denial[37], denial[17], denial[127]) == ("Q", "V9", "E9", "D")
    assert link.book.exposures.of("ACC1", "ACME").position == 40
    assert link.trace.index("write Q") > link.trace.index("commit IN 8 OUT Q")

    link.broker.send("j", (45, str(denial.msg_seq_num)), (372, "Q"), (380, "3"))
    await link.exchange()
    assert link.venue.available
    link.cut()
    await link.pipeline.close()


async def test_what_the_venue_does_not_take_is_refused_before_anything_is_decided(link: Link) -> None:
    with pytest.raises(CapabilityMissing) as caught:
        link.submit(post_only=True)
    assert caught.value.capability == "POST_ONLY"
    assert link.book.all_live() == []


@pytest.mark.parametrize(
    ("scope", "filled"), [(ExecIdScope.SESSION, 40), (ExecIdScope.DAY, 80), (ExecIdScope.SYMBOL_DAY, 80)]
)
async def test_an_exec_id_is_known_again_within_its_scope(
    store: Store, scope: ExecIdScope, filled: int
) -> None:
    link = Link(store, rules=VenueRules(exec_id_scope=scope))
    await link.up()
    order = link.submit(terms=terms(time_in_force=TimeInForce.GTC))
    for day in (1, 1, 2, 2):  # the second of a day is the first again, as PossResend(97)
        executed = write_utc_timestamp(NOW + timedelta(days=day))
        link.report(order, "F", (17, "1"), (39, "1"), (32, "40"), (31, "50"), (60, executed))
    await link.exchange()

    assert link.now(order).cum_qty == filled
    assert {row.exec_day for batch in link.batches for row in batch.executions} == (
        {""} if scope is ExecIdScope.SESSION else {"2026-11-21T00:00Z", "2026-11-22T00:00Z"}
    )
    link.cut()
    await link.pipeline.close()


async def test_what_is_sent_again_without_a_time_is_not_of_the_day_of_its_arrival(store: Store) -> None:
    """TransactTime(60) is optional; SendingTime(52) is that of the sending, not of the trade."""
    link = Link(store, rules=VenueRules(exec_id_scope=ExecIdScope.DAY))
    await link.up()
    order = link.submit(terms=terms(time_in_force=TimeInForce.GTC))
    fill = (17, "1"), (39, "1"), (32, "40"), (31, "50")
    link.report(order, "F", *fill)
    await link.exchange()
    link.clock.now += timedelta(days=1)
    link.report(order, "F", (97, "Y"), *fill)
    await link.exchange()
    assert link.now(order).cum_qty == 40

    link.report(order, "F", *fill)
    await link.exchange()
    assert link.now(order).cum_qty == 80
    link.cut()
    await link.pipeline.close()


async def test_a_day_that_nobody_can_tell_is_answered_and_asked_about(store: Store) -> None:
    link = Link(store, rules=VenueRules(exec_id_scope=ExecIdScope.DAY))
    await link.up()
    order = link.submit()
    await link.exchange()
    link.report(order, "F", (39, "1"), (32, "40"), (31, "50"), (60, "00010101-00:00:00"))
    await link.exchange()

    assert [message.msg_type for message in link.broker.heard[-2:]] == ["j", "H"]
    assert Flag.IN_DOUBT in link.now(order).flags
    link.cut()
    await link.pipeline.close()
