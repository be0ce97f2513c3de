from __future__ import annotations

from fairlead_server.fix.terms import Sent
from fairlead_server.store.batch import Batch, Direction, MessageRow
from fairlead_server.store.database import Store

from tests.store.facts import SESSION, message


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


def test_bytes_are_kept_as_they_are(store: Store) -> None:
    frame = bytes(range(256))
    store.commit(Batch(messages=[message(1, frame=frame)]))

    assert [sent.frame for sent in store.sent(SESSION, 1, 1, 1)] == [frame]
