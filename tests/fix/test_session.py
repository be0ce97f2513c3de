"""What the transcripts cannot say: errors of the caller, parts of an answer, secrets, and bytes that mean nothing."""

import dataclasses
from datetime import timedelta

import pytest
from fairlead_server.fix.errors import NotActive, UnknownVersion, UnsendableValue
from fairlead_server.fix.events import Disconnect, Garbled, Received, ResendWanted, Violation
from fairlead_server.fix.framing import MAX_LOGON_LENGTH, Framer
from fairlead_server.fix.message import decode
from fairlead_server.fix.session import Numbers, Ready, Role, Sent, Session, SessionConfig, State, Validation
from fairlead_server.fix.versions import FIXT
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.fix.driver import Driver, pair
from tests.fix.transcript import PEER, START, US, Runner, frame

CONFIG = SessionConfig("FIX.4.4", US, PEER, Role.INITIATOR)


def logged_on(begin_string: str = "FIX.4.4") -> tuple[Driver, Driver]:
    us, peer = pair(begin_string)
    us.connect(START)
    peer.connect(START)
    for _ in range(3):
        exchange(us, peer)
    assert us.session.active
    assert peer.session.active
    return us, peer


def exchange(us: Driver, peer: Driver) -> None:
    for receiver, sender in ((peer, us), (us, peer)):
        data = bytes(sender.outbox)
        sender.outbox.clear()
        receiver.receive(data, START)


# The caller.


def test_nothing_is_sent_before_the_session_is_active() -> None:
    session = Session(CONFIG, Numbers())

    with pytest.raises(NotActive) as caught:
        session.send("D", [], START)
    assert caught.value.state is State.DISCONNECTED

    session.connected(START)
    with pytest.raises(NotActive) as caught:
        session.send("D", [], START)
    assert caught.value.state is State.LOGON_SENT
    assert session.numbers == Numbers(1, 2)


def test_nothing_changes_when_a_value_cannot_be_sent() -> None:
    us, _ = logged_on()
    before = us.session.numbers

    with pytest.raises(UnsendableValue) as caught:
        us.session.send("D", [(11, "a"), (58, "two\nlines")], START)
    with pytest.raises(UnsendableValue):
        us.session.logout("two\nlines", START)

    assert caught.value.tag == 58
    assert us.session.numbers == before
    assert us.session.active
    assert decode(bytes(us.session.send("D", [(11, "a")], START).wire)).msg_seq_num == before.next_out


def test_the_sessions_own_messages_are_not_the_callers_to_send() -> None:
    us, _ = logged_on()

    with pytest.raises(ValueError, match="35"):
        us.session.send("0", [], START)


def test_without_a_connection_nothing_becomes_due() -> None:
    session = Session(CONFIG, Numbers())

    assert session.receive(b"x", START) == Ready()
    assert session.tick(START) == Ready()
    assert session.logout("bye", START) == Ready()
    assert session.resend(ResendWanted(1, 1), [], START) == Ready()
    assert session.deadline() is None
    session.disconnected()
    assert session.state is State.DISCONNECTED


def test_after_a_disconnect_nothing_more_comes_of_the_connection() -> None:
    us, _ = logged_on()
    us.commit(us.session.logout("bye", START))
    us.commit(us.session.tick(START + timedelta(seconds=10)))

    assert us.session.state is State.DISCONNECTED
    assert us.session.receive(frame("35=0|34=3", "FIX.4.4", START, "BROKER", "FAIRLEAD"), START) == Ready()
    assert us.session.tick(START + timedelta(hours=1)) == Ready()
    assert us.session.resend(ResendWanted(1, 1), [], START) == Ready()


def test_only_an_active_session_refuses_a_message() -> None:
    session = Session(CONFIG, Numbers())

    with pytest.raises(NotActive):
        session.refuse(decode(frame("35=D|34=1|11=a", "FIX.4.4", START)), START)


def test_the_application_version_of_what_comes_is_that_of_the_peers_logon() -> None:
    us = Session(dataclasses.replace(CONFIG, begin_string=FIXT, default_appl_ver_id="9"), Numbers())
    us.connected(START)
    assert us.appl_ver_id == "9"

    us.receive(frame("35=A|34=1|98=0|108=30|1137=7", FIXT, START, PEER, US), START)
    assert us.appl_ver_id == "7"

    us.disconnected()
    assert us.appl_ver_id == "9"


