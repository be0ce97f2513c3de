"""A commit that fails leaves nothing, says why, and leaves a store that works when the cause is gone."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Store, StoreError, open_store

from tests.domain.builders import NOW
from tests.store.facts import event, whole
from tests.store.opened import writer

Obstacle = Callable[[Store, Path], AbstractContextManager[None]]


@contextmanager
def a_full_database(store: Store, _: Path) -> Iterator[None]:
    """The writer may not take one more page."""
    pages = pragma(store, "page_count")
    pragma(store, f"max_page_count={pages}")
    yield
    pragma(store, f"max_page_count={2**31}")


@contextmanager
def a_disk_that_takes_no_more(_: Store, folder: Path) -> Iterator[None]:
    """No file of this process may grow: the log cannot be written, which shows only at COMMIT."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    grown = (folder / "store.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (grown + 100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def another_program_writing(_: Store, folder: Path) -> Iterator[None]:
    other = sqlite3.connect(folder / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@contextmanager
def a_file_that_must_not_change(store: Store, _: Path) -> Iterator[None]:
    pragma(store, "query_only=ON")
    yield
    pragma(store, "query_only=OFF")


def pragma(store: Store, text: str) -> int:
    """On the writer's own connection, outside of any transaction."""
    connection = writer(store).raw_connection()
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA {text}")
    row = cursor.fetchone()
    connection.close()
    return int(row[0]) if row else 0


@pytest.mark.parametrize(
    ("obstacle", "cause", "remedy"),
    [
        (a_full_database, "database or disk is full", "free some space"),
        (a_disk_that_takes_no_more, "disk I/O error|database or disk is full", "space"),
        (another_program_writing, "database is locked", "close the program"),
        (a_file_that_must_not_change, "attempt to write a readonly database", "make the file"),
    ],
)
def test_a_commit_that_fails_leaves_nothing_and_the_next_succeeds(
    tmp_path: Path, file_url: str, obstacle: Obstacle, cause: str, remedy: str
) -> None:
    store = open_store(file_url, busy_timeout=0.05)
    store.commit(whole(1))
    before = store.load(NOW)

    with obstacle(store, tmp_path):
        with pytest.raises(StoreError, match=f"({cause}); .*{remedy}") as raised:
            store.commit(whole(2, size=200))
        assert not raised.value.is_fault_of_the_program
        assert store.load(NOW) == before

    store.commit(whole(2))
    assert store.head() == 2
    store.close()
    assert contents(file_url) == 2


def contents(url: str) -> int:
    store = open_store(url)
    head = store.head()
    store.close()
    return head


def test_what_fails_at_its_last_row_takes_back_its_first(store: Store) -> None:
    store.commit(whole(1))
    before = store.load(NOW)
    torn = whole(2, size=50)
    torn.events.append(event(1))

    with pytest.raises(StoreError, match=r"events.* a fault of the program"):
        store.commit(torn)

    assert store.load(NOW) == before
    assert store.order("O0051") is None
    assert store.request("R51") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="to root no file is read-only")
def test_a_read_only_file_is_refused_when_it_is_opened(tmp_path: Path, file_url: str) -> None:
    open_store(file_url).close()
    (tmp_path / "store.db").chmod(0o444)

    with pytest.raises(StoreError, match="writable for this user"):
        open_store(file_url)


def test_a_database_that_another_program_holds_cannot_be_opened(tmp_path: Path, file_url: str) -> None:
    open_store(file_url).close()
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreError, match="database is locked; close the program"):
        open_store(file_url, busy_timeout=0.05)

    other.close()
    open_store(file_url).close()


def test_an_unused_batch_can_be_committed_after_its_failure(store: Store) -> None:
    batch = whole(1)
    refused = Batch(orders=batch.orders, events=[*batch.events, *batch.events])
    with pytest.raises(StoreError):
        store.commit(refused)

    store.commit(batch)

    assert store.head() == 1
