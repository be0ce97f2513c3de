"""Checks requests against the rules that the proto states beside each field (``fairlead.v1.field``).

What is wrong whatever the system's state is refused here, field by field, all of it at once; the handlers and everything
below them see only text that is bounded and harmless. Rules are read from the descriptors, so a new field brings its
rule with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from fairlead.v1 import annotations_pb2 as rules
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from fairlead_server.domain.errors import InvalidRequest

_ID = re.compile(r"[A-Za-z0-9._:-]{1,36}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,12})?")
_ZERO = re.compile(r"-?0(?:\.0+)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TOKEN = re.compile(r"[A-Za-z0-9_=-]{1,1024}")
_DEFAULT_ITEMS = 100
_MIN_YEAR, _MAX_YEAR = 1970, 2199
_YEAR_SECONDS = 31556952

Violation = tuple[str, str]  # field, description
_Test = Callable[[str], str | None]
_Check = Callable[[Message, str], Iterator[Violation]]


def validate(request: Message) -> None:
    """Raises :class:`InvalidRequest` with every violation, fields named by their path."""
    violations = list(_violations(request, ""))
    if violations:
        raise InvalidRequest(violations)


def unruled(request: Descriptor) -> list[str]:
    """The fields of text for which the proto states no form, so that they could not be checked."""
    return [
        field.full_name for field in _texts(request) if not field.GetOptions().Extensions[rules.field].form
    ]


def _texts(descriptor: Descriptor) -> Iterator[FieldDescriptor]:
    """A map states the form of its texts itself."""
    for field in descriptor.fields:
        nested = field.message_type
        if field.type == FieldDescriptor.TYPE_STRING or (nested and nested.GetOptions().map_entry):
            yield field
        elif nested is not None:
            yield from _texts(nested)


def _violations(message: Message, prefix: str) -> Iterator[Violation]:
    for check in _checks(message.DESCRIPTOR):
        yield from check(message, prefix)


@cache
def _checks(descriptor: Descriptor) -> tuple[_Check, ...]:
    return tuple(check for field in descriptor.fields for check in _checks_of(field))


def _checks_of(field: FieldDescriptor) -> Iterator[_Check]:
    rule = field.GetOptions().Extensions[rules.field]
    if rule.required:
        yield _required(field)
    if field.is_repeated:
        yield _many(field, rule)
    elif field.type == FieldDescriptor.TYPE_STRING:
        yield _text(field, rule)
    elif field.type == FieldDescriptor.TYPE_ENUM:
        yield _enum(field)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        yield _message(field)
    elif field.name == "page_size":
        yield _page_size


def _required(field: FieldDescriptor) -> _Check:
    name = field.name

    def check(message: Message, prefix: str) -> Iterator[Violation]:
        present = message.HasField(name) if field.has_presence else bool(getattr(message, name))
        if not present:
            yield prefix + name, "is required"

    return check


def _text(field: FieldDescriptor, rule: rules.FieldRule) -> _Check:
    name, test, presence = field.name, _test_of(rule), field.has_presence

    def check(message: Message, prefix: str) -> Iterator[Violation]:
        value = getattr(message, name)
        if value or (presence and message.HasField(name) and not rule.required):
            wrong = test(value)
            if wrong:
                yield prefix + name, wrong

    return check


def _enum(field: FieldDescriptor) -> _Check:
    name, enum = field.name, field.enum_type
    assert enum is not None  # noqa: S101 - its type says so
    known = frozenset(enum.values_by_number)

    def check(message: Message, prefix: str) -> Iterator[Violation]:
        value = getattr(message, name)
        if value not in known:
            yield prefix + name, f"{value} is no {enum.name}"

    return check


def _message(field: FieldDescriptor) -> _Check:
    name, type_ = field.name, field.message_type
    assert type_ is not None  # noqa: S101 - its type says so
    if type_.full_name == "google.protobuf.Timestamp":
        nested: Callable[[Message, str], Iterable[Violation]] = _timestamp
    elif type_.full_name == "google.protobuf.Duration":
        nested = _duration
    else:
        nested = _nested

    def check(message: Message, prefix: str) -> Iterator[Violation]:
        if message.HasField(name):
            yield from nested(getattr(message, name), prefix + name)

    return check


def _nested(message: Message, path: str) -> Iterator[Violation]:
    for oneof in message.DESCRIPTOR.oneofs:
        whole = len(oneof.fields) == len(message.DESCRIPTOR.fields) > 1
        if whole and message.WhichOneof(oneof.name) is None:  # a reference that refers to nothing
            yield path, f"needs one of {', '.join(f.name for f in oneof.fields)}"
    yield from _violations(message, path + ".")


def _page_size(message: Message, prefix: str) -> Iterator[Violation]:
    if message.page_size < 0:  # type: ignore[attr-defined] # a field of that name by its descriptor
        yield f"{prefix}page_size", "must not be negative"


def _timestamp(message: Message, path: str) -> Iterator[Violation]:
    seconds, nanos = message.seconds, message.nanos  # type: ignore[attr-defined] # a Timestamp by its descriptor
    if not (0 <= seconds < (_MAX_YEAR - _MIN_YEAR) * _YEAR_SECONDS and 0 <= nanos < 10**9):
        yield path, f"must be a time between {_MIN_YEAR} and {_MAX_YEAR}"


def _duration(message: Message, path: str) -> Iterator[Violation]:
    seconds, nanos = message.seconds, message.nanos  # type: ignore[attr-defined] # a Duration by its descriptor
    if not (0 <= seconds <= _YEAR_SECONDS and 0 <= nanos < 10**9):
        yield path, "must not be negative, nor longer than a year"


def _many(field: FieldDescriptor, rule: rules.FieldRule) -> _Check:
    name, most, test = field.name, rule.max_items or _DEFAULT_ITEMS, _test_of(rule)
    texts = rule.form != rules.TEXT_FORM_UNSPECIFIED
    known = frozenset(field.enum_type.values_by_number) - {0} if field.enum_type else None

    def check(message: Message, prefix: str) -> Iterator[Violation]:
        values = getattr(message, name)
        if len(values) > most:
            yield prefix + name, f"has {len(values)} elements, at most {most} are allowed"
            return
        for index, value in enumerate(values):
            key = f"{name}[{index}]"
            if known is not None and value not in known:
                yield prefix + key, f"{value} is not known"
            elif texts:
                yield from _element(prefix, key, value, values, test)

    return check


def _element(prefix: str, key: str, value: str, values: object, test: _Test) -> Iterator[Violation]:
    wrong = "must not be empty" if not value else test(value)
    if wrong:
        yield prefix + key, wrong
    elif hasattr(values, "items"):  # a map: its keys are iterated, its values follow the same rule
        wrong = test(values[value])  # type: ignore[index] # as items says
        if wrong:
            yield f"{prefix}{key}.value", wrong


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
    rules.TEXT_FORM_TOKEN: _form(_TOKEN, "a token that this server has given out"),
}
