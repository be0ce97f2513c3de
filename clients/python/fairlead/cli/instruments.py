"""`fairlead instrument list`."""

import typer

from fairlead.cli.columns import INSTRUMENTS
from fairlead.cli.commands import Commands
from fairlead.cli.output import show, to_json
from fairlead.cli.settings import settings

commands = Commands(help="Look at what can be traded.")


@commands.command("list")
def list_instruments(context: typer.Context) -> None:
    """List the instruments and their reference prices."""
    with settings(context).client() as client:
        show(client.list_instruments(), INSTRUMENTS, settings(context).output, to_json)


# A group with one command would lose the command's name without this.
@commands.callback()
def _instruments() -> None: ...
