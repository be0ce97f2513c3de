"""A token bucket lets through its burst and its rate, and not one more, whatever is asked for and when."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from fairlead_server.domain.pace import TokenBucket
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.builders import NOW

ZERO = timedelta()
_MICROSECOND = timedelta(microseconds=1)
_GAPS = st.lists(st.integers(0, 400_000), min_size=1, max_size=120)  # microseconds between attempts


def milliseconds(count: float) -> timedelta:
    return timedelta(milliseconds=count)


def full(rate: int, burst: int) -> TokenBucket:
    """Full at NOW."""
    return TokenBucket(rate, burst, NOW - timedelta(seconds=burst))


def spend(bucket: TokenBucket, now: datetime, most: int = 1_000) -> int:
    """Take what is there."""
    taken = 0
    while taken < most and not bucket.wait(now):
        bucket.take(now)
        taken += 1
    return taken


def test_a_new_bucket_is_empty_and_fills_at_its_rate() -> None:
    bucket = TokenBucket(50, 10, NOW)

    assert bucket.wait(NOW) == milliseconds(20)
    assert spend(bucket, NOW + milliseconds(19)) == 0
    assert spend(bucket, NOW + milliseconds(20)) == 1
    assert spend(bucket, NOW + milliseconds(100)) == 4


def test_a_full_bucket_gives_its_burst_and_no_more() -> None:
    bucket = full(50, 10)

    assert spend(bucket, NOW) == 10
    assert bucket.wait(NOW) == milliseconds(20)
    assert spend(bucket, NOW + timedelta(hours=9)) == 10


@pytest.mark.parametrize(
    ("rate", "expected"), [(1, 1_000_000), (3, 333_334), (7, 142_858), (50, 20_000), (1_000_000, 1)]
)
def test_the_wait_is_the_first_microsecond_at_which_there_is_a_token(rate: int, expected: int) -> None:
    bucket = TokenBucket(rate, 1, NOW)
    wait = bucket.wait(NOW)

    assert wait == expected * _MICROSECOND
    assert bucket.wait(NOW + wait - _MICROSECOND) == _MICROSECOND
    assert bucket.wait(NOW + wait) == ZERO


def test_the_thirds_of_a_microsecond_add_up() -> None:
    bucket = TokenBucket(3, 2, NOW)
    taken, now = 0, NOW
    while now < NOW + timedelta(minutes=2):
        now += bucket.wait(now)
        bucket.take(now)
        taken += 1

    assert (taken, now) == (360, NOW + timedelta(minutes=2))


def test_a_token_that_was_not_there_is_owed() -> None:
    bucket = full(10, 1)
    for _ in range(3):
        bucket.take(NOW)

    assert bucket.wait(NOW) == milliseconds(300)


def test_the_same_time_again_brings_nothing() -> None:
    bucket = full(10, 2)
    assert spend(bucket, NOW) == 2
    for _ in range(9):
        assert spend(bucket, NOW - timedelta(seconds=1)) == 0
        assert spend(bucket, NOW) == 0

    assert spend(bucket, NOW + milliseconds(100)) == 1


def test_a_clock_that_was_set_back_brings_nothing_and_blocks_nothing() -> None:
    bucket = full(10, 2)
    assert spend(bucket, NOW) == 2
    back = NOW - timedelta(hours=1)

    assert spend(bucket, back) == 0
    assert spend(bucket, back + milliseconds(100)) == 1


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 5)])
def test_a_bucket_that_would_never_give_is_none(rate: int, burst: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        TokenBucket(rate, burst, NOW)


@given(st.integers(1, 2_000), st.integers(1, 30), _GAPS)
def test_within_any_interval_at_most_burst_plus_rate_times_its_length(
    rate: int, burst: int, gaps: list[int]
) -> None:
    bucket, at, taken = TokenBucket(rate, burst, NOW), 0, []
    for gap in gaps:
        at += gap
        taken += [at] * spend(bucket, NOW + at * _MICROSECOND, most=7)

    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            assert (last - first + 1) * 1_000_000 <= burst * 1_000_000 + rate * (taken[last] - begin)


@given(st.integers(1, 2_000), st.integers(2, 30), _GAPS)
def test_whoever_waits_as_told_gets_the_whole_rate(rate: int, burst: int, gaps: list[int]) -> None:
    """Asking in between, however often, costs nothing."""
    bucket, count = TokenBucket(rate, burst, NOW), 20
    now = NOW
    for number in range(count):
        due = now + bucket.wait(now)
        for gap in gaps[number::count]:
            bucket.wait(min(now + gap * _MICROSECOND, due))
        now = due
        assert bucket.wait(now) == ZERO
        bucket.take(now)

    exact = -(-count * 1_000_000 // rate)
    assert now - NOW == exact * _MICROSECOND
