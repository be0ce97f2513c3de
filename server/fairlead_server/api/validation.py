"""Checks requests against the rules that the proto states beside each field (``fairlead.v1.field``).

What is wrong whatever the system's state is refused here, field by field, all of it at once; the handlers and everything
below them see only text that is bounded and harmless. Rules are read from the descriptors, so a new field brings its
rule with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from fairlead.v1 import annotations_pb2 as rules
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from fairlead_server.domain.errors import InvalidRequest

_ID = re.compile(r"[A-Za-z0-9._:-]{1,36}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,12})?")
_ZERO = re.compile(r"-?0(?:\.0+)?")
_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TOKEN = re.compile(r"[A-Za-z0-9_=-]{1,1024}")
_DEFAULT_ITEMS = 100
_MASK = "google.protobuf.FieldMask"
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MIN_YEAR, _MAX_YEAR = 1970, 2199
_YEAR_SECONDS = 31556952

Violation = tuple[str, str]  # field, description
_Test = Callable[[str], str | None]
_Check = Callable[[Any, str], Iterable[Violation]]  # of a value that is set, and its path


def validate(request: Message) -> None:
    """Raises :class:`InvalidRequest` with every violation, fields named by their path."""
    violations = _violations(request, "")
    if violations:
        raise InvalidRequest(violations)


def validate_each(messages: Iterable[Message], path: str) -> None:
    """The same for each of a list, where one that is wrong spoils the whole."""
    violations = [
        violation
        for index, each in enumerate(messages)
        for violation in _violations(each, f"{path}[{index}].")
    ]
    if violations:
        raise InvalidRequest(violations)


def unruled(request: Descriptor) -> list[str]:
    """The fields of text for which the proto states no form, so that they could not be checked."""
    return [field.full_name for field in _texts(request) if not _rule(field).form]


def _texts(descriptor: Descriptor) -> Iterator[FieldDescriptor]:
    """A map states the form of its texts itself."""
    for field in descriptor.fields:
        nested = field.message_type
        if field.type == FieldDescriptor.TYPE_STRING or (nested and nested.GetOptions().map_entry):
            yield field
        elif nested is not None and nested.full_name != _MASK:
            yield from _texts(nested)


@dataclass(frozen=True, slots=True)
class _Rules:
    """Of one kind of message, by the numbers of its fields."""

    required: Sequence[int]
    checks: Mapping[int, _Check]
    names: Mapping[int, str]  # in the order of the proto


@cache
def _rules(descriptor: Descriptor) -> _Rules:
    found = {field.number: _check(field) for field in descriptor.fields}
    return _Rules(
        [field.number for field in descriptor.fields if _rule(field).required],
        {number: check for number, check in found.items() if check is not None},
        {field.number: field.name for field in descriptor.fields},
    )


def _rule(field: FieldDescriptor) -> rules.FieldRule:
    return field.GetOptions().Extensions[rules.field]


def _violations(message: Message, prefix: str) -> list[Violation]:
    """Looks only at what is set; in the order of the proto where there is something to tell."""
    known = _rules(message.DESCRIPTOR)
    present = {field.number: value for field, value in message.ListFields()}
    found: dict[int, Iterable[Violation]] = {}
    for number in known.required:
        if number not in present:
            found[number] = [(prefix + known.names[number], "is required")]
    for number, value in present.items():
        check = known.checks.get(number)
        if check is not None and (wrong := check(value, prefix + known.names[number])):
            found[number] = wrong
    return [each for number in known.names for each in found.get(number, ())] if found else []


def _check(field: FieldDescriptor) -> _Check | None:
    rule = _rule(field)
    if field.is_repeated:
        return _many(field, rule)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(rule)
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum(field)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _message(field)
    return _page_size if field.name == "page_size" else None


def _text(rule: rules.FieldRule) -> _Check:
    test = _test_of(rule)

    def check(value: str, path: str) -> Iterable[Violation]:
        wrong = test(value) if value or not rule.required else None
        return [(path, wrong)] if wrong else ()

    return check


def _enum(field: FieldDescriptor) -> _Check:
    enum = field.enum_type
    assert enum is not None  # noqa: S101 - its type says so
    known, name = frozenset(enum.values_by_number), enum.name

    def check(value: int, path: str) -> Iterable[Violation]:
        return () if value in known else [(path, f"{value} is no {name}")]

    return check


def _message(field: FieldDescriptor) -> _Check:
    type_ = field.message_type
    assert type_ is not None  # noqa: S101 - its type says so
    if type_.full_name == "google.protobuf.Timestamp":
        return _timestamp
    if type_.full_name == _MASK:
        return _mask
    return _duration if type_.full_name == "google.protobuf.Duration" else _nested


def _mask(mask: FieldMask, path: str) -> Iterable[Violation]:
    if not 0 < len(mask.paths) <= _DEFAULT_ITEMS:
        return [(path, f"must name 1 to {_DEFAULT_ITEMS} fields")]
    wrong = next((name for name in mask.paths if _FIELD.fullmatch(name) is None), None)
    return [] if wrong is None else [(path, "must be names of fields, such as tick_size")]


def _nested(message: Message, path: str) -> Iterable[Violation]:
    found: list[Violation] = []
    for oneof in message.DESCRIPTOR.oneofs:
        whole = len(oneof.fields) == len(message.DESCRIPTOR.fields) > 1
        if whole and message.WhichOneof(oneof.name) is None:  # a reference that refers to nothing
            found.append((path, f"needs one of {', '.join(f.name for f in oneof.fields)}"))
    return found + _violations(message, path + ".")


def _page_size(size: int, path: str) -> Iterable[Violation]:
    return [(path, "must not be negative")] if size < 0 else ()


def _timestamp(time: Timestamp, path: str) -> Iterable[Violation]:
    if 0 <= time.seconds < (_MAX_YEAR - _MIN_YEAR) * _YEAR_SECONDS and 0 <= time.nanos < 10**9:
        return ()
    return [(path, f"must be a time between {_MIN_YEAR} and {_MAX_YEAR}")]


def _duration(span: Duration, path: str) -> Iterable[Violation]:
    if 0 <= span.seconds <= _YEAR_SECONDS and 0 <= span.nanos < 10**9:
        return ()
    return [(path, "must not be negative, nor longer than a year")]


def _many(field: FieldDescriptor, rule: rules.FieldRule) -> _Check:
    most, test = rule.max_items or _DEFAULT_ITEMS, _test_of(rule)
    texts = rule.form != rules.TEXT_FORM_UNSPECIFIED
    known = frozenset(field.enum_type.values_by_number) - {0} if field.enum_type else None

    def elements(values: Any, path: str) -> Iterator[Violation]:
        for index, value in enumerate(values):
            key = f"{path}[{index}]"
            if known is not None and value not in known:
                yield key, f"{value} is not known"
            elif texts:
                yield from _element(key, value, values, test)

    def check(values: Any, path: str) -> Iterable[Violation]:
        if len(values) > most:
            return [(path, f"has {len(values)} elements, at most {most} are allowed")]
        return list(elements(values, path)) if texts or known is not None else ()

    return check


def _element(path: str, value: str, values: object, test: _Test) -> Iterator[Violation]:
    wrong = "must not be empty" if not value else test(value)
    if wrong:
        yield path, wrong
    elif hasattr(values, "items"):  # a map: its keys are iterated, its values follow the same rule
        wrong = test(values[value])  # type: ignore[index] # as items says
        if wrong:
            yield f"{path}.value", wrong


def _test_of(rule: rules.FieldRule) -> _Test:
    most, form = rule.max_length, _TESTS[rule.form]

    def bounded(text: str) -> str | None:
        if most and len(text.encode()) > most:
            return f"is longer than {most} bytes"
        return form(text)

    return bounded


def _form(pattern: re.Pattern[str], expected: str) -> _Test:
    def test(text: str) -> str | None:
        return None if pattern.fullmatch(text) else f"must be {expected}"

    return test


def _positive(text: str) -> str | None:
    if _DECIMAL.fullmatch(text) is None:
        return _NOT_DECIMAL
    return "must be above zero" if text.startswith("-") or _ZERO.fullmatch(text) else None


def _lines(text: str) -> str | None:
    return "must not contain control characters but ends of lines and tabs" if _LINES.search(text) else None


def _plain(text: str) -> str | None:
    return "must not contain control characters" if _CONTROL.search(text) else None


_NOT_DECIMAL = (
    "must be a decimal number such as 101.25: no exponent, at most 18 digits before and 12 after the point"
)
_TESTS: dict[int, _Test] = {
    rules.TEXT_FORM_UNSPECIFIED: _plain,
    rules.TEXT_FORM_ID: _form(_ID, "1 to 36 of A-Z a-z 0-9 . _ : -"),
    rules.TEXT_FORM_UUID: _form(_UUID, "a UUID in lower case, such as 123e4567-e89b-12d3-a456-426614174000"),
    rules.TEXT_FORM_DECIMAL: lambda text: None if _DECIMAL.fullmatch(text) else _NOT_DECIMAL,
    rules.TEXT_FORM_POSITIVE_DECIMAL: _positive,
    rules.TEXT_FORM_TEXT: _plain,
    rules.TEXT_FORM_LINES: _lines,
    rules.TEXT_FORM_TOKEN: _form(_TOKEN, "a token that this server has given out"),
}
