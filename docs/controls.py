"""Writes the table of controls into ``docs/risk.md``, as the code has them: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fairlead_server.domain.risk import CONTROLS
from fairlead_server.domain.risk.control import Cap, Control, ListGate
from fairlead_server.domain.scope import DIMENSIONS

PAGE = Path(__file__).with_name("risk.md")
BEGIN = "<!-- The table of controls, by `make docs`. -->"
END = "<!-- The end of the table. -->"
HEAD = ("control", "limit", "scope", "applies", "reason", "what", "source")


def table() -> str:
    rows = [HEAD, ("---",) * len(HEAD), *map(_row, CONTROLS)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_table(page: str) -> str:
    """The page with the table as it is to be in the place of what it has."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE} has no place for the table: {BEGIN} and {END}")
    return f"{before}{begin}\n\n{table()}\n{end}{after}"


def _row(control: Control) -> tuple[str, ...]:
    return (
        f"`{control.rule_id}`",
        "<br>".join(_limits(control)),
        _scope(control),
        control.applies.value.lower(),
        f"`{control.reason.value}`",
        " ".join(_text(control)),
        control.source,
    )


def _limits(control: Control) -> Iterator[str]:
    if isinstance(control, ListGate):
        yield f"`{control.limit}`: list, {control.kind}"
    elif isinstance(control, Cap):
        yield f"`{control.limit}`: {_word(control.unit.value)}"
        for each in control.parameters:
            yield f"`{each.name}`: {_word(each.unit.value)}, {each.text}; without it {each.default}"


def _scope(control: Control) -> str:
    if isinstance(control, ListGate):
        return "any"
    if not isinstance(control, Cap):
        return ""
    if set(control.dimensions) == set(DIMENSIONS):
        return "any"
    return ", ".join(name.removesuffix("_id") for name in control.dimensions)


def _text(control: Control) -> Iterator[str]:
    yield control.text
    if isinstance(control, Cap):
        if control.each:
            yield "Each instrument by itself."
        if control.reached:
            yield "To reach it is a breach."


def _word(name: str) -> str:
    return name.replace("_", " ").lower()


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
