"""`fairlead session list` and `fairlead instrument list`."""

import typer

from fairlead.cli.columns import INSTRUMENTS, SESSIONS
from fairlead.cli.output import show, to_json
from fairlead.cli.settings import settings

sessions = typer.Typer(help="Look at the FIX sessions.")
instruments = typer.Typer(help="Look at what can be traded.")


@sessions.command("list")
def list_sessions(context: typer.Context) -> None:
    """List the FIX sessions and their states."""
    with settings(context).client() as client:
        show(client.list_sessions(), SESSIONS, settings(context).output, to_json)


@instruments.command("list")
def list_instruments(context: typer.Context) -> None:
    """List the instruments and their reference prices."""
    with settings(context).client() as client:
        show(client.list_instruments(), INSTRUMENTS, settings(context).output, to_json)


# A group with one command would lose the command's name without these.
@sessions.callback()
def _sessions() -> None: ...


@instruments.callback()
def _instruments() -> None: ...
