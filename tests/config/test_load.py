"""Reading the configuration: what a good one gives, and that a wrong one names file, key and fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from fairlead_server.config import Config, ConfigError, load
from fairlead_server.domain.calendar import Hours, SpecialDay
from fairlead_server.domain.risk.limits import LimitSet, Mode
from fairlead_server.domain.scope import Scope
from fairlead_server.fix.session import Role
from fairlead_server.routing.ending import OnShutdown
from fairlead_server.routing.retention import Ages
from fairlead_server.venue.settings import Endpoint, Throttle

from tests.domain.builders import NOW

CANARY = "canary-7f3a"
EXAMPLE = Path(__file__).parents[2] / "examples" / "fairlead.toml"
GOOD = """\
instruments_file = "instruments.csv"

[server]
port = 50051

[store]
url = "sqlite://"

[risk]
blocked_instruments = ["MSFT"]

[accounts.DEMO]
max_order_quantity = 100
max_position = 500.50
duplicate_window_seconds = 2

[accounts.DEMO.instruments.AAPL]
max_order_quantity = 10

[calendars.NYSE]
zone = "America/New_York"
spans = [{ days = ["MON", "FRI"], start = 09:30:00, end = 16:00:00 }]
holidays = [2026-12-25]

[sessions.A]
begin_string = "FIX.4.4"
sender_comp_id = "FAIRLEAD"
target_comp_id = "SIM"
host = "127.0.0.1"
port = 9876
default_account = "DEMO"
username = "env:FIX_USER"
password = "file:secret.txt"

[sessions.B]
begin_string = "FIX.4.2"
sender_comp_id = "FAIRLEAD"
target_comp_id = "SIM"
host = "127.0.0.1"
port = 9876
default_account = "DEMO"

[[routes]]
route_id = "R1"
session_id = "A"
accounts = ["DEMO"]
instruments = ["AAPL"]

[[routes]]
route_id = "R2"
session_id = "B"
"""
INSTRUMENTS = """\
instrument_id,symbol,currency,tick_size,lot_size,reference_price,calendar
AAPL,AAPL,USD,0.01,1,230.10,NYSE
MSFT,MSFT,USD,0.01,1,416.50,
"""


@dataclass
class Folder:
    path: Path
    text: str = GOOD
    instruments: str = INSTRUMENTS
    secret: bytes = CANARY.encode() + b"\n"

    @property
    def file(self) -> Path:
        return self.path / "fairlead.toml"

    def load(self, *overrides: str, **environ: str) -> Config:
        self.file.write_text(self.text)
        (self.path / "instruments.csv").write_text(self.instruments)
        (self.path / "secret.txt").write_bytes(self.secret)
        return load(self.file, overrides, {"FIX_USER": "fairlead", **environ}, NOW)

    def error(self, *overrides: str, **environ: str) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            self.load(*overrides, **environ)
        assert CANARY not in str(caught.value)
        return caught.value

    def replace(self, old: str, new: str) -> None:
        assert old in self.text
        self.text = self.text.replace(old, new, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# What a good one gives.


def test_each_layer_gets_its_own(folder: Folder) -> None:
    config = folder.load()
    assert (config.host, config.port, config.store_url) == ("127.0.0.1", 50051, "sqlite://")
    assert (config.server_id, config.router_id, config.shard, config.log_level) == (
        "fairlead-1",
        "FL",
        0,
        "info",
    )
    sets = {each.limit_id: each for each in config.policy.limits}
    assert sorted(sets) == ["file:DEMO", "file:DEMO:AAPL", "file:risk"]
    assert sets["file:DEMO"].scope == Scope("DEMO")
    assert sets["file:DEMO"].values["max_position"] == Decimal("500.50")
    assert sets["file:DEMO"].values["max_order_quantity"] == 100
    assert sets["file:DEMO"].values["duplicate_window_seconds"] == 2
    assert sets["file:DEMO:AAPL"].scope == Scope("DEMO", instrument_id="AAPL")
    assert sets["file:DEMO:AAPL"].values == {"max_order_quantity": 10}
    assert sets["file:risk"].words == {"blocked_instruments": {"MSFT"}}
    assert config.policy.version == config.version
    assert [route.route_id for route in config.routes] == ["R1", "R2"]
    assert config.routes[0].instruments == {"AAPL"}


def test_limits_can_be_set_for_any_scope(folder: Folder) -> None:
    folder.text += """
