"""`fairlead session`: look at the FIX sessions, read what they say, and operate them."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, NamedTuple, Unpack
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from fairlead.cli.columns import DETAILS, MESSAGES, PLAN, SESSIONS, Planned
from fairlead.cli.commands import Commands
from fairlead.cli.output import Column, follow, show, show_facts, show_one, to_json
from fairlead.cli.settings import member, moment, order_named, say, settings
from fairlead.client import Client
from fairlead.v1.session_service_pb2 import (
    GetSessionScheduleResponse,
    ReloadSessionsResponse,
    Session,
    SessionMessage,
    SessionWindow,
)
from fairlead.values import MessageDirection, MessageQuery
from fairlead.watching import SessionRemoved

commands = Commands(help="Look at the FIX sessions, read what they say, and operate them.")

_POLL_SECONDS = 1.0
_OVERLAP = timedelta(seconds=10)  # messages are written down in another order than that of their times

SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="Its configured name.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the audit log.")]


class _Line(NamedTuple):
    """One fact of a session."""

    name: str
    value: str


@commands.command("list")
def list_(context: typer.Context) -> None:
    """List the FIX sessions and their states."""
    with settings(context).client() as client:
        show(client.list_sessions(), SESSIONS, settings(context).output, to_json)


@commands.command()
def get(context: typer.Context, session: SessionArgument) -> None:
    """Show all that is known of one session."""
    with settings(context).client() as client:
        found = client.get_session(session)
    show_facts(found, DETAILS, settings(context).output, to_json)


@commands.command()
def watch(
    context: typer.Context,
    session: Annotated[list[str] | None, typer.Argument(metavar="[SESSION]...", help="Only these.")] = None,
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many lines.")] = None,
) -> None:
    """Show each session, and again when it changes, until Ctrl-C; outages are bridged. (JSON is one line each.)"""
    options = settings(context)
    with options.client() as client, client.watch_sessions(*(session or ())) as sessions:
        write = follow(SESSIONS, options.output, to_json)
        for update in islice(sessions.updates(), limit):
            if isinstance(update, SessionRemoved):
                say(f"{update.session_id} is not configured any more")
            else:
                write(update)


@commands.command()
def start(context: typer.Context, session: SessionArgument, *, reason: ReasonOption) -> None:
    """Let a session connect, also one that is halted."""
    with settings(context).client() as client:
        _show(context, client.start_session(session, reason=reason))


@commands.command()
def stop(context: typer.Context, session: SessionArgument, *, reason: ReasonOption) -> None:
    """Log a session out and keep it away until it is started."""
    with settings(context).client() as client:
        _show(context, client.stop_session(session, reason=reason))


@commands.command()
def reset(
    context: typer.Context,
    session: SessionArgument,
    *,
    expected_in: Annotated[int, typer.Option(help="next_in as you have seen it.")],
    expected_out: Annotated[int, typer.Option(help="next_out as you have seen it.")],
    next_in: Annotated[int, typer.Option(min=1, help="The next number to expect.")] = 1,
    next_out: Annotated[int, typer.Option(min=1, help="The next number to use.")] = 1,
    reason: ReasonOption,
) -> None:
    """Replace the sequence numbers of a stopped session, as agreed with the venue."""
    with settings(context).client() as client:
        replaced = client.reset_session(
            session,
            expected_next_in=expected_in,
            expected_next_out=expected_out,
            next_in=next_in,
            next_out=next_out,
            reason=reason,
        )
    _show(context, replaced)


@commands.command()
def schedule(
    context: typer.Context,
    session: SessionArgument,
    *,
    days: Annotated[int, typer.Option(min=1, max=366, help="So many days from now on.")] = 7,
) -> None:
    """Show when a session is open in the next days and when its numbers start anew."""
    with settings(context).client() as client:
        plan = client.session_schedule(session, days=days)
    if settings(context).output == "json":
        show_one(plan, (), "json", to_json)
    else:
        show(_planned(plan), PLAN, settings(context).output, _plan_json)


@commands.command()
def messages(
    context: typer.Context,
    session: SessionArgument,
    *,
    direction: Annotated[str | None, typer.Option(help="Only in, or only out.")] = None,
    msg_type: Annotated[
        list[str] | None, typer.Option("--type", help="Only this MsgType(35); repeatable.")
    ] = None,
    order: Annotated[str, typer.Option(help="Only with this ClOrdID, OrigClOrdID or OrderID.")] = "",
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Not before this time.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
    from_number: Annotated[int | None, typer.Option(min=1, help="From this MsgSeqNum on.")] = None,
    to_number: Annotated[int | None, typer.Option(min=1, help="Up to this MsgSeqNum.")] = None,
    epoch: Annotated[int | None, typer.Option(min=1, help="Only of this epoch of the numbers.")] = None,
    earliest: Annotated[bool, typer.Option("--earliest", help="The oldest instead of the newest.")] = False,
    follows: Annotated[bool, typer.Option("--follow", help="Go on with new ones until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, before new ones.")] = 20,
) -> None:
    """Show messages of a session, the newest last."""
    if follows and (earliest or until):
        raise typer.BadParameter("--follow goes on with new messages: it takes no --earliest and no --until")
    query: MessageQuery = {
        "direction": member(MessageDirection, direction) if direction else None,
        "msg_types": msg_type or (),
        "order": order,
        "start_time": moment(since) if since else None,
        "end_time": moment(until) if until else None,
        "min_msg_seq_num": from_number or 0,
        "max_msg_seq_num": to_number or 0,
        "epoch": epoch or 0,
        "oldest_first": earliest,
    }
    options = settings(context)
    with options.client() as client:
        found = list(
            islice(client.list_session_messages(session, page_size=min(limit, 1000), **query), limit)
        )
        shown = found if earliest else found[::-1]
        if not follows and options.output == "json":
            show(shown, MESSAGES, "json", to_json)
            return
        write = follow(MESSAGES, options.output, to_json)
        for message in shown:
            write(message)
        if follows:
            for message in _newer(client, session, shown, **query):
                write(message)


@commands.command()
def status(
    context: typer.Context,
    order: Annotated[
        str | None, typer.Argument(metavar="[ORDER]", help="ORDER_ID or ACCOUNT/CLIENT_ORDER_ID.")
    ] = None,
    *,
    session: Annotated[str | None, typer.Option(help="Every live order of this session instead.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")] = "",
) -> None:
    """Have the venue asked how an order stands, or every live order of a session; answers come as events."""
    with settings(context).client() as client:
        named = None if order is None else order_named(order)
        asked = client.request_order_status(named, session_id=session, reason=reason)
    show_one(asked, _ASKED, settings(context).output, lambda count: {"asked": count})


@commands.command()
def reload(context: typer.Context, *, reason: ReasonOption) -> None:
    """Have the server read the sessions of its configuration file anew and apply what is different."""
    with settings(context).client() as client:
        done = client.reload_sessions(reason=reason)
    if settings(context).output == "json":
        show_one(done, (), "json", to_json)
    else:
        show(_reloaded(done), _RELOADED, settings(context).output, _Line._asdict)


_ASKED: Sequence[Column[int]] = (Column("asked", str, number=True),)
_RELOADED: Sequence[Column[_Line]] = (
    Column("session", lambda line: line.name),
    Column("change", lambda line: line.value),
)


def _reloaded(done: ReloadSessionsResponse) -> Iterator[_Line]:
    changes = {
        "added": done.added_session_ids,
        "changed": done.changed_session_ids,
        "removed": done.removed_session_ids,
    }
    yield from (_Line(session_id, change) for change, names in changes.items() for session_id in names)
    counts = {"instruments": done.changed_instrument_count, "calendars": done.changed_calendar_count}
    yield from (_Line(what, f"{count} changed") for what, count in counts.items() if count)


def _show(context: typer.Context, session: Session) -> None:
    show_one(session, SESSIONS, settings(context).output, to_json)


def _planned(plan: GetSessionScheduleResponse) -> list[Planned]:
    zone = _zone(plan.time_zone)
    windows = [_open(window, zone) for window in plan.windows]
    resets = [Planned("reset", at.ToDatetime(UTC), None, zone) for at in plan.reset_times]
    return sorted([*windows, *resets], key=lambda planned: planned.time or datetime.min.replace(tzinfo=UTC))


def _open(window: SessionWindow, zone: ZoneInfo) -> Planned:
    since = window.open_time.ToDatetime(UTC) if window.HasField("open_time") else None
    until = window.close_time.ToDatetime(UTC) if window.HasField("close_time") else None
    return Planned("open" if since or until else "always open", since, until, zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        say(f"this machine does not know the zone {name!r}, local times are UTC")
        return ZoneInfo("UTC")


def _plan_json(planned: Planned) -> dict[str, str]:
    times = {"time": planned.time, "until": planned.until}
    return {
        "what": planned.what,
        **{name: time.isoformat() for name, time in times.items() if time},
        "zone": str(planned.zone),
    }


def _newer(
    client: Client, session: str, shown: list[SessionMessage], **query: Unpack[MessageQuery]
) -> Iterator[SessionMessage]:
    """What is written down after what was shown, as it comes."""
    last_id = max((message.message_id for message in shown), default=0)
    newest = shown[-1].time.ToDatetime(UTC) if shown else None
    query["oldest_first"] = True
    while True:
        time.sleep(_POLL_SECONDS)
        if newest is not None:
            query["start_time"] = newest - _OVERLAP
        listed = client.list_session_messages(session, page_size=1000, **query)
        fresh = [message for message in listed if message.message_id > last_id]
        yield from fresh
        last_id = max([last_id, *(message.message_id for message in fresh)])
        newest = fresh[-1].time.ToDatetime(UTC) if fresh else newest
