"""Reads what operators did."""

from __future__ import annotations

from itertools import starmap

from sqlalchemy import Connection, select

from fairlead_server.store.batch import AuditRow
from fairlead_server.store.tables import audit


def newest(connection: Connection, subject: str, limit: int) -> list[AuditRow]:
    """Newest first; an empty ``subject`` is any."""
    found = select(*_ROW).order_by(audit.c.audit_id.desc()).limit(limit)
    if subject:
        found = found.where(audit.c.subject == subject)
    return list(starmap(AuditRow, connection.execute(found)))


_ROW = (
    audit.c.time,
    audit.c.principal,
    audit.c.action,
    audit.c.subject,
    audit.c.reason,
    audit.c.before,
    audit.c.after,
)
