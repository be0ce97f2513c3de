"""Reads a basket of orders from CSV. Pure: lines in, rows and problems out.

The whole file is read before anything is made of it, and every problem is told with its line and column.
What depends on the state of the server, such as a limit, is for the server to say.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, TypeVar

from fairlead.decimals import to_text
from fairlead.values import NewOrder, OrderType, Side, TimeInForce

E = TypeVar("E", bound=IntEnum)

REQUIRED = ("account_id", "instrument_id", "side", "quantity", "order_type")

_ID = re.compile(r"[A-Za-z0-9._:-]{1,36}")


class Then(StrEnum):
    """What to do with an order once it was submitted."""

    AMEND = "amend"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Row:
    """One order, and what follows."""

    line: int
    order: NewOrder
    then: Then | None = None
    then_quantity: str | None = None
    then_price: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where; `column` is empty if it is the line as a whole."""

    line: int
    column: str
    text: str

    def at(self, file: str) -> str:
        return ":".join([file, str(self.line), *([self.column] if self.column else [])]) + f": {self.text}"


@dataclass(frozen=True, slots=True)
class Basket:
    """A file, read. The rows are complete only if there are no problems."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read(lines: Iterable[str]) -> Basket:
    """The basket in a CSV file; the first line names the columns."""
    basket = Basket()
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        basket.problems.extend(_header_problems(header))
        if not basket.problems:
            _read_rows(basket, header, reader)
    except (csv.Error, UnicodeDecodeError) as error:
        basket.problems.append(Problem(reader.line_num, "", str(error)))
    return basket


def _header_problems(header: list[str]) -> Iterator[Problem]:
    for name in REQUIRED:
        if name not in header:
            yield Problem(1, name, "this column is missing")
    for index, name in enumerate(header):
        if name not in _PARSERS:
            yield Problem(1, name or str(index + 1), f"no such column; there are {', '.join(_PARSERS)}")
        elif name in header[:index]:
            yield Problem(1, name, "this column is there twice")


def _read_rows(basket: Basket, header: list[str], reader: Iterator[list[str]]) -> None:
    first_line: dict[tuple[str, str], int] = {}
    line = 2
    for cells in reader:
        if any(cell.strip() for cell in cells):
            row, problems = _row(line, header, cells)
            basket.problems.extend(problems)
            if row is not None:
                basket.rows.append(row)
                basket.problems.extend(_repeated(row, first_line))
        line = reader.line_num + 1  # type: ignore[attr-defined] # a csv.reader has it, its type has no name


def _row(line: int, header: list[str], cells: list[str]) -> tuple[Row | None, list[Problem]]:
    if len(cells) != len(header):
        return None, [Problem(line, "", f"{len(cells)} cells, the header has {len(header)}")]
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, cell in zip(header, map(str.strip, cells), strict=True):
        try:
            if cell:
                values[name] = _PARSERS[name](cell)
            elif name in REQUIRED:
                problems.append(Problem(line, name, "must not be empty"))
        except ValueError as error:
            problems.append(Problem(line, name, str(error)))
    problems += [] if problems else _then_problems(line, values)
    return (None, problems) if problems else (_as_row(line, values), [])


def _as_row(line: int, values: dict[str, Any]) -> Row:
    then = {name: values.pop(name, None) for name in ("then", "then_quantity", "then_price")}
    order: NewOrder = values  # type: ignore[assignment] # the parsers' names and types are its own
    return Row(line, order, **then)


def _then_problems(line: int, values: Mapping[str, Any]) -> list[Problem]:
    terms = [name for name in ("then_quantity", "then_price") if name in values]
    if values.get("then") is Then.AMEND:
        return [] if terms else [Problem(line, "then", "an amend needs then_quantity or then_price")]
    return [Problem(line, name, "is only for `then` = amend") for name in terms]


def _repeated(row: Row, first_line: dict[tuple[str, str], int]) -> list[Problem]:
    client_order_id = row.order.get("client_order_id")
    if not client_order_id:
        return []
    first = first_line.setdefault((row.order["account_id"], client_order_id), row.line)
    if first == row.line:
        return []
    return [Problem(row.line, "client_order_id", f"{client_order_id!r} is also on line {first}")]


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(f"{text!r} is not 1 to 36 of A-Z a-z 0-9 . _ : -")
    return text


def _quantity(text: str) -> str:
    if Decimal(to_text(text)) <= 0:
        raise ValueError(f"{text!r} is not greater than zero")
    return text


def _one_of(enum: type[E]) -> Callable[[str], E]:
    def parse(text: str) -> E:
        try:
            return enum[text.upper()]
        except KeyError:
            choices = ", ".join(member.name.lower() for member in enum)
            raise ValueError(f"{text!r} is none of {choices}") from None

    return parse


def _then(text: str) -> Then:
    try:
        return Then(text.lower())
    except ValueError:
        raise ValueError(f"{text!r} is none of {', '.join(Then)}") from None


_PARSERS: Mapping[str, Callable[[str], object]] = {
    "account_id": _id,
    "client_order_id": _id,
    "instrument_id": _id,
    "side": _one_of(Side),
    "quantity": _quantity,
    "order_type": _one_of(OrderType),
    "price": to_text,
    "stop_price": to_text,
    "time_in_force": _one_of(TimeInForce),
    "then": _then,
    "then_quantity": _quantity,
    "then_price": to_text,
}
