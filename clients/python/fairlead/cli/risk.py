"""`fairlead risk`: what the controls are, what the limits are and how much of them is used, and what they would say."""

import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import ParseDict, ParseError

from fairlead.cli.columns import instant, short
from fairlead.cli.commands import Commands
from fairlead.cli.exits import ExitCode
from fairlead.cli.orders import PriceOption, StopPriceOption, TifOption, order_type_of
from fairlead.cli.output import Column, follow, show, show_one, to_json
from fairlead.cli.settings import member, say, settings
from fairlead.v1 import common_pb2
from fairlead.v1.risk_service_pb2 import (
    CheckOrderResponse,
    ControlResult,
    ImportLimitsResponse,
    LimitMode,
    LimitSet,
    LimitUsage,
    RiskControl,
    RiskDecision,
    RiskEvent,
    RiskEventKind,
    RiskScope,
    SizeOrderResponse,
    WordList,
)
from fairlead.values import OrderType, Side, TimeInForce

commands = Commands(help="Look at risk controls and limits, change limits, and ask what they would say.")

_MODES = {short(LimitMode.DESCRIPTOR, mode): mode for mode in LimitMode.values() if mode}
_DIMENSIONS = ("account_id", "principal", "instrument_id", "strategy_id", "session_id")

ReasonOption = Annotated[str, typer.Option(help="Why, for the audit log.")]
AccountOption = Annotated[str, typer.Option(envvar="FAIRLEAD_ACCOUNT", help="The account.")]
PrincipalOption = Annotated[str, typer.Option(help="Who submits.")]
InstrumentOption = Annotated[str, typer.Option(help="The instrument.")]
StrategyOption = Annotated[str, typer.Option(help="The strategy.")]
SessionOption = Annotated[str, typer.Option(help="The FIX session.")]
LimitIdArgument = Annotated[str, typer.Argument(metavar="LIMIT_ID", help="The name of the limit set.")]


def _scope(scope: RiskScope) -> str:
    named = ((name, getattr(scope, name)) for name in _DIMENSIONS)
    return " ".join(f"{name.removesuffix('_id')}={value}" for name, value in named if value) or "everything"


def _limits(one: LimitSet) -> str:
    lists = (f"{each.name}=[{','.join(each.words)}]" for each in one.lists)
    return " ".join([*(f"{name}={value}" for name, value in sorted(one.limits.items())), *lists])


def _limit_id(event: RiskEvent) -> str:
    """That has changed, or that was not kept to."""
    broken = dict.fromkeys(breach.limit_id for breach in event.breaches if breach.limit_id)
    return event.limit_id or " ".join(broken)