def test_a_refusal_in_words_is_a_reject_in_every_version() -> None:
    us, _ = logged_on("FIX.4.1")
    wrong = decode(frame("35=D|34=2|11=a|115=DESK", "FIX.4.1", START))

    (sent,) = us.session.refuse(wrong, START, "Account(1) is none of ours").journal

    answer = decode(sent.frame)
    assert (answer.msg_type, answer[45], answer[58], answer[128]) == (
        "3",
        "2",
        "Account(1) is none of ours",
        "DESK",
    )


def test_what_is_to_be_validated_needs_a_dictionary() -> None:
    with pytest.raises(UnknownVersion):
        Session(dataclasses.replace(CONFIG, begin_string="FIX.2.7"), Numbers())
    lenient = Session(
        dataclasses.replace(CONFIG, begin_string="FIX.2.7", validation=Validation.LENIENT), Numbers()
    )
    assert lenient.state is State.DISCONNECTED


def test_a_step_ends_with_each_application_message_so_that_it_is_answered_in_its_turn() -> None:
    # given a gap, and behind it a message, a test and another message
    _, peer = logged_on()
    session = peer.session
    order = "21=1|55=X|54=1|60=20260302-14:30:00|40=1"
    for text in ("35=D|34=4|11=b|" + order, "35=1|34=5|112=test", "35=D|34=6|11=c|" + order):
        session.receive(frame(text, "FIX.4.4", START, "FAIRLEAD", "BROKER"), START)

    # when
    missing = frame("35=D|34=3|11=a|" + order, "FIX.4.4", START, "FAIRLEAD", "BROKER")
    later = frame("35=0|34=7", "FIX.4.4", START, "FAIRLEAD", "BROKER")
    steps = [session.receive(data, START, stepwise=True) for data in (missing + later, b"", b"", b"")]

    # then
    received = [[e.message[11] for e in step.events if isinstance(e, Received)] for step in steps]
    assert received == [["a"], ["b"], ["c"], []]
    assert [b"112=test" in step.wire for step in steps] == [False, False, True, False]
    assert session.numbers.next_in == 8


# The answer to a ResendRequest(2).


def test_an_answer_may_come_in_parts_and_live_messages_wait_for_the_last() -> None:
    # given
    us, peer = logged_on()
    for name in "abcde":
        us.send(name, START)
    us.outbox.clear()  # lost
    us.send("f", START)
    exchange(us, peer)
    exchange(us, peer)
    us.send("g", START)

    # when
    us.answer(START, most=2)
    exchange(us, peer)

    # then
    assert peer.received == list("abcdefg")


@pytest.mark.parametrize(
    "wanted",
    [
        ResendWanted(1, 9),
        ResendWanted(2, 2),
        ResendWanted(1, 0),
        ResendWanted(1, 2, epoch=2),
        ResendWanted(1, 2, connection=2),
    ],
)
def test_what_was_not_asked_for_is_not_answered(wanted: ResendWanted) -> None:
    us, _ = logged_on()
    request = frame("35=2|34=3|7=1|16=0", "FIX.4.4", START, "BROKER", "FAIRLEAD")
    assert us.session.receive(request, START).events == [ResendWanted(1, 2)]

    assert us.session.resend(wanted, [], START) == Ready()
    assert us.session.resend(ResendWanted(1, 2), [], START).wire


def damaged(sent: Sent) -> list[Sent]:
    return [
        replace(sent, frame=sent.frame[:-1]),
        replace(sent, frame=sent.frame.replace(b"11=a", b"11=b")),
        replace(sent, frame=sent.frame + sent.frame),
        replace(sent, frame=b""),
        replace(sent, frame=frame("35=D|34=3|11", "FIX.4.4", START)),
        replace(sent, frame=frame("35=D|34=3|11=", "FIX.4.4", START)),
        replace(sent, frame=frame("35=D|34=3|-52|11=a", "FIX.4.4", START)),
        replace(sent, frame=frame("35=D|34=9|11=a", "FIX.4.4", START)),
        replace(sent, msg_seq_num=99),
    ]


def test_a_damaged_row_is_gap_filled_and_never_sent() -> None:
    us, _ = logged_on()
    sent = us.session.send("D", [(11, "a")], START).journal[0]
    for number, row in enumerate([sent, *damaged(sent)], 3):
        now = START + timedelta(minutes=number)
        request = frame(f"35=2|34={number}|7=3|16=3", "FIX.4.4", now, "BROKER", "FAIRLEAD")
        wanted = us.session.receive(request, now).events[0]
        assert isinstance(wanted, ResendWanted)

        answer = decode(bytes(us.session.resend(wanted, [row], now).wire))

        assert (answer.msg_type, answer.msg_seq_num, answer.poss_dup) == (
            "D" if row is sent else "4",
            3,
            True,
        )
        assert answer.get(36) == (None if row is sent else "4")


