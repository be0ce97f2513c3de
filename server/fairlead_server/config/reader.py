"""Reads the configuration: one TOML file, what it names, and overrides; gives each layer its own frozen settings.

Whatever is wrong is a :class:`ConfigError` that names file, key, fault and what would be right. Secrets are given by
reference, ``env:NAME`` or ``file:PATH``, so that the file itself holds none.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from fairlead_server.config.instruments import InstrumentsError, read_instruments
from fairlead_server.config.schema import DAYS, AccountTable, CalendarTable, File, RouteTable, SessionTable
from fairlead_server.domain.instrument import Calendar, Instrument, Span
from fairlead_server.domain.risk import AccountPolicy, Policy
from fairlead_server.domain.routes import Route
from fairlead_server.fix.session import Role, SessionConfig
from fairlead_server.venue.gateway import Endpoint, VenueSettings


class ConfigError(Exception):
    """``key`` is a dotted path into ``file``, empty where the whole file is meant."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        self.file = file
        self.key = key
        self.problem = problem
        super().__init__(": ".join(part for part in (file, key, problem) if part))


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
    text = _read(path)
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), "", f"is not TOML: {error}") from None
    changes = [*_from_environ(environ), *overrides]
    for change in changes:
        _override(data, change)
    file = _convert(path, data)
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
            tuple(self._session(name, session) for name, session in self.file.sessions.items()),
            tuple(self._route(index, route, instruments) for index, route in enumerate(self.file.routes)),
            self.file.log.level,
            version,
        )

    def _instruments(self) -> tuple[dict[str, Instrument], str]:
        path = self.path.parent / self.file.instruments_file
        calendars = {name: self._calendar(name, row) for name, row in self.file.calendars.items()}
        text = _read(path)
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
        return AccountPolicy(
            name,
            row.limits(),
            {instrument: limits.limits() for instrument, limits in row.instruments.items()},
            frozenset(row.blocked_instruments),
            row.kill_switch,
            timedelta(seconds=float(row.duplicate_window_seconds)),
            row.max_duplicates,
        )

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
        )
        stale = timedelta(milliseconds=row.resend_stale_ms)
        return VenueSettings(name, config, Endpoint(row.host, row.port), row.default_account, stale)

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
            return self.environ[name]
        if kind == "file":
            return _read(self.path.parent / name).rstrip("\n")
        raise self._error(
            key, "must be a reference, env:NAME or file:PATH; the value itself does not belong here"
        )

    def _known(self, key: str, names: Iterable[str], among: Iterable[str], kind: str) -> None:
        known = set(among)
        for name in names:
            if name not in known:
                shown = ", ".join(sorted(known)[:8]) or "none"
                raise self._error(key, f"{name} is no {kind} of this configuration; there are {shown}")

    def _error(self, key: str, problem: str) -> ConfigError:
        return ConfigError(str(self.path), key, problem)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(str(path), "", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "", "is not UTF-8 text") from None


def _from_environ(environ: Mapping[str, str]) -> list[str]:
    """``FAIRLEAD__SERVER__PORT=50061`` sets ``server.port``."""
    prefix = "FAIRLEAD__"
    return [
        f"{name.removeprefix(prefix).replace('__', '.').lower()}={value}"
        for name, value in sorted(environ.items())
        if name.startswith(prefix)
    ]


def _override(data: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals:
        raise ConfigError("", change, "an override is written KEY.PATH=VALUE, such as server.port=50061")
    *tables, last = key.split(".")
    for table in tables:
        data = data.setdefault(table, {})
        if not isinstance(data, dict):
            raise ConfigError("", key, f"{table} is not a table")
    data[last] = _scalar(value)


def _scalar(text: str) -> object:
    """As TOML reads it where it can, else the text itself, so that strings need no quotes."""
    try:
        return tomllib.loads(f"v = {text}", parse_float=Decimal)["v"]
    except tomllib.TOMLDecodeError:
        return text


def _convert(path: Path, data: dict[str, Any]) -> File:
    try:
        return msgspec.convert(data, File)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        key = re.sub(r"\[\.\.\.\]", "", where.rstrip("`").lstrip("."))
        raise ConfigError(str(path), key, problem.replace("`", "")) from None
