"""Brings a database to the schema of this version. One that has it is left alone, without loading Alembic."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from fairlead_server.store.errors import StoreError
from fairlead_server.store.migrations import HEAD


def migrate(connection: Connection, url: str) -> None:
    """Within the caller's transaction: all of it or nothing."""
    version = _version(connection, url)
    if version == HEAD:
        return
    if version is not None and version > HEAD:
        cause = f"its schema has version {version}, and this Fairlead knows versions up to {HEAD}"
        raise StoreError(url, cause, "use the newer Fairlead that has written it")
    _upgrade(connection)


def _version(connection: Connection, url: str) -> str | None:
    names = inspect(connection).get_table_names()
    if "alembic_version" in names:
        return str(connection.scalar(text("SELECT version_num FROM alembic_version")))
    if names:
        raise StoreError(
            url,
            "it holds tables of another program",
            "name a file that is not there yet, or an empty database",
        )
    return None


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - takes as long to load as all the rest of opening
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))  # a sign of its own in there
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
