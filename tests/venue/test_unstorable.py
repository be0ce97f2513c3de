"""A message whose effect cannot be made durable does not hold up its session for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from fairlead_server.domain.errors import StoreUnavailable
from fairlead_server.domain.event import EventKind
from fairlead_server.routing.suspects import TRIES

from tests.venue.link import Link


async def fight(link: Link, done: Callable[[], bool]) -> None:
    """As the router does it: whenever a commit has failed, begin again from the store and connect."""
    while not done():
        with suppress(StoreUnavailable):
            await link.exchange()
        if link.pipeline.broken:
            await asyncio.sleep(0)  # the pipeline tells of it
            link.cut()
            link.load()
            link.pipeline.resume()
            link.connect()


async def test_a_report_that_cannot_be_made_durable_is_tried_alone_and_then_doubted(
    link: Link, caplog: pytest.LogCaptureFixture
) -> None:
    await link.up()
    order = link.submit()
    await link.exchange()
    link.unstorable = lambda batch: any(row.exec_id == "poison" for row in batch.executions)
    link.fill(order, 10)
    link.report(order, "F", (17, "poison"), (32, "20"), (31, "50"))
    link.fill(order, 40)
    poison = link.venue.session.numbers.next_in + 1

    await fight(link, lambda: link.now(order).cum_qty == 50)

    assert len(link.told) == 1 + TRIES
    assert f"BROKER: message {poison} of epoch 1 cannot be made durable" in caplog.text
    assert link.venue.view().reason == f"message {poison} is passed over, see the journal"
    doubts = [event for event in link.events if event.kind is EventKind.IN_DOUBT]
    assert "a report was not understood: it cannot be made durable" in {event.text for event in doubts}
    kept = {m.msg_seq_num for batch in link.batches for m in batch.messages if b"17=poison" in m.frame}
    assert kept == {poison}


async def test_where_not_even_the_doubt_can_be_made_durable_the_message_is_kept_alone(link: Link) -> None:
    await link.up()
    order, other = link.submit(1), link.submit(2)
    await link.exchange()
    link.unstorable = lambda batch: order.order_id in batch.orders
    link.fill(order, 10)
    link.fill(other, 40)

    await fight(link, lambda: link.now(other).cum_qty == 40)

    assert len(link.told) == 1 + TRIES + TRIES
    assert link.now(order).cum_qty == 0
