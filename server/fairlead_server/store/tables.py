"""The tables. What is searched by is a column; the rest of an order is JSON in ``facts``.

``shard`` and ``lease_epoch`` are there from the beginning for the day on which several routers share one database:
whose row it is, and under which lease it was written. Until then they hold their default and cost nothing. They are
not the ``epoch`` of a session, which counts how often its sequence numbers began anew.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

from fairlead_server.domain.amendments import CancelOnDisconnect, MassCancel, RequestOutcome, RequestRecord
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.order import Order, OrderState
from fairlead_server.domain.position import Position
from fairlead_server.domain.reject import Breach
from fairlead_server.domain.risk.chain import Measure, Noted
from fairlead_server.domain.risk.events import RiskEvent, RiskEventKind
from fairlead_server.domain.risk.limits import LimitSet
from fairlead_server.store.batch import Direction
from fairlead_server.store.codec import Codec
from fairlead_server.store.columns import DayText, DecimalText, EnumText, Facts, Micros, RowNumber

ORDER = Codec(Order)
REQUEST = Codec(RequestRecord)
MASS_CANCEL = Codec(MassCancel)
TRADE_SESSION = Codec(CancelOnDisconnect)
BREACHES = Codec(tuple[Breach, ...])
POSITION = Codec(Position)


class Results(Struct, frozen=True):
    """What a risk decision has looked at, beside what it refuses for."""

    noted: tuple[Noted, ...]
    measures: tuple[Measure, ...]


RESULTS = Codec(Results)
LIMIT_SET = Codec(LimitSet)
RISK_EVENT = Codec(RiskEvent)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def owner() -> tuple[Column[int], Column[int]]:
    return (
        Column("shard", Integer, nullable=False, server_default="0"),
        Column("lease_epoch", BigInteger, nullable=False, server_default="0"),
    )


def _order_id() -> Column[str]:
    return Column("order_id", Text, ForeignKey("orders.order_id"), nullable=False)


meta = Table(
    "meta",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("log_epoch", BigInteger, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    CheckConstraint('"only" = 1', name="one_row"),
)

# Of PostgreSQL, see store/postgres.py: a file of SQLite is locked as a file.
lease = Table(
    "lease",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    *owner(),
    Column("account_id", Text, nullable=False),
    Column("client_order_id", Text, nullable=False),
    Column("client_key", BigInteger),  # of those that have a client_order_id
    Column("instrument_id", Text, nullable=False),
    Column("strategy_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("venue_order_id", Text, nullable=False),
    Column("state", EnumText(OrderState), nullable=False),
    Column("live", Integer, nullable=False),  # 1 or 0
    Column("version", Integer, nullable=False),
    Column("create_time", Micros, nullable=False),
    Column("facts", Facts(ORDER), nullable=False),
)
# An index with a condition serves the queries that repeat it word for word, hence literals and no parameters.
IS_LIVE = orders.c.live == literal_column("1")
# An order may have no client_order_id, and one that was never acknowledged has no OrderID(37).
HAS_CLIENT = orders.c.client_order_id != literal_column("''")
HAS_VENUE = orders.c.venue_order_id != literal_column("''")
Index(
    "ix_orders_live", orders.c.create_time, orders.c.order_id, sqlite_where=IS_LIVE, postgresql_where=IS_LIVE
)
Index(
    "uq_orders_account_id_client_order_id",
    orders.c.account_id,
    orders.c.client_order_id,
    unique=True,
    sqlite_where=HAS_CLIENT,
    postgresql_where=HAS_CLIENT,
)
Index(
    "ix_orders_session_id_venue_order_id",
    orders.c.session_id,
    orders.c.venue_order_id,
    sqlite_where=HAS_VENUE,
    postgresql_where=HAS_VENUE,
)
# client_key rides along: all keys are read from this index alone, which grows only at its end.
Index("ix_orders_create_time", orders.c.create_time, orders.c.order_id, orders.c.client_key)
Index("ix_orders_account_id_create_time", orders.c.account_id, orders.c.create_time, orders.c.order_id)

# The database itself refuses a ClOrdID(11) that was given out before.
cl_ord_ids = Table(
    "cl_ord_ids",
    metadata,
    Column("session_id", Text, nullable=False),
    Column("cl_ord_id", Text, nullable=False),
    _order_id(),
    PrimaryKeyConstraint("session_id", "cl_ord_id"),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("sequence", RowNumber, primary_key=True, autoincrement=False),
    *owner(),
    Column("event_id", Text, nullable=False),
    Column("kind", EnumText(EventKind), nullable=False),
    Column("order_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("instrument_id", Text, nullable=False),
    Column("strategy_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("time", Micros, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("event_id"),
)
Index("ix_events_order_id_sequence", events.c.order_id, events.c.sequence)
Index("ix_events_account_id_sequence", events.c.account_id, events.c.sequence)

executions = Table(
    "executions",
    metadata,
    Column("execution_id", Text, primary_key=True),
    *owner(),
    _order_id(),
    Column("session_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("instrument_id", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("kind", EnumText(EventKind), nullable=False),
    Column("exec_id", Text, nullable=False),
    Column("ref_exec_id", Text, nullable=False),
    Column("quantity", DecimalText, nullable=False),
    Column("price", DecimalText, nullable=False),
    Column("transact_time", Micros, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("exec_day", Text, nullable=False),  # of exec_id, where the venue uses it again on another
    UniqueConstraint("order_id", "exec_id", "exec_day", "ref_exec_id", "kind"),
)

# Numbered by the database: one order may be checked again, by an amend and by whatever else comes to be.
decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", RowNumber, primary_key=True),
    *owner(),
    _order_id(),
    Column("request_id", Text, nullable=False),
    Column("time", Micros, nullable=False),
    Column("allowed", Boolean, nullable=False),
    Column("breaches", Facts(BREACHES), nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("results", Facts(RESULTS)),  # null: of a time when they were not kept
)
Index("ix_decisions_order_id", decisions.c.order_id)

requests = Table(
    "requests",
    metadata,
    Column("request_id", Text, primary_key=True),
    *owner(),
    _order_id(),
    Column("time", Micros, nullable=False),
    Column("outcome", EnumText(RequestOutcome), nullable=False),
    Column("facts", Facts(REQUEST), nullable=False),
)
Index("ix_requests_time", requests.c.time)

mass_cancels = Table(
    "mass_cancels",
    metadata,
    Column("request_id", Text, primary_key=True),
    *owner(),
    Column("mass_cancel_id", Text, nullable=False),
    Column("time", Micros, nullable=False),
    Column("facts", Facts(MASS_CANCEL), nullable=False),
)
Index("ix_mass_cancels_time", mass_cancels.c.time)

trade_sessions = Table(
    "trade_sessions",
    metadata,
    Column("session_key", Text, primary_key=True),
    *owner(),
    Column("armed", Boolean, nullable=False),
    Column("time", Micros, nullable=False),  # since when
    Column("facts", Facts(TRADE_SESSION), nullable=False),
)
Index("ix_trade_sessions_armed", trade_sessions.c.armed)

positions = Table(
    "positions",
    metadata,
    Column("account_id", Text, nullable=False),
    Column("instrument_id", Text, nullable=False),
    Column("strategy_id", Text, nullable=False),
    *owner(),
    Column("quantity", DecimalText, nullable=False),
    Column("facts", Facts(POSITION), nullable=False),
    PrimaryKeyConstraint("account_id", "instrument_id", "strategy_id"),
    sqlite_with_rowid=False,
)

# What each execution counts by now, in the order in which a position is folded from them. It repeats what the orders say,
# so that a bust of one trade is undone without reading the orders of all that came after it.
trades = Table(
    "trades",
    metadata,
    Column("account_id", Text, nullable=False),
    Column("instrument_id", Text, nullable=False),
    Column("strategy_id", Text, nullable=False),
    Column("place", BigInteger, nullable=False),  # the sequence of its event
    *owner(),
    Column("session_id", Text, nullable=False),
    Column("day", DayText, nullable=False),
    Column("time", Micros, nullable=False),
    Column("quantity", DecimalText, nullable=False),
    Column("price", DecimalText, nullable=False),
    Column("opening", Facts(POSITION)),  # the position before it; of some, to begin from
    PrimaryKeyConstraint("account_id", "instrument_id", "strategy_id", "place"),
    sqlite_with_rowid=False,
)

day_totals = Table(
    "day_totals",
    metadata,
    Column("day", DayText, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("instrument_id", Text, nullable=False),
    Column("strategy_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    *owner(),
    Column("orders", BigInteger, nullable=False),
    Column("fills", BigInteger, nullable=False),
    Column("bought_quantity", DecimalText, nullable=False),
    Column("bought_value", DecimalText, nullable=False),
    Column("sold_quantity", DecimalText, nullable=False),
    Column("sold_value", DecimalText, nullable=False),
    Column("realised", DecimalText, nullable=False),
    PrimaryKeyConstraint("day", "account_id", "instrument_id", "strategy_id", "session_id"),
    sqlite_with_rowid=False,
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("lease_epoch", BigInteger, nullable=False, server_default="0"),
    Column("epoch", BigInteger, nullable=False),
    Column("next_in", BigInteger, nullable=False),
    Column("next_out", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# A number goes out once: a resend repeats what is here and is not written again. It may come in more than once, as
# PossDupFlag(43) or from a peer that errs, and each arrival is kept. Hence a key of our own, and two rules.
messages = Table(
    "messages",
    metadata,
    Column("message_id", RowNumber, primary_key=True),
    Column("session_id", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("direction", EnumText(Direction), nullable=False),
    Column("msg_seq_num", BigInteger, nullable=False),
    Column("msg_type", Text, nullable=False),
    Column("time", Micros, nullable=False),
    Column("frame", LargeBinary, nullable=False),
)
_NUMBER = (messages.c.session_id, messages.c.epoch, messages.c.msg_seq_num)
IS_OUT = messages.c.direction == literal_column("'OUT'")
_IS_IN = messages.c.direction == literal_column("'IN'")
Index("uq_messages_out", *_NUMBER, unique=True, sqlite_where=IS_OUT, postgresql_where=IS_OUT)
Index("ix_messages_in", *_NUMBER, sqlite_where=_IS_IN, postgresql_where=_IS_IN)

Index("ix_messages_session_id_time", messages.c.session_id, messages.c.time, messages.c.message_id)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Beside the numbers, which change with each message: whether an operator has stopped a session, and why.
stops = Table(
    "stops",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("lease_epoch", BigInteger, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False),  # empty where the session runs
    sqlite_with_rowid=False,
)

audit = Table(
    "audit",
    metadata,
    Column("audit_id", RowNumber, primary_key=True),
    *owner(),
    Column("time", Micros, nullable=False),
    Column("principal", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
)
Index("ix_audit_subject", audit.c.subject, audit.c.audit_id)


# Those that an operator has set; the configuration file has its own.
limit_sets = Table(
    "limit_sets",
    metadata,
    Column("limit_id", Text, primary_key=True),
    *owner(),
    Column("deleted", Boolean, nullable=False),
    Column("facts", Facts(LIMIT_SET), nullable=False),
)


risk_events = Table(
    "risk_events",
    metadata,
    Column("sequence", RowNumber, primary_key=True, autoincrement=False),
    *owner(),
    Column("time", Micros, nullable=False),
    Column("kind", EnumText(RiskEventKind), nullable=False),
    Column("account_id", Text, nullable=False),
    Column("facts", Facts(RISK_EVENT), nullable=False),
)


class Labels(Protocol):
    """The labels that orders and events share; an empty tuple leaves one out."""

    @property
    def account_ids(self) -> tuple[str, ...]: ...
    @property
    def instrument_ids(self) -> tuple[str, ...]: ...
    @property
    def strategy_ids(self) -> tuple[str, ...]: ...
    @property
    def session_ids(self) -> tuple[str, ...]: ...


def labelled(table: Table, wanted: Labels) -> list[ColumnElement[bool]]:
    """The conditions under which a row of ``table`` has the labels that are ``wanted``."""
    columns = table.c
    pairs = (
        (columns.account_id, wanted.account_ids),
        (columns.instrument_id, wanted.instrument_ids),
        (columns.strategy_id, wanted.strategy_ids),
        (columns.session_id, wanted.session_ids),
    )
    return [column.in_(values) for column, values in pairs if values]
