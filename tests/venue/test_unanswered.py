"""Silence on a real session: what its broker hears, woken by the connection's own timer."""

from __future__ import annotations

import pytest
from fairlead_server.domain.order import Flag, OrderState
from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.fix.session import ResetOn
from fairlead_server.store.database import Store

from tests.venue.link import SECOND, Link

RESETS = frozenset({ResetOn.LOGON})
MASS = VenueRules(mass_status=True)


async def pass_time(link: Link, seconds: int) -> None:
    until = link.clock.now + seconds * SECOND
    while (due := link.venue.deadline()) is not None and due <= until:
        link.clock.now = max(due, link.clock.now)
        link.venue.tick()
        await link.exchange()
    link.clock.now = until


async def end(link: Link) -> None:
    link.cut()
    await link.pipeline.close()


async def test_silence_is_asked_about_and_doubted_by_the_timer_alone(store: Store) -> None:
    link = Link(store)
    await link.up()
    order = link.submit()
    await link.exchange()
    await pass_time(link, 4)
    assert link.broker.heard_types() == ["D"]
    await pass_time(link, 1)
    assert link.broker.heard_types() == ["D", "H"]
    assert Flag.IN_DOUBT not in link.now(order).flags
    await pass_time(link, 25)
    assert Flag.IN_DOUBT in link.now(order).flags
    assert link.broker.heard_types() == ["D", "H", "H"]
    link.report(order, "0")
    await link.exchange()
    assert (link.now(order).state, link.now(order).flags) == (OrderState.WORKING, frozenset())
    await end(link)


@pytest.mark.parametrize(("version", "question"), [("FIX.4.2", "H"), ("FIX.4.4", "AF"), ("FIX.5.0SP2", "AF")])
async def test_after_a_reset_orders_are_asked_about_in_the_words_of_the_version(
    store: Store, version: str, question: str
) -> None:
    link = Link(store, version, rules=MASS, reset_on=RESETS)
    await link.up()
    order = link.submit()
    await link.exchange()
    link.report(order, "0")
    await link.exchange()
    link.cut()
    await link.up()
    assert link.broker.heard_types() == ["D", question]
    asked = link.broker.heard[-1]
    said = (asked[11],) if question == "H" else (asked[584], asked[585])
    assert said == ((order.cl_ord_id,) if question == "H" else (f"3-{asked.msg_seq_num}", "7"))
    await end(link)


@pytest.mark.parametrize("msg_type", ["j", "3"])
async def test_a_venue_that_refuses_the_mass_question_is_asked_for_each_order(
    store: Store, msg_type: str
) -> None:
    link = Link(store, rules=MASS, reset_on=RESETS)
    await link.up()
    order = link.submit()
    await link.exchange()
    link.report(order, "0")
    await link.exchange()
    link.cut()
    await link.up()
    asked = link.broker.heard[-1]
    reason = (380, "3") if msg_type == "j" else (373, "11")
    fields = [(45, str(asked.msg_seq_num)), (372, "AF"), reason]
    link.venue.received(link.by_hand(msg_type, fields))
    await link.exchange()
    assert link.broker.heard_types() == ["D", "AF", "H"]
    await end(link)
