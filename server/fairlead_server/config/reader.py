"""Reads the configuration: one TOML file, what it names, and overrides; gives each layer its own frozen settings.

Whatever is wrong is a :class:`ConfigError` that names file, key, fault and what would be right. Secrets are given by
reference, ``env:NAME`` or ``file:PATH``, so that the file itself holds none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fairlead_server.config.accounts import read_day, read_end_of_day, read_margin
from fairlead_server.config.limits import LimitReader
from fairlead_server.config.schema import (
    DAYS,
    CalendarTable,
    File,
    RouteTable,
)
from fairlead_server.config.sessions import SessionReader
from fairlead_server.config.tables import (
    ConfigError,
    from_environ,
    must_be_known,
    read_text,
    read_zone,
    tables,
)
from fairlead_server.domain.calendar import Calendar, Hours, Span, SpecialDay
from fairlead_server.domain.end_of_day import EndOfDay
from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.instrument_rows import InstrumentsError, read_instruments
from fairlead_server.domain.risk.proposal import AccountPolicy, Policy
from fairlead_server.domain.risk.table import VALUES
from fairlead_server.domain.routes import Route
from fairlead_server.domain.trading_day import TradingDay
from fairlead_server.routing.ending import OnShutdown
from fairlead_server.routing.retention import Ages
from fairlead_server.venue.settings import VenueSettings


@dataclass(frozen=True, slots=True)
class Retained:
    """For how long, and where what is older goes."""

    ages: Ages
    archive: Path


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
    retention: Retained | None = None  # the store keeps everything
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    days: Mapping[str, TradingDay] = field(default_factory=dict)  # of the accounts
    two_person_release: bool = True  # of a kill switch
    ends_of_day: tuple[EndOfDay, ...] = ()  # of the accounts that have one
    on_shutdown: OnShutdown = OnShutdown.LEAVE
    shutdown_seconds: float = 10


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
        calendars = {name: self._calendar(name, row) for name, row in self.file.calendars.items()}
        instruments, text = self._instruments(calendars)
        digest.update(text.encode())
        version = digest.hexdigest()
        server, router = self.file.server, self.file.router
        days = {name: read_day(self.path, name, row) for name, row in self.file.accounts.items()}
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
            self._retention(),
            calendars,
            days,
            self.file.risk.two_person_release,
            tuple(
                read_end_of_day(self.path, name, row.end_of_day, days[name], calendars)
                for name, row in self.file.accounts.items()
                if row.end_of_day is not None
            ),
            on_shutdown=OnShutdown[server.on_shutdown.upper()],
            shutdown_seconds=server.shutdown_seconds,
        )

    def _retention(self) -> Retained | None:
        row = self.file.retention
        if row.events_days is None and row.messages_days is None:
            if row.archive is not None:
                raise self._error("retention.archive", "needs events_days or messages_days beside it")
            return None
        if row.archive is None:
            raise self._error("retention.archive", "is missing: the folder for what the store does not keep")
        return Retained(Ages(_days(row.events_days), _days(row.messages_days)), Path(row.archive))

    def _instruments(self, calendars: Mapping[str, Calendar]) -> tuple[dict[str, Instrument], str]:
        path = self.path.parent / self.file.instruments_file
        text = read_text(path)
        try:
            return read_instruments(text, calendars, self.now), text
        except InstrumentsError as error:
            raise ConfigError(f"{path}:{error.line}", error.column, error.problem) from None

    def _calendar(self, name: str, row: CalendarTable) -> Calendar:
        zone = read_zone(self.path, f"calendars.{name}.zone", row.zone)
        spans = tuple(Span(frozenset(map(DAYS.index, span.days)), span.start, span.end) for span in row.spans)
        special = tuple(
            SpecialDay(each.date, tuple(Hours(hours.start, hours.end) for hours in each.spans), each.cut_off)
            for each in row.special_days
        )
        calendar = Calendar(name, zone, spans, frozenset(row.holidays), special, row.cut_off)
        for key, problem in calendar.problems():
            raise self._error(f"calendars.{name}.{key}", problem)
        return calendar

    def _policy(self, instruments: Mapping[str, Instrument], version: str) -> Policy:
        risk = self.file.risk
        for name in risk.required_limits:
            if name not in VALUES:
                known = ", ".join(sorted(VALUES))
                raise self._error("risk.required_limits", f"{name} is no limit; there are {known}")
        accounts = {
            name: AccountPolicy(
                name,
                row.kill_switch,
                row.halt_on_overfill,
                None if row.margin is None else read_margin(self.path, name, row.margin),
                row.live_gate == "closed",
            )
            for name, row in self.file.accounts.items()
        }
        return Policy(
            accounts,
            LimitReader(self.path, self.file, instruments).sets(),
            tuple(risk.required_limits),
            risk.kill_switch,
            timedelta(seconds=risk.max_reference_age_seconds),
            version,
            risk.halt_on_overfill,
        )

    def _sessions(self) -> tuple[VenueSettings, ...]:
        """Two that the peer cannot tell apart would throw each other out for ever."""
        known: dict[object, str] = {}
        read = SessionReader(self.path, self.environ)
        sessions = tuple(read.session(name, row) for name, row in self.file.sessions.items())
        for each in sessions:
            key, config = f"sessions.{each.session_id}", each.config
            self._known(f"{key}.default_account", [each.default_account], self.file.accounts, "account")
            for endpoint in each.endpoints:
                same = (config.begin_string, config.sender_comp_id, config.target_comp_id, endpoint)
                if (other := known.setdefault(same, each.session_id)) != each.session_id:
                    raise self._error(key, f"is the same session as {other}")
        return sessions

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

    def _known(self, key: str, names: Iterable[str], among: Iterable[str], kind: str) -> None:
        must_be_known(self.path, key, names, among, kind)

    def _error(self, key: str, problem: str) -> ConfigError:
        return ConfigError(str(self.path), key, problem)


def _days(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(days=number)
