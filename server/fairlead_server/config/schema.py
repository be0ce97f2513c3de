"""The configuration file as it is written: its tables, their keys, and what each key may hold."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from fairlead_server.domain.risk.limits import Mode
from fairlead_server.domain.risk.proposal import REQUIRED
from fairlead_server.domain.terms import OrderType, TimeInForce

_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,36}\Z")]
_CompId = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,64}\Z")]
_Host = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,253}\Z")]
_Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
_Day = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


ApplicationVersion = Literal["FIX.4.2", "FIX.4.3", "FIX.4.4", "FIX.5.0", "FIX.5.0SP1", "FIX.5.0SP2"]

LiveGate = Literal["open", "closed"]


class Table(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table of the file; a key that it does not know is an error."""


class ServerTable(Table):
    host: _Host = "127.0.0.1"
    port: _Port = 50051
    server_id: _Name = "fairlead-1"
    on_shutdown: Literal["leave", "cancel_all", "drain"] = "leave"
    shutdown_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 10


class StoreTable(Table):
    url: str


class RetentionTable(Table):
    events_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    messages_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    archive: Annotated[str, msgspec.Meta(min_length=1)] | None = None


class RouterTable(Table):
    router_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{2}\Z")] = "FL"
    shard: Annotated[int, msgspec.Meta(ge=0, le=35)] = 0


class LogTable(Table):
    level: Literal["debug", "info", "warning", "error"] = "info"


class LimitsTable(Table):
    max_order_quantity: Decimal | None = None
    max_order_notional: Decimal | None = None
    max_position: Decimal | None = None
    max_open_orders: Annotated[int, msgspec.Meta(ge=0)] | None = None

    def values(self) -> dict[str, Decimal]:
        """By the names of limits; what is not set is not there."""
        return {
            name: Decimal(value)
            for name in LimitsTable.__struct_fields__
            if (value := getattr(self, name)) is not None
        }


class MarginTable(Table):
    kind: Literal["cash", "margin"]
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]
    cash: Decimal
    rate: Decimal | None = None


class EndOfDayTable(Table):
    at: time | None = None
    zone: str | None = None
    calendar: _Name | None = None
    days: list[_Day] | None = None
    flatten: bool = True
    grace_minutes: Annotated[int, msgspec.Meta(ge=0, le=720)] = 30
    resume: bool = True


class AccountTable(LimitsTable):
    instruments: dict[_Name, LimitsTable] = {}
    blocked_instruments: list[_Name] = []
    kill_switch: bool = False
    halt_on_overfill: bool = False
    duplicate_window_seconds: Decimal = Decimal(0)
    max_duplicates: Annotated[int, msgspec.Meta(ge=0)] = 0
    day_zone: str = "UTC"
    day_start: time = time()
    margin: MarginTable | None = None
    end_of_day: EndOfDayTable | None = None
    live_gate: LiveGate = "open"


class LimitSetTable(Table):
    limit_id: _Name
    account: _Name = ""
    principal: _Name = ""
    instrument: _Name = ""
    strategy: _Name = ""
    session: _Name = ""
    mode: Mode = Mode.ENFORCE
    override: bool = False
    values: dict[str, Decimal] = {}
    lists: dict[str, list[str]] = {}
    note: str = ""


class RiskTable(Table):
    kill_switch: bool = False
    halt_on_overfill: bool = False
    two_person_release: bool = True
    blocked_instruments: list[_Name] = []
    max_reference_age_seconds: Annotated[int, msgspec.Meta(gt=0, le=31_536_000)] = 86400
    required_limits: list[str] = msgspec.field(default_factory=lambda: list(REQUIRED))


class SpanTable(Table):
    days: list[_Day]
    start: time
    end: time


class HoursTable(Table):
    start: time
    end: time


class SpecialDayTable(Table):
    date: date
    spans: list[HoursTable]
    cut_off: time | None = None


