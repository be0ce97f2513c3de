"""Stores in memory for tests that are not about stores: to make one takes longer than most of them do."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from fairlead_server.routing.pipeline import Begin
from fairlead_server.store import tables
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Store, open_store

_free: list[Store] = []


@contextmanager
def in_memory() -> Iterator[Store]:
    """One that holds nothing, as if it had just been made. It was used before, unless all of them are in use."""
    store = _free.pop() if _free else open_store("sqlite://")
    yield store
    empty(store)  # and if the test has failed, or the store with it, there will be another
    _free.append(store)


def left(commit: Callable[[Batch], None]) -> Begin:
    """For a pipeline: all of it is left to the writer thread."""
    return lambda batch: partial(commit, batch)


def empty(store: Store) -> None:
    """All that was written is gone; what tells it from other stores stays."""
    with store._database.reading() as connection, connection.begin():
        for table in _FILLED:
            connection.exec_driver_sql(f'DELETE FROM "{table}"')


_FILLED = [table.name for table in reversed(tables.metadata.sorted_tables) if table is not tables.meta]


@atexit.register
def _close() -> None:
    for store in _free:
        store.close()
