"""ClOrdID(11) is unique for ever, over days, restarts and routers; so are our own identifiers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from fairlead_server.domain.ids import ClOrdIds, Ulids
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.builders import NOW
from tests.domain.lives import untimed


def test_an_id_is_router_day_shard_and_counter() -> None:
    ids = ClOrdIds("FL", shard=0)

    assert [ids.next(NOW), ids.next(NOW)] == ["FL1XV00000001", "FL1XV00000002"]
    assert ids.last == 2


@untimed
@given(
    router=st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=9),
    shard=st.integers(0, 35),
    last=st.integers(0, 36**7 - 2),
    days=st.integers(0, 36**3 - 1),
)
def test_an_id_has_at_most_twenty_digits_and_capital_letters(
    router: str, shard: int, last: int, days: int
) -> None:
    made = ClOrdIds(router, shard, last).next(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=days))

    assert re.fullmatch("[0-9A-Z]{12,20}", made)


def test_ids_stay_unique_over_restarts_days_shards_and_routers() -> None:
    made = []
    for router in ("FL", "FM"):
        for shard in (0, 1, 35):
            last = 0
            for restart in range(3):
                ids = ClOrdIds(router, shard, last)
                made += [ids.next(NOW + timedelta(days=restart)) for _ in range(50)]
                last = ids.last

    assert len(set(made)) == len(made) == 900


def test_the_counter_goes_on_when_the_clock_goes_back() -> None:
    ids = ClOrdIds("FL", 0)

    assert len({ids.next(NOW), ids.next(NOW - timedelta(days=1)), ids.next(NOW)}) == 3


@pytest.mark.parametrize(
    ("heard", "following"),
    [
        ("FL1XV00000006", "FL1XV00000007"),  # ahead of the counter, which stands at 5
        ("FL1XV00000005", "FL1XV00000006"),
        ("FL1XV00000001", "FL1XV00000006"),
        ("FL1XV0000LFLX", "FL1XV0000LFLY"),  # 1,000,000 on
        ("FL1XV0000LFLY", "FL1XV00000006"),  # too far away to be met
        ("FL1XV0ZZZZZZZ", "FL1XV00000006"),
        ("FL1XU00000006", "FL1XV00000006"),  # of the day before
        ("FL1XV10000006", "FL1XV00000006"),  # another shard's
        ("FM1XV00000006", "FL1XV00000006"),  # another router's
        ("FL1XV0000006", "FL1XV00000006"),
        ("theirs", "FL1XV00000006"),
        ("", "FL1XV00000006"),
    ],
)
def test_what_a_venue_calls_an_order_is_passed_over(heard: str, following: str) -> None:
    ids = ClOrdIds("FL", 0, last=5)

    assert ids.heard(heard, NOW) == (following != "FL1XV00000006")
    assert ids.next(NOW) == following


@pytest.mark.parametrize("router", ["", "fl", "F L", "F\x01", "TENLETTERS", "Ä"])
def test_a_router_is_named_in_what_every_venue_takes(router: str) -> None:
    with pytest.raises(ValueError, match="a router is named by"):
        ClOrdIds(router, 0)


@pytest.mark.parametrize("shard", [-1, 36])
def test_a_shard_is_one_place(shard: int) -> None:
    with pytest.raises(ValueError, match="does not fit 1 places"):
        ClOrdIds("FL", shard)


def test_a_clock_before_the_epoch_and_an_exhausted_counter_are_errors_and_not_repeats() -> None:
    with pytest.raises(ValueError, match="does not fit 3 places"):
        ClOrdIds("FL", 0).next(datetime(2019, 12, 31, tzinfo=UTC))
    with pytest.raises(ValueError, match="does not fit 7 places"):
        ClOrdIds("FL", 0, 36**7 - 1).next(NOW)


# ULIDs.


def test_ulids_sort_in_the_order_of_their_making_and_never_repeat() -> None:
    ulids = Ulids(chance=0)
    times = [NOW + timedelta(microseconds=100 * step) for step in range(1000)]

    made = [ulids.next(time) for time in times]

    assert made == sorted(set(made))
    assert all(len(each) == 26 for each in made)


def test_a_ulid_is_its_time_its_process_and_a_counter_in_crockfords_base_32() -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    assert Ulids(chance=0).next(epoch) == "00000000000000000000000001"
    assert Ulids(chance=(1 << 48) - 1).next(epoch) == "0000000000ZZZZZZZZZW000001"
    assert Ulids(chance=0).next(epoch + timedelta(milliseconds=32**2)) == "00000001000000000000000001"


def test_two_processes_make_different_ulids_in_one_millisecond() -> None:
    assert Ulids(chance=1).next(NOW) != Ulids(chance=2).next(NOW)
