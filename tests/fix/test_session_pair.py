"""Two sessions back to back over a link that splits, coalesces, loses and reconnects, between owners that crash.

Whatever happens: what arrives is a prefix of what was sent, no number is used twice, and once the link is left in
peace everything has arrived, in order, once.
"""

from datetime import timedelta
from typing import Any, ClassVar

from fairlead_server.fix.session import State
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.fix.driver import Driver, pair
from tests.fix.transcript import START

_SETTINGS = settings(max_examples=100, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow])
SIDES = st.sampled_from([0, 1])


class LossyLink(RuleBasedStateMachine):
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.sides = pair(**self.options)
        self.linked = False
        self.count = 0
        self.reconnect(flowing=True)

    def peer(self, driver: Driver) -> Driver:
        return self.sides[1] if driver is self.sides[0] else self.sides[0]

    @rule(flowing=st.booleans())
    def reconnect(self, *, flowing: bool) -> None:
        for driver in self.sides:
            driver.disconnect()
        for driver in self.sides:
            driver.connect(self.now)
        self.linked = True
        if flowing:
            self.exchange()

    @precondition(lambda self: self.linked)
    @rule(side=SIDES)
    def cut(self, side: int) -> None:
        """One end hears of it before the other, which may go on for a while."""
        self.sides[side].disconnect()
        self.linked = False

    @precondition(lambda self: self.linked)
    @rule(side=SIDES)
    def crash(self, side: int) -> None:
        self.sides[side].crash()
        self.linked = False

    @precondition(lambda self: self.linked)
    @rule(side=SIDES, size=st.integers(1, 300))
    def crash_before_commit(self, side: int, size: int) -> None:
        driver = self.sides[side]
        driver.session.receive(bytes(self.peer(driver).outbox[:size]), self.now)
        self.crash(side)

    @precondition(lambda self: any(driver.session.active for driver in self.sides))
    @rule(side=SIDES, messages=st.integers(1, 3))
    def send(self, side: int, messages: int) -> None:
        driver = self.sides[side]
        for _ in range(messages if driver.session.active else 0):
            self.count += 1
            driver.send(f"order-{self.count}", self.now)

    @precondition(lambda self: self.linked)
    @rule(side=SIDES, size=st.integers(1, 400))
    def deliver(self, side: int, size: int) -> None:
        driver = self.sides[side]
        outbox = self.peer(driver).outbox
        data = bytes(outbox[:size])
        del outbox[:size]
        driver.receive(data, self.now)

    @precondition(lambda self: any(driver.outbox for driver in self.sides))
    @rule(at=st.integers(0, 200))
    def damage(self, at: int) -> None:
        """So that no number of damaged bytes, CheckSum(10) included, makes up for another."""
        for outbox in (driver.outbox for driver in self.sides):
            if at < len(outbox) and outbox[at] < 0x7F:
                outbox[at] += 0x81

    @precondition(lambda self: self.linked)
    @rule()
    def flow(self) -> None:
        self.exchange()

    @rule(side=SIDES, most=st.integers(1, 5))
    def answer(self, side: int, most: int) -> None:
        self.sides[side].answer(self.now, most=most)

    @rule(seconds=st.sampled_from([0.1, 1, 5, 10, 31, 37, 80]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for driver in self.sides:
            driver.commit(driver.session.tick(self.now))

    @rule(side=SIDES)
    def log_out(self, side: int) -> None:
        driver = self.sides[side]
        driver.commit(driver.session.logout("bye", self.now))

    @invariant()
    def nothing_arrives_twice_or_out_of_order(self) -> None:
        for driver in self.sides:
            arrived = self.peer(driver).received
            assert driver.sent[: len(arrived)] == arrived

    @invariant()
    def the_journal_has_every_number(self) -> None:
        for driver in self.sides:
            assert [number for _, number in sorted(driver.journal)] == list(range(1, driver.numbers.next_out))

    def teardown(self) -> None:
        """Leave the link in peace: all arrives."""
        self.reconnect(flowing=True)
        for _ in range(200):
            self.exchange()
            if any(driver.closed for driver in self.sides):
                self.wait(1)
                self.reconnect(flowing=True)
            elif all(len(d.sent) == len(self.peer(d).received) and d.session.active for d in self.sides):
                break
            else:
                self.wait(1)
        assert [driver.session.state for driver in self.sides] == [State.ACTIVE] * 2
        for driver in self.sides:
            assert self.peer(driver).received == driver.sent

    def exchange(self) -> None:
        while any(driver.outbox or driver.wanted for driver in self.sides):
            for driver in self.sides:
                driver.answer(self.now)
                data = bytes(self.peer(driver).outbox)
                self.peer(driver).outbox.clear()
                driver.receive(data, self.now)


TestLossyLink = LossyLink.TestCase
TestLossyLink.settings = _SETTINGS


class LossyLinkWithOptions(LossyLink):
    """The same where each Logon(A) says what is missing, gaps are asked for in chunks, and each header acknowledges."""

    options: ClassVar[dict[str, Any]] = {"next_expected": True, "last_processed": True, "resend_chunk": 3}


TestLossyLinkWithOptions = LossyLinkWithOptions.TestCase
TestLossyLinkWithOptions.settings = _SETTINGS
