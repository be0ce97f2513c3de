from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from fairlead_server.fix.terms import Numbers
from fairlead_server.store import migrations, schema, tables
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import StoreError, open_store
from sqlalchemy import Connection, create_engine, inspect, text

from tests.domain.builders import NOW
from tests.store.facts import execution
from tests.store.opened import writer


def definitions(connection: Connection) -> dict[str, str]:
    """Every table, index and constraint as the database keeps it, but for the order of a table's clauses."""
    if connection.dialect.name == "postgresql":
        schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
        parts = connection.exec_driver_sql(_PARTS)
        return {name: definition.replace(f"{schema}.", "") for name, definition in parts}
    found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {name: "\n".join(sorted(_clauses(sql))) for name, sql in found}


def _clauses(sql: str) -> list[str]:
    """One a line, a column that was added later like any other."""
    return _ADDED.sub(r"\1\n\2\n", sql.replace("\t", "").replace(", \n", "\n")).split("\n")


_ADDED = re.compile(r"(NULL), (\w+ [A-Z]+)\n")


_PARTS = """
SELECT table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = current_schema()
UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()
UNION ALL SELECT 'constraint ' || conname, conrelid::regclass || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
"""


def test_the_migrations_lead_to_the_tables(kept_url: str) -> None:
    engine = create_engine(kept_url)
    with engine.begin() as connection:
        upgrade(connection, "head")

        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_the_migrations_lead_to_what_a_new_store_has(kept_url: str) -> None:
    """To the same conditions of indexes, WITHOUT ROWID, names of keys, which a comparison by reflection does not see."""
    new = as_made_by(lambda connection: schema.migrate(connection, kept_url), kept_url)

    migrated = as_made_by(lambda connection: upgrade(connection, "head"), kept_url)

    assert {name: sql.split("\n") for name, sql in migrated.items()} == {
        name: sql.split("\n") for name, sql in new.items()
    }


def as_made_by(make: Callable[[Connection], None], url: str) -> dict[str, str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        make(connection)
        found = definitions(connection)
        connection.rollback()
    engine.dispose()
    return found


def test_head_is_the_last_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))

    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_opening_again_changes_nothing(kept_url: str) -> None:
    before = schema_of(kept_url)

    assert schema_of(kept_url) == before


def test_a_store_of_the_first_version_is_brought_up_with_what_it_holds(kept_url: str) -> None:
    engine = create_engine(kept_url)
    bytes_of = "x'{}'" if engine.dialect.name == "sqlite" else "'\\x{}'"
    with engine.begin() as connection:
        upgrade(connection, "0001")
        connection.execute(
            text(f'INSERT INTO meta ("only", log_epoch, secret) VALUES (1, 77, {bytes_of.format("0102")})')
        )
        connection.execute(
            text("INSERT INTO sessions (session_id, epoch, next_in, next_out) VALUES ('BROKER', 3, 8, 9)")
        )
        connection.execute(
            text(
                "INSERT INTO messages (session_id, epoch, direction, msg_seq_num, msg_type, time, frame)"
                f" VALUES ('BROKER', 3, 'OUT', 8, 'D', 1000000, {bytes_of.format('383d')})"
            )
        )
    engine.dispose()

    store = open_store(kept_url)

    snapshot = store.load(NOW)
    assert snapshot.log_epoch == 77
    assert snapshot.sessions == {"BROKER": Numbers(8, 9, 3)}
    assert snapshot.stopped == {}
    assert store.counters(["trades_due"]) == {}
    assert [sent.frame for sent in store.sent("BROKER", 3, 1, 99)] == [b"8="]
    store.commit(Batch(stopped={"BROKER": "end of day"}))
    assert store.load(NOW).stopped == {"BROKER": "end of day"}
    store.close()


def test_executions_of_a_store_without_days_are_kept(kept_url: str) -> None:
    engine = create_engine(kept_url)
    with engine.begin() as connection:
        upgrade(connection, "0005")
        insert = "INSERT INTO orders (order_id, account_id, client_order_id, instrument_id, strategy_id, session_id,"
        insert += " venue_order_id, state, live, version, create_time, facts)"
        connection.execute(
            text(f"{insert} VALUES ('O0001', 'A', '', 'I', '', 'S', '', 'FILLED', 0, 1, 1, '{{}}')")
        )
        insert = "INSERT INTO executions (execution_id, order_id, session_id, account_id, instrument_id, side, kind,"
        insert += " exec_id, ref_exec_id, quantity, price, transact_time, sequence)"
        values = "'X1', 'O0001', 'S', 'A', 'I', 'BUY', 'FILLED', 'V1', '', '10', '50', 1, 7"
        connection.execute(text(f"{insert} VALUES ({values})"))
    engine.dispose()

    store = open_store(kept_url)

    assert store.counters(["trades_due"]) == {"trades_due": 1}  # what was traded is to be carried over
    store.commit(Batch(executions=[execution(1, exec_day="another")]))
    with pytest.raises(StoreError):
        store.commit(Batch(executions=[execution(1, execution_id="again", exec_day="")]))
    with store._reading() as connection:
        kept = connection.execute(
            text("SELECT execution_id, sequence, exec_day FROM executions ORDER BY exec_day")
        )
        assert [tuple(row) for row in kept] == [("X1", 7, ""), ("X000001", 1, "another")]
    store.close()


def upgrade(connection: Connection, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def schema_of(url: str) -> tuple[dict[str, str], int]:
    store = open_store(url)
    with store._reading() as connection:
        found = definitions(connection)
    log_epoch = store.load(NOW).log_epoch
    store.close()
    return found, log_epoch


def test_a_store_of_a_newer_fairlead_is_left_to_it(kept_url: str) -> None:
    store = open_store(kept_url)
    with writer(store).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()

    with pytest.raises(StoreError, match=r"version 9999.* up to 0013; use the newer Fairlead"):
        open_store(kept_url)


def test_a_migration_that_is_cut_off_leaves_nothing(kept_url: str) -> None:
    engine = create_engine(kept_url)

    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        upgrade(connection, "0001")
        schema.migrate(connection, kept_url)
        connection.rollback()
        assert inspect(connection).get_table_names() == []
    engine.dispose()


def test_migrating_leaves_logging_and_the_terminal_alone(
    capfd: pytest.CaptureFixture[str], file_url: str
) -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    engine = create_engine(file_url)
    with engine.begin() as connection:
        upgrade(connection, "0001")
    engine.dispose()

    open_store(file_url).close()

    assert (root.level, root.handlers) == before
    assert capfd.readouterr() == ("", "")


def test_a_store_that_is_new_or_current_opens_without_alembic(kept_url: str) -> None:
    program = (
        "import sys; from fairlead_server.store.database import open_store;"
        f"[open_store({kept_url!r}).close() for _ in range(2)]; sys.exit('alembic' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