def test_raw_data_is_sent_again_byte_by_byte() -> None:
    us, _ = logged_on()
    body = [(58, "caf\xe9"), (354, "5"), (355, "a\x01b=c")]
    sent = us.session.send("D", body, START).journal
    request = frame("35=2|34=3|7=3|16=3", "FIX.4.4", START, "BROKER", "FAIRLEAD")
    us.session.receive(request, START)

    answer = decode(bytes(us.session.resend(ResendWanted(3, 3), sent, START).wire))

    assert list(answer.fields)[9:-1] == body


# What is configured.


@pytest.mark.parametrize(
    ("tag", "value"), [(98, "0"), (34, "7"), (369, "1"), (554, "x"), (9000, ""), (9000, "\x01")]
)
def test_fields_of_the_sessions_own_are_not_the_callers_to_set(tag: int, value: str) -> None:
    with pytest.raises(UnsendableValue) as caught:
        dataclasses.replace(CONFIG, logon_fields=((5, "fine"), (tag, value)))

    assert caught.value.tag == tag


def test_a_venues_own_fields_of_the_logon_are_sent_and_kept_from_the_log() -> None:
    config = dataclasses.replace(CONFIG, logon_fields=((9001, "desk"), (57, "GATEWAY"), (925, "canary")))

    ready = Session(config, Numbers()).connected(START)

    assert decode(bytes(ready.wire)).fields[6:-1] == [
        (56, PEER),
        (57, "GATEWAY"),
        (98, "0"),
        (108, "30"),
        (9001, "desk"),
        (925, "canary"),
    ]
    assert "canary" not in repr((config, ready.journal))


def test_a_clock_that_is_wrong_can_be_let_pass() -> None:
    session = Session(dataclasses.replace(CONFIG, role=Role.ACCEPTOR, sending_time_accuracy=None), Numbers())
    session.connected(START)

    session.receive(frame("35=A|34=1|52=20200101-00:00:00|98=0|108=30", "FIX.4.4", START), START)

    assert session.active


@pytest.mark.parametrize(("digits", "fraction"), [(0, ""), (3, ".123"), (6, ".123456")])
def test_times_are_written_as_finely_as_configured_also_in_what_is_sent_again(
    digits: int, fraction: str
) -> None:
    # given
    now = START.replace(microsecond=123456)
    session = Session(dataclasses.replace(CONFIG, role=Role.ACCEPTOR, time_digits=digits), Numbers())
    session.connected(now)
    session.receive(frame("35=A|34=1|98=0|108=30", "FIX.4.4", now), now)
    sent = session.send("8", [(37, "a")], now)

    # when
    session.receive(frame("35=2|34=2|7=1|16=0", "FIX.4.4", now), now)
    again = session.resend(ResendWanted(1, 2), sent.journal, now)

    # then
    gap_fill, report = Framer().feed(bytes(again.wire))
    assert isinstance(gap_fill, bytes)
    assert isinstance(report, bytes)
    for message in (decode(bytes(sent.wire)), decode(gap_fill), decode(report)):
        assert message[52] == f"20260302-14:30:00{fraction}"
    assert decode(report)[122] == decode(gap_fill)[122] == f"20260302-14:30:00{fraction}"


# Secrets.


def test_no_secret_reaches_journal_events_or_repr() -> None:
    config = dataclasses.replace(CONFIG, username="desk", password="canary")
    session = Session(config, Numbers())

    ready = session.connected(START)
    answer = session.receive(frame("35=5|34=1|58=canary", "FIX.4.4", START) + b"\x01554=canary\x01", START)

    assert b"554=canary" in ready.wire
    assert b"canary" not in ready.journal[0].frame
    assert "canary" not in repr((config, ready.journal, ready.events, answer))


def test_the_peers_text_is_bounded_and_on_one_line() -> None:
    us, _ = logged_on()
    text = "two\nlines\x1b[31m" + "x" * 1000

    ready = us.session.receive(frame(f"35=5|34=3|58={text}", "FIX.4.4", START, "BROKER", "FAIRLEAD"), START)

    assert len(ready.events) == 2
    assert "two?lines?[31mxxx" in repr(ready.events[0])
    assert len(repr(ready.events[0])) < 250