[[limits]]
limit_id = "momentum"
account = "DEMO"
strategy = "momentum"
mode = "WARN"
override = true
values = { max_message_rate = 5, message_burst = 20 }
lists = { allowed_sides = ["BUY"] }
note = "until the strategy is reviewed"
"""

    found = folder.load().policy.limits[-1]

    assert found == LimitSet(
        "file:momentum",
        Scope("DEMO", strategy_id="momentum"),
        {"max_message_rate": Decimal(5), "message_burst": Decimal(20)},
        {"allowed_sides": frozenset({"BUY"})},
        Mode.WARN,
        override=True,
        note="until the strategy is reviewed",
    )


@pytest.mark.parametrize(
    ("row", "key", "problem"),
    [
        ('limit_id = "a"', "limits[0].values", "there has to be something that it limits"),
        ('limit_id = "a"\nvalues = { max_size = 1 }', "limits[0].values.max_size", "is no limit"),
        ('limit_id = "a"\nlists = { sides = [] }', "limits[0].lists.sides", "is no list"),
        (
            'limit_id = "a"\naccount = "X"\nvalues = { max_positions = 1 }',
            "limits[0].account",
            "X is no account",
        ),
        ('limit_id = "DEMO"\nvalues = { max_positions = 1 }', "limits[0]", "there is another limit set DEMO"),
        ('limit_id = "a"\nmode = "OFF"\nvalues = { max_positions = 1 }', "limits[0].mode", "OFF"),
    ],
)
def test_a_limit_set_that_is_wrong_is_named_by_its_key(
    folder: Folder, row: str, key: str, problem: str
) -> None:
    folder.text += f"\n[[limits]]\n{row}\n"

    error = folder.error()

    assert error.key == key
    assert problem in error.problem


def test_a_required_limit_has_to_be_one(folder: Folder) -> None:
    error = folder.error('risk.required_limits=["max_size"]')

    assert (error.key, error.problem[:22]) == ("risk.required_limits", "max_size is no limit; ")


def test_a_session_is_ready_to_connect(folder: Folder) -> None:
    first, second = folder.load().sessions
    assert (first.session_id, first.endpoints, first.default_account) == (
        "A",
        (Endpoint("127.0.0.1", 9876),),
        "DEMO",
    )
    assert (first.config.role, first.config.begin_string) == (Role.INITIATOR, "FIX.4.4")
    assert (first.config.username, first.config.password) == ("fairlead", CANARY)
    assert (second.config.username, second.config.password) == (None, None)
    assert first.resend_stale == timedelta(seconds=3)


@pytest.mark.parametrize(
    ("name", "number"), [("FIX.4.2", "4"), ("FIX.5.0", "7"), ("FIX.5.0SP1", "8"), ("FIX.5.0SP2", "9")]
)
def test_a_fixt_session_names_the_version_of_its_messages(folder: Folder, name: str, number: str) -> None:
    config = (
        folder.load("sessions.B.begin_string=FIXT.1.1", f"sessions.B.default_appl_ver_id={name}")
        .sessions[1]
        .config
    )
    assert (config.begin_string, config.default_appl_ver_id) == ("FIXT.1.1", number)


@pytest.mark.parametrize(("version", "digits"), [("FIX.4.0", 0), ("FIX.4.1", 0), ("FIX.4.3", 3)])
def test_before_4_2_a_second_has_no_fraction(folder: Folder, version: str, digits: int) -> None:
    assert folder.load(f"sessions.B.begin_string={version}").sessions[1].config.time_digits == digits


def test_a_calendar_belongs_to_its_instruments(folder: Folder) -> None:
    instruments = folder.load().instruments
    assert instruments["AAPL"].calendar is not None
    assert instruments["AAPL"].calendar.is_open(NOW)  # a Friday, 10:00 in New York
    assert instruments["MSFT"].calendar is None


def test_the_example_is_good() -> None:
    config = load(EXAMPLE, [], {}, NOW)
    assert len(config.instruments) == 22
    assert {session.session_id for session in config.sessions} == {"SIM44", "SIM42"}


def test_the_version_tells_whether_anything_was_changed(folder: Folder) -> None:
    version = folder.load().version
    assert folder.load().version == version
    assert folder.load("server.port=1").version != version
    assert folder.load(FAIRLEAD__SERVER__PORT="1").version != version
    folder.instruments = INSTRUMENTS.replace("0.01", "0.02")
    assert folder.load().version != version


def test_a_mark_at_the_beginning_is_no_text(folder: Folder) -> None:
    folder.instruments = "\ufeff" + INSTRUMENTS
    assert set(folder.load().instruments) == {"AAPL", "MSFT"}


# Overrides.


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("server.port=1", lambda c: c.port == 1),
        ("server.host=::1", lambda c: c.host == "::1"),
        ('server.host="::1"', lambda c: c.host == "::1"),
        ("store.url=sqlite:///x=y.db", lambda c: c.store_url == "sqlite:///x=y.db"),
        ("sessions.A.port=1", lambda c: c.sessions[0].endpoints[0].port == 1),
        ("risk.kill_switch=true", lambda c: c.policy.kill_switch),
        ("risk.halt_on_overfill=true", lambda c: c.policy.halts_on_overfill("DEMO")),
        ("accounts.DEMO.halt_on_overfill=true", lambda c: c.policy.halts_on_overfill("DEMO")),
        ("risk.blocked_instruments=[]", lambda c: all(not each.words for each in c.policy.limits)),
        ("accounts.DEMO.max_open_orders=3", lambda c: c.policy.limits[1].values["max_open_orders"] == 3),
        ("accounts.DEMO.live_gate=closed", lambda c: c.policy.accounts["DEMO"].live_gate),
        ("sessions.A.live_gate=closed", lambda c: c.sessions[0].rules.live_gate),
        ("server.on_shutdown=drain", lambda c: c.on_shutdown is OnShutdown.DRAIN),
        ("server.shutdown_seconds=3", lambda c: c.shutdown_seconds == 3),
        ("log.level=debug", lambda c: c.log_level == "debug"),
    ],
)
def test_any_key_can_be_overridden(folder: Folder, change: str, value: Callable[[Config], bool]) -> None:
    assert value(folder.load(change))
    key, _, text = change.partition("=")
    name = "FAIRLEAD__" + key.upper().replace(".", "__")
    assert value(folder.load(**{name: text}))


def test_the_command_line_goes_before_the_environment(folder: Folder) -> None:
    assert folder.load("server.port=1", "server.port=2", FAIRLEAD__SERVER__PORT="3").port == 2


def test_other_variables_are_not_ours(folder: Folder) -> None:
    assert folder.load(FAIRLEAD_PORT="1", PATH="/bin").port == 50051


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ("server.port", "server.port", "KEY.PATH=VALUE"),
        ("server.port.x=1", "server.port.x", "port is not a table"),
        ("server.port=abc", "server.port", "Expected int, got str"),
        ("server.prot=1", "server.prot", "no key of this table"),
        ("routes.0=1", "routes.0", "routes is not a table"),
    ],
)
def test_an_override_that_is_wrong(folder: Folder, change: str, key: str, problem: str) -> None:
    error = folder.error(change)
    assert error.key == key
    assert problem in error.problem


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], Throttle(50, 1, timedelta(milliseconds=500))),
        (["burst=10", "max_queue_ms=0"], Throttle(50, 10, timedelta())),
        (["max_queue_ms=60000"], Throttle(50, 1, timedelta(minutes=1))),
    ],
)
def test_a_session_may_be_held_to_a_rate(folder: Folder, more: list[str], expected: Throttle) -> None:
    changes = [f"sessions.A.{change}" for change in ("max_messages_per_second=50", *more)]
    first, second = folder.load(*changes).sessions
    assert (first.throttle, second.throttle) == (expected, None)


# What is wrong with a file.


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ('[store]\nurl = "sqlite://"', "", "store", "is missing"),
        ('url = "sqlite://"', "", "store.url", "is missing"),
        ("[server]", "[sevrer]", "sevrer", "is no key of this table"),
        ("port = 50051", "port = 65536", "server.port", "<= 65535"),
        ("port = 50051", "port = true", "server.port", "Expected int, got bool"),
        ("port = 50051", 'host = ""', "server.host", "matching"),
        ('begin_string = "FIX.4.2"', 'begin_string = "FIX.9"', "sessions.B.begin_string", "FIX.9"),
        ('begin_string = "FIX.4.2"\n', "", "sessions.B.begin_string", "is missing"),
        (
            'begin_string = "FIX.4.2"',
            'begin_string = "FIXT.1.1"',
            "sessions.B.default_appl_ver_id",
            "is missing",
        ),
        (
            "[sessions.B]",
            '[sessions.B]\ndefault_appl_ver_id = "FIX.5.0"',
            "sessions.B.default_appl_ver_id",
            "goes with begin_string FIXT.1.1 alone",
        ),
        (
            "[sessions.B]",
            '[sessions.B]\ndefault_appl_ver_id = "9"',
            "sessions.B.default_appl_ver_id",
            "'9'",
        ),
        ("[sessions.B]", "[sessions.B]\nhart_bt_int = 3", "sessions.B.hart_bt_int", "is no key"),
        ("[sessions.B]", "[sessions.B]\nheart_bt_int = 0", "sessions.B.heart_bt_int", ">= 1"),
        ("[sessions.B]", "[sessions.B]\nresend_stale_ms = -1", "sessions.B.resend_stale_ms", ">= 0"),
        (
            "[sessions.B]",
            "[sessions.B]\nmax_messages_per_second = 0",
            "sessions.B.max_messages_per_second",
            ">= 1",
        ),
        (
            "[sessions.B]",
            "[sessions.B]\nmax_messages_per_second = 0.5",
            "sessions.B.max_messages_per_second",
            "int",
        ),
        ("[sessions.B]", "[sessions.B]\nburst = 10", "sessions.B.burst", "without max_messages_per_second"),
        (
            "[sessions.B]",
            "[sessions.B]\nmore_cancels_per_second = 10",
            "sessions.B.more_cancels_per_second",
            "without max_messages_per_second",
        ),
        (
            "[sessions.B]",
            "[sessions.B]\nmax_queue_ms = 0",
            "sessions.B.max_queue_ms",
            "without max_messages_per_second",
        ),
        ("[sessions.B]", "[sessions.B]\nvalidation = 'loose'", "sessions.B.validation", "loose"),
        ("[sessions.B]", '[sessions."B B"]', "sessions", "a name in this table"),
        (
            'sender_comp_id = "FAIRLEAD"',
            'sender_comp_id = "A\\u0001B"',
            "sessions.A.sender_comp_id",
            "matching",
        ),
        (
            "max_order_quantity = 100",
            'max_order_quantity = "many"',
            "accounts.DEMO.max_order_quantity",
            "decimal",
        ),
        (
            "max_order_quantity = 100",
            "max_order_quantity = -1",
            "accounts.DEMO.max_order_quantity",
            "negative",
        ),
        (
            "max_order_quantity = 100",
            "max_order_quantity = nan",
            "accounts.DEMO.max_order_quantity",
            "negative",
        ),
        ("max_order_quantity = 100", "max_open_orders = -1", "accounts.DEMO.max_open_orders", ">= 0"),
        (
            "max_order_quantity = 10\n",
            "max_position = inf\n",
            "accounts.DEMO.instruments.AAPL.max_position",
            "negative",
        ),
        (
            "max_order_quantity = 10\n",
            "max_postion = 1\n",
            "accounts.DEMO.instruments.AAPL.max_postion",
            "is no key",
        ),
        ("seconds = 2", "seconds = -1", "accounts.DEMO.duplicate_window_seconds", "0 to 86400"),
        ("seconds = 2", "seconds = nan", "accounts.DEMO.duplicate_window_seconds", "0 to 86400"),
        ("seconds = 2", "seconds = 1e999", "accounts.DEMO.duplicate_window_seconds", "0 to 86400"),
        ("[risk]", "[risk]\nmax_reference_age_seconds = 0", "risk.max_reference_age_seconds", ">= 1"),
        (
            "[risk]",
            "[risk]\nmax_reference_age_seconds = 999999999999999",
            "risk.max_reference_age_seconds",
            "<=",
        ),
        ("[risk]", "[router]\nrouter_id = 'fl'\n[risk]", "router.router_id", "matching"),
        ("[risk]", "[log]\nlevel = 'loud'\n[risk]", "log.level", "loud"),
        ('"MON"', '"MO"', "calendars.NYSE.spans[0].days[0]", "MO"),
        ("start = 09:30:00", "start = 2026-01-01", "calendars.NYSE.spans[0].start", "Expected time"),
        ('"America/New_York"', '"America/Gotham"', "calendars.NYSE.zone", "no IANA time zone"),
        ('"America/New_York"', '"../../etc/passwd"', "calendars.NYSE.zone", "no IANA time zone"),
        ('"America/New_York"', '""', "calendars.NYSE.zone", "no IANA time zone"),
        (
            "holidays = [2026-12-25]",
            "special_days = [{ date = 2026-12-24, spans = [{ start = 9, end = 10:00:00 }] }]",
            "calendars.NYSE.special_days[0].spans[0].start",
            "Expected time",
        ),
        (
            "holidays = [2026-12-25]",
            "holidays = [2026-12-25]\nspecial_days = [{ date = 2026-12-25, spans = [] }]",
            "calendars.NYSE.special_days",
            "2026-12-25 is a holiday",
        ),
        (
            'spans = [{ days = ["MON", "FRI"], start = 09:30:00, end = 16:00:00 }]',
            "spans = []",
            "calendars.NYSE.spans",
            "never open",
        ),
        # What one table says of another.
        ('["MSFT"]', '["GONE"]', "risk.blocked_instruments", "GONE is no instrument"),
        (
            "[accounts.DEMO.instruments.AAPL]",
            "[accounts.DEMO.instruments.GONE]",
            "accounts.DEMO.instruments",
            "GONE",
        ),
        (
            "duplicate_window_seconds",
            'blocked_instruments = ["GONE"]\nduplicate_window_seconds',
            "accounts.DEMO.blocked_instruments",
            "GONE",
        ),
        (
            'default_account = "DEMO"',
            'default_account = "GONE"',
            "sessions.A.default_account",
            "GONE is no account",
        ),
        ('session_id = "B"', 'session_id = "GONE"', "routes[1].session_id", "there are A, B"),
        ('accounts = ["DEMO"]', 'accounts = ["GONE"]', "routes[0].accounts", "GONE"),
        ('instruments = ["AAPL"]', 'instruments = ["GONE"]', "routes[0].instruments", "GONE"),
        ('route_id = "R2"', 'route_id = "R1"', "routes[1].route_id", "R1 stands here twice"),
        ('begin_string = "FIX.4.2"', 'begin_string = "FIX.4.4"', "sessions.B", "is the same session as A"),
        ('session_id = "B"', "session_id = 3", "routes[1].session_id", "Expected str, got int"),
        ("[calendars.NYSE]", "[calendars.OTHER]", "calendar", "NYSE is not known; there are OTHER"),
    ],
)
def test_a_fault_is_named_by_its_key(folder: Folder, old: str, new: str, key: str, problem: str) -> None:
    folder.replace(old, new)
    error = folder.error()
    assert (error.key, problem in error.problem) == (key, True), error
    assert error.file.startswith(str(folder.path))
    assert str(error) == f"{error.file}: {error.key}: {error.problem}"


def test_half_days_and_the_end_of_the_day_for_orders(folder: Folder) -> None:
    half = "{ date = 2026-11-27, spans = [{ start = 09:30:00, end = 13:00:00 }], cut_off = 12:45:00 }"
    folder.replace(
        "holidays = [2026-12-25]",
        f"holidays = [2026-12-25]\ncut_off = 15:50:00\nspecial_days = [{half}]",
    )

    calendar = folder.load().calendars["NYSE"]

    hours = (Hours(time(9, 30), time(13)),)
    assert calendar.special_days == (SpecialDay(date(2026, 11, 27), hours, time(12, 45)),)
    assert calendar.cut_off == time(15, 50)


@pytest.mark.parametrize("section", ["accounts", "sessions", "accounts.DEMO.instruments"])
def test_a_table_that_is_none(folder: Folder, section: str) -> None:
    assert folder.error(f"{section}=3").key == section


def test_an_entry_that_is_no_table(folder: Folder) -> None:
    assert folder.error("accounts.OTHER=3").key == "accounts.OTHER"


def test_a_file_that_is_not_toml(folder: Folder) -> None:
    folder.text = "[server\nport = 1"
    error = folder.error()
    assert (error.file, error.key) == (str(folder.file), "")
    assert error.problem.startswith("is not TOML: ")
    assert "line 1" in error.problem


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "gone.toml", [], {}, NOW)
    assert str(caught.value) == f"{tmp_path}/gone.toml: cannot be read: No such file or directory"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path, [], {}, NOW)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "fairlead.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load(file, [], {}, NOW)


def test_a_file_that_it_names_and_is_not_there(folder: Folder) -> None:
    folder.replace('"instruments.csv"', '"gone.csv"')
    assert folder.error().file == str(folder.path / "gone.csv")


def test_a_fault_in_the_instruments_is_named_by_line_and_column(folder: Folder) -> None:
    folder.instruments = INSTRUMENTS.replace("416.50", "lots")
    error = folder.error()
    assert (error.file, error.key) == (f"{folder.path}/instruments.csv:3", "reference_price")


# Secrets.


@pytest.mark.parametrize("key", ["username", "password"])
def test_a_secret_does_not_belong_into_the_file(folder: Folder, key: str) -> None:
    error = folder.error(f"sessions.A.{key}={CANARY}")
    assert error.key == f"sessions.A.{key}"
    assert "must be a reference" in error.problem


def test_a_secret_whose_variable_is_not_set(folder: Folder) -> None:
    error = folder.error("sessions.A.password=env:GONE")
    assert (error.key, error.problem) == ("sessions.A.password", "the environment variable GONE is not set")


def test_a_secret_whose_file_is_not_there(folder: Folder) -> None:
    assert folder.error("sessions.A.password=file:gone.txt").file == str(folder.path / "gone.txt")


@pytest.mark.parametrize("secret", ["", "\n", f"{CANARY}\x01554=x", f"{CANARY}\n{CANARY}", f"{CANARY}\u20ac"])
def test_a_secret_that_no_logon_can_carry(folder: Folder, secret: str) -> None:
    folder.secret = secret.encode()
    error = folder.error()
    assert (error.key, "is empty, or holds" in error.problem) == ("sessions.A.password", True)
    folder.secret = CANARY.encode()
    assert folder.error(FIX_USER=secret).key == "sessions.A.username"


def test_no_secret_is_shown_by_what_holds_it(folder: Folder) -> None:
    assert CANARY not in repr(folder.load().sessions)


# What is not kept for ever.


def test_the_store_keeps_everything_unless_told_otherwise(folder: Folder) -> None:
    assert folder.load().retention is None


def test_what_is_kept_is_counted_in_days(folder: Folder) -> None:
    kept = folder.load("retention.events_days=90", "retention.archive=var/archive").retention
    assert kept is not None
    assert kept.ages == Ages(events=timedelta(days=90))
    assert kept.archive == Path("var/archive")


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ("retention.messages_days=30", "retention.archive", "is missing"),
        ("retention.archive=there", "retention.archive", "needs events_days or messages_days"),
        ("retention.events_days=0", "retention.events_days", ">= 1"),
    ],
)
def test_what_would_be_kept_nowhere_is_refused(folder: Folder, change: str, key: str, problem: str) -> None:
    error = folder.error(change)
    assert error.key == key
    assert problem in error.problem
