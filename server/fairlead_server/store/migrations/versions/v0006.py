"""An ExecID(17) may name one execution a day: the day belongs to what is unique."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OLD = "uq_executions_order_id_exec_id_ref_exec_id_kind"
_NEW = "uq_executions_order_id_exec_id_exec_day_ref_exec_id_kind"
_UNIQUE = ("order_id", "exec_id", "exec_day", "ref_exec_id", "kind")


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.add_column("executions", sa.Column("exec_day", sa.Text, nullable=False, server_default=""))
        op.alter_column("executions", "exec_day", server_default=None)
        op.drop_constraint(_OLD, "executions")
        op.create_unique_constraint(_NEW, "executions", _UNIQUE)
        return
    # SQLite cannot change a constraint of a table that is there.
    op.rename_table("executions", "executions_before")
    op.create_table(
        "executions",
        _text("execution_id"),
        sa.Column("shard", sa.Integer, nullable=False, server_default="0"),
        _number("lease_epoch", server_default="0"),
        *map(_text, (*_TEXTS, "quantity", "price")),
        *map(_number, ("transact_time", "sequence")),
        _text("exec_day"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name="fk_executions_order_id"),
        sa.PrimaryKeyConstraint("execution_id", name="pk_executions"),
        sa.UniqueConstraint(*_UNIQUE, name=_NEW),
    )
    kept = ", ".join(
        ("execution_id", "shard", "lease_epoch", *_TEXTS, "quantity", "price", "transact_time", "sequence")
    )
    rows = f"SELECT {kept}, '' FROM executions_before"  # noqa: S608 - names of our own
    op.execute(f"INSERT INTO executions ({kept}, exec_day) {rows}")
    op.drop_table("executions_before")


_TEXTS = ("order_id", "session_id", "account_id", "instrument_id", "side", "kind", "exec_id", "ref_exec_id")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str, server_default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=server_default)
