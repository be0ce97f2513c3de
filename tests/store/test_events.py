from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fairlead_server.domain.event import EventKind
from fairlead_server.store.database import EventQuery, Store
from msgspec.structs import replace

from tests.domain.builders import NOW
from tests.store.facts import SECOND, event, log

MANY = (
    event(1),
    event(2, account_id="ACC2"),
    event(3, instrument_id="OTHER"),
    event(4, strategy_id="S1"),
    event(5, session_id="SECOND"),
    event(6, kind=EventKind.FILLED),
    event(7, order_id="O0001"),
)


def test_an_empty_log_has_no_head(store: Store) -> None:
    assert store.head() == 0
    assert store.events_after(0, 10) == []
    assert store.sequence_at(NOW) == 0


def test_events_come_back_whole_and_in_order(store: Store) -> None:
    store.commit(log(reversed(MANY)))

    assert store.head() == 7
    assert store.events_after(0, 10) == list(MANY)
    assert store.events_after(2, 3) == list(MANY[2:5])
    assert store.events_after(7, 10) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"account_ids": ("ACC2",)}, [2]),
        ({"account_ids": ("ACC2", "ACC1"), "until_sequence": 3}, [1, 2, 3]),
        ({"instrument_ids": ("OTHER",)}, [3]),
        ({"strategy_ids": ("S1",)}, [4]),
        ({"session_ids": ("SECOND",)}, [5]),
        ({"kinds": (EventKind.FILLED, EventKind.CANCELED)}, [6]),
        ({"order_id": "O0001"}, [1, 7]),
        ({"from_time": NOW + 6 * SECOND}, [6, 7]),
        ({"account_ids": ("ACC1",), "instrument_ids": ("ACME",), "strategy_ids": ("S1",)}, [4]),
        ({"order_id": "nobody"}, []),
    ],
)
def test_events_are_told_apart_by_what_is_asked(
    store: Store, wanted: dict[str, Any], found: list[int]
) -> None:
    store.commit(log(MANY))

    assert [row.sequence for row in store.events_after(0, 10, EventQuery(**wanted))] == found


def test_a_time_names_the_last_event_before_it(store: Store) -> None:
    store.commit(log(event(n, time=NOW + (n // 3) * SECOND) for n in range(1, 100)))

    assert store.sequence_at(NOW) == 0
    assert store.sequence_at(NOW + timedelta(microseconds=1)) == 2
    assert store.sequence_at(NOW + 5 * SECOND) == 14
    assert store.sequence_at(NOW + timedelta(days=1)) == 99


def test_a_time_is_found_in_a_log_whose_beginning_was_removed(store: Store) -> None:
    store.commit(log(replace(event(n), time=NOW + n * SECOND) for n in range(40, 50)))

    assert store.sequence_at(NOW + 45 * SECOND) == 44
    assert store.sequence_at(NOW + 50 * SECOND) == 49
