"""`fairlead price`: look at the reference prices, and set them by hand."""

from collections.abc import Sequence
from typing import Annotated

import typer

from fairlead import errors
from fairlead.cli.columns import PRICES
from fairlead.cli.commands import Commands
from fairlead.cli.exits import exit_code, gravest
from fairlead.cli.output import show, to_json
from fairlead.cli.settings import moment, say, settings
from fairlead.values import PriceUpdate

commands = Commands(help="Look at the reference prices, and set them.")

MANUAL = "manual"


@commands.command("list")
def list_(
    context: typer.Context,
    instrument: Annotated[
        list[str] | None, typer.Argument(metavar="[INSTRUMENT]...", help="Only these.")
    ] = None,
) -> None:
    """List the reference prices, their ages and where they come from."""
    with settings(context).client() as client:
        wanted = set(instrument or ())
        found = [each for each in client.list_instruments() if not wanted or each.instrument_id in wanted]
    show(found, PRICES, settings(context).output, to_json)


@commands.command("set")
def set_(
    context: typer.Context,
    price: Annotated[list[str], typer.Argument(metavar="INSTRUMENT=PRICE...", help="Such as AAPL=230.10.")],
    *,
    source: Annotated[str, typer.Option(help="Where they come from.")] = MANUAL,
    reason: Annotated[str, typer.Option(help="Why, for the audit log; needed by hand.")] = "",
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="As of when, as in 2026-11-20T16:00:00Z; else now.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also where a later price is known.")] = False,
) -> int:
    """Set reference prices; says of each that was not set why."""
    updates = _updates(price, at)
    with settings(context).client() as client:
        answer = client.update_reference_prices(updates, source=source, reason=reason, force=force)
    found = [errors.from_status(failure.error) for failure in answer.failures]
    for error in found:
        say(str(error))
    return gravest({exit_code(error) for error in found})


def _updates(texts: Sequence[str], at: str | None) -> list[PriceUpdate]:
    time = moment(at) if at else None
    updates: list[PriceUpdate] = []
    for text in texts:
        instrument, equals, price = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not INSTRUMENT=PRICE, such as AAPL=230.10")
        updates.append({"instrument_id": instrument, "price": price, "price_time": time})
    return updates
