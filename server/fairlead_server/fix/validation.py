"""Judges a message by the data dictionary, in the order that peers have: the first thing that is wrong is its problem.

1. header, body, trailer follow one another; 2. the version has this MsgType(35); 3. no required field is missing,
header first, then body by ascending tag; 4. each field, header, trailer, body, by ascending tag: repeated, empty,
of the wrong format, not among its values, unknown to the version, not of this message, count of a group wrong.

Nearly all messages are right, and one pass over the fields finds that: :class:`_Plan`. Only if it does not, the message
is judged in order. What the two say is the same, and so is what :mod:`shapes` say of messages that are often right.
"""

import re
from collections.abc import Iterator, KeysView, Mapping
from dataclasses import dataclass
from functools import partial

from fairlead_server.fix import groups, msg_types, tags
from fairlead_server.fix.dictionary import Block, Dictionary, Field
from fairlead_server.fix.formats import ANY_TEXT, MULTIPLE, PATTERNS, TESTS, Test, any_text
from fairlead_server.fix.groups import Entry
from fairlead_server.fix.message import Fields, Message
from fairlead_server.fix.reasons import Problem, Reason
from fairlead_server.fix.shapes import Pattern

_USER_DEFINED = 5000  # from this number on tags belong to those who agree on them
_HEADER, _BODY, _TRAILER = range(3)
_UNKNOWN = -1, any_text  # of no section


@dataclass(frozen=True, slots=True)
class _GroupPlan:
    """What to look at in the entries of one group."""

    required: frozenset[int]
    tests: Mapping[int, Test]
    groups: Mapping[int, "_GroupPlan"]

    @classmethod
    def of(cls, block: Block, fields: Mapping[int, Field]) -> "_GroupPlan":
        return cls(
            frozenset(block.required),
            {tag: _test(fields[tag]) for tag in block.members},
            {count: cls.of(group, fields) for count, group in block.groups.items()},
        )

    def passes(self, entry: Entry) -> bool:
        if not self.required <= entry.tags:
            return False
        tests = self.tests
        for tag, value in entry.fields:
            if not tests[tag](value):
                return False
        return _entries_pass(entry, self.groups)


