"""Takes a message apart into its own fields and the entries of its repeating groups (FIX 4.4 vol. 1, "Repeating Groups").

Entries follow the field that counts them. One begins with the group's first field, or with a field that the entry
before has already; whatever does not belong to the group ends it. The count itself is not believed, only compared.
"""

from collections.abc import Mapping, Sequence

from fairlead_server.fix.dictionary import Block
from fairlead_server.fix.message import Fields, Fieldset


class Entry(Fieldset, frozen=True):
    """One entry of a group, or a message as a whole: its own fields as they came, without those of its groups."""

    fields: list[tuple[int, str]]
    groups: dict[int, list["Entry"]]

    def group(self, count: int) -> Sequence["Entry"]:
        """The entries that this field counts."""
        return self.groups.get(count, ())


def read(fields: Fields, block: Block) -> Entry:
    """The fields of ``block``, or of a message that has others as well."""
    whole = Entry({}, [], {})
    at = 0
    while at < len(fields):
        at = _take(fields, at, block, whole)
    return whole


def ascending(entry: Entry, block: Block) -> Fields:
    """All fields again, by ascending tag; each group's entries behind their count, in the specification's order."""
    return _flat(entry, block, {tag: tag for tag, _ in entry.fields})


def _flat(entry: Entry, block: Block, places: Mapping[int, int]) -> Fields:
    flat: list[tuple[int, str]] = []
    entries = dict(entry.groups)
    for tag, value in sorted(entry.fields, key=lambda one: places[one[0]]):
        flat.append((tag, value))
        for each in entries.pop(tag, ()):
            group = block.groups[tag]
            flat += _flat(each, group, group.members)
    return flat


def _take(fields: Fields, at: int, block: Block, into: Entry) -> int:
    """Move one field, and the entries that it counts; where to go on."""
    tag, value = fields[at]
    into.fields.append((tag, value))
    into._first.setdefault(tag, value)  # noqa: SLF001 - being built
    group = block.groups.get(tag)
    at += 1
    if group is None:
        return at
    entries = into.groups.setdefault(tag, [])
    while at < len(fields) and fields[at][0] in group.members:
        entries.append(Entry({}, [], {}))
        at = _take_entry(fields, at, group, entries[-1])
    return at


def _take_entry(fields: Fields, at: int, group: Block, into: Entry) -> int:
    while at < len(fields):
        tag = fields[at][0]
        if tag not in group.members or (into.fields and (tag == group.first or tag in into)):
            break
        at = _take(fields, at, group, into)
    return at
