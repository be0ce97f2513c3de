"""The gates between paper and live: `fairlead live request`, `approve`, `revoke`, `list`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from fairlead.cli.columns import instant, short
from fairlead.cli.commands import Commands
from fairlead.cli.output import Column, show, show_one, to_json
from fairlead.cli.settings import settings
from fairlead.v1 import trading_control_service_pb2 as pb
from fairlead.v1.trading_control_service_pb2 import LiveGate

commands = Commands(help="Let an account or a session trade live whose gate is closed; it takes two persons.")

AccountOption = Annotated[str, typer.Option(help="The gate of this account.")]
SessionOption = Annotated[str, typer.Option(help="The gate of this FIX session.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the audit log.")]


@commands.command()
def request(
    context: typer.Context, *, account: AccountOption = "", session: SessionOption = "", reason: ReasonOption
) -> None:
    """Ask for a gate to be opened; another person approves."""
    _one(account, session)
    with settings(context).client() as client:
        gate = client.request_live(account_id=account or None, session_id=session or None, reason=reason)
    show_one(gate, _GATES, settings(context).output, to_json)


@commands.command()
def approve(
    context: typer.Context, *, account: AccountOption = "", session: SessionOption = "", reason: ReasonOption
) -> None:
    """Open a gate that another person has asked for: name yourself with `fairlead --as NAME`."""
    _one(account, session)
    with settings(context).client() as client:
        gate = client.approve_live(account_id=account or None, session_id=session or None, reason=reason)
    show_one(gate, _GATES, settings(context).output, to_json)


@commands.command()
def revoke(
    context: typer.Context, *, account: AccountOption = "", session: SessionOption = "", reason: ReasonOption
) -> None:
    """Close a gate at once; what is at a venue stays there."""
    _one(account, session)
    with settings(context).client() as client:
        gate = client.revoke_live(account_id=account or None, session_id=session or None, reason=reason)
    show_one(gate, _GATES, settings(context).output, to_json)


@commands.command("list")
def list_(context: typer.Context) -> None:
    """List the gates, and how they stand."""
    with settings(context).client() as client:
        show(client.list_live_gates(), _GATES, settings(context).output, to_json)


def _one(account: str, session: str) -> None:
    if bool(account) is bool(session):
        raise typer.BadParameter("name an account or a session")


_GATES: Sequence[Column[LiveGate]] = (
    Column("account", lambda gate: gate.account_id),
    Column("session", lambda gate: gate.session_id),
    Column("state", lambda gate: short(pb.LiveState.DESCRIPTOR, gate.state)),
    Column("by", lambda gate: gate.principal),
    Column("since", lambda gate: instant(gate.time) if gate.HasField("time") else ""),
    Column("approved_by", lambda gate: gate.approver),
    Column("approved", lambda gate: instant(gate.approve_time) if gate.HasField("approve_time") else ""),
    Column("reason", lambda gate: gate.reason),
)
