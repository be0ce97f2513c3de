"""One venue session: how it is set, and what operations see of it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fairlead_server.domain.pace import Pace, TokenBucket
from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.fix.schedule import Schedule
from fairlead_server.fix.session import Numbers, SessionConfig, State
from fairlead_server.routing.ports import SessionView


@dataclass(frozen=True, slots=True)
class Endpoint:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many application messages a venue takes: ``burst`` at once, ``rate`` a second in the long run.

    An order or an amend whose turn does not come within ``max_queue`` is refused. ``cancels`` are so many cancels a second more.
    """

    rate: int
    burst: int
    max_queue: timedelta
    cancels: int | None = None

    def pace(self, now: datetime) -> Pace:
        own = TokenBucket(self.cancels, self.cancels, now) if self.cancels else None
        return Pace(TokenBucket(self.rate, self.burst, now), own)


@dataclass(frozen=True, slots=True)
class Tls:
    """``server_name`` is what the peer's certificate must be for, and is sent as SNI; empty: the endpoint's host.

    ``pins`` are SHA-256 digests of certificates, of which the peer's must be one; empty: any that is valid.
    ``source`` is a digest of the files that the context was made of, for a context itself cannot be compared.
    """

    context: ssl.SSLContext = field(compare=False, repr=False)
    source: str
    server_name: str = ""
    pins: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """``endpoints`` are tried in turn, the last that was good first; there is one at least.

    ``resend_stale`` is the age beyond which an order that the venue asks for again is not sent any more, ``resend_rate``
    how many messages a second are sent again. ``reconnect_max`` bounds the waits between attempts to connect, which
    grow from a second on.
    """

    session_id: str
    config: SessionConfig
    endpoints: tuple[Endpoint, ...]
    default_account: str
    resend_stale: timedelta = timedelta(seconds=3)
    reconnect_max: timedelta = timedelta(seconds=60)
    throttle: Throttle | None = None
    tls: Tls | None = None
    resend_rate: int = 1_000
    enabled: bool = True
    schedule: Schedule = field(default_factory=Schedule.always)
    rules: VenueRules = field(default_factory=VenueRules)


@dataclass(slots=True)
class Facts:
    """What operations see of a session beside its state and numbers."""

    reason: str = "not connected yet"
    passed_over: str = (
        ""  # the last message that could not be taken, for as long as nothing else is to be said
    )
    connection: int = 0
    endpoint: Endpoint | None = None  # the one in use, or tried last
    connecting: bool = False
    connect_time: datetime | None = None
    active_time: datetime | None = None
    down_since: datetime | None = None
    last_sent_time: datetime | None = None
    last_received_time: datetime | None = None
    state_time: datetime | None = None


def view(
    settings: VenueSettings, facts: Facts, numbers: Numbers, state: str, *, queued: int, unsent: int
) -> SessionView:
    config, endpoint = settings.config, facts.endpoint or settings.endpoints[0]
    return SessionView(
        settings.session_id,
        state,
        facts.reason or facts.passed_over,
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
        queued,
        unsent_bytes=unsent,
        tls=settings.tls is not None,
    )


HALT_MARK = "HALTED: "
"""Before the reason of a halt, which is stored where an operator's stop is: both outlive the process."""

SHOWN = {
    State.DISCONNECTED: "LOGOUT_SENT",  # by the session; the connection is about to end
    State.HALTED: "LOGOUT_SENT",  # HALTED is what it is when that is durable
    State.LOGON_SENT: "LOGON_SENT",
    State.SYNCING: "SYNCING",
    State.ACTIVE: "ACTIVE",
    State.LOGOUT_SENT: "LOGOUT_SENT",
    State.LOGOUT_WAIT_GAP: "LOGOUT_SENT",
}
"""The API's names."""
