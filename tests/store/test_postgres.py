"""What only a database on a server can do: go away, be cut off from, fall silent, be taken over by another."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGQUIT
from threading import active_count

import pytest
from fairlead_server.store import tables
from fairlead_server.store.database import Store, StoreError, open_store
from sqlalchemy import Executable, select

from tests import postgres
from tests.domain.builders import NOW
from tests.store.facts import event, whole
from tests.store.opened import writer, writing
from tests.system.proxy import Torn, proxy

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """To be stopped and started at will."""
    with postgres.started() as server:
        yield server


@pytest.fixture
def server_only_url(server: postgres.Server) -> Iterator[str]:
    with postgres.schema(server.url) as url:
        yield url
        server.start()  # where a test that failed has left it down


@pytest.fixture
def opened(empty_url: str) -> Iterator[Store]:
    store = open_store(empty_url, busy_timeout=1)
    yield store
    store.close()


@pytest.mark.parametrize(("says", "holds"), [("off", "on"), ("on", "on"), ("remote_apply", "remote_apply")])
def test_a_commit_is_on_the_disk_before_it_returns_whatever_the_server_says(
    server: postgres.Server, server_only_url: str, says: str, holds: str
) -> None:
    postgres.execute(server.url, f"ALTER ROLE CURRENT_USER SET synchronous_commit = {says}")
    store = open_store(server_only_url)
    postgres.execute(server.url, "ALTER ROLE CURRENT_USER RESET synchronous_commit")

    assert writing(store).exec_driver_sql("SHOW synchronous_commit").scalar() == holds
    store.close()


def test_a_router_whose_lease_was_taken_writes_no_more(opened: Store, empty_url: str) -> None:
    opened.commit(whole(1))
    postgres.execute(empty_url, "UPDATE lease SET epoch = epoch + 1")

    with pytest.raises(StoreError, match="another router has taken it over"):
        opened.commit(whole(2))

    assert opened.head() == 1


def test_a_router_that_was_cut_off_is_kept_out_by_the_one_that_came(opened: Store, empty_url: str) -> None:
    opened.commit(whole(1))
    _cut_all(empty_url)
    second = open_store(empty_url)
    second.commit(whole(2))

    for _ in range(2):
        with pytest.raises(StoreError, match=r"terminat|closed the connection|process .* has it open"):
            opened.commit(whole(2))
    second.commit(whole(3))
    second.close()

    assert opened.head() == 3


def test_each_connection_of_the_writer_has_an_epoch_of_its_own(opened: Store, empty_url: str) -> None:
    def epoch() -> object:
        return postgres.execute(empty_url, "SELECT epoch FROM lease")[0][0]

    before = epoch()
    _cut_all(empty_url)
    with pytest.raises(StoreError):
        opened.commit(whole(1))
    opened.commit(whole(1))

    assert (before, epoch()) == (1, 2)


def _cut_all(url: str) -> None:
    postgres.execute(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'process %'",
    )


def test_two_schemas_of_one_database_are_two_stores(empty_url: str, postgres_url: str) -> None:
    first, second = open_store(empty_url), open_store(postgres_url)

    first.commit(whole(1))

    assert (first.head(), second.head()) == (1, 0)
    first.close()
    second.close()


def test_nothing_is_left_behind_by_a_store_that_was_closed(empty_url: str) -> None:
    threads = active_count()
    store = open_store(empty_url)
    store.commit(whole(1))
    store.load(NOW)

    store.close()

    assert active_count() == threads
    with pytest.raises(StoreError, match="has it open"):
        _open_twice(empty_url)
    assert active_count() == threads


def _open_twice(url: str) -> None:
    first = open_store(url)
    try:
        open_store(url, busy_timeout=0.05)
    finally:
        first.close()


@pytest.mark.parametrize("how", ["SIGINT", "SIGQUIT"])
def test_a_server_that_was_stopped_is_written_to_again_when_it_is_back(
    server: postgres.Server, server_only_url: str, how: str
) -> None:
    store = open_store(server_only_url)
    store.commit(whole(1))
    assert store.head() == 1

    server.stop(*[SIGQUIT] if how == "SIGQUIT" else [])
    for _ in range(2):
        with pytest.raises(StoreError):
            store.commit(whole(2))
        with pytest.raises(StoreError):
            store.load(NOW)
    server.start()

    store.commit(whole(2))
    assert store.load(NOW).head == 2
    store.close()


async def test_a_commit_whose_answer_is_lost_is_durable_and_read_back(
    server: postgres.Server, server_only_url: str
) -> None:
    async with proxy(server.port) as between:
        store = await asyncio.to_thread(open_store, _through(between.port, server, server_only_url))
        between.to_client = lambda data: None if b"COMMIT" in data else data

        with pytest.raises(StoreError):
            await asyncio.to_thread(store.commit, whole(1))
        between.to_client = bytes
        await asyncio.to_thread(store.commit, whole(2))

        assert await asyncio.to_thread(store.head) == 2
        assert len((await asyncio.to_thread(store.load, NOW)).orders) == 2
        await asyncio.to_thread(store.close)


async def test_a_group_that_is_torn_on_its_way_leaves_nothing(
    server: postgres.Server, server_only_url: str
) -> None:
    async with proxy(server.port) as between:
        store = await asyncio.to_thread(open_store, _through(between.port, server, server_only_url))
        await asyncio.to_thread(store.commit, whole(1))
        for kept in (1, 50, 500, 5000):
            between.to_server = lambda data, kept=kept: Torn(data[:kept])  # type: ignore[misc]
            with pytest.raises(StoreError):
                await asyncio.to_thread(store.commit, whole(2, size=20))
            between.to_server = bytes

            assert await asyncio.to_thread(store.head) == 1
        await asyncio.to_thread(store.commit, whole(2))
        await asyncio.to_thread(store.close)


async def test_a_server_that_falls_silent_is_given_up_and_found_again(
    server: postgres.Server, server_only_url: str
) -> None:
    """It takes every byte, so that TCP has nothing to complain of; reader and writer wait for an answer alike."""
    async with proxy(server.port) as between:
        url = _through(between.port, server, server_only_url) + "&tcp_user_timeout=300&connect_timeout=2"
        store = await asyncio.to_thread(open_store, url)
        await asyncio.to_thread(store.commit, whole(1))
        await asyncio.to_thread(store.head)

        between.swallow()
        writing, reading = (
            asyncio.to_thread(store.commit, whole(2)),
            asyncio.to_thread(store.head),
        )
        outcomes = await asyncio.gather(writing, reading, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreError, StoreError]
        between.heal()
        between.cut()  # as the server would, by its own timeouts

        await asyncio.to_thread(store.commit, whole(2))
        assert await asyncio.to_thread(store.head) == 2
        await asyncio.to_thread(store.close)


def _through(port: int, server: postgres.Server, url: str) -> str:
    return url.replace(f":{server.port}/", f":{port}/")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ((":{port}/", ":1/"), "Connection refused"),
        (("/postgres", "/nowhere"), 'database "nowhere" does not exist'),
        (("fairlead@", "nobody:hidden@"), 'role "nobody" does not exist'),
        (("search_path%3D", "search_path%3Dno"), "there is no schema on the search_path"),
    ],
)
def test_what_cannot_be_opened_says_why(
    server: postgres.Server, server_only_url: str, change: tuple[str, str], cause: str
) -> None:
    old, new = (part.format(port=server.port) for part in change)

    with pytest.raises(StoreError, match=cause) as raised:
        open_store(server_only_url.replace(old, new))

    assert raised.value.remedy
    assert "hidden" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_database_in_another_encoding_is_refused(server: postgres.Server) -> None:
    postgres.execute(server.url, "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")

    with pytest.raises(StoreError, match="encoding is LATIN1; make the database with ENCODING 'UTF8'"):
        open_store(server.url.replace("/postgres", "/latin"))


def test_a_server_that_may_lose_what_it_confirms_is_refused(
    server: postgres.Server, server_only_url: str
) -> None:
    postgres.execute(server.url, "ALTER SYSTEM SET fsync = off")
    server.stop()
    server.start()
    try:
        with pytest.raises(StoreError, match="fsync=off and may lose what it has confirmed; set fsync=on"):
            open_store(server_only_url)
    finally:
        postgres.execute(server.url, "ALTER SYSTEM RESET fsync")
        server.stop()
        server.start()


def test_tables_of_another_program_are_left_alone(postgres_url: str) -> None:
    postgres.execute(postgres_url, "CREATE TABLE songs (title text)")

    with pytest.raises(StoreError, match="tables of another program"):
        open_store(postgres_url)

    assert postgres.execute(postgres_url, "SELECT count(*) FROM songs") == [(0,)]


def test_without_the_driver_it_says_what_to_install(empty_url: str) -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from fairlead_server.store.database import StoreError, open_store\n"
        f"try: open_store({empty_url!r})\n"
        "except StoreError as error: print(error)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )

    assert "driver cannot be loaded" in done.stdout
    assert "pip install 'fairlead-server[postgresql]'" in done.stdout


def test_what_fails_at_its_last_row_takes_back_its_first_and_keeps_nobody_waiting(opened: Store) -> None:
    torn = whole(1, size=300)
    torn.events.append(event(1))

    with pytest.raises(StoreError, match="a fault of the program"):
        opened.commit(torn)
    opened.commit(whole(1, size=300))

    assert opened.head() == 300


LIVE = (
    select(tables.orders.c.facts)
    .where(tables.IS_LIVE)
    .order_by(tables.orders.c.create_time, tables.orders.c.order_id)
)
SENT = select(tables.messages.c.frame).where(
    tables.IS_OUT,
    tables.messages.c.session_id == "S",
    tables.messages.c.epoch == 1,
    tables.messages.c.msg_seq_num.between(1, 9),
)


@pytest.mark.parametrize(("query", "index"), [(LIVE, "ix_orders_live"), (SENT, "uq_messages_out")])
def test_what_is_read_often_is_read_by_its_index(opened: Store, query: Executable, index: str) -> None:
    with writer(opened).connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")  # which is best for a table that is empty
        sql = str(query.compile(connection, compile_kwargs={"literal_binds": True}))  # type: ignore[attr-defined]
        plan = connection.exec_driver_sql(f"EXPLAIN {sql}").all()

    assert index in str(plan)
