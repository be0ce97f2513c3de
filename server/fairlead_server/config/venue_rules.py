"""What a venue does with orders, from its session's table."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from fairlead_server.config.schema import CapabilitiesTable, SessionTable
from fairlead_server.config.tables import ConfigError
from fairlead_server.domain.venue_rules import (
    Capabilities,
    ChainMode,
    ExecIdScope,
    ReplaceQuantity,
    VenueRules,
)
from fairlead_server.fix import msg_types
from fairlead_server.fix.dialect import Dialect


def read_venue_rules(path: Path, key: str, row: SessionTable, dialect: Dialect) -> VenueRules:
    """``key`` is that of the table in the file ``path``."""
    if 0 < row.inflight_alarm_ms <= row.inflight_warn_ms:
        problem = (
            f"must be above inflight_warn_ms, {row.inflight_warn_ms}: the venue is asked before it is doubted"
        )
        raise ConfigError(str(path), f"{key}.inflight_alarm_ms", problem)
    if row.mass_status and not dialect.has_message(msg_types.ORDER_MASS_STATUS_REQUEST):
        problem = f"{dialect.version} has no OrderMassStatusRequest(AF); it came with FIX.4.3"
        raise ConfigError(str(path), f"{key}.mass_status", problem)
    if row.mass_cancel and not dialect.has_message(msg_types.ORDER_MASS_CANCEL_REQUEST):
        problem = f"{dialect.version} has no OrderMassCancelRequest(q); it came with FIX.4.3"
        raise ConfigError(str(path), f"{key}.mass_cancel", problem)
    if row.mass_cancel and not row.inflight_warn_ms:
        problem = "needs inflight_warn_ms above 0, after which single cancels take its place"
        raise ConfigError(str(path), f"{key}.mass_cancel", problem)
    return VenueRules(
        timedelta(milliseconds=row.inflight_warn_ms),
        timedelta(milliseconds=row.inflight_alarm_ms),
        row.mass_status,
        row.mass_cancel,
        ChainMode[row.chain_mode.upper()],
        ReplaceQuantity[row.replace_qty.upper()],
        row.allow_replace_filled,
        _capabilities(row.capabilities),
        ExecIdScope[row.exec_id_scope.upper()],
        row.dont_know_trade,
        row.live_gate == "closed",
    )


def _capabilities(row: CapabilitiesTable) -> Capabilities:
    return Capabilities(
        frozenset(row.order_types),
        frozenset(row.times_in_force),
        row.amend,
        row.display_quantity,
        row.min_quantity,
        row.post_only,
    )