_CONTROLS: Sequence[Column[RiskControl]] = (
    Column("control", lambda control: control.rule_id),
    Column("limit", lambda control: control.limit),
    Column("unit", lambda control: control.unit.lower()),
    Column("applies", lambda control: control.applies.lower()),
    Column("reason", lambda control: short(common_pb2.RejectReason.DESCRIPTOR, control.reason)),
    Column("source", lambda control: control.source),
    Column("what", lambda control: control.text),
)
_SETS: Sequence[Column[LimitSet]] = (
    Column("limit_id", lambda one: one.limit_id),
    Column("scope", lambda one: _scope(one.scope)),
    Column("mode", lambda one: short(LimitMode.DESCRIPTOR, one.mode) + (" override" if one.override else "")),
    Column("limits", _limits),
    Column("by", lambda one: one.updated_by),
    Column("changed", lambda one: instant(one.update_time)),
)
_USAGES: Sequence[Column[LimitUsage]] = (
    Column("control", lambda usage: usage.rule_id),
    Column("instrument", lambda usage: usage.instrument_id),
    Column("limit_id", lambda usage: usage.limit_id),
    Column("limit", lambda usage: usage.limit, number=True),
    Column("used", lambda usage: usage.used if usage.HasField("used") else "unknown", number=True),
    Column("headroom", lambda usage: usage.headroom, number=True),
    Column("mode", lambda usage: short(LimitMode.DESCRIPTOR, usage.mode)),
)
_RESULTS: Sequence[Column[ControlResult]] = (
    Column("control", lambda result: result.rule_id),
    Column("result", lambda result: "pass" if result.passed else "FAIL"),
    Column("limit", lambda result: result.limit, number=True),
    Column("used", lambda result: result.used, number=True),
    Column("with_order", lambda result: result.observed, number=True),
    Column("headroom", lambda result: result.headroom, number=True),
    Column("limit_id", lambda result: result.limit_id),
    Column("mode", lambda result: short(LimitMode.DESCRIPTOR, result.mode)),
    Column("why", lambda result: result.text),
)
_SIZE: Sequence[Column[SizeOrderResponse]] = (
    Column("quantity", lambda size: size.quantity, number=True),
    Column("by_risk", lambda size: size.quantity_by_risk, number=True),
    Column("by_limits", lambda size: size.quantity_by_limits, number=True),
    Column("risk", lambda size: size.risk, number=True),
)
_DECISIONS: Sequence[Column[RiskDecision]] = (
    Column("time", lambda decision: instant(decision.decide_time)),
    Column("request", lambda decision: decision.request_id),
    Column("allowed", lambda decision: "yes" if decision.allowed else "no"),
    Column("breaches", lambda decision: " ".join(breach.rule_id for breach in decision.breaches)),
    Column("noted", lambda decision: " ".join(breach.rule_id for breach in decision.noted)),
    Column("limits", lambda decision: decision.policy_version[:12]),
)
_EVENTS: Sequence[Column[RiskEvent]] = (
    Column("sequence", lambda event: str(event.sequence), number=True, width=8),
    Column("time", lambda event: instant(event.time), width=23),
    Column("kind", lambda event: short(RiskEventKind.DESCRIPTOR, event.kind), width=14),
    Column("order", lambda event: event.order_id, width=26),
    Column("limit_id", _limit_id, width=12),
    Column("scope", lambda event: _scope(event.scope), width=40),
    Column("why", lambda event: "; ".join(breach.text for breach in event.breaches) or event.text),
)
_CHANGES: Sequence[Column[ImportLimitsResponse]] = (
    Column("created", lambda done: " ".join(done.created_limit_ids)),
    Column("changed", lambda done: " ".join(done.changed_limit_ids)),
    Column("deleted", lambda done: " ".join(done.deleted_limit_ids)),
    Column("unchanged", lambda done: str(done.unchanged_count), number=True),
)


@commands.command()
def controls(context: typer.Context) -> None:
    """List the controls in the order in which they answer, with the limits on which they stand."""
    with settings(context).client() as client:
        show(client.list_controls(), _CONTROLS, settings(context).output, to_json)


@commands.command("list")
def list_(
    context: typer.Context,
    account: Annotated[
        list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="Only those of these.")
    ] = None,
) -> None:
    """List the limit sets."""
    with settings(context).client() as client:
        show(client.list_limits(*(account or ())), _SETS, settings(context).output, to_json)


@commands.command("show")
def show_(context: typer.Context, limit_id: LimitIdArgument) -> None:
    """Show one limit set."""
    with settings(context).client() as client:
        show_one(client.get_limits(limit_id), _SETS, settings(context).output, to_json)


