"""What one round measured, and what several rounds say together: medians, spreads and ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.load import Answer

RATE = "orders/s"
RATE_ANSWERED = "orders/s, answers alone"
ANSWER_P50, ANSWER_P99 = "answer p50 ms", "answer p99 ms"
PERCENTILES = (50, 99, 99.9)

Figures = Mapping[str, float]
"""One round: values by name. CPU is in microseconds an order."""


def of_round(
    answers: Sequence[Answer], fills: Mapping[str, float] | None, cpu: Mapping[str, float]
) -> Figures:
    """``fills`` is when the subscriber read them, None for the reference; ``cpu`` is in seconds, by process.

    The rate counts whole work: to the last fill for the router, to the last answer for the reference.
    """
    began, answered = min(a.began for a in answers), max(a.ended for a in answers)
    latencies = [a.ended - a.began for a in answers]
    ended = max(fills.values()) if fills else answered
    figures = {RATE: len(answers) / (ended - began), RATE_ANSWERED: len(answers) / (answered - began)}
    figures |= _percentiles("answer", latencies)
    if fills:
        figures |= _percentiles("fill", [fills[a.request.client_order_id] - a.began for a in answers])
    return figures | {f"{name} CPU us": seconds * 1e6 / len(answers) for name, seconds in cpu.items()}


def _percentiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    return {f"{name} p{percent} ms": percentile(seconds, percent) * 1e3 for percent in PERCENTILES}


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed (nearest rank): one that was measured."""
    return sorted(values)[-(-len(values) * round(percent * 10) // 1000) - 1]


@dataclass(frozen=True, slots=True)
class Spread:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 2
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f}-{self.high:,.{digits}f})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rounds of one case, each with the reference's round that ran just before it."""

    title: str
    pairs: Sequence[tuple[Figures, Figures]]  # ours, the reference's
    sides: tuple[str, str] = ("router", "bare echo")
    headline: str = RATE  # the figure that is shown where there is room for one

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for pair in self.pairs for side in pair for name in side))

    def ours(self, name: str) -> Spread | None:
        return _spread([ours.get(name) for ours, _ in self.pairs])

    def reference(self, name: str) -> Spread | None:
        return _spread([theirs.get(name) for _, theirs in self.pairs])

    def ratio(self, name: str) -> Spread | None:
        """Of each pair, not of the medians: only what ran side by side is compared."""
        return _spread(
            [
                ours[name] / theirs[name] if name in ours and theirs.get(name) else None
                for ours, theirs in self.pairs
            ]
        )


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread.of(known) if known else None
