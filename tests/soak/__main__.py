"""``make soak KILLS=200``: crash loops on both stores, then the count of what they lost and doubled.

The seed repeats what was done and how long after the last harm; what each process was doing then is its own affair. Exit code 1 if
anything was lost or doubled, or if the books of router and venue differ in anything else; 2 if there is no PostgreSQL to use.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from random import Random

from tests import postgres
from tests.soak.loop import crash_loop
from tests.soak.tally import Tally

_BOTH = ("sqlite", "postgresql")


def main() -> int:
    options = _parser().parse_args()
    print(f"seed={options.seed}", flush=True)
    stores = _BOTH if options.store == "both" else (options.store,)
    if "postgresql" in stores and postgres.programs() is None:
        print(f"no PostgreSQL {postgres.OLDEST} or newer is installed here; ", end="")
        if options.store != "both":
            print("use --store sqlite")
            return 2
        print("SQLite only")
        stores = ("sqlite",)
    total = Tally()
    for place, store in enumerate(stores):
        kills = options.kills * (place + 1) // len(stores) - options.kills * place // len(stores)
        total += _loop(store, kills, Random(f"{options.seed} {store}"))
    print(total, flush=True)
    return 0 if total.good else 1


def _loop(store: str, kills: int, random: Random) -> Tally:
    """Whatever happened is kept if it did not go well."""
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    print(f"{store}: {kills} kills, in {folder}", flush=True)
    with postgres.started() if store == "postgresql" else nullcontext() as server:
        tally = asyncio.run(crash_loop(folder, kills, random, server))
    for name, lines in (("lost", tally.lost), ("doubled", tally.doubled), ("wrong", tally.others)):
        for line in lines:
            print(f"  {name}: {line}")
    if tally.good:
        shutil.rmtree(folder)
    return tally


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument(
        "--kills", type=_positive, default=20, help="of routers and venues, on all stores together"
    )
    parser.add_argument("--store", choices=(*_BOTH, "both"), default="both")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="of an earlier run")
    return parser


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
