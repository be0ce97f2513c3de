"""What a version of FIX consists of, read from the text of one of :mod:`fairlead_server.fix.dictionaries`.

A text has lines, and a line that begins with blanks goes on with the one before; ``#`` begins a remark:

    fields
    54 Side CHAR 1 2 5              number, name, type, and the values that it may have if they are enumerated
    also 40000-43123                numbers that belong to the version and are not described
    header 8! 9! 35! 49! 56! 115    ``!`` is required
    trailer 93 89 10!
    component Parties: 453(448 447 452 802(523 803))    a repeating group: the count, then what each entry may have
    message D NewOrderSingle: 11! Parties 55! 54!       a component stands for its fields; its ``!`` for theirs

The first field of a group begins each of its entries. Blocks are built when they are first asked for: a version
has more messages than a session ever sees.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_TOKEN: Final = re.compile(r"[A-Za-z]\w*|[0-9]+|[!()]")


@dataclass(frozen=True, slots=True)
class Field:
    number: int
    name: str
    type: str
    values: frozenset[str]  # empty: any


@dataclass(slots=True)
class Block:
    """Header, trailer, the body of a message, or an entry of a repeating group."""

    members: dict[int, int] = field(default_factory=dict)  # in the specification's order, to the place in it
    required: set[int] = field(default_factory=set)
    groups: dict[int, "Block"] = field(default_factory=dict)  # by the field that counts the entries

    @property
    def first(self) -> int:
        """The field that begins an entry."""
        return next(iter(self.members))

    def add(self, tag: int, *, required: bool) -> None:
        self.members.setdefault(tag, len(self.members))
        if required:
            self.required.add(tag)

    def include(self, component: "Block", *, required: bool) -> None:
        for tag in component.members:
            self.add(tag, required=required and tag in component.required)
        self.groups |= component.groups


class Dictionary:
    def __init__(
        self,
        fields: Mapping[int, Field],
        also: frozenset[int],
        blocks: Mapping[str, Sequence[str]],
        names: Mapping[str, str],
    ) -> None:
        self.fields = fields
        self.also = also
        self.names = names
        """Of all messages, by MsgType(35)."""
        self._texts = blocks
        self._blocks: dict[str, Block] = {}

    @property
    def header(self) -> Block:
        return self._block("header")

    @property
    def trailer(self) -> Block:
        return self._block("trailer")

    def message(self, msg_type: str) -> Block | None:
        """The body of this type of message; None if the version has no such message."""
        return self._block(f"message {msg_type}") if msg_type in self.names else None

    def _block(self, name: str) -> Block:
        block = self._blocks.get(name)
        if block is None:
            block = self._blocks[name] = self._build(iter(self._texts.get(name, ())))
        return block

    def _build(self, tokens: Iterator[str]) -> Block:
        """Up to the bracket that ends it, or the end."""
        block = Block()
        word = next(tokens, ")")
        while word != ")":
            following = next(tokens, ")")
            required = following == "!"
            if required:
                following = next(tokens, ")")
            if word[0].isalpha():
                block.include(self._block(f"component {word}"), required=required)
            else:
                block.add(int(word), required=required)
                if following == "(":
                    block.groups[int(word)] = self._build(tokens)
                    following = next(tokens, ")")
            word = following
        return block


def parse(text: str) -> Dictionary:
    fields: dict[int, Field] = {}
    also: list[int] = []
    blocks: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for line in _lines(text):
        match line.split():
            case [number, name, kind, *values] if number.isdecimal():
                fields[int(number)] = Field(int(number), name, kind, frozenset(values))
            case ["also", *ranges]:
                also += _numbers(ranges)
            case ["message", msg_type, name, *_]:
                names[msg_type] = name.removesuffix(":")
                blocks[f"message {msg_type}"] = _tokens(line)
            case ["component", name, *_]:
                blocks[f"component {name.removesuffix(':')}"] = _tokens(line)
            case ["header" | "trailer" as name, *_]:
                blocks[name] = _TOKEN.findall(line)[1:]
            case _:
                pass  # the heading of the fields
    return Dictionary(fields, frozenset(also), blocks, names)


def _lines(text: str) -> Iterator[str]:
    whole = ""
    for line in text.splitlines():
        if line.startswith(" "):
            whole += line
            continue
        yield whole
        whole = line.partition("#")[0]
    yield whole


def _tokens(line: str) -> list[str]:
    return _TOKEN.findall(line.partition(":")[2])


def _numbers(ranges: Sequence[str]) -> Iterator[int]:
    for numbers in ranges:
        begin, _, end = numbers.partition("-")
        yield from range(int(begin), int(end or begin) + 1)
