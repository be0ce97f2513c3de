"""Speed beside others' in the same run: ``python -m tests.benchmarks``, from the root of the repository.

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
from contextlib import AsyncExitStack
from pathlib import Path

import grpc

from tests import postgres
from tests.benchmarks import fan, legs, machine, parts, picture, report, restart, risk, shares
from tests.benchmarks.cases import CASES, ON_POSTGRESQL, Bench
from tests.benchmarks.codec import NotTheSame
from tests.benchmarks.figures import Comparison
from tests.benchmarks.parts import PARTS, QuickFixFailed
from tests.benchmarks.processes import ProcessFailed
from tests.benchmarks.rig import OrdersLost, Rig, running

_NAMES = [*PARTS, legs.NAME, risk.NAME, shares.NAME, restart.NAME, *CASES, *fan.CASES, *ON_POSTGRESQL]
_NO_QUICKFIX = (
    "\nQuickFIX is left out: neither .tools/interop nor QUICKFIX_PYTHON has it (make interop installs it)"
)
RESULTS = Path("var/bench/results.json").absolute()
PUBLISHED = Path("bench/results.json").absolute(), Path("docs/performance.svg").absolute()


def measure(options: argparse.Namespace) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    wanted: set[str] = options.cases
    comparisons: dict[str, Comparison] = {}
    # Beside the results and not in /tmp, which may be memory: the store has to be on a disk.
    with tempfile.TemporaryDirectory(prefix="run-", dir=RESULTS.parent) as name:
        folder = Path(name)
        facts = machine.facts(folder)
        print(report.preamble(facts), flush=True)
        if wanted & PARTS.keys():
            measure_parts(options, comparisons)
        if legs.NAME in wanted:
            measure_legs(options, folder, comparisons)
        if risk.NAME in wanted:
            comparisons[risk.NAME] = risk.measure(options.rounds, options.orders)
            print(f"\n{report.table(comparisons[risk.NAME])}", flush=True)
        if restart.NAME in wanted:
            comparison = restart.measure(
                RESULTS.parent, options.rounds, options.history or 200 * options.orders
            )
            comparisons[restart.NAME] = comparison
            print(f"\n{report.table(comparison)}", flush=True)
        if wanted & (CASES.keys() | fan.CASES.keys()):
            with asyncio.Runner(loop_factory=_precise_loop) as runner:
                runner.run(measure_router(options, folder, comparisons))
        if shares.NAME in wanted:
            for way in shares.WAYS:
                found = asyncio.run(shares.measure(way, folder, options.rounds, options.orders))
                comparisons[f"{shares.NAME}-{way}"] = found
                print(f"\n{report.table(found)}", flush=True)
        if wanted & ON_POSTGRESQL.keys():
            measure_on_postgresql(options, folder, comparisons)
    drawn = RESULTS.with_suffix(".svg")
    for results, image in [(RESULTS, drawn), *([PUBLISHED] if options.publish else [])]:
        report.write(results, facts, comparisons)
        picture.write(image, facts, comparisons)
        print(f"\nEvery round is in {results}, a picture in {image}")


def measure_parts(options: argparse.Namespace, comparisons: dict[str, Comparison]) -> None:
    numbers = range(1000, 1000 + options.orders)
    with parts.quickfix(numbers) as quickfix:
        if quickfix is None:
            print(_NO_QUICKFIX)
        for part in (PARTS[name] for name in PARTS if name in options.cases):
            for comparison in parts.compare(part, options.rounds, numbers, quickfix):
                comparisons[f"{part.name}-{comparison.sides[1].lower()}"] = comparison
                print(f"\n{report.table(comparison)}", flush=True)


def measure_legs(options: argparse.Namespace, folder: Path, comparisons: dict[str, Comparison]) -> None:
    with asyncio.Runner(loop_factory=_precise_loop) as runner:
        found = runner.run(legs.measure(folder, options.rounds, options.orders))
    if found is None:
        print(_NO_QUICKFIX)
        return
    for name, comparison in found.items():
        comparisons[f"{legs.NAME}-{name}"] = comparison
        print(f"\n{report.table(comparison)}", flush=True)


async def measure_router(
    options: argparse.Namespace, folder: Path, comparisons: dict[str, Comparison]
) -> None:
    profiler = ("cProfile", "-o", str(options.profile), "-m") if options.profile else ()
    async with running(folder, profiler) as rig:
        print(f"\nrequest {rig.request_size} B, response {rig.response_size} B", flush=True)
        bench = Bench(rig, options.rounds, options.orders)
        await bench.warm_up()
        for case in (CASES[name] for name in CASES if name in options.cases):  # full load comes first
            comparisons[case.name] = await bench.run(case)
            print(f"\n{report.table(comparisons[case.name])}", flush=True)
        await measure_fan(rig, options, folder, comparisons)
        await rig.end()
    if {"unary1", "open70"} <= comparisons.keys():
        print(f"\n{report.tail_under_load(comparisons['unary1'], comparisons['open70'])}")
    print(f"\n{rig.submitted} orders, each answered, filled and seen once")


async def measure_fan(
    rig: Rig, options: argparse.Namespace, folder: Path, comparisons: dict[str, Comparison]
) -> None:
    wanted = [name for name in fan.CASES if name in options.cases]
    if not wanted:
        return
    async with AsyncExitStack() as stack:
        measured = await fan.Fan.begun(stack, rig, folder, options.orders)
        for name in wanted:
            comparisons[name] = await measured.run(fan.CASES[name], options.rounds)
            print(f"\n{report.table(comparisons[name])}", flush=True)


def measure_on_postgresql(
    options: argparse.Namespace, folder: Path, comparisons: dict[str, Comparison]
) -> None:
    if postgres.programs() is None:
        print(f"\nPostgreSQL is left out: no version {postgres.OLDEST} or newer is installed here")
        return
    logs = folder / "postgresql"
    logs.mkdir()
    with (
        postgres.started(in_memory=False) as server,
        asyncio.Runner(loop_factory=_precise_loop) as runner,
    ):
        runner.run(_measure_on_postgresql(options, logs, server.url, comparisons))


async def _measure_on_postgresql(
    options: argparse.Namespace, folder: Path, url: str, comparisons: dict[str, Comparison]
) -> None:
    async with running(folder, store_url=url) as rig:
        bench = Bench(rig, options.rounds, options.orders)
        await bench.warm_up()
        for name, case in ON_POSTGRESQL.items():
            if name in options.cases:
                comparisons[name] = await bench.run(case)
                print(f"\n{report.table(comparisons[name])}", flush=True)
                if case.name in comparisons:
                    print(report.beside_sqlite(comparisons[case.name], comparisons[name]))
        await rig.end()


def main() -> int:
    options = _options()
    try:
        measure(options)
    except (OrdersLost, ProcessFailed, NotTheSame, QuickFixFailed) as error:
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
    parser.add_argument(
        "--rounds", type=_positive, default=5, help="of each case, ours and the reference in turn"
    )
    parser.add_argument("--orders", type=_positive, default=5000, help="or messages, a round, at full load")
    parser.add_argument("--cases", type=_cases, default="", metavar="A,B", help=f"of {', '.join(_NAMES)}")
    parser.add_argument(
        "--history",
        type=_positive,
        help=f"orders in the store of {restart.NAME}; 200 times --orders, a million",
    )
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="run the router under cProfile; the figures are no figures then",
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="also into bench/results.json and docs/performance.svg, which are kept; only with all cases",
    )
    options = parser.parse_args()
    if options.publish and options.cases != set(_NAMES):
        parser.error("--publish takes all cases")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _cases(names: str) -> set[str]:
    wanted = set(names.split(",")) if names else set(_NAMES)
    if not wanted <= set(_NAMES):
        raise argparse.ArgumentTypeError(
            f"no case {min(wanted - set(_NAMES))!r}; there are {', '.join(_NAMES)}"
        )
    return wanted


if __name__ == "__main__":
    sys.exit(main())