def _entries_pass(entry: Entry, plans: Mapping[int, _GroupPlan]) -> bool:
    for count, entries in entry.groups.items():
        plan = plans[count]
        if entry[count] != str(len(entries)) or not all(map(plan.passes, entries)):
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to look at in one type of message."""

    body: Block
    fields: Mapping[int, Field]
    also: frozenset[int]
    required: frozenset[int]
    tests: Mapping[int, tuple[int, Test]]  # the section of the field, and what its text must pass
    groups: Mapping[int, _GroupPlan]

    def passes(self, message: Message) -> bool:
        """If so the message is right. If not it may be."""
        if self.groups.keys().isdisjoint(message.tags):
            return self._fields_pass(message.fields, message.tags)
        whole = groups.read(message.fields, self.body)
        return self._fields_pass(whole.fields, whole.tags) and _entries_pass(whole, self.groups)

    def _fields_pass(self, fields: Fields, present: KeysView[int]) -> bool:
        if len(present) != len(fields) or not self.required <= present:
            return False
        last, tests = _HEADER, self.tests
        for tag, value in fields:
            section, test = tests.get(tag, _UNKNOWN)
            if section < last or not test(value):
                return False
            last = section
        return True


class Validator:
    """``transport`` describes header, trailer and session messages, ``application`` all others."""

    def __init__(self, transport: Dictionary, application: Dictionary, *, user_defined: bool = False) -> None:
        self._transport = transport
        self._application = application
        self._user_defined = user_defined
        self._plans: dict[str, _Plan | None] = {}

    def body(self, msg_type: str) -> Block | None:
        """None for a message that the version does not have."""
        plan = self._plan(msg_type)
        return None if plan is None else plan.body

    def problem(self, message: Message) -> Problem | None:
        plan = self._plan(message.msg_type)
        if plan is not None and plan.passes(message):
            return None
        return self._judge(message, plan)

    def patterns(self, msg_type: str) -> Pattern:
        """For messages with the tags of one that was right."""
        plan = self._plan(msg_type)
        assert plan is not None  # noqa: S101 - it was
        counts = _counts(plan.body) | _counts(self._transport.header)

        def pattern(tag: int, value: str) -> str:
            if tag in counts:
                return re.escape(value)  # for so many entries the tags were right
            framing = tag in tags.HEADER or tag in tags.TRAILER
            field = (self._transport.fields if framing else plan.fields).get(tag)
            return ANY_TEXT if field is None else _pattern(field)

        return pattern

    def _plan(self, msg_type: str) -> _Plan | None:
        if msg_type not in self._plans:
            dictionary = self._transport if msg_type in msg_types.ADMIN else self._application
            body = dictionary.message(msg_type)
            if body is None:
                return None  # not kept, for there is no end of types that do not exist
            self._plans[msg_type] = self._make_plan(dictionary, body)
        return self._plans[msg_type]

    def _make_plan(self, dictionary: Dictionary, body: Block) -> _Plan:
        header, trailer = self._transport.header, self._transport.trailer
        tests: dict[int, tuple[int, Test]] = {}
        for section, block, fields in (
            (_BODY, body, dictionary.fields),
            (_TRAILER, trailer, self._transport.fields),
            (_HEADER, header, self._transport.fields),
        ):
            tests |= {tag: (section, _test(fields[tag])) for tag in block.members}
        for count in header.groups:
            del tests[count]  # hops are too rare to have a plan
        required = frozenset(header.required | body.required | trailer.required)
        plans = {count: _GroupPlan.of(group, dictionary.fields) for count, group in body.groups.items()}
        return _Plan(body, dictionary.fields, dictionary.also, required, tests, plans)

    # In order.

    def _judge(self, message: Message, plan: _Plan | None) -> Problem | None:
        late = _late(message.fields)
        if late is not None:
            return Problem(Reason.OUT_OF_ORDER, late)
        if plan is None:
            return Problem(Reason.UNKNOWN_MSG_TYPE)
        return next(self._problems(message, plan), None)

    def _problems(self, message: Message, plan: _Plan) -> Iterator[Problem]:
        sections = _sections(message.fields)
        header, trailer = self._transport.header, self._transport.trailer
        head, body, tail = map(groups.read, sections, (header, plan.body, trailer))
        for section, block in ((head, header), (tail, trailer), (body, plan.body)):
            yield from _missing(section, block)
        transport = self._transport
        yield from self._in_section(head, header, transport.fields, transport.also)
        yield from self._in_section(tail, trailer, transport.fields, transport.also)
        yield from self._in_section(body, plan.body, plan.fields, plan.also)

    def _in_section(
        self, entry: Entry, block: Block, fields: Mapping[int, Field], also: frozenset[int]
    ) -> Iterator[Problem]:
        before = None
        for tag, value in sorted(entry.fields, key=lambda one: one[0]):
            described = fields.get(tag)
            if tag == before and described is not None:
                yield Problem(Reason.REPEATED, tag)
            before = tag
            if not value:
                yield Problem(Reason.NO_VALUE, tag)
            if described is not None:
                yield from _wrong(described, value)
                if tag not in block.members:
                    yield Problem(Reason.NOT_OF_MESSAGE, tag)
            elif tag not in also and not (self._user_defined and tag >= _USER_DEFINED):
                yield Problem(Reason.UNKNOWN_TAG, tag)
            if tag in block.groups:
                yield from self._in_group(tag, int(value), entry, block, fields, also)

    def _in_group(
        self,
        count: int,
        counted: int,
        entry: Entry,
        block: Block,
        fields: Mapping[int, Field],
        also: frozenset[int],
    ) -> Iterator[Problem]:
        entries = entry.group(count)
        if counted != len(entries):
            yield Problem(Reason.GROUP_COUNT, count)
        for each in entries:
            yield from self._in_section(each, block.groups[count], fields, also)


def _late(fields: Fields) -> int | None:
    """The first field that comes after its section."""
    section = _HEADER
    for tag, _ in fields:
        belongs = _HEADER if tag in tags.HEADER else _TRAILER if tag in tags.TRAILER else _BODY
        if belongs < section:
            return tag
        section = belongs
    return None


def _sections(fields: Fields) -> tuple[Fields, Fields, Fields]:
    return (
        [field for field in fields if field[0] in tags.HEADER],
        [field for field in fields if field[0] not in tags.HEADER and field[0] not in tags.TRAILER],
        [field for field in fields if field[0] in tags.TRAILER],
    )


def _missing(entry: Entry, block: Block) -> Iterator[Problem]:
    for tag in sorted(block.required):
        if tag not in entry:
            yield Problem(Reason.REQUIRED_TAG_MISSING, tag)
    for count, entries in entry.groups.items():
        for each in entries:
            yield from _missing(each, block.groups[count])


def _wrong(field: Field, value: str) -> Iterator[Problem]:
    if not TESTS.get(field.type, any_text)(value):
        yield Problem(Reason.BAD_FORMAT, field.number)
    if not _test(field)(value):
        yield Problem(Reason.OUT_OF_RANGE, field.number)


def _test(field: Field) -> Test:
    """That the text is a value of the field."""
    if not field.values:
        return TESTS.get(field.type, any_text)
    if field.type in MULTIPLE:
        return partial(_all_among, field.values)
    test = TESTS.get(field.type)
    if test is None:
        return field.values.__contains__
    return frozenset(value for value in field.values if test(value)).__contains__


def _pattern(field: Field) -> str:
    """The same as a pattern."""
    if not field.values:
        return PATTERNS.get(field.type, ANY_TEXT)
    test = _test(field)
    among = "|".join(re.escape(value) for value in sorted(field.values) if test(value))
    return f"(?:{among})(?: (?:{among}))*" if field.type in MULTIPLE else f"(?:{among})"


def _counts(block: Block) -> set[int]:
    """The fields that count the entries of a group, those within groups included."""
    return set(block.groups).union(*map(_counts, block.groups.values()))


def _all_among(values: frozenset[str], text: str) -> bool:
    return all(value in values for value in text.split(" "))
