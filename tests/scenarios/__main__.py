"""``make scenarios``: plays every scenario against the router and prints a table. Exit code 1 if one is not as expected."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from tests.scenarios.trial import Trial, play, trials


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.scenarios", description=__doc__)
    parser.add_argument("names", nargs="*", help="only scenarios whose name has one of these in it")
    parser.add_argument("--folder", type=Path, help="other scenarios than those of the simulator")
    parser.add_argument("--events", action="store_true", help="show the events of each")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # what scenarios provoke is what they are for
    chosen = [trial for trial in trials(options.folder) if _wanted(trial, options.names)]
    width = max((len(trial.scenario.name) for trial in chosen), default=0)
    print(f"{'SCENARIO':<{width}}  {'VERSION':<10}  RESULT")
    failed = sum(_show(trial, width, events=options.events) for trial in chosen)
    count = sum(len(trial.versions) for trial in chosen)
    known = sum(len(trial.versions) for trial in chosen if trial.known_failure)
    print(
        f"\n{count} played, {count - known - failed} passed, {known} known to fail, {failed} not as expected"
    )
    return 1 if failed or not count else 0


def _wanted(trial: Trial, names: list[str]) -> bool:
    return not names or any(name in trial.scenario.name for name in names)


def _show(trial: Trial, width: int, *, events: bool) -> int:
    failed = 0
    for version in trial.versions:
        result = asyncio.run(play(trial, version))
        if trial.known_failure:
            verdict = (
                f"PASSED UNEXPECTEDLY: {trial.known_failure}"
                if result.passed
                else f"known: {trial.known_failure}"
            )
        else:
            verdict = "passed" if result.passed else f"FAILED: {result.problem}"
        failed += result.passed is bool(trial.known_failure)
        print(f"{trial.scenario.name:<{width}}  {version:<10}  {verdict}")
        if events:
            print(*(f"    {line}" for line in result.lines), sep="\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
