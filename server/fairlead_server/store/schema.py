"""Brings a database to the schema of this version. One that has it is left alone, and so is Alembic.

An empty database gets the tables as they are now; one of an earlier version goes through the migrations from there on.
The tests hold that both lead to the same.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from fairlead_server.store.errors import StoreError
from fairlead_server.store.migrations import HEAD
from fairlead_server.store.reference_tables import instruments

# Alembic's, as it makes it itself.
_VERSIONS = Table(
    "alembic_version",
    MetaData(naming_convention={"pk": "%(table_name)s_pkc"}),
    Column("version_num", String(32), primary_key=True),
)


def migrate(connection: Connection, url: str) -> None:
    """Within the caller's transaction: all of it or nothing."""
    version = _version(connection, url)
    if version is None:
        _create(connection)
    elif version > HEAD:
        cause = f"its schema has version {version}, and this Fairlead knows versions up to {HEAD}"
        raise StoreError(url, cause, "use the newer Fairlead that has written it")
    elif version < HEAD:
        _upgrade(connection)


def _version(connection: Connection, url: str) -> str | None:
    names = inspect(connection).get_table_names()
    if _VERSIONS.name in names:
        return str(connection.scalar(select(_VERSIONS.c.version_num)))
    if names:
        raise StoreError(
            url,
            "it holds tables of another program",
            "name a file that is not there yet, or an empty database",
        )
    return None


def _create(connection: Connection) -> None:
    for metadata in (_VERSIONS.metadata, instruments.metadata):  # which all tables share
        metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(_VERSIONS).values(version_num=HEAD))


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - takes as long to load as all the rest of opening
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))  # a sign of its own in there
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
