"""Reads all that memory is rebuilt from, as of one instant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from fairlead_server.domain.live_gate import LiveState
from fairlead_server.domain.risk.limits import longest_window
from fairlead_server.fix.terms import Numbers
from fairlead_server.store import events, holdings, lever_tables, reference_tables, tables
from fairlead_server.store.holdings import DayQuery
from fairlead_server.store.keys import Keys, request_key
from fairlead_server.store.orders import OrderQuery, matching
from fairlead_server.store.snapshot import Snapshot

KEEP_REQUESTS = timedelta(hours=24)  # for so long the API promises to answer a repeated request_id alike
_LONGEST_DAYS = timedelta(days=2)  # since the beginning of what is still today, in whatever zone


def snapshot(connection: Connection, now: datetime, recent: timedelta) -> Snapshot:
    """``recent`` is for how long back orders are wanted that may have ended, at least: stored limits can need older ones."""
    meta = connection.execute(select(tables.meta.c.log_epoch, tables.meta.c.secret)).one()
    requests, sessions = tables.requests.c, tables.sessions.c
    asked = select(requests.request_id).where(requests.time >= now - KEEP_REQUESTS)
    mass = tables.mass_cancels.c
    swept = select(mass.facts).where(mass.time >= now - KEEP_REQUESTS).order_by(mass.time)
    numbers = select(sessions.session_id, sessions.next_in, sessions.next_out, sessions.epoch)
    limits = list(connection.scalars(_LIMIT_SETS))
    recent = max(recent, longest_window(limits))
    return Snapshot(
        log_epoch=meta.log_epoch,
        secret=meta.secret,
        head=events.head(connection),
        counters=dict(iter(connection.execute(_COUNTERS))),
        orders=matching(connection, OrderQuery(live_only=True)),
        mass_cancels=list(connection.scalars(swept)),
        trade_sessions=list(connection.scalars(_ARMED)),
        dead_men=list(connection.scalars(_DEAD_MEN)),
        live_gates=list(connection.scalars(_LIVE_GATES)),
        flattens=list(connection.scalars(_flattens(now - KEEP_REQUESTS))),
        halts=list(connection.scalars(_halts(now - KEEP_REQUESTS))),
        positions=holdings.positions(connection),
        day_totals=holdings.day_totals(connection, DayQuery(begin=(now - _LONGEST_DAYS).date())),
        sessions={session_id: Numbers(*rest) for session_id, *rest in connection.execute(numbers)},
        stopped=dict(iter(connection.execute(_STOPPED))),
        client_keys=Keys(_column(connection, _CLIENT_KEYS)),
        request_keys=Keys(map(request_key, connection.scalars(asked))),
        limit_sets=limits,
        risk_head=connection.scalar(_RISK_HEAD) or 0,
        recent=matching(connection, OrderQuery(created_from=now - recent)) if recent else [],
        instruments={name: cells for name, cells in connection.execute(_CHANGES) if cells},
        prices={name: price for name, price in connection.execute(_PRICES) if price is not None},
        calendars=[calendar for calendar in connection.scalars(_CALENDARS) if calendar is not None],
    )


def _column(connection: Connection, found: Select[Any]) -> Iterator[Any]:
    """Off the driver's own cursor: there may be millions, and this is most of the time that a start takes."""
    cursor = connection.connection.cursor()
    cursor.execute(str(found.compile(connection)))
    return chain.from_iterable(iter(cursor.fetchone, None))


def _flattens(since: datetime) -> Select[Any]:
    columns = lever_tables.flattens.c
    wanted = or_(columns.done.is_(False), columns.time >= since)
    return select(columns.facts).where(wanted).order_by(columns.time)


def _halts(since: datetime) -> Select[Any]:
    states = lever_tables.trading_states.c
    latest = select(func.max(states.number)).group_by(states.scope)
    wanted = or_(states.number.in_(latest), states.time >= since)
    return select(states.facts).where(wanted).order_by(states.number)


_DEAD_MEN = (
    select(lever_tables.dead_men.c.facts)
    .where(lever_tables.dead_men.c.armed)
    .order_by(lever_tables.dead_men.c.scope)
)
_LIVE_GATES = (
    select(lever_tables.live_gates.c.facts)
    .where(lever_tables.live_gates.c.state != LiveState.CLOSED)
    .order_by(lever_tables.live_gates.c.scope)
)
_COUNTERS = select(tables.counters.c.name, tables.counters.c.value)
_STOPPED = select(tables.stops.c.session_id, tables.stops.c.reason).where(tables.stops.c.reason != "")
_ARMED = (
    select(tables.trade_sessions.c.facts)
    .where(tables.trade_sessions.c.armed)
    .order_by(tables.trade_sessions.c.time)
)
_CHANGES = select(reference_tables.instruments.c.instrument_id, reference_tables.instruments.c.facts)
_PRICES = select(reference_tables.reference_prices.c.instrument_id, reference_tables.reference_prices.c.facts)
_CALENDARS = select(reference_tables.calendars.c.facts)
_LIMIT_SETS = (
    select(tables.limit_sets.c.facts)
    .where(tables.limit_sets.c.deleted.is_(False))
    .order_by(tables.limit_sets.c.limit_id)
)
_RISK_HEAD = select(func.max(tables.risk_events.c.sequence))
_CLIENT_KEYS = select(tables.orders.c.client_key).where(tables.orders.c.client_key.is_not(None))
