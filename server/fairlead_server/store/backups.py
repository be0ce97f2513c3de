"""Reads what instruments were before an import."""

from __future__ import annotations

from itertools import starmap

from sqlalchemy import Connection, literal_column, select

from fairlead_server.store.batch import BackupRow
from fairlead_server.store.reference_tables import instrument_backups as backups


def newest(connection: Connection, before: str, limit: int) -> list[BackupRow]:
    """Newest first, without their texts; those made before the one of that id, or all."""
    found = select(*_HEAD, literal_column("''")).order_by(backups.c.backup_id.desc()).limit(limit)
    if before:
        found = found.where(backups.c.backup_id < before)
    return list(starmap(BackupRow, connection.execute(found)))


def one(connection: Connection, backup_id: str) -> BackupRow | None:
    found = select(*_HEAD, backups.c.text).where(backups.c.backup_id == backup_id)
    row = connection.execute(found).one_or_none()
    return None if row is None else BackupRow(*row)


_HEAD = (
    backups.c.backup_id,
    backups.c.time,
    backups.c.principal,
    backups.c.reason,
    backups.c.count,
)
