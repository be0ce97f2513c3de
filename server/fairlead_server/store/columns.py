"""How a value is kept in a column: decimals as text, times as microseconds since 1970, enums by value, facts as JSON.

Text keeps a decimal's digits (``1.10`` stays ``1.10``), which no numeric column of SQLite does. An integer sorts,
compares and indexes alike in every database; it is microseconds because that is all that a ``datetime`` holds.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Generic, TypeVar

from sqlalchemy import BigInteger, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from fairlead_server.store.codec import Codec

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Only a column of this very type is SQLite's rowid, which is what keeps a table in the order of its numbers.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")


@lru_cache(4096)
def micros(time: datetime) -> int:
    """Kept, for the rows of one decision have one time."""
    return (time - _EPOCH) // _MICROSECOND


def from_micros(number: int) -> datetime:
    return _EPOCH + timedelta(microseconds=number)


class DecimalText(TypeDecorator[Decimal]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, _: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, _: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Micros(TypeDecorator[datetime]):
    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, _: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


class DayText(TypeDecorator[date]):
    """Such as 2026-11-20, which sorts as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: date | None, _: Dialect) -> str | None:
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, _: Dialect) -> date | None:
        return None if value is None else date.fromisoformat(value)


class EnumText(TypeDecorator[E], Generic[E]):
    impl = Text
    cache_ok = True

    def __init__(self, kind: type[E]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: E | None, _: Dialect) -> str | None:
        return None if value is None else value.value

    def process_result_value(self, value: str | None, _: Dialect) -> E | None:
        return None if value is None else self.kind(value)


class Facts(TypeDecorator[T], Generic[T]):
    """A whole value as JSON; see :mod:`fairlead_server.store.codec`."""

    impl = Text
    cache_ok = True

    def __init__(self, codec: Codec[T]) -> None:
        super().__init__()
        self.codec = codec

    def process_bind_param(self, value: T | None, _: Dialect) -> str | None:
        return None if value is None else self.codec.encode(value)

    def process_result_value(self, value: str | None, _: Dialect) -> T | None:
        return None if value is None else self.codec.decode(value)


class Position(GenericFunction[int]):
    """Where the second bytes begin within the first, counted from 1; 0 where they are not."""

    type = Integer()
    inherit_cache = True


@compiles(Position, "sqlite")
def _(element: Position, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr{compiler.function_argspec(element, **options)}"


@compiles(Position, "postgresql")
def _(element: Position, compiler: SQLCompiler, **options: Any) -> str:
    whole, part = (compiler.process(clause, **options) for clause in element.clauses)
    return f"position({part} IN {whole})"
