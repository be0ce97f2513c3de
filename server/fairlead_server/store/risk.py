"""Reads what risk has decided and told."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, or_, select

from fairlead_server.domain.risk.events import RiskEvent
from fairlead_server.store.batch import DecisionRow
from fairlead_server.store.tables import Results, decisions, risk_events

_NOTHING = Results((), ())


def decided(connection: Connection, order_id: str) -> list[DecisionRow]:
    """Oldest first."""
    found = select(*_DECISION).where(decisions.c.order_id == order_id).order_by(decisions.c.decision_id)
    return [_row(tuple(columns)) for columns in connection.execute(found)]


def _row(columns: tuple[Any, ...]) -> DecisionRow:
    *first, results = columns
    kept = results or _NOTHING  # there were none in its time
    return DecisionRow(*(*first, kept.noted, kept.measures))


def events_after(
    connection: Connection, sequence: int, limit: int, account_ids: Collection[str]
) -> list[RiskEvent]:
    """In their order. With ``account_ids`` those of these accounts, and of none."""
    found = select(risk_events.c.facts).where(risk_events.c.sequence > sequence)
    if account_ids:
        found = found.where(or_(risk_events.c.account_id == "", risk_events.c.account_id.in_(account_ids)))
    return list(connection.scalars(found.order_by(risk_events.c.sequence).limit(limit)))


_DECISION = (
    decisions.c.order_id,
    decisions.c.request_id,
    decisions.c.time,
    decisions.c.allowed,
    decisions.c.breaches,
    decisions.c.policy_version,
    decisions.c.results,
)
