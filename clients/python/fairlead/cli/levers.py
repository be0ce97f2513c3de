"""The levers of the operations desk: `fairlead kill`, `release`, `pause`, `reduce-only`, `resume`, and `trading` to look.

A kill that is not complete ends with exit code 1, so that whoever runs it in a script knows that orders are left.
"""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from fairlead.cli.columns import instant, reason, short
from fairlead.cli.commands import Commands
from fairlead.cli.exits import ExitCode
from fairlead.cli.output import Column, show, show_one, to_json
from fairlead.cli.settings import say, settings
from fairlead.v1 import trading_control_service_pb2 as pb
from fairlead.v1.trading_control_service_pb2 import (
    DeadManSwitch,
    FlattenOrder,
    FlattenState,
    LeftOrder,
    ScopeState,
)
from fairlead.values import TradingScope, TradingState

dead_men = Commands(help="Have a scope cancelled and paused when no sign of life comes any more.")

_POLL_SECONDS = 0.5
_WAIT = 2.0

AllOption = Annotated[bool, typer.Option("--all", help="Everything; else name an account, a strategy ...")]
AccountOption = Annotated[str, typer.Option(help="Of this account.")]
StrategyOption = Annotated[str, typer.Option(help="Of this strategy.")]
InstrumentOption = Annotated[str, typer.Option(help="In this instrument.")]
SessionOption = Annotated[str, typer.Option(help="Over this FIX session.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the audit log and whoever is refused.")]


def kill(
    context: typer.Context,
    *,
    everything: AllOption = False,
    account: AccountOption = "",
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    session: SessionOption = "",
    reason: ReasonOption,
    wait: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds to wait for the end of all orders.")
    ] = _WAIT,
) -> None:
    """Refuse whatever is new, cancel whatever is live, and show what is left."""
    scope = _scope(everything, account, strategy, instrument, session)
    with settings(context).client() as client:
        state = client.activate_kill_switch(reason=reason, wait=wait, **scope).state
    _report(context, state)


def trading(
    context: typer.Context,
    *,
    everything: AllOption = False,
    account: AccountOption = "",
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    session: SessionOption = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the end of all orders.")] = 0,
) -> None:
    """Show what is paused, reduce-only or killed; of one scope, how far its kill has come and what is left."""
    if not (everything or account or strategy or instrument or session):
        with settings(context).client() as client:
            show(client.list_trading_states(), _STATES, settings(context).output, to_json)
        return
    scope, end = _scope(everything, account, strategy, instrument, session), time.monotonic() + wait
    with settings(context).client() as client:
        state = client.get_trading_state(**scope)
        while state.HasField("kill") and not state.kill.complete and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
            state = client.get_trading_state(**scope)
    _report(context, state)


def release(
    context: typer.Context,
    *,
    everything: AllOption = False,
    account: AccountOption = "",
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    session: SessionOption = "",
    reason: ReasonOption,
) -> None:
    """Let a scope go; by another person than who has killed it: name yourself with `fairlead --as NAME`."""
    scope = _scope(everything, account, strategy, instrument, session)
    with settings(context).client() as client:
        state = client.release_kill_switch(reason=reason, **scope).state
    show_one(state, _STATES, settings(context).output, to_json)


def pause(
    context: typer.Context,
    *,
    everything: AllOption = False,
    account: AccountOption = "",
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    session: SessionOption = "",
    reason: ReasonOption,
) -> None:
    """Refuse new orders; what is at a venue stays there."""
    scope = _scope(everything, account, strategy, instrument, session)
    _set(context, TradingState.PAUSED, scope, reason)


def reduce_only(
    context: typer.Context,
    *,
    everything: AllOption = False,
    account: AccountOption = "",
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    session: SessionOption = "",
    reason: ReasonOption,
) -> None:
    """Refuse what does not reduce a position."""
    scope = _scope(everything, account, strategy, instrument, session)
    _set(context, TradingState.REDUCE_ONLY, scope, reason)


def resume(
    context: typer.Context,
    *,
    everything: AllOption = False,
    account: AccountOption = "",
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    session: SessionOption = "",
    reason: ReasonOption,
) -> None:
    """Let a scope trade again that was paused or reduce-only."""
    scope = _scope(everything, account, strategy, instrument, session)
    _set(context, TradingState.ACTIVE, scope, reason)


def flatten(
    context: typer.Context,
    flatten_id: Annotated[
        str, typer.Argument(metavar="[FLATTEN]", help="One that has begun: only show how far it has come.")
    ] = "",
    *,
    everything: AllOption = False,
    account: AccountOption = "",
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Close before what was live has ended.")] = False,
    wait: Annotated[float, typer.Option(min=0, max=60, help="Seconds to wait for its end.")] = 10.0,
) -> None:
    """Pause a scope, cancel what is live in it, and bring its positions to zero; shows what could not be."""
    with settings(context).client() as client:
        if flatten_id:
            found = client.get_flatten(flatten_id)
        else:
            scope = _scope(everything, account, strategy, instrument, "")
            found = client.flatten(reason=reason, force=force, wait=wait, **scope).flatten
    output = settings(context).output
    show_one(found, _FLATTENS, output, to_json)
    if output == "table" and found.orders:
        show(found.orders, _CLOSING, output, to_json)
    if found.stage != pb.FLATTEN_STAGE_FLAT:
        left = ", ".join(f"{each.quantity} {each.instrument_id}" for each in found.residuals)
        say(f"not flat: {left or short(pb.FlattenStage.DESCRIPTOR, found.stage)}")
        raise typer.Exit(ExitCode.REFUSED)


