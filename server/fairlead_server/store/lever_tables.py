"""The tables of the operations desk: what was said of each scope, flattens, dead man's switches and live gates."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text

from fairlead_server.domain.dead_man import DeadManSwitch
from fairlead_server.domain.flatten import Flatten
from fairlead_server.domain.live_gate import LiveGate, LiveState
from fairlead_server.domain.trading_state import Halt, TradingState
from fairlead_server.store.codec import Codec
from fairlead_server.store.columns import EnumText, Facts, Micros
from fairlead_server.store.tables import metadata, owner

HALT = Codec(Halt)
FLATTEN = Codec(Flatten)
DEAD_MAN = Codec(DeadManSwitch)
LIVE_GATE = Codec(LiveGate)

# Each change is a row: the latest of a scope is in force, and only how far it has come is written again.
trading_states = Table(
    "trading_states",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    *owner(),
    Column("scope", Text, nullable=False),
    Column("state", EnumText(TradingState), nullable=False),
    Column("request_id", Text, nullable=False),
    Column("time", Micros, nullable=False),
    Column("facts", Facts(HALT), nullable=False),
)
Index("ix_trading_states_scope_number", trading_states.c.scope, trading_states.c.number)
Index("ix_trading_states_time", trading_states.c.time)

flattens = Table(
    "flattens",
    metadata,
    Column("flatten_id", Text, primary_key=True),
    *owner(),
    Column("done", Boolean, nullable=False),
    Column("time", Micros, nullable=False),
    Column("facts", Facts(FLATTEN), nullable=False),
)
Index("ix_flattens_done_time", flattens.c.done, flattens.c.time)

dead_men = Table(
    "dead_men",
    metadata,
    Column("scope", Text, primary_key=True),
    *owner(),
    Column("armed", Boolean, nullable=False),
    Column("time", Micros, nullable=False),
    Column("facts", Facts(DEAD_MAN), nullable=False),
)

live_gates = Table(
    "live_gates",
    metadata,
    Column("scope", Text, primary_key=True),
    *owner(),
    Column("state", EnumText(LiveState), nullable=False),
    Column("facts", Facts(LIVE_GATE), nullable=False),
)
