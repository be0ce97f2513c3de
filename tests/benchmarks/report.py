"""The figures as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.benchmarks.figures import ANSWER_P50, ANSWER_P99, RATE, Comparison, Figures, Spread


def preamble(facts: Mapping[str, str]) -> str:
    return "\n".join(f"{name:>12}  {value}" for name, value in facts.items())


def table(comparison: Comparison) -> str:
    """Median (lowest-highest) of the rounds; the ratio is that of each round to the reference's before it."""
    ours, reference = comparison.sides
    head = f"{comparison.title}, {len(comparison.pairs)} rounds"
    rows = [f"{head}\n{'':26}{ours:>32}{reference:>32}{'ratio':>22}"]
    for name in comparison.names():
        cells = (comparison.ours(name), comparison.reference(name), comparison.ratio(name))
        rows.append(f"  {name:24}{_cell(cells[0]):>32}{_cell(cells[1]):>32}{_cell(cells[2]):>22}")
    return "\n".join(rows)


def tail_under_load(idle: Comparison, loaded: Comparison) -> str:
    """How much an answer's worst per cent at a load that is sustained differs from an answer of an idle router."""
    p50, p99 = idle.ours(ANSWER_P50), loaded.ours(ANSWER_P99)
    if p50 is None or p99 is None:
        return ""
    return f"answer p99 of the open loop / answer p50 with 1 in flight: {p99.median / p50.median:.1f}"


def write(path: Path, machine: Mapping[str, str], comparisons: Mapping[str, Comparison]) -> None:
    """Every round as it was measured, in four digits, and what the rounds come to."""
    cases = {
        name: {
            "title": comparison.title,
            "median": {
                figure: _told(
                    zip(
                        (*comparison.sides, "ratio"),
                        (comparison.ours(figure), comparison.reference(figure), comparison.ratio(figure)),
                        strict=True,
                    )
                )
                for figure in comparison.names()
            },
            "rounds": [
                {side: _short(figures) for side, figures in zip(comparison.sides, pair, strict=True)}
                for pair in comparison.pairs
            ],
        }
        for name, comparison in comparisons.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": dict(machine), "cases": cases}, indent=1) + "\n")


def _told(cells: Iterable[tuple[str, Spread | None]]) -> dict[str, float]:
    return _short({side: spread.median for side, spread in cells if spread is not None})


def _short(figures: Figures) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in figures.items()}


def beside_sqlite(sqlite: Comparison, postgresql: Comparison) -> str:
    """Each is a ratio to the reference of its own rounds, and so is what they come to."""
    ratios = sqlite.ratio(RATE), postgresql.ratio(RATE)
    if ratios[0] is None or ratios[1] is None:
        return ""
    return (
        f"{postgresql.title} / on SQLite, of the ratios of {RATE}: {ratios[1].median / ratios[0].median:.2f}"
    )


def _cell(spread: Spread | None) -> str:
    return "-" if spread is None else str(spread)
