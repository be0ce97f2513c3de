"""Positions by strategy, with what they cost and have earned; the trades that they are folded from; totals of each day.

What was traded before is not carried over here, since only the configuration knows when an account's day begins. The
counter ``trades_due`` has the next start do it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("positions")
    op.create_table(
        "positions",
        *map(_text, _HOLDING),
        *_owner(),
        *map(_text, ("quantity", "facts")),
        sa.PrimaryKeyConstraint(*_HOLDING, name="pk_positions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trades",
        *map(_text, _HOLDING),
        _number("place"),
        *_owner(),
        *map(_text, ("session_id", "day")),
        _number("time"),
        *map(_text, ("quantity", "price")),
        sa.Column("opening", sa.Text),
        sa.PrimaryKeyConstraint(*_HOLDING, "place", name="pk_trades"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "day_totals",
        *map(_text, ("day", *_HOLDING, "session_id")),
        *_owner(),
        *map(_number, ("orders", "fills")),
        *map(_text, ("bought_quantity", "bought_value", "sold_quantity", "sold_value", "realised")),
        sa.PrimaryKeyConstraint("day", *_HOLDING, "session_id", name="pk_day_totals"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO counters (name, value) SELECT 'trades_due', 1 WHERE EXISTS (SELECT 1 FROM executions)"
    )


_HOLDING = ("account_id", "instrument_id", "strategy_id")


def _owner() -> tuple[sa.Column[int], sa.Column[int]]:
    return sa.Column("shard", sa.Integer, nullable=False, server_default="0"), _number("lease_epoch", "0")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str, server_default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=server_default)
