"""`fairlead exec`: watch and list what happens to orders."""

from itertools import islice
from typing import Annotated

import typer

from fairlead.cli.columns import EVENTS
from fairlead.cli.commands import Commands
from fairlead.cli.orders import AccountsOption, InstrumentsOption, LimitOption
from fairlead.cli.output import follow, show, to_json
from fairlead.cli.settings import member, moment, say, settings
from fairlead.values import FILLS, ExecutionKind, StartPosition

commands = Commands(help="Watch and list what happens to orders.")

KindsOption = Annotated[list[str] | None, typer.Option("--kind", help="Only this kind; repeatable.")]
FillsOption = Annotated[bool, typer.Option("--fills", help="Only fills, busts and corrections.")]
AfterOption = Annotated[
    str | None, typer.Option("--after", metavar="CURSOR", help="Start after this cursor.")
]
SinceOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="Start after this time, as in 2026-11-20T16:00:00Z.")
]


@commands.command()
def watch(
    context: typer.Context,
    account: AccountsOption = None,
    instrument: InstrumentsOption = None,
    kind: KindsOption = None,
    after: AfterOption = None,
    since: SinceOption = None,
    *,
    fills: FillsOption = False,
    earliest: Annotated[bool, typer.Option("--earliest", help="Start with the oldest event.")] = False,
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End when all that has happened was shown.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
) -> None:
    """Show events as they happen, until Ctrl-C; outages are bridged. (JSON is one line an event.)"""
    options = settings(context)
    with (
        options.client() as client,
        client.subscribe(
            account_ids=account or (),
            instrument_ids=instrument or (),
            kinds=_kinds(kind, fills=fills),
            after_cursor=after,
            after_time=moment(since) if since else None,
            position=StartPosition.EARLIEST if earliest else None,
            until_caught_up=until_caught_up,
        ) as subscription,
    ):
        write = follow(EVENTS, options.output, to_json)
        try:
            for event in islice(subscription, limit):
                write(event)
        finally:
            if subscription.cursor:
                say(f"go on with --after {subscription.cursor}")


@commands.command("list")
def list_(
    context: typer.Context,
    account: AccountsOption = None,
    instrument: InstrumentsOption = None,
    kind: KindsOption = None,
    after: AfterOption = None,
    since: SinceOption = None,
    *,
    fills: FillsOption = False,
    limit: LimitOption = 1000,
) -> None:
    """List events, oldest first."""
    with settings(context).client() as client:
        events = client.list_executions(
            account_ids=account or (),
            instrument_ids=instrument or (),
            kinds=_kinds(kind, fills=fills),
            after_cursor=after,
            after_time=moment(since) if since else None,
            page_size=min(limit, 1000),
        )
        show(islice(events, limit), EVENTS, settings(context).output, to_json)


def _kinds(names: list[str] | None, *, fills: bool) -> list[ExecutionKind]:
    return [*(member(ExecutionKind, name) for name in names or ()), *(FILLS if fills else ())]
