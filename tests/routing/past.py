"""What is archived: the lines of its files, a store with some days behind it, and whoever moves one into the other."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fairlead_server.domain.order import Terminal
from fairlead_server.fix.terms import Numbers
from fairlead_server.routing.book import Book
from fairlead_server.routing.feed import Feed
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.retention import Ages, Retention
from fairlead_server.store.archive import EVENTS_FLOOR, Folder
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Store
from msgspec.structs import replace

from tests.domain.builders import NOW
from tests.store.facts import SESSION, event, message, order

DAY = timedelta(days=1)
BEGAN = NOW - 10 * DAY
THREE_DAYS = Ages(3 * DAY, 3 * DAY)


def day(number: int, *, orders: int = 3, is_open: bool = False) -> Batch:
    """Of the ten before now, the first is 0: as many orders, with an event and a message for each. They have ended,
    but for the first of them where ``is_open``.
    """
    batch = Batch()
    at = BEGAN + number * DAY
    for n in range(number * orders + 1, (number + 1) * orders + 1):
        made = replace(order(n, at=at), acked=True)
        live = is_open and n == number * orders + 1
        placed = made if live else made.next(at, terminal=Terminal.CANCELED)
        batch.orders[placed.order_id] = placed
        batch.new_cl_ord_ids[SESSION, placed.cl_ord_id] = placed.order_id
        batch.events.append(event(n, time=at, order_id=placed.order_id))
        batch.messages.append(message(n, time=at))
        batch.sessions[SESSION] = Numbers(next_in=1, next_out=n + 1)
    return batch


class Keeper:
    """Keeps three days of both, unless told otherwise."""

    def __init__(self, store: Store, folder: Folder, ages: Ages = THREE_DAYS) -> None:
        snapshot = store.load(NOW)
        self.failures: list[BaseException] = []
        self.pauses: list[float] = []
        self.batches: list[Batch] = []
        self.book, self.feed = Book(store), Feed()
        self.book.load(snapshot)
        self.feed.load(snapshot.head, snapshot.counters.get(EVENTS_FLOOR, 0))
        self.pipeline = Pipeline(store.begin, self.batches.append, self.failures.append)
        self.retention = Retention(
            ages,
            folder,
            store,
            self.book,
            self.pipeline,
            self.feed,
            lambda: NOW,
            lambda body: json.dumps({"body": body.decode()}),
            self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def once(self) -> None:
        await self.retention.once()
        await self.pipeline.close()


def lines(folder: Path, kind: str) -> Iterator[dict[str, Any]]:
    """By file, and as they stand in it."""
    for file in sorted(folder.glob(f"{kind}-*.jsonl.gz")):
        with gzip.open(file, "rt") as text:
            yield from map(json.loads, text)


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def archived_events(folder: Path) -> list[int]:
    return [int(line["body"].removeprefix("event ")) for line in lines(folder, "events")]


def archived_messages(folder: Path) -> list[int]:
    return [line["msg_seq_num"] for line in lines(folder, "messages")]


def kept_events(store: Store) -> list[int]:
    return [row.sequence for row in store.events_after(0, 1_000_000)]


def kept_messages(store: Store, now: datetime = NOW) -> list[int]:
    return [sent.msg_seq_num for sent in store.sent(SESSION, 1, 1, 1_000_000)]
