from collections.abc import Sequence
from datetime import datetime

from fairlead_server.fix import tags
from fairlead_server.fix.events import Disconnect, ResendWanted
from fairlead_server.fix.framing import Framer
from fairlead_server.fix.message import Fields, decode, encode
from fairlead_server.fix.session import Session
from fairlead_server.fix.terms import Numbers, Role, Sent, SessionConfig, Validation
from fairlead_server.fix.values import write_utc_timestamp
from fix_sim.broker import Broker, Turn
from fix_sim.scenario_file import parse_steps
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fix_sim.desk import START, at, engine

NAME = "FIX.4.4:SIM:FAIRLEAD"
ORDER: Fields = [
    (11, "A"),
    (55, "AAPL"),
    (54, "1"),
    (60, "20260302-14:30:00"),
    (38, "100"),
    (40, "2"),
    (44, "229"),
]


class Peer:
    """A broker and the bytes of its only client; what was sent is kept as a journal would."""

    def __init__(self) -> None:
        config = SessionConfig("FIX.4.4", "SIM", "FAIRLEAD", Role.ACCEPTOR, validation=Validation.LENIENT)
        self.sent: list[Sent] = []
        self.broker = Broker(engine(), {NAME: Session(config, Numbers())}, {}, self._stored)
        self.number = 0

    def say(self, msg_type: str, fields: Fields = (), now: datetime = START) -> Turn:
        self.number += 1
        time = write_utc_timestamp(now)
        frame = encode("FIX.4.4", msg_type, "FAIRLEAD", "SIM", self.number, time, fields)
        return self.hear(self.broker.received(NAME, frame, now))

    def log_on(self) -> "Peer":
        self.hear(self.broker.connected(NAME, START))
        self.say("A", [(tags.ENCRYPT_METHOD, "0"), (tags.HEART_BT_INT, "30")])
        return self

    def hear(self, turn: Turn) -> Turn:
        self.sent += turn.parts[NAME].sent if NAME in turn.parts else []
        return turn

    def _stored(self, client: str, wanted: ResendWanted) -> Sequence[Sent]:
        assert client == NAME
        return [sent for sent in self.sent if wanted.begin <= sent.msg_seq_num <= wanted.end]


def types(turn: Turn) -> list[str]:
    """MsgType(35) of all that goes out to the client."""
    frames = Framer().feed(bytes(turn.parts[NAME].wire))
    return [decode(frame).msg_type for frame in frames if isinstance(frame, bytes)]


def test_a_request_and_its_reports_are_one_turn() -> None:
    peer = Peer().log_on()

    turn = peer.say("D", ORDER)

    assert types(turn) == ["8"]
    assert [message.msg_type for message in turn.parts[NAME].received] == ["D"]
    assert (turn.parts[NAME].numbers, list(turn.orders)) == (Numbers(3, 3), ["T-O1"])
    assert turn.parts[NAME].close == ""


def test_a_report_waits_behind_the_answer_to_a_resend_request_of_the_same_breath() -> None:
    peer = Peer().log_on()
    time = write_utc_timestamp(START)
    order = encode("FIX.4.4", "D", "FAIRLEAD", "SIM", 2, time, ORDER)
    again = encode("FIX.4.4", "2", "FAIRLEAD", "SIM", 3, time, [(7, "1"), (16, "0")])

    turn = peer.hear(peer.broker.received(NAME, order + again, START))

    assert types(turn) == ["4", "8"]


def test_a_status_is_told_and_is_no_execution() -> None:
    peer = Peer().log_on()
    peer.say("D", ORDER)

    turn = peer.say("H", ORDER)

    assert (types(turn), turn.executions) == (["8"], [])


def test_a_report_that_is_repeated_is_no_execution_of_its_own() -> None:
    peer = Peer().log_on()
    peer.say("D", ORDER)

    first, _ = peer.broker.perform("T-O1", parse_steps("[{trade: 1}, repeat, {wait: 1s}]", "here"), START)
    later, _ = peer.broker.perform(
        "T-O1", parse_steps("[{trade: 1}, {repeat: {set: {32: '9'}}}]", "here"), START
    )

    assert (types(first), [each.exec_id for each in first.executions]) == (["8", "8"], ["T-E2"])
    assert (types(later), [each.exec_id for each in later.executions]) == (["8", "8"], ["T-E3"])


def test_a_reject_from_the_client_is_not_answered() -> None:
    peer = Peer().log_on()

    assert types(peer.say("3", [(45, "1"), (58, "no")])) == []
    assert types(peer.say("j", [(45, "1"), (372, "8"), (380, "0")])) == []


def test_the_first_deadline_is_whoever_is_due_first() -> None:
    peer = Peer()
    assert peer.broker.deadline() is None

    peer.log_on()
    peer.say("D", [*ORDER, (59, "6"), (126, "20260302-14:30:01")])

    assert peer.broker.deadline() == at(1000)
    assert types(peer.broker.tick(at(1000))) == ["8"]


def test_silence_ends_in_a_close() -> None:
    peer = Peer().log_on()

    turn = peer.broker.tick(at(100_000))

    assert turn.parts[NAME].close == "the peer is silent"
    assert Disconnect("the peer is silent") in turn.parts[NAME].events


def test_a_client_that_halted_its_session_may_try_again() -> None:
    peer = Peer().log_on()
    peer.say("4", [(tags.GAP_FILL_FLAG, "Y"), (tags.NEW_SEQ_NO, "9999999")])
    peer.broker.disconnected(NAME)
    peer.number = 1

    peer.log_on()

    assert types(peer.say("D", ORDER)) == ["8"]


_TAGS = [1, 11, 21, 38, 40, 41, 44, 54, 55, 59, 60, 97, 99, 126, 432, 790]
_VALUES = st.one_of(
    st.sampled_from(
        ["A", "1", "2", "3", "4", "6", "AAPL", "EURUSD", "100", "229", "1000", "0", "-1", "0.001", "Y"]
    ),
    st.sampled_from(
        ["20260302-14:30:00", "20260303-10:00:00.000", "99991231-23:59:60", "NaN", "1E99", "9" * 40]
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\x00\x01\r\n"), min_size=1, max_size=80),
)


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.sampled_from("DFGH"), st.dictionaries(st.sampled_from(_TAGS), _VALUES, max_size=8)),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_the_fields_each_request_is_answered_and_nothing_breaks(
    requests: list[tuple[str, dict[int, str]]],
) -> None:
    peer = Peer().log_on()

    for msg_type, fields in requests:
        body = dict(ORDER) | {41: "A"} | fields
        answer = types(peer.say(msg_type, list(body.items())))
        assert set(answer) in ({"8"}, {"9"}, {"j"})

    for order in peer.broker.engine.orders.values():
        assert 0 <= order.cum_qty <= max(order.terms.order_qty, order.cum_qty)
        assert order.leaves_qty in (0, order.terms.order_qty - order.cum_qty)
    numbers = [sent.msg_seq_num for sent in peer.sent]
    assert numbers == list(range(1, len(numbers) + 1))
