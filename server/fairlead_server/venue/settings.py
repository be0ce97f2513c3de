"""One venue session: how it is set, and what operations see of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fairlead_server.fix.session import Numbers, SessionConfig, State
from fairlead_server.routing.ports import SessionView


@dataclass(frozen=True, slots=True)
class Endpoint:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """``resend_stale`` is the age beyond which an order that the venue asks for again is not sent any more.

    ``reconnect_max`` bounds the waits between attempts to connect, which grow from a second on.
    """

    session_id: str
    config: SessionConfig
    endpoint: Endpoint
    default_account: str
    resend_stale: timedelta = timedelta(seconds=3)
    reconnect_max: timedelta = timedelta(seconds=60)


@dataclass(slots=True)
class Facts:
    """What operations see of a session beside its state and numbers."""

    reason: str = "not connected yet"
    connection: int = 0
    connect_time: datetime | None = None
    active_time: datetime | None = None
    down_since: datetime | None = None
    last_sent_time: datetime | None = None
    last_received_time: datetime | None = None
    state_time: datetime | None = None


def view(settings: VenueSettings, facts: Facts, numbers: Numbers, state: str) -> SessionView:
    config, endpoint = settings.config, settings.endpoint
    return SessionView(
        settings.session_id,
        state,
        facts.reason,
        config.begin_string,
        config.sender_comp_id,
        config.target_comp_id,
        endpoint.host,
        endpoint.port,
        numbers.next_in,
        numbers.next_out,
        numbers.epoch,
        facts.connection,
        config.heart_bt_int,
        facts.state_time,
        facts.connect_time,
        facts.active_time,
        facts.last_sent_time,
        facts.last_received_time,
    )


def shown_state(state: State, *, connected: bool) -> str:
    """The API's name; whether to connect is not the session's to know, so BACKOFF is ours."""
    return _SHOWN.get(state, "LOGOUT_SENT") if connected else "BACKOFF"


_SHOWN = {
    State.LOGON_SENT: "LOGON_SENT",
    State.SYNCING: "SYNCING",
    State.ACTIVE: "ACTIVE",
}
