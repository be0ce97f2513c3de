from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Timer, active_count

import pytest
from fairlead_server.store import sqlite, tables
from fairlead_server.store.database import open_store
from sqlalchemy import Executable, make_url, select

from tests.store.facts import SESSION, whole
from tests.store.opened import checkpointer, writer


def test_a_commit_is_on_the_disk_before_it_returns(file_url: str) -> None:
    """Of what was written, all and nothing else survives: see ``test_crash``. This is what that rests on."""
    store = open_store(file_url)
    with writer(store).connect() as connection:
        settings = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in SETTINGS}
    store.close()

    assert settings == SETTINGS


SETTINGS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_what_is_begun_nobody_sees_until_it_is_finished(file_url: str) -> None:
    store = open_store(file_url)
    finish = store.begin(whole(1))
    assert store.head() == 0

    finish()

    assert store.head() == 1
    store.close()


def test_to_begin_waits_for_no_other_program_and_to_finish_does(tmp_path: Path, file_url: str) -> None:
    store = open_store(file_url, busy_timeout=600.0)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    finish = store.begin(whole(1))
    letting_go = Timer(0.05, other.rollback)
    letting_go.start()

    finish()

    letting_go.join()
    other.close()
    assert store.head() == 1
    store.close()


def test_of_very_many_rows_none_is_written_until_all_are(tmp_path: Path, file_url: str) -> None:
    store = open_store(file_url)
    other = sqlite3.connect(tmp_path / "store.db", timeout=0.0, isolation_level=None)
    finish = store.begin(whole(1, size=2_000))
    other.execute("BEGIN IMMEDIATE")
    other.close()

    finish()

    assert store.head() == 2_000
    store.close()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (
            select(tables.orders.c.facts)
            .where(tables.IS_LIVE)
            .order_by(tables.orders.c.create_time, tables.orders.c.order_id),
            "ix_orders_live",
        ),
        (
            select(tables.orders.c.client_key).where(tables.orders.c.client_key.is_not(None)),
            "COVERING INDEX ix_orders_create_time",
        ),
        (
            select(tables.orders.c.facts).where(
                tables.HAS_CLIENT, tables.orders.c.account_id == "A", tables.orders.c.client_order_id == "C"
            ),
            "uq_orders_account_id_client_order_id",
        ),
        (
            select(tables.orders.c.facts).where(
                tables.HAS_VENUE, tables.orders.c.session_id == "S", tables.orders.c.venue_order_id == "V"
            ),
            "ix_orders_session_id_venue_order_id",
        ),
        (
            select(tables.messages.c.frame).where(
                tables.IS_OUT,
                tables.messages.c.session_id == "S",
                tables.messages.c.epoch == 1,
                tables.messages.c.msg_seq_num.between(1, 9),
            ),
            "uq_messages_out",
        ),
    ],
)
def test_what_is_read_often_is_read_by_its_index(file_url: str, query: Executable, index: str) -> None:
    store = open_store(file_url)
    with store._reading() as connection:
        sql = str(query.compile(connection, compile_kwargs={"literal_binds": True}))  # type: ignore[attr-defined]
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()

    store.close()
    assert [index in str(step) for step in plan] == [True]


def test_the_log_is_written_back_and_emptied_when_the_store_is_closed(tmp_path: Path, file_url: str) -> None:
    threads = active_count()
    store = open_store(file_url)
    for number in range(1, 11):
        store.commit(whole(number, size=10))

    store.close()

    assert not (tmp_path / "store.db-wal").exists()
    assert active_count() == threads


def test_the_checkpointer_writes_the_log_back_beside_the_commits(file_url: str) -> None:
    store = open_store(file_url)
    store.commit(whole(1, size=100))

    checkpointer(store)._checkpoint("PASSIVE")

    busy, written, checkpointed = (
        checkpointer(store)._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    )
    assert (busy, checkpointed) == (0, written)
    store.close()


def test_what_cannot_be_checkpointed_stays_in_the_log(file_url: str) -> None:
    """A reader of an old state holds the log; commits go on meanwhile."""
    store = open_store(file_url, busy_timeout=0.05)
    store.commit(whole(1))

    with store._reading() as old:
        assert old.exec_driver_sql("SELECT count(*) FROM events").scalar() == 1
        store.commit(whole(2))
        checkpointer(store)._checkpoint("PASSIVE")
        assert old.exec_driver_sql("SELECT count(*) FROM events").scalar() == 1

    assert store.head() == 2
    assert len(store.sent(SESSION, 1, 1, 9)) == 2
    store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_memory_is_told_from_a_file(url: str) -> None:
    assert sqlite.path_of(make_url(url)) is None
    assert sqlite.path_of(make_url("sqlite:///var/store.db")) == Path("var/store.db")
