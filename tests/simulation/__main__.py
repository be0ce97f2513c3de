"""Runs seeds of the simulation: ``python -m tests.simulation --seed 42 -v`` tells all that happens in one."""

from __future__ import annotations

import argparse
import sys
from time import perf_counter

from tests.simulation.disk import Disks
from tests.simulation.run import simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell all that happens")
    wanted = parser.parse_args()
    disks, failed, began = Disks(), 0, perf_counter()
    for seed in range(wanted.seed, wanted.seed + wanted.count):
        problems = simulate(seed, disks, print if wanted.verbose else None)
        for problem in problems:
            print(f"seed {seed}: {problem}", flush=True)
        failed += bool(problems)
    disks.close()
    spent = (perf_counter() - began) / wanted.count
    print(f"{failed} of {wanted.count} seeds are wrong; {spent * 1000:.0f} ms each")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
