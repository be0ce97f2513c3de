"""Reads the configuration: one TOML file, what it names, and overrides; gives each layer its own frozen settings.

Whatever is wrong is a :class:`ConfigError` that names file, key, fault and what would be right. Secrets are given by
reference, ``env:NAME`` or ``file:PATH``, so that the file itself holds none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fairlead_server.config.instruments import InstrumentsError, read_instruments
from fairlead_server.config.schema import (
    DAYS,
    AccountTable,
    CalendarTable,
    File,
    RouteTable,
    SessionTable,
)
from fairlead_server.config.tables import ConfigError, from_environ, read_text, tables
from fairlead_server.domain.instrument import Calendar, Instrument, Span
from fairlead_server.domain.risk import AccountPolicy, Policy
from fairlead_server.domain.routes import Route
from fairlead_server.fix.message import sendable
from fairlead_server.fix.session import Role, SessionConfig, Validation
from fairlead_server.venue.settings import Endpoint, VenueSettings

_LONGEST_WINDOW = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Config:
    host: str
    port: int
    server_id: str
    store_url: str
    router_id: str
    shard: int
    instruments: Mapping[str, Instrument]
    policy: Policy
    sessions: tuple[VenueSettings, ...]
    routes: tuple[Route, ...]
    log_level: str
    version: str  # SHA-256 over all that was read


def load(path: Path, overrides: Iterable[str], environ: Mapping[str, str], now: datetime) -> Config:
    """``overrides`` are ``key.path=value``; reference prices that carry no time are taken to be of ``now``."""
    text = read_text(path)
    changes = [*from_environ(environ), *overrides]
    file = tables(path, text, changes)
    reader = _Reader(path, file, environ, now)
    digest = hashlib.sha256("\0".join([text, *changes]).encode())
    return reader.config(digest)


@dataclass(frozen=True, slots=True)
class _Reader:
    """From the file as written to the settings of the layers; checks what one table says of another."""

    path: Path
    file: File
    environ: Mapping[str, str]
    now: datetime

    def config(self, digest: Any) -> Config:
        instruments, text = self._instruments()
        digest.update(text.encode())
        version = digest.hexdigest()
        server, router = self.file.server, self.file.router
        return Config(
            server.host,
            server.port,
            server.server_id,
            self.file.store.url,
            router.router_id,
            router.shard,
            instruments,
            self._policy(instruments, version),
            self._sessions(),
            self._routes(instruments),
            self.file.log.level,
            version,
        )

    def _instruments(self) -> tuple[dict[str, Instrument], str]:
        path = self.path.parent / self.file.instruments_file
        calendars = {name: self._calendar(name, row) for name, row in self.file.calendars.items()}
        text = read_text(path)
        try:
            return read_instruments(text, calendars, self.now), text
        except InstrumentsError as error:
            raise ConfigError(f"{path}:{error.line}", error.column, error.problem) from None

    def _calendar(self, name: str, row: CalendarTable) -> Calendar:
        try:
            zone = ZoneInfo(row.zone)
        except (KeyError, ValueError, OSError):
            raise self._error(
                f"calendars.{name}.zone", f"{row.zone!r} is no IANA time zone, such as America/New_York"
            ) from None
        spans = tuple(Span(frozenset(map(DAYS.index, span.days)), span.start, span.end) for span in row.spans)
        return Calendar(name, zone, spans, frozenset(row.holidays))

    def _policy(self, instruments: Mapping[str, Instrument], version: str) -> Policy:
        risk = self.file.risk
        self._known("risk.blocked_instruments", risk.blocked_instruments, instruments, "instrument")
        accounts = {name: self._account(name, row, instruments) for name, row in self.file.accounts.items()}
        return Policy(
            accounts,
            frozenset(risk.blocked_instruments),
            risk.kill_switch,
            timedelta(seconds=risk.max_reference_age_seconds),
            version,
        )

    def _account(self, name: str, row: AccountTable, instruments: Mapping[str, Instrument]) -> AccountPolicy:
        key = f"accounts.{name}"
        self._known(f"{key}.instruments", row.instruments, instruments, "instrument")
        self._known(f"{key}.blocked_instruments", row.blocked_instruments, instruments, "instrument")
        for where, limits in (
            (key, row),
            *((f"{key}.instruments.{n}", i) for n, i in row.instruments.items()),
        ):
            for limit in ("max_order_quantity", "max_order_notional", "max_position"):
                value = getattr(limits, limit)
                if value is not None and (not value.is_finite() or value < 0):
                    raise self._error(f"{where}.{limit}", f"{value} must not be negative")
        window = row.duplicate_window_seconds
        if not (window.is_finite() and 0 <= window <= _LONGEST_WINDOW):
            raise self._error(f"{key}.duplicate_window_seconds", f"{window} must be 0 to {_LONGEST_WINDOW}")
        return AccountPolicy(
            name,
            row.limits(),
            {instrument: limits.limits() for instrument, limits in row.instruments.items()},
            frozenset(row.blocked_instruments),
            row.kill_switch,
            timedelta(seconds=float(window)),
            row.max_duplicates,
        )

    def _sessions(self) -> tuple[VenueSettings, ...]:
        """Two that the peer cannot tell apart would throw each other out for ever."""
        known: dict[object, str] = {}
        for name, row in self.file.sessions.items():
            same = (row.begin_string, row.sender_comp_id, row.target_comp_id, row.host, row.port)
            if known.setdefault(same, name) != name:
                raise self._error(f"sessions.{name}", f"is the same session as {known[same]}")
        return tuple(self._session(name, row) for name, row in self.file.sessions.items())

    def _session(self, name: str, row: SessionTable) -> VenueSettings:
        key = f"sessions.{name}"
        self._known(f"{key}.default_account", [row.default_account], self.file.accounts, "account")
        config = SessionConfig(
            row.begin_string,
            row.sender_comp_id,
            row.target_comp_id,
            Role.INITIATOR,
            row.heart_bt_int,
            self._secret(f"{key}.username", row.username),
            self._secret(f"{key}.password", row.password),
            row.reset_on_logon,
            validation=Validation[row.validation.upper()],
            user_defined_tags=row.user_defined_tags,
        )
        stale = timedelta(milliseconds=row.resend_stale_ms)
        reconnect_max = timedelta(seconds=row.reconnect_max_seconds)
        endpoint = Endpoint(row.host, row.port)
        return VenueSettings(name, config, endpoint, row.default_account, stale, reconnect_max)

    def _routes(self, instruments: Mapping[str, Instrument]) -> tuple[Route, ...]:
        known: set[str] = set()
        for index, row in enumerate(self.file.routes):
            if row.route_id in known:
                raise self._error(f"routes[{index}].route_id", f"{row.route_id} stands here twice")
            known.add(row.route_id)
        return tuple(self._route(index, row, instruments) for index, row in enumerate(self.file.routes))

    def _route(self, index: int, row: RouteTable, instruments: Mapping[str, Instrument]) -> Route:
        key = f"routes[{index}]"
        self._known(f"{key}.session_id", [row.session_id], self.file.sessions, "session")
        self._known(f"{key}.accounts", row.accounts, self.file.accounts, "account")
        self._known(f"{key}.instruments", row.instruments, instruments, "instrument")
        return Route(row.route_id, row.session_id, frozenset(row.accounts), frozenset(row.instruments))

    def _secret(self, key: str, reference: str | None) -> str | None:
        if reference is None:
            return None
        kind, _, name = reference.partition(":")
        if kind == "env":
            if name not in self.environ:
                raise self._error(key, f"the environment variable {name} is not set")
            secret = self.environ[name]
        elif kind == "file":
            secret = read_text(self.path.parent / name).rstrip("\r\n")
        else:
            raise self._error(
                key, "must be a reference, env:NAME or file:PATH; the value itself does not belong here"
            )
        if not sendable(secret):
            raise self._error(key, f"{reference} is empty, or holds what a FIX message cannot carry")
        return secret

    def _known(self, key: str, names: Iterable[str], among: Iterable[str], kind: str) -> None:
        known = set(among)
        for name in names:
            if name not in known:
                shown = ", ".join(sorted(known)[:8]) or "none"
                raise self._error(key, f"{name} is no {kind} of this configuration; there are {shown}")

    def _error(self, key: str, problem: str) -> ConfigError:
        return ConfigError(str(self.path), key, problem)
