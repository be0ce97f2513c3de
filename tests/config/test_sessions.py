"""Venue sessions as they are configured: endpoints, TLS, hours, what the Logon(A) holds, and what is wrong with them."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from fairlead_server.config import ConfigError
from fairlead_server.fix.session import ResetOn, UnaskedReset, Validation
from fairlead_server.venue.settings import Endpoint, VenueSettings

from tests.config.test_load import GOOD, Folder

BARE = """\
[sessions.A]
begin_string = "FIX.4.4"
sender_comp_id = "FAIRLEAD"
target_comp_id = "SIM"
default_account = "DEMO"
"""
HEAD, _, TAIL = GOOD.partition("[sessions.A]")
ROUTES = "[[routes]]" + TAIL.partition("[[routes]]")[2].replace('"B"', '"A"')


class Desk:
    """One session, of which the test writes the part that it is about."""

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path)

    def load(self, text: str, **environ: str) -> VenueSettings:
        self.folder.text = f"{HEAD}{BARE}{text}\n{ROUTES}"
        [session] = self.folder.load(**environ).sessions
        return session

    def error(self, text: str) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            self.load(text)
        return caught.value


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


WHERE = 'host = "127.0.0.1"\nport = 9876\n'


def test_of_a_session_little_must_be_said(desk: Desk) -> None:
    session = desk.load(WHERE)
    assert session.endpoints == (Endpoint("127.0.0.1", 9876),)
    assert (session.tls, session.enabled, session.resend_rate) == (None, True, 1000)
    assert session.schedule.next_change(datetime(2026, 11, 20, tzinfo=UTC)) is None
    config = session.config
    assert (config.validation, config.time_digits, config.resend_chunk) == (Validation.STRICT, 3, 0)
    assert config.sending_time_accuracy == timedelta(minutes=2)
    assert (config.reset_on, config.unasked_reset) == (frozenset(), UnaskedReset.REFUSE)


def test_all_can_be_said(desk: Desk) -> None:
    session = desk.load(
        WHERE
        + """
enabled = false
next_expected = true
last_processed = true
reset_on = ["logon", "logout", "disconnect"]
unasked_reset = "halt"
seq_recovery = "trust_peer"
too_low = "reject"
sending_time_accuracy_seconds = 0
time_precision = "microseconds"
resend_chunk = 1000
resend_max = 500
resend_rate = 50
logon_fields = { 9001 = "house", 9002 = "env:FIX_USER" }
"""
    )
    config = session.config
    assert not session.enabled
    assert session.resend_rate == 50
    assert config.reset_on == {ResetOn.LOGON, ResetOn.LOGOUT, ResetOn.DISCONNECT}
    assert (config.next_expected, config.last_processed, config.trust_peer) == (True, True, True)
    assert (config.unasked_reset, config.too_low_reject) == (UnaskedReset.HALT, True)
    assert config.sending_time_accuracy is None
    assert config.time_digits == 6
    assert (config.resend_chunk, config.resend_max) == (1000, 500)
    assert config.logon_fields == ((9001, "house"), (9002, "fairlead"))


def test_several_endpoints_stand_in_a_list(desk: Desk) -> None:
    session = desk.load('endpoints = [{ host = "one", port = 1 }, { host = "two", port = 2 }]')
    assert session.endpoints == (Endpoint("one", 1), Endpoint("two", 2))


@pytest.mark.parametrize("text", ["", 'host = "one"', WHERE + 'endpoints = [{ host = "one", port = 1 }]'])
def test_where_to_connect_is_said_once(desk: Desk, text: str) -> None:
    error = desk.error(text)
    assert error.key == "sessions.A"
    assert error.problem.startswith("says where to connect by host and port, or by endpoints")


# Times.


def test_hours_and_resets_are_local_times(desk: Desk) -> None:
    session = desk.load(
        WHERE
        + """
[sessions.A.schedule]
zone = "America/New_York"
windows = [{ days = ["MON", "TUE"], start = 07:00:00, end = 19:00:00, end_zone = "Europe/London" }]
resets = [{ days = ["MON"], at = 20:00:00 }]
holidays = [2026-11-24]
"""
    )
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    assert session.schedule.next_change(monday) == monday + timedelta(hours=12)
    assert session.schedule.next_change(monday + timedelta(hours=12)) == monday + timedelta(hours=19)
    assert session.schedule.next_reset(monday) == monday + timedelta(hours=25)
    assert session.schedule.next_change(monday + timedelta(hours=20)) == monday + timedelta(days=7, hours=12)


def test_a_week_is_one_window(desk: Desk) -> None:
    session = desk.load(
        WHERE
        + """
