"""What tables and CSV say of orders, events, sessions and instruments."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import NamedTuple

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from fairlead.cli.output import Column
from fairlead.v1 import common_pb2, execution_service_pb2, reference_service_pb2, session_service_pb2
from fairlead.v1.common_pb2 import Order, Reject
from fairlead.v1.execution_service_pb2 import ExecutionEvent
from fairlead.v1.reference_service_pb2 import (
    Calendar,
    ImportedInstrument,
    Instrument,
    InstrumentBackup,
    ReferencePrice,
    SpecialDay,
    TradingSpan,
)
from fairlead.v1.session_service_pb2 import MessageField, Session, SessionMessage, VenueRules


def short(enum: EnumDescriptor, number: int) -> str:
    """The value's name without the enum's, in small letters; a number that is not known stays a number."""
    value = enum.values_by_number.get(number)
    if value is None:
        return str(number)
    unspecified = enum.values_by_number[0].name
    name: str = value.name.removeprefix(unspecified.removesuffix("UNSPECIFIED"))
    return name.lower()


def instant(time: Timestamp) -> str:
    """The time in UTC to the millisecond; empty if it is not set."""
    if not (time.seconds or time.nanos):
        return ""
    return time.ToDatetime().isoformat(sep=" ", timespec="milliseconds") + "Z"


def reason(reject: Reject) -> str:
    """Every reason, the first first; empty if nothing was rejected."""
    breaches = [breach.reason for breach in reject.breaches] or ([reject.reason] if reject.reason else [])
    return " ".join(dict.fromkeys(short(common_pb2.RejectReason.DESCRIPTOR, each) for each in breaches))


def state(order: Order) -> str:
    """The state, with what is going on beside it."""
    pending = order.pending_action in {
        common_pb2.PENDING_ACTION_AMEND,
        common_pb2.PENDING_ACTION_CANCEL,
    }
    marks = (
        short(common_pb2.OrderState.DESCRIPTOR, order.state),
        f"({short(common_pb2.PendingAction.DESCRIPTOR, order.pending_action)} pending)" if pending else "",
        "(in doubt)" if order.in_doubt else "",
    )
    return " ".join(filter(None, marks))


def rule(field: FieldDescriptor, session: Session) -> str:
    """One rule of the session's venue; empty where it comes without them."""
    if not session.HasField("venue_rules"):
        return ""
    value = getattr(session.venue_rules, field.name)
    if field.enum_type is not None:
        numbers = [value] if isinstance(value, int) else value
        return " ".join(short(field.enum_type, number) for number in numbers)
    if isinstance(value, Duration):
        return f"{value.ToTimedelta().total_seconds():g} s"
    return "yes" if value else "no"


ORDERS: Sequence[Column[Order]] = (
    Column("order_id", lambda order: order.order_id, width=26),
    Column("client_order_id", lambda order: order.client_order_id, width=36),
    Column("account", lambda order: order.account_id),
    Column("instrument", lambda order: order.instrument_id),
    Column("side", lambda order: short(common_pb2.Side.DESCRIPTOR, order.side), width=5),
    Column("quantity", lambda order: order.quantity, number=True),
    Column("type", lambda order: short(common_pb2.OrderType.DESCRIPTOR, order.order_type)),
    Column("price", lambda order: order.price or order.stop_price, number=True),
    Column("tif", lambda order: short(common_pb2.TimeInForce.DESCRIPTOR, order.time_in_force), width=4),
    Column("state", state, width=20),
    Column("filled", lambda order: order.cum_quantity, number=True),
    Column("average", lambda order: order.average_price, number=True),
    Column("version", lambda order: str(order.version), number=True, width=7),
    Column("created", lambda order: instant(order.create_time), width=24),
    Column("reason", lambda order: reason(order.reject)),
)

EVENTS: Sequence[Column[ExecutionEvent]] = (
    Column("time", lambda event: instant(event.commit_time), width=24),
    Column("sequence", lambda event: str(event.sequence), number=True, width=8),
    Column(
        "event", lambda event: short(execution_service_pb2.ExecutionKind.DESCRIPTOR, event.kind), width=16
    ),
    Column("order_id", lambda event: event.order.order_id, width=26),
    Column("account", lambda event: event.order.account_id, width=8),
    Column("instrument", lambda event: event.order.instrument_id, width=10),
    Column("side", lambda event: short(common_pb2.Side.DESCRIPTOR, event.order.side), width=5),
    Column("quantity", lambda event: event.order.quantity, number=True, width=9),
    Column("last", lambda event: event.fill.quantity, number=True, width=9),
    Column("at", lambda event: event.fill.price, number=True, width=10),
    Column("filled", lambda event: event.order.cum_quantity, number=True, width=9),
    Column("state", lambda event: state(event.order), width=20),
    Column("reason", lambda event: reason(event.reject)),
)

