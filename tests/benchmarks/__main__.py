"""The router's speed beside that of a bare echo server: ``python -m tests.benchmarks``, from the root of the repository.

Only ratios of one run count, for machines differ and change from one minute to the next; ``docs/performance.md`` says
how to read them. Exit codes: 0 measured; 1 an order was lost, or a process failed; 2 the command is wrong;
130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import selectors
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import grpc

from tests.benchmarks import machine, report
from tests.benchmarks.cases import CASES, Bench, Case, chosen
from tests.benchmarks.processes import ProcessFailed
from tests.benchmarks.rig import OrdersLost, running

RESULTS = Path("var/bench/results.json").absolute()


async def measure(rounds: int, orders: int, cases: Sequence[Case], profile: Path | None) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    # Beside the results and not in /tmp, which may be memory: the store has to be on a disk.
    with tempfile.TemporaryDirectory(prefix="run-", dir=RESULTS.parent) as folder:
        facts = machine.facts(Path(folder))
        async with running(Path(folder), profile) as rig:
            print(report.preamble(facts, rig.request_size, rig.response_size), flush=True)
            bench = Bench(rig, rounds, orders)
            await bench.warm_up()
            comparisons = {}
            for case in cases:
                comparisons[case.name] = await bench.run(case)
                print(f"\n{report.table(comparisons[case.name])}", flush=True)
            await rig.end()
    if {"unary1", "open70"} <= comparisons.keys():
        print(f"\n{report.tail_under_load(comparisons['unary1'], comparisons['open70'])}")
    report.write(RESULTS, facts, comparisons)
    print(f"\n{rig.submitted} orders, each answered, filled and seen once; every round is in {RESULTS}")


def main() -> int:
    options = _options()
    try:
        with asyncio.Runner(loop_factory=_precise_loop) as runner:
            runner.run(measure(options.rounds, options.orders, options.cases, options.profile))
    except (OrdersLost, ProcessFailed) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except grpc.aio.AioRpcError as error:
        print(f"bench: a call failed: {error.code().name}: {error.details()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _precise_loop() -> asyncio.AbstractEventLoop:
    """epoll waits in whole milliseconds, which an open loop would take for the server's; select does not."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.benchmarks")
    parser.add_argument("--rounds", type=_positive, default=5, help="of each case, router and echo in turn")
    parser.add_argument("--orders", type=_positive, default=5000, help="a round, at full load")
    parser.add_argument("--cases", type=_cases, default="", metavar="A,B", help=f"of {', '.join(CASES)}")
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="run the router under cProfile; the figures are no figures then",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _cases(names: str) -> list[Case]:
    try:
        return list(chosen(names))
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"no case {error}; there are {', '.join(CASES)}") from None


if __name__ == "__main__":
    sys.exit(main())
