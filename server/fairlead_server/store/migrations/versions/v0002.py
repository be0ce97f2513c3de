"""Operating the sessions: which are stopped, who did what and why, and the journal by time."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stops",
        _text("session_id"),
        _number("lease_epoch", server_default="0"),
        _text("reason"),
        sa.PrimaryKeyConstraint("session_id", name="pk_stops"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shard", sa.Integer, nullable=False, server_default="0"),
        _number("lease_epoch", server_default="0"),
        _number("time"),
        *map(_text, ("principal", "action", "subject", "reason", "before", "after")),
        sa.PrimaryKeyConstraint("audit_id", name="pk_audit"),
    )
    op.create_index("ix_audit_subject", "audit", ["subject", "audit_id"])
    op.create_index("ix_messages_session_id_time", "messages", ["session_id", "time", "message_id"])


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, **options)