SESSIONS: Sequence[Column[Session]] = (
    Column("session", lambda session: session.session_id),
    Column(
        "state", lambda session: short(session_service_pb2.SessionState.DESCRIPTOR, session.state), width=13
    ),
    Column("version", lambda session: session.begin_string, width=8),
    Column("sender", lambda session: session.sender_comp_id),
    Column("target", lambda session: session.target_comp_id),
    Column("address", lambda session: f"{session.host}:{session.port}", width=20),
    Column("next_in", lambda session: str(session.next_in), number=True, width=8),
    Column("next_out", lambda session: str(session.next_out), number=True, width=8),
    Column("queued", lambda session: str(session.queued), number=True, width=6),
    Column("since", lambda session: instant(session.state_time), width=24),
    Column("reason", lambda session: session.state_reason),
)

# What one session is shown with beside those, line by line.
DETAILS: Sequence[Column[Session]] = (
    *SESSIONS,
    Column("repair", lambda session: session.repair),
    Column("stopped", lambda session: "stopped" if session.stopped else ""),
    Column("tls", lambda session: "tls" if session.tls else ""),
    Column("epoch", lambda session: str(session.epoch)),
    Column("connection", lambda session: str(session.connection_number)),
    Column("heart_bt_int", lambda session: f"{session.heart_bt_int} s"),
    Column("unsent_bytes", lambda session: str(session.unsent_bytes)),
    Column("connected", lambda session: instant(session.connect_time)),
    Column("active", lambda session: instant(session.active_time)),
    Column("last_sent", lambda session: instant(session.last_sent_time)),
    Column("last_received", lambda session: instant(session.last_received_time)),
    Column("next_open", lambda session: instant(session.next_open_time)),
    Column("next_close", lambda session: instant(session.next_close_time)),
    Column("next_reset", lambda session: instant(session.next_reset_time)),
    *(Column(field.name, partial(rule, field)) for field in VenueRules.DESCRIPTOR.fields),
)

# Tags that the other columns say, or that say nothing to a person.
_ENVELOPE = frozenset({8, 9, 10, 34, 35, 49, 52, 56})


def spelled(field: MessageField) -> str:
    """As `Side=1(Buy)`; the tag's number where it has no name."""
    meaning = f"({field.meaning})" if field.meaning else ""
    return f"{field.name or field.tag}={field.value}{meaning}"


def fields(message: SessionMessage) -> str:
    """All that a person wants to read; the raw text of a message that cannot be taken apart."""
    shown = (spelled(field) for field in message.fields if field.tag not in _ENVELOPE)
    return " ".join(shown) if message.fields else message.raw


MESSAGES: Sequence[Column[SessionMessage]] = (
    Column("time", lambda message: instant(message.time), width=24),
    Column(
        "way",
        lambda message: short(session_service_pb2.MessageDirection.DESCRIPTOR, message.direction),
        width=3,
    ),
    Column("number", lambda message: str(message.msg_seq_num), number=True, width=7),
    Column("type", lambda message: message.msg_type_name or message.msg_type, width=25),
    Column("fields", fields),
)


class Planned(NamedTuple):
    """One line of a session's plan, and the zone in which its hours are written."""

    what: str
    time: datetime | None
    until: datetime | None
    zone: tzinfo


def _local(time: datetime | None, zone: tzinfo) -> str:
    return time.astimezone(zone).strftime("%a %Y-%m-%d %H:%M:%S %Z") if time else ""


PLAN: Sequence[Column[Planned]] = (
    Column("what", lambda planned: planned.what),
    Column("utc", lambda planned: _local(planned.time, UTC)),
    Column("until_utc", lambda planned: _local(planned.until, UTC)),
    Column("local", lambda planned: _local(planned.time, planned.zone)),
    Column("until_local", lambda planned: _local(planned.until, planned.zone)),
)


def age(price: ReferencePrice) -> str:
    """In whole seconds; empty where there is no price."""
    return f"{price.age.seconds} s" if price.price else ""


PRICES: Sequence[Column[Instrument]] = (
    Column("instrument", lambda instrument: instrument.instrument_id),
    Column("price", lambda instrument: instrument.reference_price.price, number=True),
    Column("currency", lambda instrument: instrument.currency),
    Column("age", lambda instrument: age(instrument.reference_price), number=True),
    Column("as_of", lambda instrument: instant(instrument.reference_price.price_time)),
    Column("source", lambda instrument: instrument.reference_price.source),
    Column("bid", lambda instrument: instrument.reference_price.bid, number=True),
    Column("ask", lambda instrument: instrument.reference_price.ask, number=True),
    Column("last", lambda instrument: instrument.reference_price.last, number=True),
)

