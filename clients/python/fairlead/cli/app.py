"""The commands put together, and the one place where errors become lines and exit codes."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from fairlead.cli import (
    calendars,
    executions,
    instruments,
    levers,
    live,
    orders,
    positions,
    prices,
    risk,
    sessions,
)
from fairlead.cli.basket import basket
from fairlead.cli.commands import Commands, OutputOption
from fairlead.cli.exits import ExitCode, exit_code
from fairlead.cli.output import ReaderGone
from fairlead.cli.settings import Settings, say
from fairlead.connection import DEFAULT_TARGET
from fairlead.errors import FairleadError

app = Commands(
    help="Trade through the Fairlead order router.",
    epilog=(
        "Exit codes: 0 done, 1 refused by the business, 2 wrong usage or request, 3 not found, 4 conflict, "
        "5 unavailable, 6 outcome unknown, 7 not allowed, 8 server fault, 130 interrupted."
    ),
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(orders.commands, name="order")
app.add_typer(executions.commands, name="exec")
app.add_typer(sessions.commands, name="session")
app.add_typer(positions.commands, name="position")
app.add_typer(instruments.commands, name="instrument")
app.add_typer(prices.commands, name="price")
app.add_typer(calendars.commands, name="calendar")
app.add_typer(risk.commands, name="risk")
app.command()(basket)
app.command()(levers.kill)
app.command()(levers.release)
app.command()(levers.pause)
app.command("reduce-only")(levers.reduce_only)
app.command()(levers.resume)
app.command()(levers.flatten)
app.command()(levers.trading)
app.add_typer(levers.dead_men, name="deadman")
app.add_typer(live.commands, name="live")


@app.callback()
def _global_options(
    context: typer.Context,
    server: Annotated[
        str, typer.Option(envvar="FAIRLEAD_SERVER", metavar="HOST:PORT", help="The router.")
    ] = DEFAULT_TARGET,
    person: Annotated[
        str,
        typer.Option("--as", envvar="FAIRLEAD_AS", metavar="NAME", help="Who you are, for the audit log."),
    ] = "",
    output: OutputOption = "table",
) -> None:
    context.obj = Settings(server, output, person)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        return int(app(args=arguments, prog_name="fairlead", standalone_mode=False) or ExitCode.DONE)
    except typer.TyperException as wrong:
        say(wrong.format_message())
        return ExitCode.USAGE
    except FairleadError as error:
        say(str(error))
        return exit_code(error)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except ReaderGone:
        # Python flushes stdout once more at exit, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.BROKEN_PIPE
