from __future__ import annotations

import asyncio

from fairlead_server.routing.news import News

LONG, AT_ONCE = 60.0, 0.0


async def test_whoever_waits_is_told() -> None:
    news = News()
    waiting = [asyncio.create_task(news.beyond(0, LONG)) for _ in range(2)]
    await asyncio.sleep(0)

    news.tell()

    assert await asyncio.gather(*waiting) == [True, True]


async def test_who_was_busy_is_told_of_what_was_missed() -> None:
    news = News()
    news.tell()

    assert await news.beyond(0, LONG)
    assert not await news.beyond(news.count, AT_ONCE)


async def test_an_end_wakes_whoever_waits() -> None:
    news = News()
    waiting = asyncio.create_task(news.beyond(0, LONG))
    await asyncio.sleep(0)

    news.close()

    assert not await waiting
    assert news.closed