INSTRUMENTS: Sequence[Column[Instrument]] = (
    Column("instrument", lambda instrument: instrument.instrument_id),
    Column("symbol", lambda instrument: instrument.symbol),
    Column("currency", lambda instrument: instrument.currency),
    Column("tick", lambda instrument: instrument.tick_size, number=True),
    Column("lot", lambda instrument: instrument.lot_size, number=True),
    Column("min", lambda instrument: instrument.min_quantity, number=True),
    Column("reference", lambda instrument: instrument.reference_price.price, number=True),
    Column("as_of", lambda instrument: instant(instrument.reference_price.price_time)),
    Column("halted", lambda instrument: "halted" if instrument.halted else ""),
)

# What one instrument is shown with, line by line.
INSTRUMENT: Sequence[Column[Instrument]] = (
    *INSTRUMENTS,
    Column("price_source", lambda one: one.reference_price.source),
    Column("price_age", lambda one: age(one.reference_price)),
    Column("kind", lambda one: one.kind),
    Column("multiplier", lambda one: one.multiplier),
    Column("tick_table", lambda one: ";".join(f"{b.begin_price}:{b.tick_size}" for b in one.tick_table)),
    Column("shorting", lambda one: short(reference_service_pb2.Shorting.DESCRIPTOR, one.shorting)),
    Column("short_sale_restricted", lambda one: "restricted" if one.short_sale_restricted else ""),
    Column("average_daily_volume", lambda one: one.average_daily_volume),
    Column("order_types", lambda one: _words(common_pb2.OrderType.DESCRIPTOR, one.order_types)),
    Column("times_in_force", lambda one: _words(common_pb2.TimeInForce.DESCRIPTOR, one.times_in_force)),
    Column("margin_rate", lambda one: one.margin_rate),
    Column("max_reference_age", lambda one: _span(one, "max_reference_age")),
    Column("calendar", lambda one: one.calendar_id),
    Column("time_zone", lambda one: one.trading_hours.time_zone),
    Column("origin", lambda one: short(reference_service_pb2.InstrumentOrigin.DESCRIPTOR, one.origin)),
    Column("changed", lambda one: " ".join(one.changed_columns)),
    Column("etag", lambda one: one.etag),
)


def _words(enum: EnumDescriptor, numbers: Iterable[int]) -> str:
    return " ".join(short(enum, number) for number in numbers)


def _span(message: Message, name: str) -> str:
    return f"{getattr(message, name).ToTimedelta().total_seconds():g} s" if message.HasField(name) else ""


CALENDARS: Sequence[Column[Calendar]] = (
    Column("calendar", lambda one: one.calendar_id),
    Column("time_zone", lambda one: one.time_zone),
    Column("open", lambda one: "cut off" if one.after_cut_off else "open" if one.open else "closed"),
    Column("next_open", lambda one: instant(one.next_open_time)),
    Column("next_close", lambda one: instant(one.next_close_time)),
    Column("origin", lambda one: short(reference_service_pb2.InstrumentOrigin.DESCRIPTOR, one.origin)),
)

# What one calendar is shown with, line by line.
CALENDAR: Sequence[Column[Calendar]] = (
    *CALENDARS,
    Column("spans", lambda one: ", ".join(map(_weekly, one.spans))),
    Column("holidays", lambda one: " ".join(one.holidays)),
    Column("special_days", lambda one: ", ".join(map(_special, one.special_days))),
    Column("cut_off", lambda one: one.cut_off),
    Column("etag", lambda one: one.etag),
)


def _weekly(span: TradingSpan) -> str:
    days = "/".join(short(reference_service_pb2.DayOfWeek.DESCRIPTOR, day)[:3] for day in span.days)
    return f"{days} {span.opens}-{span.closes}"


def _special(day: SpecialDay) -> str:
    hours = " ".join(f"{each.opens}-{each.closes}" for each in day.hours) or "closed"
    return f"{day.date} {hours}" + (f" cut off {day.cut_off}" if day.cut_off else "")


IMPORTED: Sequence[Column[ImportedInstrument]] = (
    Column("line", lambda line: str(line.line or ""), number=True),
    Column("instrument", lambda line: line.instrument_id),
    Column("outcome", lambda line: short(reference_service_pb2.ImportOutcome.DESCRIPTOR, line.outcome)),
    Column("columns", lambda line: " ".join(line.columns)),
)

BACKUPS: Sequence[Column[InstrumentBackup]] = (
    Column("backup", lambda backup: backup.backup_id),
    Column("time", lambda backup: instant(backup.time)),
    Column("by", lambda backup: backup.principal),
    Column("instruments", lambda backup: str(backup.count), number=True),
    Column("reason", lambda backup: backup.reason),
)
