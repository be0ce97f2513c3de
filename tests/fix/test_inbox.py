from datetime import timedelta

from fairlead_server.fix.inbox import MAX_HELD, MAX_HELD_BYTES, Inbox, Request
from fairlead_server.fix.message import Message, decode
from hypothesis import given
from hypothesis import strategies as st

from tests.fix.transcript import START, frame


def numbered(number: int, size: int = 0) -> Message:
    text = f"35=8|34={number}" + (f"|58={'x' * size}" if size else "")
    return decode(frame(text, "FIX.4.4", START))


def drained(inbox: Inbox) -> list[int]:
    numbers = []
    while (message := inbox.take()) is not None:
        numbers.append(message.msg_seq_num)
        inbox.next_in += 1
    return numbers


@given(st.permutations(range(2, 12)))
def test_whatever_the_order_messages_come_out_in_sequence(numbers: list[int]) -> None:
    inbox = Inbox(1)
    for number in numbers:
        inbox.hold(number, numbered(number))

    assert drained(inbox) == []
    inbox.next_in += 1
    assert drained(inbox) == list(range(2, 12))
    assert inbox.next_in == 12


@given(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30)), st.integers(1, 40))
def test_a_gap_fill_passes_over_what_is_missing_and_nothing_else(
    held: set[int], acted_on: set[int], new_seq_no: int
) -> None:
    # given
    inbox = Inbox(1)
    for number in held:
        inbox.hold(number, numbered(number))
    for number in acted_on:
        inbox.hold(number, None)

    # when
    inbox.skip_to(new_seq_no)
    numbers = drained(inbox)

    # then
    reached = new_seq_no
    while reached in held | acted_on:
        reached += 1
    assert inbox.next_in == reached
    assert numbers == sorted(number for number in held if number < reached)


def test_no_more_is_held_than_the_limit() -> None:
    inbox = Inbox(1)
    for number in range(2, MAX_HELD + 10):
        inbox.hold(number, None)
    inbox.next_in = 2

    assert inbox.take() is None
    assert inbox.next_in == MAX_HELD + 2


def test_no_more_bytes_are_held_than_the_limit() -> None:
    inbox = Inbox(1)
    large = MAX_HELD_BYTES // 4
    for number in range(2, 10):
        inbox.hold(number, numbered(number, large))
    inbox.next_in = 2

    assert drained(inbox) == [2, 3, 4]
    inbox.hold(6, numbered(6, large))
    assert inbox.missing() == (5, 5)


def test_a_request_is_met_when_its_last_number_has_come() -> None:
    inbox = Inbox(3)
    inbox.request = Request(3, 5, START, tries=2)

    inbox.settle(START)
    assert inbox.request == Request(3, 5, START, tries=2)

    inbox.next_in = 5
    inbox.settle(START + timedelta(seconds=1))
    assert inbox.request == Request(5, 5, START + timedelta(seconds=1), tries=1)

    inbox.next_in = 6
    inbox.settle(START)
    assert inbox.request is None
