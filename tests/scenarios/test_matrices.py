"""Every row of FIX's order state change matrices, played against the router in each version of FIX that it names."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fix_sim.network import Latency, Network

from tests.scenarios.trial import Trial, play, trials


def _cases() -> list[object]:
    return [
        pytest.param(
            trial,
            version,
            id=f"{trial.scenario.name}-{version}",
            marks=[pytest.mark.xfail(reason=trial.known_failure)] if trial.known_failure else [],
        )
        for trial in trials()
        for version in trial.versions
    ]


@pytest.mark.no_cover  # which makes it three times as slow, and the parts have tests of their own
@pytest.mark.parametrize(("trial", "version"), _cases())
async def test_a_row_yields_exactly_its_events(trial: Trial, version: str) -> None:
    result = await play(trial, version)
    assert result.passed, "\n".join([result.problem, *result.lines])


@pytest.mark.parametrize(
    "trial",
    [trial for trial in trials() if not (trial.known_failure or trial.breaks_the_session)],
    ids=lambda trial: trial.scenario.name,
)
async def test_answers_that_take_their_time_yield_the_same_events(trial: Trial) -> None:
    network = Network(timedelta(milliseconds=20), timedelta(milliseconds=200), seed=4)
    result = await play(trial, trial.versions[-1], Latency(network))
    assert result.passed, "\n".join([result.problem, *result.lines])
