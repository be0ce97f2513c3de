"""What is too old goes from the store into the archive: all of it, once, and nothing that is still needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from fairlead_server.domain.order import Terminal
from fairlead_server.routing.retention import PIECE, Ages
from fairlead_server.store.archive import Folder
from fairlead_server.store.batch import Batch
from fairlead_server.store.columns import micros
from fairlead_server.store.database import OrderQuery, Store, StoreError
from msgspec.structs import replace

from tests.domain.builders import NOW
from tests.routing.past import (
    DAY,
    Keeper,
    archived_events,
    archived_messages,
    day,
    files,
    kept_events,
    kept_messages,
    lines,
)
from tests.store.facts import order


def filled(store: Store, *days: Batch) -> Store:
    for each in days:
        store.commit(each)
    return store


async def test_what_is_older_than_its_age_is_in_a_file_of_its_day_and_nowhere_else(
    store: Store, tmp_path: Path
) -> None:
    keeper = Keeper(filled(store, *map(day, range(10))), Folder(tmp_path))

    await keeper.once()

    assert archived_events(tmp_path) == archived_messages(tmp_path) == list(range(1, 22))
    assert kept_events(store) == kept_messages(store) == list(range(22, 31))
    assert files(tmp_path)[:2] == ["events-2026-11-10.jsonl.gz", "events-2026-11-11.jsonl.gz"]
    assert len(files(tmp_path)) == 14
    assert keeper.feed.floor == 21
    assert len(store.list_orders(OrderQuery())) == 30


async def test_a_message_is_kept_byte_for_byte(store: Store, tmp_path: Path) -> None:
    batch = day(0, orders=2)
    frame = bytes(range(256))
    batch.messages[0] = replace(batch.messages[0], frame=frame)
    keeper = Keeper(filled(store, batch), Folder(tmp_path))

    await keeper.once()

    (line,) = lines(tmp_path, "messages")
    assert line.pop("frame").encode("latin-1") == frame
    assert line == {
        "message_id": 1,
        "session_id": "BROKER",
        "epoch": 1,
        "direction": "OUT",
        "msg_seq_num": 1,
        "msg_type": "D",
        "time": "2026-11-10T15:00:00+00:00",
    }


async def test_only_what_has_an_age_is_moved(store: Store, tmp_path: Path) -> None:
    keeper = Keeper(filled(store, *map(day, range(10))), Folder(tmp_path), Ages(messages=8 * DAY))

    await keeper.once()

    assert kept_events(store) == list(range(1, 31))
    assert archived_messages(tmp_path) == [1, 2, 3, 4, 5, 6]


async def test_events_of_open_orders_stay_and_follow_when_those_have_ended(
    store: Store, tmp_path: Path
) -> None:
    filled(store, *(day(number, is_open=number == 1) for number in range(10)))
    keeper = Keeper(store, Folder(tmp_path))
    await keeper.once()
    assert kept_events(store) == [4, *range(22, 31)]

    filled(store, Batch(orders={"O0004": order(4, at=NOW).next(NOW, terminal=Terminal.CANCELED)}))
    await Keeper(store, Folder(tmp_path)).once()

    assert kept_events(store) == list(range(22, 31))
    assert archived_events(tmp_path) == [1, 2, 3, 5, 6, 4, *range(7, 22)]


async def test_messages_stay_since_the_oldest_order_that_the_venue_has_not_answered(
    store: Store, tmp_path: Path
) -> None:
    unanswered = day(2, is_open=True)
    unanswered.orders["O0007"] = replace(unanswered.orders["O0007"], acked=False)
    keeper = Keeper(filled(store, *map(day, (0, 1)), unanswered, *map(day, range(3, 10))), Folder(tmp_path))

    await keeper.once()

    assert kept_messages(store)[0] == 7


async def test_the_last_event_and_the_last_message_are_never_moved(store: Store, tmp_path: Path) -> None:
    keeper = Keeper(filled(store, day(0)), Folder(tmp_path))

    await keeper.once()

    assert (kept_events(store), kept_messages(store)) == ([3], [3])
    assert store.head() == 3


async def test_a_second_time_adds_only_what_has_become_old_since(store: Store, tmp_path: Path) -> None:
    filled(store, *map(day, range(10)))
    for kept in (9, 5, 5, 1):
        await Keeper(store, Folder(tmp_path), Ages(kept * DAY, kept * DAY)).once()

    assert archived_events(tmp_path) == archived_messages(tmp_path) == list(range(1, 28))


async def test_the_writer_gets_small_pieces_with_pauses_between_them(store: Store, tmp_path: Path) -> None:
    keeper = Keeper(filled(store, day(1, orders=3 * PIECE)), Folder(tmp_path))

    await keeper.once()

    assert max(len(batch.gone_events) + len(batch.gone_messages) for batch in keeper.batches) == PIECE
    assert len(keeper.pauses) == 6
    assert min(keeper.pauses) > 0


async def test_nobody_is_promised_what_is_about_to_go(store: Store, tmp_path: Path) -> None:
    keeper = Keeper(filled(store, *map(day, range(10))), Folder(tmp_path))

    await keeper.once()

    first = keeper.batches[0]
    assert first.counters == {"events_floor": 21, "events_since": micros(NOW - 3 * DAY)}
    assert not first.gone_events
    assert Keeper(store, Folder(tmp_path)).feed.floor == 21


async def test_a_folder_that_cannot_be_written_leaves_all_in_the_store(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    keeper = Keeper(filled(store, *map(day, range(10))), Folder(tmp_path / "file"))

    with pytest.raises(StoreError, match="check the folder"):
        await keeper.once()

    assert kept_events(store) == list(range(1, 31))
    await keeper.pipeline.close()


# The files.


def test_what_does_not_count_is_cut_off(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    size = folder.append("events-1.jsonl.gz", 0, ['{"body": "event 1"}'])
    folder.append("events-1.jsonl.gz", size, ['{"body": "event 2"}'])

    folder.append("events-1.jsonl.gz", size, ['{"body": "event 3"}'])

    assert archived_events(tmp_path) == [1, 3]


def test_a_file_that_was_moved_away_begins_anew(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    size = folder.append("events-1.jsonl.gz", 0, ['{"body": "event 1"}'])
    (tmp_path / "events-1.jsonl.gz").unlink()

    again = folder.append("events-1.jsonl.gz", size, ['{"body": "event 2"}'])

    assert archived_events(tmp_path) == [2]
    assert again == (tmp_path / "events-1.jsonl.gz").stat().st_size


def test_a_file_that_has_lost_something_is_not_written_to(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    size = folder.append("events-1.jsonl.gz", 0, ['{"body": "event 1"}'])
    (tmp_path / "events-1.jsonl.gz").write_bytes(b"")

    with pytest.raises(StoreError, match=f"has 0 bytes, {size} were written"):
        folder.append("events-1.jsonl.gz", size, ['{"body": "event 2"}'])
