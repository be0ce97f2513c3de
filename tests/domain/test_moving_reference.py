"""The prices of the last while: each counts for as long as it held, and old ones are forgotten."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from fairlead_server.domain.moving_reference import SLICES, MovingReference
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.builders import NOW

WINDOW = timedelta(minutes=5)
WIDTH = WINDOW / SLICES


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def moved(*prices: tuple[float, int]) -> MovingReference:
    """By (seconds after NOW, price); the first is at NOW."""
    (_, first), *rest = prices
    moving = MovingReference(WINDOW, Decimal(first), NOW)
    for seconds, price in rest:
        moving.add(Decimal(price), NOW + after(seconds))
    return moving


def test_one_price_is_low_high_and_mean() -> None:
    moving = moved((0, 50))

    for now in (NOW, NOW + after(1), NOW + timedelta(days=3)):
        assert {moving.low(now), moving.high(now), moving.mean(now)} == {Decimal(50)}


@pytest.mark.parametrize(
    ("seconds", "low", "high"),
    [(60, 40, 60), (300, 40, 60), (311, 40, 50), (331, 45, 50), (361, 50, 50), (9999, 50, 50)],
)
def test_what_has_left_the_window_is_forgotten(seconds: int, low: int, high: int) -> None:
    moving = moved((0, 60), (10, 40), (30, 45), (60, 50))

    now = NOW + after(seconds)

    assert (int(moving.low(now)), int(moving.high(now))) == (low, high)


def test_the_mean_of_a_step() -> None:
    moving = moved((0, 40), (100, 60))

    assert moving.mean(NOW + after(200)) == 50
    assert moving.mean(NOW + after(300)) == Decimal(160) / 3
    assert moving.mean(NOW + after(350)) == Decimal(170) / 3  # only the last 50 of the first 100 s
    assert moving.mean(NOW + after(500)) == 60


def test_a_price_that_is_older_begins_anew() -> None:
    moving = moved((0, 40), (100, 60))

    moving.add(Decimal(30), NOW + after(50))

    at = NOW + after(120)
    assert {moving.low(at), moving.high(at), moving.mean(at)} == {Decimal(30)}


def test_it_stays_small_however_many_prices_come() -> None:
    moving = moved(*((n / 10, 50 + n % 7) for n in range(20_000)))

    assert len(moving._slices) <= SLICES + 2


@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(1, 99)), max_size=40),
    st.integers(1, 99),
    st.integers(0, 400),
)
def test_it_is_as_exact_as_a_slice(steps: list[tuple[int, int]], first: int, rest: int) -> None:
    """Against all prices kept: nothing of the window is missed, and nothing counts that is a slice too old."""
    moving, held, time = MovingReference(WINDOW, Decimal(first), NOW), [(NOW, Decimal(first))], NOW
    for step, price in steps:
        time += after(step)
        moving.add(Decimal(price), time)
        held.append((time, Decimal(price)))
    now = time + after(rest)

    ends = [time for time, _ in held[1:]] + [now]
    within = [p for (_, p), end in zip(held, ends, strict=True) if end > now - WINDOW] or [held[-1][1]]
    nearly = [p for (_, p), end in zip(held, ends, strict=True) if end > now - WINDOW - 2 * WIDTH]
    assert min([*nearly, *within]) <= moving.low(now) <= min(within)
    assert max(within) <= moving.high(now) <= max([*nearly, *within])
    assert moving.low(now) <= moving.mean(now) <= moving.high(now)