@commands.command("set")
def set_(
    context: typer.Context,
    limit_id: LimitIdArgument,
    limit: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LIMIT=VALUE]...", help="Such as max_position=500; `=` alone takes it away."),
    ] = None,
    *,
    account: Annotated[str | None, typer.Option(help="Only orders of this account.")] = None,
    principal: Annotated[str | None, typer.Option(help="Only orders of this client.")] = None,
    instrument: Annotated[str | None, typer.Option(help="Only orders in this instrument.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Only orders of this strategy.")] = None,
    session: Annotated[str | None, typer.Option(help="Only orders for this FIX session.")] = None,
    lists: Annotated[
        list[str] | None,
        typer.Option("--list", metavar="NAME=A,B", help="A list, such as allowed_sides=BUY."),
    ] = None,
    mode: Annotated[str | None, typer.Option(help="enforce, warn or shadow.")] = None,
    override: Annotated[
        bool | None, typer.Option(help="Take the place of what is no narrower, instead of tightening it.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="Your own words.")] = None,
    etag: Annotated[str, typer.Option(help="Only as it was with this etag.")] = "",
    new: Annotated[bool, typer.Option("--new", help="Only if there is none of that name.")] = False,
    reason: ReasonOption,
) -> None:
    """Make a limit set, or change what is named of it; the rest stays."""
    wanted, paths = LimitSet(limit_id=limit_id, etag=etag), list[str]()
    for name, value in map(_named, limit or ()):
        paths.append(f"limits.{name}")
        if value:
            wanted.limits[name] = value
    for name, value in map(_named, lists or ()):
        paths.append(f"lists.{name}")
        if value:
            wanted.lists.append(WordList(name=name, words=value.split(",")))
    names = (account, principal, instrument, strategy, session)
    if any(name is not None for name in names):
        paths.append("scope")
        given = zip(_DIMENSIONS, names, strict=True)
        wanted.scope.CopyFrom(RiskScope(**{dimension: name for dimension, name in given if name}))
    if mode is not None:
        paths.append("mode")
        wanted.mode = _mode(mode)
    if override is not None:
        paths.append("override")
        wanted.override = override
    if note is not None:
        paths.append("note")
        wanted.note = note
    if not paths:
        raise typer.BadParameter("say what is to change: LIMIT=VALUE, or an option")
    with settings(context).client() as client:
        changed = client.update_limits(wanted, paths=paths, must_be_new=new, reason=reason)
    show_one(changed, _SETS, settings(context).output, to_json)


@commands.command()
def delete(
    context: typer.Context,
    limit_id: LimitIdArgument,
    *,
    etag: Annotated[str, typer.Option(help="Only as it was with this etag.")] = "",
    reason: ReasonOption,
) -> None:
    """Take a limit set away."""
    with settings(context).client() as client:
        client.delete_limits(limit_id, etag=etag, reason=reason)


@commands.command()
def enable(context: typer.Context, limit_id: LimitIdArgument, *, reason: ReasonOption) -> None:
    """Enable again what has traded as often as `max_executions` of a limit set allows."""
    with settings(context).client() as client:
        show_one(client.enable_again(limit_id, reason=reason), _SETS, settings(context).output, to_json)


@commands.command()
def export(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Where to write it; stdout without.")] = None,
) -> None:
    """Write all limit sets as JSON, for `risk import` here or elsewhere."""
    with settings(context).client() as client:
        text = json.dumps([to_json(one) for one in client.list_limits()], indent=2) + "\n"
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None


@commands.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="As `risk export` writes it.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    reason: ReasonOption,
) -> None:
    """Make the limit sets of a file those that are stored, and no others: all of them or, if one is wrong, nothing."""
    wanted = _read(file)
    with settings(context).client() as client:
        done = client.import_limits(wanted, reason=reason, validate_only=dry_run)
    show_one(done, _CHANGES, settings(context).output, to_json)


@commands.command()
def state(
    context: typer.Context,
    *,
    account: AccountOption,
    principal: PrincipalOption = "",
    instrument: InstrumentOption = "",
    strategy: StrategyOption = "",
    session: SessionOption = "",
) -> None:
    """Show how much of each limit is used, and what is left."""
    scope = RiskScope(
        account_id=account,
        principal=principal,
        instrument_id=instrument,
        strategy_id=strategy,
        session_id=session,
    )
    with settings(context).client() as client:
        found = client.risk_state(scope)
    show(found.usages, _USAGES, settings(context).output, to_json)


