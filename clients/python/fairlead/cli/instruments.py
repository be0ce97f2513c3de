"""`fairlead instrument`: what can be traded, one by one, and all of it as CSV."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from fairlead.cli.columns import BACKUPS, IMPORTED, INSTRUMENT, INSTRUMENTS
from fairlead.cli.commands import Commands
from fairlead.cli.exits import ExitCode
from fairlead.cli.output import show, show_facts, to_json, write_text
from fairlead.cli.settings import member, say, settings
from fairlead.v1.reference_service_pb2 import Instrument
from fairlead.values import InstrumentTerms, OrderType, Shorting, TimeInForce

commands = Commands(help="Look at what can be traded, and change it.")

InstrumentArgument = Annotated[str, typer.Argument(metavar="INSTRUMENT", help="Its name.")]
TermsArgument = Annotated[
    list[str], typer.Argument(metavar="FIELD=VALUE...", help="Such as tick_size=0.01 kind=equity.")
]
ReasonOption = Annotated[str, typer.Option(help="Why, for the audit log.")]
EtagOption = Annotated[str, typer.Option(help="Only if it is as it was seen with this etag.")]


@commands.command("list")
def list_(context: typer.Context) -> None:
    """List the instruments and their reference prices."""
    with settings(context).client() as client:
        show(client.list_instruments(), INSTRUMENTS, settings(context).output, to_json)


@commands.command("show")
def show_(context: typer.Context, instrument: InstrumentArgument) -> None:
    """Show all that is known of one instrument, its etag and where that comes from."""
    with settings(context).client() as client:
        _show(context, client.get_instrument(instrument))


@commands.command()
def create(
    context: typer.Context, instrument: InstrumentArgument, terms: TermsArgument, *, reason: ReasonOption
) -> None:
    """Make an instrument; symbol, currency, tick_size and lot_size are needed."""
    with settings(context).client() as client:
        _show(context, client.create_instrument(instrument, reason=reason, **_terms(terms)))


@commands.command()
def update(
    context: typer.Context,
    instrument: InstrumentArgument,
    terms: TermsArgument,
    *,
    reason: ReasonOption,
    etag: EtagOption = "",
) -> None:
    """Change some of the terms of an instrument; FIELD= sets one back to its default."""
    with settings(context).client() as client:
        _show(context, client.update_instrument(instrument, reason=reason, etag=etag, **_terms(terms)))


@commands.command()
def halt(
    context: typer.Context, instrument: InstrumentArgument, *, reason: ReasonOption, etag: EtagOption = ""
) -> None:
    """Halt trading in an instrument: new orders and increases are refused, cancels pass."""
    with settings(context).client() as client:
        _show(context, client.update_instrument(instrument, reason=reason, etag=etag, halted=True))


@commands.command()
def resume(
    context: typer.Context, instrument: InstrumentArgument, *, reason: ReasonOption, etag: EtagOption = ""
) -> None:
    """Let trading in an instrument go on."""
    with settings(context).client() as client:
        _show(context, client.update_instrument(instrument, reason=reason, etag=etag, halted=False))


@commands.command()
def delete(
    context: typer.Context, instrument: InstrumentArgument, *, reason: ReasonOption, etag: EtagOption = ""
) -> None:
    """Forget what was made and changed of an instrument: it is as the server's file has it, or gone."""
    with settings(context).client() as client:
        left = client.delete_instrument(instrument, reason=reason, etag=etag)
    if left is not None:
        _show(context, left)


@commands.command("import")
def import_(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="CSV, as `export` writes it; - is standard input.")
    ] = None,
    *,
    backup: Annotated[
        str | None, typer.Option(metavar="BACKUP", help="Bring everything back as it was.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit log; needed but for a dry run.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would become of each line.")
    ] = False,
    delete_missing: Annotated[
        bool, typer.Option("--delete-missing", help="Delete those made by commands that are not in the file.")
    ] = False,
) -> int:
    """Make and change instruments from CSV, all of them or none; a backup is made first."""
    if (file is None) == (backup is None):
        raise typer.BadParameter("give a file, or --backup")
    with settings(context).client() as client:
        done = client.import_instruments(
            None if file is None else _read(file),
            backup_id=backup,
            reason=reason,
            delete_missing=delete_missing or backup is not None,
            validate_only=dry_run,
        )
    show(done.instruments, IMPORTED, settings(context).output, to_json)
    for problem in done.problems:
        say(f"line {problem.line}: {': '.join(filter(None, (problem.column, problem.problem)))}")
    if done.backup_id:
        say(
            f"to bring back what was before: fairlead instrument import --backup {done.backup_id} --reason REASON"
        )
    return ExitCode.USAGE if done.problems else ExitCode.DONE


@commands.command()
def export(context: typer.Context) -> None:
    """Write all instruments as CSV."""
    with settings(context).client() as client:
        write_text(client.export_instruments())


@commands.command()
def backups(
    context: typer.Context,
    backup: Annotated[str | None, typer.Argument(metavar="[BACKUP]", help="Write this one as CSV.")] = None,
) -> None:
    """List what imports have kept of the instruments before them, or write one."""
    with settings(context).client() as client:
        if backup is not None:
            write_text(client.get_instrument_backup(backup).csv)
        else:
            show(client.list_instrument_backups(), BACKUPS, settings(context).output, to_json)


def _show(context: typer.Context, instrument: Instrument) -> None:
    show_facts(instrument, INSTRUMENT, settings(context).output, to_json)


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not UTF-8 text") from None


def _terms(texts: Sequence[str]) -> InstrumentTerms:
    found: Any = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in InstrumentTerms.__annotations__:
            known = ", ".join(InstrumentTerms.__annotations__)
            raise typer.BadParameter(f"{text!r} is not FIELD=VALUE; the fields are {known}")
        found[name] = _value(name, value)
    terms: InstrumentTerms = found
    return terms


def _value(name: str, text: str) -> Any:
    match name:
        case "halted" | "short_sale_restricted":
            return _flag(name, text)
        case "shorting":
            return member(Shorting, text) if text else None
        case "order_types":
            return [member(OrderType, each) for each in _split(text)]
        case "times_in_force":
            return [member(TimeInForce, each) for each in _split(text)]
        case "tick_table":
            return [_band(each) for each in _split(text)]
        case _:
            return _age(name, text) if name == "max_reference_age" else text or None


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false", ""):
        raise typer.BadParameter(f"{name} must be true or false")
    return text.lower() == "true"


def _split(text: str) -> list[str]:
    return text.split(";") if text else []


def _band(text: str) -> tuple[str, str]:
    begin, colon, tick = text.partition(":")
    if not colon:
        raise typer.BadParameter(f"{text!r} is not PRICE:TICK, such as 1:0.01")
    return begin, tick


def _age(name: str, text: str) -> timedelta | None:
    if not text:
        return None
    try:
        return timedelta(seconds=int(text))
    except ValueError:
        raise typer.BadParameter(f"{name} must be a whole number of seconds") from None
