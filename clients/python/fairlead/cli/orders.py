"""`fairlead order`: submit, amend, cancel, cancel-all, reconcile, get, list, events."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, TypeAlias

import typer

from fairlead.cli.columns import EVENTS, ORDERS, reason
from fairlead.cli.commands import Commands
from fairlead.cli.exits import ExitCode
from fairlead.cli.output import Column, show, show_one, to_json
from fairlead.cli.settings import member, moment, order_named, say, settings
from fairlead.requests import new_key
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import Order, Reject
from fairlead.v1.order_service_pb2 import (
    AMEND_OUTCOME_REJECTED,
    CANCEL_OUTCOME_ALREADY_TERMINAL,
    CANCEL_OUTCOME_REJECTED,
    AmendOrderResponse,
    CancelAllOrdersResponse,
    CancelOrderResponse,
    ReconcileOrderResponse,
    SubmitOrderResponse,
)
from fairlead.values import (
    AckLevel,
    MassCancellation,
    OrderState,
    OrderType,
    ReconcileVerdict,
    Side,
    TimeInForce,
)

commands = Commands(help="Submit, amend, cancel and find orders.")

AnyResponse: TypeAlias = (
    SubmitOrderResponse | AmendOrderResponse | CancelOrderResponse | ReconcileOrderResponse
)


def _of_response(column: Column[Order]) -> Column[AnyResponse]:
    return Column(column.heading, lambda response: column.text(response.order), number=column.number)


_RESPONSES: Sequence[Column[AnyResponse]] = [_of_response(column) for column in ORDERS]
_MASS_CANCEL: Sequence[Column[CancelAllOrdersResponse]] = [
    Column("mass_cancel_id", lambda response: response.mass_cancel_id, width=26),
    Column("matched", lambda response: str(response.matched_count), number=True),
    Column("requested", lambda response: str(response.requested_count), number=True),
    Column("canceled", lambda response: str(response.canceled_count), number=True),
    Column("already_pending", lambda response: str(response.already_pending_count), number=True),
]

OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="ORDER_ID or ACCOUNT/CLIENT_ORDER_ID.")]
PriceOption = Annotated[str | None, typer.Option(help="The limit.")]
StopPriceOption = Annotated[str | None, typer.Option(help="The trigger.")]
TifOption = Annotated[str | None, typer.Option("--tif", help="day, gtc, gtd, ioc, fok, opg or cls.")]
ExpireOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="When a gtd order expires, as in 2026-11-20T16:00:00Z.")
]
AckOption = Annotated[str | None, typer.Option(help="Return once accepted, routed, or seen by the venue.")]
VersionOption = Annotated[int | None, typer.Option(help="Refuse if the order is at another version.")]
RequestOption = Annotated[str | None, typer.Option(help="The key of an earlier attempt at this request.")]
AccountsOption = Annotated[list[str] | None, typer.Option("--account", help="Only this account; repeatable.")]
InstrumentsOption = Annotated[
    list[str] | None, typer.Option("--instrument", help="Only this instrument; repeatable.")
]
LimitOption = Annotated[int, typer.Option(min=1, help="At most so many.")]


@commands.command()
def submit(
    context: typer.Context,
    instrument: Annotated[str, typer.Argument(help="What to trade.")],
    side: Annotated[str, typer.Argument(help="buy, sell, sell_short or sell_short_exempt.")],
    quantity: Annotated[str, typer.Argument(help="How much.")],
    *,
    account: Annotated[str, typer.Option(envvar="FAIRLEAD_ACCOUNT", help="The account to trade for.")],
    order_type: Annotated[
        str | None,
        typer.Option("--type", help="market, limit, stop or stop_limit; by the prices if not given."),
    ] = None,
    price: PriceOption = None,
    stop_price: StopPriceOption = None,
    tif: TifOption = None,
    expire_time: ExpireOption = None,
    client_order_id: Annotated[
        str | None, typer.Option(help="Your key: the same key never makes a second order.")
    ] = None,
    strategy: Annotated[str, typer.Option(help="The strategy it belongs to.")] = "",
    note: Annotated[str, typer.Option(help="Your own words.")] = "",
    ack: AckOption = None,
) -> None:
    """Submit one order."""
    key = client_order_id or new_key()
    with settings(context).client() as client:
        response = client.submit_order(
            account_id=account,
            client_order_id=key,
            instrument_id=instrument,
            side=member(Side, side),
            quantity=quantity,
            order_type=order_type_of(order_type, price, stop_price),
            price=price,
            stop_price=stop_price,
            time_in_force=member(TimeInForce, tif) if tif else None,
            expire_time=moment(expire_time) if expire_time else None,
            strategy_id=strategy,
            note=note,
            ack_level=member(AckLevel, ack) if ack else None,
        )
    show_one(response, _RESPONSES, settings(context).output, to_json)
    if response.duplicate:
        say("duplicate: the order existed already")
    if response.order.state == common_pb2.ORDER_STATE_REJECTED:
        _refuse(response.order.reject)


def order_type_of(name: str | None, price: str | None, stop_price: str | None) -> OrderType:
    if name is not None:
        return member(OrderType, name)
    if price is not None:
        return OrderType.STOP_LIMIT if stop_price is not None else OrderType.LIMIT
    if stop_price is not None:
        return OrderType.STOP
    raise typer.BadParameter("give --price, --stop-price or --type market")  # never market by accident


@commands.command()
def amend(
    context: typer.Context,
    order: OrderArgument,
    *,
    price: PriceOption = None,
    quantity: Annotated[str | None, typer.Option(help="The new total, what has traded included.")] = None,
    stop_price: StopPriceOption = None,
    tif: TifOption = None,
    expire_time: ExpireOption = None,
    expected_version: VersionOption = None,
    request_id: RequestOption = None,
    ack: AckOption = None,
) -> None:
    """Change the terms of a live order; what is not given stays."""
    with settings(context).client() as client:
        response = client.amend_order(
            order_named(order),
            price=price,
            quantity=quantity,
            stop_price=stop_price,
            time_in_force=member(TimeInForce, tif) if tif else None,
            expire_time=moment(expire_time) if expire_time else None,
            expected_version=expected_version,
            request_id=request_id,
            ack_level=member(AckLevel, ack) if ack else None,
        )
    show_one(response, _RESPONSES, settings(context).output, to_json)
    if response.outcome == AMEND_OUTCOME_REJECTED:
        _refuse(response.reject)


@commands.command()
def cancel(
    context: typer.Context,
    order: OrderArgument,
    *,
    expected_version: VersionOption = None,
    request_id: RequestOption = None,
    ack: AckOption = None,
) -> None:
    """Ask for the cancellation of an order."""
    with settings(context).client() as client:
        response = client.cancel_order(
            order_named(order),
            expected_version=expected_version,
            request_id=request_id,
            ack_level=member(AckLevel, ack) if ack else None,
        )
    show_one(response, _RESPONSES, settings(context).output, to_json)
    if response.outcome == CANCEL_OUTCOME_ALREADY_TERMINAL:
        say("the order had ended already")
    if response.outcome == CANCEL_OUTCOME_REJECTED:
        _refuse(response.reject)


@commands.command()
def cancel_all(
    context: typer.Context,
    *,
    account: Annotated[str | None, typer.Option(help="The orders of this account.")] = None,
    all_accounts: Annotated[bool, typer.Option("--all-accounts", help="Everybody's orders.")] = False,
    instrument: InstrumentsOption = None,
    strategy: Annotated[list[str] | None, typer.Option(help="Only of this strategy; repeatable.")] = None,
    session: Annotated[list[str] | None, typer.Option(help="Only over this session; repeatable.")] = None,
    side: Annotated[str | None, typer.Option(help="Only of this side.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    request_id: RequestOption = None,
) -> None:
    """Ask for the cancellation of every live order that matches."""
    if (account is None) is not all_accounts:
        raise typer.BadParameter("give either --account or --all-accounts")
    which = MassCancellation(
        instrument_ids=instrument or (),
        strategy_ids=strategy or (),
        session_ids=session or (),
        side=member(Side, side) if side else None,
        validate_only=dry_run,
        request_id=request_id,
    )
    if account is None:
        which["all_accounts"] = True
    else:
        which["account_id"] = account
    with settings(context).client() as client:
        response = client.cancel_all_orders(**which)
    show_one(response, _MASS_CANCEL, settings(context).output, to_json)
    if response.duplicate:
        say("duplicate: this is what the same request came to before")


@commands.command()
def reconcile(
    context: typer.Context,
    order: OrderArgument,
    verdict: Annotated[str, typer.Argument(help="stands, canceled, rejected, expired or done_for_day.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")],
    ticket: Annotated[str, typer.Option(help="Where it is written down, for the audit.")],
    force: Annotated[bool, typer.Option("--force", help="Also if it is not in doubt.")] = False,
    expected_version: VersionOption = None,
    request_id: RequestOption = None,
) -> None:
    """Settle by hand how an order in doubt stands, or that an overfill does; nothing is sent to the venue."""
    with settings(context).client() as client:
        response = client.reconcile_order(
            order_named(order),
            verdict=member(ReconcileVerdict, verdict),
            reason=reason,
            ticket=ticket,
            force=force,
            expected_version=expected_version,
            request_id=request_id,
        )
    show_one(response, _RESPONSES, settings(context).output, to_json)
    if response.duplicate:
        say("duplicate: it was settled so before")


@commands.command()
def get(context: typer.Context, order: OrderArgument) -> None:
    """Show one order."""
    with settings(context).client() as client:
        found = client.get_order(order_named(order))
    show_one(found, ORDERS, settings(context).output, to_json)


@commands.command("list")
def list_(
    context: typer.Context,
    account: AccountsOption = None,
    instrument: InstrumentsOption = None,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeatable.")] = None,
    *,
    live: Annotated[bool, typer.Option("--live", help="Only orders that have not ended.")] = False,
    oldest_first: Annotated[
        bool, typer.Option("--oldest-first", help="Instead of the newest first.")
    ] = False,
    limit: LimitOption = 100,
) -> None:
    """List orders, newest first."""
    with settings(context).client() as client:
        orders = client.list_orders(
            account_ids=account or (),
            instrument_ids=instrument or (),
            states=[member(OrderState, each) for each in state or ()],
            live_only=live,
            oldest_first=oldest_first,
            page_size=min(limit, 1000),
        )
        show(islice(orders, limit), ORDERS, settings(context).output, to_json)


@commands.command()
def events(context: typer.Context, order: OrderArgument, limit: LimitOption = 1000) -> None:
    """Show everything that happened to one order, oldest first."""
    with settings(context).client() as client:
        found = client.list_order_events(order_named(order), page_size=min(limit, 1000))
        show(islice(found, limit), EVENTS, settings(context).output, to_json)


def _refuse(reject: Reject) -> None:
    say(f"rejected: {reason(reject)}: {reject.text}")
    raise typer.Exit(ExitCode.REFUSED)
