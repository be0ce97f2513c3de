"""Decide, commit, act: in groups, in order, and nothing is acted on that is not durable."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from random import Random
from string import ascii_lowercase

import pytest
from fairlead_server.domain.errors import Draining, StoreUnavailable
from fairlead_server.fix.session import Numbers
from fairlead_server.routing.pipeline import Act, Pipeline
from fairlead_server.store.batch import Batch

from tests.domain.builders import working_order
from tests.simulation.loop import Loop
from tests.stores import left


@dataclass
class Disk:
    """Takes each batch when it is let; the loop learns when one is being written."""

    let: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1_000))
    written: list[list[int]] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def commit(self, batch: Batch) -> None:
        self.loop.call_soon_threadsafe(self.begun.set)
        self.let.acquire()
        if self.failures:
            raise self.failures.pop(0)
        self.written.append(facts(batch))


class Rig:
    def __init__(self) -> None:
        self.disk = Disk()
        self.acted: list[str] = []
        self.told: list[BaseException] = []
        self.pipeline = Pipeline(left(self.disk.commit), self._committed, self.told.append)

    def _committed(self, batch: Batch) -> None:
        self.acted.append(f"publish {facts(batch)}")

    def decide(self, number: int) -> None:
        with self.pipeline.deciding():
            self.pipeline.batch.sessions[f"{number}"] = Numbers(next_out=number)
            self.pipeline.then(lambda: self.acted.append(f"act {number}"))

    def die(self, number: int) -> None:
        with self.pipeline.deciding():
            self.pipeline.batch.sessions[f"{number}"] = Numbers(next_out=number)
            raise ZeroDivisionError

    async def hold(self) -> None:
        """Decide 1 and leave it at the disk."""
        self.disk.let = threading.Semaphore(0)
        self.decide(1)
        await self.disk.begun.wait()

    def wait(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.pipeline.durable())


def facts(batch: Batch) -> list[int]:
    return [numbers.next_out for numbers in batch.sessions.values()]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    made.disk.let.release(100)
    await made.pipeline.close()


async def test_nothing_is_acted_on_before_it_is_durable(rig: Rig) -> None:
    await rig.hold()
    assert (rig.disk.written, rig.acted) == ([], [])
    rig.disk.let.release()
    await rig.pipeline.durable()
    assert rig.disk.written == [[1]]
    assert rig.acted == ["act 1", "publish [1]"]


async def test_while_one_group_is_written_the_next_fills(rig: Rig) -> None:
    await rig.hold()
    for number in (2, 3, 4):
        rig.decide(number)
    rig.disk.let.release(2)
    await rig.pipeline.durable()
    assert rig.disk.written == [[1], [2, 3, 4]]
    assert rig.acted == ["act 1", "publish [1]", "act 2", "act 3", "act 4", "publish [2, 3, 4]"]


async def test_what_is_decided_in_one_turn_of_the_loop_is_one_group(rig: Rig) -> None:
    for number in (1, 2, 3):
        rig.decide(number)
    await rig.pipeline.durable()
    assert rig.disk.written == [[1, 2, 3]]


def grouping(groups: list[str]) -> Pipeline:
    def begin(batch: Batch) -> Act:
        return partial(groups.append, "".join(batch.orders))

    return Pipeline(begin, lambda _: None, lambda _: None)


def groups_of(*decisions: tuple[float, str]) -> list[str]:
    """The orders of each group, in a world whose loop is late for nothing; a decision is when it is made, and its orders."""
    loop, groups = Loop(Random(1), patience=0.0), list[str]()
    pipeline = grouping(groups)

    def decide(orders: str) -> None:
        with pipeline.deciding():
            pipeline.batch.orders.update({name: working_order(order_id=name) for name in orders})

    for time, orders in decisions:
        loop.call_at(time, decide, orders)
    loop.run_until(60.0)
    return groups


BUSY = ((1.0, "A"), (1.0, "B"))


def test_what_comes_alone_is_committed_at_once() -> None:
    assert groups_of((1.0, "a"), (1.0001, "b"), (1.0002, "c")) == ["a", "b", "c"]
    assert groups_of((1.0, "abc"), (2.0, "de"), (2.0001, "f")) == ["abc", "de", "f"]


def test_after_a_group_of_several_decisions_the_next_fills_until_there_is_a_lull() -> None:
    assert groups_of(*BUSY, (1.0003, "c"), (1.0006, "d"), (1.0009, "e"), (1.002, "f")) == ["AB", "cde", "f"]


def test_the_lull_begins_with_the_first_decision() -> None:
    assert groups_of(*BUSY, (2.0, "c"), (2.0007, "d")) == ["AB", "c", "d"]


def test_one_that_finds_nothing_to_wait_for_ends_the_busy_time() -> None:
    assert groups_of(*BUSY, (2.0, "c"), (3.0, "d"), (3.0001, "e")) == ["AB", "c", "d", "e"]


def test_a_group_fills_for_a_hundredth_of_a_second_at_most() -> None:
    steady = [(1.0001 + number * 0.0005, name) for number, name in enumerate(ascii_lowercase)]
    groups = groups_of(*BUSY, *steady)
    assert [len(group) for group in groups] == [2, 21, 5]
    assert "".join(groups) == "AB" + ascii_lowercase


def test_a_clock_that_jumps_within_a_decision_leaves_nothing_behind() -> None:
    loop, groups = Loop(Random(1), patience=0.0), list[str]()
    pipeline = grouping(groups)

    def decide(name: str, jump: float = 0.0) -> None:
        with pipeline.deciding():
            batch = pipeline.batch
            loop._now += jump
            batch.orders[name] = working_order(order_id=name)

    for time, name, jump in ((1.0, "a", 0.0), (1.0, "b", 0.0), (2.0, "c", 1.0)):
        loop.call_at(time, decide, name, jump)
    loop.run_until(60.0)
    assert groups == ["ab", "c"]


def test_an_act_that_decides_has_its_group_behind_the_one_that_was_waiting() -> None:
    """Never two at once, for the store has one connection to write with."""
    loop, steps = Loop(Random(1), patience=0.1), list[str]()

    def begin(batch: Batch) -> Act:
        names = "".join(batch.orders)
        steps.append(f"begin {names}")
        return lambda: steps.append(f"finish {names}")

    pipeline = Pipeline(begin, lambda _: None, lambda _: None)

    def decide(name: str) -> None:
        with pipeline.deciding():
            pipeline.batch.orders[name] = working_order(order_id=name)
            if name == "a":
                pipeline.then(lambda: decide("c"))

    loop.call_at(0.5, pipeline._suspects.failed, [], ValueError("whose fault it is nobody knows"))
    loop.call_at(1.0, decide, "a")  # each is a commit by itself now
    loop.call_at(1.00001, decide, "b")
    loop.run_until(60.0)
    assert steps == ["begin a", "finish a", "begin b", "finish b", "begin c", "finish c"]


async def test_what_is_decided_while_it_closes_is_finished_too(rig: Rig) -> None:
    await rig.hold()
    rig.decide(2)
    rig.decide(3)
    loop = asyncio.get_running_loop()

    def decide_soon() -> None:
        loop.call_soon(rig.decide, 4)

    rig.pipeline.then(decide_soon)
    closing = asyncio.create_task(rig.pipeline.close())
    rig.disk.let.release(100)
    await closing

    assert rig.disk.written == [[1], [2, 3], [4]]
    with pytest.raises(StoreUnavailable):
        rig.decide(5)


async def test_with_nothing_decided_nothing_is_waited_for(rig: Rig) -> None:
    await rig.pipeline.durable()
    assert rig.disk.written == []


async def test_who_decides_nothing_new_waits_for_what_is_being_written(rig: Rig) -> None:
    await rig.hold()
    waiting = rig.wait()
    rig.disk.let.release()
    await waiting
    assert rig.acted[0] == "act 1"


async def test_an_act_alone_is_done_too(rig: Rig) -> None:
    rig.pipeline.then(lambda: rig.acted.append("alone"))
    await rig.pipeline.durable()
    assert rig.acted == ["alone", "publish []"]


async def test_an_act_may_decide(rig: Rig) -> None:
    rig.pipeline.then(lambda: rig.decide(7))
    await rig.pipeline.durable()
    await rig.pipeline.durable()
    assert rig.disk.written == [[], [7]]


async def test_bytes_that_follow_each_other_are_written_in_one_piece(rig: Rig) -> None:
    written: list[bytes] = []
    write = written.append

    rig.pipeline.then_write(write, b"one ")
    rig.pipeline.then_write(write, b"two ")
    rig.pipeline.then(lambda: written.append(b"closed"))
    rig.pipeline.then_write(write, b"three")
    await rig.pipeline.durable()
    rig.pipeline.then_write(write, b"later")
    await rig.pipeline.durable()

    assert written == [b"one two ", b"closed", b"three", b"later"]


async def test_an_act_that_fails_stops_no_other(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.decide(1)
    rig.pipeline.then(lambda: rig.acted.remove("never there"))
    rig.decide(2)
    await rig.pipeline.durable()
    assert rig.acted == ["act 1", "act 2", "publish [1, 2]"]
    assert "an act failed after its commit" in caplog.text
    assert rig.told == []


async def test_a_listener_that_fails_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Batch) -> None:
        raise ZeroDivisionError

    disk = Disk()
    pipeline = Pipeline(left(disk.commit), fail, lambda _: None)
    pipeline.then(lambda: None)
    await pipeline.durable()
    assert "an act failed" in caplog.text
    await pipeline.close()


async def test_a_waiter_that_gives_up_takes_nobody_with_it(rig: Rig) -> None:
    await rig.hold()
    impatient, patient = rig.wait(), rig.wait()
    await asyncio.wait([impatient], timeout=0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    rig.disk.let.release()
    await patient
    assert rig.acted[0] == "act 1"


async def test_a_refusal_before_any_fact_is_no_failure(rig: Rig) -> None:
    with pytest.raises(Draining), rig.pipeline.deciding():
        raise Draining
    rig.decide(1)
    await rig.pipeline.durable()
    assert (rig.disk.written, rig.told) == ([[1]], [])


# A commit that fails.


@pytest.mark.parametrize("failure", [OSError("disk full"), SystemExit()])
async def test_nothing_of_a_failed_commit_nor_of_the_next_group_is_acted_on(
    rig: Rig, failure: BaseException
) -> None:
    rig.disk.failures.append(failure)
    await rig.hold()
    first = rig.wait()
    await asyncio.wait([first], timeout=0)
    rig.decide(2)
    second = rig.wait()
    rig.disk.let.release(2)
    for waiting in (first, second):
        with pytest.raises(StoreUnavailable):
            await waiting
    assert (rig.disk.written, rig.acted) == ([], [])
    assert rig.told == [failure]


async def test_until_resumed_every_decision_is_refused(rig: Rig) -> None:
    rig.disk.failures.append(OSError("disk full"))
    rig.decide(1)
    with pytest.raises(StoreUnavailable):
        await rig.pipeline.durable()
    with pytest.raises(StoreUnavailable):
        rig.decide(2)
    with pytest.raises(StoreUnavailable):
        await rig.pipeline.durable()
    rig.pipeline.resume()
    rig.decide(3)
    await rig.pipeline.durable()
    assert rig.disk.written == [[3]]
    assert rig.acted == ["act 3", "publish [3]"]


async def test_a_commit_that_fails_as_it_begins_is_told_as_one_that_fails_later_is() -> None:
    told: list[BaseException] = []
    error = OSError("disk full")

    def begin(_: Batch) -> Act:
        raise error

    pipeline = Pipeline(begin, lambda _: None, told.append)
    pipeline.then(lambda: told.append(AssertionError("acted on")))
    with pytest.raises(StoreUnavailable):
        await pipeline.durable()

    assert told == [error]
    assert pipeline.broken
    await pipeline.close()


async def test_a_failure_that_nobody_waited_for_is_told_all_the_same(rig: Rig) -> None:
    failed = asyncio.Event()
    pipeline = Pipeline(left(rig.disk.commit), lambda _: None, lambda _: failed.set())
    rig.disk.failures.append(OSError("disk full"))
    pipeline.then(lambda: None)
    await failed.wait()
    assert pipeline.broken
    await pipeline.close()


# A decision that dies halfway.


async def test_a_decision_that_dies_takes_its_group_with_it(rig: Rig) -> None:
    rig.decide(1)
    waiting = rig.wait()
    with pytest.raises(ZeroDivisionError):
        rig.die(2)
    with pytest.raises(StoreUnavailable):
        await waiting
    assert (rig.disk.written, rig.acted) == ([], [])
    assert [type(error) for error in rig.told] == [ZeroDivisionError]


async def test_what_is_being_written_when_a_decision_dies_is_finished(rig: Rig) -> None:
    await rig.hold()
    waiting = rig.wait()
    await asyncio.wait([waiting], timeout=0)
    with pytest.raises(ZeroDivisionError):
        rig.die(2)
    assert rig.told == []  # not before the other group is durable: memory is rebuilt from what is
    rig.disk.let.release(2)
    await waiting
    assert (rig.disk.written, rig.acted) == ([[1]], ["act 1", "publish [1]"])
    assert len(rig.told) == 1


async def test_a_decision_that_dies_in_an_act_is_told_once(rig: Rig) -> None:
    with rig.pipeline.deciding():
        rig.pipeline.then(lambda: rig.die(2))
    await rig.pipeline.durable()
    await asyncio.sleep(0)
    assert [type(error) for error in rig.told] == [ZeroDivisionError]
    rig.pipeline.resume()

    with pytest.raises(ZeroDivisionError):
        rig.die(3)
    await asyncio.sleep(0)
    assert len(rig.told) == 2


async def test_a_decision_that_dies_within_another_is_told_once(rig: Rig) -> None:
    with pytest.raises(ZeroDivisionError), rig.pipeline.deciding():
        rig.die(1)
    await asyncio.sleep(0)
    assert len(rig.told) == 1


async def test_a_death_and_a_failed_commit_together_are_told_once(rig: Rig) -> None:
    await rig.hold()
    rig.disk.failures.append(OSError("disk full"))
    waiting = rig.wait()
    await asyncio.wait([waiting], timeout=0)
    with pytest.raises(ZeroDivisionError):
        rig.die(2)
    rig.disk.let.release()
    with pytest.raises(StoreUnavailable):
        await waiting
    assert [type(error) for error in rig.told] == [OSError]


# The end.


async def test_closing_finishes_what_is_decided(rig: Rig) -> None:
    rig.decide(1)
    await rig.pipeline.close()
    assert rig.acted == ["act 1", "publish [1]"]


async def test_closing_a_broken_pipeline_says_what_is_lost(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.disk.failures.append(OSError("disk full"))
    rig.decide(1)
    await rig.pipeline.close()
    assert "not durable" in caplog.text
