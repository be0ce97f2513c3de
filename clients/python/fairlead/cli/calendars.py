"""`fairlead calendar`: when markets are open."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fairlead.cli.calendar_file import CalendarError, read_calendar
from fairlead.cli.columns import CALENDAR, CALENDARS
from fairlead.cli.commands import Commands
from fairlead.cli.output import show, show_facts, to_json
from fairlead.cli.settings import settings
from fairlead.v1.reference_service_pb2 import Calendar

commands = Commands(help="Look at when markets are open, and change it.")

CalendarArgument = Annotated[str, typer.Argument(metavar="CALENDAR", help="Its name.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the audit log.")]
EtagOption = Annotated[str, typer.Option(help="Only if it is as it was seen with this etag.")]


@commands.command("list")
def list_(context: typer.Context) -> None:
    """List the calendars, and which of them are open."""
    with settings(context).client() as client:
        show(client.list_calendars(), CALENDARS, settings(context).output, to_json)


@commands.command("show")
def show_(context: typer.Context, calendar: CalendarArgument) -> None:
    """Show all that is known of one calendar."""
    with settings(context).client() as client:
        _show(context, client.get_calendar(calendar))


@commands.command()
def put(
    context: typer.Context,
    calendar: CalendarArgument,
    file: Annotated[
        Path, typer.Argument(help="TOML, as a table of the server's file has it; - is standard input.")
    ],
    *,
    reason: ReasonOption,
    etag: EtagOption = "",
) -> None:
    """Have a calendar as a file says; its instruments go by it at once."""
    wanted = _read(calendar, file)
    wanted.etag = etag
    with settings(context).client() as client:
        _show(context, client.put_calendar(wanted, reason=reason))


@commands.command()
def delete(
    context: typer.Context, calendar: CalendarArgument, *, reason: ReasonOption, etag: EtagOption = ""
) -> None:
    """Forget a calendar that was put: it is as the server's file has it, or gone."""
    with settings(context).client() as client:
        left = client.delete_calendar(calendar, reason=reason, etag=etag)
    if left is not None:
        _show(context, left)


def _show(context: typer.Context, calendar: Calendar) -> None:
    show_facts(calendar, CALENDAR, settings(context).output, to_json)


def _read(calendar: str, file: Path) -> Calendar:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
        return read_calendar(calendar, text)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not UTF-8 text") from None
    except CalendarError as error:
        raise typer.BadParameter(f"{file}: {error}") from None
