"""The configuration file as it is written: its tables, their keys, and what each key may hold."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from fairlead_server.domain.risk import Limits

_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,36}\Z")]
_CompId = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,64}\Z")]
_Host = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,253}\Z")]
_Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
_Day = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


class Table(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table of the file; a key that it does not know is an error."""


class ServerTable(Table):
    host: _Host = "127.0.0.1"
    port: _Port = 50051
    server_id: _Name = "fairlead-1"


class StoreTable(Table):
    url: str


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

    def limits(self) -> Limits:
        return Limits(
            self.max_order_quantity, self.max_order_notional, self.max_position, self.max_open_orders
        )


class AccountTable(LimitsTable):
    instruments: dict[_Name, LimitsTable] = {}
    blocked_instruments: list[_Name] = []
    kill_switch: bool = False
    duplicate_window_seconds: Decimal = Decimal(0)
    max_duplicates: Annotated[int, msgspec.Meta(ge=0)] = 0


class RiskTable(Table):
    kill_switch: bool = False
    blocked_instruments: list[_Name] = []
    max_reference_age_seconds: Annotated[int, msgspec.Meta(gt=0, le=31_536_000)] = 86400


class SpanTable(Table):
    days: list[_Day]
    start: time
    end: time


class CalendarTable(Table):
    zone: str
    spans: list[SpanTable]
    holidays: list[date] = []


class SessionTable(Table):
    begin_string: Literal["FIX.4.2", "FIX.4.4"]
    sender_comp_id: _CompId
    target_comp_id: _CompId
    host: _Host
    port: _Port
    default_account: _Name
    heart_bt_int: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 30
    username: str | None = None
    password: str | None = None
    reset_on_logon: bool = False
    validation: Literal["strict", "lenient"] = "strict"
    user_defined_tags: bool = False
    resend_stale_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 3000
    reconnect_max_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 60


class RouteTable(Table):
    route_id: _Name
    session_id: _Name
    accounts: list[_Name] = []
    instruments: list[_Name] = []


class File(Table):
    store: StoreTable
    instruments_file: str
    server: ServerTable = msgspec.field(default_factory=ServerTable)
    router: RouterTable = msgspec.field(default_factory=RouterTable)
    log: LogTable = msgspec.field(default_factory=LogTable)
    risk: RiskTable = msgspec.field(default_factory=RiskTable)
    accounts: dict[_Name, AccountTable] = {}
    calendars: dict[_Name, CalendarTable] = {}
    sessions: dict[_Name, SessionTable] = {}
    routes: list[RouteTable] = []