@dead_men.command()
def arm(
    context: typer.Context,
    *,
    everything: AllOption = False,
    account: AccountOption = "",
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    session: SessionOption = "",
    silence: Annotated[float, typer.Option(min=1, max=86400, help="Seconds until it fires.")],
    reason: ReasonOption,
) -> None:
    """Arm it, or give the sign of life."""
    scope = _scope(everything, account, strategy, instrument, session)
    with settings(context).client() as client:
        armed = client.arm_dead_man_switch(silence=silence, reason=reason, **scope)
    show_one(armed, _DEAD_MEN, settings(context).output, to_json)


@dead_men.command()
def disarm(
    context: typer.Context,
    *,
    everything: AllOption = False,
    account: AccountOption = "",
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    session: SessionOption = "",
    reason: ReasonOption,
) -> None:
    """Disarm it."""
    scope = _scope(everything, account, strategy, instrument, session)
    with settings(context).client() as client:
        client.disarm_dead_man_switch(reason=reason, **scope)


@dead_men.command("list")
def list_(context: typer.Context) -> None:
    """List those that are armed."""
    with settings(context).client() as client:
        show(client.list_dead_man_switches(), _DEAD_MEN, settings(context).output, to_json)


def _set(context: typer.Context, state: TradingState, scope: TradingScope, reason: str) -> None:
    with settings(context).client() as client:
        set_ = client.set_trading_state(state, reason=reason, **scope).state
    show_one(set_, _STATES, settings(context).output, to_json)


def _scope(everything: bool, account: str, strategy: str, instrument: str, session: str) -> TradingScope:
    scope: TradingScope = {
        "everything": everything,
        "account_id": account,
        "strategy_id": strategy,
        "instrument_id": instrument,
        "session_id": session,
    }
    if not any(scope.values()):
        raise typer.BadParameter("say --all, or name an account, a strategy, an instrument or a session")
    return scope


def _report(context: typer.Context, state: ScopeState) -> None:
    output = settings(context).output
    show_one(state, _STATES, output, to_json)
    if output == "table" and state.kill.left:
        show(state.kill.left, _LEFT, output, to_json)
    if state.HasField("kill") and not state.kill.complete:
        say(f"not complete: {state.kill.left_count} orders are live")
        raise typer.Exit(ExitCode.REFUSED)


def _named(scope: pb.TradingScope) -> str:
    if scope.everything:
        return "everything"
    names = {
        "account": scope.account_id,
        "strategy": scope.strategy_id,
        "instrument": scope.instrument_id,
        "session": scope.session_id,
    }
    return " ".join(f"{dimension}={name}" for dimension, name in names.items() if name)


def _progress(state: ScopeState) -> str:
    if not state.HasField("kill"):
        return ""
    kill = state.kill
    return f"{kill.ended_count} of {kill.matched_count} ended" + (", complete" if kill.complete else "")


def _took(state: ScopeState) -> str:
    if not state.kill.HasField("complete_time"):
        return ""
    took = state.kill.complete_time.ToMicroseconds() - state.set_time.ToMicroseconds()
    return f"{took / 1_000_000:.3f} s"


_STATES: Sequence[Column[ScopeState]] = (
    Column("scope", lambda state: _named(state.scope)),
    Column("state", lambda state: short(pb.TradingState.DESCRIPTOR, state.state)),
    Column("since", lambda state: instant(state.set_time)),
    Column("by", lambda state: state.principal),
    Column("reason", lambda state: state.reason),
    Column("orders", _progress),
    Column("took", _took),
)

_DEAD_MEN: Sequence[Column[DeadManSwitch]] = (
    Column("scope", lambda switch: _named(switch.scope)),
    Column("silence", lambda switch: f"{switch.timeout.ToTimedelta().total_seconds():g} s"),
    Column("left", lambda switch: f"{switch.left.ToTimedelta().total_seconds():.1f} s", number=True),
    Column("by", lambda switch: switch.principal),
    Column("since", lambda switch: instant(switch.arm_time)),
    Column("reason", lambda switch: switch.reason),
)

_FLATTENS: Sequence[Column[FlattenState]] = (
    Column("flatten", lambda flatten: flatten.flatten_id),
    Column("scope", lambda flatten: _named(flatten.scope)),
    Column("stage", lambda flatten: short(pb.FlattenStage.DESCRIPTOR, flatten.stage)),
    Column("since", lambda flatten: instant(flatten.begin_time)),
    Column("until", lambda flatten: instant(flatten.end_time)),
    Column("by", lambda flatten: flatten.principal),
    Column("reason", lambda flatten: flatten.reason),
    Column("live", lambda flatten: str(flatten.live_count), number=True),
)

_CLOSING: Sequence[Column[FlattenOrder]] = (
    Column("account", lambda order: order.account_id),
    Column("instrument", lambda order: order.instrument_id),
    Column("strategy", lambda order: order.strategy_id),
    Column("closes", lambda order: order.quantity, number=True),
    Column("order_id", lambda order: order.order_id),
    Column("problem", lambda order: order.problem),
)

_LEFT: Sequence[Column[LeftOrder]] = (
    Column("order_id", lambda left: left.order_id),
    Column("account", lambda left: left.account_id),
    Column("instrument", lambda left: left.instrument_id),
    Column("session", lambda left: left.session_id),
    Column("why", lambda left: short(pb.LeftReason.DESCRIPTOR, left.why)),
    Column("reason", lambda left: reason(left.reject)),
    Column("text", lambda left: left.reject.text),
)