@commands.command()
def check(
    context: typer.Context,
    instrument: Annotated[str, typer.Argument(help="What to trade.")],
    side: Annotated[str, typer.Argument(help="buy, sell, sell_short or sell_short_exempt.")],
    quantity: Annotated[str, typer.Argument(help="How much.")],
    *,
    account: AccountOption,
    order_type: Annotated[
        str | None,
        typer.Option("--type", help="market, limit, stop or stop_limit; by the prices if not given."),
    ] = None,
    price: PriceOption = None,
    stop_price: StopPriceOption = None,
    tif: TifOption = None,
    strategy: StrategyOption = "",
    failing: Annotated[bool, typer.Option("--failing", help="Only controls that it does not pass.")] = False,
) -> int:
    """Show what every control would say of an order, and send nothing; the exit code is 1 if it would be refused."""
    with settings(context).client() as client:
        found = client.check_order(
            account_id=account,
            instrument_id=instrument,
            side=member(Side, side),
            quantity=quantity,
            order_type=order_type_of(order_type, price, stop_price),
            price=price,
            stop_price=stop_price,
            time_in_force=member(TimeInForce, tif) if tif else None,
            strategy_id=strategy,
        )
    _show_check(context, found, failing=failing)
    return ExitCode.DONE if found.passed else ExitCode.REFUSED


@commands.command()
def size(
    context: typer.Context,
    instrument: Annotated[str, typer.Argument(help="What to trade.")],
    side: Annotated[str, typer.Argument(help="buy, sell, sell_short or sell_short_exempt.")],
    most: Annotated[str, typer.Argument(metavar="MOST", help="The most that is wanted.")],
    *,
    account: AccountOption,
    stop: Annotated[str, typer.Option(help="The price of the protective stop.")],
    risk: Annotated[str, typer.Option(help="The most that may be lost at the stop.")],
    price: Annotated[str | None, typer.Option(help="The limit price; without, the reference price.")] = None,
    strategy: StrategyOption = "",
) -> None:
    """Say how much can be traded so that no more than an amount is lost at a protective stop."""
    with settings(context).client() as client:
        found = client.size_order(
            protective_stop=stop,
            risk_amount=risk,
            account_id=account,
            instrument_id=instrument,
            side=member(Side, side),
            quantity=most,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            price=price,
            strategy_id=strategy,
        )
    show_one(found, _SIZE, settings(context).output, to_json)


@commands.command()
def decisions(
    context: typer.Context, order_id: Annotated[str, typer.Argument(metavar="ORDER_ID", help="Which order.")]
) -> None:
    """Show what risk has said of an order and of its amends."""
    with settings(context).client() as client:
        show(client.list_risk_decisions(order_id), _DECISIONS, settings(context).output, to_json)


@commands.command()
def watch(
    context: typer.Context,
    account: Annotated[
        list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="Only what is of these, or of none.")
    ] = None,
    *,
    after: Annotated[
        int | None,
        typer.Option(min=0, help="From behind this sequence on; 0 from the beginning; else from now."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many lines.")] = None,
) -> None:
    """Show refusals, warnings and changes of limits as they come, until Ctrl-C; outages are bridged. (JSON is one line each.)"""
    options = settings(context)
    with options.client() as client, client.watch_risk_events(*(account or ()), after=after) as events:
        write = follow(_EVENTS, options.output, to_json)
        for event in islice(events, limit):
            write(event)


def _show_check(context: typer.Context, found: CheckOrderResponse, *, failing: bool) -> None:
    options = settings(context)
    if options.output == "json":
        show_one(found, (), "json", to_json)
        return
    results = (each for each in found.results if not (failing and each.passed))
    show(results, _RESULTS, options.output, to_json)
    if not found.session_id:
        say("no route fits the order")
    say(f"the largest quantity that would pass is {found.largest_quantity}")


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def _mode(text: str) -> "LimitMode.ValueType":
    try:
        return _MODES[text.lower()]
    except KeyError:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(_MODES)}") from None


def _read(file: Path) -> list[LimitSet]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None
    except ValueError as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}") from None
    if not isinstance(rows, list):
        raise typer.BadParameter(f"{file} must hold a list of limit sets")
    found: list[LimitSet] = []
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise typer.BadParameter(f"{file}: limit set {index + 1} is no object")
        try:
            found.append(ParseDict(row, LimitSet()))
        except ParseError as error:
            problem = str(error).partition("\n")[0]
            raise typer.BadParameter(f"{file}: limit set {index + 1}: {problem}") from None
    return found
