from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import OrderQuery, Store, StoreError, open_store

from tests.domain.builders import NOW
from tests.store.facts import whole


def test_a_store_is_made_with_its_folders(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/not/there/yet.db").close()

    assert (tmp_path / "not" / "there" / "yet.db").exists()


def test_what_was_committed_is_there_when_the_store_is_opened_again(kept_url: str) -> None:
    first = open_store(kept_url)
    first.commit(whole(1))
    before = first.load(NOW)
    first.close()

    again = open_store(kept_url)

    assert again.load(NOW) == before
    again.close()


def test_a_second_router_is_kept_out_until_the_first_has_left(kept_url: str) -> None:
    first = open_store(kept_url)

    with pytest.raises(StoreError, match=r"process \d+ .*has it open; stop that process"):
        open_store(kept_url, busy_timeout=0.05)

    first.close()
    open_store(kept_url).close()


def test_closing_leaves_one_file_and_its_lock(tmp_path: Path, file_url: str) -> None:
    store = open_store(file_url)
    store.commit(whole(1))
    store.close()

    assert sorted(file.name for file in tmp_path.iterdir()) == ["store.db", "store.db.lock"]


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("nonsense", "this is not a URL"),
        ("mysql://user:hidden@host/db", "there is no store for mysql"),
        ("postgresql+asyncpg://user:hidden@host/db", "there is no store for postgresql+asyncpg"),
        ("sqlite:///file:store.db?uri=true", "the file must be given as a plain path"),
        ("sqlite:////dev/null/store.db", "File exists"),
    ],
)
def test_a_url_that_cannot_be_opened_says_what_would_be_right(url: str, cause: str) -> None:
    with pytest.raises(StoreError) as raised:
        open_store(url)

    assert raised.value.cause == cause
    assert raised.value.remedy
    assert "hidden" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_no_database_is_left_as_it_is(tmp_path: Path, file_url: str) -> None:
    file = tmp_path / "store.db"
    file.write_text("a letter to a friend, " * 100)

    with pytest.raises(StoreError, match="file is not a database; name a file that Fairlead has made"):
        open_store(file_url)

    assert file.read_text().startswith("a letter")


def test_the_database_of_another_program_is_left_as_it_is(tmp_path: Path, file_url: str) -> None:
    foreign = sqlite3.connect(tmp_path / "store.db")
    foreign.execute("CREATE TABLE songs (title)")

    with pytest.raises(StoreError, match="tables of another program"):
        open_store(file_url)

    assert foreign.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]
    foreign.close()


def test_a_store_that_could_not_be_opened_can_be_once_the_cause_is_gone(
    tmp_path: Path, file_url: str
) -> None:
    file = tmp_path / "store.db"
    file.write_text("a letter to a friend, " * 100)
    with pytest.raises(StoreError):
        open_store(file_url)
    file.unlink()

    open_store(file_url).close()


def test_an_empty_batch_is_no_fault(store: Store) -> None:
    store.commit(Batch())

    assert store.head() == 0


def test_readers_in_other_threads_see_whole_commits_only(kept_url: str) -> None:
    store = open_store(kept_url)
    done = Event()

    def read() -> list[tuple[int, int]]:
        seen = list[tuple[int, int]]()
        while not done.is_set() or not seen:
            head, live = store.live_orders(OrderQuery())
            seen.append((head, len(live)))
        return seen

    with ThreadPoolExecutor(3) as readers:
        reading = [readers.submit(read) for _ in range(3)]
        for number in range(1, 21):
            store.commit(whole(number, size=5))
        done.set()

    for each in reading:
        seen = each.result()
        assert all(head == live and head % 5 == 0 for head, live in seen)
        assert seen == sorted(seen)
    store.close()


def test_a_reader_cannot_write(kept_url: str) -> None:
    store = open_store(kept_url)

    with pytest.raises(StoreError, match=r"readonly|read-only"), store._reading() as connection:
        connection.exec_driver_sql("DELETE FROM meta")

    store.close()
