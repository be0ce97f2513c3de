"""Dead man's switches: which are armed."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dead_men",
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("shard", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_epoch", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("armed", sa.Boolean, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_dead_men"),
    )
