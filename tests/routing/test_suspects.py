"""What cannot be made durable by a fault of our own is found, told, and given up; the world's faults convict nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from fairlead_server.domain.errors import NotStorable, StoreUnavailable
from fairlead_server.fix.session import Numbers
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.suspects import TRIES, WARY_SECONDS, Suspects
from fairlead_server.store.batch import Batch
from fairlead_server.store.errors import FAULT_OF_THE_PROGRAM, VALUE_OF_THE_PROGRAM, StoreError

from tests.stores import left

POISON = "poison"
OURS = StoreError("sqlite://", "UNIQUE constraint failed", FAULT_OF_THE_PROGRAM)
FULL = StoreError("sqlite://", "database or disk is full", "free some space on the disk")


@dataclass
class Rig:
    """Memory is rebuilt, which is nothing here, as soon as a commit has failed."""

    error: Exception = OURS
    written: list[list[str]] = field(default_factory=list)
    failures: int = 0

    def __post_init__(self) -> None:
        self.pipeline = Pipeline(left(self._commit), lambda _: None, self._failed)

    def _commit(self, batch: Batch) -> None:
        if POISON in batch.sessions:
            raise self.error
        self.written.append(list(batch.sessions))

    def _failed(self, error: BaseException) -> None:
        self.failures += 1
        self.pipeline.resume()

    def decide(self, name: str) -> asyncio.Future[None]:
        with self.pipeline.deciding(name):
            self.pipeline.batch.sessions[name] = Numbers()
        return self.pipeline.settling()

    async def outcomes(self, *names: str) -> list[BaseException | None]:
        return await asyncio.gather(*map(self.decide, names), return_exceptions=True)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.pipeline.close()


async def test_before_anything_has_failed_decisions_share_a_commit(rig: Rig) -> None:
    await rig.outcomes("one", "two")

    assert rig.written == [["one", "two"]]


async def test_after_a_fault_each_decision_is_a_commit_by_itself(rig: Rig) -> None:
    lost = await rig.outcomes("one", POISON, "two")

    assert [type(each) for each in lost] == [StoreUnavailable] * 3
    assert await rig.outcomes("one", "two", "three") == [None, None, None]
    assert rig.written == [["one"], ["two"], ["three"]]


@pytest.mark.parametrize(
    "error", [OURS, StoreError("", "out of range", VALUE_OF_THE_PROGRAM), OverflowError("too large")]
)
async def test_what_has_failed_alone_three_times_is_refused_and_the_others_go_on(
    rig: Rig, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    rig.error = error
    await rig.outcomes("one", POISON)
    for _ in range(TRIES):
        first, poisoned, later = await rig.outcomes("one", POISON, "two")
        assert (first, type(poisoned), type(later)) == (None, StoreUnavailable, StoreUnavailable)

    with pytest.raises(NotStorable, match="poison cannot be made durable and was given up"):
        rig.decide(POISON)
    assert await rig.outcomes("one", "two") == [None, None]
    assert rig.failures == 1 + TRIES
    assert caplog.text.count("poison cannot be made durable and is passed over") == 1


async def test_who_has_only_shared_a_commit_with_it_is_never_refused(rig: Rig) -> None:
    for _ in range(2 * TRIES):
        with rig.pipeline.deciding("innocent"):
            rig.pipeline.comes_of("another")
            rig.pipeline.batch.sessions[POISON] = Numbers()
        await asyncio.gather(rig.pipeline.durable(), return_exceptions=True)

    assert not rig.pipeline.convicted("innocent")


async def test_a_commit_that_succeeds_clears_the_suspicion(rig: Rig) -> None:
    suspects = Suspects(lambda: 0.0)
    for _ in range(TRIES - 1):
        suspects.failed(["one"], OURS)
    suspects.committed(["one"])
    suspects.failed(["one"], OURS)

    assert not suspects.convicted("one")


async def test_the_faults_of_the_world_convict_nobody(rig: Rig) -> None:
    suspects = Suspects(lambda: 0.0)
    for error in (FULL, OSError("no disk"), SystemExit()):
        for _ in range(2 * TRIES):
            suspects.failed(["one"], error)

    assert not suspects.convicted("one")
    assert not suspects.wary


def test_it_is_wary_for_a_while_after_the_last_failure() -> None:
    now = 5.0
    suspects = Suspects(lambda: now)
    assert not suspects.wary
    suspects.failed([], OURS)
    now += WARY_SECONDS - 1
    suspects.failed([], OURS)
    now += WARY_SECONDS - 1
    assert suspects.wary
    now += 1
    assert not suspects.wary
