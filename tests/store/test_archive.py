"""What the store finds old, and that it lets go of what it is told to, on each database."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from fairlead_server.domain.order import Terminal
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Store, open_store

from tests.domain.builders import NOW
from tests.routing.past import archived_events, archived_messages, day, kept_events, kept_messages
from tests.store.facts import SECOND, SESSION, event, message, order, orders, whole

ROOT = Path(__file__).parents[2]


def test_old_events_are_those_of_orders_that_have_ended(store: Store) -> None:
    store.commit(whole(1, size=5))
    ended = [order(n).next(NOW, terminal=Terminal.CANCELED) for n in (1, 2, 4, 5)]
    store.commit(orders(*ended))

    assert store.old_events(0, 4, 10) == [event(1), event(2), event(4)]
    assert store.old_events(1, 5, 2) == [event(2), event(4)]
    assert store.old_events(5, 5, 10) == []


def test_old_messages_end_before_the_first_that_is_not(store: Store) -> None:
    times = [NOW, NOW + SECOND, NOW + 9 * SECOND, NOW]
    store.commit(Batch(messages=[message(n, time=time) for n, time in enumerate(times, 1)]))

    assert [old.row.msg_seq_num for old in store.old_messages(NOW + 5 * SECOND, 10)] == [1, 2]
    assert [old.row.msg_seq_num for old in store.old_messages(NOW + 5 * SECOND, 1)] == [1]
    assert [old.row.msg_seq_num for old in store.old_messages(NOW + timedelta(days=1), 10)] == [1, 2, 3]


def test_what_is_archived_goes_in_the_transaction_that_says_so(store: Store) -> None:
    store.commit(whole(1, size=300))
    old = store.old_messages(NOW + timedelta(days=1), 200)

    store.commit(
        Batch(
            counters={"archive/file": 4711},
            gone_events=list(range(1, 151)),
            gone_messages=[each.message_id for each in old],
        )
    )

    assert [row.sequence for row in store.events_after(0, 1000)] == list(range(151, 301))
    assert [sent.msg_seq_num for sent in store.sent(SESSION, 1, 1, 1000)] == list(range(101, 301))
    assert store.counters(["archive/file", "archive/other"]) == {"archive/file": 4711}
    assert store.head() == 300


@pytest.mark.timeout(120)
def test_death_at_any_instant_loses_nothing_and_doubles_nothing(kept_url: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    with closing(open_store(kept_url)) as store:
        for number in range(10):
            store.commit(day(number, orders=300))

    child = (sys.executable, "-m", "tests.routing.retention_child", kept_url, str(archive))
    deaths = subprocess.run(child, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()

    assert len(deaths) > 20
    assert {death.split()[-1] for death in deaths} == {"file", "rows", "commit"}
    assert len(set(deaths)) == 6
    assert archived_events(archive) == archived_messages(archive) == list(range(1, 2101))
    with closing(open_store(kept_url)) as store:
        assert kept_events(store) == kept_messages(store) == list(range(2101, 3001))