class CalendarTable(Table):
    zone: str
    spans: list[SpanTable]
    holidays: list[date] = []
    special_days: list[SpecialDayTable] = []
    cut_off: time | None = None


class EndpointTable(Table):
    host: _Host
    port: _Port


class TlsTable(Table):
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password: str | None = None
    server_name: str = ""
    pins: list[Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f:]{64,95}\Z")]] = []


class WindowTable(Table):
    days: list[_Day]
    start: time
    end: time
    end_day: _Day | None = None
    end_zone: str | None = None


class ResetTable(Table):
    days: list[_Day]
    at: time


class ScheduleTable(Table):
    zone: str
    windows: list[WindowTable] = []
    resets: list[ResetTable] = []
    holidays: list[date] = []


class CapabilitiesTable(Table):
    order_types: list[OrderType] = msgspec.field(default_factory=lambda: list(OrderType))
    times_in_force: list[TimeInForce] = msgspec.field(default_factory=lambda: list(TimeInForce))
    amend: bool = True
    display_quantity: bool = True
    min_quantity: bool = True
    post_only: bool = True


class SessionTable(Table):
    begin_string: Literal["FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1"]
    sender_comp_id: _CompId
    target_comp_id: _CompId
    default_account: _Name
    default_appl_ver_id: ApplicationVersion | None = None
    host: _Host | None = None
    port: _Port | None = None
    endpoints: list[EndpointTable] = []
    enabled: bool = True
    tls: TlsTable | None = None
    schedule: ScheduleTable | None = None
    heart_bt_int: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 30
    username: str | None = None
    password: str | None = None
    logon_fields: dict[Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,8}\Z")], str] = {}
    next_expected: bool = False
    last_processed: bool = False
    reset_on: list[Literal["logon", "logout", "disconnect"]] = []
    unasked_reset: Literal["accept", "refuse", "halt"] = "refuse"
    seq_recovery: Literal["manual", "trust_peer"] = "manual"
    too_low: Literal["logout", "reject"] = "logout"
    sending_time_accuracy_seconds: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 120
    time_precision: Literal["seconds", "milliseconds", "microseconds"] | None = None
    validation: Literal["strict", "lenient"] = "strict"
    user_defined_tags: bool = False
    resend_chunk: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    resend_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    resend_rate: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000
    resend_stale_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 3000
    reconnect_max_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 60
    max_messages_per_second: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    burst: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    more_cancels_per_second: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    max_queue_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] | None = None
    inflight_warn_ms: Annotated[int, msgspec.Meta(ge=0, le=3_600_000)] = 5_000
    inflight_alarm_ms: Annotated[int, msgspec.Meta(ge=0, le=3_600_000)] = 30_000
    mass_status: bool = False
    mass_cancel: bool = False
    chain_mode: Literal["serial", "chained", "accepted"] = "serial"
    replace_qty: Literal["total", "working"] = "total"
    allow_replace_filled: bool = False
    dont_know_trade: bool = False
    live_gate: LiveGate = "open"
    exec_id_scope: Literal["session", "day", "symbol_day"] = "session"
    capabilities: CapabilitiesTable = msgspec.field(default_factory=CapabilitiesTable)


class RouteTable(Table):
    route_id: _Name
    session_id: _Name
    accounts: list[_Name] = []
    instruments: list[_Name] = []


class File(Table):
    store: StoreTable
    instruments_file: str
    server: ServerTable = msgspec.field(default_factory=ServerTable)
    retention: RetentionTable = msgspec.field(default_factory=RetentionTable)
    router: RouterTable = msgspec.field(default_factory=RouterTable)
    log: LogTable = msgspec.field(default_factory=LogTable)
    risk: RiskTable = msgspec.field(default_factory=RiskTable)
    accounts: dict[_Name, AccountTable] = {}
    limits: list[LimitSetTable] = []
    calendars: dict[_Name, CalendarTable] = {}
    sessions: dict[_Name, SessionTable] = {}
    routes: list[RouteTable] = []
