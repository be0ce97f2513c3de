"""Prices from feeds and people: each taken or refused by itself, and used by the next decision."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fairlead_server.domain.errors import InvalidRequest, PriceOutdated, RouterError, UnknownInstrument
from fairlead_server.domain.instrument import ReferencePrice
from fairlead_server.domain.order import OrderState
from fairlead_server.domain.terms import OrderType
from fairlead_server.routing.ports import Operator
from fairlead_server.routing.prices import Prices, PriceUpdate

from tests.domain.builders import NOW, instrument, new_order, terms
from tests.routing.desk import SECOND, Desk

OPS = Operator("ops", "the feed is down")


def price(amount: int | str = 51, at: datetime = NOW, source: str = "feed", **more: Any) -> ReferencePrice:
    return ReferencePrice(Decimal(amount), at, source, **more)


def update(
    desk: Desk, *prices: ReferencePrice, name: str = "ACME", force: bool = False, now: datetime = NOW
) -> list[RouterError | None]:
    updates = [PriceUpdate(name, each) for each in prices]
    return Prices(desk.reference, desk.pipeline).update(updates, OPS, now, force=force)


async def test_a_price_is_there_at_once_and_after_a_restart(desk: Desk) -> None:
    full = price(bid=Decimal(50), ask=Decimal(52), last=Decimal("50.5"))

    assert update(desk, full) == [None]

    assert desk.reference.get("ACME") == instrument(reference=full)
    later = await desk.restarted()
    assert later.reference.get("ACME") == instrument(reference=full)
    await later.end()


async def test_each_price_is_taken_or_refused_by_itself(desk: Desk) -> None:
    updates: list[PriceUpdate | RouterError] = [
        PriceUpdate("ACME", price(51)),
        PriceUpdate("NOBODY", price(7)),
        PriceUpdate("ACME", price(52, NOW - SECOND)),
        PriceUpdate("ACME", price(53, NOW + 6 * SECOND)),
        InvalidRequest([("prices[4].price", "must be above zero")]),
        PriceUpdate("ACME", price(54, NOW + 5 * SECOND)),
    ]

    found = Prices(desk.reference, desk.pipeline).update(updates, OPS, NOW, force=False)

    kinds = [type(each) for each in found]
    none = type(None)
    assert kinds == [none, UnknownInstrument, PriceOutdated, InvalidRequest, InvalidRequest, none]
    assert str(found[3]) == "prices[3].price_time: is 6 s ahead of the server's clock"
    assert found[4] is updates[4]
    assert desk.reference.get("ACME") == instrument(reference=price(54, NOW + 5 * SECOND))


async def test_only_what_was_set_keeps_an_older_price_out(desk: Desk) -> None:
    """What the file says without a time is of when it was read, which is no reason."""
    old = price(49, NOW - timedelta(days=1))

    assert update(desk, old) == [None]
    assert desk.reference.get("ACME") == instrument(reference=old)


async def test_an_older_price_can_be_forced(desk: Desk) -> None:
    update(desk, price(510))
    right = price(51, NOW - SECOND)

    assert [type(each) for each in update(desk, right)] == [PriceOutdated]
    assert update(desk, right, force=True) == [None]

    assert desk.reference.get("ACME") == instrument(reference=right)


async def test_what_a_person_sets_is_audited_and_what_a_feed_sets_is_not(desk: Desk) -> None:
    update(desk, price(51))
    update(desk, price(52, NOW + SECOND, "manual"))

    await desk.pipeline.durable()
    (row,) = desk.store.audit("ACME", 9)
    assert (row.principal, row.action, row.reason) == ("ops", "price.set", "the feed is down")
    assert row.before == "51 of 2026-11-20T15:00:00+00:00 by feed"
    assert row.after == "52 of 2026-11-20T15:00:01+00:00 by manual"


async def test_a_fresh_price_lets_a_market_order_pass(desk: Desk) -> None:
    update(desk, price(50, NOW - timedelta(hours=25)))
    market = new_order(order_type=OrderType.MARKET, terms=terms(price=None))
    refused = desk.submit(market).order
    assert refused.reject is not None
    assert [breach.rule_id for breach in refused.reject.breaches] == ["reference_age"]

    update(desk, price(50))

    again = new_order(client_order_id="again", order_type=OrderType.MARKET, terms=terms(price=None))
    assert desk.submit(again).order.state is OrderState.PENDING_NEW


async def test_where_the_price_was_of_late(desk: Desk) -> None:
    update(desk, price(40), price(60, NOW + 10 * SECOND), now=NOW + 10 * SECOND)

    moving = desk.reference.moving("ACME")
    assert moving is not None
    at = NOW + 20 * SECOND
    assert (int(moving.low(at)), int(moving.high(at))) == (40, 60)
    assert desk.reference.moving("NOBODY") is None


async def test_a_group_that_fails_leaves_the_price_as_it_was(desk: Desk) -> None:
    desk.writer.failure = OSError("disk full")
    update(desk, price(51))
    with pytest.raises(RouterError):
        await desk.pipeline.durable()

    desk.load()

    assert desk.reference.get("ACME") == instrument()
    assert desk.reference.set_price("ACME") is None