@pytest.mark.parametrize("test_req_id", ["two\nlines", "x" * 1001])
def test_what_cannot_be_echoed_is_rejected(test_req_id: str) -> None:
    us, _ = logged_on()
    request = frame(f"35=1|34=3|112={test_req_id}", "FIX.4.4", START, "BROKER", "FAIRLEAD")

    ready = us.session.receive(request, START)

    assert ready.events == [Violation(6, "Incorrect data format for value", 3)]
    assert decode(bytes(ready.wire))[371] == "112"


# Bytes.


def test_a_large_message_is_for_those_who_have_logged_on() -> None:
    # given
    large = "x" * (MAX_LOGON_LENGTH + 1)
    logon = frame("35=A|34=1|98=0|108=30", "FIX.4.4", START)
    news = frame(f"35=B|34=2|148=news|33=1|58={large}", "FIX.4.4", START)
    stranger, peer = (Session(dataclasses.replace(CONFIG, role=Role.ACCEPTOR), Numbers()) for _ in range(2))
    stranger.connected(START)
    peer.connected(START)

    # then
    assert [type(event) for event in stranger.receive(news, START).events] == [Garbled, Disconnect]
    assert [type(event) for event in peer.receive(logon + news, START).events][1:] == [Received]


def test_a_flood_of_garbled_messages_ends_a_connection_that_has_not_logged_on() -> None:
    session = Session(CONFIG, Numbers())
    session.connected(START)

    ready = session.receive(b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01" * 1000, START)

    assert [type(event) for event in ready.events] == [Garbled] * 21 + [Disconnect]
    assert ready.wire == b""


TAGS = [*range(1, 130), 141, 354, 355, 373, 554, 999, 10_000]
TEXT = st.one_of(
    st.sampled_from(
        ["", "0", "1", "3", "5", "Y", "N", "A", "\r", "999999", "1" * 18, "9" * 30, US, PEER, "\xff"]
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\x01|"), max_size=5),
)
FIELDS = st.lists(st.tuples(st.sampled_from(TAGS), TEXT), max_size=6)
HEADERS = st.lists(st.sampled_from(["-49", "-56", "-52", "43=Y", "122=-1", "52=-130"]), max_size=3)


@given(
    st.sampled_from(Role),
    st.booleans(),
    st.booleans(),
    st.lists(
        st.tuples(st.sampled_from("0123458ADj"), st.integers(0, 6), FIELDS, HEADERS, st.integers(0, 5)),
        max_size=6,
    ),
)
def test_no_message_makes_it_raise(
    role: Role,
    logged_on: bool,
    strict: bool,
    messages: list[tuple[str, int, list[tuple[int, str]], list[str], int]],
) -> None:
    opening = "active" if logged_on else role.name.lower()
    runner = Runner(role, "FIX.4.4", f"given {opening}{' strict=yes' if strict else ''}")
    session = runner.session
    if not logged_on:
        session.connected(START)
    for msg_type, number, fields, header, seconds in messages:
        runner.now += timedelta(seconds=seconds)
        body = [f"{tag}={value}" for tag, value in fields if tag not in {8, 9, 10}]
        data = frame("|".join([f"35={msg_type}", f"34={number}", *header, *body]), "FIX.4.4", runner.now)
        before = session.numbers

        ready = session.receive(data, runner.now)

        after = session.numbers
        assert after.epoch > before.epoch or after.next_in >= before.next_in
        assert after.epoch > before.epoch or after.next_out == before.next_out + len(ready.journal)
        runner.session.tick(runner.now)
        due = session.deadline()
        assert due is None or due > runner.now


VALID = [
    frame(text, "FIX.4.4", START)
    for text in (
        "35=A|34=1|98=0|108=30",
        "35=8|34=2|37=a",
        "35=2|34=3|7=1|16=0",
        "35=4|34=4|123=Y|36=9",
        "35=5|34=9",
    )
]


@given(
    st.sampled_from(Role),
    st.lists(st.sampled_from(VALID), max_size=6),
    st.lists(st.tuples(st.integers(0, 500), st.binary(max_size=3)), max_size=4),
    st.integers(1, 200),
)
def test_no_bytes_make_it_raise(
    role: Role, frames: list[bytes], changes: list[tuple[int, bytes]], size: int
) -> None:
    data = bytearray(b"".join(frames))
    for at, inserted in changes:
        data[at : at + 1] = inserted
    session = Session(dataclasses.replace(CONFIG, role=role), Numbers())
    session.connected(START)

    for begin in range(0, len(data), size):
        before = session.numbers
        ready = session.receive(bytes(data[begin : begin + size]), START)
        assert session.numbers.next_in >= before.next_in
        assert session.numbers.next_out == before.next_out + len(ready.journal)
