"""What waits leaves by its kind and then by its age; what is late is found at once, however much waits behind it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from fairlead_server.routing.queue import Queue, Turn, Waiting

from tests.domain.builders import NOW

SECOND = timedelta(seconds=1)


def names(*waiting: Waiting) -> list[str]:
    return [each.order_id for each in waiting]


def drained(queue: Queue) -> list[str]:
    return names(*(queue.pop() for _ in range(len(queue))))


def new(order_id: str, deadline: datetime | None = None) -> Waiting:
    return Waiting(Turn.NEW, order_id, "", deadline)


def test_what_takes_risk_away_leaves_before_what_adds_some() -> None:
    kinds = list(Turn)
    random.Random(7).shuffle(kinds)
    queue = Queue()
    for round_number in range(2):
        for turn in kinds:
            queue.put(Waiting(turn, f"{turn.name} {round_number}"))

    assert len(queue) == 14
    assert drained(queue) == [f"{turn.name} {number}" for turn in Turn for number in range(2)]
    assert [turn.name for turn in Turn] == [
        "MASS_CANCEL",
        "CANCEL",
        "REDUCE",
        "AMEND",
        "INQUIRY",
        "NEW",
        "ASKED",
    ]


def test_what_waits_twice_waits_once_at_its_first_place() -> None:
    queue = Queue()
    for order_id in ("A", "B", "A"):
        queue.put(new(order_id, NOW))

    assert drained(queue) == ["A", "B"]


def test_an_order_and_its_requests_wait_each_for_itself() -> None:
    queue = Queue()
    for turn, request_id in ((Turn.NEW, ""), (Turn.INQUIRY, ""), (Turn.AMEND, "r1"), (Turn.AMEND, "r2")):
        queue.put(Waiting(turn, "A", request_id))
    queue.drop(Turn.AMEND, "A", "r1")
    queue.drop(Turn.AMEND, "A", "never there")

    assert [queue.pop().request_id for _ in range(len(queue))] == ["r2", "", ""]


def test_what_is_late_is_taken_out_earliest_first() -> None:
    queue = Queue()
    for order_id, seconds in (("C", 3), ("A", 1), ("B", 2), ("A2", 1)):
        queue.put(new(order_id, NOW + seconds * SECOND))
    queue.put(new("never"))

    assert queue.deadline() == NOW + SECOND
    assert names(*queue.late(NOW)) == []
    assert names(*queue.late(NOW + 2 * SECOND)) == ["A", "A2", "B"]
    assert queue.deadline() == NOW + 3 * SECOND
    assert drained(queue) == ["C", "never"]


def test_what_has_left_is_never_late() -> None:
    queue = Queue()
    for order_id, seconds in (("A", 1), ("B", 2), ("C", 3)):
        queue.put(new(order_id, NOW + seconds * SECOND))
    assert queue.pop().order_id == "A"
    queue.drop(Turn.NEW, "B")

    assert queue.deadline() == NOW + 3 * SECOND
    assert names(*queue.late(NOW + 9 * SECOND)) == ["C"]
    assert (len(queue), queue.deadline()) == (0, None)


def test_what_comes_back_after_it_has_left_has_its_new_deadline() -> None:
    queue = Queue()
    queue.put(new("A", NOW + SECOND))
    queue.pop()
    queue.put(new("A", NOW + 2 * SECOND))

    assert queue.deadline() == NOW + 2 * SECOND


def test_only_cancels_outlive_a_connection() -> None:
    queue = Queue()
    for turn in Turn:
        queue.put(Waiting(turn, turn.name, "", NOW if turn in (Turn.AMEND, Turn.NEW) else None))

    assert names(*queue.all_but_cancels()) == ["REDUCE", "AMEND", "INQUIRY", "NEW", "ASKED"]
    assert queue.deadline() is None
    assert drained(queue) == ["MASS_CANCEL", "CANCEL"]
