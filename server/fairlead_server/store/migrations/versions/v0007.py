"""What operators change of instruments and calendars, the last prices, and what instruments were before an import."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _keep("instruments", "instrument_id")
    _keep("reference_prices", "instrument_id")
    _keep("calendars", "calendar_id")
    _keep(
        "instrument_backups",
        "backup_id",
        sa.Column("time", sa.BigInteger, nullable=False),
        _text("principal"),
        _text("reason"),
        sa.Column("count", sa.Integer, nullable=False),
        _text("text"),
    )


def _keep(table: str, key: str, *columns: sa.Column[int] | sa.Column[str]) -> None:
    op.create_table(
        table,
        _text(key),
        sa.Column("shard", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_epoch", sa.BigInteger, nullable=False, server_default="0"),
        *(columns or [_text("facts")]),
        sa.PrimaryKeyConstraint(key, name=f"pk_{table}"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)
