"""The simulator's settings, from an optional TOML file and the command line, which wins.

A file is read strictly: a key that means nothing is refused with those that do, for a typing mistake that goes
unnoticed makes a broker that behaves differently than its author thinks.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from fairlead_server.fix.dictionaries import TRANSPORTS
from fairlead_server.fix.terms import Validation
from msgspec import Struct

from fix_sim.errors import StartError
from fix_sim.masses import MassPolicy
from fix_sim.rules import DEFAULT_RULES, Action, Rule

IN_MEMORY = ":memory:"
VERSIONS = tuple(sorted(TRANSPORTS))
_COMP_ID = re.compile(r"[!-9;-~]{1,64}")
_PORTS = range(65536)
_REASONS = range(100)
_SLICES = range(1, 1001)
_DELAYS = range(60_001)
_INTERVALS = range(1, 86_400_001)


class Settings(Struct, frozen=True):
    """``store`` is a folder or ``:memory:``. ``peers`` are the CompIDs that may log on, in each of ``versions``.

    FIX goes over TLS if there is a ``tls_cert``, the file of our certificate; its key is in ``tls_key`` or in the same file.
    Who connects must have a certificate too if there is a ``tls_client_ca``, the file of those who may have signed it.
    """

    host: str = "127.0.0.1"
    port: int = 9876
    control_port: int = 50052
    store: str = "var/fix_sim"
    fsync: bool = False
    seed: int | None = None
    universe: str | None = None
    comp_id: str = "SIM"
    peers: tuple[str, ...] = ("FAIRLEAD",)
    versions: tuple[str, ...] = VERSIONS
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    rules: tuple[Rule, ...] = DEFAULT_RULES
    scenarios: str | None = (
        None  # a YAML file, or a folder of them; an order that fits one is played, not traded
    )
    mass_cancel: MassPolicy = MassPolicy.ACCEPT
    delay_ms: int = 0  # every answer takes so long, and up to jitter_ms more, by the seed
    jitter_ms: int = 0
    validation: Validation = (
        Validation.LENIENT
    )  # it says itself, in a BusinessMessageReject(j), what it misses


class _WrongError(ValueError):
    """Says what would be right."""


def read_settings(path: Path) -> dict[str, Any]:
    """The settings that the file makes, by name; rules, if it has any, replace the default ones."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise StartError(f"{path}", str(error), "write TOML, such as port = 9876") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"config {path}", f"cannot be read ({error})", "name a TOML file") from None
    settings = _read_table(str(path), table, _SETTINGS | {"rules": _tables})
    if "rules" in settings:
        settings["rules"] = tuple(
            _read_rule(f"{path} rules[{number}]", rule)
            for number, rule in enumerate(settings["rules"], start=1)
        )
    return settings


def _read_rule(where: str, table: Mapping[str, Any]) -> Rule:
    rule = _read_table(where, table, _RULE)
    if "action" not in rule:
        raise StartError(f"{where} action", "is missing", f"write one of {_actions()}")
    if "interval_ms" in rule:
        rule["interval"] = timedelta(milliseconds=rule.pop("interval_ms"))
    return Rule(**rule)


def _read_table(
    where: str, table: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    read = {}
    for key, value in table.items():
        if key not in readers:
            raise StartError(f"{where} {key}", "is not a setting", f"use one of {', '.join(readers)}")
        try:
            read[key] = readers[key](value)
        except _WrongError as wrong:
            raise StartError(f"{where} {key}", f"{value!r} will not do", f"write {wrong}") from None
    return read


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or not value:
        raise _WrongError("a text in quotes, without control characters")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongError("true or false")
    return value


def _number(allowed: range) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is not int or value not in allowed:
            raise _WrongError(f"a whole number from {allowed[0]} to {allowed[-1]}")
        return value

    return read


def _comp_id(value: Any) -> str:
    if not isinstance(value, str) or not _COMP_ID.fullmatch(value):
        raise _WrongError("up to 64 letters, digits and signs, no blank and no colon")
    return value


def _comp_ids(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise _WrongError('a list of CompIDs, such as ["FAIRLEAD"]')
    return tuple(map(_comp_id, value))


def _versions(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(version in VERSIONS for version in value):
        raise _WrongError(f"a list out of {', '.join(VERSIONS)}")
    return tuple(value)


def _validation(value: Any) -> Validation:
    if value not in [each.name.lower() for each in Validation]:
        raise _WrongError("strict or lenient")
    return Validation[value.upper()]


def _mass_policy(value: Any) -> MassPolicy:
    known = [policy.value for policy in MassPolicy]
    if value not in known:
        raise _WrongError(f"one of {', '.join(known)}")
    return MassPolicy(value)


def _tables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _WrongError("[[rules]] above each rule, or rules = [] for none")
    return value


def _action(value: Any) -> Action:
    if value not in [action.value for action in Action]:
        raise _WrongError(f"one of {_actions()}")
    return Action(value)


def _actions() -> str:
    return ", ".join(action.value for action in Action)


_SETTINGS: dict[str, Callable[[Any], Any]] = {
    "host": _text,
    "port": _number(_PORTS),
    "control_port": _number(_PORTS),
    "store": _text,
    "fsync": _flag,
    "seed": _number(range(2**31)),
    "universe": _text,
    "comp_id": _comp_id,
    "peers": _comp_ids,
    "versions": _versions,
    "tls_cert": _text,
    "tls_key": _text,
    "tls_client_ca": _text,
    "validation": _validation,
    "scenarios": _text,
    "mass_cancel": _mass_policy,
    "delay_ms": _number(_DELAYS),
    "jitter_ms": _number(_DELAYS),
}
_RULE: dict[str, Callable[[Any], Any]] = {
    "action": _action,
    "symbol": _text,
    "account": _text,
    "cl_ord_id_prefix": _text,
    "slices": _number(_SLICES),
    "interval_ms": _number(_INTERVALS),
    "reason": _number(_REASONS),
    "text": _text,
}
