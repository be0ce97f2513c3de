"""From the text of the configuration to its tables: reads the file, applies overrides, checks every key.

msgspec checks the types; what it says is put into words with the full path of the key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from fairlead_server.config.schema import AccountTable, CalendarTable, File, LimitsTable, SessionTable, Table

_Kind = TypeVar("_Kind", bound=Table)


class ConfigError(Exception):
    """``key`` is a dotted path into ``file``, empty where the whole file is meant."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        self.file = file
        self.key = key
        self.problem = problem
        super().__init__(": ".join(part for part in (file, key, problem) if part))


def tables(path: Path, text: str, changes: Iterable[str]) -> File:
    """``changes`` are ``key.path=value``, later ones win."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), "", f"is not TOML: {error}") from None
    for change in changes:
        _override(data, change)
    return _convert(path, data)


def read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")  # a spreadsheet may begin a file with a mark
    except OSError as error:
        raise ConfigError(str(path), "", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "", "is not UTF-8 text") from None


def read_zone(path: Path, key: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            str(path), key, f"{name!r} is no IANA time zone, such as America/New_York"
        ) from None


def from_environ(environ: Mapping[str, str]) -> list[str]:
    """``FAIRLEAD__SERVER__PORT=50061`` sets ``server.port``."""
    prefix = "FAIRLEAD__"
    return [
        f"{name.removeprefix(prefix).replace('__', '.').lower()}={value}"
        for name, value in sorted(environ.items())
        if name.startswith(prefix)
    ]


def _override(data: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals:
        raise ConfigError("", change, "an override is written KEY.PATH=VALUE, such as server.port=50061")
    *tables, last = key.split(".")
    for table in tables:
        data = data.setdefault(_like(table, data), {})
        if not isinstance(data, dict):
            raise ConfigError("", key, f"{table} is not a table")
    data[_like(last, data)] = _scalar(value)


def _like(name: str, table: Mapping[str, Any]) -> str:
    """The key as the table has it: an environment variable does not say what is a capital."""
    if name in table:
        return name
    return next((key for key in table if key.lower() == name.lower()), name)


def _scalar(text: str) -> object:
    """As TOML reads it where it can, else the text itself, so that strings need no quotes."""
    try:
        return tomllib.loads(f"v = {text}", parse_float=Decimal)["v"]
    except tomllib.TOMLDecodeError:
        return text


_TABLES: tuple[tuple[str, type[Table]], ...] = (
    ("accounts", AccountTable),
    ("calendars", CalendarTable),
    ("sessions", SessionTable),
)
_FIELD = re.compile(r"Object (missing required|contains unknown) field `(.*)`")


def _convert(path: Path, data: dict[str, Any]) -> File:
    """Named tables first, each for itself: of a whole file msgspec would not say which of them is wrong."""
    for section, kind in _TABLES:
        for name, row in _rows(data, section):
            for instrument, limits in _rows(row, "instruments") if kind is AccountTable else ():
                _checked(path, limits, LimitsTable, f"{section}.{name}.instruments.{instrument}")
            _checked(path, row, kind, f"{section}.{name}")
    return _checked(path, data, File, "")


def _rows(data: Any, section: str) -> list[tuple[str, Any]]:
    table = data.get(section) if isinstance(data, dict) else None
    return list(table.items()) if isinstance(table, dict) else []


def _checked(path: Path, data: Any, kind: type[_Kind], key: str) -> _Kind:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `")
        within = where.rpartition("$")[2].strip("`.")
        if (field := _FIELD.match(problem)) is not None:
            within = ".".join(filter(None, (within, field[2])))
            problem = "is missing" if field[1] == "missing required" else "is no key of this table"
        elif where.startswith("key"):
            problem = f"a name in this table: {problem}"
        key = ".".join(filter(None, (key, within)))
        raise ConfigError(str(path), key, problem.replace("`", "")) from None


def must_be_known(path: Path, key: str, names: Iterable[str], among: Iterable[str], kind: str) -> None:
    """What one table says of another."""
    known = set(among)
    for name in names:
        if name not in known:
            shown = ", ".join(sorted(known)[:8]) or "none"
            raise ConfigError(str(path), key, f"{name} is no {kind} of this configuration; there are {shown}")
