"""The feed: what is recent comes from memory, what is older from the log, and nobody waits in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from fairlead_server.domain.event import EventKind
from fairlead_server.routing.feed import Feed
from fairlead_server.store.batch import EventRow

from tests.domain.builders import NOW


def events(first: int, last: int) -> list[EventRow]:
    return [
        EventRow(n, f"E{n}", EventKind.FILLED, "O1", "ACC1", "ACME", "", "BROKER", NOW, b"body")
        for n in range(first, last + 1)
    ]


def numbers(found: Sequence[EventRow] | None) -> list[int] | None:
    return None if found is None else [event.sequence for event in found]


@pytest.mark.parametrize(
    ("after", "limit", "expected"),
    [
        (10, 100, [11, 12, 13, 14, 15]),
        (12, 2, [13, 14]),
        (14, 100, [15]),
        (15, 100, []),
        (99, 100, []),  # from another store, or from the future
        (9, 100, None),  # older than the ring: read the log
        (0, 100, None),
    ],
)
async def test_what_the_ring_holds_is_given_from_memory(
    after: int, limit: int, expected: list[int] | None
) -> None:
    feed = Feed(ring=5)
    feed.load(8)
    feed.publish(events(9, 12))
    feed.publish(events(13, 15))
    assert numbers(feed.recent(after, limit)) == expected


async def test_after_a_start_all_is_in_the_log() -> None:
    feed = Feed()
    feed.load(8)
    assert feed.recent(8, 10) == ()
    assert feed.recent(7, 10) is None
    assert feed.head == 8


async def test_after_a_reload_nothing_is_given_that_may_not_be_durable() -> None:
    feed = Feed()
    feed.publish(events(1, 3))
    feed.load(2)
    assert feed.recent(0, 10) is None
    assert feed.recent(2, 10) == ()
    feed.publish(events(3, 4))
    assert numbers(feed.recent(2, 10)) == [3, 4]


async def test_who_waits_is_woken_by_the_next_event() -> None:
    feed = Feed()
    waiting = [asyncio.create_task(feed.beyond(0, 60)) for _ in range(3)]
    await asyncio.wait(waiting, timeout=0)
    feed.publish([])
    assert not any(task.done() for task in waiting)
    feed.publish(events(1, 1))
    assert await asyncio.gather(*waiting) == [True, True, True]


async def test_who_waits_for_more_goes_on_waiting() -> None:
    feed = Feed()
    waiting = asyncio.create_task(feed.beyond(1, 60))
    await asyncio.wait([waiting], timeout=0)
    feed.publish(events(1, 1))
    await asyncio.wait([waiting], timeout=0)
    assert not waiting.done()
    feed.publish(events(2, 2))
    assert await waiting


async def test_what_has_happened_is_not_waited_for() -> None:
    feed = Feed()
    feed.publish(events(1, 1))
    assert await feed.beyond(0, 0)


async def test_waiting_ends_after_its_time() -> None:
    assert not await Feed().beyond(0, 0)


async def test_closing_wakes_all() -> None:
    feed = Feed()
    feed.publish(events(1, 1))
    ahead, behind = asyncio.create_task(feed.beyond(1, 60)), asyncio.create_task(feed.beyond(0, 60))
    await asyncio.wait([ahead, behind], timeout=0)
    feed.close()
    assert (await ahead, await behind) == (False, True)
    assert not await feed.beyond(1, 60)


async def test_a_reload_that_finds_more_than_was_published_wakes_who_waits() -> None:
    feed = Feed()
    waiting = asyncio.create_task(feed.beyond(0, 60))
    await asyncio.wait([waiting], timeout=0)
    feed.load(1)  # a commit that failed after it had been made durable
    assert await waiting
