"""`fairlead position`: what is held, what it has earned, and what was done on each day."""

from collections.abc import Sequence
from datetime import date
from itertools import islice
from typing import Annotated

import typer

from fairlead.cli.columns import instant
from fairlead.cli.commands import Commands
from fairlead.cli.output import Column, follow, show, show_one, to_json
from fairlead.cli.settings import say, settings
from fairlead.positions import PositionGone, PositionQuery
from fairlead.v1.position_service_pb2 import DailyTotal, Position

commands = Commands(help="Look at positions, their P&L, and what was done on each day.")

POSITIONS: Sequence[Column[Position]] = (
    Column("account", lambda position: position.account_id),
    Column("instrument", lambda position: position.instrument_id),
    Column("strategy", lambda position: position.strategy_id),
    Column("quantity", lambda position: position.quantity, number=True),
    Column("average", lambda position: position.average_price, number=True),
    Column("price", lambda position: position.reference_price, number=True),
    Column("realised", lambda position: position.realised_pnl, number=True),
    Column("today", lambda position: position.day_realised_pnl, number=True),
    Column("unrealised", lambda position: position.unrealised_pnl, number=True),
    Column("highest", lambda position: position.highest_pnl, number=True),
    Column("lowest", lambda position: position.lowest_pnl, number=True),
    Column("currency", lambda position: position.currency, width=8),
    Column("updated", lambda position: instant(position.update_time), width=24),
)
DAYS: Sequence[Column[DailyTotal]] = (
    Column("day", lambda total: total.day),
    Column("account", lambda total: total.account_id),
    Column("instrument", lambda total: total.instrument_id),
    Column("strategy", lambda total: total.strategy_id),
    Column("session", lambda total: total.session_id),
    Column("orders", lambda total: str(total.orders), number=True),
    Column("fills", lambda total: str(total.fills), number=True),
    Column("bought", lambda total: total.bought_quantity, number=True),
    Column("bought_value", lambda total: total.bought_value, number=True),
    Column("sold", lambda total: total.sold_quantity, number=True),
    Column("sold_value", lambda total: total.sold_value, number=True),
    Column("realised", lambda total: total.realised_pnl, number=True),
    Column("currency", lambda total: total.currency),
)

AccountOption = Annotated[list[str] | None, typer.Option(help="Only of this account; repeatable.")]
InstrumentOption = Annotated[list[str] | None, typer.Option(help="Only in this instrument; repeatable.")]
StrategyOption = Annotated[list[str] | None, typer.Option(help="Only of this strategy; repeatable.")]
HeldOption = Annotated[bool, typer.Option("--held", help="Only what is not flat.")]
SumOption = Annotated[
    bool, typer.Option("--sum", help="Sum over the strategies of each account and instrument.")
]


@commands.command("list")
def list_(
    context: typer.Context,
    *,
    account: AccountOption = None,
    instrument: InstrumentOption = None,
    strategy: StrategyOption = None,
    held: HeldOption = False,
    sums: SumOption = False,
) -> None:
    """List the positions."""
    with settings(context).client() as client:
        found = client.list_positions(sum_strategies=sums, **_query(account, instrument, strategy, held=held))
        show(found, POSITIONS, settings(context).output, to_json)


@commands.command("show")
def show_(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT")],
    instrument: Annotated[str, typer.Argument(metavar="INSTRUMENT")],
    *,
    strategy: Annotated[str, typer.Option(help="Of this strategy; else of orders without one.")] = "",
    sums: SumOption = False,
) -> None:
    """Show one position."""
    with settings(context).client() as client:
        found = client.get_position(account, instrument, strategy, sum_strategies=sums)
    show_one(found, POSITIONS, settings(context).output, to_json)


@commands.command()
def watch(
    context: typer.Context,
    *,
    account: AccountOption = None,
    instrument: InstrumentOption = None,
    strategy: StrategyOption = None,
    held: HeldOption = False,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many lines.")] = None,
) -> None:
    """Show each position, and again when it changes, until Ctrl-C; outages are bridged. (JSON is one line each.)"""
    options = settings(context)
    query = _query(account, instrument, strategy, held=held)
    with options.client() as client, client.watch_positions(**query) as positions:
        write = follow(POSITIONS, options.output, to_json)
        for update in islice(positions.updates(), limit):
            if isinstance(update, PositionGone):
                say(f"{'/'.join(filter(None, update))} is flat by now")
            else:
                write(update)


@commands.command()
def days(
    context: typer.Context,
    *,
    account: AccountOption = None,
    instrument: InstrumentOption = None,
    strategy: StrategyOption = None,
    session: Annotated[list[str] | None, typer.Option(help="Only over this session; repeatable.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DAY", help="From this day on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Up to this day, itself included.")] = None,
) -> None:
    """List what was done on each day of the accounts."""
    with settings(context).client() as client:
        found = client.list_daily_totals(
            account_ids=account or (),
            instrument_ids=instrument or (),
            strategy_ids=strategy or (),
            session_ids=session or (),
            start_day=_day(since),
            end_day=_day(until),
        )
        show(found, DAYS, settings(context).output, to_json)


def _query(
    account: list[str] | None, instrument: list[str] | None, strategy: list[str] | None, *, held: bool
) -> PositionQuery:
    return {
        "account_ids": account or (),
        "instrument_ids": instrument or (),
        "strategy_ids": strategy or (),
        "non_flat_only": held,
    }


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day such as 2026-11-20") from None
