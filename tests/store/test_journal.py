from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from fairlead_server.fix.terms import Sent
from fairlead_server.store.batch import Batch, Direction, MessageRow
from fairlead_server.store.database import MessageQuery, Store, open_store
from sqlalchemy import text

from tests.domain.builders import NOW
from tests.store.facts import SECOND, SESSION, message


def as_sent(row: MessageRow) -> Sent:
    return Sent(row.msg_seq_num, row.msg_type, row.time, row.frame, row.epoch)


def test_the_journal_gives_what_went_out_in_the_range_and_nothing_else(store: Store) -> None:
    out = [message(n) for n in (5, 2, 3, 4, 1)]
    others = [
        message(3, Direction.IN),
        message(3, epoch=2),
        message(3, session_id="OTHER"),
    ]
    store.commit(Batch(messages=out + others))

    assert store.sent(SESSION, 1, 2, 4) == [as_sent(message(n)) for n in (2, 3, 4)]
    assert store.sent(SESSION, 2, 1, 9) == [as_sent(message(3, epoch=2))]
    assert store.sent(SESSION, 3, 1, 9) == []


def test_a_message_type_that_no_database_can_hold_is_no_reason_to_lose_the_message(store: Store) -> None:
    store.commit(Batch(messages=[message(1, Direction.IN, msg_type="D\0", frame=b"35=D\0|")]))

    (found,) = store.messages(MessageQuery(SESSION))
    assert (found.row.msg_type, found.row.frame) == ("D\ufffd", b"35=D\0|")


def test_bytes_are_kept_as_they_are(store: Store) -> None:
    frame = bytes(range(256))
    store.commit(Batch(messages=[message(1, frame=frame)]))

    assert [sent.frame for sent in store.sent(SESSION, 1, 1, 1)] == [frame]


def framed(*fields: str) -> bytes:
    return ("\x01".join(["8=FIX.4.4", "9=5", *fields, "10=000"]) + "\x01").encode()


EVERYTHING = [
    message(1, msg_type="A"),
    message(1, Direction.IN, msg_type="A"),
    message(2, frame=framed("11=C1", "38=100")),
    message(2, Direction.IN, msg_type="8", frame=framed("11=C1", "37=V1")),
    message(3, msg_type="F", frame=framed("11=C2", "41=C1")),
    message(3, Direction.IN, msg_type="8", frame=framed("11=C10", "37=V2", "58=11=C1")),
    message(1, epoch=2, time=NOW + 10 * SECOND),
]


def found(store: Store, **query: Any) -> list[int]:
    """Places in EVERYTHING."""
    asked = MessageQuery(SESSION, oldest_first=True, **query)
    rows = [stored.row for stored in store.messages(asked)]
    return [EVERYTHING.index(row) for row in rows]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6]),
        ({"direction": Direction.OUT}, [0, 2, 4, 6]),
        ({"msg_types": ("A", "F")}, [0, 1, 4]),
        ({"from_time": NOW + 2 * SECOND}, [2, 3, 4, 5, 6]),
        ({"to_time": NOW + 2 * SECOND}, [0, 1]),
        ({"from_number": 2, "to_number": 2}, [2, 3]),
        ({"epoch": 2}, [6]),
        ({"order": b"C1"}, [2, 3, 4]),
        ({"order": b"V2"}, [5]),
        ({"order": b"C1", "direction": Direction.IN}, [3]),
    ],
    ids=str,
)
def test_messages_are_found_by_what_they_are(store: Store, query: dict[str, Any], places: list[int]) -> None:
    store.commit(Batch(messages=[*EVERYTHING, message(2, session_id="OTHER")]))

    assert found(store, **query) == places


@pytest.mark.parametrize("oldest_first", [True, False])
def test_pages_of_messages_make_the_whole_in_either_direction(store: Store, *, oldest_first: bool) -> None:
    at_once = [message(n, time=NOW) for n in range(1, 6)]
    later = [message(n, time=NOW + timedelta(microseconds=n)) for n in range(6, 9)]
    store.commit(Batch(messages=at_once + later))

    seen: list[int] = []
    after = None
    query = MessageQuery(SESSION, oldest_first=oldest_first, limit=3)
    while page := store.messages(MessageQuery(SESSION, after=after, oldest_first=oldest_first, limit=3)):
        assert len(page) <= query.limit
        seen += [stored.row.msg_seq_num for stored in page]
        after = page[-1].row.time, page[-1].message_id

    assert seen == (list(range(1, 9)) if oldest_first else list(range(8, 0, -1)))


def test_a_page_of_messages_is_read_off_an_index_in_its_order(kept_url: str) -> None:
    store = open_store(kept_url)
    explain = "EXPLAIN QUERY PLAN" if kept_url.startswith("sqlite") else "EXPLAIN"
    plan = (
        f"{explain} SELECT frame FROM messages WHERE session_id = 'BROKER' AND (time, message_id) < (9, 9)"
        " ORDER BY time DESC, message_id DESC LIMIT 100"
    )
    with store._reading() as connection:
        if explain == "EXPLAIN":
            connection.execute(text("SET enable_seqscan = off"))  # which is best for an empty table
        steps = "\n".join(str(row) for row in connection.execute(text(plan)))

    assert re.search("using (index )?ix_messages_session_id_time", steps, re.IGNORECASE)
    assert "SORT" not in steps.upper()
    store.close()
