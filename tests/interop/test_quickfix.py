"""The router against QuickFIX, the FIX engine that most brokers have met: its sessions, its dictionaries, its store."""

from __future__ import annotations

from tests.interop.basket import BASKET
from tests.interop.conftest import Market


async def test_a_basket_is_traded_over_both_versions(market: Market) -> None:
    await market.desk.trade(BASKET)

    await market.agrees()
