"""Some hundred runs, each from its seed: whatever happens, both sides agree in the end and nobody was told what is not so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.disk import Disks
from tests.simulation.run import simulate

_TOGETHER = 25  # seeds of one test
_SEEDS = range(1, 201)
_SOAK = range(1, 10_001)


@pytest.fixture(scope="module")
def disks() -> Iterator[Disks]:
    made = Disks()
    yield made
    made.close()


def wrong(disks: Disks, first: int, many: int) -> list[str]:
    """The seeds that are, each as the command that shows what happened, with the first thing that is wrong."""
    found = []
    for seed in range(first, first + many):
        problems = simulate(seed, disks)
        if problems:
            found.append(f"python -m tests.simulation --seed {seed} -v  # {problems[0]}")
    return found


@pytest.mark.no_cover  # which makes it three times as slow, and the parts have tests of their own
@pytest.mark.parametrize("first", _SEEDS[::_TOGETHER])
def test_no_order_and_no_fill_is_lost_doubled_or_forgotten(disks: Disks, first: int) -> None:
    assert wrong(disks, first, _TOGETHER) == []


@pytest.mark.soak
@pytest.mark.parametrize("first", _SOAK[:: 10 * _TOGETHER])
def test_nor_is_any_in_ten_thousand_runs(disks: Disks, first: int) -> None:
    assert wrong(disks, first, 10 * _TOGETHER) == []


def test_a_seed_always_tells_the_same_story(disks: Disks) -> None:
    once: list[str] = []
    again: list[str] = []

    simulate(7, disks, once.append)
    simulate(7, disks, again.append)

    assert len(once) > 10
    assert again == once
