"""Reads scenarios from YAML, strictly: a word that means nothing is refused with those that do.

A typing mistake that went unnoticed would make a scenario that passes and tests nothing. Every value is text until a step
says what it is, so quantities and prices stay the decimals that were written.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import yaml
from fairlead_server.fix.message import sendable
from msgspec import Struct

from fix_sim.edits import Edits, OnWire
from fix_sim.errors import StartError
from fix_sim.orders import CxlRejReason, ExecType
from fix_sim.scenario import (
    Asked,
    Await,
    Break,
    Fault,
    Match,
    Of,
    Orig,
    Refuse,
    RejectMessage,
    Repeat,
    Scenario,
    Silence,
    Step,
    Tell,
    TellMassCancel,
    Wait,
)

SHIPPED = Path(__file__).parent / "scenarios"  # those that come with the simulator

_Word = TypeVar("_Word", bound=Enum)
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_HIGHEST = Decimal(10**12)
_MAX_TEXT = 128
_MAX_COUNT = 10_000
_MAX_TAG = 99_999
_OF_THE_SESSION = (8, 9, 10, 34, 35, 49, 52, 56)
_WHOLE = "a whole number"


class _WrongError(ValueError):
    """Says what would be right."""


class _Node(Struct, frozen=True):
    """A value of the file, and where it stands."""

    node: yaml.Node
    where: str

    @property
    def line(self) -> str:
        return f"{self.where} line {self.node.start_mark.line + 1}"

    def wrong(self, what: str, right: str) -> StartError:
        return StartError(self.line, what, right)

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.wrong("a value is wanted here, not a list or a table", "write a word or a number")
        return str(self.node.value)

    def items(self) -> list["_Node"]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.wrong("a list is wanted here", "begin each of its lines with '- '")
        return [_Node(each, self.where) for each in self.node.value]

    def table(self, known: Sequence[str]) -> dict[str, "_Node"]:
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong("a table is wanted here", f"write key: value with any of {', '.join(known)}")
        found: dict[str, _Node] = {}
        for key_node, value in self.node.value:
            key = _Node(key_node, self.where)
            name = key.text()
            if known and name not in known:
                raise key.wrong(f"{name!r} means nothing here", f"use one of {', '.join(known)}")
            if name in found:
                raise key.wrong(f"{name!r} comes twice", "write it once")
            found[name] = _Node(value, self.where)
        return found

    @property
    def empty(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and self.node.value in ("", "~", "null")

    def plain(self) -> object:
        """As lists, dicts and texts."""
        if isinstance(self.node, yaml.SequenceNode):
            return [each.plain() for each in self.items()]
        if isinstance(self.node, yaml.MappingNode):
            return {name: value.plain() for name, value in self.table(()).items()}
        return self.text()


def read_scenarios(path: Path) -> list[Scenario]:
    """All scenarios of a file, or of the ``*.yaml`` files of a folder, by name. Raises StartError."""
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise StartError(f"{path}", "there is no scenario in it", "name a YAML file or a folder of them")
    found: dict[str, Scenario] = {}
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StartError(f"{file}", f"cannot be read ({error})", "name a YAML file") from None
        for scenario in parse_scenarios(text, str(file)):
            if scenario.name in found:
                raise StartError(f"{file}", f"{scenario.name!r} comes twice", "give each its own name")
            found[scenario.name] = scenario
    return list(found.values())


def parse_scenarios(text: str, where: str) -> list[Scenario]:
    """Raises StartError, which names the line."""
    return [_scenario(node) for node in _parse(text, where).items()]


def parse_steps(text: str, where: str) -> tuple[Step, ...]:
    """A list of steps, or a single one, as in a scenario. Raises StartError."""
    root = _parse(text, where)
    nodes = root.items() if isinstance(root.node, yaml.SequenceNode) else [root]
    return tuple(map(_step, nodes))


def _parse(text: str, where: str) -> _Node:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{where} line {mark.line + 1}" if mark is not None else where
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise StartError(line, f"is no YAML: {problem}", "see docs/fix-sim.md for the form") from None
    if root is None:
        raise StartError(where, "is empty", "write a list of scenarios")
    return _Node(root, where)


_SCENARIO = ("name", "title", "match", "times", "steps", "trial")
_MATCH = ("symbol", "account", "cl_ord_id_prefix", "qty")


def _scenario(node: _Node) -> Scenario:
    table = node.table(_SCENARIO)
    for key in ("name", "steps"):
        if key not in table:
            raise node.wrong(f"{key} is missing", f"write {key}: ...")
    match = table["match"].table(_MATCH) if "match" in table else {}
    return Scenario(
        name=_text(table["name"]),
        steps=tuple(map(_step, table["steps"].items())),
        match=Match(**_read(match, {"qty": _positive} | dict.fromkeys(_MATCH[:3], _text))),
        times=_whole(table["times"]) if "times" in table else 0,
        title=_text(table["title"]) if "title" in table else "",
        trial=table["trial"].plain() if "trial" in table else None,
    )


def _step(node: _Node) -> Step:
    """A word, or a word with what it says: ``canceled``, ``trade: {qty: 100}``."""
    if isinstance(node.node, yaml.ScalarNode):
        return _made(node, node.text(), None)
    steps = node.table(sorted(_STEPS))
    if len(steps) != 1:
        raise node.wrong(f"{len(steps)} steps in one", "begin each step with '- '")
    ((word, said),) = steps.items()
    return _made(node, word, None if said.empty else said)


def _made(node: _Node, word: str, said: _Node | None) -> Step:
    if word not in _STEPS:
        raise node.wrong(f"{word!r} is no step", f"use one of {', '.join(sorted(_STEPS))}")
    form = _STEPS[word]
    if said is None:
        given: dict[str, Any] = {}
    elif form.short and isinstance(said.node, yaml.ScalarNode):
        given = {form.short: form.readers[form.short](said)}
    else:
        given = _read(said.table(list(form.readers)), form.readers)
    for key in form.needed:
        if key not in given:
            raise node.wrong(f"{word} needs {key}", f"write {word}: {{{key}: ...}}")
    return form.make(given)


def _read(table: Mapping[str, _Node], readers: Mapping[str, "_Reader"]) -> dict[str, Any]:
    return {key: readers[key](value) for key, value in table.items()}


_Reader = Callable[[_Node], Any]


class _Form(Struct, frozen=True):
    """How a step is written. ``short`` is the key that a bare value stands for: ``wait: 2s``."""

    make: Callable[[dict[str, Any]], Step]
    readers: Mapping[str, _Reader]
    short: str = ""
    needed: tuple[str, ...] = ()


# Values.


def _text(node: _Node) -> str:
    text = node.text()
    if not sendable(text) or len(text) > _MAX_TEXT or not text.isprintable():
        raise node.wrong(f"{text[:40]!r} will not do", f"write up to {_MAX_TEXT} printable characters")
    return text


def _decimal(node: _Node) -> Decimal:
    try:
        value = Decimal(node.text())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value < _HIGHEST:
        raise node.wrong(f"{node.text()[:40]!r} is no amount", "write a decimal from 0 on, such as 230.10")
    return value


def _positive(node: _Node) -> Decimal:
    value = _decimal(node)
    if not value:
        raise node.wrong("0 will not do", "write a decimal above 0, such as 100")
    return value


def _whole(node: _Node) -> int:
    text = node.text()
    if not text.isdecimal() or int(text) > _MAX_COUNT:
        raise node.wrong(f"{text[:40]!r} is not {_WHOLE}", f"write {_WHOLE} up to {_MAX_COUNT}")
    return int(text)


def _time(node: _Node) -> timedelta:
    """``250ms``, ``2s``, ``-5m``."""
    text = node.text()
    number, unit = text.rstrip("msdh"), text[len(text.rstrip("msdh")) :]
    try:
        return timedelta(**{_UNITS[unit]: float(number)})
    except (KeyError, ValueError, OverflowError):
        units = ", ".join(_UNITS)
        raise node.wrong(
            f"{text[:40]!r} is no time", f"write a number with one of {units}, such as 250ms"
        ) from None


def _word(words: type[_Word]) -> _Reader:
    def read(node: _Node) -> _Word:
        try:
            return words(node.text())
        except ValueError:
            known = ", ".join(str(word.value) for word in words)
            raise node.wrong(f"{node.text()[:40]!r} means nothing here", f"use one of {known}") from None

    return read


def _cxl_rej_reason(node: _Node) -> int:
    number = _whole(node)
    if number not in list(CxlRejReason):
        known = ", ".join(str(int(reason)) for reason in CxlRejReason)
        raise node.wrong(f"{number} is no CxlRejReason(102) that we give", f"use one of {known}")
    return number


def _flag(node: _Node) -> bool:
    if node.text() not in ("true", "false"):
        raise node.wrong(f"{node.text()[:40]!r} will not do", "write true or false")
    return node.text() == "true"


def _tag(node: _Node) -> int:
    tag = int(node.text()) if node.text().isdecimal() else 0
    if not 0 < tag <= _MAX_TAG:
        raise node.wrong(f"{node.text()[:40]!r} is no tag", "write a tag by its number, such as 151")
    if tag in _OF_THE_SESSION:
        raise node.wrong(f"{tag} is the session's to write", "use on_wire, or a step about the session")
    return tag


def _fields(node: _Node) -> tuple[tuple[int, str], ...]:
    if not isinstance(node.node, yaml.MappingNode):
        raise node.wrong("a table is wanted here", 'write tag: value, such as {151: "900"}')
    pairs = [(_Node(key, node.where), _Node(value, node.where)) for key, value in node.node.value]
    return tuple((_tag(key), _text(value)) for key, value in pairs)


def _tags(node: _Node) -> frozenset[int]:
    return frozenset(map(_tag, node.items()))


# Steps.

_EDITS: dict[str, _Reader] = {
    "set": _fields,
    "leave_out": _tags,
    "poss_resend": _flag,
    "on_wire": _word(OnWire),
}
_POSS_RESEND = (97, "Y")


def _edits(given: dict[str, Any]) -> Edits:
    replaced = given.pop("set", ())
    if given.pop("poss_resend", False):
        replaced = (*replaced, _POSS_RESEND)
    return Edits(replaced, given.pop("leave_out", frozenset()), given.pop("on_wire", OnWire.WHOLE))


def _tell(exec_type: ExecType) -> Callable[[dict[str, Any]], Step]:
    return lambda given: Tell(exec_type, edits=_edits(given), **given)


def _refuse(given: dict[str, Any]) -> Step:
    return Refuse(edits=_edits(given), **given)


def _tell_mass_cancel(given: dict[str, Any]) -> Step:
    return TellMassCancel(edits=_edits(given), **given)


def _break(fault: Fault) -> Callable[[dict[str, Any]], Step]:
    return lambda given: Break(fault, **given)


_FILL: dict[str, _Reader] = {"qty": _positive, "price": _positive}
_SAID: dict[ExecType, dict[str, _Reader]] = {
    ExecType.TRADE: _FILL,
    ExecType.TRADE_CORRECT: _FILL | {"fill": _whole},
    ExecType.TRADE_CANCEL: {"fill": _whole},
    ExecType.RESTATED: _FILL | {"reason": _whole},
    ExecType.REJECTED: {"reason": _whole},
    ExecType.CANCELED: {"reason": _whole, "of": _word(Of)},
    ExecType.REPLACED: {"of": _word(Of)},
    ExecType.PENDING_CANCEL: {"of": _word(Of)},
    ExecType.PENDING_REPLACE: {"of": _word(Of)},
}
_AWAIT: dict[str, _Reader] = {
    "asked": _word(Asked),
    "within": _time,
    "qty": _positive,
    "price": _positive,
    "orig": _word(Orig),
}
_REFUSED: dict[str, _Reader] = {"reason": _whole, "text": _text}

_STEPS: dict[str, _Form] = {
    "wait": _Form(lambda given: Wait(**given), {"time": _time}, "time", ("time",)),
    "await": _Form(lambda given: Await(**given), _AWAIT, "asked", ("asked",)),
    **{
        exec_type.name.lower(): _Form(
            _tell(exec_type),
            _SAID.get(exec_type, {}) | {"text": _text} | _EDITS,
            "qty" if exec_type is ExecType.TRADE else "reason" if exec_type is ExecType.REJECTED else "",
        )
        for exec_type in ExecType
    },
    "cancel_reject": _Form(
        _refuse,
        {"reason": _cxl_rej_reason, "text": _text, "of": _word(Of)} | _EDITS,
        "reason",
        ("reason",),
    ),
    "mass_cancel_report": _Form(_tell_mass_cancel, {"reason": _whole, "text": _text} | _EDITS, "reason"),
    "repeat": _Form(lambda given: Repeat(_edits(given)), _EDITS),
    "business_reject": _Form(lambda given: RejectMessage(**given), _REFUSED, "reason", ("reason",)),
    "session_reject": _Form(
        lambda given: RejectMessage(**given, by_session=True), _REFUSED, "reason", ("reason",)
    ),
    "silence": _Form(lambda _: Silence(), {}),
    "disconnect": _Form(_break(Fault.DISCONNECT), {}),
    "disconnect_after": _Form(_break(Fault.DISCONNECT_AFTER), {"count": _whole}, "count", ("count",)),
    "stall": _Form(_break(Fault.STALL), {"time": _time}, "time", ("time",)),
    "clock_skew": _Form(_break(Fault.CLOCK_SKEW), {"time": _time}, "time", ("time",)),
    "forget_numbers": _Form(_break(Fault.FORGET_NUMBERS), {}),
    "reset_numbers": _Form(_break(Fault.RESET_NUMBERS), {}),
    "resend_storm": _Form(_break(Fault.RESEND_STORM), {"count": _whole}, "count", ("count",)),
    "second_logon": _Form(_break(Fault.SECOND_LOGON), {}),
    "logout": _Form(_break(Fault.LOGOUT), {"count": _whole, "text": _text}),
}