[sessions.A.schedule]
zone = "America/New_York"
windows = [{ days = ["SUN"], start = 18:00:00, end = 17:00:00, end_day = "FRI" }]
"""
    )
    sunday = datetime(2026, 11, 22, 23, tzinfo=UTC)
    assert session.schedule.next_change(sunday - timedelta(hours=1)) == sunday
    assert session.schedule.next_change(sunday) == datetime(2026, 11, 27, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "key"),
    [
        ('zone = "Mars/Olympus"', "sessions.A.schedule.zone"),
        ('zone = "UTC"\nopen = 1', "sessions.A.schedule.open"),
        (
            'zone = "UTC"\nwindows = [{ days = ["MON"], start = 07:00:00, end = 09:00:00, end_zone = "no" }]',
            "sessions.A.schedule.windows[0].end_zone",
        ),
        (
            'zone = "UTC"\nwindows = [{ days = ["MON", "TUE"], start = 07:00:00, end = 09:00:00, end_day = "FRI" }]',
            "sessions.A.schedule.windows[0].end_day",
        ),
    ],
)
def test_a_wrong_schedule_is_named(desk: Desk, schedule: str, key: str) -> None:
    assert desk.error(f"{WHERE}[sessions.A.schedule]\n{schedule}").key == key


# TLS.


@pytest.fixture
def certified(desk: Desk) -> Desk:
    authority = trustme.CA()
    own = authority.issue_cert("fairlead.example")
    folder = desk.folder.path
    authority.cert_pem.write_to_path(folder / "ca.pem")
    own.cert_chain_pems[0].write_to_path(folder / "own.pem")
    own.private_key_pem.write_to_path(folder / "own.key")
    trustme.CA().issue_cert("other.example").private_key_pem.write_to_path(folder / "other.key")
    (folder / "text.pem").write_text("no certificate")
    return desk


def test_a_certificate_of_ours_is_ready(certified: Desk) -> None:
    tls = certified.load(
        WHERE
        + f"""
[sessions.A.tls]
ca_file = "ca.pem"
cert_file = "own.pem"
key_file = "own.key"
server_name = "broker.example"
pins = ["{"ab:" * 31}ab"]
"""
    ).tls
    assert tls is not None
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls.context.verify_mode is ssl.CERT_REQUIRED
    assert len(tls.context.get_ca_certs()) == 1
    assert tls.server_name == "broker.example"
    assert tls.pins == {b"\xab" * 32}


def test_a_renewed_certificate_is_a_change(certified: Desk) -> None:
    text = f'{WHERE}[sessions.A.tls]\nca_file = "ca.pem"\n'
    before = certified.load(text)
    assert certified.load(text) == before
    trustme.CA().cert_pem.write_to_path(certified.folder.path / "ca.pem")
    assert certified.load(text) != before


@pytest.mark.parametrize(
    ("tls", "key", "problem"),
    [
        ('ca_file = "none.pem"', "ca_file", "none.pem cannot be read"),
        ('ca_file = "text.pem"', "ca_file", "holds no certificates"),
        ('cert_file = "none.pem"', "cert_file", "none.pem cannot be read"),
        ('cert_file = "own.pem"\nkey_file = "other.key"', "cert_file", "own.pem and its key do not fit"),
        ('cert_file = "text.pem"', "cert_file", "text.pem and its key do not fit"),
        ('cert_file = "own.pem"\nkey_file = "none.key"', "key_file", "none.key cannot be read"),
        ('key_file = "own.key"', "cert_file", "is missing"),
        (
            'cert_file = "own.pem"\nkey_file = "own.key"\nkey_password = "secret"',
            "key_password",
            "a reference",
        ),
        ('pins = ["aa"]', "pins[0]", ""),
        (f'pins = ["{"ab:" * 30}ab"]', "pins[0]", "64 hexadecimal digits"),
    ],
)
def test_a_wrong_certificate_is_named(certified: Desk, tls: str, key: str, problem: str) -> None:
    error = certified.error(f"{WHERE}[sessions.A.tls]\n{tls}\n")
    assert error.key.removeprefix("sessions.A.tls.").replace("[...]", "[0]") == key
    assert problem in error.problem


# Logon fields.


@pytest.mark.parametrize("value", ['"env:NOT_SET"', '"file:none.txt"', '""', '"a\\u0001b"'])
def test_a_logon_field_must_be_sendable(desk: Desk, value: str) -> None:
    error = desk.error(f"{WHERE}logon_fields = {{ 9001 = {value} }}")
    assert error.key == "sessions.A.logon_fields.9001" or error.file.endswith("none.txt")


def test_a_logon_field_is_none_that_the_session_sets(desk: Desk) -> None:
    error = desk.error(f'{WHERE}logon_fields = {{ 108 = "30" }}')
    assert (error.key, error.problem) == ("sessions.A.logon_fields.108", "is for the session itself to set")
