"""Limits that operators set, what each risk decision has looked at, and the events of risk."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("decisions", sa.Column("results", sa.Text))
    op.create_table(
        "limit_sets",
        _text("limit_id"),
        *_owner(),
        sa.Column("deleted", sa.Boolean, nullable=False),
        _text("facts"),
        sa.PrimaryKeyConstraint("limit_id", name="pk_limit_sets"),
    )
    op.create_table(
        "risk_events",
        sa.Column("sequence", _ROW_NUMBER, nullable=False, autoincrement=False),
        *_owner(),
        sa.Column("time", sa.BigInteger, nullable=False),
        _text("kind"),
        _text("account_id"),
        _text("facts"),
        sa.PrimaryKeyConstraint("sequence", name="pk_risk_events"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _owner() -> tuple[sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("shard", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_epoch", sa.BigInteger, nullable=False, server_default="0"),
    )
