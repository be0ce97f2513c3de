"""The first schema. It names nothing of the program: what was made once does not change with later code."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_orders()
    _create_log()
    _create_decisions_and_requests()
    _create_state()
    _create_journal()


def _create_orders() -> None:
    op.create_table(
        "orders",
        _text("order_id"),
        *_owner(),
        *map(_text, ("account_id", "client_order_id")),
        sa.Column("client_key", sa.BigInteger),
        *map(_text, ("instrument_id", "strategy_id", "session_id", "venue_order_id", "state")),
        sa.Column("live", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _number("create_time"),
        _text("facts"),
        sa.PrimaryKeyConstraint("order_id", name="pk_orders"),
    )
    _index("ix_orders_live", "orders", "create_time order_id", where="live = 1")
    _index(
        "uq_orders_account_id_client_order_id",
        "orders",
        "account_id client_order_id",
        unique=True,
        where="client_order_id != ''",
    )
    _index(
        "ix_orders_session_id_venue_order_id",
        "orders",
        "session_id venue_order_id",
        where="venue_order_id != ''",
    )
    _index("ix_orders_create_time", "orders", "create_time order_id client_key")
    _index("ix_orders_account_id_create_time", "orders", "account_id create_time order_id")
    op.create_table(
        "cl_ord_ids",
        *map(_text, ("session_id", "cl_ord_id", "order_id")),
        _of_order("cl_ord_ids"),
        sa.PrimaryKeyConstraint("session_id", "cl_ord_id", name="pk_cl_ord_ids"),
        sqlite_with_rowid=False,
    )


def _create_log() -> None:
    event = "event_id", "kind", "order_id", "account_id", "instrument_id", "strategy_id", "session_id"
    op.create_table(
        "events",
        _row_number("sequence", autoincrement=False),
        *_owner(),
        *map(_text, event),
        _number("time"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_events"),
        sa.UniqueConstraint("event_id", name="uq_events_event_id"),
    )
    _index("ix_events_order_id_sequence", "events", "order_id sequence")
    _index("ix_events_account_id_sequence", "events", "account_id sequence")
    execution = (
        "order_id",
        "session_id",
        "account_id",
        "instrument_id",
        "side",
        "kind",
        "exec_id",
        "ref_exec_id",
    )
    op.create_table(
        "executions",
        _text("execution_id"),
        *_owner(),
        *map(_text, (*execution, "quantity", "price")),
        *map(_number, ("transact_time", "sequence")),
        _of_order("executions"),
        sa.PrimaryKeyConstraint("execution_id", name="pk_executions"),
        sa.UniqueConstraint(
            "order_id",
            "exec_id",
            "ref_exec_id",
            "kind",
            name="uq_executions_order_id_exec_id_ref_exec_id_kind",
        ),
    )


def _create_decisions_and_requests() -> None:
    op.create_table(
        "decisions",
        _row_number("decision_id"),
        *_owner(),
        *map(_text, ("order_id", "request_id")),
        _number("time"),
        sa.Column("allowed", sa.Boolean, nullable=False),
        *map(_text, ("breaches", "policy_version")),
        _of_order("decisions"),
        sa.PrimaryKeyConstraint("decision_id", name="pk_decisions"),
    )
    _index("ix_decisions_order_id", "decisions", "order_id")
    op.create_table(
        "requests",
        _text("request_id"),
        *_owner(),
        _text("order_id"),
        _number("time"),
        *map(_text, ("outcome", "facts")),
        _of_order("requests"),
        sa.PrimaryKeyConstraint("request_id", name="pk_requests"),
    )
    _index("ix_requests_time", "requests", "time")


def _create_state() -> None:
    op.create_table(
        "meta",
        sa.Column("only", sa.Integer, nullable=False, autoincrement=False),
        _number("log_epoch"),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("only", name="pk_meta"),
        sa.CheckConstraint('"only" = 1', name=op.f("ck_meta_one_row")),
    )
    op.create_table(
        "positions",
        *map(_text, ("account_id", "instrument_id")),
        *_owner(),
        _text("quantity"),
        sa.PrimaryKeyConstraint("account_id", "instrument_id", name="pk_positions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counters",
        _text("name"),
        _number("value"),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
        sqlite_with_rowid=False,
    )


def _create_journal() -> None:
    op.create_table(
        "sessions",
        _text("session_id"),
        _number("lease_epoch", server_default="0"),
        *map(_number, ("epoch", "next_in", "next_out")),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "messages",
        _row_number("message_id"),
        _text("session_id"),
        _number("epoch"),
        _text("direction"),
        _number("msg_seq_num"),
        _text("msg_type"),
        _number("time"),
        sa.Column("frame", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_messages"),
    )
    number = "session_id epoch msg_seq_num"
    _index("uq_messages_out", "messages", number, unique=True, where="direction = 'OUT'")
    _index("ix_messages_in", "messages", number, where="direction = 'IN'")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, **options)


def _row_number(name: str, **options: Any) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, nullable=False, **options)


def _owner() -> tuple[sa.Column[int], sa.Column[int]]:
    shard = sa.Column("shard", sa.Integer, nullable=False, server_default="0")
    return shard, _number("lease_epoch", server_default="0")


def _of_order(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=f"fk_{table}_order_id")


def _index(name: str, table: str, columns: str, *, unique: bool = False, where: str = "") -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        name,
        table,
        columns.split(),
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )
