from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from fairlead_server.store import migrations, schema, tables
from fairlead_server.store.database import StoreError, open_store
from sqlalchemy import Connection, create_engine, inspect, text

from tests.domain.builders import NOW


def definitions(connection: Connection) -> dict[str, str]:
    """Every table and index as SQLite keeps its SQL, but for the order of a table's clauses."""
    found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {
        name: "\n".join(sorted(sql.replace("\t", "").replace(", \n", "\n").split("\n")))
        for name, sql in found
    }


def test_the_migrations_lead_to_the_tables() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        schema.migrate(connection, "sqlite://")

        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_the_migrations_lead_to_the_same_conditions_keys_and_constraints() -> None:
    """What a comparison by reflection does not see: conditions of indexes, WITHOUT ROWID, names of keys."""
    migrated, made = create_engine("sqlite://"), create_engine("sqlite://")
    tables.metadata.create_all(made)
    with migrated.begin() as left, made.begin() as right:
        schema.migrate(left, "sqlite://")
        expected = definitions(right)
        found = definitions(left)
    del found["alembic_version"]

    assert {name: sql.split("\n") for name, sql in found.items()} == {
        name: sql.split("\n") for name, sql in expected.items()
    }
    migrated.dispose()
    made.dispose()


def test_head_is_the_last_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))

    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_opening_again_changes_nothing(file_url: str) -> None:
    before = schema_of(file_url)

    assert schema_of(file_url) == before


def schema_of(url: str) -> tuple[dict[str, str], int]:
    store = open_store(url)
    with store._reading() as connection:
        found = definitions(connection)
    log_epoch = store.load(NOW).log_epoch
    store.close()
    return found, log_epoch


def test_a_store_of_a_newer_fairlead_is_left_to_it(file_url: str) -> None:
    store = open_store(file_url)
    with store._writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()

    with pytest.raises(StoreError, match=r"version 9999.* up to 0001; use the newer Fairlead"):
        open_store(file_url)


def test_a_migration_that_is_cut_off_leaves_nothing(file_url: str) -> None:
    engine = create_engine(file_url)

    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        schema.migrate(connection, file_url)
        connection.rollback()
        assert inspect(connection).get_table_names() == []
    engine.dispose()


def test_migrating_leaves_logging_and_the_terminal_alone(
    capfd: pytest.CaptureFixture[str], file_url: str
) -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers)

    open_store(file_url).close()

    assert (root.level, root.handlers) == before
    assert capfd.readouterr() == ("", "")


def test_a_current_store_opens_without_alembic(file_url: str) -> None:
    open_store(file_url).close()
    program = (
        "import sys; from fairlead_server.store.database import open_store;"
        f"open_store({file_url!r}).close(); sys.exit('alembic' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
