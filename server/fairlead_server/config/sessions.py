"""Venue sessions from their tables: what the session itself must know, where and how to connect, and when.

Secrets are references; certificates are read at once, so that what is wrong with them is said at the start and not at the
first attempt to connect.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from fairlead_server.config.schema import DAYS, ScheduleTable, SessionTable, TlsTable, WindowTable
from fairlead_server.config.tables import ConfigError, read_text, read_zone
from fairlead_server.config.venue_rules import read_venue_rules
from fairlead_server.fix.dialect import dialect
from fairlead_server.fix.dictionaries import APPLICATIONS
from fairlead_server.fix.message import sendable
from fairlead_server.fix.schedule import Hours, Reset, Schedule
from fairlead_server.fix.session import ResetOn, Role, SessionConfig, UnaskedReset, Validation
from fairlead_server.fix.terms import SET_BY_THE_SESSION
from fairlead_server.fix.versions import FIXT, time_digits
from fairlead_server.venue.settings import Endpoint, Throttle, Tls, VenueSettings

_DIGITS = {"seconds": 0, "milliseconds": 3, "microseconds": 6}
_USUAL_PATIENCE = timedelta(milliseconds=500)  # of an order that waits for its turn
_DIGEST_SIZE = 32  # bytes of SHA-256


@dataclass(frozen=True, slots=True)
class SessionReader:
    """``path`` is the configuration file, to which the names of other files are relative."""

    path: Path
    environ: Mapping[str, str]

    def session(self, name: str, row: SessionTable) -> VenueSettings:
        key = f"sessions.{name}"
        config = self._config(key, row)
        return VenueSettings(
            name,
            config,
            self._endpoints(key, row),
            row.default_account,
            resend_stale=timedelta(milliseconds=row.resend_stale_ms),
            resend_rate=row.resend_rate,
            reconnect_max=timedelta(seconds=row.reconnect_max_seconds),
            tls=None if row.tls is None else self._tls(f"{key}.tls", row.tls),
            schedule=Schedule.always()
            if row.schedule is None
            else self._schedule(f"{key}.schedule", row.schedule),
            enabled=row.enabled,
            throttle=self._throttle(key, row),
            rules=read_venue_rules(
                self.path, key, row, dialect(config.begin_string, config.default_appl_ver_id)
            ),
        )

    def _throttle(self, key: str, row: SessionTable) -> Throttle | None:
        """A venue that says no burst gets none: it may cut off who sends one message too many."""
        rate = row.max_messages_per_second
        if rate is None:
            for name in ("burst", "max_queue_ms", "more_cancels_per_second"):
                if getattr(row, name) is not None:
                    problem = "says nothing without max_messages_per_second, which is not set"
                    raise self._error(f"{key}.{name}", problem)
            return None
        patience = _USUAL_PATIENCE if row.max_queue_ms is None else timedelta(milliseconds=row.max_queue_ms)
        return Throttle(rate, row.burst or 1, patience, row.more_cancels_per_second)

    def _config(self, key: str, row: SessionTable) -> SessionConfig:
        accuracy = row.sending_time_accuracy_seconds
        return SessionConfig(
            row.begin_string,
            row.sender_comp_id,
            row.target_comp_id,
            Role.INITIATOR,
            row.heart_bt_int,
            self._secret(f"{key}.username", row.username),
            self._secret(f"{key}.password", row.password),
            reset_on=frozenset(ResetOn[each.upper()] for each in row.reset_on),
            unasked_reset=UnaskedReset[row.unasked_reset.upper()],
            trust_peer=row.seq_recovery == "trust_peer",
            too_low_reject=row.too_low == "reject",
            sending_time_accuracy=timedelta(seconds=accuracy) if accuracy else None,
            time_digits=_DIGITS[row.time_precision] if row.time_precision else time_digits(row.begin_string),
            validation=Validation[row.validation.upper()],
            user_defined_tags=row.user_defined_tags,
            default_appl_ver_id=self._default_appl_ver_id(key, row),
            next_expected=row.next_expected,
            last_processed=row.last_processed,
            resend_chunk=row.resend_chunk,
            resend_max=row.resend_max,
            logon_fields=self._logon_fields(key, row),
            secret_tags=frozenset(
                int(tag) for tag, value in row.logon_fields.items() if _is_reference(value)
            ),
        )

    def _default_appl_ver_id(self, key: str, row: SessionTable) -> str | None:
        """Its name as DefaultApplVerID(1137) has it."""
        key, name = f"{key}.default_appl_ver_id", row.default_appl_ver_id
        if row.begin_string != FIXT:
            if name is not None:
                raise self._error(key, f"goes with begin_string {FIXT} alone; this is {row.begin_string}")
            return None
        if name is None:
            raise self._error(
                key, f"is missing: {FIXT} carries the messages of another version, such as FIX.5.0SP2"
            )
        return next(number for number, version in APPLICATIONS.items() if version == name)

    def _logon_fields(self, key: str, row: SessionTable) -> tuple[tuple[int, str], ...]:
        return tuple(
            (int(tag), self._logon_field(f"{key}.logon_fields.{tag}", int(tag), value))
            for tag, value in row.logon_fields.items()
        )

    def _logon_field(self, key: str, tag: int, value: str) -> str:
        """A reference stands for a secret."""
        if tag in SET_BY_THE_SESSION:
            raise self._error(key, "is for the session itself to set")
        if _is_reference(value):
            return self._secret(key, value) or ""
        if not sendable(value):
            raise self._error(key, "is empty, or holds what a FIX message cannot carry")
        return value

    def _endpoints(self, key: str, row: SessionTable) -> tuple[Endpoint, ...]:
        if row.endpoints and row.host is None and row.port is None:
            return tuple(Endpoint(each.host, each.port) for each in row.endpoints)
        if row.host is None or row.port is None or row.endpoints:
            raise self._error(
                key, "says where to connect by host and port, or by endpoints = [{ host, port }, ...]"
            )
        return (Endpoint(row.host, row.port),)

    # TLS.

    def _tls(self, key: str, row: TlsTable) -> Tls:
        ca_file = None if row.ca_file is None else self._there(f"{key}.ca_file", row.ca_file)
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except ssl.SSLError:
            raise self._error(f"{key}.ca_file", f"{row.ca_file} holds no certificates in PEM form") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if row.cert_file is not None:
            self._add_certificate(context, key, row, row.cert_file)
        elif row.key_file is not None:
            raise self._error(f"{key}.cert_file", "is missing: key_file is the key of a certificate")
        pins = frozenset(self._pin(f"{key}.pins[{at}]", pin) for at, pin in enumerate(row.pins))
        files = [file for file in (row.ca_file, row.cert_file, row.key_file) if file is not None]
        digests = [hashlib.sha256((self.path.parent / file).read_bytes()).hexdigest() for file in files]
        return Tls(context, " ".join(digests), row.server_name, pins)

    def _add_certificate(self, context: ssl.SSLContext, key: str, row: TlsTable, cert_file: str) -> None:
        certificate = self._there(f"{key}.cert_file", cert_file)
        own_key = None if row.key_file is None else self._there(f"{key}.key_file", row.key_file)
        password = self._secret(f"{key}.key_password", row.key_password) or ""
        try:
            # Without a password a key that needs one would have OpenSSL ask at the terminal.
            context.load_cert_chain(certificate, own_key, password)
        except (ssl.SSLError, ValueError):
            problem = "and its key do not fit, are not in PEM form, or key_password is wrong"
            raise self._error(f"{key}.cert_file", f"{cert_file} {problem}") from None

    def _there(self, key: str, name: str) -> str:
        """Its path; an operating system's error would not say which of the files it means."""
        path = self.path.parent / name
        try:
            path.open("rb").close()
        except OSError as error:
            raise self._error(key, f"{path} cannot be read: {error.strerror}") from None
        return str(path)

    def _pin(self, key: str, pin: str) -> bytes:
        digits = pin.replace(":", "")
        if len(digits) != 2 * _DIGEST_SIZE:
            raise self._error(key, "must be the SHA-256 digest of a certificate, 64 hexadecimal digits")
        return bytes.fromhex(digits)

    # Times.

    def _schedule(self, key: str, row: ScheduleTable) -> Schedule:
        """Without windows it is open around the clock."""
        zone = read_zone(self.path, f"{key}.zone", row.zone)
        hours = tuple(
            self._hours(f"{key}.windows[{at}]", window, zone) for at, window in enumerate(row.windows)
        )
        resets = tuple(Reset(_weekdays(each.days), each.at.replace(tzinfo=zone)) for each in row.resets)
        if not hours:
            return Schedule.always(resets)
        return Schedule(hours, resets, frozenset(row.holidays))

    def _hours(self, key: str, row: WindowTable, zone: ZoneInfo) -> Hours:
        if row.end_day is not None and len(row.days) > 1:
            raise self._error(
                f"{key}.end_day", "goes with one day: a window that begins on several has several ends"
            )
        end_zone = zone if row.end_zone is None else read_zone(self.path, f"{key}.end_zone", row.end_zone)
        return Hours(
            _weekdays(row.days),
            row.start.replace(tzinfo=zone),
            row.end.replace(tzinfo=end_zone),
            None if row.end_day is None else DAYS.index(row.end_day),
        )

    # Secrets.

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

    def _error(self, key: str, problem: str) -> ConfigError:
        return ConfigError(str(self.path), key, problem)


def _is_reference(value: str) -> bool:
    return value.startswith(("env:", "file:"))


def _weekdays(days: Iterable[str]) -> frozenset[int]:
    return frozenset(map(DAYS.index, days))
