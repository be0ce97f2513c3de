"""The results as a picture: how many times as fast as its reference each case is, on one logarithmic scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log10
from pathlib import Path
from xml.sax.saxutils import escape

from tests.benchmarks.figures import Comparison, Spread

_ROW, _TOP, _LEFT, _SCALE, _RIGHT = 26, 64, 370, 520, 110
_FASTER, _SLOWER, _INK, _FAINT = "#2f7d4f", "#b5673b", "#1f2328", "#8c959f"
_STYLE = f"text{{font:12px system-ui,sans-serif;fill:{_INK}}}.faint{{fill:{_FAINT}}}.head{{font-size:15px}}"


def write(path: Path, machine: Mapping[str, str], comparisons: Mapping[str, Comparison]) -> None:
    path.write_text(drawn(machine, comparisons))


def drawn(machine: Mapping[str, str], comparisons: Mapping[str, Comparison]) -> str:
    rows = [
        (f"{name}: {comparison.headline}, beside {comparison.sides[1]}", spread)
        for name, comparison in comparisons.items()
        if (spread := speed(comparison)) is not None
    ]
    low = min([0.1, *(spread.low for _, spread in rows)])
    high = max([10.0, *(spread.high for _, spread in rows)])
    bottom = _TOP + _ROW * len(rows)
    width, height = _LEFT + _SCALE + _RIGHT, bottom + 46

    def place(value: float) -> float:
        return _LEFT + _SCALE * log10(value / low) / log10(high / low)

    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
        '<text class="head" x="16" y="26">Times as fast as the reference of the same run</text>',
        '<text class="faint" x="16" y="45">median, and from the lowest round to the highest; right is better</text>',
    ]
    for mark in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50):
        if low <= mark <= high:
            x, colour = place(mark), _INK if mark == 1 else "#d8dee4"
            parts.append(f'<path d="M{x:.1f} {_TOP - 6}V{bottom}" stroke="{colour}"/>')
            parts.append(
                f'<text class="faint" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{mark:g}</text>'
            )
    for number, (label, spread) in enumerate(rows):
        parts += _row(label, spread, _TOP + _ROW * number + _ROW / 2, place)
    told = ", ".join(
        f"{name} {machine[name]}" for name in ("commit", "machine", "load before") if name in machine
    )
    parts.append(f'<text class="faint" x="16" y="{bottom + 36}">{escape(told)}</text></svg>')
    return "\n".join(parts) + "\n"


def speed(comparison: Comparison) -> Spread | None:
    """A ratio of rates as it is, one of times or costs the other way round."""
    ratio = comparison.ratio(comparison.headline)
    if ratio is None or comparison.headline.endswith("/s"):
        return ratio
    return Spread(1 / ratio.median, 1 / ratio.high, 1 / ratio.low)


def _row(label: str, spread: Spread, y: float, place: Callable[[float], float]) -> list[str]:
    start, end = sorted((place(1), place(spread.median)))
    colour = _FASTER if spread.median >= 1 else _SLOWER
    low, high = place(spread.low), place(spread.high)
    beyond = max(end, high)
    return [
        f'<text x="{_LEFT - 12}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>',
        f'<rect x="{start:.1f}" y="{y - 7:.1f}" width="{end - start:.1f}" height="14" fill="{colour}"/>',
        f'<path d="M{low:.1f} {y:.1f}H{high:.1f}M{low:.1f} {y - 4:.1f}v8M{high:.1f} {y - 4:.1f}v8" stroke="{_INK}"/>',
        f'<text x="{beyond + 6:.1f}" y="{y + 4:.1f}">{spread.median:.2g}</text>',
    ]
