"""Writes rows to stdout as a table, JSON, JSON lines or CSV.

Text that came over the wire is made harmless first: a venue must not move a terminal's cursor.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

T = TypeVar("T")
Format: TypeAlias = Literal["table", "json", "jsonl", "csv"]

_ENDLESS = 100_000  # columns, where no terminal bounds the lines


class ReaderGone(Exception):
    """Whoever read stdout has closed it, as `head` does."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column: its heading, and the text of a row in it. `width` is for tables that grow line by line."""

    heading: str
    text: Callable[[T], str]
    number: bool = False
    width: int = 12


def harmless(text: str) -> str:
    """The text without anything that a terminal might obey."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def to_json(message: Message) -> dict[str, Any]:
    """The message as protobuf's JSON, with the names of the proto files."""
    return MessageToDict(message, preserving_proto_field_name=True)


def show(
    rows: Iterable[T],
    columns: Sequence[Column[T]],
    form: Format,
    as_json: Callable[[T], dict[str, Any]],
) -> None:
    """Write all rows; JSON as one array."""
    match form:
        case "table":
            _table(rows, columns)
        case "json":
            _print(json.dumps([as_json(row) for row in rows], indent=2, ensure_ascii=True))
        case "jsonl" | "csv":
            write = follow(columns, form, as_json)
            for row in rows:
                write(row)


def show_one(
    row: T, columns: Sequence[Column[T]], form: Format, as_json: Callable[[T], dict[str, Any]]
) -> None:
    """Write one row; JSON as one object."""
    if form == "json":
        _print(json.dumps(as_json(row), indent=2, ensure_ascii=True))
    else:
        show([row], columns, form, as_json)


def show_facts(
    row: T, columns: Sequence[Column[T]], form: Format, as_json: Callable[[T], dict[str, Any]]
) -> None:
    """Write one row of which much is known; a table has a line for each fact that there is."""
    if form != "table":
        show_one(row, columns, form, as_json)
        return
    facts = [(column.heading, column.text(row)) for column in columns]
    lines: Sequence[Column[tuple[str, str]]] = (
        Column("fact", lambda fact: fact[0]),
        Column("value", lambda fact: fact[1]),
    )
    _table([fact for fact in facts if fact[1]], lines)


def write_text(text: str) -> None:
    """Write a text of several lines as it is, but for what a terminal might obey."""
    _write("".join(harmless(line) + "\n" for line in text.splitlines()))


def follow(
    columns: Sequence[Column[T]], form: Format, as_json: Callable[[T], dict[str, Any]]
) -> Callable[[T], None]:
    """Write the heading, if any, and return what writes a row at once; JSON is JSON lines here."""
    match form:
        case "table":
            _print(_line(columns, [column.heading for column in columns]))
            return lambda row: _print(_line(columns, [column.text(row) for column in columns]))
        case "json" | "jsonl":
            return lambda row: _print(json.dumps(as_json(row), ensure_ascii=True))
        case "csv":
            _print_csv([column.heading for column in columns])
            return lambda row: _print_csv([column.text(row) for column in columns])


def _table(rows: Iterable[T], columns: Sequence[Column[T]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.heading, justify="right" if column.number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(harmless(column.text(row))) for column in columns))
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = _ENDLESS
    with console.capture() as drawn:
        console.print(table, crop=False)
    _write(drawn.get())


def _line(columns: Sequence[Column[T]], texts: Sequence[str]) -> str:
    cells = (
        text.rjust(column.width) if column.number else text.ljust(column.width)
        for column, text in zip(columns, map(harmless, texts), strict=True)
    )
    return "  ".join(cells).rstrip()


def _print(text: str) -> None:
    _write(text + "\n")


def _print_csv(texts: Sequence[str]) -> None:
    line = StringIO()
    csv.writer(line, lineterminator="\n").writerow(map(harmless, texts))
    _write(line.getvalue())


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None
